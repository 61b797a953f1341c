// JSON "weir.findings/1" and "weir.reports/1" -> Report (report.h). The schemas are in
// finding_json.cc.
//
// The document is read into a tree whose depth and number of values are bounded while it grows, so
// memory is bounded by the limits below, whatever the input. What is not known may be null or not
// there; kind, certainty and count must be there.
#include <weir/profiler/parse.h>
#include <weir/profiler/report.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "encode_text.h"

namespace weir::profiler {

namespace {

using Json = nlohmann::json;

constexpr size_t kMaxBytes = size_t{256} << 20;
constexpr size_t kMaxValues = 8'000'000;
constexpr int kMaxDepth = 16;  // of what is written, the deepest has 8
constexpr size_t kMaxReports = 100'000;
constexpr size_t kMaxSentences = 1000;  // of one list
constexpr int64_t kSecond = 1'000'000'000;

// A place in the document, for messages: "reports[3].findings[0].count".
class At {
 public:
  explicit At(std::string path) : path_(std::move(path)) {}
  At operator/(std::string_view key) const {
    return At(path_.empty() ? std::string(key) : path_ + "." + std::string(key));
  }
  At operator/(size_t i) const { return At(path_ + "[" + std::to_string(i) + "]"); }
  [[noreturn]] void fail(const std::string& expected) const {
    throw ParseError("JSON: " + (path_.empty() ? "" : path_ + ": ") + "expected " + expected);
  }

