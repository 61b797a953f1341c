// For tests of reports: findings made by hand, and what a writer writes.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include <weir/profiler/report.h>

namespace weir::profiler::testing {

inline constexpr int64_t kReported = 1'795'000'000'250'000'000;  // 2026-11-18T11:06:40.250Z

inline Finding reported(Kind kind = Kind::chan_send, Certainty certainty = Certainty::likely) {
  Finding f;
  f.kind = kind;
  f.certainty = certainty;
  f.site = 0xabc;
  f.count = 3;
  f.growth_per_minute = 2.5;
  f.oldest_wait_ns = 302'000'000'000;
  f.wait = "chan send";
  f.created_by = {"zoo::start", "/src/zoo/start.cc", 20, 0, false};
  f.blocked_at = {"zoo::send", "/src/zoo/send.cc", 18, 0, false};
  f.object.kind = "chan";
  f.object.detail = "cap 0, 0 sent, 0 received";
  f.object.made_at = {"zoo::make", "/src/zoo/make.cc", 19, 0, false};
  f.object.count = 3;
  f.object.owner = 7;
  f.object.method = "GET";
  f.object.url = "http://localhost/";
  f.object.status = 200;
  f.object.places.emplace_back("last Add", Frame{"zoo::add", "/src/zoo/add.cc", 5, 0, false});
  f.cause = "3 goroutines wait to send on channels from which nobody receives.";
  f.evidence = {"The longest wait has lasted 5m2s.", "Nobody has gone on."};
  f.fix = "Give the channel room.";
  f.stack = {{"zoo::send", "/src/zoo/send.cc", 18, 0, false},
             {"lib::call", "/usr/include/lib.h", 4, 0, false},
             {"zoo::start::lambda", "/src/zoo/start.cc", 21, 0, false}};
  f.goids = {7, 8, 9};
  f.first_seen_ns = kReported - 60'000'000'000;
  f.last_seen_ns = kReported;
  f.peak = 4;
  return f;
}

inline Findings process_with(std::vector<Finding> findings, std::string target = "zoo") {
  Findings f;
  f.target = std::move(target);
  f.taken_at_ns = kReported;
  f.goroutines = 120;
  f.findings = std::move(findings);
  return f;
}

inline Report report_of(std::vector<Findings> all) {
  Report r;
  r.all = std::move(all);
  r.root = "/src";
  r.version = "1.2.3";
  return r;
}

inline std::string written(bool (*write)(const Report&, const Sink&), const Report& r) {
  std::string text;
  EXPECT_TRUE(write(r, [&text](std::string_view piece) {
    text.append(piece);
    return true;
  }));
  return text;
}

// Begins lines, moves the cursor, ends tags and quotes, is no UTF-8.
inline const std::string kEvil = "a\nb\x1b[31m\r\xe2\x80\xae<&\"'>]]>%,:\xff;::error::c";

// With kEvil wherever a text of its stands.
inline Report evil() {
  Finding f = reported();
  for (std::string* s :
       {&f.wait, &f.created_by.function, &f.created_by.file, &f.blocked_at.function,
        &f.blocked_at.file, &f.object.kind, &f.object.detail, &f.object.url,
        &f.object.made_at.function, &f.object.places[0].first, &f.cause, &f.fix, &f.evidence[0],
        &f.stack[0].function, &f.stack[0].file, &f.test}) {
    *s = kEvil;
  }
  Findings p = process_with({f}, kEvil);
  p.notes = {kEvil};
  Report r = report_of({p});
  r.notes = {kEvil};
  return r;
}

// Stops after the first piece.
inline void expect_stops(bool (*write)(const Report&, const Sink&)) {
  int calls = 0;
  const Report r = report_of({process_with(std::vector<Finding>(3'000, reported()))});
  EXPECT_FALSE(write(r, [&calls](std::string_view) { return ++calls < 2; }));
  EXPECT_EQ(calls, 2);
}

}  // namespace weir::profiler::testing
