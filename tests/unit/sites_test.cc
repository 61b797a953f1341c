// Sites: what is one, what is not, and that their ids last.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <weir/profiler/sites.h>

#include "snapshot_builder.h"

namespace weir::profiler {
namespace {

using testing::SnapshotBuilder;

class SitesTest : public ::testing::Test {
 protected:
  Group& waiting(const char* function, const char* reason, std::vector<uint64_t> goids,
                 uint64_t address = 0x100) {
    Group& g = b.group(b.stack({b.runtime_call(0x10, "weir::rt::gopark"),
                                b.call(address, function, "app.cc", 7, 1),
                                b.call(0x900, "app::main", "main.cc", 1, 1)}),
                       reason, goids);
    g.created_by = b.call(0x800, "app::start", "start.cc", 3, 1);
    return g;
  }
  SnapshotBuilder b;
};

TEST_F(SitesTest, LabelsAndTheRestOfTheStackDoNotMatter) {
  waiting("app::work", "chan send", {1, 2}).labels = {{"tenant", "blue"}};
  waiting("app::work", "chan send", {3}).labels = {{"tenant", "red"}};
  Group& deeper = b.group(b.stack({b.call(0x100, "app::work", "app.cc", 7, 1),
                                   b.call(0x500, "app::other", "other.cc", 9, 1)}),
                          "chan send", {4});
  deeper.created_by = b.call(0x800, "app::start", "start.cc", 3, 1);
  const Sites sites(b.snapshot);
  ASSERT_EQ(sites.all().size(), 1U);
  EXPECT_EQ(sites.all()[0].count, 4U);
  EXPECT_THAT(sites.all()[0].groups, ::testing::ElementsAre(0, 1, 2));
}

TEST_F(SitesTest, PlaceReasonKindAndCreatorDo) {
  waiting("app::work", "chan send", {1, 2, 3});
  waiting("app::rest", "chan send", {4});
  waiting("app::work", "chan receive", {5});
  waiting("app::work", "chan send", {6}).object_kind = "http_body";
  waiting("app::work", "chan send", {7}).created_by = b.call(0x810, "app::again", "start.cc", 9, 1);
  waiting("app::work", "chan send", {8}).thread = true;
  const Sites sites(b.snapshot);
  ASSERT_EQ(sites.all().size(), 6U);
  EXPECT_EQ(sites.all()[0].count, 3U) << "most goroutines first";
  for (uint32_t g = 0; g < 6; g++) {
    EXPECT_EQ(sites.find(sites.of_group(g).id), &sites.of_group(g));
    EXPECT_THAT(sites.of_group(g).groups, ::testing::ElementsAre(g));
  }
  EXPECT_EQ(sites.find(1), nullptr);
}

TEST_F(SitesTest, WhoRunsIsAnywhereInItsLoop) {
  waiting("app::spin", "", {1}).stack = 12345;  // it did not show its stack in time
  waiting("app::spin", "", {2, 3});
  waiting("app::step", "", {4});
  waiting("app::other", "", {5}).created_by = b.call(0x810, "app::again", "start.cc", 9, 1);
  const Sites sites(b.snapshot);
  ASSERT_EQ(sites.all().size(), 2U);
  EXPECT_EQ(sites.all()[0].count, 4U);
  EXPECT_THAT(names_of(b.snapshot, sites.all()[0]).blocked_at.function,
              ::testing::AnyOf("app::spin", "app::step"));
}

TEST_F(SitesTest, IdsAreOfNamesNotOfAddresses) {
  waiting("app::work", "chan send", {1});
  const uint64_t id = Sites(b.snapshot).all()[0].id;
  SnapshotBuilder next;
  std::swap(b, next);
  b.runtime_call(0x77, "something else first");
  waiting("app::work", "chan send", {99}, 0x7777);
  EXPECT_EQ(Sites(b.snapshot).all()[0].id, id);
}

TEST_F(SitesTest, LocksAndLibrariesAreNotWhereItIsBlocked) {
  const auto at = [&](std::vector<const char*> functions) {
    std::vector<uint32_t> locations;
    for (const char* f : functions) locations.push_back(b.call(0x1, f, "x", 1, 1));
    const Group& g = b.group(b.stack(std::move(locations)), "semacquire", {1});
    return blocked_at(b.snapshot, g).function;
  };
  EXPECT_EQ(at({"sync.(*Mutex).Lock", "main.withdraw", "main.main"}), "main.withdraw");
  EXPECT_EQ(at({"internal/poll.(*FD).Read", "net.(*netFD).Read", "net.(*conn).Read", "main.read"}),
            "main.read");
  EXPECT_EQ(at({"std::unique_lock<weir::Mutex>::lock", "bank::transfer"}), "bank::transfer");
  EXPECT_EQ(at({"weir::http::Client::get", "0x7fd8357190c2", "httplib::send", "app::ask"}),
            "app::ask");
  EXPECT_EQ(at({"weir::http::Wire::take", "0x7fd8357190c2"}), "weir::http::Wire::take");
  EXPECT_EQ(at({"sync.(*Mutex).Lock"}), "sync.(*Mutex).Lock") << "there is nothing better";
  EXPECT_EQ(at({}), "");
}

TEST_F(SitesTest, WhatPointsNowhereIsASiteWithoutNames) {
  Group& g = b.group(12345, "select", {1});
  g.created_by = 777;
  const Sites sites(b.snapshot);
  ASSERT_EQ(sites.all().size(), 1U);
  const SiteNames names = names_of(b.snapshot, sites.all()[0]);
  EXPECT_EQ(names.wait, "select");
  EXPECT_EQ(names.created_by.function, "");
  EXPECT_EQ(names.blocked_at.function, "");
}

}  // namespace
}  // namespace weir::profiler
