// The thread that asks targets: it is never waited for, spares who is slow, and keeps asking.

#include "top/feed.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <semaphore>
#include <stdexcept>
#include <thread>

namespace weir::tools::top {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Polls until `check` holds; false: not within a minute.
template <class F>
bool eventually(F check) {
  for (int i = 0; i < 6000; ++i) {
    if (check()) return true;
    std::this_thread::sleep_for(milliseconds(10));
  }
  return false;
}

TEST(TopFeed, SlowTargetsAreBusyWithItForATenthOfTheTime) {
  EXPECT_EQ(pause_after(seconds(2), milliseconds(50)), seconds(2));
  EXPECT_EQ(pause_after(seconds(2), seconds(1)), seconds(9));
}

TEST(TopFeed, PausesGrowWithFailuresUpToABound) {
  EXPECT_EQ(pause_after_failures(seconds(2), 1), seconds(2));
  EXPECT_EQ(pause_after_failures(seconds(2), 2), seconds(4));
  EXPECT_EQ(pause_after_failures(seconds(2), 4), seconds(16));
  EXPECT_EQ(pause_after_failures(seconds(2), 1'000'000), seconds(30));
  EXPECT_EQ(pause_after_failures(seconds(60), 9), seconds(60));
}

TEST(TopFeed, TellsEachSample) {
  std::atomic<int> told{0};
  Feed feed(
      [n = uint64_t{0}](int64_t) mutable {
        Sample s;
        s.total = ++n;
        return s;
      },
      milliseconds(1), [&told] { ++told; });
  EXPECT_TRUE(eventually([&] { return feed.latest() && feed.latest()->total >= 3; }));
  EXPECT_GE(told, 2);
  EXPECT_GT(feed.status().last_good_ns, 0);
  while (!feed.stop()) std::this_thread::yield();
}

TEST(TopFeed, KeepsTheLastSampleWhileTheTargetFailsAndRecovers) {
  const auto mode = std::make_shared<std::atomic<int>>(0);
  Feed feed(
      [mode](int64_t) {
        if (*mode == 1) throw std::runtime_error("connection refused");
        Sample s;
        s.total = *mode == 0 ? 7 : 8;
        return s;
      },
      milliseconds(1), [] {});
  ASSERT_TRUE(eventually([&] { return feed.latest() != nullptr; }));
  *mode = 1;
  ASSERT_TRUE(eventually([&] { return feed.status().failure == "connection refused"; }));
  EXPECT_EQ(feed.latest()->total, 7U);
  *mode = 2;
  feed.ask_now();
  EXPECT_TRUE(eventually([&] { return feed.latest()->total == 8; }));
  EXPECT_TRUE(eventually([&] { return feed.status().failure.empty(); }));
}

TEST(TopFeed, NobodyWaitsForATargetThatHangs) {
  struct Hang {
    std::promise<void> answer;
    std::shared_future<void> answered{answer.get_future()};
    std::atomic<bool> done{false};
  };
  const auto hang = std::make_shared<Hang>();
  {
    Feed feed(
        [hang](int64_t) {
          hang->answered.wait();
          hang->done = true;
          return Sample();
        },
        milliseconds(1), [] {});
    ASSERT_TRUE(eventually([&] { return feed.status().asking; }));
    EXPECT_EQ(feed.latest(), nullptr);
    EXPECT_FALSE(feed.stop());
  }  // and it is gone
  hang->answer.set_value();
  EXPECT_TRUE(eventually([&] { return hang->done.load(); }));
}

TEST(TopFeed, AsksAtOnceWhenToldTo) {
  const auto asked = std::make_shared<std::counting_semaphore<>>(0);
  Feed feed(
      [asked](int64_t) {
        asked->release();
        return Sample();
      },
      std::chrono::hours(1), [] {});
  ASSERT_TRUE(asked->try_acquire_for(seconds(60)));
  ASSERT_TRUE(eventually([&] { return feed.latest() != nullptr; }));
  feed.ask_now();
  EXPECT_TRUE(asked->try_acquire_for(seconds(60)));
}

}  // namespace
}  // namespace weir::tools::top
