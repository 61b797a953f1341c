#include "round_trip.h"

#include <nlohmann/json.hpp>
#include <string>

#include <weir/profiler/detector.h>
#include <weir/profiler/encode.h>
#include <weir/profiler/finding.h>

#include "encode.h"
#include "encode_text.h"
#include "go_frames.h"
#include "texts.h"

namespace weir::profiler::fuzz {

namespace {

using Writer = bool(const Snapshot&, const Sink&);

std::string written(Writer& write, const Snapshot& s) {
  std::string all;
  write(s, [&all](std::string_view piece) {
    all.append(piece);
    return true;
  });
  return all;
}

// Read by its reader and by the one that detects formats; empty: they read the same.
std::string read_back(const std::string& text, Reader& read, Snapshot& to) {
  try {
    to = read(text, {});
    if (parse(text) != to) return "is detected as something else";
  } catch (const ParseError& e) {
    return std::string("cannot be read: ") + e.what() + "\n" + text.substr(0, 400);
  }
  return {};
}

uint64_t goroutines(const Snapshot& s) {
  uint64_t sum = 0;
  for (const Group& g : s.groups) sum += g.count;
  return sum;
}

std::string check_text(Writer& write, Reader& read, const Snapshot& s) {
  const std::string text = written(write, s);
  if (text.empty()) return {};  // debug=2 without goroutines
  Snapshot again;
  if (std::string why = read_back(text, read, again); !why.empty()) return why;
  const std::string then = written(write, again);
  return then == text ? "" : "is written differently " + difference(text, then);
}

// A profile has the shown frames alone and no mark of a stack that is not whole: the frames that
// are shown become fewer, and then samples that have become equal become one. From there on it is
// the same.
std::string check_pprof(const Snapshot& s) {
  Snapshot again = s;
  for (int round = 0; round < 2; ++round) {
    const std::string profile = written(write_pprof, again);
    if (std::string why = read_back(profile, parse_pprof, again); !why.empty()) return why;
  }
  if (goroutines(s) <= INT64_MAX && goroutines(again) != goroutines(s)) {
    return "has " + std::to_string(goroutines(again)) + " goroutines, not " +
           std::to_string(goroutines(s));
  }
  return check_text(write_pprof, parse_pprof, again);
}

std::string check_json(const Snapshot& s) {
  const std::string text = written(write_json, s);
  Snapshot again;
  if (std::string why = read_back(text, parse_json, again); !why.empty()) return why;
  if (again == s) return {};
  // Texts that are not UTF-8 are mended by the writer.
  const std::string then = written(write_json, again);
  if (then != text) return "is written differently " + difference(text, then);
  return text.find("\xef\xbf\xbd") != text.npos ? "" : "is another Snapshot";
}

// Whatever a dump holds, its findings count nobody twice, and are fit to be printed and read.
std::string check_findings(const Snapshot& s) {
  Detector d;
  for (int64_t sample = 0; sample < 3; ++sample) d.observe(s, sample * 10'000'000'000);
  const Findings& f = d.findings();
  uint64_t found = 0;
  for (const Finding& x : f.findings) found = encode::saturating_add(found, x.count);
  if (found > f.goroutines) return "are of more goroutines than there are";
  std::string text, json;
  write_findings_text(f, [&](std::string_view piece) { return text.append(piece), true; });
  write_findings_json(f, [&](std::string_view piece) { return json.append(piece), true; });
  if (!nlohmann::json::accept(json)) return "are no JSON: " + json.substr(0, 400);
  return unprintable(text);
}

}  // namespace

std::string broken(const Snapshot& s) {
  if (std::string why = check_findings(s); !why.empty()) return "findings " + why;
  if (std::string why = check_json(s); !why.empty()) return "json " + why;
  // In the other formats a frame is the runtime's by its name.
  Snapshot named = s;
  for (Frame& f : named.frames) f.runtime = go_frames::is_runtime(f.function);
  if (std::string why = check_text(write_debug1, parse_debug1, named); !why.empty()) {
    return "debug1 " + why;
  }
  if (std::string why = check_text(write_debug2, parse_debug2, named); !why.empty()) {
    return "debug2 " + why;
  }
  if (std::string why = check_pprof(named); !why.empty()) return "pprof " + why;
  return {};
}

std::string broken(Reader& reader, std::string_view bytes, Snapshot* to) {
  Snapshot s;
  try {
    ParseOptions options;
    options.max_bytes = size_t{1} << 24;
    s = reader(bytes, options);
  } catch (const ParseError& e) {
    return not_one_line(e.what());
  }
  std::string why = broken(s);
  if (to) *to = std::move(s);
  return why;
}

}  // namespace weir::profiler::fuzz
