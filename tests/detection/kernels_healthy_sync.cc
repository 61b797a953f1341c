// Healthy kernels (kernels.h): locks, WaitGroups, Conds, Semaphores and contexts used as they
// should be.

#include <weir/weir.h>

#include <array>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <stdexcept>
#include <utility>

#include "kernels.h"

namespace kernels {

using namespace std::chrono_literals;
using Ints = weir::chan<int>;

static void lock_convoy(int) {
  static weir::Mutex mu;
  for (int i = 0; i < 12; ++i) {
    weir::go([] {
      const std::scoped_lock hold(mu);
      weir::sleep_for(500us);
    });
  }
}

static void readers_and_writers(int round) {
  static weir::RWMutex mu;
  for (int i = 0; i < 8; ++i) {
    weir::go([] {
      const std::shared_lock hold(mu);
      weir::sleep_for(1ms);
    });
  }
  if (round % 2 == 0) {
    const std::scoped_lock hold(mu);
    weir::sleep_for(2ms);
  }
}

static void ordered_locks(int) {
  static weir::Mutex a, b;
  for (int i = 0; i < 4; ++i) {
    weir::go([] {
      const std::scoped_lock one(a);
      weir::sleep_for(500us);
      const std::scoped_lock two(b);
      weir::sleep_for(500us);
    });
  }
}

static void philosophers_in_order(int) {
  static std::array<weir::Mutex, 5> forks;
  for (size_t seat = 0; seat < forks.size(); ++seat) {
    weir::go([seat] {
      const size_t left = seat, right = (seat + 1) % forks.size();
      const std::scoped_lock first(forks[std::min(left, right)]);
      const std::scoped_lock second(forks[std::max(left, right)]);
      weir::sleep_for(1ms);
    });
  }
}

static void once_slow(int) {
  static weir::Once once;
  for (int i = 0; i < 3; ++i) {
    weir::go([] { once.call([] { weir::sleep_for(100ms); }); });  // some rounds
  }
}

static void double_checked(int round) {
  static weir::RWMutex mu;
  static std::map<int, int> cache;
  {
    const std::shared_lock hold(mu);
    if (cache.contains(round)) return;
  }
  const std::scoped_lock hold(mu);
  if (!cache.contains(round)) {
    weir::sleep_for(2ms);
    cache[round] = 1;
  }
}

static void all_done(int) {
  weir::WaitGroup wg;
  for (int i = 0; i < 5; ++i) wg.go([i] { weir::sleep_for(std::chrono::milliseconds(5 * i)); });
  wg.wait();
}

struct BoundedQueue {
  weir::Mutex mu;
  weir::Cond nonempty, nonfull;
  int items = 0;
  void put() {
    std::unique_lock hold(mu);
    nonfull.wait(hold, [this] { return items < 2; });
    ++items;
    nonempty.signal();
  }
  void take() {
    std::unique_lock hold(mu);
    nonempty.wait(hold, [this] { return items > 0; });
    --items;
    nonfull.signal();
  }
};
static void cond_queue(int) {
  static BoundedQueue queue;
  static weir::Once started;
  started.call([] {
    for (int i = 0; i < 2; ++i) {
      weir::go({.name = "consumer"}, [] {
        for (;;) {
          queue.take();
          weir::sleep_for(500us);
        }
      });
    }
  });
  for (int i = 0; i < 8; ++i) weir::go([] { queue.put(); });
}

// One of those who wait does the work for all.
static void leader_and_followers(int) {
  struct Group {
    weir::Mutex mu;
    weir::Cond done;
    bool working = false;
    int finished = 0;
  };
  static Group group;
  for (int i = 0; i < 4; ++i) {
    weir::go([] {
      std::unique_lock hold(group.mu);
      if (group.working) {
        const int seen = group.finished;
        group.done.wait(hold, [seen] { return group.finished != seen; });
        return;
      }
      group.working = true;
      hold.unlock();
      weir::sleep_for(4ms);
      hold.lock();
      group.working = false;
      ++group.finished;
      group.done.broadcast();
    });
  }
}

static void semaphore_limit(int) {
  static weir::Semaphore slots(3);
  for (int i = 0; i < 8; ++i) {
    weir::go([] {
      slots.acquire();
      weir::sleep_for(2ms);
      slots.release();
    });
  }
}

static void semaphore_weights(int round) {
  static weir::Semaphore memory(8);
  for (size_t i = 0; i < 4; ++i) {
    weir::go([units = 1 + (i + static_cast<size_t>(round)) % 6] {
      memory.acquire(units);
      weir::sleep_for(2ms);
      memory.release(units);
    });
  }
}

static void barrier_full(int) {
  struct Barrier {
    weir::Mutex mu;
    weir::Cond all;
    int missing = 4;
  };
  auto b = std::make_shared<Barrier>();
  for (int i = 0; i < 4; ++i) {
    weir::go([b, i] {
      weir::sleep_for(std::chrono::milliseconds(4 * i));
      std::unique_lock hold(b->mu);
      if (--b->missing == 0) b->all.broadcast();
      b->all.wait(hold, [&b] { return b->missing == 0; });
    });
  }
}

static void task_group(int) {
  weir::TaskGroup group;
  group.set_limit(2);
  for (int i = 0; i < 6; ++i) group.go([] { weir::sleep_for(2ms); });
  group.wait();
}

// The first error tells the others to stop.
static void task_group_fails(int) {
  weir::TaskGroup group;
  auto results = weir::make_chan<int>();
  for (int i = 0; i < 4; ++i) {
    group.go([results, i](const weir::Context& ctx) {
      if (i == 1) {
        weir::sleep_for(3ms);
        throw std::runtime_error("failed");
      }
      (void)results.send(ctx, i);
    });
  }
  try {
    group.wait();
  } catch (const std::runtime_error&) {
  }
}

// Whoever comes while a request is under way shares its answer.
static void coalesced(int) {
  static weir::Mutex mu;
  static Ints under_way;
  for (int i = 0; i < 5; ++i) {
    weir::go([] {
      std::unique_lock hold(mu);
      if (under_way) {
        const Ints answered = under_way;
        hold.unlock();
        answered.recv();
        return;
      }
      const Ints answered = under_way = weir::make_chan<int>();
      hold.unlock();
      weir::sleep_for(6ms);
      hold.lock();
      under_way = {};
      answered.close();
    });
  }
}

static void context_timeout(int) {
  weir::go([] {
    auto [ctx, cancel] = weir::with_timeout(weir::background(), 30ms);
    (void)weir::make_chan<int>().recv(ctx);
    cancel();
  });
}

static void context_cancelled(int) {
  auto [ctx, cancel] = weir::with_cancel(weir::background());
  for (int i = 0; i < 3; ++i) weir::go([ctx = ctx] { ctx.done().recv(); });
  weir::sleep_for(10ms);
  cancel();
}

// The fastest of three is used, the others are told that they are not.
static void hedged(int) {
  auto [ctx, cancel] = weir::with_cancel(weir::background());
  auto answers = weir::make_chan<int>();
  for (int i = 0; i < 3; ++i) {
    weir::go([ctx = ctx, answers, i] {
      if (weir::sleep_for(ctx, std::chrono::milliseconds(3 + 20 * i))) (void)answers.send(ctx, i);
    });
  }
  answers.recv();
  cancel();
}

// Waits for the end of the service, which has not come: as many as there are components.
static void watchers(int) {
  static const auto service = weir::with_cancel(weir::background());
  static weir::Once started;
  started.call([] {
    for (int i = 0; i < 8; ++i) {
      weir::go([] {
        auto [ctx, cancel] = weir::with_cancel(service.first);
        ctx.done().recv();
        cancel();
      });
    }
  });
}

Family healthy_sync() {
  return {"healthy: locks, waits, contexts",
          {
              {"lock_convoy", "many want one lock, and get it in turn", lock_convoy},
              {"readers_and_writers", "a lock of readers and writers", readers_and_writers},
              {"ordered_locks", "two locks in one order", ordered_locks},
              {"philosophers_in_order", "forks in one order", philosophers_in_order},
              {"once_slow", "all wait for a slow Once", once_slow},
              {"double_checked", "a cache with two looks", double_checked},
              {"all_done", "a WaitGroup that is counted down", all_done},
              {"cond_queue", "a bounded queue with two Conds", cond_queue},
              {"leader_and_followers", "one works for all who wait", leader_and_followers},
              {"semaphore_limit", "at most three at once", semaphore_limit},
              {"semaphore_weights", "requests of different weights", semaphore_weights},
              {"barrier_full", "a barrier that all reach", barrier_full},
              {"task_group", "a TaskGroup with a limit", task_group},
              {"task_group_fails", "an error stops a TaskGroup", task_group_fails},
              {"coalesced", "requests that share an answer", coalesced},
              {"context_timeout", "a wait that a time limit ends", context_timeout},
              {"context_cancelled", "waits that are cancelled", context_cancelled},
              {"hedged", "the fastest wins, the others are cancelled", hedged},
              {"watchers", "components that wait for the end of the service", watchers},
          }};
}

}  // namespace kernels
