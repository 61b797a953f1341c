// The network poller over epoll (netpoll.h).
//
// A pollDesc has a word for who waits to read and one for who waits to write:
//
//   kNone            nobody waits, nothing is known
//   kReady           an event came that nobody has used yet
//   kWait            a goroutine is about to park; it has yet to look at closing and the deadline
//   G*               a goroutine is parked
//   waiter* | kThread   a thread waits in poll(2)
//
// Why no wake-up is lost. Whoever has something to tell writes it down first (an event: kReady in
// the word; `closing`; a deadline that has passed: kPassed) and then looks at the word, to wake who
// is in it. Whoever is to wait writes kWait into the word first and looks at `closing` and the
// deadline then. All of these are sequentially consistent, so at least one of the two sees the
// other. A waker that meets kWait replaces it; the commit of the parking finds that, and the
// goroutine runs on. A waker takes a waiter by replacing it in the word, so one alone wakes it.
//
// Why a reader that emptied its socket may wait without a try (netpollhup): what arrives after that
// read makes an event after it, which ends in the word after the last reset. The end of the stream
// may have arrived before; then its event ends in the word after the last reset too, or was used up
// by it, and then, hup having been written first, the reader sees hup (also where the event found
// kReady there and wrote nothing: all is sequentially consistent).
//
// `lock` protects what sets deadlines: the timers, and the writes of deadline and closing. It is
// held while timers are armed and stopped. No waiter is woken under it.
//
// A deadline that is moved to a later time, or taken back, leaves its timer armed for the earlier
// one: when that comes due it is armed again, if need be. So programs that set a deadline for each
// message pay for a store.

#include "netpoll.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <new>

#include "clock.h"
#include "fatal.h"
#include "perturb.h"
#include "proc.h"
#include "timer.h"
#include "tls.h"

namespace weir::rt {

namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

using word = std::atomic<uintptr_t>;
constexpr uintptr_t kNone = 0, kReady = 1, kWait = 2, kThread = 4;

constexpr int64_t kPassed = -1;  // of a deadline

// A thread in netpollwait; on its stack.
struct alignas(8) waiter {
  int wakefd;  // eventfd; -1: none could be had, so the thread looks each 10 ms
  std::atomic<uint32_t> woken{0};
};

struct deadline_timer : timer {
  pollDesc* pd = nullptr;
  poll_mode mode = poll_mode::read;
};

}  // namespace

struct pollDesc {
  word waiting[2] = {};                   // by poll_mode
  std::atomic<int64_t> deadline[2] = {};  // nanotime; 0: none; kPassed
  std::atomic<bool> closing{false};
  std::atomic<bool> hup{false};
  spin_lock lock;
  io_info info;
  deadline_timer timers[2];
  pollDesc* link = nullptr;  // free list
};

