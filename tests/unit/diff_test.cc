// Diff: what is matched with what, what counts as a change, who stayed; and its three writers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include <weir/profiler/diff.h>
#include <weir/profiler/error.h>

#include "reader_process.h"
#include "snapshot_builder.h"

namespace weir::profiler {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using testing::SnapshotBuilder;

constexpr int64_t kSecond = 1'000'000'000;  // ns

// Ten seconds apart, in the same process.
class DiffTest : public ::testing::Test {
 protected:
  DiffTest() { now.snapshot.taken_at_ns = old.snapshot.taken_at_ns + 10 * kSecond; }

  // Goroutines at function(file.cc:line), waiting for `wait_s` seconds. Addresses differ on each
  // side, as after a restart.
  Group& at(SnapshotBuilder& b, const std::string& function, int line, const std::string& reason,
            const std::vector<uint64_t>& goids, int64_t wait_s = 1) {
    const uint64_t base = &b == &old ? 0x1000 : 0x555000;
    const uint32_t leaf = b.call(base + static_cast<uint64_t>(line), function, "file.cc", line, 1);
    const uint32_t main = b.call(base, "main", "main.cc", 1, 1);
    Group& g =
        b.group(b.stack({b.runtime_call(base + 1, "weir::rt::gopark"), leaf, main}), reason, goids);
    for (Member& m : g.members) m.since_ns = wait_s * kSecond;
    return g;
  }
  Diff compare(const DiffOptions& options = {}) {
    return diff(old.snapshot, now.snapshot, options);
  }
  // "new f 0>3", ..
  static std::vector<std::string> texts(const Diff& d) {
    static const char* const names[] = {"new", "gone", "grown", "shrunk", "unchanged"};
    std::vector<std::string> all;
    for (const Diff::Entry& e : d.entries) {
      all.push_back(std::string(names[static_cast<int>(e.change)]) + " " +
                    (e.stack.empty() ? "?" : e.stack[0].function) + " " + std::to_string(e.before) +
                    ">" + std::to_string(e.after));
    }
    return all;
  }
  SnapshotBuilder old, now;
};

TEST_F(DiffTest, WhatGrewFirstWhatShrankLast) {
  at(old, "same", 1, "select", {1, 2}), at(now, "same", 1, "select", {1, 2});
  at(old, "grown", 2, "select", {3}), at(now, "grown", 2, "select", {3, 10, 11});
  at(now, "fresh", 3, "select", {20, 21, 22, 23});
  at(old, "gone", 4, "select", {4, 5, 6, 7, 8});
  at(old, "shrunk", 5, "select", {30, 31, 32}), at(now, "shrunk", 5, "select", {30});
  const Diff d = compare();
  EXPECT_THAT(texts(d), ElementsAre("new fresh 0>4", "grown grown 1>3", "unchanged same 2>2",
                                    "shrunk shrunk 3>1", "gone gone 5>0"));
  EXPECT_EQ(d.before, 11U);
  EXPECT_EQ(d.after, 10U);
}

TEST_F(DiffTest, MatchesByFunctionsAndLinesNotByAddresses) {
  at(old, "f", 1, "select", {1}), at(now, "f", 1, "select", {1});
  at(old, "g", 7, "select", {2}), at(now, "g", 8, "select", {2});
  EXPECT_THAT(texts(compare()), ElementsAre("new g 0>1", "unchanged f 1>1", "gone g 1>0"));
  EXPECT_THAT(texts(compare({.lines = false})), ElementsAre("unchanged f 1>1", "unchanged g 1>1"));
}

TEST_F(DiffTest, GroupsOfOneSideThatAreAlikeAreOne) {
  at(old, "f", 1, "select", {1}).labels = {{"k", "a"}};
  at(old, "f", 1, "select", {2}).labels = {{"k", "b"}};
  at(now, "f", 1, "select", {1, 2, 3}).labels = {{"k", "a"}};
  EXPECT_THAT(texts(compare()), ElementsAre("grown f 2>3"));
  EXPECT_THAT(texts(compare({.labels = true})), ElementsAre("grown f 1>3", "gone f 1>0"));
}

TEST_F(DiffTest, WaitsAndCreatorsAreToldApartWhereBothSidesHaveThem) {
  at(old, "f", 1, "select", {1}), at(now, "f", 1, "chan send", {1});
  EXPECT_THAT(texts(compare()), ElementsAre("new f 0>1", "gone f 1>0"));
  EXPECT_THAT(texts(compare({.wait = false})), ElementsAre("unchanged f 1>1"));
  // As from Go's debug=1.
  now.snapshot.groups[0].wait_reason = "";
  now.snapshot.groups[0].members.clear();
  Diff d = compare();
  EXPECT_FALSE(d.by_wait);
  EXPECT_THAT(texts(d), ElementsAre("unchanged f 1>1"));
  EXPECT_FALSE(d.same_process);
  EXPECT_THAT(d.same_process_why, HasSubstr("counts only"));

  at(old, "g", 2, "select", {2}).created_by = old.call(0x77, "maker", "m.cc", 1, 1);
  at(now, "g", 2, "select", {2}).wait_reason = "";
  EXPECT_FALSE(compare().by_creator);
  now.snapshot.groups.back().created_by = now.call(0x79, "other", "m.cc", 2, 1);
  d = compare();
  EXPECT_TRUE(d.by_creator);
  EXPECT_THAT(texts(d), ElementsAre("new g 0>1", "unchanged f 1>1", "gone g 1>0"));
  EXPECT_EQ(d.entries[0].created_by.function, "other");
}

TEST_F(DiffTest, WhoRunsIsTheSameAtAnyLine) {
  at(old, "spin", 1, "", {1});
  at(now, "spin", 2, "", {1}).state = State::runnable;
  EXPECT_THAT(texts(compare()), ElementsAre("unchanged spin 1>1"));
}

TEST_F(DiffTest, Threshold) {
  at(old, "f", 1, "select", {1}), at(now, "f", 1, "select", {1, 2, 3});
  at(now, "g", 2, "select", {4});
  EXPECT_THAT(texts(compare({.threshold = 2})), ElementsAre("grown f 1>3", "unchanged g 0>1"));
  EXPECT_THAT(texts(compare({.threshold = 3})), ElementsAre("unchanged f 1>3", "unchanged g 0>1"));
}

TEST_F(DiffTest, IgnoreLooksAtFramesFilesAndCreators) {
  at(now, "f", 1, "select", {1}), at(now, "g", 2, "select", {2});
  now.snapshot.groups.back().created_by = now.call(0x79, "pool", "p.cc", 2, 1);
  EXPECT_THAT(texts(compare({.ignore = {"^pool$"}})), ElementsAre("new f 0>1"));
  const Diff d = compare({.ignore = {"^f$", "p\\.cc"}});
  EXPECT_THAT(texts(d), IsEmpty());
  EXPECT_EQ(d.after, 0U);
  EXPECT_EQ(d.ignored, 2U);
  EXPECT_THROW(compare({.ignore = {"("}}), error);
}

TEST_F(DiffTest, GoidsStayWithinOneProcess) {
  at(old, "f", 1, "select", {1, 2, 5}, 3), at(now, "f", 1, "select", {2, 5, 9}, 13);
  const Diff d = compare();
  EXPECT_TRUE(d.same_process) << d.same_process_why;
  EXPECT_THAT(d.entries[0].stayed, ElementsAre(2, 5));
  EXPECT_EQ(d.entries[0].oldest_ns, 13 * kSecond);
}

TEST_F(DiffTest, AProcessThatWasStartedAnewWithTheSamePidIsAnother) {
  at(old, "f", 1, "select", {1, 2}, 100), at(now, "f", 1, "select", {1, 2}, 9);
  Diff d = compare();
  EXPECT_FALSE(d.same_process);
  EXPECT_THAT(d.same_process_why, HasSubstr("perhaps restarted"));
  EXPECT_THAT(d.entries[0].stayed, IsEmpty());
  d = compare({.same_process = true});
  EXPECT_THAT(d.entries[0].stayed, ElementsAre(1, 2));
  now.snapshot.pid = 99;
  EXPECT_THAT(compare().same_process_why, HasSubstr("two processes"));
  now.snapshot.pid = 0;
  EXPECT_THAT(compare().same_process_why, HasSubstr("does not tell process"));
}

TEST_F(DiffTest, FailOn) {
  at(old, "f", 1, "select", {1}), at(now, "f", 1, "select", {1, 2});
  Diff d = compare();
  EXPECT_TRUE(fails(d, FailOn::growth));
  EXPECT_FALSE(fails(d, FailOn::fresh));
  EXPECT_FALSE(fails(d, FailOn::none));
  at(now, "g", 2, "select", {3});
  d = compare({.threshold = 1});
  EXPECT_TRUE(fails(d, FailOn::fresh));
  EXPECT_FALSE(fails(compare({.threshold = 5}), FailOn::growth));
  EXPECT_FALSE(fails(diff(now.snapshot, old.snapshot), FailOn::growth));
}

TEST_F(DiffTest, Text) {
  for (const uint64_t goid : {1U, 2U}) {
    at(old, "same" + std::to_string(goid), 1, "select", {goid}, 5);
    at(now, "same" + std::to_string(goid), 1, "select", {goid}, 15);
  }
  at(old, "f", 2, "chan send", {3}, 5), at(now, "f", 2, "chan send", {3, 8, 9}, 15);
  const uint32_t deep = now.call(0x10, "deep", "d.cc", 1, 1);
  now.counted(
      now.stack({deep, deep, deep, deep, deep, deep, deep, now.call(0x20, "root", "d.cc", 9, 1)}),
      "select", 1);
  at(old, "gone", 4, "IO wait", {30});
  EXPECT_EQ(testing::written(write_diff_text, compare()),
            R"(zoo: 4 -> 6 goroutines (+2) within 10s
one process (pid 4711): goroutine 1 has waited since before the old side was taken
not told apart: creators

grown   +2 (1 -> 3)  chan send, oldest 15s, 1 stayed (3)
    f  file.cc:2
    main  main.cc:1

new     +1 (0 -> 1)  select
    deep  d.cc:1
    deep  d.cc:1
    deep  d.cc:1
    deep  d.cc:1
    .. 3 more ..
    root  d.cc:9

gone    -1 (1 -> 0)  IO wait
    gone  file.cc:4
    main  main.cc:1

unchanged: 2 groups, 2 goroutines
)");
}

TEST_F(DiffTest, MarkdownTakesHostileNamesAsText) {
  at(now, "evil|`<img src=x>`\n# h1 @someone [x](y)", 1, "select", {1});
  const std::string text = testing::written(write_diff_markdown, compare());
  EXPECT_THAT(text, HasSubstr("### Goroutines: 0 → 1 (+1)\n"));
  EXPECT_THAT(text, HasSubstr("| 🔴 new | +1 | 0 → 1 | **evil&#124;&#96;&#60;img src=x&#62;"));
  // But for the code block, where every line is indented.
  const std::string table = text.substr(0, text.find("<details>"));
  EXPECT_THAT(table, Not(HasSubstr("<img")));
  EXPECT_THAT(table, Not(HasSubstr("@someone")));
  EXPECT_THAT(text, HasSubstr("\n        evil|`<img src=x>`\\n# h1"));
  EXPECT_THAT(testing::written(write_diff_markdown, Diff{}), HasSubstr("Nothing changed."));
}

TEST_F(DiffTest, MarkdownIsBounded) {
  for (int i = 0; i < 300; ++i) at(now, "f" + std::to_string(i), i + 1, "select", {});
  for (Group& g : now.snapshot.groups) g.count = 1;
  const std::string text = testing::written(write_diff_markdown, compare());
  EXPECT_THAT(text, HasSubstr("250 more are not shown"));
  EXPECT_LT(text.size(), 30'000U);
}

TEST_F(DiffTest, Json) {
  at(old, "f", 2, "chan send", {3}, 5), at(now, "f", 2, "chan send", {3, 8}, 15);
  at(now, std::string("\xff\0bad", 5), 3, "select", {4});
  const auto j = nlohmann::json::parse(testing::written(write_diff_json, compare()));
  EXPECT_EQ(j["schema"], "weir.diff/1");
  EXPECT_EQ(j["old"]["total"], 1);
  EXPECT_EQ(j["now"]["total"], 3);
  EXPECT_EQ(j["same_process"], true);
  EXPECT_EQ(j["told_apart_by"], nlohmann::json({"lines", "wait"}));
  ASSERT_EQ(j["entries"].size(), 2U);
  EXPECT_EQ(j["entries"][0]["change"], "grown");
  EXPECT_EQ(j["entries"][0]["stack"][0],
            nlohmann::json({{"function", "f"}, {"file", "file.cc"}, {"line", 2}}));
  EXPECT_EQ(j["entries"][0]["stayed"], nlohmann::json({3}));
  EXPECT_EQ(j["entries"][1]["change"], "new");
  EXPECT_EQ(nlohmann::json::parse(testing::written(write_diff_json, Diff{}))["entries"].size(), 0U);
}

TEST_F(DiffTest, WritersStopWhenTheReaderIsGone) {
  for (int i = 0; i < 20'000; ++i) at(now, "f" + std::to_string(i), i + 1, "select", {1});
  const Diff d = compare();
  for (auto* writer : {write_diff_text, write_diff_json}) {
    int calls = 0;
    EXPECT_FALSE(writer(d, [&calls](std::string_view) { return ++calls < 2; }));
    EXPECT_EQ(calls, 2);
  }
}

TEST_F(DiffTest, IndexesThatPointNowhereArePassedOver) {
  now.counted(4711, "select", 2).created_by = 99;
  now.counted(now.stack({1234, now.location(5, {77})}), "select", 1);
  EXPECT_EQ(compare().after, 3U);
}

}  // namespace
}  // namespace weir::profiler
