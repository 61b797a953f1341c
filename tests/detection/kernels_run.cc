// One kernel under the detector (kernels_run.h).
#include "kernels_run.h"

#include <weir/profiler/capture.h>
#include <weir/profiler/census.h>
#include <weir/profiler/detector.h>
#include <weir/profiler/sites.h>
#include <weir/weir.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

namespace kernels {

namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using weir::introspect::State;
using weir::profiler::Snapshot;
using Clock = std::chrono::steady_clock;

constexpr auto kRound = 40ms;
constexpr int64_t kScale = 250;  // so that it counts as 10 s
constexpr int kBefore = 6;       // samples
// How long goroutines that are on their way may take to get where they block. On a loaded machine
// some have not: a detector must bear that.
constexpr auto kSettle = 400ms;

// Until all of the kernel's goroutines are blocked or gone, as far as they ever are.
void settle(const Kernel& kernel) {
  const auto deadline = Clock::now() + kSettle;
  while (Clock::now() < deadline) {
    const weir::profiler::Census now = weir::profiler::take_census();
    const auto in = [&now](State s) { return now.states[static_cast<size_t>(s)]; };
    if (in(State::runnable) == 0 && in(State::running) <= static_cast<uint64_t>(kernel.spinners)) {
      return;
    }
    std::this_thread::sleep_for(1ms);
  }
}

// Makes the time since `start` longer, for all that is measured by it alike.
void scale(Snapshot& s, int64_t start_ns) {
  const auto longer = [](int64_t& ns) {
    if (ns > 0) ns *= kScale;
  };
  s.taken_at_ns = start_ns + (s.taken_at_ns - start_ns) * kScale;
  longer(s.duration_ns);
  longer(s.longest_hold_ns);
  for (weir::profiler::ContextGroup& c : s.contexts) longer(c.oldest_ns);
  for (weir::profiler::Group& g : s.groups) {
    longer(g.wait_ns);
    longer(g.oldest_ns);
    for (weir::profiler::Member& m : g.members) longer(m.since_ns);
  }
}

bool is_in(std::string_view place, const Kernel& kernel) {
  return std::any_of(kernel.stuck.begin(), kernel.stuck.end(), [place](const Stuck& stuck) {
    return place.find(stuck.function) != std::string_view::npos;
  });
}

// Bodies are told apart by who made the request: what blocks is the library's.
bool is_stuck(const Snapshot& s, const weir::profiler::Group& g, const Kernel& kernel) {
  const bool has_body = std::any_of(kernel.stuck.begin(), kernel.stuck.end(),
                                    [](const Stuck& x) { return x.kind == Kind::http_body; });
  if (g.object_kind == "http_body") return has_body;
  return is_in(weir::profiler::blocked_at(s, g).function, kernel);
}

// Strings come from debug information, so they need not be UTF-8.
void print(const Kernel& kernel, const Snapshot& s, const weir::profiler::Findings& findings) {
  uint64_t stuck = 0;
  for (const weir::profiler::Group& g : s.groups) {
    if (is_stuck(s, g, kernel)) stuck += g.count;
  }
  json told = json::array();
  for (const weir::profiler::Finding& f : findings.findings) {
    told.push_back(
        {{"kind", to_string(f.kind)},
         {"certainty", static_cast<int>(f.certainty)},
         {"count", f.count},
         {"place", f.kind == Kind::http_body ? f.object.made_at.function : f.blocked_at.function},
         {"cause", f.cause}});
  }
  const json line = {{"goroutines", s.total}, {"stuck", stuck}, {"told", std::move(told)}};
  std::puts(line.dump(-1, ' ', true, json::error_handler_t::replace).c_str());
}

// On a thread of its own, outside the scheduler, as /debug does it. Each request is a goroutine.
void observe(const Kernel& kernel, uint64_t seed) {
  std::mt19937_64 random(seed);
  weir::profiler::Detector detector;
  int64_t start_ns = 0;
  // The service has been watched before: what it begins with might be its workers.
  for (int before = kBefore; before > 0; --before) {
    const int64_t now = Clock::now().time_since_epoch().count();
    detector.observe(weir::profiler::capture(),
                     (now - before * std::chrono::nanoseconds(kRound).count()) * kScale);
  }
  for (int round = 0; round < kRounds; ++round) {
    for (uint64_t calls = 1 + random() % 3; calls > 0; --calls) {
      weir::go({.name = "request"}, [&kernel, round] { kernel.run(round); });
    }
    std::this_thread::sleep_for(kRound);
    settle(kernel);
    Snapshot s = weir::profiler::capture();
    const int64_t now = Clock::now().time_since_epoch().count();
    if (round == 0) start_ns = s.taken_at_ns;
    scale(s, start_ns);
    detector.observe(s, now * kScale);
    print(kernel, s, detector.findings());
  }
}

}  // namespace

void run(const Kernel& kernel, uint64_t seed) {
  weir::run(
      [&kernel, seed] {
        // Not asleep, as long as it is observed: the runtime would say deadlock.
        weir::blocking([&kernel, seed] { std::thread(observe, std::cref(kernel), seed).join(); });
      },
      {.maxprocs = 2, .perturb_seed = seed});
  std::fflush(stdout);
  std::_Exit(EXIT_SUCCESS);
}

std::optional<Round> parse_round(std::string_view line) {
  const json j = json::parse(line, nullptr, false);
  if (!j.is_object()) return std::nullopt;
  Round round;
  round.goroutines = j.at("goroutines").get<uint64_t>();
  round.stuck = j.at("stuck").get<uint64_t>();
  for (const json& t : j.at("told")) {
    const auto kind = weir::profiler::kind_named(t.at("kind").get<std::string>());
    if (!kind) return std::nullopt;
    round.told.push_back({*kind, static_cast<Certainty>(t.at("certainty").get<int>()),
                          t.at("count").get<uint64_t>(), t.at("place").get<std::string>(),
                          t.at("cause").get<std::string>()});
  }
  return round;
}

}  // namespace kernels
