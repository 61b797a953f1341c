#include "metrics.h"

#include "exposition.h"

namespace weir::http {

namespace {

constexpr auto kCounter = Exposition::counter, kGauge = Exposition::gauge;

double seconds(int64_t ns) { return static_cast<double>(ns) / 1e9; }

void goroutines(Exposition& e, const Metrics& m) {
  using introspect::State, introspect::WaitReason;
  e.single("go_goroutines", kGauge, "Number of goroutines that currently exist.",
           m.sched.goroutines);
  e.single("go_threads", kGauge, "OS threads of the scheduler that currently exist.", m.sched.ms);
  e.family("weir_goroutines", kGauge, "Goroutines by state.");
  // Those that a count can meet.
  for (const State state : {State::runnable, State::running, State::syscall, State::waiting}) {
    e.sample(m.census.states[static_cast<size_t>(state)],
             {{"state", introspect::to_string(state)}});
  }
  e.family("weir_goroutines_waiting", kGauge, "Waiting goroutines by what they wait for.");
  for (size_t i = 1; i < introspect::kWaitReasons; ++i) {
    e.sample(m.census.reasons[i], {{"reason", introspect::to_string(static_cast<WaitReason>(i))}});
  }
  e.single("weir_goroutines_created_total", kCounter, "Goroutines that were ever created.",
           m.sched.created);
  e.single("weir_plain_threads", kGauge,
           "OS threads of the program that use goroutines' channels and locks.", m.census.threads);
}

void scheduler(Exposition& e, const introspect::Sched& s) {
  e.family("weir_sched_procs", kGauge, "Processors of the scheduler (Ps) by state.");
  e.sample(s.gomaxprocs - s.idle_ps, {{"state", "busy"}});
  e.sample(s.idle_ps, {{"state", "idle"}});
  e.family("weir_sched_threads", kGauge,
           "OS threads of the scheduler (Ms) by state; spinning: looks for work.");
  e.sample(s.ms - s.idle_ms - s.spinning_ms, {{"state", "busy"}});
  e.sample(s.idle_ms, {{"state", "idle"}});
  e.sample(s.spinning_ms, {{"state", "spinning"}});
  e.family("weir_sched_queue_goroutines", kGauge, "Runnable goroutines by the queue they are in.");
  e.sample(s.global_queue, {{"queue", "global"}});
  e.sample(s.local_queues, {{"queue", "local"}});
  e.single("weir_blocking_calls", kGauge, "Goroutines in weir::blocking.", s.blocking);
  e.single("weir_blocking_calls_waiting", kGauge,
           "Goroutines that wait for their turn in weir::blocking.", s.blocking_wait);
  e.single("weir_blocking_calls_total", kCounter, "Calls of weir::blocking.", s.syscalls);
  e.single("weir_sched_switches_total", kCounter, "Times that a goroutine began to run.",
           s.switches);
  e.single("weir_sched_parks_total", kCounter, "Times that a goroutine blocked.", s.parks);
  e.single("weir_sched_steals_total", kCounter,
           "Looks into the queue of another processor that found something.", s.steals);
  e.single("weir_sched_stolen_goroutines_total", kCounter, "Goroutines found by these looks.",
           s.stolen);
  e.single("weir_sched_spins_total", kCounter,
           "Times that a thread began to look for work at others.", s.spins);
  e.single("weir_sched_handoffs_total", kCounter,
           "Processors given to another thread because theirs was blocked.", s.handoffs);
  e.single("weir_sched_retakes_total", kCounter,
           "Processors taken from a goroutine in a blocking call, or that ran over 10 ms.",
           s.retakes);
  e.single("weir_sched_polls_total", kCounter, "Polls of the network.", s.polls);
  e.single("weir_sched_threads_started_total", kCounter, "OS threads ever started.", s.threads);
}

// Each measured time is below its bucket's bound; the last bucket has no bound. The count is that
// of these very buckets, so that they agree whatever happens meanwhile.
void latency(Exposition& e, const introspect::Sched& s) {
  e.family("weir_sched_latency_seconds", Exposition::histogram,
           "How long goroutines were runnable before they ran. One in 8 is measured: buckets, sum "
           "and count are of those.");
  uint64_t count = 0;
  for (size_t i = 0; i + 1 < introspect::kLatencyBuckets; ++i) {
    count += s.latency[i];
    e.sample(count, {{"le", exposed(seconds(introspect::latency_bound_ns(i)))}}, "_bucket");
  }
  count += s.latency[introspect::kLatencyBuckets - 1];
  e.sample(count, {{"le", "+Inf"}}, "_bucket");
  e.sample(static_cast<double>(s.latency_ns) / 1e9, {}, "_sum");
  e.sample(count, {}, "_count");
}

void stacks(Exposition& e, const introspect::StackMemory& s, uint64_t committed) {
  e.single("weir_stack_committed_bytes", kGauge,
           "Memory that stacks have, those kept for new goroutines too.", committed);
  e.single("weir_stack_reserved_bytes", kGauge, "Address space reserved for stacks.",
           s.reserved_bytes);
  e.family("weir_stacks_free", kGauge,
           "Stacks without a goroutine; local and warm ones have memory, cold ones gave it back.");
  e.sample(s.local, {{"state", "local"}});
  e.sample(s.warm, {{"state", "warm"}});
  e.sample(s.cold, {{"state", "cold"}});
  e.single("weir_stacks", kGauge, "Stacks that exist, with and without a goroutine.", s.slots);
  e.single("weir_stacks_released_total", kCounter, "Free stacks that gave their memory back.",
           s.released_stacks);
  e.single("weir_stack_released_bytes_total", kCounter, "Memory that they gave back.",
           s.released_bytes);
  e.single("weir_stack_trims_total", kCounter,
           "Times that a goroutine, parked for long, gave back what its stack did not use.",
           s.trims);
  e.single("weir_stack_trimmed_bytes_total", kCounter, "Memory given back that way.",
           s.trimmed_bytes);
}

void contexts(Exposition& e, const profiler::Census& c) {
  e.family("weir_contexts", kGauge,
           "Contexts that can be cancelled and still exist, by state; expired: by a deadline.");
  e.sample(c.active_contexts, {{"state", "active"}});
  e.sample(c.cancelled_contexts, {{"state", "cancelled"}});
  e.sample(c.expired_contexts, {{"state", "expired"}});
  e.single("weir_contexts_forgotten", kGauge,
           "Active contexts without a deadline that nobody can cancel any more.",
           c.forgotten_contexts);
}

void observer(Exposition& e, const Metrics& m) {
  e.family("weir_capture_duration_seconds", Exposition::summary,
           "How long looks at all goroutines took, without stopping them together.");
  e.sample(seconds(m.captures.duration_ns), {}, "_sum");
  e.sample(m.captures.count, {}, "_count");
  e.single("weir_capture_last_duration_seconds", kGauge, "How long the last of these took.",
           seconds(m.captures.last_duration_ns));
  e.single("weir_capture_last_longest_hold_seconds", kGauge,
           "The longest that the last one kept one goroutine from running.",
           seconds(m.captures.last_longest_hold_ns));
  e.single("weir_capture_longest_hold_seconds", kGauge,
           "The longest that any of them kept one goroutine from running.",
           seconds(m.captures.longest_hold_ns));
  e.single(
      "weir_census_duration_seconds", kGauge,
      "How long the count behind weir_goroutines took; it is repeated after ten times as long.",
      seconds(m.census.duration_ns));
  e.family("weir_build_info", kGauge, "1, and the version of weir.");
  e.sample(1, {{"version", m.version}});
}

// All kinds and certainties always.
void findings(Exposition& e, const observe::Observation& o) {
  uint64_t found[profiler::kKinds][profiler::kCertainties] = {};
  uint64_t goroutines[profiler::kKinds][profiler::kCertainties] = {};
  for (const profiler::Finding& f : o.findings.findings) {
    const auto kind = static_cast<size_t>(f.kind), certainty = static_cast<size_t>(f.certainty);
    ++found[kind][certainty];
    goroutines[kind][certainty] += f.count;
  }
  const auto family = [&e](const char* name, const char* help, const auto& numbers) {
    e.family(name, kGauge, help);
    for (size_t k = 0; k < profiler::kKinds; ++k) {
      for (size_t c = 0; c < profiler::kCertainties; ++c) {
        e.sample(numbers[k][c],
                 {{"kind", profiler::to_string(static_cast<profiler::Kind>(k))},
                  {"certainty", profiler::to_string(static_cast<profiler::Certainty>(c))}});
      }
    }
  };
  family("weir_findings", "Leaks found, as /debug/leaks tells them, by kind and certainty.", found);
  family("weir_finding_goroutines", "Goroutines in these leaks.", goroutines);
  e.single("weir_observations_total", kCounter, "Looks for leaks.", o.looks);
  e.single("weir_observation_duration_seconds", kGauge, "How long the last of them took.",
           seconds(o.duration_ns));
  e.single("weir_observation_interval_seconds", kGauge, "Time from it to the next.",
           seconds(o.interval_ns));
  e.single("weir_history_sites", kGauge, "Places where goroutines wait whose numbers are kept.",
           o.history_sites);
  e.single("weir_history_bytes", kGauge, "Memory of these numbers.", o.history_bytes);
  e.single("weir_kept_snapshots", kGauge, "Snapshots that are kept.", o.snapshots);
  e.single("weir_kept_snapshots_bytes", kGauge, "Memory of these snapshots.", o.snapshot_bytes);
}

// Prometheus' own names.
void process(Exposition& e, const ProcessStats& p) {
  const auto single = [&e](const char* name, Exposition::Type type, const char* help,
                           const auto& value) {
    if (value) e.single(name, type, help, *value);
  };
  single("process_cpu_seconds_total", kCounter, "User and system CPU time spent.", p.cpu_seconds);
  single("process_start_time_seconds", kGauge, "Start time of the process since the Unix epoch.",
         p.start_seconds);
  single("process_resident_memory_bytes", kGauge, "Resident memory size.", p.resident_bytes);
  single("process_virtual_memory_bytes", kGauge, "Virtual memory size.", p.virtual_bytes);
  single("process_open_fds", kGauge, "Open file descriptors.", p.open_fds);
  single("process_max_fds", kGauge, "The most file descriptors that may be open.", p.max_fds);
}

}  // namespace

std::string exposition(const Metrics& m) {
  Exposition e;
  goroutines(e, m);
  scheduler(e, m.sched);
  latency(e, m.sched);
  stacks(e, m.stacks, m.stack_bytes);
  contexts(e, m.census);
  observer(e, m);
  if (m.observation) findings(e, *m.observation);
  process(e, m.process);
  return e.take();
}

}  // namespace weir::http
