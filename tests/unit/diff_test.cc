// Diff: what is matched with what, what counts as a change, who stayed; and its three writers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include <weir/profiler/diff.h>
#include <weir/profiler/error.h>
#include <weir/profiler/sites.h>

#include "reader_process.h"
#include "snapshot_builder.h"

namespace weir::profiler {
namespace {

using ::testing::AllOf;
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
  static std::string text(const Diff& d, const DiffStyle& style = {}) {
    return testing::written(
        [&style](const Diff& x, const Sink& sink) { return write_diff_text(x, sink, style); }, d);
  }
  static std::string markdown(const Diff& d, const DiffStyle& style = {}) {
    return testing::written(
        [&style](const Diff& x, const Sink& sink) { return write_diff_markdown(x, sink, style); },
        d);
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

TEST_F(DiffTest, WhereOneSideDoesNotKnowTheWaitThePlaceCounts) {
  // As of Go's debug=1, which tells some waits by their functions.
  at(old, "f", 1, "select", {1}).wait_reason = "";
  at(old, "g", 2, "IO wait", {2});
  at(now, "f", 1, "chan receive", {1, 3}), at(now, "g", 2, "sleep", {2});
  Diff d = compare();
  EXPECT_TRUE(d.by_wait);
  EXPECT_THAT(texts(d), ElementsAre("grown f 1>2", "new g 0>1", "gone g 1>0"));
  EXPECT_EQ(d.entries[0].wait, "chan receive");
  at(now, "f", 1, "chan send", {9});
  d = compare();
  EXPECT_THAT(texts(d), ElementsAre("grown f 1>3", "new g 0>1", "gone g 1>0"));
  EXPECT_EQ(d.entries[0].wait, "") << "several";
}

TEST_F(DiffTest, CreatorsOfWhichASideKnowsTheFunctionAloneAreThatFunctions) {
  at(old, "f", 1, "select", {1}).created_by = old.call(0x77, "maker", "m.cc", 5, 1);
  at(now, "f", 1, "select", {1}).created_by = now.call(0x77, "maker", "", 0, 0);
  at(now, "f", 1, "select", {2}).created_by = now.call(0x78, "other", "", 0, 0);
  const Diff d = compare();
  EXPECT_THAT(texts(d), ElementsAre("new f 0>1", "unchanged f 1>1"));
  EXPECT_EQ(d.entries[0].created_by.function, "other");
  EXPECT_EQ(d.entries[1].created_by.line, 5);
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
  EXPECT_EQ(text(compare()),
            R"(zoo: 4 -> 6 goroutines (+2) within 10s
+3 in 2 groups (1 new, 1 grown), -1 in 1 group (1 gone)
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
    deep  d.cc:1
    deep  d.cc:1
    deep  d.cc:1
    root  d.cc:9

gone    -1 (1 -> 0)  IO wait
    gone  file.cc:4
    main  main.cc:1

unchanged: 2 groups, 2 goroutines
)");
  EXPECT_EQ(text(diff(old.snapshot, old.snapshot))
                .find("zoo: 4 -> 4 goroutines (0) within 0ms\n"
                      "nothing changed\n"),
            0U);
}

TEST_F(DiffTest, StacksAreShortenedToTheFramesThatDiffer) {
  std::vector<uint32_t> trunk;  // from the leaf's side to the root
  for (int i = 0; i < 6; ++i) {
    const auto n = static_cast<uint64_t>(i);
    trunk.push_back(now.call(0x900 + n, "trunk" + std::to_string(i), "t.cc", i + 1, 1));
  }
  for (const char* const leaf : {"read", "write"}) {
    std::vector<uint32_t> stack = trunk;
    stack.insert(stack.begin(), {now.call(leaf[0], leaf, "l.cc", 1, 1),
                                 now.call(leaf[1], std::string(leaf) + "_all", "l.cc", 2, 1)});
    now.counted(now.stack(stack), "IO wait", 1);
  }
  const std::string folded = text(compare());
  EXPECT_THAT(folded, HasSubstr("    read  l.cc:1\n    read_all  l.cc:2\n    trunk0  t.cc:1\n"
                                "    .. 5 more, as others have them ..\n\n"));
  EXPECT_THAT(text(compare(), {.full_stacks = true}), HasSubstr("    trunk5  t.cc:6\n"));

  // Whose whole stack others have still shows where it stands.
  now.counted(now.snapshot.groups[0].stack, "select", 1);
  old.counted(old.stack({old.call(5, "x", "x.cc", 5, 1)}), "select", 1);
  EXPECT_THAT(text(compare()), HasSubstr("select\n    read  l.cc:1\n    read_all  l.cc:2\n"));

  // However much differs, it is a screen at most.
  std::vector<uint32_t> long_one;
  for (int i = 0; i < 40; ++i) {
    const auto n = static_cast<uint64_t>(i);
    long_one.push_back(now.call(0xa00 + n, "g" + std::to_string(i), "g.cc", i, 1));
  }
  now.counted(now.stack(long_one, true), "select", 9);
  const std::string cut = text(compare());
  EXPECT_THAT(cut, HasSubstr("    g6  g.cc:6\n    .. 31 more ..\n    g38  g.cc:38\n"
                             "    g39  g.cc:39\n    .. deeper frames are not known ..\n"));
}

TEST_F(DiffTest, ColoursAndLinksAreForTerminals) {
  at(now, "f", 2, "select", {1});
  now.snapshot.frames[0].file = "/home/me/my project/src/f.cc";
  EXPECT_THAT(text(compare()), Not(HasSubstr("\x1b")));
  DiffStyle style{.colour = true, .links = true, .host = "box"};
  EXPECT_THAT(text(compare(), style),
              HasSubstr("f  \x1b]8;;file://box/home/me/my%20project/src/f.cc\x1b\\"
                        "\x1b[36m/home/me/my project/src/f.cc:2\x1b[0m\x1b]8;;\x1b\\\n"));
  EXPECT_THAT(text(compare(), style), HasSubstr("\x1b[1;31mnew     +1\x1b[0m (0 -> 1)"));
  style.source_root = "/home/me/my project/";
  style.link_base = "https://git.example/blob/main";
  EXPECT_THAT(text(compare(), style),
              HasSubstr("\x1b]8;;https://git.example/blob/main/src/f.cc#L2\x1b\\"
                        "\x1b[36msrc/f.cc:2\x1b[0m"));
  style.links = false;
  EXPECT_THAT(text(compare(), style), Not(HasSubstr("\x1b]8")));
  // A name cannot speak to the terminal.
  now.snapshot.frames[0].function = "evil\x1b]0;title\x07";
  EXPECT_THAT(text(compare(), style), HasSubstr("evil\\x1b]0;title\\a"));
}

TEST_F(DiffTest, MarkdownTakesHostileNamesAsText) {
  at(now, "evil|`<img src=x>`\n# h1 @someone [x](y) </pre></details>", 1, "select", {1});
  const std::string all = markdown(compare());
  EXPECT_THAT(all, HasSubstr("### Goroutines: 0 → 1 (+1) within 10s\n\n+1 in 1 group (1 new)  \n"));
  EXPECT_THAT(all, HasSubstr("| 🔴 new | +1 | 0 → 1 | **evil&#124;&#96;&#60;img src=x&#62;"));
  EXPECT_THAT(all, HasSubstr("\n    evil|`&#60;img src=x&#62;`\\n# h1"));
  EXPECT_THAT(all, Not(HasSubstr("<img")));
  EXPECT_EQ(all.find("</pre>"), all.rfind("</pre>"));
  EXPECT_EQ(all.find("</details>"), all.rfind("</details>"));
  EXPECT_THAT(all, HasSubstr("h1 &#64;&#8203;someone"));
  EXPECT_THAT(markdown(Diff{}), HasSubstr("Nothing changed."));
}

TEST_F(DiffTest, MarkdownLinksWhatIsBelowTheSourceRoot) {
  at(now, "f", 2, "select", {1});
  now.snapshot.frames[0].file = "/src/a b/f(1).cc";
  DiffStyle style{.source_root = "/src", .link_base = "https://git.example/x)y/"};
  std::string all = markdown(compare(), style);
  EXPECT_THAT(
      all, HasSubstr("**f**<br>[a b/f(1).cc:2](https://git.example/x%29y/a%20b/f%281%29.cc#L2)"));
  EXPECT_THAT(
      all,
      HasSubstr("<a href=\"https://git.example/x%29y/a%20b/f%281%29.cc#L2\">a b/f(1).cc:2</a>"));
  // What is not of the project leads nowhere: by another directory, or by not being there.
  now.snapshot.frames[0].file = "net/http/server.go";
  style.is_source = [](const std::string& file) { return file == "cmd/main.go"; };
  EXPECT_THAT(markdown(compare(), style), Not(HasSubstr("](")));
  now.snapshot.frames[0].file = "cmd/main.go";
  EXPECT_THAT(markdown(compare(), style), HasSubstr("[cmd/main.go:2](https://"));
  now.snapshot.frames[0].file = "/src/a b/f(1).cc";
  style.source_root = "/elsewhere";
  all = markdown(compare(), style);
  EXPECT_THAT(all, HasSubstr("**f**<br>f(1).cc:2"));
  EXPECT_THAT(all.substr(0, all.find("<pre>")), Not(HasSubstr("](")));
}

TEST_F(DiffTest, MarkdownIsBoundedAndSaysWhatIsLeftOut) {
  const auto grow = [this](int n, size_t length) {
    now.snapshot.groups.clear();
    for (int i = 0; i < n; ++i) {
      const std::string name = "f" + std::to_string(i) + std::string(length, '&');
      at(now, name, i + 1, "select", {}).count = 1;
    }
  };
  grow(300, 1);
  std::string all = markdown(compare());
  EXPECT_THAT(all, HasSubstr("\n250 more changed groups are not shown here\n"));
  EXPECT_LT(all.size(), 30'000U);
  grow(300, 5000);
  all = markdown(compare());
  EXPECT_LE(all.size(), kMaxMarkdown);
  EXPECT_THAT(all, ::testing::ContainsRegex("\n[0-9]+ more changed groups are not shown here\n"));
  EXPECT_EQ(all.substr(all.size() - 12), "\n</details>\n");
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

TEST_F(DiffTest, EntriesTellTheSiteThatAllOfThemHave) {
  at(now, "f", 1, "select", {1});
  at(now, "g", 2, "select", {2}).object_kind = "chan";
  at(now, "g", 2, "select", {3}).object_kind = "mutex";
  at(old, "h", 3, "select", {4});
  const Diff d = compare();
  ASSERT_EQ(d.entries.size(), 3U);
  EXPECT_EQ(d.entries[0].site, std::nullopt) << "two";
  EXPECT_THAT(d.entries[0].now_groups, ElementsAre(1, 2));
  EXPECT_EQ(d.entries[1].site, Sites(now.snapshot).of_group(0).id);
  EXPECT_EQ(d.entries[2].site, std::nullopt) << "nobody is there any more";
  EXPECT_THAT(d.entries[2].old_groups, ElementsAre(0));
  const auto j = nlohmann::json::parse(testing::written(write_diff_json, d));
  EXPECT_FALSE(j["entries"][0].contains("site"));
  EXPECT_THAT(j["entries"][1]["site"].get<std::string>(), ::testing::StartsWith("0x"));
}

TEST_F(DiffTest, TellsWhatASideLacks) {
  at(old, "f", 1, "select", {1}), at(now, "f", 1, "select", {1});
  EXPECT_THAT(text(compare()), AllOf(Not(HasSubstr("left out")), Not(HasSubstr("cut off"))));
  old.snapshot.left_out = 3;
  old.snapshot.truncated = true;
  EXPECT_THAT(text(compare()), HasSubstr("\nleft out by a filter: 3 before, 0 after\n"
                                         "the old side was cut off: what is new may have been"));
  EXPECT_THAT(markdown(compare()), HasSubstr("left out by a filter: 3 before"));
  const auto j = nlohmann::json::parse(testing::written(write_diff_json, compare()));
  EXPECT_EQ(j["old"]["left_out"], 3);
  EXPECT_EQ(j["old"]["truncated"], true);
  EXPECT_FALSE(j["now"].contains("left_out"));
}

TEST_F(DiffTest, ProcessesMayBeDecidedBefore) {
  at(old, "f", 1, "select", {1}), at(now, "f", 1, "select", {1}, 60);
  const SameProcess same = same_process(old.snapshot, now.snapshot);
  EXPECT_TRUE(same.is);
  EXPECT_THAT(same.why, HasSubstr("goroutine 1 has waited"));
  EXPECT_EQ(compare({.same_process = true, .same_process_why = "a sentence"}).same_process_why,
            "a sentence");
}

TEST_F(DiffTest, FiltersHoldOnBothSides) {
  at(old, "shop::f", 1, "select", {1}).labels = {{"k", "a"}};
  at(now, "shop::f", 1, "select", {1, 2, 3}).labels = {{"k", "a"}};
  at(now, "shop::f", 1, "select", {4}).labels = {{"k", "b"}};
  at(old, "bank::g", 2, "chan send", {5}), at(now, "bank::h", 3, "chan send", {6, 7});
  const auto filtered = [&](const Filter& f) {
    const Sides s = filter_sides(old.snapshot, now.snapshot, f);
    return texts(diff(s.old, s.now));
  };
  EXPECT_THAT(filtered({}),
              ElementsAre("grown shop::f 1>4", "new bank::h 0>2", "gone bank::g 1>0"));
  EXPECT_THAT(filtered({.query = "bank"}), ElementsAre("new bank::h 0>2", "gone bank::g 1>0"));
  EXPECT_THAT(filtered({.states = {"select"}}), ElementsAre("grown shop::f 1>4"));
  EXPECT_THAT(filtered({.labels = {{"k", "a"}}}), ElementsAre("grown shop::f 1>3"));
  EXPECT_THAT(filtered({.packages = {"bank"}}), ElementsAre("new bank::h 0>2", "gone bank::g 1>0"));
  EXPECT_THAT(filtered({.site = Sites(old.snapshot).of_group(1).id}),
              ElementsAre("gone bank::g 1>0"));
  EXPECT_THAT(filtered({.query = "nobody"}), IsEmpty());
  const Sides s = filter_sides(old.snapshot, now.snapshot, {.packages = {"bank"}});
  EXPECT_EQ(s.old.left_out, 1U);
  EXPECT_EQ(s.now.left_out, 4U);
}

TEST_F(DiffTest, AgesAreThoseOfTheNewSide) {
  at(old, "f", 1, "select", {1}, 5), at(now, "f", 1, "select", {1, 2}, 15);
  at(old, "young", 2, "select", {3}, 100), at(now, "young", 2, "select", {4}, 2);
  at(old, "gone", 3, "select", {5}, 100);
  const Sides s = filter_sides(old.snapshot, now.snapshot, {.age_ns = 10 * kSecond});
  EXPECT_THAT(texts(diff(s.old, s.now)), ElementsAre("grown f 1>2"))
      << "on the old side nobody had waited that long yet, who was there all the same";
}

// A dump knows less of its goroutines than what it is compared with.
TEST_F(DiffTest, WhatOneSideDoesNotKnowIsNotNew) {
  at(old, "lib::f", 1, "select", {1, 2}), at(now, "lib::f", 1, "select", {1, 2, 3});
  now.snapshot.groups[0].created_by = now.call(0x77, "shop::start", "shop.cc", 4, 1);
  now.snapshot.groups[0].object_kind = "chan";
  const auto filtered = [&](const Filter& f) {
    const Sides s = filter_sides(old.snapshot, now.snapshot, f);
    return texts(diff(s.old, s.now));
  };
  EXPECT_THAT(filtered({.packages = {"shop"}}), ElementsAre("grown lib::f 2>3"));
  EXPECT_THAT(filtered({.site = Sites(now.snapshot).of_group(0).id}),
              ElementsAre("grown lib::f 2>3"));
}

// A stack that groups share in a Snapshot is each entry's own.
TEST_F(DiffTest, TellsBeforehandHowMuchMemoryItTakes) {
  EXPECT_EQ(diff_bytes({}), 0U);
  std::vector<uint32_t> deep(10'000, now.call(1, std::string(1000, 'f'), "f.cc", 1, 1));
  const uint32_t stack = now.stack(std::move(deep));
  for (int i = 0; i < 1000; ++i) now.counted(stack, "select", 1);
  EXPECT_GT(diff_bytes(now.snapshot), size_t{10} << 30);
  now.snapshot.groups.resize(1);
  EXPECT_LT(diff_bytes(now.snapshot), size_t{32} << 20);
}

TEST_F(DiffTest, WritersStopWhenTheReaderIsGone) {
  for (int i = 0; i < 20'000; ++i) at(now, "f" + std::to_string(i), i + 1, "select", {1});
  const Diff d = compare();
  int calls = 0;
  const auto two = [&calls](std::string_view) { return ++calls < 2; };
  EXPECT_FALSE(write_diff_text(d, two));
  EXPECT_EQ(calls, 2);
  calls = 0;
  EXPECT_FALSE(write_diff_json(d, two));
  EXPECT_EQ(calls, 2);
}

TEST_F(DiffTest, IndexesThatPointNowhereArePassedOver) {
  now.counted(4711, "select", 2).created_by = 99;
  now.counted(now.stack({1234, now.location(5, {77})}), "select", 1);
  EXPECT_EQ(compare().after, 3U);
}

}  // namespace
}  // namespace weir::profiler
