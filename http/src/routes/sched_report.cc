// SchedReport as text and as JSON, schema "weir.sched/1":
//
//   schema       "weir.sched/1"
//   taken_at_ns  wall clock, since 1970
//   goroutines   {total, created, states {NAME: n}, waiting {WAIT REASON: n}, plain_threads}
//   procs        {gomaxprocs, idle, global_queue, local_queues, each [{idle, syscall, queue, ticks,
//                free_stacks}]}: queues in goroutines, ticks in time slices
//   threads      {total, idle, spinning, started}
//   blocking     {now, waiting, total}: calls of weir::blocking
//   totals       {switches, parks, steals, stolen, spins, handoffs, retakes, polls}
//   latency      {one_in 8, count, sum_ns, p50_ns, p90_ns, p99_ns, buckets [{below_ns, count}]}:
//   how
//                long goroutines were runnable before they ran; pNN_ns: so many were below, null:
//                nothing was measured, or beyond the last bound; the last below_ns is null
//   stacks       {total, local, warm, cold, committed_bytes, reserved_bytes, released,
//                released_bytes, trims, trimmed_bytes}
//   contexts     {active, cancelled, expired, forgotten}
//
// `states`, `waiting`, committed_bytes and contexts are of a count that may be some seconds old
// where there are very many goroutines (profiler/census.h).
#include "sched_report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string_view>

