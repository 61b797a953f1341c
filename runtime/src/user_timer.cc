// Timer, Ticker, after and after_func (<weir/timer.h>, chan_timer.h).

#include <weir/panic.h>
#include <weir/timer.h>

#include <memory>
#include <mutex>
#include <utility>

#include "chan_timer.h"
#include "clock.h"
#include "origin.h"
#include "proc.h"
#include "tls.h"

namespace weir::rt {

namespace {

using std::chrono::steady_clock;

// ---- with a channel ----

// Sends the time, if there is room: a receiver that waits, or the buffer.
void fire_chan_timer(timer* t, gqueue& ready) noexcept {
  hchan* c = &static_cast<chan_timer*>(t)->c;
  steady_clock::time_point now{std::chrono::nanoseconds(nanotime())};
  G* wake;
  c->lock.lock();
  bool sent = send_if_ready(c, &now, &wake);
  c->lock.unlock();
  if (sent && wake) ready.push_back(wake);
}

// As if the tick had never been sent. True: there was one.
bool drain(hchan* c) noexcept {
  std::scoped_lock hold(c->lock);
  if (c->qcount.load(std::memory_order_relaxed) == 0) return false;
  c->qcount.store(0, std::memory_order_relaxed);
  record(c->sends, ~uint64_t{0});
  c->recvx = c->sendx = 0;
  return true;
}

bool disarm(chan_timer* t) noexcept {
  bool pending = deltimer(t);
  bool unread = drain(&t->c);
  return pending || unread;
}

}  // namespace

hchan* make_chan_timer(int64_t ns, int64_t period, const void* made_pc) {
  auto* t = new chan_timer;
  t->fire = fire_chan_timer;
  t->c.type = &kElemType<steady_clock::time_point>;
  t->c.dataqsiz = 1;
  t->c.buf = reinterpret_cast<unsigned char*>(&t->undrained);
  t->c.made_pc = made_pc;
  t->c.timer = t;
  addtimer(t, ns_from_now(ns), period);
  return &t->c;
}

void free_chan_timer(chan_timer* t) noexcept {
  deltimer(t);
  delete t;
}

bool stop_chan_timer(hchan* c) {
  if (!c) return false;  // moved from
  std::scoped_lock hold(c->timer->arming);
  return disarm(c->timer);
}

bool reset_chan_timer(hchan* c, int64_t ns, int64_t period) {
  if (!c) return false;
  std::scoped_lock hold(c->timer->arming);
  bool was_pending = disarm(c->timer);
  addtimer(c->timer, ns_from_now(ns), period);
  return was_pending;
}

void panic_interval(const char* what) { throw panic_error(what); }

// ---- with a function ----

struct func_timer : timer {
  func_timer(detail::callback g, const void* pc) : f(std::move(g)), by(pc) {}
  std::atomic<uint32_t> refs{1};  // handles, the armed timer, and goroutines that call f
  detail::callback f;
  const origin by;
  Mutex arming;
};

namespace {

// What the timer's goroutine runs. Takes over the armed timer's reference.
struct CallOnce {
  func_timer* t;
  explicit CallOnce(func_timer* adopt) noexcept : t(adopt) {}
  CallOnce(CallOnce&& o) noexcept : t(std::exchange(o.t, nullptr)) {}
  CallOnce& operator=(CallOnce&&) = delete;
  ~CallOnce() {
    if (t) func_timer_unref(t);
  }
  void operator()() { t->f(); }
};

void run_func_timer(timer* base, uint64_t, P* self) noexcept {
  auto* t = static_cast<func_timer*>(base);
  CallOnce call(t);
  newproc_from(self, detail::kFunc<CallOnce>, &call, t->by);
}

void arm(func_timer* t, int64_t ns) noexcept {
  func_timer_ref(t);
  addtimer(t, ns_from_now(ns), 0);
}

}  // namespace

func_timer* make_func_timer(int64_t ns, detail::callback f, const void* made_pc) {
  auto* t = new func_timer(std::move(f), made_pc);
  t->run = run_func_timer;
  arm(t, ns);
  return t;
}

void func_timer_ref(func_timer* t) noexcept { t->refs.fetch_add(1, std::memory_order_relaxed); }

void func_timer_unref(func_timer* t) noexcept {
  if (t->refs.fetch_sub(1, std::memory_order_acq_rel) == 1) delete t;
}

bool stop_func_timer(func_timer* t) {
  std::scoped_lock hold(t->arming);
  if (!deltimer(t)) return false;
  func_timer_unref(t);  // the timer's; the caller has one
  return true;
}

bool reset_func_timer(func_timer* t, int64_t ns) {
  std::scoped_lock hold(t->arming);
  bool was_pending = deltimer(t);
  if (was_pending) func_timer_unref(t);
  arm(t, ns);
  return was_pending;
}

}  // namespace weir::rt
