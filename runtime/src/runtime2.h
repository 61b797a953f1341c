// The scheduler's data: G (goroutine), M (OS thread), P (the right to run goroutines, with a local
// run queue), and sched (what they share). Go's runtime2.go.
//
// Who owns a G's stack, by state:
//   Gidle      nobody; the slot was never used (all zero) or is being set up by newproc
//   Grunnable  nobody; it is on one run queue. The profiler may hold it by the scan bit
//   Grunning   the M that runs it (G::m), which alone may change the state
//   Gsyscall   the M that runs it, in a blocking call, with or without a P. The frames from
//              G::syscall_sp up stand still, and the profiler may hold it by the scan bit
//   Gwaiting   nobody; somebody has a reference (a sudog in a queue, a timer). The scan bit as
//              above
//   Gcopystack sysmon, which gives back the pages below the saved stack pointer (reclaim.h): it
//              was Gwaiting and will be again, in microseconds; whoever wants it spins
//   Gdead      nobody; it is on a free list
// A state with Gscan added belongs to the holder of the bit: nobody else changes the state until it
// is cleared, so a held goroutine cannot run. It is held for less than a few microseconds.
//
// Gs live in stack slots that are never unmapped (stack.h): a stale G* may be read, never trusted.
#pragma once

#include <weir/detail/recording.h>
#include <weir/detail/resource.h>
#include <weir/detail/sema.h>
#include <weir/go.h>
#include <weir/introspect.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "futex.h"

namespace weir::rt {

using introspect::WaitReason;

struct M;
struct P;
struct hchan;
struct scase;
struct label_set;

enum : uint32_t {
  Gidle = 0,
  Grunnable = 1,
  Grunning = 2,
  Gsyscall = 3,
  Gwaiting = 4,
  Gdead = 6,
  Gcopystack = 8,
  Gscan = 0x1000,
};

// G::timed.
enum : uint8_t {
  kTimedQueue = 1,  // the wait in the run queue is to be measured
  kTimedBlock = 2,  // the block profile wants the length of the wait: G::woken_at
};

enum : uint32_t {
  Pidle = 0,     // on the idle list, or between owners under sched.lock
  Prunning = 1,  // owned by P::m
  Pgcstop = 3,   // taken by stop_the_world
  Pdead = 4,     // beyond gomaxprocs
};

// What a parked goroutine waits on. Lives on its own stack.
struct sudog {
  struct G* g = nullptr;
  sudog* next = nullptr;
  sudog* prev = nullptr;
  void* elem = nullptr;    // channel: the value's place
  hchan* c = nullptr;      // channel: which
  int case_index = -1;     // select: which case
  bool is_select = false;  // g->select_done decides who may wake it
  bool success = false;    // channel: a value went over (else: closed)
  bool handoff = false;    // semaphore: the permit was handed over directly
};

// Mirror of the C++ ABI's per-thread exception state, which belongs to the goroutine.
struct eh_globals {
  void* caught = nullptr;
  unsigned int uncaught = 0;
};

// Where introspect::interrupt leaves its question for a thread's signal handler.
struct mailbox {
  spin_lock lock;  // held by the one who asks
  enum : uint32_t { kIdle, kPending, kRunning, kDone };
  std::atomic<uint32_t> state{kIdle};
  uint64_t goid = 0;
  void (*fn)(const introspect::Goroutine&, const introspect::Registers&, void*) = nullptr;
  void* arg = nullptr;
  bool answered = false;
};

struct alignas(64) G {
  // -- touched at each switch
  std::atomic<uint32_t> status;
  WaitReason waitreason;              // valid while Gwaiting
  bool is_thread;                     // a plain OS thread that uses weir: no stack slot, no M
  bool is_main;                       // run()'s goroutine
  std::atomic<bool> shown_name;       // index into names
  uintptr_t sp;                       // saved stack pointer while not running
  std::atomic<M*> m;                  // the M that runs it (Grunning), or ran it last
  std::atomic<uint64_t> since;        // cputicks() of the last change of state
  const void* waitobj;                // hchan, Mutex, ...; select: its scases. Valid while Gwaiting
  uint32_t waitobj_count;             // select: number of scases
  std::atomic<uint32_t> select_done;  // select: 1 once one waker has won
  sudog* param;                       // the sudog by which it was woken
  M* locked_m;                        // the only M that may run it (lock_os_thread); null: any
  uint8_t timed;  // who wants the instant of the wake to be exact: kTimedQueue, kTimedBlock
  G* schedlink;   // next in the queue or free list that it is on
  eh_globals eh;

