// The door for the profiler (<weir/introspect.h>). Not instrumented by sanitizers: it looks at what
// others change, by design, and partly in a signal handler.

#include <weir/introspect.h>

#include <signal.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <weir/cond.h>
#include <weir/mutex.h>
#include <weir/rwmutex.h>
#include <weir/select.h>
#include <weir/semaphore.h>
#include <weir/wait_group.h>

#include <cerrno>

#include "access.h"
#include "chan_timer.h"
#include "clock.h"
#include "hchan.h"
#include "interrupt.h"
#include "labels.h"
#include "netpoll.h"
#include "runq.h"
#include "runtime2.h"
#include "signals.h"
#include "stack.h"
#include "switch.h"
#include "syscall.h"
#include "tls.h"
#include "words.h"

namespace weir {

// Reads the private state of the locks.
void rt_access::read(const Mutex* mu, introspect::Object& o) noexcept {
  o.kind = introspect::ObjectKind::mutex;
  o.address = mu;
  o.made_pc = mu->made_pc_;
  o.owner_goid = mu->owner_.load(std::memory_order_relaxed);
  o.lock_pc = mu->lock_pc_.load(std::memory_order_relaxed);
}

void rt_access::read(const RWMutex* rw, introspect::Object& o) noexcept {
  o.kind = introspect::ObjectKind::rwmutex;
  o.address = rw;
  o.made_pc = rw->made_pc_;
  o.owner_goid = rw->owner_.load(std::memory_order_relaxed);
  o.lock_pc = rw->lock_pc_.load(std::memory_order_relaxed);
  o.rlock_pc = rw->rlock_pc_.load(std::memory_order_relaxed);
  int32_t n = rw->reader_count_.load(std::memory_order_relaxed);
  if (n < 0) {
    // A writer holds the lock or waits. Who waits for it to be free of readers waits for
    // reader_wait_.
    n = o.owner_goid ? 0 : rw->reader_wait_.load(std::memory_order_relaxed);
  }
  o.readers = n > 0 ? static_cast<uint64_t>(n) : 0;
}

void rt_access::read(const WaitGroup* wg, introspect::Object& o) noexcept {
  o.kind = introspect::ObjectKind::waitgroup;
  o.address = wg;
  o.made_pc = wg->made_pc_;
  o.counter = static_cast<int32_t>(wg->state_.load(std::memory_order_relaxed) >> 32);
  o.adds = wg->adds_.load(std::memory_order_relaxed);
  o.dones = wg->dones_.load(std::memory_order_relaxed);
  o.add_pc = wg->add_pc_.load(std::memory_order_relaxed);
  o.done_pc = wg->done_pc_.load(std::memory_order_relaxed);
}

void rt_access::read(const Cond* cond, introspect::Object& o) noexcept {
  o.kind = introspect::ObjectKind::cond;
  o.address = cond;
  o.made_pc = cond->made_pc_;
  o.waiters = cond->waiters_.load(std::memory_order_relaxed);
  o.signals = cond->signals_.load(std::memory_order_relaxed);
  o.signal_pc = cond->signal_pc_.load(std::memory_order_relaxed);
}

void rt_access::read(const Semaphore* sem, introspect::Object& o) noexcept {
  o.kind = introspect::ObjectKind::semaphore;
  o.address = sem;
  o.made_pc = sem->made_pc_;
  o.cap = sem->size_;
  o.len = sem->taken_.load(std::memory_order_relaxed);
  o.waiters = sem->waiters_.load(std::memory_order_relaxed);
  o.signals = sem->releases_.load(std::memory_order_relaxed);
  o.signal_pc = sem->release_pc_.load(std::memory_order_relaxed);
}

namespace rt {

namespace {

introspect::Registers registers_of(const ucontext_t* uc) noexcept {
#if defined(__x86_64__)
  const auto& regs = uc->uc_mcontext.gregs;
  return {static_cast<uintptr_t>(regs[REG_RIP]), static_cast<uintptr_t>(regs[REG_RSP]),
          static_cast<uintptr_t>(regs[REG_RBP])};
#elif defined(__aarch64__)
  return {uc->uc_mcontext.pc, uc->uc_mcontext.sp, uc->uc_mcontext.regs[29]};
#endif
}

}  // namespace

}  // namespace rt

namespace introspect {

namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
using rt::G;

void clear(Object& o) noexcept { o = Object{}; }

void read_chan(const rt::hchan* c, bool send, Object& o) noexcept {
  o.kind = ObjectKind::chan;
  o.address = c;
  o.send = send;
  o.made_pc = c->made_pc;
  o.closed = c->closed.load(kRelaxed);
  o.cap = c->timer ? 0 : c->dataqsiz;  // chancap and chanlen are instrumented
  o.len = c->timer ? 0 : c->qcount.load(kRelaxed);
  o.timer = c->timer != nullptr;
  o.armed = c->timer && c->timer->home.load(kRelaxed) != nullptr;
  o.sends = c->sends.load(kRelaxed);
  o.recvs = c->recvs.load(kRelaxed);
  o.handles = c->refs.load(kRelaxed);
}

template <size_t N>
void copy_text(char (&to)[N], const char (&from)[N]) noexcept {
  for (size_t i = 0; i < N; i++) to[i] = from[i];
}

void read_body(const weir::detail::http_body& body, Goroutine& g) noexcept {
  Object& o = g.objects[0];
  clear(o);
  o.kind = ObjectKind::http_body;
  o.address = &body;
  o.made_pc = body.made_pc;
  o.status = body.status;
  copy_text(g.http_method, body.method);
  copy_text(g.http_url, body.url);
  g.object_count = g.objects_total = 1;
}

// The wait record of a G that waits and cannot stop waiting now: held, or a thread in our signal
// handler.
void read_wait(const G* gp, Goroutine& g, Detail detail) noexcept {
  g.wait_reason = gp->waitreason;
  const void* at = gp->waitobj;
  g.object_kind = at ? object_kind(gp->waitreason, gp->waits_for != nullptr) : ObjectKind::none;
  if (detail == Detail::group) return;
  g.context = gp->wait_context;
  if (!at) return;
  if (g.object_kind == ObjectKind::http_body) {
    read_body(*gp->waits_for, g);
    return;
  }
  if (detail == Detail::member && gp->waitreason != WaitReason::io_wait) return;
  switch (gp->waitreason) {
    case WaitReason::chan_receive:
    case WaitReason::chan_send:
      clear(g.objects[0]);
      read_chan(static_cast<const rt::hchan*>(at), gp->waitreason == WaitReason::chan_send,
                g.objects[0]);
      g.object_count = g.objects_total = 1;
      break;
    case WaitReason::select: {
      auto* cases = static_cast<const rt::scase*>(at);
      for (uint32_t i = 0; i < gp->waitobj_count; i++) {
        if (!cases[i].c) continue;
        g.objects_total++;
        if (g.object_count == kMaxObjects) continue;
        Object& o = g.objects[g.object_count++];
        clear(o);
        read_chan(cases[i].c, cases[i].send, o);
      }
      break;
    }
    case WaitReason::mutex_lock:
      clear(g.objects[0]);
      rt_access::read(static_cast<const Mutex*>(at), g.objects[0]);
      g.object_count = g.objects_total = 1;
      break;
    case WaitReason::rwmutex_rlock:
    case WaitReason::rwmutex_lock:
      clear(g.objects[0]);
      rt_access::read(static_cast<const RWMutex*>(at), g.objects[0]);
      g.object_count = g.objects_total = 1;
      break;
    case WaitReason::waitgroup_wait:
      clear(g.objects[0]);
      rt_access::read(static_cast<const WaitGroup*>(at), g.objects[0]);
      g.object_count = g.objects_total = 1;
      break;
    case WaitReason::io_wait: {
      auto* info = static_cast<const rt::io_info*>(at);
      Object& o = g.objects[0];
      clear(o);
      o.kind = ObjectKind::io;
      o.address = info;
      o.made_pc = info->made_pc;
      o.fd = info->fd;
      o.send = gp->waitobj_count != 0;
      copy_text(g.io_network, info->network);
      copy_text(g.io_local, info->local);
      copy_text(g.io_remote, info->remote);
      g.object_count = g.objects_total = 1;
      break;
    }
    case WaitReason::cond_wait:
      clear(g.objects[0]);
      rt_access::read(static_cast<const Cond*>(at), g.objects[0]);
      g.object_count = g.objects_total = 1;
      break;
    case WaitReason::semacquire:
      clear(g.objects[0]);
      rt_access::read(static_cast<const Semaphore*>(at), g.objects[0]);
      g.object_count = g.objects_total = 1;
      break;
    default:
      break;
  }
}

// After state and since_ns are known.
int64_t cpu_time(const G* gp, const Goroutine& g) noexcept {
  if (!rt::sched.cpu_accounting.load(kRelaxed) || g.thread) return -1;
  const auto ran = static_cast<int64_t>(rt::ticks_to_ns(gp->cpu_ticks.load(kRelaxed)));
  return g.state == State::running ? ran + g.since_ns : ran;
}

void read_fixed(const G* gp, Goroutine& g, Detail detail) noexcept {
  g.goid = gp->goid.load(kRelaxed);
  g.parent_goid = gp->parent_goid;
  g.gopc = gp->gopc;
  g.start_pc = gp->startpc;
  g.creation_stack = gp->creation;
  g.thread = gp->is_thread;
  g.locked = gp->locked_m != nullptr;
  g.wait_reason = WaitReason::none;
  g.object_kind = ObjectKind::none;
  g.stack_lo = gp->stack_lo;
  g.stack_hi = gp->stack_hi;
  g.context = nullptr;
  g.object_count = g.objects_total = 0;
  g.labels = nullptr;
  g.name[0] = g.io_network[0] = g.io_local[0] = g.io_remote[0] = 0;
  g.http_method[0] = g.http_url[0] = 0;
  if (detail == Detail::group) return;
  const char* name = gp->names[gp->shown_name.load(std::memory_order_seq_cst)];
  for (size_t i = 0; i < sizeof g.name; i++) g.name[i] = name[i];
  g.name[kMaxName] = 0;
}

State state_of(uint32_t status) noexcept {
  switch (status & ~rt::Gscan) {
    case rt::Grunnable:
      return State::runnable;
    case rt::Grunning:
      return State::running;
    case rt::Gsyscall:
      return State::syscall;
    case rt::Gcopystack:
      return State::copystack;
    case rt::Gwaiting:
      return State::waiting;
    case rt::Gdead:
      return State::dead;
    default:
      return State::idle;
  }
}

}  // namespace

const char* to_string(State s) noexcept { return kStateWords[static_cast<size_t>(s)]; }

const char* to_string(WaitReason r) noexcept { return kWaitReasonWords[static_cast<size_t>(r)]; }

const char* to_string(ObjectKind k) noexcept { return kObjectKindWords[static_cast<size_t>(k)]; }

void ref_labels(const LabelSet* set) noexcept { rt::ref_labels(const_cast<LabelSet*>(set)); }

size_t slot_count() noexcept { return rt::slot_limit(); }

Scan hold(size_t slot, Goroutine& g, Registers& regs, Detail detail) noexcept {
  if (slot >= rt::slot_limit()) return Scan::empty;
  G* gp = rt::slot_g(static_cast<uint32_t>(slot));
  if (!gp) return Scan::empty;
  for (int spins = 0;; spins++) {
    uint32_t status = gp->status.load(std::memory_order_acquire);
    // Another profiler has it, or its stack is being trimmed.
    if (status & rt::Gscan || status == rt::Gcopystack) {
      if (spins % 100 == 99) sched_yield();
      rt::cpu_pause();
      continue;
    }
    if (status == rt::Gidle || status == rt::Gdead) return Scan::empty;
    if (status == rt::Grunning || gp->is_thread) {
      read_fixed(gp, g, detail);
      g.state = state_of(status);
      if (status == rt::Gwaiting) g.wait_reason = gp->waitreason;
      g.since_ns = rt::ns_since(gp->since.load(kRelaxed));
      g.cpu_ns = cpu_time(gp, g);
      // What was read is of the goroutine that is still here, or of none.
      if (g.goid == 0) return Scan::empty;
      return Scan::running;
    }
    // In one order with the goroutine's own changes of its name and labels (labels.h).
    if (!gp->status.compare_exchange_weak(status, status | rt::Gscan, std::memory_order_seq_cst,
                                          kRelaxed)) {
      continue;
    }
    read_fixed(gp, g, detail);
    g.labels = gp->labels.load(std::memory_order_seq_cst);
    g.state = state_of(status);
    g.since_ns = rt::ns_since(gp->since.load(kRelaxed));
    g.cpu_ns = cpu_time(gp, g);
    if (status == rt::Gsyscall) {
      regs = {gp->syscall_pc, gp->syscall_sp, gp->syscall_fp};
      return Scan::held;
    }
    if (status == rt::Gwaiting) read_wait(gp, g, detail);
    uintptr_t sp = gp->sp;
    regs.pc = rt::load_word(sp + rt::kSavedPc);
    regs.sp = sp + rt::kSavedSize;
    regs.fp = rt::load_word(sp + rt::kSavedFp);
    if (regs.pc == rt::start_pc() && g.start_pc) {
      // It never ran: shown at its function's first instruction, with the start code as its caller.
      regs.pc = reinterpret_cast<uintptr_t>(g.start_pc) + 1;
      regs.sp = sp + rt::kSavedPc;
    }
    return Scan::held;
  }
}

bool glimpse(size_t slot, Glimpse& g) noexcept {
  if (slot >= rt::slot_limit()) return false;
  const G* gp = rt::slot_g(static_cast<uint32_t>(slot));
  if (!gp) return false;
  const uint32_t status = gp->status.load(std::memory_order_acquire) & ~rt::Gscan;
  if (status == rt::Gidle || status == rt::Gdead) return false;
  g.thread = gp->is_thread;
  // Of one that is just going the id goes first.
  if ((g.thread || status == rt::Grunning) && gp->goid.load(kRelaxed) == 0) return false;
  g.state = status == rt::Gcopystack ? State::waiting : state_of(status);
  g.wait_reason = g.state == State::waiting ? gp->waitreason : WaitReason::none;
  return true;
}

void release(size_t slot) noexcept {
  G* gp = rt::slot_g(static_cast<uint32_t>(slot));
  gp->status.store(gp->status.load(kRelaxed) & ~rt::Gscan, std::memory_order_release);
}

void prefetch_record(size_t slot) noexcept {
  if (slot >= rt::slot_limit()) return;
  const G* gp = rt::slot_g(static_cast<uint32_t>(slot));
  if (!gp) return;
  __builtin_prefetch(gp);
}

void prefetch_stack(size_t slot) noexcept {
  constexpr size_t kLines = 12;  // of 64 bytes: about ten frames and the G above them
  if (slot >= rt::slot_limit()) return;
  const G* gp = rt::slot_g(static_cast<uint32_t>(slot));
  if (!gp) return;
  const uintptr_t sp = gp->sp;  // a hint: it may be old
  for (size_t line = 0; line < kLines; line++) {
    __builtin_prefetch(reinterpret_cast<const void*>(sp + line * 64));
  }
}

bool alive(size_t slot, uint64_t goid) noexcept {
  if (slot >= rt::slot_limit()) return false;
  const G* gp = rt::slot_g(static_cast<uint32_t>(slot));
  return gp && goid != 0 && gp->goid.load(kRelaxed) == goid;
}

bool interrupt(size_t slot, uint64_t goid,
               void (*fn)(const Goroutine& g, const Registers& regs, void* arg), void* arg,
               int64_t timeout_ns) noexcept {
  G* gp = slot < rt::slot_limit() ? rt::slot_g(static_cast<uint32_t>(slot)) : nullptr;
  if (!gp) return false;
  rt::M* m = gp->is_thread ? nullptr : gp->m.load(std::memory_order_acquire);
  if (!m && !gp->is_thread) return false;
  auto* thread = static_cast<rt::thread_G*>(gp);
  rt::mailbox* box = m ? &m->box : &thread->box;
  box->lock.lock();
  // The thread cannot end from here on: it takes this lock first.
  int tid = m ? m->tid.load(kRelaxed) : thread->tid;
  if (tid == 0 || !alive(slot, goid)) {
    box->lock.unlock();
    return false;
  }
  box->goid = goid;
  box->fn = fn;
  box->arg = arg;
  box->answered = false;
  box->state.store(rt::mailbox::kPending, std::memory_order_seq_cst);
  // Only the thread that runs it now is asked, and a system call is not disturbed: one that begins
  // after this look waits for our signal to arrive before (enter_blocking).
  if (m &&
      (gp->status.load(std::memory_order_seq_cst) != rt::Grunning || gp->m.load(kRelaxed) != m)) {
    box->state.store(rt::mailbox::kIdle, std::memory_order_release);
    box->lock.unlock();
    return false;
  }
  bool sent = syscall(SYS_tgkill, getpid(), tid, rt::interrupt_signal()) == 0;
  int64_t deadline = sent ? rt::nanotime() + timeout_ns : 0;
  for (;;) {
    uint32_t state = box->state.load(std::memory_order_acquire);
    if (state == rt::mailbox::kDone) break;
    int64_t left = deadline - rt::nanotime();
    if (left > 0) {
      rt::futex_wait(&box->state, state, left);
      continue;
    }
    // Too late; an answer that has begun is waited for, since it writes to what the caller owns.
    uint32_t pending = rt::mailbox::kPending;
    if (box->state.compare_exchange_strong(pending, rt::mailbox::kIdle)) break;
    rt::futex_wait(&box->state, rt::mailbox::kRunning, 1'000'000);
  }
  bool answered = box->state.load(std::memory_order_acquire) == rt::mailbox::kDone && box->answered;
  box->state.store(rt::mailbox::kIdle, kRelaxed);
  box->lock.unlock();
  return answered;
}

void interrupted(const void* context, Interrupted& out) noexcept {
  out.regs = rt::registers_of(static_cast<const ucontext_t*>(context));
  out.stack_lo = out.stack_hi = 0;
  out.goid = 0;
  out.labels = nullptr;
  const G* gp = rt::tls_getg();
  // In the midst of a switch the stack is not yet this goroutine's.
  if (!gp || out.regs.sp < gp->stack_lo || out.regs.sp >= gp->stack_hi) return;
  out.stack_lo = gp->stack_lo;
  out.stack_hi = gp->stack_hi;
  out.goid = gp->goid.load(kRelaxed);
  out.labels = gp->labels.load(kRelaxed);
}

void install_handler(int sig, void (*handler)(int, siginfo_t*, void*)) noexcept {
  rt::set_handler(sig, handler, nullptr);
}

Sched sched() noexcept {
  Sched s{};
  s.gomaxprocs = rt::sched.gomaxprocs.load();
  s.idle_ps = rt::sched.npidle.load();
  s.ms = rt::sched.mcount.load();
  s.idle_ms = rt::sched.nmidle.load();
  s.spinning_ms = rt::sched.nmspinning.load();
  s.blocking = rt::blocking_now();
  s.blocking_wait = rt::blocking_line();
  s.goroutines = num_goroutine();
  s.global_queue = rt::sched.runqsize.load();
  s.handoffs = rt::sched.handoffs.load(kRelaxed);
  s.retakes = rt::sched.retakes.load(kRelaxed);
  s.threads = rt::sched.threads.load(kRelaxed);
  auto add = [&s](const rt::sched_stats& of) {
    s.created += of.created.load(kRelaxed);
    s.switches += of.switches.load(kRelaxed);
    s.parks += of.parks.load(kRelaxed);
    s.steals += of.steals.load(kRelaxed);
    s.stolen += of.stolen.load(kRelaxed);
    s.spins += of.spins.load(kRelaxed);
    s.syscalls += of.syscalls.load(kRelaxed);
    s.polls += of.polls.load(kRelaxed);
    for (size_t i = 0; i < kLatencyBuckets; i++) s.latency[i] += of.latency[i].load(kRelaxed);
    s.latency_ns += of.latency_ns.load(kRelaxed);
  };
  add(rt::sched.stats);
  for (int i = 0; i < s.gomaxprocs; i++) {
    add(rt::allp[i]->stats);
    s.local_queues += rt::runqlen(rt::allp[i]);
  }
  return s;
}

bool proc(int number, Proc& p) noexcept {
  if (number < 0 || number >= rt::sched.gomaxprocs.load()) return false;
  const rt::P* of = rt::allp[number];
  p.idle = of->status.load(kRelaxed) == rt::Pidle;
  p.syscall = !p.idle && of->insyscall.load(kRelaxed);
  p.queue = rt::runqlen(of);
  p.ticks = of->schedtick.load(kRelaxed);
  p.free_stacks = of->gfreecnt.load(kRelaxed);
  return true;
}

}  // namespace introspect

