// The table of rules.h. Nothing here allocates but by mmap, and only the writer does.
#include "rules.h"

#include <sys/mman.h>

#include <atomic>
#include <mutex>
#include <type_traits>

#include "cfi.h"
#include "modules.h"

namespace weir::profiler {

struct RuleTable::Entry {
  std::atomic<uint64_t> pc;  // 0: free
  std::atomic<uint64_t> rule;
};

struct RuleTable::Table {
  size_t mask;   // entries - 1
  size_t used;   // the writer's
  size_t bytes;  // of the mapping
  Table* older;

  // They follow in the same mapping.
  Entry& entry(size_t i) { return reinterpret_cast<Entry*>(this + 1)[i]; }
  const Entry& entry(size_t i) const { return reinterpret_cast<const Entry*>(this + 1)[i]; }
};

namespace {

constexpr size_t kFirstEntries = 4096;
constexpr size_t kMaxRules = size_t{1} << 20;

size_t index_of(uintptr_t pc, size_t mask) {
  return (uint64_t{pc} * 0x9e3779b97f4a7c15U >> 20) & mask;
}

// This one's are usable for as long as the process lives: dumps are written while it ends.
union OwnTable {
  RuleTable table{nullptr};
  constexpr OwnTable() {}
  ~OwnTable() {}
};
constinit OwnTable own_table;
static_assert(std::is_trivially_destructible_v<std::mutex>);

}  // namespace

RuleTable::~RuleTable() {
  for (Table* table = current_.load(std::memory_order_relaxed); table;) {
    Table* older = table->older;
    munmap(table, table->bytes);
    table = older;
  }
}

ModuleSet& RuleTable::modules() {
  if (!modules_) modules_ = new Modules;  // of the table that is never destroyed
  return *modules_;
}

RuleTable::Table* RuleTable::make_table(size_t entries) {
  const size_t bytes = sizeof(Table) + entries * sizeof(Entry);
  void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) return nullptr;
  auto* table = static_cast<Table*>(at);
  table->mask = entries - 1;
  table->bytes = bytes;
  table->older = current_.load(std::memory_order_relaxed);
  all_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  return table;
}

// Only the writer. There is a free entry.
void RuleTable::put(Table& table, uintptr_t pc, Rule rule) {
  for (size_t i = index_of(pc, table.mask);; i = (i + 1) & table.mask) {
    Entry& e = table.entry(i);
    const uint64_t there = e.pc.load(std::memory_order_relaxed);
    if (there != 0 && there != pc) continue;
    e.rule.store(rule.word(), std::memory_order_relaxed);
    if (there == 0) {
      // Release: whoever sees the pc sees its rule.
      e.pc.store(pc, std::memory_order_release);
      table.used++;
    }
    return;
  }
}

// The table with room for one more; null: none to be had.
RuleTable::Table* RuleTable::table_with_room() {
  Table* table = current_.load(std::memory_order_relaxed);
  if (table && table->used * 2 < table->mask + 1) return table;
  if (table && table->used >= kMaxRules) return nullptr;
  Table* larger = make_table(table ? 2 * (table->mask + 1) : kFirstEntries);
  if (!larger) return nullptr;
  for (size_t i = 0; table && i <= table->mask; ++i) {
    const Entry& e = table->entry(i);
    const uint64_t pc = e.pc.load(std::memory_order_relaxed);
    const Rule rule = Rule::from_word(e.rule.load(std::memory_order_relaxed));
    if (pc != 0 && rule.kind() != Rule::kUnknown) put(*larger, pc, rule);
  }
  current_.store(larger, std::memory_order_release);
  return larger;
}

void RuleTable::forget_all() {
  Table* table = current_.load(std::memory_order_relaxed);
  if (!table) return;
  for (size_t i = 0; i <= table->mask; ++i) {
    table->entry(i).rule.store(Rule().word(), std::memory_order_relaxed);
  }
}

Rule RuleTable::find(uintptr_t pc) const noexcept {
  const Table* table = current_.load(std::memory_order_acquire);
  if (!table || pc == 0) return pc == 0 ? Rule::cannot() : Rule();
  for (size_t i = index_of(pc, table->mask);; i = (i + 1) & table->mask) {
    const uint64_t there = table->entry(i).pc.load(std::memory_order_acquire);
    if (there == pc) return Rule::from_word(table->entry(i).rule.load(std::memory_order_relaxed));
    if (there == 0) return Rule();
  }
}

bool RuleTable::learn(uintptr_t pc) {
  const std::lock_guard lock(writer_);
  if (find(pc).kind() != Rule::kUnknown) return true;
  bool unloaded = false;
  const Rule rule = cfi::read_rule(modules(), pc, unloaded);
  if (unloaded) forget_all();
  Table* table = table_with_room();
  if (!table) return false;
  put(*table, pc, rule);
  return true;
}

void RuleTable::refresh() {
  const std::lock_guard lock(writer_);
  if (modules().refresh()) forget_all();
}

RuleTable& rules::own() noexcept { return own_table.table; }

}  // namespace weir::profiler
