// A service's instances compared.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include <weir/profiler/fleet.h>

#include "snapshot_builder.h"

namespace weir::profiler {
namespace {

using testing::SnapshotBuilder;

struct Crowd {
  std::string function, reason, kind;
  uint64_t count;
};

Snapshot instance(const std::vector<Crowd>& crowds) {
  SnapshotBuilder b;
  b.snapshot.source = "pprof";
  uint64_t address = 0x100;
  for (const Crowd& c : crowds) {
    Group& g =
        b.counted(b.stack({b.call(address++, c.function, "svc.go", 7, 1)}), c.reason, c.count);
    g.object_kind = c.kind;
  }
  return std::move(b.snapshot);
}

TEST(Fleet, RanksByRootMeanSquareWhatReachesTheThreshold) {
  const std::vector<Snapshot> fleet = {
      instance(
          {{"main.peak", "chan send", "chan", 40'000}, {"main.flat", "select", "chan", 12'000}}),
      instance({{"main.peak", "chan send", "chan", 10}, {"main.flat", "select", "chan", 12'000}}),
      instance(
          {{"main.flat", "select", "chan", 12'000}, {"main.small", "chan send", "chan", 9'999}}),
      instance({{"main.peak", "chan send", "chan", 10}})};
  const auto found = compare_fleet(fleet);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].names.blocked_at.function, "main.peak");
  EXPECT_NEAR(found[0].rms, 20'000, 1) << "sqrt(40000^2 / 4)";
  EXPECT_EQ(found[0].total, 40'020U);
  EXPECT_EQ(found[0].most, 40'000U);
  EXPECT_EQ(found[0].most_in, 0U);
  EXPECT_EQ(found[0].instances, 3U);
  EXPECT_EQ(found[1].names.blocked_at.function, "main.flat");
  EXPECT_NEAR(found[1].rms, 12'000 * 0.8660254, 1);
  EXPECT_EQ(compare_fleet(fleet, {.threshold = 9'000}).size(), 3U);
}

TEST(Fleet, ConnectionsAndRunnersAreNoLeaks) {
  const std::vector<Snapshot> fleet = {
      instance({{"main.serve", "IO wait", "io", 50'000}, {"main.spin", "", "", 50'000}})};
  EXPECT_TRUE(compare_fleet(fleet).empty());
}

TEST(Fleet, OfNobodyIsEmpty) {
  EXPECT_TRUE(compare_fleet({}).empty());
  EXPECT_TRUE(compare_fleet(std::vector<Snapshot>(3)).empty());
}

}  // namespace
}  // namespace weir::profiler