namespace {

// ---- waking ----

std::atomic<int> parked{0};  // goroutines in netpollwait

// Takes the waiter out of the word, leaving kReady (event) or kNone. What is returned is to be
// woken: kNone, a G* or a thread. Only an event leaves something behind: whoever comes later looks
// at closing and the deadline himself.
uintptr_t take_waiter(word& w, bool event) noexcept {
  uintptr_t old = w.load();
  for (;;) {
    if (old == kReady || (old == kNone && !event)) return kNone;
    if (w.compare_exchange_weak(old, event ? kReady : kNone)) break;
  }
  if (old == kNone || old == kWait) return kNone;
  if (!(old & kThread)) parked.fetch_sub(1);
  return old;
}

// The waiter may be gone as soon as `woken` is set: that comes last.
void wake_thread(uintptr_t who) noexcept {
  auto* w = reinterpret_cast<waiter*>(who & ~kThread);
  if (w->wakefd >= 0) eventfd_write(w->wakefd, 1);
  w->woken.store(1, std::memory_order_release);
  futex_wake(&w->woken);
}

void wake(uintptr_t who) noexcept {
  if (who == kNone) return;
  if (who & kThread) {
    wake_thread(who);
  } else {
    goready(reinterpret_cast<G*>(who));
  }
}

// ---- waiting ----

// Closing, or late? The clock is asked too, since timers run only while a weir::run is under way,
// and late on a busy machine.
poll_result check(const pollDesc* pd, poll_mode mode) noexcept {
  if (pd->closing.load()) return poll_result::closing;
  int64_t when = pd->deadline[static_cast<int>(mode)].load();
  if (when != 0 && (when == kPassed || when <= nanotime())) return poll_result::timeout;
  return poll_result::ready;
}

// Puts `who` (kWait, or a thread) into the word. False: kReady was there, and is used up.
bool enter(word& w, uintptr_t who) noexcept {
  for (;;) {
    uintptr_t old = w.load();
    if (old > kReady) fatal_error("netpoll: two wait for the same");
    if (w.compare_exchange_weak(old, old == kReady ? kNone : who)) return old == kNone;
  }
}

void commit_wait(G* gp, void* arg) noexcept {
  parked.fetch_add(1);
  uintptr_t expected = kWait;
  if (static_cast<word*>(arg)->compare_exchange_strong(expected, reinterpret_cast<uintptr_t>(gp))) {
    return;  // gp may run by now
  }
  // Somebody woke it before it could be found.
  parked.fetch_sub(1);
  M* m = tls_getg()->m.load(kRelaxed);
  ready_from(m->p.load(kRelaxed), gp, true);
}

// True: ready. False: closing, late, or for nothing.
bool wait_goroutine(pollDesc* pd, poll_mode mode) {
  word& w = pd->waiting[static_cast<int>(mode)];
  if (!enter(w, kWait)) return true;
  if (check(pd, mode) == poll_result::ready) {
    perturb_point();  // a waker may meet kWait
    gopark(commit_wait, &w, WaitReason::io_wait, &pd->info, mode == poll_mode::write);
  }
  return w.exchange(kNone) == kReady;
}

// A dump shows a thread in poll(2) as it shows a goroutine that is parked.
class shown_waiting {
 public:
  shown_waiting(G* gp, const pollDesc* pd, poll_mode mode) noexcept : gp_(gp) {
    gp->waitreason = WaitReason::io_wait;
    gp->waitobj = &pd->info;
    gp->waitobj_count = mode == poll_mode::write;
    become(Gwaiting);
  }
  ~shown_waiting() { become(Grunning); }