 private:
  std::string path_;
};

// A member of an object; null: not there, or null.
const Json* member(const Json& j, const char* key) {
  const auto found = j.find(key);
  return found == j.end() || found->is_null() ? nullptr : &*found;
}

std::string text(const Json& j, const char* key, const At& at) {
  const Json* v = member(j, key);
  if (!v) return {};
  if (!v->is_string()) (at / key).fail("a text");
  return v->get<std::string>();
}

uint64_t number(const Json& j, const char* key, const At& at) {
  const Json* v = member(j, key);
  if (!v) return 0;
  if (!v->is_number_unsigned()) (at / key).fail("a whole number, not negative");
  return v->get<uint64_t>();
}

int small_number(const Json& j, const char* key, const At& at) {
  const uint64_t n = number(j, key, at);
  if (n > std::numeric_limits<int>::max()) (at / key).fail("a smaller number");
  return static_cast<int>(n);
}

double real(const Json& j, const char* key, const At& at, double otherwise) {
  const Json* v = member(j, key);
  if (!v) return otherwise;
  if (!v->is_number()) (at / key).fail("a number");
  return v->get<double>();
}

bool flag(const Json& j, const char* key, const At& at, bool otherwise) {
  const Json* v = member(j, key);
  if (!v) return otherwise;
  if (!v->is_boolean()) (at / key).fail("true or false");
  return v->get<bool>();
}

// Calls read(element, its place) for each element of an array.
template <class Read>
void each(const Json& j, const char* key, const At& at, size_t most, Read read) {
  const Json* v = member(j, key);
  if (!v) return;
  const At list = at / key;
  if (!v->is_array()) list.fail("a list");
  if (v->size() > most) list.fail("at most " + std::to_string(most) + " elements");
  for (size_t i = 0; i < v->size(); ++i) read((*v)[i], list / i);
}

std::vector<std::string> sentences(const Json& j, const char* key, const At& at) {
  std::vector<std::string> all;
  each(j, key, at, kMaxSentences, [&all](const Json& v, const At& place) {
    if (!v.is_string()) place.fail("a text");
    all.push_back(v.get<std::string>());
  });
  return all;
}

// "2026-11-24T17:31:05.250Z"
int64_t time_of(const Json& j, const char* key, const At& at) {
  const std::string value = text(j, key, at);
  if (value.empty()) return 0;
  tm utc{};
  int milliseconds = 0, end = 0;
  const int fields =
      std::sscanf(value.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ%n", &utc.tm_year, &utc.tm_mon,
                  &utc.tm_mday, &utc.tm_hour, &utc.tm_min, &utc.tm_sec, &milliseconds, &end);
  utc.tm_year -= 1900;
  utc.tm_mon -= 1;
  const time_t seconds = fields == 7 ? timegm(&utc) : 0;
  // Until the year 2200, beyond which nanoseconds have no room.
  if (fields != 7 || static_cast<size_t>(end) != value.size() || milliseconds < 0 || seconds <= 0 ||
      seconds > 7'258'118'400) {
    (at / key).fail("a time like 2026-11-24T17:31:05.250Z");
  }
  return int64_t{seconds} * kSecond + milliseconds * 1'000'000;
}

Frame frame(const Json& j, const At& at) {
  if (!j.is_object()) at.fail("{function, file, line}");
  Frame f;
  f.function = text(j, "function", at);
  f.file = text(j, "file", at);
  f.line = small_number(j, "line", at);
  return f;
}

Frame frame(const Json& j, const char* key, const At& at) {
  const Json* v = member(j, key);
  return v ? frame(*v, at / key) : Frame{};
}

Finding::Object object(const Json& j, const At& at) {
  Finding::Object o;
  if (!j.is_object()) at.fail("an object");
  o.kind = text(j, "kind", at);
  o.detail = text(j, "detail", at);
  o.made_at = frame(j, "made_at", at);
  o.count = number(j, "count", at);
  o.owner = number(j, "owner", at);
  o.method = text(j, "method", at);
  o.url = text(j, "url", at);
  o.status = small_number(j, "status", at);
  each(j, "places", at, kMaxSentences, [&o](const Json& v, const At& place) {
    if (!v.is_object()) place.fail("{what, at}");
    o.places.emplace_back(text(v, "what", place), frame(v, "at", place));
  });
  return o;
}

uint64_t site_of(const Json& j, const At& at) {
  const std::string value = text(j, "site", at);
  if (value.empty()) return 0;
  uint64_t site = 0;
  const char* const end = value.data() + value.size();
  if (!value.starts_with("0x") || value.size() < 3) (at / "site").fail("\"0x..\"");
  const auto [stop, error] = std::from_chars(value.data() + 2, end, site, 16);
  if (error != std::errc() || stop != end) (at / "site").fail("\"0x..\"");
  return site;
}

// Room for three centuries. What is behind the point is taken by itself: of weeks and more, the
// product of all loses the last digit.
int64_t nanoseconds(double seconds) {
  const double most = std::min(seconds, 9e9), whole = std::floor(most);
  return static_cast<int64_t>(whole) * kSecond + std::llround((most - whole) * 1e9);
}

Finding finding(const Json& j, const At& at) {
  if (!j.is_object()) at.fail("a finding");
  Finding f;
  const auto kind = kind_named(text(j, "kind", at));
  if (!kind) (at / "kind").fail("a kind of finding");
  f.kind = *kind;
  const std::string certainty = text(j, "certainty", at);
  size_t c = 0;
  while (c < kCertainties && to_string(static_cast<Certainty>(c)) != certainty) ++c;
  if (c == kCertainties) (at / "certainty").fail("certain, likely or suspect");
  f.certainty = static_cast<Certainty>(c);
  if (!member(j, "count")) (at / "count").fail("a whole number, not negative");
  f.count = number(j, "count", at);
  f.growth_per_minute = real(j, "growth_per_minute", at, 0);
  const double wait = real(j, "oldest_wait_seconds", at, -1);
  if (wait >= 0) f.oldest_wait_ns = nanoseconds(wait);
  f.created_by = frame(j, "created_by", at);
  f.blocked_at = frame(j, "blocked_at", at);
  if (const Json* o = member(j, "object")) f.object = object(*o, at / "object");
  f.cause = text(j, "cause", at);
  f.fix = text(j, "fix", at);
  f.evidence = sentences(j, "evidence", at);
  each(j, "stack", at, Finding::kMaxFrames, [&f](const Json& v, const At& place) {
    f.stack.push_back(v.is_null() ? Frame{} : frame(v, place));
  });
  each(j, "goids", at, Finding::kMaxGoids, [&f](const Json& v, const At& place) {
    if (!v.is_number_unsigned()) place.fail("a goroutine's id");
    f.goids.push_back(v.get<uint64_t>());
  });
  f.site = site_of(j, at);
  f.wait = text(j, "wait", at);
  f.first_seen_ns = time_of(j, "first_seen", at);
  f.last_seen_ns = time_of(j, "last_seen", at);
  f.peak = number(j, "peak", at);
  f.test = text(j, "test", at);
  f.known = flag(j, "known", at, false);
  return f;
}

Findings findings(const Json& j, const At& at) {
  if (!j.is_object() || text(j, "schema", at) != "weir.findings/1") {
    (at / "schema").fail("weir.findings/1");
  }
  Findings f;
  f.target = text(j, "target", at);
  f.taken_at_ns = time_of(j, "taken_at", at);
  f.goroutines = number(j, "goroutines", at);
  f.notes = sentences(j, "notes", at);
  if (!member(j, "findings")) (at / "findings").fail("a list");
  each(j, "findings", at, Findings::kMost,
       [&f](const Json& v, const At& place) { f.findings.push_back(finding(v, place)); });
  sort_findings(f.findings);
  return f;
}

Json tree(std::string_view bytes) {
  if (bytes.size() > kMaxBytes) {
    throw ParseError("JSON: more than " + std::to_string(kMaxBytes >> 20) + " MiB");
  }
  size_t values = 0;
  const auto bound = [&values](int depth, Json::parse_event_t, const Json&) {
    if (depth > kMaxDepth) throw ParseError("JSON: nested too deeply for findings");
    if (++values > kMaxValues) throw ParseError("JSON: too many values for findings");
    return true;
  };
  try {
    return Json::parse(bytes.begin(), bytes.end(), bound);
  } catch (const Json::parse_error& e) {
    throw ParseError("JSON: byte " + std::to_string(e.byte) + ": not whole, or not JSON");
  } catch (const Json::out_of_range&) {
    throw ParseError("JSON: a number is too large");
  }
}

}  // namespace

Report parse_report(std::string_view json) {
  const Json j = tree(json);
  const At root({});
  if (!j.is_object()) root.fail("findings");
  Report r;
  const std::string schema = text(j, "schema", root);
  if (schema == "weir.findings/1") {
    r.all.push_back(findings(j, root));
    return r;
  }
  if (schema != "weir.reports/1") (root / "schema").fail("weir.findings/1 or weir.reports/1");
  r.complete = flag(j, "complete", root, true);
  r.baseline = flag(j, "baseline", root, false);
  r.notes = sentences(j, "notes", root);
  if (!member(j, "reports")) (root / "reports").fail("a list");
  each(j, "reports", root, kMaxReports,
       [&r](const Json& v, const At& place) { r.all.push_back(findings(v, place)); });
  return r;
}

bool looks_like_report(std::string_view bytes) {
  std::string head;
  for (const char c : bytes.substr(0, 256)) {
    if (std::string_view(" \t\r\n").find(c) == std::string_view::npos) head.push_back(c);
  }
  return head.starts_with("{\"schema\":\"weir.findings/") ||
         head.starts_with("{\"schema\":\"weir.reports/");
}

}  // namespace weir::profiler
