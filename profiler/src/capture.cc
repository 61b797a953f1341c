#include <weir/introspect.h>

#include <errno.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <memory>
#include <unordered_set>
#include <vector>

#include <weir/profiler/capture.h>

#include "gather.h"
#include "probe.h"
#include "roomy_stack.h"
#include "rules.h"
#include "snapshot_builder.h"

namespace weir::profiler {

namespace {

using Clock = std::chrono::steady_clock;

int64_t ns_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(to - from).count();
}

// The goids of `wanted` that exist. A goroutine keeps its slot, so one that lived throughout this
// walk is met; whoever is not has exited by the end of it (it had to exist before to own
// something).
std::unordered_set<uint64_t> exited(std::unordered_set<uint64_t> wanted) {
  const size_t slots = introspect::slot_count();
  introspect::Goroutine g;
  introspect::Registers regs;
  for (size_t slot = 0; slot < slots && !wanted.empty(); ++slot) {
    const introspect::Scan scan = introspect::hold(slot, g, regs, introspect::Detail::group);
    if (scan == introspect::Scan::empty) continue;
    if (scan == introspect::Scan::held) introspect::release(slot);
    wanted.erase(g.goid);
  }
  return wanted;
}

// "The owner has exited" is a proof of a bug, so it is told only when it is certain: the owner is
// known to be gone, and after that a goroutine still waits for the lock which still names that
// owner.
void find_dead_owners(SnapshotBuilder& builder, ProbeContext& context, Probe& buffer) {
  const std::vector<SnapshotBuilder::Missing> missing = builder.missing_owners();
  if (missing.empty()) return;
  std::unordered_set<uint64_t> owners;
  for (const auto& m : missing) owners.insert(m.owner);
  owners = exited(std::move(owners));
  for (const auto& m : missing) {
    if (!owners.contains(m.owner)) continue;
    if (probe(m.slot, context, buffer) != Seen::goroutine || buffer.g.goid != m.goid) continue;
    for (uint32_t i = 0; i < buffer.g.object_count; ++i) {
      const introspect::Object& o = buffer.g.objects[i];
      if (reinterpret_cast<uintptr_t>(o.address) == m.address && o.owner_goid == m.owner) {
        builder.owner_is_dead(m.object);
      }
    }
  }
}

// All contexts into the builder. The registry's callback must not throw.
void add_contexts(SnapshotBuilder& builder) {
  struct Arg {
    SnapshotBuilder& builder;
    std::exception_ptr failure;
  } arg{builder, nullptr};
  introspect::for_each_context(
      [](const introspect::Context& c, void* to) {
        auto& arg = *static_cast<Arg*>(to);
        if (arg.failure) return;
        try {
          arg.builder.add(c);
        } catch (...) {
          arg.failure = std::current_exception();
        }
      },
      &arg);
  if (arg.failure) std::rethrow_exception(arg.failure);
}

// Of CaptureStats.
std::atomic<uint64_t> captures{0};
std::atomic<int64_t> duration_sum{0}, longest_hold{0}, last_duration{0}, last_hold{0};

void count(const Snapshot& s) noexcept {
  duration_sum.fetch_add(s.duration_ns);
  last_duration = s.duration_ns;
  last_hold = s.longest_hold_ns;
  int64_t longest = longest_hold;
  while (longest < s.longest_hold_ns &&
         !longest_hold.compare_exchange_weak(longest, s.longest_hold_ns)) {
  }
  captures.fetch_add(1);
}

Snapshot capture_here(const CaptureOptions& options) {
  const auto wall = std::chrono::system_clock::now();
  const auto start = Clock::now();
  const uint64_t start_ticks = ticks();

  rules::refresh();
  SnapshotBuilder builder(options.detail);
  const auto context = std::make_unique<ProbeContext>();
  const auto buffer = std::make_unique<Probe>();
  gather(builder, *context, *buffer, options.detail);
  if (options.detail == Detail::objects) {
    find_dead_owners(builder, *context, *buffer);
    add_contexts(builder);
  }

  const int64_t duration = ns_between(start, Clock::now());
  const uint64_t duration_ticks = ticks() - start_ticks;
  Snapshot s = builder.finish();
  s.taken_at_ns =
      std::chrono::duration_cast<std::chrono::nanoseconds>(wall.time_since_epoch()).count();
  s.duration_ns = duration;
  s.longest_hold_ns = duration_ticks == 0
                          ? 0
                          : static_cast<int64_t>(static_cast<double>(context->longest_hold) *
                                                 static_cast<double>(duration) /
                                                 static_cast<double>(duration_ticks));
  s.process = program_invocation_short_name;
  s.pid = getpid();
  s.source = "weir";
  count(s);
  return s;
}

}  // namespace

Snapshot capture(const CaptureOptions& options) {
  return on_roomy_stack([&] { return capture_here(options); });
}

CaptureStats capture_stats() noexcept {
  return {captures, duration_sum, longest_hold, last_duration, last_hold};
}

}  // namespace weir::profiler
