#include "leak_routes.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <weir/profiler/capture.h>
#include <weir/profiler/detector.h>
#include <weir/profiler/finding.h>

#include "answers.h"
#include "observe/observe_json.h"
#include "observe/observer.h"
#include "params.h"

namespace weir::http::routes {

namespace {

constexpr size_t kMostFindings = 1000, kMostSeries = 200;
constexpr std::chrono::seconds kHeartbeat{10};

Answer nobody_looks() {
  return text(404, "nobody looks at goroutines over time here: DebugOptions::observe is 0\n");
}

std::optional<profiler::Certainty> certainty_of(const Query& q) {
  const std::string name = choice(q, "certainty", {"suspect", "likely", "certain"});
  for (size_t i = 0; i < profiler::kCertainties; ++i) {
    const auto c = static_cast<profiler::Certainty>(i);
    if (name == profiler::to_string(c)) return c;
  }
  return std::nullopt;
}

std::optional<uint64_t> site_of(const Query& q) {
  if (q.param("site").empty()) return std::nullopt;
  return hexadecimal(q, "site");
}

profiler::Findings found() {
  if (const auto observer = observe::current()) return observer->latest()->findings;
  profiler::Findings f = profiler::detect(profiler::capture());
  f.notes.push_back(
      "This is one look: nobody looks at goroutines over time here (DebugOptions::observe is 0), "
      "so growth is not known.");
  return f;
}

// As an event of a stream; the data are one line.
std::string event_text(const observe::Event& e) {
  return "id: " + std::to_string(e.number) + "\nevent: " + e.type + "\ndata: " + e.data + "\n\n";
}

}  // namespace

Cost leaks_cost(const Query&) { return observe::current() ? Cost::cheap : Cost::capture; }

Answer leaks(const Query& q) {
  const std::string format = choice(q, "format", {"text", "json"});
  const auto at_least = certainty_of(q);
  const std::string kind = q.param("kind");
  if (!kind.empty() && !profiler::kind_named(kind)) {
    throw BadParameter{"kind", "a kind of finding, as nil_channel or chan_send"};
  }
  const auto limit = number<size_t>(q, "limit", 100, kMostFindings, "a number from 0 to 1000");
  if (!q.param("prove").empty()) {
    return text(501, "prove: the proof by reachability is not part of this version\n");
  }
  auto f = std::make_shared<profiler::Findings>(found());
  std::erase_if(f->findings, [&](const profiler::Finding& x) {
    return x.certainty < *at_least || (!kind.empty() && profiler::to_string(x.kind) != kind);
  });
  if (f->findings.size() > limit) {
    f->notes.push_back(std::to_string(f->findings.size() - limit) +
                       " more findings are not shown: ask with a larger limit.");
    f->findings.resize(limit);
  }
  Answer a;
  a.content_type = format == "json" ? "application/json" : kText;
  const auto writer =
      format == "json" ? profiler::write_findings_json : profiler::write_findings_text;
  a.write = [f, writer](const profiler::Sink& sink) { return writer(*f, sink); };
  return a;
}

Answer trend(const Query& q) {
  const auto site = site_of(q);
  const auto limit = number<size_t>(q, "limit", 20, kMostSeries, "a number from 0 to 200");
  const auto observer = observe::current();
  if (!observer) return nobody_looks();
  observer->latest();  // there is one from here on
  const observe::Trend t = observer->trend(limit, site);
  if (site && t.lines.empty()) return text(404, "no goroutine was seen at that site\n");
  Answer a;
  a.content_type = "application/json";
  a.body = observe::trend_json(t);
  return a;
}

Answer events(const Query&) {
  const auto observer = observe::current();
  if (!observer) return nobody_looks();
  observer->latest();
  Answer a;
  a.content_type = "text/event-stream";
  a.follow = [observer](const profiler::Sink& sink, const std::function<bool()>& wanted) {
    constexpr std::chrono::milliseconds kLook{200};  // is the client still there?
    auto last_sign = std::chrono::steady_clock::now();
    uint64_t last = 0;
    if (!sink("retry: 2000\n\n")) return;
    while (wanted()) {
      const auto now = std::chrono::steady_clock::now();
      if (const auto e = observer->next_event(last, kLook)) {
        last = e->number;
        if (!sink(event_text(*e))) return;
        last_sign = now;
      } else if (now - last_sign > kHeartbeat) {
        if (!sink(": still here\n\n")) return;
        last_sign = now;
      }
    }
  };
  return a;
}

}  // namespace weir::http::routes
