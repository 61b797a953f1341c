// The block and mutex profiles: what is recorded, for whom, with what times; and that Go's pprof
// reads them.
#include <gtest/gtest.h>

#include <chrono>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <thread>

#include <weir/profiler/profile.h>
#include <weir/profiling.h>
#include <weir/weir.h>

#include "profile_test_util.h"
#include "test_util.h"

// Functions to be found by name.
namespace kept {

using namespace weir;

[[gnu::noinline]] void on_receive(chan<int> c) { c.recv(); }
[[gnu::noinline]] void on_send(chan<int> c) { c.send(1); }
[[gnu::noinline]] void on_select(chan<int> a, chan<int> b) { select(on_recv(a), on_recv(b)); }
[[gnu::noinline]] void on_mutex(Mutex& mu) { std::scoped_lock hold(mu); }
[[gnu::noinline]] void on_read_lock(RWMutex& rw) { std::shared_lock hold(rw); }
[[gnu::noinline]] void on_write_lock(RWMutex& rw) { std::scoped_lock hold(rw); }
[[gnu::noinline]] void on_wait_group(WaitGroup& wg) { wg.wait(); }
[[gnu::noinline]] void on_cond(Mutex& mu, Cond& cond) {
  mu.lock();
  cond.wait(mu);
  mu.unlock();
}
[[gnu::noinline]] void on_semaphore(Semaphore& s) {
  s.acquire();
  s.release();
}
[[gnu::noinline]] void on_sleep(std::chrono::milliseconds d) { sleep_for(d); }
[[gnu::noinline]] void on_receive_in_thread(chan<int> c) { c.recv(); }

// The one who keeps the others waiting. The unlock is its last act.
[[gnu::noinline]] void keeper(Mutex& mu) { mu.unlock(); }
[[gnu::noinline]] void write_keeper(RWMutex& rw) { rw.unlock(); }
[[gnu::noinline]] void read_keeper(RWMutex& rw) { rw.unlock_shared(); }

}  // namespace kept

namespace weir::profiler {
namespace {

using introspect::WaitReason;
using std::chrono::milliseconds;
using weir::testing::go_with_id;
using weir::testing::waits;
using namespace weir::profiler::testing;

constexpr size_t kCount = 0, kDelay = 1;
constexpr milliseconds kHold{5};

// Profiles are sums since the program started; these are of one test.
class ContentionProfile : public ::testing::Test {
 protected:
  void start(int64_t block_rate, int mutex_fraction) {
    block_ = block_profile();
    mutex_ = mutex_profile();
    set_block_profile_rate(block_rate);
    set_mutex_profile_fraction(mutex_fraction);
  }
  void TearDown() override {
    set_block_profile_rate(0);
    set_mutex_profile_fraction(0);
  }
  Profile block() const { return delta(block_, block_profile()); }
  Profile mutex() const { return delta(mutex_, mutex_profile()); }

  // Starts f, which will wait for `reason`, lets it wait, ends the wait by `wake`, and awaits f.
  template <class F, class Wake>
  static void wait_for_a_while(WaitReason reason, F f, Wake wake) {
    WaitGroup done;
    done.add(1);
    const uint64_t id = go_with_id([&] {
      f();
      done.done();
    });
    EXPECT_TRUE(waits(id, reason));
    sleep_for(kHold);
    wake();
    done.wait();
  }

