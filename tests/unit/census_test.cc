// The count of goroutines by state and reason, what captures cost, and differences of goroutines.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include <weir/profiler/capture.h>
#include <weir/profiler/census.h>
#include <weir/profiler/profile.h>
#include <weir/weir.h>

#include "capture_test_util.h"
#include "reader_process.h"
#include "snapshot_builder.h"

namespace weir::profiler {
namespace {

using introspect::State;
using introspect::WaitReason;

uint64_t of(const Census& c, WaitReason reason) { return c.reasons[static_cast<size_t>(reason)]; }
uint64_t of(const Census& c, State state) { return c.states[static_cast<size_t>(state)]; }

TEST(Census, CountsByStateAndReason) {
  run([] {
    const auto c = make_chan<int>();
    const auto [ctx, cancel] = with_cancel(background());
    constexpr int kReceivers = 20;
    for (int i = 0; i < kReceivers; ++i) go([c] { c.recv(); });
    Census seen;
    // Polled: they have to get there.
    const auto all_wait = [&] {
      seen = blocking([] { return take_census(); });
      return of(seen, WaitReason::chan_receive) == kReceivers;
    };
    for (int i = 0; i < 10'000 && !all_wait(); ++i) sleep_for(std::chrono::milliseconds(1));
    EXPECT_EQ(of(seen, WaitReason::chan_receive), uint64_t{kReceivers});
    EXPECT_EQ(of(seen, State::waiting), uint64_t{kReceivers});
    EXPECT_EQ(of(seen, State::syscall), 1u) << "who counts, in weir::blocking";
    EXPECT_EQ(seen.goroutines, uint64_t{kReceivers} + 1);
    EXPECT_EQ(seen.threads, 0u);
    EXPECT_EQ(seen.active_contexts, 1u);
    EXPECT_GE(seen.duration_ns, 0);
    cancel();
    EXPECT_EQ(take_census().active_contexts, 0u);
    c.close();
  });
}

TEST(Census, ManyAskAtOnce) {
  run([] {
    const auto c = make_chan<int>();
    for (int i = 0; i < 100; ++i) go([c] { c.recv(); });
    gosched();
    blocking([] {
      std::vector<std::thread> all;
      for (int i = 0; i < 8; ++i) {
        all.emplace_back([] {
          for (int j = 0; j < 200; ++j) {
            EXPECT_GT(shared_census().goroutines, 0u);
            EXPECT_GT(shared_stack_bytes(), 0u);
          }
        });
      }
      for (std::thread& t : all) t.join();
      return 0;
    });
    c.close();
  });
}

TEST(CaptureStats, CountWhatCapturesCost) {
  const CaptureStats before = capture_stats();
  const Snapshot s = capture({.detail = Detail::groups});
  const CaptureStats after = capture_stats();
  EXPECT_EQ(after.count, before.count + 1);
  EXPECT_EQ(after.last_duration_ns, s.duration_ns);
  EXPECT_EQ(after.duration_ns, before.duration_ns + s.duration_ns);
  EXPECT_EQ(after.last_longest_hold_ns, s.longest_hold_ns);
  EXPECT_GE(after.longest_hold_ns, s.longest_hold_ns);
}

TEST(GoroutineProfile, DifferenceHasWhatCameAndWhatWent) {
  const auto taken = [](uint64_t receivers, uint64_t senders) {
    testing::SnapshotBuilder b;
    const uint32_t receive = b.stack({b.call(0x10, "receive", "a.cc", 1, 0)});
    const uint32_t send = b.stack({b.call(0x20, "send", "a.cc", 2, 0)});
    const uint32_t stay = b.stack({b.call(0x30, "stay", "a.cc", 3, 0)});
    if (receivers > 0) b.counted(receive, "chan receive", receivers).labels = {{"k", "v"}};
    if (senders > 0) b.counted(send, "chan send", senders);
    b.counted(stay, "sleep", 5).wait_ns = static_cast<int64_t>(receivers);
    return goroutine_profile(b.snapshot);
  };
  const Profile d = delta(taken(2, 3), taken(6, 0));
  ASSERT_EQ(d.samples.size(), 2u) << "who only waited on is no difference";
  EXPECT_EQ(d.samples[0].values, std::vector<int64_t>{4});
  EXPECT_EQ(d.samples[1].values, std::vector<int64_t>{-3});
  EXPECT_THAT(d.samples[0].labels, ::testing::Contains(std::pair("k", "v")));
  EXPECT_THAT(d.samples[1].labels, ::testing::Contains(std::pair("wait_reason", "chan send")));
}

}  // namespace
}  // namespace weir::profiler
