// The table of rules.h. Nothing here allocates but by mmap, and only the writer does.
#include "rules.h"

#include <sys/mman.h>

#include <atomic>
#include <mutex>
#include <type_traits>

#include "cfi.h"

namespace weir::profiler::rules {

namespace {

struct Entry {
  std::atomic<uint64_t> pc;  // 0: free
  std::atomic<uint64_t> rule;
};

struct Table {
  size_t mask;   // entries - 1
  size_t used;   // the writer's
  size_t bytes;  // of the mapping

  // They follow in the same mapping.
  Entry& entry(size_t i) { return reinterpret_cast<Entry*>(this + 1)[i]; }
  const Entry& entry(size_t i) const { return reinterpret_cast<const Entry*>(this + 1)[i]; }
};

constexpr size_t kFirstEntries = 4096;
constexpr size_t kMaxRules = size_t{1} << 20;

std::atomic<Table*> current{nullptr};
std::atomic<size_t> all_bytes{0};

// Usable for as long as the process lives (its destructor does nothing): dumps are written while it
// ends.
constinit std::mutex writer;
static_assert(std::is_trivially_destructible_v<std::mutex>);

size_t index_of(uintptr_t pc, size_t mask) {
  return (uint64_t{pc} * 0x9e3779b97f4a7c15U >> 20) & mask;
}

Table* make_table(size_t entries) {
  const size_t bytes = sizeof(Table) + entries * sizeof(Entry);
  void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) return nullptr;
  auto* table = static_cast<Table*>(at);
  table->mask = entries - 1;
  table->bytes = bytes;
  all_bytes.fetch_add(bytes, std::memory_order_relaxed);
  return table;
}

// Only the writer. There is a free entry.
void put(Table& table, uintptr_t pc, Rule rule) {
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
Table* table_with_room() {
  Table* table = current.load(std::memory_order_relaxed);
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
  current.store(larger, std::memory_order_release);
  return larger;
}

void forget_all() {
  Table* table = current.load(std::memory_order_relaxed);
  if (!table) return;
  for (size_t i = 0; i <= table->mask; ++i) {
    table->entry(i).rule.store(Rule().word(), std::memory_order_relaxed);
  }
}

}  // namespace

Rule find(uintptr_t pc) noexcept {
  const Table* table = current.load(std::memory_order_acquire);
  if (!table || pc == 0) return pc == 0 ? Rule::cannot() : Rule();
  for (size_t i = index_of(pc, table->mask);; i = (i + 1) & table->mask) {
    const uint64_t there = table->entry(i).pc.load(std::memory_order_acquire);
    if (there == pc) return Rule::from_word(table->entry(i).rule.load(std::memory_order_relaxed));
    if (there == 0) return Rule();
  }
}

bool learn(uintptr_t pc) {
  const std::lock_guard lock(writer);
  if (find(pc).kind() != Rule::kUnknown) return true;
  bool unloaded = false;
  const Rule rule = cfi::read_rule(pc, unloaded);
  if (unloaded) forget_all();
  Table* table = table_with_room();
  if (!table) return false;
  put(*table, pc, rule);
  return true;
}

void refresh() {
  const std::lock_guard lock(writer);
  if (cfi::refresh()) forget_all();
}

size_t table_bytes() noexcept { return all_bytes.load(std::memory_order_relaxed); }

}  // namespace weir::profiler::rules
