// Healthy kernels (kernels.h) that tempt: waits that a careless reader of the records calls proven,
// and numbers that grow for a good while without a leak.

#include <weir/weir.h>

#include <array>
#include <atomic>
#include <chrono>
#include <mutex>
#include <shared_mutex>
#include <thread>
#include <utility>

#include "kernels.h"

namespace kernels {

using namespace std::chrono_literals;
using Ints = weir::chan<int>;

// A nil channel, and a context that ends the wait.
static void nil_with_context(int) {
  auto [ctx, cancel] = weir::with_timeout(weir::background(), 30ms);
  for (int i = 0; i < 2; ++i) weir::go([ctx = ctx] { (void)Ints().recv(ctx); });
  (void)Ints().send(ctx, 1);
}

// The owner of the lock is a plain thread, which no dump shows while it works.
static void thread_owns(int) {
  static weir::Mutex mu;
  static weir::Once once;
  once.call([] {
    std::thread([] {
      for (;;) {
        const std::scoped_lock hold(mu);
        std::this_thread::sleep_for(25ms);
      }
    }).detach();
  });
  for (int i = 0; i < 3; ++i) {
    weir::go([] { const std::scoped_lock hold(mu); });
  }
}

// Owners unlock and end all the time, so that each record of an owner is soon out of date.
static void owners_end(int) {
  static weir::Mutex mu;
  static weir::Once once;
  once.call([] {
    for (int i = 0; i < 2; ++i) {
      weir::go({.name = "churn"}, [] {
        for (;;) {
          weir::WaitGroup some;
          for (int owner = 0; owner < 8; ++owner) {
            some.go([] {
              const std::scoped_lock hold(mu);
              weir::sleep_for(30us);
            });
          }
          some.wait();
        }
      });
    }
  });
}

// The same for writers and readers.
static void writers_end(int) {
  static weir::RWMutex mu;
  static weir::Once once;
  once.call([] {
    weir::go({.name = "churn"}, [] {
      for (;;) {
        weir::WaitGroup some;
        for (int i = 0; i < 8; ++i) {
          some.go([i] {
            if (i % 3 == 0) {
              const std::scoped_lock hold(mu);
              weir::sleep_for(30us);
            } else {
              const std::shared_lock hold(mu);
              weir::sleep_for(20us);
            }
          });
        }
        some.wait();
      }
    });
  });
}

// Each holds one of three locks at a time, and soon wants what another has: records of different
// instants make circles that never were.
static void changing_sides(int) {
  static std::array<weir::Mutex, 3> locks;
  static weir::Once once;
  once.call([] {
    for (size_t start = 0; start < locks.size(); ++start) {
      weir::go({.name = "churn"}, [start] {
        for (size_t i = start;; ++i) {
          const std::scoped_lock hold(locks[i % locks.size()]);
          weir::sleep_for(50us);
        }
      });
    }
  });
}

// Two locks in both orders, and a third one around them that makes it safe.
static void gated_orders(int) {
  static weir::Mutex gate, a, b;
  for (int i = 0; i < 6; ++i) {
    weir::go([i] {
      const std::scoped_lock all(gate);
      const std::scoped_lock one(i % 2 == 0 ? a : b);
      weir::sleep_for(300us);
      const std::scoped_lock two(i % 2 == 0 ? b : a);
    });
  }
}

// Requests of 45 s, the first of which come when the service has just been started: for four
// samples nobody leaves. (Six samples is where all that can be known speaks for a leak.)
static void long_requests(int) {
  auto answer = weir::make_chan<int>();
  weir::go([answer] {
    weir::sleep_for(180ms);
    answer.close();
  });
  answer.recv();
}

// Clients that connect in the first samples and stay.
static void warm_up(int round) {
  static const auto quit = weir::make_chan<int>();
  if (round < 5) quit.recv();
}

// A pool that grows to its size in the first samples, by a worker for each job that finds none
// idle. (One that took as long as it is looked at, a worker now and then, would be told from a leak
// by nobody.)
static void grows_to_size(int) {
  static const auto jobs = weir::make_chan<int>();
  static std::atomic<int> workers{0};
  constexpr int kMost = 8;
  for (int i = 0; i < 4; ++i) {
    int job = i;
    if (jobs.try_send(job)) continue;
    if (workers.fetch_add(1) >= kMost) return;
    weir::go({.name = "worker"}, [] {
      weir::sleep_for(5ms);
      for ([[maybe_unused]] int next : jobs) weir::sleep_for(60ms);
    });
  }
}

Family tempting() {
  return {"healthy: tempting",
          {
              {"nil_with_context", "a nil channel and a context", nil_with_context},
              {"thread_owns", "a plain thread has the lock", thread_owns},
              {"owners_end", "owners that unlock and end", owners_end},
              {"writers_end", "writers that unlock and end", writers_end},
              {"changing_sides", "each wants what another has, and holds one at a time",
               changing_sides},
              {"gated_orders", "two locks in both orders, behind a third", gated_orders},
              {"long_requests", "requests of 45 s, in a service just started", long_requests},
              {"warm_up", "clients that connect for five samples and stay", warm_up},
              {"grows_to_size", "a pool that grows to eight workers", grows_to_size},
          }};
}

}  // namespace kernels
