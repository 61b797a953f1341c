// after, Timer, after_func, Ticker: never early, no stale ticks, nothing left behind.

#include <weir/timer.h>

#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "test_util.h"

namespace weir::testing {
namespace {

using namespace std::chrono_literals;
using introspect::WaitReason;
using std::chrono::steady_clock;

WEIR_FOR_ALL_PROCS(TimerTest);

// Long enough never to come in a test.
constexpr auto kNever = 24h;

TEST_P(TimerTest, AfterSendsTheTimeOnceAndIsNotEarly) {
  run([] {
    for (auto d : {1us, 200us, 3000us}) {
      auto start = steady_clock::now();
      auto c = after(d);
      auto tick = c.recv();
      ASSERT_TRUE(tick);
      EXPECT_GE(*tick - start, d);
      EXPECT_GE(steady_clock::now(), *tick);
      EXPECT_FALSE(c.try_recv());
    }
  });
}

TEST_P(TimerTest, NotPositiveIsAtOnce) {
  run([] {
    EXPECT_TRUE(after(0s).recv());
    EXPECT_TRUE(after(-1h).recv());
    EXPECT_TRUE(after(std::chrono::hours::min()).recv());
  });
}

TEST_P(TimerTest, TheLongestDurationsDoNotOverflow) {
  run([] {
    auto a = after(std::chrono::hours::max());
    auto b = after(std::chrono::nanoseconds::max());
    auto c = after(std::chrono::duration<double>(1e300));
    Timer t(std::chrono::years::max());
    sleep_for(3ms);
    EXPECT_FALSE(a.try_recv() || b.try_recv() || c.try_recv() || t.c().try_recv());
    EXPECT_TRUE(t.stop());
    sleep_until(steady_clock::time_point::min());
    uint64_t id = go_with_id([] { sleep_until(steady_clock::time_point::max()); });
    EXPECT_TRUE(waits(id, WaitReason::sleep));
    id = go_with_id([] { sleep_for(std::chrono::hours::max()); });
    EXPECT_TRUE(waits(id, WaitReason::sleep));
  });
}

TEST_P(TimerTest, TheChannelLooksUnbuffered) {
  run([] {
    Timer t(1us);
    EXPECT_EQ(t.c().cap(), 0u);
    EXPECT_TRUE(eventually([&] {
      EXPECT_EQ(t.c().len(), 0u);
      return t.c().try_recv().has_value();
    }));
  });
}

TEST_P(TimerTest, AWaiterShowsWhatItWaitsFor) {
  run([] {
    Timer t(kNever);
    WaitGroup wg;
    wg.add(2);
    uint64_t receiver = go_with_id([&, t] {
      t.c().recv();
      wg.done();
    });
    uint64_t selector = go_with_id([&, t] {
      select(on_recv(t.c()), on_recv(chan<int>()));
      wg.done();
    });
    ASSERT_TRUE(waits(receiver, WaitReason::chan_receive));
    ASSERT_TRUE(waits(selector, WaitReason::select));
    introspect::Object o = look_at(receiver)->g.objects[0];
    EXPECT_EQ(o.address, t.c().core());
    EXPECT_TRUE(o.timer);
    EXPECT_TRUE(o.armed);
    EXPECT_EQ(o.cap, 0u);
    EXPECT_NE(o.made_pc, nullptr);
    EXPECT_TRUE(t.stop());
    EXPECT_FALSE(look_at(receiver)->g.objects[0].armed);
    for (int i = 0; i < 2; i++) {
      t.reset(1us);  // one tick is for one of them
      EXPECT_TRUE(eventually([&] {
        int left = 0;
        for_each_goroutine(
            [&](const Look& l) { left += l.g.goid == receiver || l.g.goid == selector; });
        return left <= 1 - i;
      }));
    }
    wg.wait();
  });
}

TEST_P(TimerTest, StopTellsWhetherTheTickWasStillToBeHad) {
  run([] {
    Timer t(kNever);
    EXPECT_TRUE(t.stop());
    EXPECT_FALSE(t.stop()) << "stopped before";
    Timer received(1us);
    received.c().recv();
    EXPECT_FALSE(received.stop()) << "ticked";
    Timer unread(1us);
    sleep_for(2ms);
    EXPECT_TRUE(unread.stop()) << "nobody saw it tick";
    EXPECT_FALSE(unread.c().try_recv()) << "and nobody will";
  });
}

TEST_P(TimerTest, ResetTellsTheSameAndTicksAgain) {
  run([] {
    Timer t(kNever);
    EXPECT_TRUE(t.reset(1us));
    EXPECT_TRUE(t.c().recv());
    EXPECT_FALSE(t.reset(1us));
    sleep_for(2ms);
    EXPECT_TRUE(t.reset(kNever)) << "the tick was not received";
    EXPECT_FALSE(t.c().try_recv()) << "and is gone";
    EXPECT_TRUE(t.stop());
    EXPECT_FALSE(t.reset(1us));
    EXPECT_TRUE(t.c().recv());
  });
}

// A tick from before stop or reset is never received after it, however close they are.
TEST_P(TimerTest, NoStaleTicks) {
  run([] {
    for (int i = 0; i < scaled(4000); i++) {
      Timer t(std::chrono::microseconds(i % 40));
      for (int j = 0; j < i % 7; j++) gosched();
      bool pending = t.stop();
      EXPECT_TRUE(pending) << "nobody received it";
      ASSERT_FALSE(t.c().try_recv());
      auto reset = steady_clock::now();
      t.reset(std::chrono::microseconds(i % 3));
      auto tick = t.c().recv();
      ASSERT_TRUE(tick);
      ASSERT_GE(*tick, reset);
    }
  });
}

TEST_P(TimerTest, AfterFuncRunsInAGoroutineOfItsOwn) {
  run([] {
    auto ran = make_chan<uint64_t>();
    auto start = steady_clock::now();
    Timer t = after_func(3ms, [ran] { ran.send(goid()); });
    EXPECT_FALSE(t.c()) << "a nil channel";
    EXPECT_NE(ran.recv(), goid());
    EXPECT_GE(steady_clock::now() - start, 3ms);
    EXPECT_FALSE(t.stop());
    after_func(1us, [ran] { ran.send(2); });  // dropped: runs all the same
    EXPECT_EQ(ran.recv(), 2u);
  });
}

TEST_P(TimerTest, AfterFuncMayBlockAndIsSeen) {
  run([] {
    auto ids = make_chan<uint64_t>(1);
    auto end = make_chan<int>();
    WaitGroup wg;
    wg.add(1);
    with_labels({{"k", "v"}}, [&] {
      after_func(1us, [&, ids, end] {
        ids.send(goid());
        end.recv();
        wg.done();
      });
    });
    uint64_t id = *ids.recv();
    ASSERT_TRUE(waits(id, WaitReason::chan_receive));
    auto look = look_at(id);
    EXPECT_EQ(look->g.parent_goid, goid()) << "who called after_func";
    EXPECT_NE(look->g.gopc, nullptr);
    EXPECT_NE(look->g.labels, nullptr) << "has its labels, too";
    end.close();
    wg.wait();
  });
}

TEST_P(TimerTest, AStoppedAfterFuncNeverRunsAndIsFreed) {
  run([] {
    int before = Tracked::live();
    std::atomic<int> ran{0};
    for (int i = 0; i < scaled(1000); i++) {
      Timer t = after_func(kNever, [&ran, held = Tracked(1)] { ran++; });
      Timer copy = t;
      EXPECT_TRUE(copy.stop());
      EXPECT_FALSE(t.stop());
    }
    EXPECT_EQ(Tracked::live(), before);
    EXPECT_EQ(ran.load(), 0);
  });
}

TEST_P(TimerTest, AfterFuncRunsOncePerTickOfAResetTimer) {
  run([] {
    int before = Tracked::live();
    {
      auto ran = make_chan<int>(10);
      Timer t = after_func(kNever, [ran, held = Tracked(1)] { ran.send(1); });
      EXPECT_TRUE(t.reset(1us));
      EXPECT_TRUE(ran.recv());
      for (int i = 0; i < 5; i++) {
        EXPECT_FALSE(t.reset(1us));
        EXPECT_TRUE(ran.recv());
      }
      EXPECT_FALSE(ran.try_recv());
    }
    EXPECT_TRUE(eventually([&] { return Tracked::live() == before; }))
        << "its goroutine drops the function at its end";
  });
}

TEST_P(TimerTest, StopOfAfterFuncIsExact) {
  run([] {
    for (int i = 0; i < scaled(2000); i++) {
      std::atomic<int> ran{0};
      Timer t = after_func(std::chrono::microseconds(i % 30), [&] { ran++; });
      for (int j = 0; j < i % 5; j++) gosched();
      if (t.stop()) {
        ASSERT_EQ(ran.load(), 0);
      } else {
        ASSERT_TRUE(eventually([&] { return ran == 1; }));
      }
    }
  });
}

TEST_P(TimerTest, ATickerTicks) {
  run([] {
    const auto start = steady_clock::now();
    Ticker t(2ms);
    steady_clock::time_point last = start;
    for (int i = 1; i <= 5; i++) {
      auto tick = t.c().recv();
      ASSERT_TRUE(tick);
      EXPECT_GT(*tick, last);
      EXPECT_GE(*tick - start, i * 2ms);
      last = *tick;
    }
  });
}

TEST_P(TimerTest, ASlowReceiverLosesTicks) {
  run([] {
    Ticker t(1ms);
    sleep_for(20ms);
    steady_clock::time_point before;
    ASSERT_TRUE(eventually([&] {
      before = steady_clock::now();
      return t.c().try_recv().has_value();
    })) << "one is kept";
    EXPECT_GE(*t.c().recv(), before) << "the others were dropped";
  });
}

TEST_P(TimerTest, AStoppedTickerIsSilentUntilReset) {
  run([] {
    Ticker t(1ms);
    t.c().recv();
    sleep_for(5ms);
    t.stop();
    EXPECT_FALSE(t.c().try_recv());
    sleep_for(5ms);
    EXPECT_FALSE(t.c().try_recv());
    auto start = steady_clock::now();
    t.reset(3ms);
    EXPECT_GE(*t.c().recv() - start, 3ms);
    EXPECT_GE(*t.c().recv() - start, 6ms);
    t.reset(kNever);
    EXPECT_FALSE(t.c().try_recv());
  });
}

TEST_P(TimerTest, ATickerNeedsAPositiveInterval) {
  run([] {
    auto text_of = [](auto f) -> std::string {
      try {
        f();
      } catch (const panic_error& e) {
        return e.what();
      }
      return "nothing thrown";
    };
    EXPECT_EQ(text_of([] { Ticker t(0s); }), "non-positive interval for NewTicker");
    EXPECT_EQ(text_of([] { Ticker t(-1s); }), "non-positive interval for NewTicker");
    Ticker t(1s);
    EXPECT_EQ(text_of([&] { t.reset(0s); }), "non-positive interval for Ticker.Reset");
  });
}

// Handles dropped in all orders while timers fire: what is freed is not touched (AddressSanitizer).
TEST_P(TimerTest, MayBeDroppedWhileTheyFire) {
  run([] {
    for (int i = 0; i < scaled(3000); i++) {
      { Timer t(std::chrono::microseconds(i % 5)); }
      { Ticker t(std::chrono::microseconds(1 + i % 5)); }
      auto c = Timer(std::chrono::microseconds(i % 5)).c();
      if (i % 3 == 0) gosched();
      if (i % 2 == 0) {
        EXPECT_TRUE(c.recv());
      }
      auto ticks = Ticker(std::chrono::microseconds(20)).c();
      if (i % 50 == 0) ticks.recv();
      select(on_recv(after(std::chrono::microseconds(i % 5))), on_recv(after(kNever)));
    }
  });
}

TEST_P(TimerTest, ManyAtOnceAndDroppedOnesCostNothing) {
  run([] {
    int n = scaled(1'000'000);
    auto start = steady_clock::now();
    {
      std::vector<recv_chan<steady_clock::time_point>> timers;
      timers.reserve(static_cast<size_t>(n));
      for (int i = 0; i < n; i++) timers.push_back(after(std::chrono::microseconds(i % 100'000)));
      for (auto& c : timers) ASSERT_TRUE(c.recv());
      for (auto& c : timers) c = after(kNever);
    }  // dropped: all are disarmed and freed
    RecordProperty("ns_each", std::to_string((steady_clock::now() - start).count() / n));
    EXPECT_LT(steady_clock::now() - start, 100s);
  });
}

TEST_P(TimerTest, OnPlainThreads) {
  run([] {
    std::atomic<bool> done{false};
    std::thread thread([&] {
      EXPECT_TRUE(after(1ms).recv());
      Ticker t(1ms);
      EXPECT_TRUE(t.c().recv());
      EXPECT_TRUE(t.c().recv());
      Timer u(kNever);
      EXPECT_TRUE(u.stop());
      auto ran = make_chan<int>();
      after_func(1us, [ran] { ran.send(1); });
      EXPECT_TRUE(ran.recv());
      done = true;
    });
    EXPECT_TRUE(eventually([&] { return done.load(); }));
    thread.join();
  });
}

TEST_P(TimerTest, MadeBeforeRunTheyTickOnceItRuns) {
  auto c = after(1us);
  Ticker t(1ms);
  auto ran = make_chan<int>(1);
  after_func(1us, [ran] { ran.send(7); });
  std::this_thread::sleep_for(3ms);
  EXPECT_FALSE(c.try_recv());
  run([&] {
    EXPECT_TRUE(c.recv());
    EXPECT_TRUE(t.c().recv());
    EXPECT_EQ(ran.recv(), 7);
  });
}

// Timers of a P that is gone go on elsewhere.
TEST_P(TimerTest, SurviveAChangeOfTheNumberOfProcessors) {
  run([this] {
    for (int round = 0; round < 10; round++) {
      gomaxprocs(4);
      std::vector<Timer> timers;
      WaitGroup wg;
      Mutex mu;
      for (int i = 0; i < 8; i++) {
        wg.go([&] {
          Timer stopped(kNever), ticks(2ms);
          std::scoped_lock hold(mu);
          timers.push_back(stopped);
          timers.push_back(ticks);
        });
      }
      wg.wait();
      gomaxprocs(1);
      for (size_t i = 0; i < timers.size(); i += 2) {
        EXPECT_TRUE(timers[i].stop());
        EXPECT_TRUE(timers[i + 1].c().recv());
      }
    }
    gomaxprocs(procs());
  });
}

}  // namespace
}  // namespace weir::testing