  // -- fixed for a goroutine's life
  std::atomic<uint64_t> goid;  // 0: no goroutine here
  uint64_t parent_goid;
  const void* gopc;
  const void* startpc;
  const detail::func* fn;
  void* closure;
  std::atomic<label_set*> labels;      // counted reference; null: none (labels.h)
  const detail::http_body* waits_for;  // in truth, by its waits on channels; null: the channels
  uintptr_t stack_lo,
      stack_hi;   // [lo, hi); in a slot hi is the G itself, the closure just below it
  uint32_t slot;  // index of the slot
  uint16_t size_class;
  uint16_t creation;  // id of the stack that created it (profiling.h); 0: not recorded
  std::atomic<uint32_t> stack_use;          // what is known of its depth (stack_chunk.h)
  std::atomic<uint64_t> cpu_ticks;          // that it ran until it stopped last (cpu_accounting)
  char names[2][introspect::kMaxName + 1];  // the goroutine changes the one not shown (labels.h)

  // -- rare
  uint32_t lock_depth;                           // calls of lock_os_thread not yet undone
  const void* wait_context;                      // may end the wait (cancel.h); null: none
  P* syscall_p;                                  // that its blocking call began on
  uintptr_t syscall_pc, syscall_sp, syscall_fp;  // of the caller of the blocking call (Gsyscall)
  void* tsan_fiber;
  void* asan_fake_stack;
  std::atomic<uint32_t> thread_ready;  // is_thread: futex word, 1: woken
  uint64_t woken_at;                   // kTimedBlock: cputicks() of the last wake

