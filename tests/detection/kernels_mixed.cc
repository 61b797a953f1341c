// Kernels (kernels.h): locks held over other waits, and waits in circles of several kinds, of which
// no single record tells.

#include <weir/weir.h>

#include <chrono>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <stdexcept>

#include "kernels.h"

namespace kernels {

using Ints = weir::chan<int>;

// One mutex, one channel, and what else two of them need; new for each request.
struct Shared {
  weir::Mutex mu;
  weir::RWMutex rw;
  Ints ch = weir::make_chan<int>();
  Ints held = weir::make_chan<int>();  // closed once the lock is held
  weir::WaitGroup wg;
  weir::Semaphore slots{1};
};

[[gnu::noinline]] static void lock_and_send_publish(Shared& s) {
  const std::scoped_lock hold(s.mu);
  s.held.close();
  s.ch.send(1);
}
[[gnu::noinline]] static void lock_and_send_receive(Shared& s) {
  const std::scoped_lock hold(s.mu);
  s.ch.recv();
}
static void lock_and_send(int) {
  auto s = std::make_shared<Shared>();
  weir::go([s] { lock_and_send_publish(*s); });
  weir::go([s] {
    s->held.recv();
    lock_and_send_receive(*s);
  });
}

[[gnu::noinline]] static void lock_and_wait_all(Shared& s) {
  const std::scoped_lock hold(s.mu);
  s.held.close();
  s.wg.wait();
}
[[gnu::noinline]] static void lock_and_wait_part(Shared& s) {
  s.held.recv();
  const std::scoped_lock hold(s.mu);
}
static void lock_and_wait(int) {
  auto s = std::make_shared<Shared>();
  s->wg.add(1);
  weir::go([s] {
    lock_and_wait_part(*s);
    s->wg.done();
  });
  weir::go([s] { lock_and_wait_all(*s); });
}

[[gnu::noinline]] static void collect_later_part(Shared& s) {
  s.ch.send(1);  // received only when all are done
  s.wg.done();
}
[[gnu::noinline]] static void collect_later_wait(Shared& s) { s.wg.wait(); }
static void collect_later(int) {
  auto s = std::make_shared<Shared>();
  s->wg.add(2);
  for (int i = 0; i < 2; ++i) weir::go([s] { collect_later_part(*s); });
  collect_later_wait(*s);
  for (int i = 0; i < 2; ++i) s->ch.recv();
}

struct Monitor {
  weir::Mutex outer, inner;
  weir::Cond changed;
  Ints waiting = weir::make_chan<int>();
};
[[gnu::noinline]] static void nested_monitor_wait(Monitor& m) {
  const std::scoped_lock outer(m.outer);
  std::unique_lock inner(m.inner);
  m.waiting.close();
  m.changed.wait(inner);  // gives back the inner lock only
}
[[gnu::noinline]] static void nested_monitor_signal(Monitor& m) {
  const std::scoped_lock outer(m.outer);
  const std::scoped_lock inner(m.inner);
  m.changed.signal();
}
static void nested_monitor(int) {
  auto m = std::make_shared<Monitor>();
  weir::go([m] { nested_monitor_wait(*m); });
  m->waiting.recv();
  weir::go([m] { nested_monitor_signal(*m); });
}

[[gnu::noinline]] static void self_post_actor(const weir::chan<int>& mailbox) {
  for (int message : mailbox) {
    for (int i = 0; i < message; ++i) mailbox.send(0);  // more than there is room for
  }
}
static void self_post(int) {
  auto mailbox = weir::make_chan<int>(2);
  weir::go([mailbox] { self_post_actor(mailbox); });
  mailbox.send(5);
}

struct Job {
  bool has_part = false;
};
[[gnu::noinline]] static void nested_submit_part(const weir::chan<Job>& pool) {
  pool.send({});  // its only worker is this one
}
static void nested_submit(int) {
  auto pool = weir::make_chan<Job>();
  weir::go([pool] {
    for (const Job& job : pool) {
      if (job.has_part) nested_submit_part(pool);
    }
  });
  pool.send({.has_part = true});
}

[[gnu::noinline]] static void shutdown_stop(Shared& s) {
  const std::scoped_lock hold(s.mu);
  s.held.close();
  s.ch.recv();  // that the worker has ended
}
[[gnu::noinline]] static void shutdown_worker(Shared& s) {
  s.held.recv();
  {
    const std::scoped_lock hold(s.mu);  // to write down what it has done
  }
  s.ch.close();
}
static void shutdown(int) {
  auto s = std::make_shared<Shared>();
  weir::go([s] { shutdown_worker(*s); });
  shutdown_stop(*s);
}

[[gnu::noinline]] static void slot_and_lock_first(Shared& s) {
  s.slots.acquire();
  s.wg.done();
  s.wg.wait();
  const std::scoped_lock hold(s.mu);
}
[[gnu::noinline]] static void slot_and_lock_second(Shared& s) {
  const std::scoped_lock hold(s.mu);
  s.wg.done();
  s.wg.wait();
  s.slots.acquire();
}
static void slot_and_lock(int) {
  auto s = std::make_shared<Shared>();
  s->wg.add(2);
  weir::go([s] { slot_and_lock_first(*s); });
  weir::go([s] { slot_and_lock_second(*s); });
}

[[gnu::noinline]] static void write_and_receive_load(Shared& s) {
  const std::scoped_lock hold(s.rw);
  s.held.close();
  s.ch.recv();
}
[[gnu::noinline]] static void write_and_receive_source(Shared& s) {
  s.held.recv();
  const std::shared_lock hold(s.rw);
  s.ch.send(1);
}
static void write_and_receive(int) {
  auto s = std::make_shared<Shared>();
  weir::go([s] { write_and_receive_source(*s); });
  write_and_receive_load(*s);
}

// The first one blocks with the lock of all.
[[gnu::noinline]] static void call_under_lock_use(weir::Mutex& mu) {
  const std::scoped_lock hold(mu);
}
[[gnu::noinline]] static void call_under_lock_call(weir::Mutex& mu, const Ints& answer) {
  const std::scoped_lock hold(mu);
  answer.recv();
}
static void call_under_lock(int) {
  static weir::Mutex mu;
  static weir::Once once;
  once.call([] {
    auto answer = weir::make_chan<int>();
    weir::go([answer] { call_under_lock_call(mu, answer); });
    while (mu.try_lock()) {
      mu.unlock();
      weir::sleep_for(std::chrono::microseconds(100));
    }
  });
  call_under_lock_use(mu);
}

[[gnu::noinline]] static void flight_failed_follow(Shared& s) { s.wg.wait(); }
static void flight_failed(int) {
  auto s = std::make_shared<Shared>();
  s->wg.add(1);
  for (int i = 0; i < 2; ++i) weir::go([s] { flight_failed_follow(*s); });
  weir::go([s] {
    try {
      throw std::runtime_error("no answer");  // the leader's
    } catch (const std::runtime_error&) {
      return;  // followers wait on
    }
  });
}

[[gnu::noinline]] static void loops_cross_turn(const Ints& own, const Ints& other) {
  other.send(1);  // the other loop does the same, so nobody receives
  own.recv();
}
static void loops_cross(int) {
  auto a = weir::make_chan<int>(), b = weir::make_chan<int>();
  weir::go([a, b] {
    for (;;) loops_cross_turn(a, b);
  });
  weir::go([a, b] {
    for (;;) loops_cross_turn(b, a);
  });
}

Family mixed() {
  return {
      "mixed",
      {
          {"lock_and_send",
           "sends with the lock that the receiver needs",
           lock_and_send,
           {{Kind::chan_send, "lock_and_send_publish"}, {Kind::mutex, "lock_and_send_receive"}}},
          {"lock_and_wait",
           "waits with the lock that those need for whom it waits",
           lock_and_wait,
           {{Kind::waitgroup, "lock_and_wait_all"}, {Kind::mutex, "lock_and_wait_part"}}},
          {"collect_later",
           "results are received when all are done, and sent before",
           collect_later,
           {{Kind::chan_send, "collect_later_part"}, {Kind::waitgroup, "collect_later_wait"}}},
          {"nested_monitor",
           "waits for a signal with a lock that the signaller needs",
           nested_monitor,
           {{Kind::cond, "nested_monitor_wait"}, {Kind::mutex, "nested_monitor_signal"}}},
          {"self_post",
           "an actor fills its own mailbox",
           self_post,
           {{Kind::chan_send, "self_post_actor"}}},
          {"nested_submit",
           "a job of a pool submits to its pool",
           nested_submit,
           {{Kind::chan_send, "nested_submit_part"}}},
          {"shutdown",
           "stops with the lock that the worker needs to end",
           shutdown,
           {{Kind::chan_receive, "shutdown_stop"}, {Kind::mutex, "shutdown_worker"}}},
          {"slot_and_lock",
           "a slot and a lock in two orders",
           slot_and_lock,
           {{Kind::semaphore, "slot_and_lock_second"}, {Kind::mutex, "slot_and_lock_first"}}},
          {"write_and_receive",
           "receives with the lock that the sender reads",
           write_and_receive,
           {{Kind::chan_receive, "write_and_receive_load"},
            {Kind::rwmutex, "write_and_receive_source"}}},
          {"call_under_lock",
           "one call with the lock of all is never answered",
           call_under_lock,
           {{Kind::mutex, "call_under_lock_use"}, {Kind::chan_receive, "call_under_lock_call"}}},
          {"flight_failed",
           "who asks for all fails, the others wait",
           flight_failed,
           {{Kind::waitgroup, "flight_failed_follow"}}},
          {"loops_cross",
           "two event loops call each other",
           loops_cross,
           {{Kind::chan_send, "loops_cross_turn"}}},
      }};
}

}  // namespace kernels
