// Findings -> JSON: the contract's keys, what is not known, and texts from anywhere.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include <weir/profiler/finding.h>

#include "causes_test_util.h"

namespace weir::profiler {
namespace {

using nlohmann::ordered_json;
using ::testing::ElementsAre;
using testing::Scene;

std::string text_of(const Findings& f) {
  std::string text;
  EXPECT_TRUE(write_findings_json(f, [&text](std::string_view bytes) {
    text.append(bytes);
    return true;
  }));
  return text;
}
ordered_json json_of(const Findings& f) { return ordered_json::parse(text_of(f)); }
std::vector<std::string> keys_of(const ordered_json& j) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : j.items()) keys.push_back(key);
  return keys;
}
constexpr int64_t kTaken = 1'795'000'000'250'999'999;

TEST(FindingJson, TheContract) {
  Scene s;
  s.locks(7, "enter", 1, 5);
  s.last_object().owner_alive = false;
  s.last_object().made_at = s.place("open", 3);
  Findings f;
  f.target = "http://127.0.0.1:6060";
  f.taken_at_ns = kTaken;
  f.goroutines = 1;
  f.notes = {"A note."};
  f.findings = testing::proven(s.snapshot);
  ASSERT_EQ(f.findings.size(), 1U);
  f.findings[0].growth_per_minute = 2.5;
  f.findings[0].first_seen_ns = kTaken - 60'000'000'000;
  f.findings[0].last_seen_ns = kTaken;
  f.findings[0].peak = 4;
  const ordered_json j = json_of(f);
  EXPECT_THAT(keys_of(j),
              ElementsAre("schema", "target", "taken_at", "goroutines", "notes", "findings"));
  EXPECT_EQ(j["schema"], "weir.findings/1");
  EXPECT_EQ(j["target"], "http://127.0.0.1:6060");
  EXPECT_EQ(j["taken_at"], "2026-11-18T11:06:40.250Z");
  EXPECT_EQ(j["notes"][0], "A note.");
  ASSERT_EQ(j["findings"].size(), 1U);
  const ordered_json& x = j["findings"][0];
  EXPECT_THAT(keys_of(x),
              ElementsAre("kind", "certainty", "count", "growth_per_minute", "oldest_wait_seconds",
                          "created_by", "blocked_at", "object", "cause", "fix", "evidence", "stack",
                          "goids", "site", "wait", "first_seen", "last_seen", "peak"));
  EXPECT_EQ(x["kind"], "mutex_forgotten_unlock");
  EXPECT_EQ(x["certainty"], "certain");
  EXPECT_EQ(x["count"], 1);
  EXPECT_EQ(x["growth_per_minute"], 2.5);
  EXPECT_EQ(x["oldest_wait_seconds"], 300.0);
  const ordered_json enter = {{"function", "enter"}, {"file", "src/enter.cc"}, {"line", 1}};
  EXPECT_EQ(x["blocked_at"], enter);
  EXPECT_EQ(x["stack"], ordered_json::array({enter}));
  EXPECT_EQ(x["created_by"]["function"], "make");
  EXPECT_EQ(x["object"]["kind"], "mutex");
  EXPECT_EQ(x["object"]["made_at"]["function"], "open");
  EXPECT_EQ(x["object"]["owner"], 5);
  EXPECT_EQ(x["object"]["count"], 1);
  EXPECT_EQ(x["object"]["places"][0]["what"], "locked");
  EXPECT_EQ(x["object"]["places"][0]["at"]["function"], "lock1");
  EXPECT_TRUE(x["evidence"].is_array());
  EXPECT_EQ(x["goids"], ordered_json::array({7}));
  EXPECT_EQ(x["site"].get<std::string>().substr(0, 2), "0x");
  EXPECT_EQ(x["wait"], "sync.Mutex.Lock");
  EXPECT_EQ(x["first_seen"], "2026-11-18T11:05:40.250Z");
  EXPECT_EQ(x["last_seen"], "2026-11-18T11:06:40.250Z");
  EXPECT_EQ(x["peak"], 4);
}

TEST(FindingJson, WhatIsNotKnownIsNull) {
  Findings f;
  f.findings.emplace_back();
  f.findings[0].growth_per_minute = std::numeric_limits<double>::quiet_NaN();
  f.findings[0].stack.push_back({"work", "", 0, 0, false});
  const ordered_json j = json_of(f);
  EXPECT_TRUE(j["target"].is_null());
  EXPECT_TRUE(j["taken_at"].is_null());
  const ordered_json& x = j["findings"][0];
  for (const char* const key : {"growth_per_minute", "oldest_wait_seconds", "created_by",
                                "blocked_at", "object", "first_seen", "last_seen", "wait"}) {
    EXPECT_TRUE(x[key].is_null()) << key;
  }
  EXPECT_TRUE(x["stack"][0]["file"].is_null());
  EXPECT_TRUE(x["stack"][0]["line"].is_null());
  EXPECT_EQ(x["goids"], ordered_json::array());
  EXPECT_EQ(x["evidence"], ordered_json::array());
}

TEST(FindingJson, NoFindingsAreAnEmptyList) {
  EXPECT_EQ(json_of({})["findings"], ordered_json::array());
}

// Markup stays text, control characters are escaped, what is no UTF-8 is replaced.
TEST(FindingJson, TextsFromAnywhere) {
  Findings f;
  Finding& x = f.findings.emplace_back();
  x.blocked_at.function = "<script>\"a\\\n\x01</script>";
  x.object.kind = "http_body";
  x.object.url = "http://a/\xff\xc0?\u2028";
  x.evidence = {"\x1b[31m"};
  const std::string text = text_of(f);
  EXPECT_EQ(text.find('\x01'), text.npos);
  EXPECT_EQ(text.find('\x1b'), text.npos);
  EXPECT_EQ(text.find('\xff'), text.npos);
  const ordered_json j = ordered_json::parse(text);
  EXPECT_EQ(j["findings"][0]["blocked_at"]["function"], x.blocked_at.function);
  EXPECT_EQ(j["findings"][0]["object"]["url"], "http://a/\ufffd\ufffd?\u2028");
}

TEST(FindingJson, StopsWhenTheReaderIsGone) {
  Findings f;
  f.findings.resize(10'000);
  int calls = 0;
  EXPECT_FALSE(write_findings_json(f, [&calls](std::string_view) { return ++calls < 2; }));
  EXPECT_EQ(calls, 2);
}

}  // namespace
}  // namespace weir::profiler
