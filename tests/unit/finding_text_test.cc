// Findings: names, order, and the text for a person.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include <weir/profiler/finding.h>

namespace weir::profiler {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string text_of(const Findings& f) {
  std::string text;
  EXPECT_TRUE(write_findings_text(f, [&text](std::string_view bytes) {
    text.append(bytes);
    return true;
  }));
  return text;
}

Finding leak() {
  Finding f;
  f.kind = Kind::chan_send;
  f.certainty = Certainty::likely;
  f.count = 12;
  f.growth_per_minute = 1.5;
  f.oldest_wait_ns = 302'000'000'000;
  f.wait = "chan send";
  f.created_by = {"serve", "src/serve.cc", 80, 0, false};
  f.blocked_at = {"work", "src/work.cc", 31, 0, false};
  f.object.kind = "chan";
  f.object.count = 12;
  f.object.made_at = {"serve", "src/serve.cc", 79, 0, false};
  f.cause = "12 goroutines wait to send on channels from which nobody receives.";
  f.evidence = {"The longest wait has lasted 5m2s.", "Each was there 20 samples ago."};
  f.fix = "Receive on every path.";
  f.stack = {f.blocked_at, f.created_by};
  f.goids = {7, 8, 9};
  f.peak = 14;
  return f;
}

TEST(Finding, NamesThereAndBack) {
  std::vector<std::string> names;
  for (size_t i = 0; i < kKinds; ++i) {
    const auto kind = static_cast<Kind>(i);
    names.emplace_back(to_string(kind));
    EXPECT_EQ(kind_named(names.back()), kind);
  }
  // The contract, in the order of the enumeration.
  EXPECT_THAT(
      names, ::testing::ElementsAre("nil_channel", "chan_send", "chan_receive", "select",
                                    "select_no_cases", "mutex_forgotten_unlock", "mutex", "rwmutex",
                                    "waitgroup", "cond", "semaphore", "http_body", "spinning",
                                    "sleep", "io_wait", "syscall", "deadlock"));
  EXPECT_EQ(kind_named("chan"), std::nullopt);
  EXPECT_EQ(kind_named(""), std::nullopt);
  EXPECT_EQ(to_string(Certainty::certain), "certain");
  EXPECT_EQ(to_string(Certainty::likely), "likely");
  EXPECT_EQ(to_string(Certainty::suspect), "suspect");
}

TEST(Finding, MostCertainThenFastestThenMost) {
  std::vector<Finding> all(5);
  const auto set = [&all](size_t i, Certainty c, double growth, uint64_t count) {
    all[i].certainty = c, all[i].growth_per_minute = growth, all[i].count = count;
    all[i].site = i;
  };
  set(0, Certainty::suspect, 100, 1000);
  set(1, Certainty::likely, 1, 10);
  set(2, Certainty::certain, 0, 1);
  set(3, Certainty::likely, 2, 5);
  set(4, Certainty::likely, 1, 11);
  sort_findings(all);
  std::vector<uint64_t> sites;
  for (const Finding& f : all) sites.push_back(f.site);
  EXPECT_THAT(sites, ::testing::ElementsAre(2, 3, 4, 1, 0));
}

TEST(FindingText, AParagraphForEach) {
  Findings f;
  f.target = "zoo";
  f.taken_at_ns = 1'795'000'000'000'000'000;
  f.goroutines = 120;
  f.findings = {leak()};
  f.notes = {"Three samples are few."};
  EXPECT_EQ(text_of(f),
            "zoo: 1 finding in 120 goroutines, Nov 18, 2026 at 11:06:40 (UTC)\n"
            "note: Three samples are few.\n"
            "\n"
            "likely: 12 goroutines wait to send on channels from which nobody receives.\n"
            "  chan_send, 12 goroutines (at most 14), growing by 1.5 per minute, oldest 5m2s "
            "[chan send]\n"
            "  stuck at    work  src/work.cc:31\n"
            "  created by  serve  src/serve.cc:80\n"
            "  waits for   12 channels, made at serve  src/serve.cc:79\n"
            "  because     The longest wait has lasted 5m2s.\n"
            "              Each was there 20 samples ago.\n"
            "  fix         Receive on every path.\n"
            "  goroutines 7, 8, 9 ..\n"
            "    work  src/work.cc:31\n"
            "    serve  src/serve.cc:80\n");
}

TEST(FindingText, WhatIsNotKnownIsLeftOut) {
  Findings f;
  EXPECT_EQ(text_of(f), "no findings in 0 goroutines\n");
  f.goroutines = 1;
  f.findings.emplace_back().cause = "Somebody waits.";
  EXPECT_EQ(text_of(f),
            "1 finding in 1 goroutine\n"
            "\n"
            "suspect: Somebody waits.\n"
            "  chan_receive, 0 goroutines\n");
}

TEST(FindingText, GrowthIsReadable) {
  Findings f;
  f.findings = {leak()};
  const auto with = [&f](double per_minute) {
    f.findings[0].growth_per_minute = per_minute;
    return text_of(f);
  };
  EXPECT_THAT(with(1.0 / 60), HasSubstr("growing by 1 per hour"));
  EXPECT_THAT(with(-3), HasSubstr("shrinking by 3 per minute"));
  EXPECT_THAT(with(0), Not(HasSubstr("growing")));
  EXPECT_THAT(with(std::numeric_limits<double>::quiet_NaN()), Not(HasSubstr("nan")));
  EXPECT_THAT(with(std::numeric_limits<double>::infinity()), Not(HasSubstr("inf")));
}

TEST(FindingText, ADeepStackIsCut) {
  Findings f;
  f.findings = {leak()};
  f.findings[0].stack.assign(60, f.findings[0].blocked_at);
  const std::string text = text_of(f);
  EXPECT_THAT(text, HasSubstr("    .. 52 more ..\n"));
}

// Names come from anywhere: none begins a line of its own or moves the cursor.
TEST(FindingText, NothingPassesThatMovesTheCursor) {
  const std::string bad = "a\nb\x1b[31m\r\u202e\xff\0c";
  Findings f;
  f.target = bad;
  f.notes = {bad};
  Finding x = leak();
  for (std::string* s :
       {&x.wait, &x.created_by.function, &x.created_by.file, &x.blocked_at.function, &x.object.kind,
        &x.object.detail, &x.object.made_at.function, &x.object.url, &x.cause, &x.fix,
        &x.evidence[0], &x.stack[0].function}) {
    *s = bad;
  }
  f.findings = {x};
  const std::string text = text_of(f);
  EXPECT_THAT(text, AllOf(HasSubstr("a\\nb\\x1b[31m\\r\\u202e\\xff"), Not(HasSubstr("\x1b")),
                          Not(HasSubstr("\xff")), Not(HasSubstr("\r")), Not(HasSubstr("\u202e"))));
  EXPECT_THAT(text, Not(HasSubstr("\nb")));
}

TEST(FindingText, StopsWhenTheReaderIsGone) {
  Findings f;
  f.findings.assign(10'000, leak());
  int calls = 0;
  EXPECT_FALSE(write_findings_text(f, [&calls](std::string_view) { return ++calls < 2; }));
  EXPECT_EQ(calls, 2);
}

}  // namespace
}  // namespace weir::profiler
