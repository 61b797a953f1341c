// The program's description of itself for <weir/post_mortem.h>: the table weir_layout, and the ELF
// note that leads to it. Costs nothing at run time but the pages of the file.

#include <weir/post_mortem.h>

#include <ucontext.h>

#include <weir/cond.h>
#include <weir/context.h>
#include <weir/detail/resource.h>
#include <weir/mutex.h>
#include <weir/rwmutex.h>
#include <weir/select.h>
#include <weir/semaphore.h>
#include <weir/wait_group.h>

#include <array>
#include <cstddef>
#include <iterator>
#include <string_view>

#include "access.h"
#include "chan_timer.h"
#include "clock.h"
#include "context.h"
#include "hchan.h"
#include "labels.h"
#include "netpoll.h"
#include "runtime2.h"
#include "stack_chunk.h"
#include "switch.h"
#include "words.h"

// Types with bases or virtual functions, too, have one layout, by the C++ ABI of all our platforms.
#pragma GCC diagnostic ignored "-Winvalid-offsetof"

// weir_gostart (switch.h) as data: a function's address is no constant of another type.
extern "C" [[gnu::visibility("hidden")]] const char weir_gostart_code[] asm("weir_gostart");

namespace weir {

namespace rt {

namespace {

using post_mortem::Entry;
using post_mortem::Global;
using post_mortem::Word;

// Does not compile where a text does not fit.
template <size_t N>
constexpr void put(char (&to)[N], std::string_view text) {
  if (text.size() >= N) throw "too long for the table";
  for (size_t i = 0; i < text.size(); i++) to[i] = text[i];
}

consteval Entry entry(std::string_view name, size_t value) {
  Entry e{};
  put(e.name, name);
  e.value = static_cast<int64_t>(value);
  return e;
}

constexpr Global global(std::string_view name, const void* address) {
  Global g{};
  for (size_t i = 0; i < name.size() && i + 1 < sizeof g.name; i++) g.name[i] = name[i];
  g.address = address;
  return g;
}

template <class... Lists>
consteval auto join(const Lists&... lists) {
  std::array<Entry, (std::tuple_size_v<Lists> + ...)> all{};
  size_t n = 0;
  auto append = [&](const auto& list) {
    for (const Entry& e : list) all[n++] = e;
  };
  (append(lists), ...);
  return all;
}

template <size_t... N>
consteval auto words(const char* const (&... lists)[N]) {
  constexpr std::string_view kOf[] = {"State", "WaitReason", "ObjectKind", "ContextKind"};
  static_assert(sizeof...(N) == std::size(kOf));
  std::array<Word, (N + ...)> all{};
  size_t n = 0, of = 0;
  auto append = [&](const auto& list) {
    for (size_t i = 0; i < std::size(list); i++) {
      put(all[n].of, kOf[of]);
      all[n].value = static_cast<int64_t>(i);
      put(all[n++].text, list[i]);
    }
    of++;
  };
  (append(lists), ...);
  return all;
}

#define MEMBER(type, member) entry(#type "." #member, offsetof(type, member))
#define SIZE(type) entry(#type ".size", sizeof(type))
#define CONSTANT(name) entry(#name, static_cast<size_t>(name))

constexpr std::array kScheduler = {
    SIZE(G),
    MEMBER(G, status),
    MEMBER(G, waitreason),
    MEMBER(G, is_thread),
    MEMBER(G, is_main),
    MEMBER(G, shown_name),
    MEMBER(G, sp),
    MEMBER(G, m),
    MEMBER(G, since),
    MEMBER(G, waitobj),
    MEMBER(G, waitobj_count),
    MEMBER(G, locked_m),
    MEMBER(G, goid),
    MEMBER(G, parent_goid),
    MEMBER(G, gopc),
    MEMBER(G, startpc),
    MEMBER(G, labels),
    MEMBER(G, waits_for),
    MEMBER(G, stack_lo),
    MEMBER(G, stack_hi),
    MEMBER(G, slot),
    MEMBER(G, creation),
    MEMBER(G, cpu_ticks),
    MEMBER(G, names),
    entry("G.name.size", sizeof G::names[0]),
    MEMBER(G, wait_context),
    MEMBER(G, syscall_pc),
    MEMBER(G, syscall_sp),
    MEMBER(G, syscall_fp),
    SIZE(thread_G),
    MEMBER(thread_G, tid),
    SIZE(M),
    MEMBER(M, tid),
    MEMBER(M, g0),
    MEMBER(M, crash_context),
    MEMBER(Sched, coarse_ticks),
    MEMBER(Sched, cpu_accounting),
    MEMBER(Sched, gomaxprocs),
    CONSTANT(Gidle),
    CONSTANT(Grunnable),
    CONSTANT(Grunning),
    CONSTANT(Gsyscall),
    CONSTANT(Gwaiting),
    CONSTANT(Gdead),
    CONSTANT(Gcopystack),
    CONSTANT(Gscan),
};
static_assert(offsetof(thread_G, status) == offsetof(G, status), "a thread_G begins with its G");

constexpr std::array kSlots = {
    SIZE(Chunk),
    MEMBER(Chunk, base),
    MEMBER(Chunk, stride),
    MEMBER(Chunk, size_class),
    MEMBER(Chunk, used),
    entry("Chunk.cold", offsetof(Chunk, free[kCold].bits)),
    CONSTANT(kChunkSlots),
    CONSTANT(kMaxChunks),
    CONSTANT(kThreadClass),
    CONSTANT(kSpreadBytes),
    CONSTANT(kSpreads),
};

constexpr std::array kRegisters = {
    CONSTANT(kSavedPc),
    CONSTANT(kSavedFp),
    CONSTANT(kSavedSize),
    CONSTANT(kStartPcOffset),
#if defined(__x86_64__)
    entry("ucontext.pc", offsetof(ucontext_t, uc_mcontext.gregs[REG_RIP])),
    entry("ucontext.sp", offsetof(ucontext_t, uc_mcontext.gregs[REG_RSP])),
    entry("ucontext.fp", offsetof(ucontext_t, uc_mcontext.gregs[REG_RBP])),
#elif defined(__aarch64__)
    entry("ucontext.pc", offsetof(ucontext_t, uc_mcontext.pc)),
    entry("ucontext.sp", offsetof(ucontext_t, uc_mcontext.sp)),
    entry("ucontext.fp", offsetof(ucontext_t, uc_mcontext.regs[29])),
#endif
};

using detail::http_body;

constexpr std::array kWaitedFor = {
    SIZE(hchan),
    MEMBER(hchan, refs),
    MEMBER(hchan, dataqsiz),
    MEMBER(hchan, qcount),
    MEMBER(hchan, closed),
    MEMBER(hchan, sends),
    MEMBER(hchan, recvs),
    MEMBER(hchan, made_pc),
    MEMBER(hchan, timer),
    MEMBER(chan_timer, home),
    SIZE(scase),
    MEMBER(scase, c),
    MEMBER(scase, send),
    SIZE(io_info),
    MEMBER(io_info, fd),
    MEMBER(io_info, network),
    MEMBER(io_info, local),
    MEMBER(io_info, remote),
    MEMBER(io_info, made_pc),
    entry("io_info.network.size", sizeof io_info::network),
    entry("io_info.local.size", sizeof io_info::local),
    entry("io_info.remote.size", sizeof io_info::remote),
    SIZE(http_body),
    MEMBER(http_body, made_pc),
    MEMBER(http_body, status),
    MEMBER(http_body, method),
    MEMBER(http_body, url),
    entry("http_body.method.size", sizeof http_body::method),
    entry("http_body.url.size", sizeof http_body::url),
};

constexpr std::array kLabelsAndContexts = {
    SIZE(label_set),
    MEMBER(label_set, count),
    MEMBER(label_set, mark_count),
    SIZE(label_set::entry),
    MEMBER(label_set::entry, at),
    MEMBER(label_set::entry, key_bytes),
    MEMBER(label_set::entry, value_bytes),
    SIZE(context_shard),
    MEMBER(context_shard, live),
    CONSTANT(kContextShards),
    MEMBER(ring, next),
    SIZE(child_link),
    MEMBER(child_link, self),
    SIZE(cancel_context),
    MEMBER(cancel_context, refs),
    MEMBER(cancel_context, kind),
    MEMBER(cancel_context, made_pc),
    MEMBER(cancel_context, maker_goid),
    MEMBER(cancel_context, made_ticks),
    MEMBER(cancel_context, above),
    MEMBER(cancel_context, has_deadline),
    MEMBER(cancel_context, deadline),
    MEMBER(cancel_context, err),
    MEMBER(cancel_context, nchildren),
    MEMBER(cancel_context, nwaiters),
    MEMBER(cancel_context, ncallbacks),
    MEMBER(cancel_context, cancel_handles),
    MEMBER(cancel_context, registered),
    entry("ContextError.deadline_exceeded", static_cast<size_t>(ContextError::deadline_exceeded)),
};
static_assert(offsetof(child_link, next) == offsetof(ring, next),
              "a child_link begins with its ring");

}  // namespace

}  // namespace rt

// Where the private members are.
struct rt_access::offsets {
  static consteval auto all() {
    using rt::entry;
    return std::array{
        SIZE(Mutex),
        MEMBER(Mutex, owner_),
        MEMBER(Mutex, lock_pc_),
        MEMBER(Mutex, made_pc_),
        SIZE(RWMutex),
        MEMBER(RWMutex, reader_count_),
        MEMBER(RWMutex, reader_wait_),
        MEMBER(RWMutex, owner_),
        MEMBER(RWMutex, lock_pc_),
        MEMBER(RWMutex, rlock_pc_),
        MEMBER(RWMutex, made_pc_),
        SIZE(WaitGroup),
        MEMBER(WaitGroup, state_),
        MEMBER(WaitGroup, adds_),
        MEMBER(WaitGroup, dones_),
        MEMBER(WaitGroup, add_pc_),
        MEMBER(WaitGroup, done_pc_),
        MEMBER(WaitGroup, made_pc_),
        SIZE(Cond),
        MEMBER(Cond, waiters_),
        MEMBER(Cond, signals_),
        MEMBER(Cond, signal_pc_),
        MEMBER(Cond, made_pc_),
        SIZE(Semaphore),
        MEMBER(Semaphore, size_),
        MEMBER(Semaphore, taken_),
        MEMBER(Semaphore, waiters_),
        MEMBER(Semaphore, releases_),
        MEMBER(Semaphore, release_pc_),
        MEMBER(Semaphore, made_pc_),
    };
  }
};

#undef MEMBER
#undef SIZE
#undef CONSTANT

namespace rt {

// What others refer to by name is in no anonymous namespace.
constexpr auto kEntries =
    join(kScheduler, kSlots, kRegisters, kWaitedFor, kLabelsAndContexts, rt_access::offsets::all());
constexpr auto kWords = words(introspect::kStateWords, introspect::kWaitReasonWords,
                              introspect::kObjectKindWords, introspect::kContextKindWords);
constexpr size_t kGlobals = 10;

struct Table {
  post_mortem::Layout head;
  Entry entries[kEntries.size()];
  Global globals[kGlobals];
  Word words[kWords.size()];
};

template <class T>
consteval post_mortem::Array array(size_t at, size_t count) {
  return {static_cast<uint32_t>(at), static_cast<uint32_t>(count), sizeof(T)};
}

constexpr Table make_table() {
  Table t{};
  for (size_t i = 0; i < sizeof t.head.magic; i++) t.head.magic[i] = post_mortem::kMagic[i];
  t.head.bytes = sizeof t;
  t.head.entries = array<Entry>(offsetof(Table, entries), kEntries.size());
  t.head.globals = array<Global>(offsetof(Table, globals), kGlobals);
  t.head.words = array<Word>(offsetof(Table, words), kWords.size());
  for (size_t i = 0; i < kEntries.size(); i++) t.entries[i] = kEntries[i];
  for (size_t i = 0; i < kWords.size(); i++) t.words[i] = kWords[i];
  const Global globals[] = {
      global("chunks", chunks),
      global("nchunks", &nchunks),
      global("allp", allp),
      global("sched", &sched),
      global("context_shards", &context_shards),
      global("has_constant_ticks", &has_constant_ticks),
      global("ns_per_tick", &ns_per_tick),
      global("base_ticks", &base_ticks),
      global("base_ns", &base_ns),
      global("weir_gostart", weir_gostart_code),
  };
  static_assert(std::size(globals) == kGlobals);
  for (size_t i = 0; i < kGlobals; i++) t.globals[i] = globals[i];
  return t;
}

}  // namespace rt

}  // namespace weir

extern "C" {
// Kept by the linker although only the note refers to it.
[[gnu::visibility("hidden")]] extern const weir::rt::Table weir_layout;
[[gnu::used]] constinit const weir::rt::Table weir_layout = weir::rt::make_table();
}

// Aligned as other notes, which the linker puts into one segment with this one.
asm(R"(
        .pushsection .note.weir, "a", @note
        .balign 4
        .long 5, 8, 1
        .asciz "weir"
        .balign 4
0:      .quad weir_layout - 0b
        .popsection
)");
