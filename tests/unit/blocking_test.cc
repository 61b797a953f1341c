// blocking: other goroutines go on, threads are bounded, calls that wait for each other too; what
// is seen from outside meanwhile.

#include <weir/blocking.h>

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <random>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "test_util.h"

namespace weir::testing {
namespace {

using namespace std::chrono_literals;

int threads_of_process() {
  struct stat st;
  return stat("/proc/self/task", &st) == 0 ? static_cast<int>(st.st_nlink) - 2 : 0;
}

// A pipe whose reader blocks in the kernel until somebody writes.
struct Pipe {
  Pipe() {
    if (pipe(fd) != 0) throw std::runtime_error("pipe");
  }
  ~Pipe() {
    close(fd[0]);
    close(fd[1]);
  }
  char read_one() const {
    char c = 0;
    while (read(fd[0], &c, 1) < 0 && errno == EINTR) {
    }
    return c;
  }
  void write_one(char c) const { EXPECT_EQ(write(fd[1], &c, 1), 1); }
  int fd[2];
};

WEIR_FOR_ALL_PROCS(Blocking);

TEST_P(Blocking, ReturnsWhatTheFunctionReturns) {
  run([] {
    EXPECT_EQ(blocking([] { return 42; }), 42);
    bool called = false;
    blocking([&] { called = true; });
    EXPECT_TRUE(called);
    int value = 7;
    blocking([&]() -> int { return value; });
  });
}

TEST_P(Blocking, ExceptionsPassThrough) {
  run([] {
    EXPECT_THROW(blocking([] { throw std::runtime_error("inside"); }), std::runtime_error);
    EXPECT_EQ(blocking([] { return 1; }), 1);  // and leave nothing behind
  });
}

TEST_P(Blocking, OthersGoOnMeanwhile) {
  run([this] {
    // More of them than Ps: each lets the next one go.
    std::vector<std::unique_ptr<Pipe>> pipes;
    int n = procs() + 3;
    for (int i = 0; i < n; i++) pipes.push_back(std::make_unique<Pipe>());
    WaitGroup wg;
    for (int i = 0; i + 1 < n; i++) {
      wg.go([&, i] {
        char c = blocking([&] { return pipes[static_cast<size_t>(i)]->read_one(); });
        pipes[static_cast<size_t>(i) + 1]->write_one(static_cast<char>(c + 1));
      });
    }
    pipes[0]->write_one('a');
    EXPECT_EQ(blocking([&] { return pipes.back()->read_one(); }), static_cast<char>('a' + n - 1));
    wg.wait();
  });
}

TEST_P(Blocking, TimersGoOnMeanwhile) {
  run([] {
    Pipe p;
    go([&] {
      sleep_for(1ms);
      p.write_one('t');
    });
    EXPECT_EQ(blocking([&] { return p.read_one(); }), 't');
  });
}

TEST_P(Blocking, MayParkInside) {
  run([] {
    auto ch = make_chan<int>();
    go([=] { ch.send(blocking([=] { return *ch.recv() + 1; })); });
    ch.send(1);
    EXPECT_EQ(ch.recv(), 2);
    // And nested calls are part of the outer one.
    EXPECT_EQ(blocking([] { return blocking([] { return 3; }); }), 3);
    EXPECT_EQ(blocking([] {
                gosched();
                auto inner = make_chan<int>();
                go([=] { inner.send(5); });
                return *inner.recv();
              }),
              5);
  });
}

TEST_P(Blocking, TenThousandCallsUseABoundedNumberOfThreads) {
  constexpr int kLimit = 64;
  int calls = scaled(10'000);
  std::atomic<int> most{0}, done{0};
  auto before = std::chrono::steady_clock::now();
  weir::run(
      [&] {
        WaitGroup wg;
        for (int i = 0; i < calls; i++) {
          wg.go([&] {
            blocking([&] {
              usleep(1000);
              int now = threads_of_process(), seen = most.load();
              while (now > seen && !most.compare_exchange_weak(seen, now)) {
              }
            });
            done.fetch_add(1);
          });
        }
        wg.wait();
      },
      {.maxprocs = procs(), .max_blocking = kLimit});
  auto took = std::chrono::steady_clock::now() - before;
  EXPECT_EQ(done.load(), calls);
  // Besides: those that run goroutines or spin, sysmon, main, and those that have just come back,
  // which on a busy machine are some.
  EXPECT_LE(most.load(), 3 * kLimit);
  // Far less than one after the other.
  EXPECT_LT(took, calls * 1ms / 4 + (kSanitized ? 20s : 2s));
}

TEST_P(Blocking, CallsThatWaitForEachOtherDoNotHangAtTheLimit) {
  weir::run(
      [] {
        constexpr int kReaders = 6;
        Pipe there, back;
        WaitGroup wg;
        for (int i = 0; i < kReaders; i++) {
          wg.go([&] {
            blocking([&] { there.read_one(); });
            blocking([&] { back.write_one('b'); });
          });
        }
        EXPECT_TRUE(eventually([] { return introspect::sched().blocking_wait > 0; }));
        // In line behind the readers, who wait for it.
        for (int i = 0; i < kReaders; i++) blocking([&] { there.write_one('a'); });
        for (int i = 0; i < kReaders; i++) blocking([&] { return back.read_one(); });
        wg.wait();
        // What was let through beyond the limit is taken back.
        EXPECT_TRUE(eventually([] { return introspect::sched().blocking == 0; }));
      },
      {.maxprocs = procs(), .max_blocking = 2});
}

TEST_P(Blocking, CallsThatWaitForEachOtherByChannelsDoNotHangAtTheLimit) {
  weir::run(
      [] {
        auto ch = make_chan<int>();
        WaitGroup wg;
        for (int i = 0; i < 5; i++) wg.go([ch] { blocking([&] { ch.recv(); }); });
        for (int i = 0; i < 5; i++) wg.go([ch] { blocking([&] { ch.send(1); }); });
        wg.wait();
      },
      {.maxprocs = procs(), .max_blocking = 1});
}

TEST_P(Blocking, WhoParksInsideGivesItsTurnBack) {
  weir::run(
      [] {
        auto hold = make_chan<int>();
        WaitGroup wg;
        for (int i = 0; i < 20; i++) wg.go([hold] { blocking([&] { hold.recv(); }); });
        EXPECT_TRUE(eventually([] {
          int parked = 0;
          for_each_goroutine([&](const Look& look) {
            parked += look.g.state == introspect::State::waiting &&
                      look.g.wait_reason == introspect::WaitReason::chan_receive;
          });
          return parked == 20;
        }));
        EXPECT_EQ(introspect::sched().blocking, 0);
        EXPECT_EQ(blocking([] { return introspect::sched().blocking; }), 1);
        hold.close();
        wg.wait();
        EXPECT_EQ(introspect::sched().blocking, 0);
      },
      {.maxprocs = procs(), .max_blocking = 2});
}

TEST(BlockingHandOver, AfterALongCallShortOnesKeepTheirP) {
  weir::run(
      [] {
        std::atomic<bool> stop{false};
        WaitGroup wg;
        for (int i = 0; i < 4; i++) {
          wg.go([&] {
            while (!stop) gosched();
          });
        }
        blocking([] { usleep(30'000); });
        uint64_t before = introspect::sched().handoffs;
        constexpr int kCalls = 1000;
        for (int i = 0; i < kCalls; i++) blocking([] { getppid(); });
        // Each would be one; a busy machine makes some of them long.
        EXPECT_LT(introspect::sched().handoffs - before, kCalls / 2u);
        stop = true;
        wg.wait();
      },
      {.maxprocs = 1});
}

TEST(BlockingLimits, ALowerLimitHoldsWhileCallsOfTheFormerRunAreUnderWay) {
  static Pipe p;
  weir::run(
      [] {
        for (int i = 0; i < 8; i++) go([] { blocking([] { p.read_one(); }); });
        EXPECT_TRUE(eventually([] { return introspect::sched().blocking == 8; }));
      },
      {.maxprocs = 2, .max_blocking = 8});
  weir::run(
      [] {
        auto done = make_chan<int>();
        go([done] {
          blocking([] {});
          done.close();
        });
        EXPECT_TRUE(eventually([] { return introspect::sched().blocking_wait == 1; }));
        for (int i = 0; i < 8; i++) p.write_one('x');
        done.recv();
        EXPECT_TRUE(eventually([] { return introspect::sched().blocking == 0; }));
        EXPECT_TRUE(settle());
      },
      {.maxprocs = 2, .max_blocking = 2});
}

TEST(BlockingLimits, OneThreadIsTooFew) {
  EXPECT_THROW(weir::run([] {}, {.max_threads = 1}), std::invalid_argument);
  EXPECT_THROW(weir::run([] {}, {.max_threads = -1}), std::invalid_argument);
  EXPECT_THROW(weir::run([] {}, {.max_blocking = 10'001}), std::invalid_argument);
}

TEST_P(Blocking, CountsCalls) {
  run([] {
    uint64_t before = introspect::sched().syscalls;
    for (int i = 0; i < 10; i++) blocking([] {});
    EXPECT_EQ(introspect::sched().syscalls - before, 10u);
  });
}

TEST(BlockingThread, JustCalls) {
  EXPECT_EQ(blocking([] { return 9; }), 9);
  lock_os_thread();
  unlock_os_thread();
}

TEST(BlockingThreads, EndWhenNobodyNeedsThem) {
  weir::run(
      [] {
        int before = introspect::sched().ms;
        std::vector<std::unique_ptr<Pipe>> pipes;
        for (int i = 0; i < 30; i++) pipes.push_back(std::make_unique<Pipe>());
        WaitGroup wg;
        for (auto& p : pipes) wg.go([&] { blocking([&] { p->read_one(); }); });
        EXPECT_TRUE(eventually([] { return introspect::sched().ms >= 30; }));
        for (auto& p : pipes) p->write_one('x');
        wg.wait();
        EXPECT_TRUE(eventually([&] { return introspect::sched().ms <= std::max(before, 2) + 1; }));
        // And come back.
        for (int i = 0; i < 10; i++) {
          wg.go([&, i] { blocking([&] { pipes[static_cast<size_t>(i)]->read_one(); }); });
        }
        EXPECT_TRUE(eventually([] { return introspect::sched().ms >= 10; }));
        for (auto& p : pipes) p->write_one('y');
        wg.wait();
      },
      {.maxprocs = 1});
}

WEIR_FOR_ALL_PROCS(LockOsThread);

TEST_P(LockOsThread, StaysOnItsThread) {
  run([] {
    lock_os_thread();
    pid_t mine = gettid();
    auto ping = make_chan<int>(), pong = make_chan<int>();
    go([=] {
      for (int v : ping) pong.send(v);
      pong.close();
    });
    for (int i = 0; i < 200; i++) {
      ping.send(i);
      EXPECT_EQ(pong.recv(), i);
      ASSERT_EQ(gettid(), mine);
      if (i % 50 == 0) {
        gosched();
        sleep_for(1us);
        blocking([] { usleep(100); });
        ASSERT_EQ(gettid(), mine);
      }
    }
    ping.close();
    EXPECT_EQ(pong.recv(), std::nullopt);
    unlock_os_thread();
  });
}

TEST_P(LockOsThread, NobodyElseRunsThere) {
  run([] {
    auto started = make_chan<pid_t>(), stop = make_chan<int>();
    auto ended = make_chan<int>();
    go([=] {
      lock_os_thread();
      started.send(gettid());
      stop.recv();
      unlock_os_thread();
      ended.send(1);
    });
    pid_t locked = *started.recv();
    std::atomic<int> strangers{0};
    WaitGroup wg;
    for (int i = 0; i < 100; i++) {
      wg.go([&] {
        for (int k = 0; k < 10; k++) {
          if (gettid() == locked) strangers.fetch_add(1);
          gosched();
        }
      });
    }
    wg.wait();
    EXPECT_EQ(strangers.load(), 0);
    stop.close();
    ended.recv();
  });
}

TEST_P(LockOsThread, Nests) {
  run([] {
    lock_os_thread();
    lock_os_thread();
    pid_t mine = gettid();
    unlock_os_thread();
    for (int i = 0; i < 20; i++) {
      sleep_for(10us);
      ASSERT_EQ(gettid(), mine);
    }
    unlock_os_thread();
    unlock_os_thread();  // one too many: nothing
  });
}

TEST_P(LockOsThread, TwoOfThemTalk) {
  run([] {
    auto ch = make_chan<int>();
    auto done = make_chan<int>();
    go([=] {
      lock_os_thread();
      for (int v : ch) (void)v;
      done.send(1);  // ends locked
    });
    lock_os_thread();
    for (int i = 0; i < scaled(2000); i++) ch.send(i);
    ch.close();
    done.recv();
    unlock_os_thread();
  });
}

// It comes out of a blocking call while the other one gives the last P up: whoever is late sees the
// other. Lost, the program would stand still for ever.
TEST_P(LockOsThread, IsNotForgottenInLineForAP) {
  run([] {
    auto spin = [](std::chrono::nanoseconds time) {
      auto end = std::chrono::steady_clock::now() + time;
      while (std::chrono::steady_clock::now() < end) {
      }
    };
    auto ch = make_chan<int>(1), done = make_chan<int>();
    go([=] {
      for (int ns : ch) spin(std::chrono::nanoseconds(ns));
      done.send(1);
    });
    lock_os_thread();
    std::minstd_rand random(1);
    for (int i = 0; i < scaled(20'000); i++) {
      ch.send(static_cast<int>(random() % 40'000));
      blocking([&] { spin(std::chrono::nanoseconds(20'000 + random() % 60'000)); });
    }
    ch.close();
    done.recv();
    unlock_os_thread();
  });
}

TEST_P(LockOsThread, WhoEndsLockedEndsTheThread) {
  run([] {
    auto tid = make_chan<pid_t>(1);
    go([=] {
      lock_os_thread();
      tid.send(gettid());
    });
    pid_t gone = *tid.recv();
    EXPECT_TRUE(eventually(
        [&] { return access(("/proc/self/task/" + std::to_string(gone)).c_str(), F_OK) != 0; }));
  });
}

}  // namespace
}  // namespace weir::testing