 private:
  void become(uint32_t status) noexcept {
    gp_->since.store(cputicks(), kRelaxed);
    gp_->status.store(status, std::memory_order_release);
  }
  G* gp_;
};

// Until pd's descriptor is ready, the deadline, or wakefd. True: ready.
bool poll_thread(pollDesc* pd, poll_mode mode, int wakefd) noexcept {
  pollfd fds[2] = {{pd->info.fd, POLLOUT, 0}, {wakefd, POLLIN, 0}};
  if (mode == poll_mode::read) fds[0].events = POLLIN;
  int64_t limit = INT64_MAX;
  if (int64_t until = pd->deadline[static_cast<int>(mode)].load()) {
    limit = std::max<int64_t>(until - nanotime(), 0);
  }
  if (wakefd < 0) limit = std::min<int64_t>(limit, 10'000'000);
  timespec t = {static_cast<time_t>(limit / 1'000'000'000),
                static_cast<long>(limit % 1'000'000'000)};
  int n = ppoll(fds, wakefd < 0 ? 1 : 2, limit == INT64_MAX ? nullptr : &t, nullptr);
  return n > 0 && fds[0].revents != 0;
}

bool wait_thread(pollDesc* pd, poll_mode mode, G* gp) {
  word& w = pd->waiting[static_cast<int>(mode)];
  waiter self{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  uintptr_t who = reinterpret_cast<uintptr_t>(&self) | kThread;
  bool ready = !enter(w, who);
  if (!ready) {
    if (check(pd, mode) == poll_result::ready) {
      shown_waiting shown(gp, pd, mode);
      ready = poll_thread(pd, mode, self.wakefd);
    }
    uintptr_t expected = who;
    if (!w.compare_exchange_strong(expected, kNone)) {
      // Taken out by somebody who has yet to touch `self`.
      while (self.woken.load(std::memory_order_acquire) == 0) futex_wait(&self.woken, 0);
      if (w.exchange(kNone) == kReady) ready = true;
    }
  }
  if (self.wakefd >= 0) close(self.wakefd);
  return ready;
}

// ---- deadlines ----

// A timer came due, perhaps that of a former deadline, or of a former descriptor: what counts is
// the deadline that stands there now. It may have been armed again meanwhile.
void expire(timer* t, uint64_t, P* self) noexcept {
  auto* due = static_cast<deadline_timer*>(t);
  pollDesc* pd = due->pd;
  int mode = static_cast<int>(due->mode);
  uintptr_t who;
  {
    std::scoped_lock hold(pd->lock);
    int64_t when = pd->deadline[mode].load(kRelaxed);
    if (when <= 0) return;
    if (when > nanotime()) {
      if (!timer_armed(t)) addtimer_from(self, t, when, 0);
      return;
    }
    pd->deadline[mode].store(kPassed);
    who = take_waiter(pd->waiting[mode], false);
  }
  if (who & kThread) {
    wake_thread(who);
  } else if (who != kNone) {
    ready_from(self, reinterpret_cast<G*>(who), false);
  }
}

// ---- memory ----

struct {
  spin_lock lock;
  pollDesc* free = nullptr;
} descs;

pollDesc* alloc_desc() noexcept {
  std::scoped_lock hold(descs.lock);
  if (!descs.free) {
    constexpr int kChunk = 16;
    auto* chunk = new (std::nothrow) pollDesc[kChunk];
    if (!chunk) return nullptr;
    for (int i = 0; i < kChunk; i++) {
      for (poll_mode mode : {poll_mode::read, poll_mode::write}) {
        deadline_timer& t = chunk[i].timers[static_cast<int>(mode)];
        t.run = expire;
        t.pd = &chunk[i];
        t.mode = mode;
      }
      chunk[i].link = descs.free;
      descs.free = &chunk[i];
    }
  }
  pollDesc* pd = descs.free;
  descs.free = pd->link;
  return pd;
}

void free_desc(pollDesc* pd) noexcept {
  std::scoped_lock hold(descs.lock);
  pd->link = descs.free;
  descs.free = pd;
}

// ---- epoll ----

constexpr int kBatch = 128;

spin_lock init_lock;
std::atomic<int> epfd{-1};
int breakfd = -1;                   // eventfd, level-triggered; its events carry a null pointer
std::atomic<bool> breaking{false};  // breakfd was written to and not read since

int wait_events(epoll_event* events, int64_t delay) noexcept {
  int ep = epfd.load(kRelaxed);
  if (delay <= 0) return epoll_wait(ep, events, kBatch, delay < 0 ? -1 : 0);
  static std::atomic<bool> have_pwait2{true};  // Linux 5.11
  if (have_pwait2.load(kRelaxed)) {
    timespec t = {static_cast<time_t>(delay / 1'000'000'000),
                  static_cast<long>(delay % 1'000'000'000)};
    long n = syscall(SYS_epoll_pwait2, ep, events, kBatch, &t, nullptr, 0);
    if (n >= 0 || errno != ENOSYS) return static_cast<int>(n);
    have_pwait2.store(false, kRelaxed);
  }
  int64_t ms = std::min<int64_t>((delay - 1) / 1'000'000 + 1, INT_MAX);
  return epoll_wait(ep, events, kBatch, static_cast<int>(ms));
}

}  // namespace

bool netpollinit() noexcept {
  if (netpollinited()) return true;
  std::scoped_lock hold(init_lock);
  if (epfd.load(kRelaxed) >= 0) return true;
  int ep = epoll_create1(EPOLL_CLOEXEC);
  int ev = ep < 0 ? -1 : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  epoll_event event = {EPOLLIN, {nullptr}};
  if (ev < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, ev, &event) != 0) {
    int saved = errno;
    if (ep >= 0) close(ep);
    if (ev >= 0) close(ev);
    errno = saved;
    return false;
  }
  breakfd = ev;
  epfd.store(ep, std::memory_order_release);
  return true;
}

bool netpollinited() noexcept { return epfd.load(std::memory_order_acquire) >= 0; }

pollDesc* netpollopen(int fd, const io_info& info) noexcept {
  if (!netpollinit()) return nullptr;
  pollDesc* pd = alloc_desc();
  if (!pd) {
    errno = ENOMEM;
    return nullptr;
  }
  for (int mode : {0, 1}) {
    pd->waiting[mode].store(kNone);
    pd->deadline[mode].store(0);
  }
  pd->closing.store(false);
  pd->hup.store(false);
  pd->info = info;
  // Once for all: both directions, edge-triggered.
  epoll_event event = {};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET;
  event.data.ptr = pd;
  if (epoll_ctl(epfd.load(kRelaxed), EPOLL_CTL_ADD, fd, &event) != 0) {
    int saved = errno;
    free_desc(pd);
    errno = saved;
    return nullptr;
  }
  return pd;
}

void netpollclose(pollDesc* pd) noexcept {
  // Not left to close(2): a forked child may hold the same open file.
  epoll_event unused = {};
  epoll_ctl(epfd.load(kRelaxed), EPOLL_CTL_DEL, pd->info.fd, &unused);
  free_desc(pd);
}

void netpollsetinfo(pollDesc* pd, const io_info& info) noexcept { pd->info = info; }

poll_result netpollreset(pollDesc* pd, poll_mode mode) noexcept {
  poll_result r = check(pd, mode);
  if (r == poll_result::ready) {
    // The reset must be done before the attempt's system call, else it might wipe out the event
    // that comes right after it: an exchange, which is a full barrier, not a store. Where nothing
    // is to be forgotten there is nothing to order.
    word& w = pd->waiting[static_cast<int>(mode)];
    if (w.load(std::memory_order_acquire) == kReady) w.exchange(kNone);
  }
  return r;
}

poll_result netpollwait(pollDesc* pd, poll_mode mode) {
  for (;;) {
    poll_result r = check(pd, mode);
    if (r != poll_result::ready) return r;
    G* gp = getg();
    if (gp->is_thread ? wait_thread(pd, mode, gp) : wait_goroutine(pd, mode)) {
      return poll_result::ready;
    }
    // A deadline that passed and was moved meanwhile, or that a thread must look at: again.
  }
}

void netpolldeadline(pollDesc* pd, poll_mode mode, int64_t when) noexcept {
  int i = static_cast<int>(mode);
  uintptr_t who = kNone;
  {
    std::scoped_lock hold(pd->lock);
    if (pd->closing.load(kRelaxed)) return;
    timer* t = &pd->timers[i];
    bool passed = when != 0 && when <= nanotime();
    pd->deadline[i].store(passed ? kPassed : when);
    // One that is armed for an earlier time and comes due just now will see this deadline, since
    // `expire` takes the lock after us.
    if (when != 0 && !passed && !(timer_armed(t) && t->when <= when)) {
      deltimer(t);
      addtimer(t, when, 0);
    }
    // A thread that waits keeps the time itself.
    if (passed || (pd->waiting[i].load() & kThread)) who = take_waiter(pd->waiting[i], false);
  }
  wake(who);
}

void netpollunblock(pollDesc* pd) noexcept {
  uintptr_t who[2];
  {
    std::scoped_lock hold(pd->lock);
    pd->closing.store(true);
    for (int i : {0, 1}) {
      deltimer(&pd->timers[i]);
      who[i] = take_waiter(pd->waiting[i], false);
    }
  }
  for (uintptr_t w : who) wake(w);
}

bool netpollhup(const pollDesc* pd) noexcept { return pd->hup.load(); }

gqueue netpoll(int64_t delay) noexcept {
  gqueue ready;
  if (!netpollinited()) return ready;
  epoll_event events[kBatch];
  int n = wait_events(events, delay);
  if (n < 0 && errno != EINTR) fatal_error("netpoll: epoll_wait failed");
  for (int i = 0; i < n; i++) {
    uint32_t what = events[i].events;
    auto* pd = static_cast<pollDesc*>(events[i].data.ptr);
    if (!pd) {
      // For the one who blocks. Read first, then cleared: who breaks in between writes nothing, but
      // what he has done before is seen by us, who are about to return and look around.
      if (delay == 0) continue;
      eventfd_t count;
      eventfd_read(breakfd, &count);
      breaking.exchange(false);
      continue;
    }
    constexpr uint32_t kHup = EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI;
    // Before the word is looked at: who uses up the kReady that is there sees hup.
    if (what & kHup) pd->hup.store(true);
    bool of_mode[2] = {(what & (EPOLLIN | kHup)) != 0,
                       (what & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0};
    for (int mode : {0, 1}) {
      if (!of_mode[mode]) continue;
      uintptr_t who = take_waiter(pd->waiting[mode], true);
      if (who & kThread) {
        wake_thread(who);
      } else if (who != kNone) {
        ready.push_back(reinterpret_cast<G*>(who));
      }
    }
  }
  return ready;
}

void netpollbreak() noexcept {
  if (!netpollinited() || breaking.exchange(true)) return;
  eventfd_write(breakfd, 1);
}

bool netpollanywaiters() noexcept { return parked.load() > 0; }

}  // namespace weir::rt