  bool has_eh() const noexcept { return eh.caught != nullptr || eh.uncaught != 0; }
};

// The G of a plain thread. In chunks of its own, so that one may ask it although it may be gone
// (goid 0).
struct thread_G : G {
  int tid;
  mailbox box;
};

// What happened, for those who look at the scheduler (stats.h). One writer at a time, who counts by
// a plain load and store: the owner of the P, or, for Sched's own, the holder of sched.lock.
struct sched_stats {
  std::atomic<uint64_t> created, exited;  // goroutines
  std::atomic<uint64_t> switches;         // a goroutine began to run
  std::atomic<uint64_t> parks;            // a goroutine blocked
  std::atomic<uint64_t> steals;           // from another P's queue: how often
  std::atomic<uint64_t> stolen;           //   and how many goroutines
  std::atomic<uint64_t> spins;            // an M began to look for work at others
  std::atomic<uint64_t> syscalls;         // blocking calls
  std::atomic<uint64_t> polls;            // of the network
  // Of every 8th goroutine made ready, how long until it ran: bucket i has those of less than
  // 2^i * 64 ns (the last one: all others).
  std::atomic<uint64_t> latency[introspect::kLatencyBuckets];
  std::atomic<uint64_t> latency_ns;  // the sum of these times
};

// Counts what nobody but those who look needs.
[[gnu::always_inline]] inline void record(std::atomic<uint64_t>& c, uint64_t n = 1) noexcept {
  if constexpr (detail::kRecording)
    c.store(c.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
}

template <class T>
[[gnu::always_inline]] inline void count(std::atomic<T>& c, T n = 1) noexcept {
  c.store(c.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
}

inline constexpr uint32_t kRunqSize = 256;

// What a heap of timers holds: a sleeping goroutine, or a timer (timer.h).
struct timer_entry {
  int64_t when;    // nanotime
  uintptr_t what;  // G* | 1, or timer*
};

struct alignas(64) P {
  int id;
  std::atomic<uint32_t> status;
  std::atomic<M*> m;  // while Prunning
  P* link;            // idle list

  // The local run queue (runq.h). Only the owner puts; anybody takes.
  std::atomic<uint32_t> runqhead;
  std::atomic<uint32_t> runqtail;
  std::atomic<G*> runnext;  // to run next, ahead of the queue: made ready by the running G
  std::atomic<G*> runq[kRunqSize];

  // -- the owner's alone
  std::atomic<uint32_t> schedtick;    // advances when a goroutine gets a new time slice
  std::atomic<uint32_t> syscalltick;  // advances at both ends of a blocking call
  std::atomic<bool> insyscall;        // the M that has it is in a blocking call
  std::atomic<bool> calls_are_long;   // the last blocking call here was: hand over at once
  std::atomic<bool> preempt;  // others ask: let g0 look around (time slice over, world stops)
  uint32_t readies;           // by ready_from
  uint64_t goidcache, goidcacheend;
  G* gfree;                        // stacks of the default size, with memory
  std::atomic<uint32_t> gfreecnt;  // others only read
  uint64_t rng;
  sched_stats stats;

  // Timers: a 4-ary heap by `when`, under its lock; anybody may run those that are due (timer.h).
  spin_lock timers_lock;
  timer_entry* timers;
  size_t timers_len, timers_cap;
  std::atomic<int64_t> timer0_when;  // when of the first, 0: none; written under the lock

  // -- sysmon's alone
  uint32_t seen_tick, seen_syscalltick;
  int64_t seen_when, seen_syscallwhen;
};

struct M {
  std::atomic<P*> p;  // taken away by retake only while !inruntime
  // True while the M is inside the scheduler, or a runtime call that uses its P (scope.h). Then,
  // and only then, the P cannot be taken away.
  std::atomic<bool> inruntime;
  std::atomic<bool> retake;  // somebody is deciding about our P, under sched.retake_lock

  G* prev;  // switched away from; its parking is to be completed (finish_switch)
  uint32_t prev_status;
  void (*commit)(G* gp,
                 void* arg);  // what makes `prev` reachable again, run once its registers are saved
  void* commit_arg;
  eh_globals* eh;  // this thread's exception state
  bool spinning;   // looks for work; counted in sched.nmspinning
  bool idle;       // on sched.midle; under sched.lock
  bool doomed;     // its locked goroutine has ended: the thread ends too
  G* locked_g;     // the only goroutine that it may run; null: any
  G* nextg;        // to be run by g0, which alone can hand it to the M that it is locked to
  P* nextp;        // given by the one who wakes us
  note park;
  M* schedlink;  // idle list
  int id;
  std::atomic<int> tid;  // 0: no thread; set to 0 under the mailbox's lock
  G g0;                  // the scheduler's context: the thread's own stack
  mailbox box;
  std::atomic<const void*>
      crash_context;  // ucontext_t of a fatal signal: where the goroutine really is
};

struct gqueue {
  G* head = nullptr;
  G* tail = nullptr;
  uint32_t len = 0;
  void push_back(G* gp) noexcept {
    gp->schedlink = nullptr;
    (tail ? tail->schedlink : head) = gp;
    tail = gp;
    len++;
  }
  G* pop_front() noexcept {
    G* gp = head;
    if (gp) {
      head = gp->schedlink;
      if (!head) tail = nullptr;
      len--;
    }
    return gp;
  }
  void append(gqueue other) noexcept {
    if (!other.head) return;
    (tail ? tail->schedlink : head) = other.head;
    tail = other.tail;
    len += other.len;
  }
};

inline constexpr int kMaxProcs = 1024;
inline constexpr int kMaxMs = 10000;  // Go's maxmcount

struct Sched {
  spin_lock lock;      // protects what follows, up to the atomics. A leaf but for futex wakes
  M* midle = nullptr;  // parked Ms, the latest first
  M* mfree = nullptr;  // Ms whose thread has ended, to be used again
  std::atomic<int> nmidle{0};        // changed under the lock
  std::atomic<int> nmidlelocked{0};  // Ms that wait for their locked goroutine
  std::atomic<int> mcount{0};        // threads
  std::atomic<int> helpers{0};       // threads of observers, that never wake a goroutine
  int mids = 0;                      // ids given out
  P* pidle = nullptr;
  gqueue runq;       // the global run queue
  int stopwait = 0;  // Ps that stop_the_world still waits for
  note stopnote;

  std::atomic<int> npidle{0};
  std::atomic<int> nmspinning{0};
  std::atomic<bool> needspinning{
      false};  // somebody wanted a spinning M while the last one was giving up
  std::atomic<uint32_t> runqsize{0};  // runq.len, for a look without the lock
  std::atomic<bool> stopping{false};  // the world is stopped or about to be
  std::atomic<bool> started{false};   // Ps exist
  std::atomic<bool> in_run{false};    // a run() is under way and its main has not returned
  std::atomic<int> gomaxprocs{0};

  spin_lock retake_lock;  // one decision about taking a P away at a time

  // The M that sleeps in the network poller until the next timer, holding no P.
  std::atomic<bool> polling{false};
  std::atomic<int64_t> poll_until{0};  // until when it sleeps (INT64_MAX: no timer); 0: nobody does
  std::atomic<bool> sysmon_polls{false};
  std::atomic<int64_t> lastpoll{0};  // when the network was last asked

  std::atomic<bool> cpu_accounting{false};  // G::cpu_ticks are counted
  std::atomic<uint64_t> coarse_ticks{0};    // cputicks(), at most 10 ms ago while goroutines run

  std::atomic<uint64_t> goidgen{1};   // next goid; 1 is kept for the first main
  sched_stats stats;                  // by those without a P, and of Ps that are gone
  std::atomic<uint64_t> handoffs{0};  // Ps given to another M because theirs was blocked
  std::atomic<uint64_t> retakes{0};   // Ps taken from a goroutine, in a blocking call or over 10 ms
  std::atomic<uint64_t> threads{0};   // Ms ever started
  size_t default_class = 0;           // size class of goroutines' stacks
  int max_threads = kMaxMs;

  note main_done;
};

extern Sched sched;
extern P* allp[kMaxProcs];  // [0, gomaxprocs); entries are never freed

}  // namespace weir::rt
