// write_json: the document holds the whole Snapshot, in the order of its schema.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include <weir/profiler/encode.h>

#include "reader_process.h"
#include "snapshot_builder.h"

namespace {

using namespace weir::profiler;
using nlohmann::ordered_json;
using weir::profiler::testing::SnapshotBuilder;
using weir::profiler::testing::written;

ordered_json parsed(const Snapshot& s) { return ordered_json::parse(written(write_json, s)); }

TEST(EncodeJson, EmptySnapshot) {
  EXPECT_EQ(
      parsed(Snapshot{}).dump(),
      R"j({"schema":"weir.snapshot/1","taken_at_ns":0,"duration_ns":0,"longest_hold_ns":0,"total":0,)j"
      R"j("requester_goid":0,"process":"","pid":0,"source":"","strings":[""],"frames":[],)j"
      R"j("locations":[],"mappings":[],"stacks":[],"objects":[],"contexts":[],"groups":[]})j");
}

TEST(EncodeJson, HoldsEverythingInTheOrderOfTheSchema) {
  SnapshotBuilder b;
  Snapshot& s = b.snapshot;
  s.duration_ns = 5;
  s.longest_hold_ns = 6;
  s.requester_goid = 8;
  s.mappings.push_back({0x1000, 0x2000, 0x10, "/bin/zoo", "abcd"});
  const uint32_t park = b.runtime_call(0x10, "gopark");
  const uint32_t leaf =
      b.location(UINT64_MAX, {b.frame("f()", "a.cc", 3, 9), b.frame("g()", "", 0, 9)}, 1);
  Object object;
  object.kind = "chan";
  object.address = 0xdead;
  s.objects.push_back(object);
  object = {"rwmutex", 0xbeef, 1, true, true, 1, 2, 3, 4, 5, 6, true, 7, 0, 1, -8, 9, 10, 1, 0};
  s.objects.push_back(object);
  Object timer;
  timer.kind = "chan";
  timer.timer = timer.armed = true;
  s.objects.push_back(timer);
  Object cond;
  cond.kind = "cond";
  cond.waiters = 2;
  cond.signals = 3;
  cond.signalled_at = 1;
  s.objects.push_back(cond);
  Object semaphore;
  semaphore.kind = "semaphore";
  semaphore.cap = 8;
  semaphore.len = 7;
  semaphore.waiters = 1;
  s.objects.push_back(semaphore);
  Object io;
  io.kind = "io";
  io.fd = 0;
  io.network = b.text("tcp");
  io.local = b.text("127.0.0.1:80");
  s.objects.push_back(io);
  io.send = true;
  io.remote = b.text("[::1]:1");
  s.objects.push_back(io);
  s.contexts.push_back({"cancel", "active", 1, 4, 3, 2, 5, 6});
  s.contexts.push_back({.kind = "group", .state = "cancelled", .count = 1});
  Group& g = b.group(b.stack({park, leaf}, true), "chan receive", {8, 9});
  g.object_kind = "chan";
  g.created_by = leaf;
  g.thread = true;
  g.labels = {{"k", "v"}, {"k2", ""}};
  g.members[0].parent_goid = 1;
  g.members[0].since_ns = -1;
  g.members[1] = {UINT64_MAX, 2, INT64_MAX, b.text("worker"), 1, 1, 3};
  b.counted(0, "", 12);

  EXPECT_EQ(
      parsed(s).dump(),
      R"j({"schema":"weir.snapshot/1","taken_at_ns":1795000000000000000,"duration_ns":5,"longest_hold_ns":6,)j"
      R"j("total":14,"requester_goid":8,"process":"zoo","pid":4711,"source":"weir","strings":["","tcp","127.0.0.1:80","[::1]:1","worker"],)j"
      R"j("frames":[{"function":"gopark","file":"/weir/runtime/src/park.cc","line":7,"offset":16,"runtime":true},)j"
      R"j({"function":"f()","file":"a.cc","line":3,"offset":9,"runtime":false},)j"
      R"j({"function":"g()","file":"","line":0,"offset":9,"runtime":false}],)j"
      R"j("locations":[{"address":"0x10","mapping":0,"frames":[0]},)j"
      R"j({"address":"0xffffffffffffffff","mapping":1,"frames":[1,2]}],)j"
      R"j("mappings":[{"start":"0x1000","limit":"0x2000","offset":"0x10","file":"/bin/zoo","build_id":"abcd"}],)j"
      R"j("stacks":[{"locations":[0,1],"truncated":true}],)j"
      R"j("objects":[{"kind":"chan","address":"0xdead"},)j"
      R"j({"kind":"rwmutex","address":"0xbeef","made_at":1,"send":true,"closed":true,"cap":1,"len":2,)j"
      R"j("sends":3,"recvs":4,"handles":5,"owner_goid":6,"owner_alive":true,"readers":7,"locked_at":0,)j"
      R"j("rlocked_at":1,"counter":-8,"adds":9,"dones":10,"added_at":1,"done_at":0},)j"
      R"j({"kind":"chan","address":"0x0","timer":true,"armed":true},)j"
      R"j({"kind":"cond","address":"0x0","waiters":2,"signals":3,"signalled_at":1},)j"
      R"j({"kind":"semaphore","address":"0x0","cap":8,"len":7,"waiters":1},)j"
      R"j({"kind":"io","address":"0x0","fd":0,"network":"tcp","local":"127.0.0.1:80","remote":"","direction":"read"},)j"
      R"j({"kind":"io","address":"0x0","fd":0,"network":"tcp","local":"127.0.0.1:80","remote":"[::1]:1","direction":"write"}],)j"
      R"j("contexts":[{"kind":"cancel","state":"active","made_at":1,"count":4,"forgotten":3,"waiters":2,)j"
      R"j("oldest_ns":5,"oldest_maker_goid":6},{"kind":"group","state":"cancelled","made_at":null,)j"
      R"j("count":1,"forgotten":0,"waiters":0,"oldest_ns":0,"oldest_maker_goid":0}],)j"
      R"j("groups":[{"stack":0,"state":"waiting","wait_reason":"chan receive","object_kind":"chan",)j"
      R"j("created_by":1,"thread":true,"labels":[["k","v"],["k2",""]],"count":2,"members":[)j"
      R"j({"goid":8,"parent_goid":1,"since_ns":-1},)j"
      R"j({"goid":18446744073709551615,"parent_goid":2,"since_ns":9223372036854775807,"name":4,)j"
      R"j("first_object":1,"object_count":1,"objects_total":3}]},)j"
      R"j({"stack":0,"state":"running","wait_reason":"","object_kind":"","created_by":null,"thread":false,)j"
      R"j("labels":[],"count":12,"members":[]}]})j");
}

TEST(EncodeJson, TextsOfAnyBytesMakeValidJson) {
  SnapshotBuilder b;
  b.call(0x10, "f\xff\"\\\n\x01</script>", "p\xc3", 1, 1);
  b.text("\u00e9\xf0\x9f");
  const ordered_json j = parsed(b.snapshot);
  EXPECT_EQ(j["frames"][0]["function"], "f\ufffd\"\\\n\x01</script>");
  EXPECT_EQ(j["frames"][0]["file"], "p\ufffd");
  EXPECT_EQ(j["strings"][1], "\u00e9\ufffd");
}

TEST(EncodeJson, EveryStateHasItsName) {
  SnapshotBuilder b;
  for (int i = 0; i < 7; ++i) b.counted(0, "", 1).state = static_cast<State>(i);
  std::vector<std::string> names;
  const ordered_json j = parsed(b.snapshot);
  for (const auto& g : j["groups"]) names.push_back(g["state"]);
  EXPECT_EQ(names, (std::vector<std::string>{"idle", "runnable", "running", "syscall", "waiting",
                                             "dead", "copystack"}));
}

TEST(EncodeJson, HundredThousandGoroutinesInBoundedPieces) {
  constexpr size_t kCount = 100'000, kLongestPiece = 65'536;
  SnapshotBuilder b;
  std::vector<uint64_t> goids(kCount);
  for (size_t i = 0; i < kCount; ++i) goids[i] = i + 1;
  b.group(b.stack({b.call(0x10, std::string(200'000, 'n'), "a.cc", 1, 1)}), "select", goids);
  size_t longest = 0;
  std::string all;
  EXPECT_TRUE(write_json(b.snapshot, [&](std::string_view piece) {
    longest = std::max(longest, piece.size());
    all.append(piece);
    return true;
  }));
  EXPECT_LE(longest, kLongestPiece);
  const ordered_json j = ordered_json::parse(all);
  EXPECT_EQ(j["groups"][0]["members"].size(), kCount);
  EXPECT_EQ(j["groups"][0]["members"][kCount - 1]["goid"], kCount);

  int calls = 0;
  EXPECT_FALSE(write_json(b.snapshot, [&calls](std::string_view) { return ++calls < 2; }));
  EXPECT_EQ(calls, 2);
}

}  // namespace
