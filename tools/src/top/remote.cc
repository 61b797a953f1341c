#include "remote.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace weir::tools::top {

namespace {

using Json = nlohmann::json;

constexpr size_t kMaxText = 4096, kMaxList = 4096, kMaxFrames = 256;

Json parsed(std::string_view text, std::string_view schema) {
  Json j = Json::parse(text, nullptr, false);
  if (j.is_discarded() || !j.is_object()) throw std::runtime_error("the answer is not JSON");
  const auto it = j.find("schema");
  if (it == j.end() || *it != schema) {
    throw std::runtime_error("the answer is not of the schema " + std::string(schema));
  }
  return j;
}

// A member of an object; null where there is none.
const Json& at(const Json& j, const char* key) {
  static const Json kNull;
  if (!j.is_object()) return kNull;
  const auto it = j.find(key);
  return it == j.end() ? kNull : *it;
}

uint64_t number(const Json& j, const char* key) {
  const Json& value = at(j, key);
  if (value.is_number_unsigned()) return value.get<uint64_t>();
  if (value.is_number_integer())
    return static_cast<uint64_t>(std::max<int64_t>(value.get<int64_t>(), 0));
  return 0;
}

double real(const Json& j, const char* key) {
  const Json& value = at(j, key);
  const double n = value.is_number() ? value.get<double>() : 0;
  return std::isfinite(n) ? std::clamp(n, -1e15, 1e15) : 0;
}

std::optional<int64_t> maybe_ns(const Json& j, const char* key) {
  const Json& value = at(j, key);
  if (!value.is_number_integer()) return std::nullopt;
  return std::max<int64_t>(value.get<int64_t>(), 0);
}

bool flag(const Json& j, const char* key) {
  const Json& value = at(j, key);
  return value.is_boolean() && value.get<bool>();
}

std::string text(const Json& value) {
  return value.is_string() ? value.get_ref<const std::string&>().substr(0, kMaxText)
                           : std::string();
}

// Calls f with the first elements of a list.
template <class F>
void each(const Json& list, size_t most, F f) {
  if (!list.is_array()) return;
  for (size_t i = 0; i < std::min(list.size(), most); ++i) f(list[i]);
}

std::vector<std::pair<std::string, uint64_t>> tally(const Json& j) {
  std::vector<std::pair<std::string, uint64_t>> all;
  if (!j.is_object()) return all;
  for (const auto& [name, count] : j.items()) {
    if (all.size() == kMaxList) break;
    if (count.is_number_unsigned() && count != 0U) {
      all.emplace_back(name.substr(0, kMaxText), count.get<uint64_t>());
    }
  }
  std::ranges::stable_sort(all, std::ranges::greater{}, &std::pair<std::string, uint64_t>::second);
  return all;
}

profiler::Frame frame(const Json& j) {
  profiler::Frame f;
  f.function = text(at(j, "function"));
  f.file = text(at(j, "file"));
  f.line = static_cast<int>(std::min<uint64_t>(number(j, "line"), INT32_MAX));
  return f;
}

std::vector<std::string> texts(const Json& list) {
  std::vector<std::string> all;
  each(list, kMaxList, [&all](const Json& j) { all.push_back(text(j)); });
  return all;
}

profiler::Finding::Object object(const Json& j) {
  profiler::Finding::Object o;
  o.kind = text(at(j, "kind"));
  o.detail = text(at(j, "detail"));
  o.made_at = frame(at(j, "made_at"));
  o.count = number(j, "count");
  o.owner = number(j, "owner");
  o.method = text(at(j, "method"));
  o.url = text(at(j, "url"));
  o.status = static_cast<int>(std::min<uint64_t>(number(j, "status"), 999));
  each(at(j, "places"), kMaxFrames, [&o](const Json& place) {
    o.places.emplace_back(text(at(place, "what")), frame(at(place, "at")));
  });
  return o;
}

uint64_t site(const std::string& hex) {
  uint64_t id = 0;
  if (hex.starts_with("0x")) std::from_chars(hex.data() + 2, hex.data() + hex.size(), id, 16);
  return id;
}

profiler::Finding finding(const Json& j) {
  profiler::Finding f;
  f.kind = profiler::kind_named(text(at(j, "kind"))).value_or(profiler::Kind::chan_receive);
  const std::string certainty = text(at(j, "certainty"));
  for (size_t i = 0; i < profiler::kCertainties; ++i) {
    const auto c = static_cast<profiler::Certainty>(i);
    if (certainty == profiler::to_string(c)) f.certainty = c;
  }
  f.site = site(text(at(j, "site")));
  f.count = number(j, "count");
  f.growth_per_minute = real(j, "growth_per_minute");
  if (at(j, "oldest_wait_seconds").is_number()) {
    const double seconds = std::clamp(real(j, "oldest_wait_seconds"), 0.0, 9e9);
    f.oldest_wait_ns = static_cast<int64_t>(seconds * 1e9);
  }
  f.wait = text(at(j, "wait"));
  f.created_by = frame(at(j, "created_by"));
  f.blocked_at = frame(at(j, "blocked_at"));
  f.object = object(at(j, "object"));
  f.cause = text(at(j, "cause"));
  f.evidence = texts(at(j, "evidence"));
  f.fix = text(at(j, "fix"));
  each(at(j, "stack"), kMaxFrames, [&f](const Json& x) { f.stack.push_back(frame(x)); });
  each(at(j, "goids"), profiler::Finding::kMaxGoids, [&f](const Json& goid) {
    if (goid.is_number_unsigned()) f.goids.push_back(goid.get<uint64_t>());
  });
  f.peak = number(j, "peak");
  return f;
}

}  // namespace