namespace rt {

void on_interrupt(int, siginfo_t*, void* context) {
  mailbox* box = tls_box;
  if (!box) return;
  uint32_t pending = mailbox::kPending;
  if (!box->state.compare_exchange_strong(pending, mailbox::kRunning)) return;
  int saved_errno = errno;
  bool answered = false;
  G* gp = tls_getg();
  if (gp && gp->goid.load(std::memory_order_relaxed) == box->goid) {
    const M* m = gp->is_thread ? nullptr : gp->m.load(std::memory_order_relaxed);
    const void* crash = m ? m->crash_context.load() : nullptr;
    const auto* uc = static_cast<const ucontext_t*>(crash ? crash : context);
    const introspect::Registers regs = registers_of(uc);
    // In the midst of a switch the stack is not yet this goroutine's. One that ran over its stack
    // stands in, or below, the guard page.
    if (crash || (regs.sp >= gp->stack_lo && regs.sp < gp->stack_hi)) {
      introspect::Goroutine g;
      introspect::read_fixed(gp, g, introspect::Detail::objects);
      g.labels = gp->labels.load(std::memory_order_relaxed);
      uint32_t status = gp->status.load(std::memory_order_relaxed);
      g.state = introspect::state_of(status);
      g.since_ns = ns_since(gp->since.load(std::memory_order_relaxed));
      g.cpu_ns = introspect::cpu_time(gp, g);
      if (gp->is_thread && status == Gwaiting)
        introspect::read_wait(gp, g, introspect::Detail::objects);
      box->fn(g, regs, box->arg);
      answered = true;
    }
  }
  box->answered = answered;
  box->state.store(mailbox::kDone, std::memory_order_release);
  futex_wake(&box->state);
  errno = saved_errno;
}

}  // namespace rt

}  // namespace weir
