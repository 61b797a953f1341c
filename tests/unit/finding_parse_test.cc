// JSON -> findings: what was written is read back, and what is none is refused with its place.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include <weir/profiler/parse.h>
#include <weir/profiler/report.h>

#include "report_round_trip.h"
#include "report_test_util.h"

namespace weir::profiler {
namespace {

using nlohmann::ordered_json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::process_with;
using testing::report_of;
using testing::reported;
using ::testing::StartsWith;
using testing::written;

std::string findings_text(const Findings& f) {
  std::string text;
  EXPECT_TRUE(write_findings_json(f, [&text](std::string_view piece) {
    text.append(piece);
    return true;
  }));
  return text;
}

std::string refusal(const std::string& json) {
  try {
    (void)parse_report(json);
  } catch (const ParseError& e) {
    return e.what();
  }
  ADD_FAILURE() << "was taken: " << json.substr(0, 200);
  return {};
}

// What is refused of a finding that is right but for one thing.
std::string refusal(const std::function<void(ordered_json&)>& change) {
  ordered_json j = ordered_json::parse(findings_text(process_with({reported()})));
  change(j);
  return refusal(j.dump());
}

TEST(FindingParse, WhatWasWrittenIsRead) {
  Findings f = process_with({reported(), reported(Kind::nil_channel, Certainty::certain)});
  f.notes = {"A note."};
  f.findings[0].test = "Suite.test";
  f.findings[0].known = true;
  sort_findings(f.findings);
  const Report r = parse_report(findings_text(f));
  ASSERT_EQ(r.all.size(), 1U);
  EXPECT_EQ(findings_text(r.all[0]), findings_text(f));
  const Finding& x = r.all[0].findings[1];
  EXPECT_EQ(x.kind, Kind::chan_send);
  EXPECT_EQ(x.certainty, Certainty::likely);
  EXPECT_EQ(x.count, 3U);
  EXPECT_EQ(x.site, 0xabcU);
  EXPECT_EQ(x.oldest_wait_ns, 302'000'000'000);
  EXPECT_EQ(x.first_seen_ns, testing::kReported - 60'000'000'000);
  EXPECT_EQ(x.created_by, (Frame{"zoo::start", "/src/zoo/start.cc", 20, 0, false}));
  EXPECT_EQ(x.object.places.size(), 1U);
  EXPECT_EQ(x.stack, reported().stack);
  EXPECT_EQ(x.goids, (std::vector<uint64_t>{7, 8, 9}));
  EXPECT_EQ(x.test, "Suite.test");
  EXPECT_TRUE(x.known);
}

TEST(FindingParse, EveryKindAndCertainty) {
  for (size_t k = 0; k < kKinds; ++k) {
    for (size_t c = 0; c < kCertainties; ++c) {
      const Finding f = reported(static_cast<Kind>(k), static_cast<Certainty>(c));
      const Report r = parse_report(findings_text(process_with({f})));
      EXPECT_EQ(r.all[0].findings[0].kind, f.kind);
      EXPECT_EQ(r.all[0].findings[0].certainty, f.certainty);
    }
  }
}

TEST(FindingParse, WhatIsNotKnownStaysSo) {
  Finding f;
  const Findings p = process_with({f});
  const Report r = parse_report(findings_text(p));
  EXPECT_EQ(findings_text(r.all[0]), findings_text(p));
  EXPECT_EQ(r.all[0].findings[0].oldest_wait_ns, -1);
  EXPECT_TRUE(parse_report(findings_text(Findings())).all[0].findings.empty());
}

TEST(FindingParse, SeveralProcesses) {
  Report r = report_of({process_with({reported()}, "a"), process_with({}, "b")});
  r.notes = {"On all."};
  r.complete = false;
  r.baseline = true;
  const std::string text = written(write_report_json, r);
  const Report again = parse_report(text);
  EXPECT_EQ(written(write_report_json, again), text);
  EXPECT_EQ(again.all[1].target, "b");
  EXPECT_EQ(again.notes, r.notes);
  EXPECT_FALSE(again.complete);
  EXPECT_TRUE(again.baseline);
  EXPECT_TRUE(parse_report(written(write_report_json, Report())).all.empty());
}

// The writer gives nine digits behind the point.
TEST(FindingParse, WaitsAreReadToTheNanosecond) {
  constexpr int64_t kDay = 86'400'000'000'000;
  for (const int64_t wait : {int64_t{0}, int64_t{1}, 7 * kDay + 1, int64_t{4'361'208'334'296'512},
                             60 * kDay + 123'456'789, 90 * kDay - 1}) {
    Finding f = reported();
    f.oldest_wait_ns = wait;
    const Report r = parse_report(findings_text(process_with({f})));
    EXPECT_EQ(r.all[0].findings[0].oldest_wait_ns, wait);
  }
}

TEST(FindingParse, TheOrderOfEqualOnesStays) {
  std::vector<Finding> alike(40, reported());
  for (size_t i = 0; i < alike.size(); ++i) alike[i].cause = "cause " + std::to_string(i);
  const Report r = parse_report(findings_text(process_with(alike)));
  for (size_t i = 0; i < alike.size(); ++i) EXPECT_EQ(r.all[0].findings[i].cause, alike[i].cause);
}

// What fuzzing began with, and what it found.
TEST(FindingParse, CorpusIsReadAndWrittenToTheSame) {
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(WEIR_CORPUS "/report")) {
    std::ifstream in(entry.path(), std::ios::binary);
    const std::string bytes(std::istreambuf_iterator<char>(in), {});
    EXPECT_EQ(fuzz::broken_report(bytes), "") << entry.path().filename();
    ++files;
  }
  EXPECT_GE(files, 1U);
}

TEST(FindingParse, TextsFromAnywhere) {
  const std::string text = written(write_report_json, testing::evil());
  EXPECT_EQ(written(write_report_json, parse_report(text)), text);
}

TEST(FindingParse, KeysThatAreNotKnownArePassedOver) {
  ordered_json j = ordered_json::parse(findings_text(process_with({reported()})));
  j["more"] = {{"deep", {1, 2, 3}}};
  j["findings"][0]["more"] = "text";
  EXPECT_EQ(parse_report(j.dump()).all[0].findings.size(), 1U);
}

TEST(FindingParse, RefusesWhatIsNoReport) {
  for (const std::string text :
       {"", "{", "[]", "null", "7", "{}",
        "goroutine 1 [running]:", R"({"schema":"weir.snapshot/1"})", R"({"schema":7})",
        R"({"schema":"weir.findings/1"})", R"({"schema":"weir.reports/1"})", "\xff\xfe"}) {
    EXPECT_THAT(refusal(text), StartsWith("JSON: ")) << text;
  }
  const std::string whole = findings_text(process_with({reported()}));
  EXPECT_THAT(refusal(whole.substr(0, whole.size() / 2)), HasSubstr("not whole"));
  EXPECT_EQ(refusal(R"({"schema":"weir.findings/1","findings":[],"goroutines":1e999})"),
            "JSON: a number is too large");
}

TEST(FindingParse, NamesThePlaceOfWhatIsWrong) {
  const auto of_first = [](const std::string& key, const ordered_json& value) {
    return refusal([&](ordered_json& j) { j["findings"][0][key] = value; });
  };
  EXPECT_THAT(of_first("kind", "odd"), HasSubstr("findings[0].kind: expected"));
  EXPECT_THAT(of_first("kind", nullptr), HasSubstr("findings[0].kind"));
  EXPECT_THAT(of_first("certainty", "sure"), HasSubstr("certain, likely or suspect"));
  EXPECT_THAT(of_first("count", -1), HasSubstr("findings[0].count"));
  EXPECT_THAT(of_first("count", nullptr), HasSubstr("findings[0].count"));
  EXPECT_THAT(of_first("count", "3"), HasSubstr("findings[0].count"));
  EXPECT_THAT(of_first("growth_per_minute", "fast"), HasSubstr("expected a number"));
  EXPECT_THAT(of_first("blocked_at", 5), HasSubstr("findings[0].blocked_at"));
  EXPECT_THAT(of_first("blocked_at", {{"line", 1e300}}), HasSubstr("blocked_at.line"));
  EXPECT_THAT(of_first("blocked_at", {{"line", 1ULL << 40}}), HasSubstr("blocked_at.line"));
  EXPECT_THAT(of_first("object", {{"places", {1}}}), HasSubstr("object.places[0]"));
  EXPECT_THAT(of_first("evidence", {1}), HasSubstr("findings[0].evidence[0]"));
  EXPECT_THAT(of_first("evidence", "text"), HasSubstr("expected a list"));
  EXPECT_THAT(of_first("stack", std::vector<int>(65)), HasSubstr("at most 64"));
  EXPECT_THAT(of_first("goids", std::vector<int>(17)), HasSubstr("at most 16"));
  EXPECT_THAT(of_first("goids", {"a"}), HasSubstr("goids[0]"));
  EXPECT_THAT(of_first("site", "abc"), HasSubstr("site"));
  EXPECT_THAT(of_first("site", "0xg"), HasSubstr("site"));
  EXPECT_THAT(of_first("first_seen", "yesterday"), HasSubstr("expected a time"));
  EXPECT_THAT(of_first("first_seen", "9999-11-24T17:31:05.250Z"), HasSubstr("expected a time"));
  EXPECT_THAT(of_first("known", "yes"), HasSubstr("true or false"));
  EXPECT_THAT(refusal([](ordered_json& j) { j["findings"] = 7; }), HasSubstr("findings: expected"));
  EXPECT_THAT(refusal([](ordered_json& j) { j["findings"] = {7}; }), HasSubstr("findings[0]"));
  EXPECT_THAT(refusal([](ordered_json& j) {
                j = {{"schema", "weir.reports/1"}, {"reports", {{{"schema", "odd"}}}}};
              }),
              HasSubstr("reports[0].schema"));
}

TEST(FindingParse, IsBounded) {
  EXPECT_THAT(refusal([](ordered_json& j) { j["findings"] = std::vector<int>(1001); }),
              HasSubstr("at most 1000"));
  EXPECT_THAT(refusal(std::string(100'000, '[')), HasSubstr("nested too deeply"));
  std::string many = R"({"schema":"weir.findings/1","findings":[)";
  for (int i = 0; i < 9'000'000; ++i) many.append("1,");
  EXPECT_THAT(refusal(many + "1]}"), HasSubstr("too many values"));
}

TEST(FindingParse, TellsItFromOtherFormats) {
  EXPECT_TRUE(looks_like_report(findings_text(Findings())));
  EXPECT_TRUE(looks_like_report(written(write_report_json, Report())));
  EXPECT_TRUE(looks_like_report("{\n  \"schema\": \"weir.findings/1\""));
  EXPECT_FALSE(looks_like_report(R"({"schema":"weir.snapshot/1"})"));
  EXPECT_FALSE(looks_like_report("goroutine profile: total 3"));
  EXPECT_FALSE(looks_like_report(""));
}

TEST(FindingIdentity, IsMadeOfNames) {
  Finding a = reported(), b = reported();
  b.blocked_at.line = 99;
  b.created_by.file = "elsewhere.cc";
  b.site = 5;
  b.count = 1000;
  b.certainty = Certainty::certain;
  EXPECT_EQ(identity_of(a), identity_of(b));
  b.kind = Kind::chan_receive;
  EXPECT_NE(identity_of(a), identity_of(b));
  EXPECT_TRUE(identity_of(Finding()).empty());
}

TEST(FindingLeaveOut, ByFunctionsAndFiles) {
  const auto left = [](const std::vector<std::string>& ignore) {
    std::vector<Finding> all = {reported()};
    leave_out(all, ignore);
    return all.size();
  };
  EXPECT_EQ(left({}), 1U);
  EXPECT_EQ(left({"nothing", "^send$"}), 1U);
  for (const char* const one : {"zoo::send$", "zoo::start$", "start\\.cc", "lib::c.ll"}) {
    EXPECT_EQ(left({"nothing", one}), 0U) << one;
  }
  EXPECT_THROW(left({"("}), std::runtime_error);
}

}  // namespace
}  // namespace weir::profiler
