// Findings -> JSON, schema "weir.findings/1". Keys come in this order; readers pass over keys that
// they do not know. What is not known is null; names of functions are whole, as in the snapshot.
//
//   schema              "weir.findings/1"
//   target              what was looked at
//   taken_at            wall clock, "2026-11-24T17:31:05.250Z"
//   goroutines          that were looked at
//   notes               sentences
//   findings            the most certain first:
//     kind              "nil_channel", "chan_send" .. (finding.h)
//     certainty         "certain", "likely" or "suspect"
//     count             goroutines
//     growth_per_minute of their number; 0 also where nothing is known of it
//     oldest_wait_seconds
//     created_by, blocked_at
//                       {function, file, line}
//     object            {kind, detail, made_at {function, file, line}, count, owner, method, url,
//                       status, places [{what, at {function, file, line}}]}: what they wait for, or
//                       one of count different ones; owner: goid; null: nothing
//     cause, fix        sentences
//     evidence          sentences
//     stack             [{function, file, line}], innermost first
//     goids             the smallest ones, at most 16; empty: not known
//     site              "0x..": the same for this place in all findings of a program
//     wait              wait reason, else the state
//     first_seen, last_seen
//                       as taken_at
//     peak              goroutines
//     test              that left them behind; not there where none is known
//     known             true: a baseline accepts it; else not there
//
// Several processes or targets (report.h), schema "weir.reports/1":
//
//   schema              "weir.reports/1"
//   complete            false: something that was to be looked at could not be
//   baseline            a baseline was asked: findings that it has are `known`
//   notes               sentences
//   reports             documents as above
//
// Texts that are not UTF-8 get U+FFFD in place of what is not.
#include <nlohmann/json.hpp>

#include <cmath>
#include <cstdio>
#include <ctime>
#include <utility>

#include <weir/profiler/finding.h>
#include <weir/profiler/report.h>

#include "encode.h"

namespace weir::profiler {

namespace {

using Json = nlohmann::ordered_json;

Json time_json(int64_t ns) {
  if (ns <= 0) return nullptr;
  const auto seconds = static_cast<time_t>(ns / 1'000'000'000);
  tm utc{};
  if (!gmtime_r(&seconds, &utc)) return nullptr;
  char text[64];
  const size_t n = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
  std::snprintf(text + n, sizeof text - n, ".%03dZ",
                static_cast<int>(ns % 1'000'000'000 / 1'000'000));
  return text;
}

template <class T>
Json known(const T& value) {
  return value == T{} ? Json(nullptr) : Json(value);
}

Json place(const Frame& f) {
  if (f.function.empty()) return nullptr;
  return {{"function", f.function}, {"file", known(f.file)}, {"line", known(f.line)}};
}

Json object_json(const Finding::Object& o) {
  if (o.kind.empty()) return nullptr;
  Json j = {{"kind", o.kind},          {"detail", known(o.detail)}, {"made_at", place(o.made_at)},
            {"count", known(o.count)}, {"owner", known(o.owner)},   {"method", known(o.method)},
            {"url", known(o.url)},     {"status", known(o.status)}, {"places", Json::array()}};
  for (const auto& [what, at] : o.places)
    j["places"].push_back({{"what", what}, {"at", place(at)}});
  return j;
}

Json finding_json(const Finding& f) {
  Json j = {{"kind", to_string(f.kind)}, {"certainty", to_string(f.certainty)}};
  j["count"] = f.count;
  j["growth_per_minute"] =
      std::isfinite(f.growth_per_minute) ? Json(f.growth_per_minute) : Json(nullptr);
  j["oldest_wait_seconds"] =
      f.oldest_wait_ns < 0 ? Json(nullptr) : Json(static_cast<double>(f.oldest_wait_ns) / 1e9);
  j["created_by"] = place(f.created_by);
  j["blocked_at"] = place(f.blocked_at);
  j["object"] = object_json(f.object);
  j["cause"] = known(f.cause);
  j["fix"] = known(f.fix);
  j["evidence"] = f.evidence;
  j["stack"] = Json::array();
  for (const Frame& frame : f.stack) j["stack"].push_back(place(frame));
  j["goids"] = f.goids;
  std::string site;
  encode::append_hex(site, f.site);
  j["site"] = site;
  j["wait"] = known(f.wait);
  j["first_seen"] = time_json(f.first_seen_ns);
  j["last_seen"] = time_json(f.last_seen_ns);
  j["peak"] = known(f.peak);
  if (!f.test.empty()) j["test"] = f.test;
  if (f.known) j["known"] = true;
  return j;
}

std::string text_of(const Json& j) {
  return j.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void write(const Findings& f, encode::Out& out) {
  Json head = {{"schema", "weir.findings/1"}, {"target", known(f.target)}};
  head["taken_at"] = time_json(f.taken_at_ns);
  head["goroutines"] = f.goroutines;
  head["notes"] = f.notes;
  std::string text = text_of(head);
  text.pop_back();  // the closing bracket: the findings come one by one
  out.write(text + ",\"findings\":[");
  const char* separator = "\n";
  for (const Finding& finding : f.findings) {
    if (!out.ok()) break;
    out.write(separator + text_of(finding_json(finding)));
    separator = ",\n";
  }
  out.write("]}");
}

}  // namespace

bool write_findings_json(const Findings& f, const Sink& sink) {
  encode::Out out(sink);
  write(f, out);
  out.write("\n");
  return out.finish();
}

bool write_report_json(const Report& r, const Sink& sink) {
  encode::Out out(sink);
  Json head = {{"schema", "weir.reports/1"}, {"complete", r.complete}, {"baseline", r.baseline}};
  head["notes"] = r.notes;
  std::string text = text_of(head);
  text.pop_back();
  out.write(text + ",\"reports\":[");
  const char* separator = "\n";
  for (const Findings& f : r.all) {
    if (!out.ok()) break;
    out.write(std::exchange(separator, ",\n"));
    write(f, out);
  }
  out.write("]}\n");
  return out.finish();
}

}  // namespace weir::profiler