Sched read_sched(std::string_view json) {
  const Json j = parsed(json, "weir.sched/1");
  Sched s;
  s.taken_at_ns = maybe_ns(j, "taken_at_ns").value_or(0);
  const Json& goroutines = at(j, "goroutines");
  s.goroutines = number(goroutines, "total");
  s.created = number(goroutines, "created");
  s.plain_threads = number(goroutines, "plain_threads");
  s.states = tally(at(goroutines, "states"));
  s.waiting = tally(at(goroutines, "waiting"));
  const Json& procs = at(j, "procs");
  s.gomaxprocs = number(procs, "gomaxprocs");
  s.idle_procs = number(procs, "idle");
  s.global_queue = number(procs, "global_queue");
  s.local_queues = number(procs, "local_queues");
  each(at(procs, "each"), kMaxList, [&s](const Json& p) {
    s.procs.push_back(
        {flag(p, "idle"), flag(p, "syscall"), number(p, "queue"), number(p, "ticks")});
  });
  const Json& threads = at(j, "threads");
  s.threads = number(threads, "total");
  s.idle_threads = number(threads, "idle");
  s.spinning = number(threads, "spinning");
  s.blocking = number(at(j, "blocking"), "now");
  s.blocking_waiting = number(at(j, "blocking"), "waiting");
  const Json& totals = at(j, "totals");
  s.switches = number(totals, "switches");
  s.parks = number(totals, "parks");
  s.steals = number(totals, "steals");
  s.retakes = number(totals, "retakes");
  s.polls = number(totals, "polls");
  const Json& latency = at(j, "latency");
  s.measured = number(latency, "count");
  s.p50_ns = maybe_ns(latency, "p50_ns");
  s.p90_ns = maybe_ns(latency, "p90_ns");
  s.p99_ns = maybe_ns(latency, "p99_ns");
  each(at(latency, "buckets"), kMaxList, [&s](const Json& b) {
    s.latency.push_back({maybe_ns(b, "below_ns"), number(b, "count")});
  });
  s.stack_bytes = number(at(j, "stacks"), "committed_bytes");
  s.contexts = number(at(j, "contexts"), "active");
  s.forgotten_contexts = number(at(j, "contexts"), "forgotten");
  return s;
}

profiler::Findings read_findings(std::string_view json) {
  const Json j = parsed(json, "weir.findings/1");
  profiler::Findings f;
  f.target = text(at(j, "target"));
  f.goroutines = number(j, "goroutines");
  f.notes = texts(at(j, "notes"));
  each(at(j, "findings"), profiler::Findings::kMost,
       [&f](const Json& x) { f.findings.push_back(finding(x)); });
  profiler::sort_findings(f.findings);
  return f;
}

std::optional<SchedRates> rates(const Sched& before, const Sched& now) {
  const double seconds = static_cast<double>(now.taken_at_ns - before.taken_at_ns) / 1e9;
  if (seconds <= 0 || now.created < before.created || now.switches < before.switches) {
    return std::nullopt;
  }
  const auto rate = [&](uint64_t Sched::*total) {
    return now.*total < before.*total ? 0
                                      : static_cast<double>(now.*total - before.*total) / seconds;
  };
  return SchedRates{rate(&Sched::created), rate(&Sched::switches), rate(&Sched::parks),
                    rate(&Sched::steals),  rate(&Sched::retakes),  rate(&Sched::polls)};
}

}  // namespace weir::tools::top