 private:
  Profile block_, mutex_;
};

void expect_waited(const Profile& p, std::string_view function) {
  EXPECT_EQ(sum(p, kCount, function), 1) << function;
  EXPECT_GE(sum(p, kDelay, function), std::chrono::nanoseconds(kHold).count()) << function;
}

TEST_F(ContentionProfile, EachWaitIsRecordedByTheOneWhoWaited) {
  start(1, 0);
  run([] {
    auto a = make_chan<int>(), b = make_chan<int>();
    wait_for_a_while(
        WaitReason::chan_receive, [&] { kept::on_receive(a); }, [&] { a.send(1); });
    wait_for_a_while(
        WaitReason::chan_send, [&] { kept::on_send(a); }, [&] { a.recv(); });
    wait_for_a_while(
        WaitReason::select, [&] { kept::on_select(a, b); }, [&] { b.send(1); });
    Mutex mu;
    mu.lock();
    wait_for_a_while(
        WaitReason::mutex_lock, [&] { kept::on_mutex(mu); }, [&] { mu.unlock(); });
    RWMutex rw;
    rw.lock();
    wait_for_a_while(
        WaitReason::rwmutex_rlock, [&] { kept::on_read_lock(rw); }, [&] { rw.unlock(); });
    rw.lock_shared();
    wait_for_a_while(
        WaitReason::rwmutex_lock, [&] { kept::on_write_lock(rw); }, [&] { rw.unlock_shared(); });
    WaitGroup wg;
    wg.add(1);
    wait_for_a_while(
        WaitReason::waitgroup_wait, [&] { kept::on_wait_group(wg); }, [&] { wg.done(); });
    Cond cond;
    wait_for_a_while(
        WaitReason::cond_wait, [&] { kept::on_cond(mu, cond); }, [&] { cond.signal(); });
    Semaphore s(1);
    s.acquire();
    wait_for_a_while(
        WaitReason::semacquire, [&] { kept::on_semaphore(s); }, [&] { s.release(); });
    kept::on_sleep(kHold);
  });
  const Profile p = block();
  for (const char* function : {"kept::on_receive", "kept::on_send", "kept::on_select",
                               "kept::on_mutex", "kept::on_read_lock", "kept::on_write_lock",
                               "kept::on_wait_group", "kept::on_cond", "kept::on_semaphore"}) {
    expect_waited(p, function);
  }
  EXPECT_EQ(sum(p, kCount, "kept::on_sleep"), 0) << "a sleep is no contention";
  EXPECT_EQ(sum(mutex(), kCount), 0) << "it is off";
  for (const Stack& s : p.symbols.stacks) EXPECT_FALSE(s.truncated);
}

TEST_F(ContentionProfile, APlainThreadWaitsToo) {
  start(1, 0);
  auto c = make_chan<int>();
  const auto ready = std::make_shared<std::atomic<uint64_t>>(0);
  std::thread waiter([&] {
    *ready = goid();
    kept::on_receive_in_thread(c);
  });
  run([&] {
    EXPECT_TRUE(weir::testing::eventually([&] {
      const auto look = weir::testing::look_at(*ready);
      return look && look->g.state == introspect::State::waiting;
    }));
    sleep_for(kHold);
    c.send(1);
  });
  waiter.join();
  expect_waited(block(), "kept::on_receive_in_thread");
}

TEST_F(ContentionProfile, NothingIsRecordedWhileItIsOff) {
  start(0, 0);
  run([] {
    Mutex mu;
    mu.lock();
    wait_for_a_while(
        WaitReason::mutex_lock, [&] { kept::on_mutex(mu); }, [&] { kept::keeper(mu); });
  });
  EXPECT_EQ(sum(block(), kCount), 0);
  EXPECT_EQ(sum(mutex(), kCount), 0);
}

TEST_F(ContentionProfile, TheUnlockerIsBlamedForAllWhoWaited) {
  start(0, 1);
  constexpr int kWaiters = 3;
  run([] {
    Mutex mu;
    mu.lock();
    WaitGroup done;
    for (int i = 0; i < kWaiters; i++) {
      done.add(1);
      const uint64_t id = go_with_id([&] {
        kept::on_mutex(mu);
        done.done();
      });
      EXPECT_TRUE(waits(id, WaitReason::mutex_lock));
    }
    sleep_for(kHold);
    kept::keeper(mu);
    done.wait();
    RWMutex rw;
    rw.lock();
    wait_for_a_while(
        WaitReason::rwmutex_rlock, [&] { kept::on_read_lock(rw); },
        [&] { kept::write_keeper(rw); });
    rw.lock_shared();
    wait_for_a_while(
        WaitReason::rwmutex_lock, [&] { kept::on_write_lock(rw); }, [&] { kept::read_keeper(rw); });
  });
  const Profile p = mutex();
  const int64_t hold = std::chrono::nanoseconds(kHold).count();
  EXPECT_EQ(sum(p, kCount, "kept::keeper"), 1);
  EXPECT_GE(sum(p, kDelay, "kept::keeper"), kWaiters * hold) << "all of them waited for it";
  EXPECT_GE(sum(p, kDelay, "kept::write_keeper"), hold);
  EXPECT_GE(sum(p, kDelay, "kept::read_keeper"), hold);
  EXPECT_EQ(sum(block(), kCount), 0) << "it is off";
}

TEST_F(ContentionProfile, SumsAreRightThoughFewEventsAreRecorded) {
  // Waits far shorter than the rate: few are recorded, and stand for the others.
  constexpr int kRounds = 4000;
  constexpr auto kEach = std::chrono::microseconds(50);
  start(std::chrono::nanoseconds(kEach).count() * 20, 0);
  std::chrono::nanoseconds waited{0};
  run(
      [&] {
        auto c = make_chan<int>();
        go([c, kEach]() mutable {
          for (int i = 0; i < kRounds; i++) {
            const auto until = std::chrono::steady_clock::now() + kEach;
            while (std::chrono::steady_clock::now() < until) {
            }
            c.send(i);
            gosched();
          }
        });
        for (int i = 0; i < kRounds; i++) {
          const auto before = std::chrono::steady_clock::now();
          kept::on_receive(c);
          waited += std::chrono::steady_clock::now() - before;
        }
      },
      {.maxprocs = 2});
  const Profile p = block();
  const auto estimate = static_cast<double>(sum(p, kDelay, "kept::on_receive"));
  // About 200 events: 7 % of standard deviation.
  EXPECT_GT(estimate, 0.6 * static_cast<double>(waited.count()));
  EXPECT_LT(estimate, 1.4 * static_cast<double>(waited.count()));
  EXPECT_GT(sum(p, kCount, "kept::on_receive"), kRounds / 2);
  EXPECT_LT(sum(p, kCount, "kept::on_receive"), kRounds * 2);
}

TEST_F(ContentionProfile, AFractionOfMutexEventsStandsForAll) {
  constexpr int kFraction = 7;
  start(0, kFraction);
  run([&] {
    EXPECT_TRUE(weir::testing::eventually([&] {
      Mutex mu;
      mu.lock();
      WaitGroup done;
      done.add(1);
      const uint64_t id = go_with_id([&] {
        kept::on_mutex(mu);
        done.done();
      });
      EXPECT_TRUE(waits(id, WaitReason::mutex_lock));
      kept::keeper(mu);
      done.wait();
      return sum(mutex(), kCount, "kept::keeper") > 0;
    }));
  });
  EXPECT_EQ(sum(mutex(), kCount, "kept::keeper") % kFraction, 0);
}

TEST_F(ContentionProfile, Settings) {
  EXPECT_EQ(set_mutex_profile_fraction(3), 0);
  EXPECT_EQ(set_mutex_profile_fraction(-1), 3) << "a question";
  EXPECT_EQ(set_mutex_profile_fraction(0), 3);
  set_block_profile_rate(-5);
  EXPECT_EQ(block_profile_rate(), 0);
  set_block_profile_rate(100);
  EXPECT_EQ(block_profile_rate(), 100);
}

TEST_F(ContentionProfile, PprofReadsBothFormats) {
  start(1, 1);
  run([] {
    Mutex mu;
    mu.lock();
    wait_for_a_while(
        WaitReason::mutex_lock, [&] { kept::on_mutex(mu); }, [&] { kept::keeper(mu); });
  });
  const Profile b = block(), m = mutex();
  for (const auto& [profile, function] : {std::pair(&b, "kept::on_mutex"), {&m, "kept::keeper"}}) {
    const std::string top = pprof("-top", *profile);
    EXPECT_NE(top.find("Type: delay"), top.npos) << top;
    EXPECT_NE(top.find(function), top.npos) << top;
    const std::string raw = pprof("-raw", *profile);
    EXPECT_NE(raw.find("PeriodType: contentions count\nPeriod: 1\n"), raw.npos) << raw;
    EXPECT_NE(raw.find("contentions/count delay/nanoseconds"), raw.npos) << raw;
    EXPECT_NE(pprof("-traces", *profile).find(function), std::string::npos);

    const std::string text = written(write_debug1, *profile);
    EXPECT_NE(text.find(function), text.npos) << text;
    const std::string legacy = pprof("-symbolize=none -raw", *profile, write_debug1);
    const Profile::Sample& first = profile->samples.at(0);
    EXPECT_NE(legacy.find(" " + std::to_string(first.values[1]) + ": "), legacy.npos)
        << legacy << "\nfrom\n"
        << text;
  }
  EXPECT_EQ(written(write_debug1, b).rfind("--- contention:\ncycles/second=1000000000\n", 0), 0U);
  EXPECT_EQ(written(write_debug1, m).rfind("--- mutex:\ncycles/second=1000000000\n", 0), 0U);
}

// The profiler's own thread does not count as one that might wake somebody.
TEST(ContentionProfileDeath, ADeadlockIsStillFound) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(run([] {
                set_block_profile_rate(1);
                auto c = make_chan<int>();
                go([c]() mutable { c.send(1); });
                kept::on_receive(c);
                kept::on_receive(c);
              }),
              ::testing::ExitedWithCode(2), "fatal error: all goroutines are asleep - deadlock!");
}

}  // namespace
}  // namespace weir::profiler
