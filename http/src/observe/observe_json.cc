// The observer in JSON. Times are ns by the wall clock since 1970, or lengths in ns; what is not
// known is left out.
//
// weir.observation/1  {schema, taken_at_ns, looks, first_look_ns, goroutines, states {NAME: n},
//                     waiting {WAIT REASON: n}, findings {certain, likely, suspect}: n,
//                     duration_ns, interval_ns}; first_look_ns is another after a restart
// findings, in short  {taken_at_ns, findings [{site, kind, certainty, count, growth_per_minute,
//                     cause}]}: an event of it comes when one of these, but for the time and the
//                     growth, has changed
// weir.trend/1        {schema, taken_at_ns, sites, total POINTS, series [{site, wait, [created_by],
//                     [blocked_at], count, peak, growth_per_minute, [verdict], [evidence], points
//                     POINTS}]}; sites: that are known; POINTS: [[at_ns, least, most, last], ..]
//                     oldest first, each of the time since the one before
// weir.snapshots/1    {schema, snapshots [{id, taken_at_ns, goroutines, asked, has_ids, bytes}]}
//                     oldest first
#include "observe_json.h"

#include <cstdio>
#include <nlohmann/json.hpp>

namespace weir::http::observe {

namespace {

using Json = nlohmann::ordered_json;

// Names come from anywhere: bytes that are not UTF-8 are replaced.
std::string text_of(const Json& j) {
  return j.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void add(Json& to, const char* key, const profiler::Frame& f) {
  if (f.function.empty()) return;
  Json j = {{"function", f.function}};
  if (!f.file.empty()) j["file"] = f.file;
  if (f.line != 0) j["line"] = f.line;
  to[key] = std::move(j);
}

Json points(const profiler::Series& s) {
  Json all = Json::array();
  for (const auto& p : s.points) all.push_back(Json::array({p.at_ns, p.least, p.most, p.last}));
  return all;
}

Json line(const Trend::Line& l) {
  Json j = {{"site", site_text(l.growth.site)}, {"wait", l.names.wait}};
  add(j, "created_by", l.names.created_by);
  add(j, "blocked_at", l.names.blocked_at);
  j["count"] = l.growth.count;
  j["peak"] = l.growth.peak;
  j["growth_per_minute"] = l.growth.per_minute;
  if (l.growth.verdict) j["verdict"] = profiler::to_string(*l.growth.verdict);
  if (!l.growth.evidence.empty()) j["evidence"] = l.growth.evidence;
  j["points"] = points(l.series);
  return j;
}

Json entry(const Kept& k) {
  return {{"id", k.id},
          {"taken_at_ns", k.snapshot->taken_at_ns},
          {"goroutines", k.snapshot->total},
          {"asked", k.asked},
          {"has_ids", !k.stripped},
          {"bytes", k.bytes}};
}

}  // namespace

std::string site_text(uint64_t site) {
  char digits[19];
  std::snprintf(digits, sizeof digits, "0x%llx", static_cast<unsigned long long>(site));
  return digits;
}

std::string observation_json(const Observation& o) {
  Json found = {{"certain", 0}, {"likely", 0}, {"suspect", 0}};
  for (const profiler::Finding& f : o.findings.findings) {
    Json& n = found[std::string(profiler::to_string(f.certainty))];
    n = n.get<uint64_t>() + 1;
  }
  return text_of({{"schema", "weir.observation/1"},
                  {"taken_at_ns", o.findings.taken_at_ns},
                  {"looks", o.looks},
                  {"first_look_ns", o.first_look_ns},
                  {"goroutines", o.findings.goroutines},
                  {"states", o.states},
                  {"waiting", o.waits},
                  {"findings", std::move(found)},
                  {"duration_ns", o.duration_ns},
                  {"interval_ns", o.interval_ns}});
}

std::string findings_json(const profiler::Findings& f) {
  Json all = Json::array();
  for (const profiler::Finding& x : f.findings) {
    all.push_back({{"site", site_text(x.site)},
                   {"kind", profiler::to_string(x.kind)},
                   {"certainty", profiler::to_string(x.certainty)},
                   {"count", x.count},
                   {"growth_per_minute", x.growth_per_minute},
                   {"cause", x.cause}});
  }
  return text_of({{"taken_at_ns", f.taken_at_ns}, {"findings", std::move(all)}});
}

std::string trend_json(const Trend& t) {
  Json series = Json::array();
  for (const Trend::Line& l : t.lines) series.push_back(line(l));
  return text_of({{"schema", "weir.trend/1"},
                  {"taken_at_ns", t.taken_at_ns},
                  {"sites", t.sites},
                  {"total", points(t.total)},
                  {"series", std::move(series)}});
}

std::string snapshot_json(const Kept& k) { return text_of(entry(k)); }

std::string snapshots_json(const std::vector<Kept>& kept) {
  Json all = Json::array();
  for (const Kept& k : kept) all.push_back(entry(k));
  return text_of({{"schema", "weir.snapshots/1"}, {"snapshots", std::move(all)}});
}

}  // namespace weir::http::observe
