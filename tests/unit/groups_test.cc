// Groups without their members, and what is picked of a snapshot.
#include <gtest/gtest.h>
#include <weir/profiler/groups.h>
#include <weir/profiler/sites.h>

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "snapshot_builder.h"

namespace {

using namespace weir::profiler;
using nlohmann::json;
using weir::profiler::testing::SnapshotBuilder;

std::string written(const Snapshot& s) {
  std::string all;
  EXPECT_TRUE(write_groups_json(s, [&](std::string_view piece) {
    all += piece;
    return true;
  }));
  return all;
}

std::set<uint64_t> goids(const Snapshot& s) {
  std::set<uint64_t> all;
  for (const Group& g : s.groups) {
    for (const Member& m : g.members) all.insert(m.goid);
  }
  return all;
}

TEST(Groups, TellWhatDumpsShowOfThem) {
  SnapshotBuilder b;
  const uint32_t go = b.call(0x30, "main()", "main.cc", 9, 0);
  Group& g =
      b.group(b.stack({b.runtime_call(0x10, "gopark"), b.call(0x20, "work<a>()", "a.cc", 3, 0)}),
              "chan send", {7, 8, 9});
  g.created_by = go;
  g.object_kind = "chan";
  g.labels = {{"tenant", "<b>\xff"}};
  g.oldest_ns = 5;
  g.wait_ns = 9;
  const json j = json::parse(written(b.snapshot));
  EXPECT_EQ(j["schema"], "weir.groups/1");
  EXPECT_EQ(j["total"], 3);
  ASSERT_EQ(j["groups"].size(), 1u);
  const json& one = j["groups"][0];
  EXPECT_EQ(one["count"], 3);
  EXPECT_EQ(one["state"], "waiting");
  EXPECT_EQ(one["wait"], "chan send");
  EXPECT_EQ(one["labels"], json::parse("[[\"tenant\",\"<b>\uFFFD\"]]"));
  EXPECT_EQ(one["oldest_ns"], 5);
  EXPECT_EQ(one["wait_ns"], 9);
  EXPECT_EQ(j["frames"][one["created_by"].get<size_t>()]["function"], "main()");
  EXPECT_EQ(j["frames"][one["blocked_at"].get<size_t>()]["line"], 3);
  const json& stack = j["stacks"][one["stack"].get<size_t>()];
  ASSERT_EQ(stack.size(), 1u);  // without the runtime's own frames
  EXPECT_EQ(j["frames"][stack[0].get<size_t>()]["function"], "work<a>()");
  EXPECT_FALSE(one.contains("members"));
  EXPECT_FALSE(one.contains("thread"));
}

TEST(Groups, ThatLookTheSameAreOne) {
  SnapshotBuilder b;
  // The same line, at two addresses of it.
  b.group(b.stack({b.call(0x20, "f()", "a.cc", 3, 0)}), "sleep", {1}).oldest_ns = 4;
  b.group(b.stack({b.call(0x24, "f()", "a.cc", 3, 4)}), "sleep", {2, 3}).oldest_ns = 6;
  b.group(b.stack({b.call(0x30, "f()", "a.cc", 5, 4)}), "sleep", {4});
  const auto ids = group_ids(b.snapshot);
  EXPECT_EQ(ids[0], ids[1]);
  EXPECT_NE(ids[0], ids[2]);
  const json j = json::parse(written(b.snapshot));
  ASSERT_EQ(j["groups"].size(), 2u);
  EXPECT_EQ(j["groups"][0]["count"], 3);
}

TEST(Groups, StopWhereTheReaderIsGone) {
  SnapshotBuilder b;
  for (int i = 0; i < 5000; ++i) {
    b.group(b.stack({b.call(0x20, "f" + std::to_string(i), "a.cc", i + 1, 0)}), "sleep", {1});
  }
  int calls = 0;
  EXPECT_FALSE(write_groups_json(b.snapshot, [&](std::string_view) { return ++calls < 2; }));
  EXPECT_EQ(calls, 2);
}

TEST(PickGroup, ThoseThatHaveWaitedLongest) {
  SnapshotBuilder b;
  Group& g = b.group(b.stack({b.call(0x20, "f()", "a.cc", 3, 0)}), "sleep", {1, 2, 3});
  g.members[0].since_ns = 10;
  g.members[1].since_ns = 30;
  g.members[2].since_ns = 20;
  b.group(b.stack({b.call(0x30, "g()", "a.cc", 5, 0)}), "sleep", {4});
  const uint64_t id = group_ids(b.snapshot)[0];
  const Snapshot s = pick_group(b.snapshot, id, 2);
  EXPECT_EQ(goids(s), (std::set<uint64_t>{2, 3}));
  EXPECT_EQ(s.left_out, 2u);
  EXPECT_EQ(s.total, 2u);
  EXPECT_EQ(s.frames.size(), 1u);
  EXPECT_EQ(group_ids(s)[0], id);
  EXPECT_TRUE(pick_group(b.snapshot, id + 1, 2).groups.empty());
}

TEST(PickGoroutine, WithItsCreatorsItsOwnersAndItsCompanions) {
  SnapshotBuilder b;
  const uint32_t stack = b.stack({b.call(0x20, "f()", "a.cc", 3, 0)});
  Object mutex{.kind = "mutex", .address = 0xa, .owner_goid = 20, .owner_alive = true};
  Object other{.kind = "mutex", .address = 0xb, .owner_goid = 21, .owner_alive = true};
  b.snapshot.objects = {mutex, mutex, other, mutex};
  Group& g = b.group(stack, "sync.Mutex.Lock", {5, 6, 7, 20});
  g.members[0].parent_goid = 2;
  for (uint32_t i = 0; i < 2; ++i) g.members[i].first_object = i;
  for (uint32_t i = 0; i < 2; ++i) g.members[i].object_count = 1;
  g.members[2].first_object = 3;
  g.members[2].object_count = 1;
  g.members[3].first_object = 2;
  g.members[3].object_count = 1;
  b.group(stack, "", {1, 2, 21, 99}).members[1].parent_goid = 1;
  EXPECT_EQ(goids(pick_goroutine(b.snapshot, 5, 100)), (std::set<uint64_t>{1, 2, 5, 6, 7, 20, 21}));
  EXPECT_EQ(goids(pick_goroutine(b.snapshot, 5, 1)).size(), 6u);
  const Snapshot s = pick_goroutine(b.snapshot, 5, 0);
  EXPECT_EQ(s.objects.size(), 2u);  // its own, and its owner's
  EXPECT_TRUE(goids(pick_goroutine(b.snapshot, 4711, 100)).empty());
}

TEST(PickGoroutine, EndsWhereRelationsGoInCircles) {
  SnapshotBuilder b;
  b.snapshot.objects = {Object{.kind = "mutex", .address = 0xa, .owner_goid = 2},
                        Object{.kind = "mutex", .address = 0xb, .owner_goid = 1}};
  Group& g = b.group(b.stack({b.call(0x20, "f()", "a.cc", 3, 0)}), "sync.Mutex.Lock", {1, 2});
  for (uint32_t i = 0; i < 2; ++i) {
    g.members[i].first_object = i;
    g.members[i].object_count = 1;
    g.members[i].parent_goid = 2 - i;
  }
  EXPECT_EQ(goids(pick_goroutine(b.snapshot, 1, 9)), (std::set<uint64_t>{1, 2}));
}

}  // namespace
