// The only door to the scheduler for those who look at it: enumerate goroutines, hold one still,
// read its registers and its wait record.
//
// Nothing here allocates, takes a lock of the scheduler, or blocks a goroutine for longer than the
// caller holds it. All functions may be called from any OS thread, at any time, several at once.
//
// How to see every goroutine exactly once: visit slots 0 .. slot_count()-1 once each. A goroutine
// stays in its slot for all of its life, so one that lived throughout is met exactly once, whatever
// runs meanwhile.
#pragma once

#include <signal.h>

#include <cstddef>
#include <cstdint>

#include <weir/labels.h>

namespace weir::introspect {

// Go's states of a goroutine.
enum class State : uint8_t { idle, runnable, running, syscall, waiting, dead, copystack };
inline constexpr size_t kStates = 7;
const char* to_string(State s) noexcept;

// Why a goroutine waits; the texts are Go's.
enum class WaitReason : uint8_t {
  none,
  chan_receive_nil,  // chan receive (nil chan)
  chan_send_nil,     // chan send (nil chan)
  select_no_cases,   // select (no cases)
  select,            // select
  chan_receive,      // chan receive
  chan_send,         // chan send
  mutex_lock,        // sync.Mutex.Lock
  rwmutex_rlock,     // sync.RWMutex.RLock
  rwmutex_lock,      // sync.RWMutex.Lock
  waitgroup_wait,    // sync.WaitGroup.Wait
  sleep,             // sleep
  io_wait,           // IO wait
  cond_wait,         // sync.Cond.Wait
  semacquire,        // semacquire
};
inline constexpr size_t kWaitReasons = 15;  // `none` among them
const char* to_string(WaitReason r) noexcept;

enum class ObjectKind : uint8_t {
  none,
  chan,
  mutex,
  rwmutex,
  waitgroup,
  cond,
  semaphore,
  io,
  http_body
};
const char* to_string(ObjectKind k) noexcept;

// The kind of what a goroutine waits for, where there is such a thing; `body`: the wait is for an
// HTTP body in truth. Always inline: signal handlers that are compiled without sanitizers call it.
[[gnu::always_inline]] constexpr ObjectKind object_kind(WaitReason reason, bool body) noexcept {
  switch (reason) {
    case WaitReason::chan_receive:
    case WaitReason::chan_send:
    case WaitReason::select:
      return body ? ObjectKind::http_body : ObjectKind::chan;
    case WaitReason::mutex_lock:
      return ObjectKind::mutex;
    case WaitReason::rwmutex_rlock:
    case WaitReason::rwmutex_lock:
      return ObjectKind::rwmutex;
    case WaitReason::waitgroup_wait:
      return ObjectKind::waitgroup;
    case WaitReason::io_wait:
      return ObjectKind::io;
    case WaitReason::cond_wait:
      return ObjectKind::cond;
    case WaitReason::semacquire:
      return ObjectKind::semaphore;
    case WaitReason::none:
    case WaitReason::chan_receive_nil:
    case WaitReason::chan_send_nil:
    case WaitReason::select_no_cases:
    case WaitReason::sleep:
      break;
  }
  return ObjectKind::none;
}

// What a goroutine waits for, as it stood while the goroutine was held. Fields of other kinds are
// zero.
struct Object {
  ObjectKind kind;
  bool closed;  // chan
  bool send;    // chan: the goroutine wants to send (else to receive)
  bool timer;   // chan: of a Timer, a Ticker or `after`
  bool armed;   // timer: a tick will come
  const void* address;
  const void* made_pc;           // where the object was made; null: not known
  uint64_t cap, len;             // chan; semaphore: its size, and how much of it is taken
  uint64_t sends, recvs;         // chan: completed in its lifetime
  uint64_t handles;              // chan: handles (chan<T> copies) that exist
  uint64_t owner_goid;           // mutex, rwmutex held for writing; 0: nobody
  uint64_t readers;              // rwmutex
  const void* lock_pc;           // mutex, rwmutex: where it was locked last (for writing)
  const void* rlock_pc;          // rwmutex: where it was locked last for reading
  int64_t counter;               // waitgroup
  uint64_t adds, dones;          // waitgroup: totals
  const void *add_pc, *done_pc;  // waitgroup: last places
  uint64_t waiters;              // cond, semaphore: who waits
  uint64_t signals;              // cond: calls of signal and broadcast; semaphore: of release
  const void* signal_pc;         // cond, semaphore: the last of them
  int fd;                        // io; `send`: it waits to write
  int status;                    // http_body: of the response
};

inline constexpr size_t kMaxObjects = 8;  // of a select that are recorded
inline constexpr size_t kMaxName = 31;
inline constexpr size_t kMaxAddress = 63;  // bytes of a network address that are recorded
inline constexpr size_t kMaxMethod = 15;   // and of an HTTP request's method
inline constexpr size_t kMaxUrl = 255;     // and of its URL

// The labels of a goroutine: immutable, counted.
using LabelSet = rt::label_set;
// Takes a reference. Async-signal-safe; may be called while a goroutine is held.
void ref_labels(const LabelSet* set) noexcept;
// Gives one back, and frees the set with the last: neither in a signal handler nor while a
// goroutine is held.
void unref_labels(const LabelSet* set) noexcept;
// The labels, sorted by key; good as long as the reference. No allocation.
size_t label_count(const LabelSet* set) noexcept;
Label label_at(const LabelSet* set, size_t i) noexcept;
// Does the goroutine descend from a scope with this mark (detail::label_scope)? As label_at.
bool has_mark(const LabelSet* set, uint64_t mark) noexcept;

struct Goroutine {
  uint64_t goid;
  uint64_t parent_goid;     // 0: none (a plain thread, or made by one that never used weir before)
  const void* gopc;         // return address of the `weir::go` that made it; null for a thread
  const void* start_pc;     // its function's entry; null for a thread
  uint16_t creation_stack;  // what the hook `creation` gave for it (below); 0: not recorded
  State state;
  WaitReason wait_reason;  // meaningful while waiting
  ObjectKind object_kind;  // of what it waits for; none: of nothing, or of nothing that exists
  bool thread;             // a plain OS thread that uses weir, not a goroutine
  bool locked;             // to its OS thread (lock_os_thread)
  int64_t cpu_ns;          // for how long it has run in all, ns; -1: not counted (cpu_accounting)
  int64_t since_ns;        // for how long it has been in this state, ns; running: without a switch
  uintptr_t stack_lo, stack_hi;  // the bytes of its stack: [lo, hi)
  // Waiting: the context that may end the wait, too (recv(ctx), ...): an introspect::Context's
  // address; null: none.
  const void* context;
  uint32_t object_count;   // entries of `objects` that are filled
  uint32_t objects_total;  // objects it waits for; larger than object_count when they did not fit
  Object objects[kMaxObjects];
  // Null: none. Valid while the goroutine is held, or until the handler returns: take a reference.
  const LabelSet* labels;
  char name[kMaxName + 1];
  // io: of its one object; empty for any other.
  char io_network[8];
  char io_local[kMaxAddress + 1], io_remote[kMaxAddress + 1];
  // http_body: of its one object; empty for any other. The object's made_pc is where the request
  // was made.
  char http_method[kMaxMethod + 1], http_url[kMaxUrl + 1];
};

// Where its execution stands. Of the callee-saved registers the frame pointer is the only one that
// a canonical frame address is computed from in practice.
struct Registers {
  uintptr_t pc;  // exact; a caller's pc is found on the stack and is a return address
  uintptr_t sp;
  uintptr_t fp;  // rbp, x29
};

// Upper bound of the slots in use, goroutines and threads; grows, never shrinks.
size_t slot_count() noexcept;

enum class Scan : uint8_t {
  empty,    // no goroutine lives here
  held,     // it is parked, runnable or in a system call, and is held: call release soon
  running,  // it runs on a thread: ask it by interrupt
};

// How much `hold` reads of a goroutine. Each step touches more memory, and among a million
// goroutines none of it is in a cache.
enum class Detail : uint8_t {
  group,    // what goroutines alike have in common: not name, io_*, http_*, context, objects
  member,   // and these but for objects: those of kinds io and http_body are read, too
  objects,  // everything
};

// Looks at the goroutine in `slot`. When `held`, it cannot run before `release(slot)`: whoever
// wants to run it spins, so release within microseconds; do not allocate, lock or fault in files in
// between. Its stack from regs.sp to stack_hi is frozen and readable. One that is in a system call
// stays in it, or spins at its end; what is frozen is its stack from the blocking call up. When
// `running`, only goid, parent_goid, gopc, start_pc, state, thread, locked, since_ns and cpu_ns of
// `g` are filled. Spins for nanoseconds while the goroutine changes its state, for microseconds
// while its stack is trimmed; never fails. `regs.pc` is a return address (the goroutine's call into
// the switch, or its blocking call).
Scan hold(size_t slot, Goroutine& g, Registers& regs, Detail detail = Detail::objects) noexcept;
void release(size_t slot) noexcept;

// Hints for a walk over many slots, that hide most of what memory costs: the record of a goroutine
// (16 slots ahead, say), then, when that has come, the top of its stack (8 slots ahead).
void prefetch_record(size_t slot) noexcept;
void prefetch_stack(size_t slot) noexcept;

// What a count of many wants of each, read without holding anybody: a moment's values, of one
// goroutine each, or of two that followed each other in the slot.
struct Glimpse {
  State state;             // waiting also while its stack is trimmed
  WaitReason wait_reason;  // while waiting
  bool thread;             // a plain OS thread
};
// False: no goroutine lives here.
bool glimpse(size_t slot, Glimpse& g) noexcept;

// Asks the thread that runs goroutine `goid` of `slot` to call fn(g, regs, arg) in a signal handler
// while the goroutine stands still. fn must be async-signal-safe. The stack from regs.sp to
// stack_hi is readable; regs.pc is exact. For a plain thread that waits in weir, g has its wait
// record. False: it no longer runs there (look at the slot again), or did not answer within
// timeout_ns.
bool interrupt(size_t slot, uint64_t goid,
               void (*fn)(const Goroutine& g, const Registers& regs, void* arg), void* arg,
               int64_t timeout_ns) noexcept;

// Tells whether the goroutine with this id could be met again in this slot (it has not exited).
bool alive(size_t slot, uint64_t goid) noexcept;

// The scheduler in numbers, read without a lock. Each is a moment's value; totals count since the
// program started.
inline constexpr size_t kLatencyBuckets = 28;
struct Sched {
  int gomaxprocs;
  int idle_ps;
  int ms;             // OS threads that run goroutines
  int idle_ms;        // of these, parked with nothing to do
  int spinning_ms;    // of these, looking for work
  int blocking;       // goroutines in weir::blocking
  int blocking_wait;  // goroutines that wait for their turn to call it
  size_t goroutines;
  size_t global_queue;      // runnable goroutines in the global queue
  size_t local_queues;      // and in the local ones
  uint64_t created;         // goroutines
  uint64_t switches;        // a goroutine began to run
  uint64_t parks;           // a goroutine blocked
  uint64_t steals, stolen;  // looks into another P's queue that found something; goroutines
  uint64_t spins;           // an M began to look for work at others
  uint64_t handoffs;        // Ps given to another M because theirs was blocked
  uint64_t retakes;         // Ps taken from a goroutine in a blocking call, or that ran over 10 ms
  uint64_t syscalls;        // calls of weir::blocking
  uint64_t polls;           // of the network
  uint64_t threads;         // OS threads ever started for goroutines
  // How long goroutines were runnable before they ran, of every 8th: bucket i has the number of
  // those below latency_bound_ns(i); the last one has all others.
  uint64_t latency[kLatencyBuckets];
  uint64_t latency_ns;  // the sum of these times
};
constexpr int64_t latency_bound_ns(size_t bucket) noexcept { return int64_t{64} << bucket; }
Sched sched() noexcept;

// One of the gomaxprocs processors.
struct Proc {
  bool idle;             // no M has it
  bool syscall;          // its M is in a blocking call, and may lose it
  uint32_t queue;        // goroutines that are runnable here
  uint32_t ticks;        // time slices that it has given; wraps around
  uint32_t free_stacks;  // kept for new goroutines
};
// False: there is none of this number (0 .. gomaxprocs-1). Without a lock, as sched().
bool proc(int number, Proc& p) noexcept;

// --- The memory of stacks ---

// How much of its stack a goroutine uses.
struct StackUse {
  size_t size;        // bytes that it may use
  size_t high_water;  // bytes of its deepest use so far, in steps of 4 KiB
  size_t committed;   // bytes that have memory now
  // The stack had memory already when the goroutine got it: high_water may be a former goroutine's,
  // so it is an upper bound. It ends when the stack is trimmed (after the goroutine has been parked
  // for long); high_water then counts from there.
  bool inherited;
};
// Of the goroutine `goid` that lives in `slot`. False: it is not there (any more), or is a plain
// thread. Asks the kernel: a microsecond, for a stack of megabytes more.
bool stack_use(size_t slot, uint64_t goid, StackUse& use) noexcept;

// All stacks. Each number is a moment's value.
struct StackMemory {
  size_t slots;                              // that exist
  size_t warm;                               // free, with memory
  size_t cold;                               // free, their memory given back
  size_t local;                              // free, with memory, kept by the Ps for quick use
  uint64_t reserved_bytes;                   // of address space
  uint64_t released_stacks, released_bytes;  // given back by free stacks, ever
  uint64_t trims, trimmed_bytes;             // by parked goroutines
};
StackMemory stack_memory() noexcept;
// Bytes of all stacks that have memory now. Asks the kernel: about 50 ns a slot.
uint64_t stack_bytes_committed() noexcept;

// --- Contexts that can be cancelled (<weir/context.h>) ---

enum class ContextKind : uint8_t {
  cancel,    // with_cancel, with_cancel_cause
  deadline,  // with_timeout, with_deadline
  group,     // a TaskGroup's own
};
const char* to_string(ContextKind k) noexcept;  // "cancel", "deadline", "group"

// One context that can be cancelled; the numbers are a moment's values.
struct Context {
  const void* address;
  const void* parent;  // the nearest ancestor that can be cancelled; null: none
  ContextKind kind;
  bool cancelled;
  bool deadline_exceeded;  // cancelled by a deadline, its own or an ancestor's
  // Nobody can cancel it any more but by way of its parent: it is alive, has no deadline, its own
  // or inherited, and no handle to its cancel function is left. Whoever waits for it may wait for
  // ever.
  bool forgotten;
  bool has_deadline;        // its own, or an ancestor's earlier one
  int64_t deadline_in_ns;   // until then; negative: it has passed
  int64_t age_ns;           // since it was made
  const void* made_pc;      // where it was made
  uint64_t maker_goid;      // by whom
  uint64_t cancel_handles;  // copies of its cancel function that exist
  uint64_t children;        // contexts that are cancelled together with it
  uint64_t waiters;         // goroutines in a wait that it can end (not those that wait on done())
  uint64_t callbacks;       // after_func registrations that are pending
};

// Calls fn(context, arg) for all contexts that can be cancelled and to which some reference is
// left, cancelled or not; one that lived throughout is met exactly once. fn is called under no
// lock; what it is told may be history already. Locks of the registry are held for microseconds:
// not to be called from a signal handler.
void for_each_context(void (*fn)(const Context& c, void* arg), void* arg) noexcept;

// --- For a profiler: what happens, as it happens (<weir/profiling.h>) ---

// Somebody was kept waiting, and goes on (block), or has kept others waiting (mutex). Where events
// are sampled, one stands for several: count and delay_ns are scaled.
struct Contention {
  enum Kind : uint8_t { block, mutex };
  Kind kind;
  double count;
  double delay_ns;
  uintptr_t stack_lo, stack_hi;  // the caller's stack
};

// Called on the stack of the goroutine or thread that the event is about, which the hook walks by
// itself; several at once. No lock is held, and the hooks may block the OS thread for milliseconds
// when need be, but must not use weir's primitives, and must get on with some hundred bytes of
// stack where little is left.
struct ProfileHooks {
  void (*contention)(const Contention& c) noexcept;
  // A goroutine is about to be created: an id for the stack that does it; 0: none.
  uint16_t (*creation)(uintptr_t stack_lo, uintptr_t stack_hi) noexcept;
  // Before the first event after something was switched on; may be called again.
  void (*prepare)() noexcept;
  // The runtime has started the calling thread, which has run no goroutine yet.
  void (*thread)() noexcept;
};
// `hooks` must live as long as the process.
void set_profile_hooks(const ProfileHooks* hooks) noexcept;

// The profiler has started an OS thread that never wakes a goroutine: the runtime's deadlock check
// passes it over. For threads that live as long as the process.
void add_helper_thread() noexcept;

// For a CPU profile: what a signal handler has interrupted.
struct Interrupted {
  Registers regs;  // exact
  // The stack that regs.sp is on, readable from regs.sp to stack_hi; both 0: a thread that never
  // used weir, or the thread was in the midst of a switch.
  uintptr_t stack_lo, stack_hi;
  uint64_t goid;           // 0: no goroutine, and no thread that uses weir: the scheduler itself
  const LabelSet* labels;  // the goroutine's; valid until the handler returns: take a reference
};
// `context`: the handler's third parameter. Async-signal-safe.
void interrupted(const void* context, Interrupted& out) noexcept;
// As sigaction(2) with SA_SIGINFO, SA_ONSTACK and SA_RESTART, also under ThreadSanitizer, whose
// wrapper would put the handler off. The handler's source must be compiled without sanitizers.
void install_handler(int sig, void (*handler)(int, siginfo_t*, void*)) noexcept;

// --- For the library that can turn stacks into text ---

// Writes all goroutines to `fd` in the form of Go's debug=2, `first_goid` before all others. Called
// on a thread of the runtime when the process dies or gets SIGQUIT; must not use goroutines.
using DumpWriter = void (*)(int fd, uint64_t first_goid, bool all);
// Without one, deaths print raw addresses.
void set_dump_writer(DumpWriter writer) noexcept;

}  // namespace weir::introspect
