// The scheduler: nobody starves, GOMAXPROCS may change at any time, work spreads and is not lost.

#include <unistd.h>

#include <array>
#include <mutex>
#include <random>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "test_util.h"

namespace weir::testing {
namespace {

using namespace std::chrono_literals;

WEIR_FOR_ALL_PROCS(Sched);

// Loops without a call into the runtime until told to stop; another goroutine must tell it.
[[gnu::noinline]] void spin_until(const std::atomic<bool>& stop) {
  while (!stop.load(std::memory_order_relaxed)) {
  }
}

TEST_P(Sched, ALoopWithoutRuntimeCallsDoesNotStopTheOthers) {
  run([this] {
    for (int round = 0; round < 3; round++) {
      std::atomic<bool> stop{false};
      std::atomic<int> others{0};
      WaitGroup wg;
      // One more than may run at once.
      for (int i = 0; i <= procs(); i++) wg.go([&] { spin_until(stop); });
      for (int i = 0; i < 10; i++) {
        wg.go([&] {
          gosched();
          others++;
        });
      }
      sleep_for(1ms);  // timers go on as well
      EXPECT_TRUE(eventually([&] { return others == 10; }));
      stop = true;
      wg.wait();
    }
  });
}

TEST_P(Sched, ALoopThatATimerBeganDoesNotStopTheOthers) {
  run([this] {
    // Everybody sleeps, so the scheduler does too; then as many loops as may run at once wake up.
    std::atomic<bool> stop{false};
    std::atomic<int> looping{0};
    WaitGroup wg;
    for (int i = 0; i < procs(); i++) {
      wg.go([&] {
        sleep_for(20ms);
        looping++;
        spin_until(stop);
      });
    }
    wg.go([&] {
      sleep_for(40ms);
      EXPECT_TRUE(eventually([&] { return looping == procs(); }));
      stop = true;
    });
    wg.wait();
  });
}

TEST_P(Sched, ALongRunnerGoesOnAtItsNextRuntimeCall) {
  run([] {
    std::atomic<bool> stop{false};
    auto ch = make_chan<int>();
    WaitGroup wg;
    wg.go([&, ch] {
      for (int i = 0; i < 3; i++) {
        auto until = std::chrono::steady_clock::now() + 25ms;  // it has lost its P by then
        while (std::chrono::steady_clock::now() < until) {
        }
        ch.send(i);
      }
      spin_until(stop);
    });
    for (int i = 0; i < 3; i++) EXPECT_EQ(ch.recv(), i);
    stop = true;
    wg.wait();
  });
}

TEST_P(Sched, ALongRunnerMayExitThrowLockAndStartOthers) {
  run([] {
    Mutex mu;
    int plain = 0;
    WaitGroup wg;
    for (int i = 0; i < 8; i++) {
      wg.go([&, i] {
        std::atomic<int> turns{0};
        auto until = std::chrono::steady_clock::now() + 15ms;
        while (std::chrono::steady_clock::now() < until) turns++;
        switch (i % 4) {
          case 0: {
            std::scoped_lock hold(mu);
            plain++;
            break;
          }
          case 1:
            wg.go([&] {
              std::scoped_lock hold(mu);
              plain++;
            });
            break;
          case 2:
            try {
              throw 1;
            } catch (int) {
              std::scoped_lock hold(mu);
              plain++;
            }
            break;
          default:
            goexit();
        }
      });
    }
    wg.wait();
    EXPECT_EQ(plain, 6);
  });
}

TEST_P(Sched, PairsThatWakeEachOtherDoNotStarveTheRest) {
  run([] {
    auto stop = make_chan<int>();
    WaitGroup wg;
    std::array<std::atomic<int64_t>, 2> rounds{};
    for (auto& mine : rounds) {
      auto ping = make_chan<int>(), pong = make_chan<int>();
      wg.go([=, &mine] {
        for (bool on = true; on; mine++) {
          select(on_send(ping, 1), on_recv(stop, [&] { on = false; }));
          if (on) select(on_recv(pong), on_recv(stop, [&] { on = false; }));
        }
      });
      wg.go([=] {
        for (bool on = true; on;) {
          select(on_recv(ping), on_recv(stop, [&] { on = false; }));
          if (on) select(on_send(pong, 1), on_recv(stop, [&] { on = false; }));
        }
      });
    }
    // Both pairs go on, and so does main.
    for (int i = 0; i < 50; i++) gosched();
    EXPECT_TRUE(eventually([&] { return rounds[0] > 100 && rounds[1] > 100; }));
    stop.close();
    wg.wait();
  });
}

// A pending timer makes the scheduler look around more often; the turns must end all the same.
TEST_P(Sched, APairThatWakesEachOtherEndsItsTurnWhileATimerIsPending) {
  run([] {
    go([] { sleep_for(std::chrono::hours(24)); });
    auto ping = make_chan<int>(), pong = make_chan<int>();
    std::atomic<bool> stop{false};
    std::atomic<int64_t> rounds{0};
    WaitGroup wg;
    wg.go([=, &stop, &rounds] {
      for (; !stop; rounds++) {
        ping.send(1);
        pong.recv();
      }
      ping.close();
    });
    wg.go([=] {
      for (int v : ping) pong.send(v);
    });
    // A turn is 64 switches; a time slice, after which sysmon would step in, is many thousand.
    while (rounds < 100) gosched();
    int64_t before = rounds;
    constexpr int kTurns = 200;
    for (int i = 0; i < kTurns; i++) gosched();
    EXPECT_LT(rounds - before, kTurns * 1000);
    stop = true;
    wg.wait();
  });
}

// Who wakes many and has lost his P wakes them all before he gets in line for another one.
TEST(SchedOne, AWakerInLineKeepsNobodyAsleep) {
  weir::run(
      [] {
        constexpr int kWaiters = 50;
        auto gate = make_chan<int>();
        std::atomic<int> woken{0};
        std::atomic<bool> stop{false};
        WaitGroup wg;
        for (int i = 0; i < kWaiters; i++) {
          const uint64_t id = go_with_id([&, gate] {
            gate.recv();
            woken++;
            wg.done();
          });
          wg.add(1);
          ASSERT_TRUE(waits(id, introspect::WaitReason::chan_receive));
        }
        wg.go([&stop] {
          while (!stop) {
          }
        });
        const uint64_t before = introspect::sched().retakes;
        while (introspect::sched().retakes == before) {
        }
        gate.close();
        EXPECT_EQ(woken, kWaiters);
        stop = true;
        wg.wait();
      },
      Options{.maxprocs = 1});
}

TEST_P(Sched, YieldersDoNotStarveTheQueue) {
  run([] {
    std::atomic<bool> stop{false};
    WaitGroup wg;
    for (int i = 0; i < 4; i++) {
      wg.go([&] {
        while (!stop) gosched();
      });
    }
    // More than a local queue holds: some go through the global one.
    std::atomic<int> ran{0};
    int n = 1000;
    for (int i = 0; i < n; i++) wg.go([&] { ran++; });
    EXPECT_TRUE(eventually([&] { return ran == n; }));
    stop = true;
    wg.wait();
  });
}

TEST(SchedParallel, GoroutinesRunAtTheSameTime) {
  weir::run(
      [] {
        // Each waits for the other without a call into the runtime.
        std::array<std::atomic<bool>, 2> here{};
        WaitGroup wg;
        for (size_t i = 0; i < 2; i++) {
          wg.go([&, i] {
            here[i] = true;
            spin_until(here[1 - i]);
          });
        }
        wg.wait();
      },
      Options{.maxprocs = 2});
}

TEST(SchedParallel, WorkSpreadsOverThreads) {
  weir::run(
      [] {
        std::mutex lock;  // never held across a call that blocks a goroutine
        std::set<pid_t> threads;
        auto enough = [&] {
          std::scoped_lock hold(lock);
          return threads.size() >= 2;
        };
        std::atomic<bool> stop{false};
        WaitGroup wg;
        for (int i = 0; i < 8; i++) {
          wg.go([&] {
            while (!stop) {
              {
                std::scoped_lock hold(lock);
                threads.insert(gettid());
              }
              gosched();
            }
          });
        }
        EXPECT_TRUE(eventually(enough));
        stop = true;
        wg.wait();
      },
      Options{.maxprocs = 2});
}

TEST(GoMaxProcs, AsksAndSets) {
  weir::run(
      [] {
        EXPECT_EQ(gomaxprocs(), 3);
        EXPECT_EQ(gomaxprocs(0), 3);
        EXPECT_EQ(gomaxprocs(-5), 3);
        EXPECT_EQ(gomaxprocs(2), 3);
        EXPECT_EQ(gomaxprocs(7), 2);
        EXPECT_EQ(gomaxprocs(7), 7);
        EXPECT_THROW(gomaxprocs(1025), std::invalid_argument);
        EXPECT_EQ(gomaxprocs(), 7);
        EXPECT_EQ(introspect::sched().gomaxprocs, 7);
      },
      Options{.maxprocs = 3});
}

TEST(GoMaxProcs, MayBeSetByAThread) {
  weir::run(
      [] {
        auto former = make_chan<int>();
        std::thread other([former] { former.send(gomaxprocs(4)); });
        EXPECT_EQ(former.recv(), 1);
        other.join();
        EXPECT_EQ(gomaxprocs(), 4);
      },
      Options{.maxprocs = 1});
}

TEST(GoMaxProcs, ChangesWhileGoroutinesRun) {
  weir::run([] {
    std::atomic<bool> stop{false};
    std::atomic<int64_t> sent{0}, received{0};
    auto ch = make_chan<int>(3);
    WaitGroup senders, receivers;
    for (int g = 0; g < 4; g++) {
      senders.go([&, ch, g] {
        for (int i = 0; !stop; i++) {
          ch.send(i % 10);
          sent += i % 10;
          if (g == 0) sleep_for(std::chrono::microseconds(20));
          if (g == 1) gosched();
        }
      });
      receivers.go([&, ch] {
        for (int v : ch) received += v;
      });
    }
    WaitGroup spinner;
    spinner.go([&] { spin_until(stop); });  // the world stops without it
    std::mt19937 random(7);
    for (int i = 0; i < scaled(200); i++) {
      int n = static_cast<int>(random() % 8) + 1;
      gomaxprocs(n);
      EXPECT_EQ(gomaxprocs(), n);
      if (i % 8 == 0) sleep_for(100us);
    }
    stop = true;
    senders.wait();
    ch.close();
    receivers.wait();
    spinner.wait();
    EXPECT_EQ(sent.load(), received.load());
    EXPECT_GT(sent.load(), 0);
  });
}

TEST(GoMaxProcs, ChangesByManyAtOnce) {
  weir::run([] {
    WaitGroup wg;
    for (int g = 0; g < 4; g++) {
      wg.go([g] {
        for (int i = 0; i < 20; i++) {
          int former = gomaxprocs(g + 1);
          if (former < 1 || former > 64) ADD_FAILURE() << former;
        }
      });
    }
    wg.wait();
    EXPECT_GE(gomaxprocs(), 1);
    EXPECT_LE(gomaxprocs(), 4);
  });
}

TEST(GoMaxProcs, TimersSurviveAShrink) {
  weir::run(
      [] {
        WaitGroup wg;
        for (int i = 0; i < 100; i++) {
          wg.go([i] { sleep_for(std::chrono::milliseconds(5 + i % 40)); });
        }
        gosched();
        gomaxprocs(1);
        wg.wait();
      },
      Options{.maxprocs = 4});
}

TEST_P(Sched, GoroutinesStartedByThreadsRunOnAnIdleScheduler) {
  run([] {
    // Main is parked when they come: an idle thread must wake.
    for (int round = 0; round < 50; round++) {
      auto ch = make_chan<int>();
      std::thread other([ch] { go([ch] { ch.send(1); }); });
      EXPECT_EQ(ch.recv(), 1);
      other.join();
    }
  });
}

TEST_P(Sched, TheNumbersAgree) {
  run([this] {
    ASSERT_TRUE(settle());
    introspect::Sched before = introspect::sched();
    EXPECT_EQ(before.gomaxprocs, procs());
    EXPECT_EQ(before.goroutines, num_goroutine());
    EXPECT_GE(before.ms, 1);
    EXPECT_LE(before.idle_ps, procs());
    auto hold = make_chan<int>();
    WaitGroup wg;
    for (int i = 0; i < 50; i++) wg.go([hold] { hold.recv(); });
    introspect::Sched after = introspect::sched();
    EXPECT_EQ(after.created, before.created + 50);
    EXPECT_EQ(after.goroutines, before.goroutines + 50);
    hold.close();
    wg.wait();
    EXPECT_TRUE(eventually([&] { return introspect::sched().goroutines == before.goroutines; }));
    introspect::Sched end = introspect::sched();
    EXPECT_EQ(end.global_queue + end.local_queues, 0u);
  });
}

}  // namespace
}  // namespace weir::testing