namespace weir::http {

namespace {

using introspect::kLatencyBuckets;
using introspect::latency_bound_ns;
using Json = nlohmann::ordered_json;

constexpr double kShares[] = {0.5, 0.9, 0.99};

uint64_t measured(const introspect::Sched& s) {
  return std::accumulate(std::begin(s.latency), std::end(s.latency), uint64_t{0});
}

template <class... Args>
std::string printed(const char* format, Args... args) {
  char line[256];
  std::snprintf(line, sizeof line, format, args...);
  return line;
}

std::string duration(double ns) {
  if (ns < 1e3) return printed("%.0f ns", ns);
  if (ns < 1e6) return printed("%.3g us", ns / 1e3);
  if (ns < 1e9) return printed("%.3g ms", ns / 1e6);
  return printed("%.3g s", ns / 1e9);
}

std::string size(uint64_t bytes) {
  const auto n = static_cast<double>(bytes);
  if (n < 1024) return printed("%.0f B", n);
  if (n < 1024 * 1024) return printed("%.1f KiB", n / 1024);
  if (n < 1024.0 * 1024 * 1024) return printed("%.1f MiB", n / 1024 / 1024);
  return printed("%.1f GiB", n / 1024 / 1024 / 1024);
}

constexpr int kNames = 28;  // columns

// "  waiting        1234  of these"
void row(std::string& to, int indent, std::string_view name, uint64_t n,
         std::string_view what = {}) {
  to.append(printed("%*s%-*.*s %12llu", indent, "", kNames - indent, static_cast<int>(name.size()),
                    name.data(), static_cast<unsigned long long>(n)));
  if (!what.empty()) to.append("  ").append(what);
  to.push_back('\n');
}

void row(std::string& to, int indent, std::string_view name, const std::string& value,
         std::string_view what = {}) {
  to.append(printed("%*s%-*.*s %12s", indent, "", kNames - indent, static_cast<int>(name.size()),
                    name.data(), value.c_str()));
  if (!what.empty()) to.append("  ").append(what);
  to.push_back('\n');
}

void goroutines(std::string& to, const SchedReport& r) {
  row(to, 0, "goroutines", r.sched.goroutines, std::to_string(r.sched.created) + " ever created");
  for (size_t i = 0; i < introspect::kStates; ++i) {
    const auto state = static_cast<introspect::State>(i);
    if (r.census.states[i] == 0) continue;
    row(to, 2, introspect::to_string(state), r.census.states[i]);
    if (state != introspect::State::waiting) continue;
    for (size_t reason = 1; reason < introspect::kWaitReasons; ++reason) {
      if (r.census.reasons[reason] == 0) continue;
      row(to, 4, introspect::to_string(static_cast<introspect::WaitReason>(reason)),
          r.census.reasons[reason]);
    }
  }
  row(to, 0, "plain threads", r.census.threads, "of the program, that use channels and locks");
}

void processors(std::string& to, const SchedReport& r) {
  const introspect::Sched& s = r.sched;
  row(to, 0, "processors (Ps)", static_cast<uint64_t>(s.gomaxprocs),
      std::to_string(s.idle_ps) + " idle");
  to.append("   P  state           queue  time slices  free stacks\n");
  for (size_t i = 0; i < r.procs.size(); ++i) {
    const introspect::Proc& p = r.procs[i];
    to.append(printed("%4zu  %-12s %8u %12u %12u\n", i,
                      p.idle      ? "idle"
                      : p.syscall ? "in a call"
                                  : "busy",
                      p.queue, p.ticks, p.free_stacks));
  }
  row(to, 0, "global queue", s.global_queue, "runnable goroutines");
  row(to, 0, "local queues", s.local_queues, "runnable goroutines, all together");
  row(to, 0, "threads (Ms)", static_cast<uint64_t>(s.ms),
      printed("%d idle, %d looking for work, %llu ever started", s.idle_ms, s.spinning_ms,
              static_cast<unsigned long long>(s.threads)));
  row(to, 0, "blocking calls", static_cast<uint64_t>(s.blocking),
      printed("%d waiting for their turn, %llu ever", s.blocking_wait,
              static_cast<unsigned long long>(s.syscalls)));
}

void totals(std::string& to, const introspect::Sched& s) {
  to.append("since the start\n");
  row(to, 2, "switches", s.switches, "a goroutine began to run");
  row(to, 2, "parks", s.parks, "a goroutine blocked");
  row(to, 2, "steals", s.steals, std::to_string(s.stolen) + " goroutines taken from other queues");
  row(to, 2, "spins", s.spins, "a thread began to look for work at others");
  row(to, 2, "handoffs", s.handoffs, "a processor given away because its thread was blocked");
  row(to, 2, "retakes", s.retakes, "a processor taken from a blocking call, or after 10 ms");
  row(to, 2, "polls", s.polls, "of the network");
}

void latency(std::string& to, const introspect::Sched& s) {
  const uint64_t n = measured(s);
  row(to, 0, "wait in the queue", n, "measured, one in 8");
  if (n == 0) return;
  row(to, 2, "mean", duration(static_cast<double>(s.latency_ns) / static_cast<double>(n)));
  const std::string last =
      "over " + duration(static_cast<double>(latency_bound_ns(kLatencyBuckets - 2)));
  for (const double share : kShares) {
    const auto bound = latency_below(s, share);
    row(to, 2, printed("p%.0f", share * 100),
        bound ? "< " + duration(static_cast<double>(*bound)) : last);
  }
  for (size_t i = 0; i < kLatencyBuckets; ++i) {
    if (s.latency[i] == 0) continue;
    const double share = static_cast<double>(s.latency[i]) / static_cast<double>(n);
    const std::string bar(static_cast<size_t>(std::lround(share * 40)), '#');
    row(to, 2,
        i + 1 < kLatencyBuckets ? "< " + duration(static_cast<double>(latency_bound_ns(i))) : last,
        s.latency[i], bar);
  }
}

void memory(std::string& to, const SchedReport& r) {
  const introspect::StackMemory& s = r.stacks;
  row(to, 0, "stacks", s.slots,
      printed("free: %zu local, %zu warm, %zu cold (their memory given back)", s.local, s.warm,
              s.cold));
  row(to, 2, "committed", size(r.stack_bytes), "have memory");
  row(to, 2, "reserved", size(s.reserved_bytes), "of address space");
  row(to, 2, "released", size(s.released_bytes),
      std::to_string(s.released_stacks) + " times by free stacks");
  row(to, 2, "trimmed", size(s.trimmed_bytes),
      std::to_string(s.trims) + " times by goroutines parked for long");
}

void contexts(std::string& to, const profiler::Census& c) {
  row(to, 0, "contexts", c.active_contexts,
      printed("active; %llu of them forgotten (nobody can cancel them); %llu cancelled, %llu "
              "expired",
              static_cast<unsigned long long>(c.forgotten_contexts),
              static_cast<unsigned long long>(c.cancelled_contexts),
              static_cast<unsigned long long>(c.expired_contexts)));
}

}  // namespace

std::optional<int64_t> latency_below(const introspect::Sched& s, double share) {
  const uint64_t n = measured(s);
  if (n == 0) return std::nullopt;
  const auto wanted = static_cast<uint64_t>(std::ceil(static_cast<double>(n) * share));
  uint64_t met = 0;
  for (size_t i = 0; i + 1 < kLatencyBuckets; ++i) {
    met += s.latency[i];
    if (met >= wanted && met > 0) return latency_bound_ns(i);
  }
  return std::nullopt;
}

std::string text(const SchedReport& r) {
  std::string to;
  goroutines(to, r);
  to.push_back('\n');
  processors(to, r);
  to.push_back('\n');
  totals(to, r.sched);
  to.push_back('\n');
  latency(to, r.sched);
  to.push_back('\n');
  memory(to, r);
  to.push_back('\n');
  contexts(to, r.census);
  return to;
}

std::string json(const SchedReport& r) {
  const introspect::Sched& s = r.sched;
  Json states = Json::object(), waiting = Json::object();
  for (size_t i = 0; i < introspect::kStates; ++i) {
    states[introspect::to_string(static_cast<introspect::State>(i))] = r.census.states[i];
  }
  for (size_t i = 1; i < introspect::kWaitReasons; ++i) {
    waiting[introspect::to_string(static_cast<introspect::WaitReason>(i))] = r.census.reasons[i];
  }
  Json each = Json::array();
  for (const introspect::Proc& p : r.procs) {
    each.push_back({{"idle", p.idle},
                    {"syscall", p.syscall},
                    {"queue", p.queue},
                    {"ticks", p.ticks},
                    {"free_stacks", p.free_stacks}});
  }
  Json buckets = Json::array();
  for (size_t i = 0; i < kLatencyBuckets; ++i) {
    buckets.push_back(
        {{"below_ns", i + 1 < kLatencyBuckets ? Json(latency_bound_ns(i)) : Json(nullptr)},
         {"count", s.latency[i]}});
  }
  const auto below = [&s](double share) {
    const auto bound = latency_below(s, share);
    return bound ? Json(*bound) : Json(nullptr);
  };
  const Json j = {
      {"schema", "weir.sched/1"},
      {"taken_at_ns", r.taken_at_ns},
      {"goroutines",
       {{"total", s.goroutines},
        {"created", s.created},
        {"states", states},
        {"waiting", waiting},
        {"plain_threads", r.census.threads}}},
      {"procs",
       {{"gomaxprocs", s.gomaxprocs},
        {"idle", s.idle_ps},
        {"global_queue", s.global_queue},
        {"local_queues", s.local_queues},
        {"each", each}}},
      {"threads",
       {{"total", s.ms}, {"idle", s.idle_ms}, {"spinning", s.spinning_ms}, {"started", s.threads}}},
      {"blocking", {{"now", s.blocking}, {"waiting", s.blocking_wait}, {"total", s.syscalls}}},
      {"totals",
       {{"switches", s.switches},
        {"parks", s.parks},
        {"steals", s.steals},
        {"stolen", s.stolen},
        {"spins", s.spins},
        {"handoffs", s.handoffs},
        {"retakes", s.retakes},
        {"polls", s.polls}}},
      {"latency",
       {{"one_in", 8},
        {"count", measured(s)},
        {"sum_ns", s.latency_ns},
        {"p50_ns", below(kShares[0])},
        {"p90_ns", below(kShares[1])},
        {"p99_ns", below(kShares[2])},
        {"buckets", buckets}}},
      {"stacks",
       {{"total", r.stacks.slots},
        {"local", r.stacks.local},
        {"warm", r.stacks.warm},
        {"cold", r.stacks.cold},
        {"committed_bytes", r.stack_bytes},
        {"reserved_bytes", r.stacks.reserved_bytes},
        {"released", r.stacks.released_stacks},
        {"released_bytes", r.stacks.released_bytes},
        {"trims", r.stacks.trims},
        {"trimmed_bytes", r.stacks.trimmed_bytes}}},
      {"contexts",
       {{"active", r.census.active_contexts},
        {"cancelled", r.census.cancelled_contexts},
        {"expired", r.census.expired_contexts},
        {"forgotten", r.census.forgotten_contexts}}},
  };
  return j.dump(2) + "\n";
}

}  // namespace weir::http
