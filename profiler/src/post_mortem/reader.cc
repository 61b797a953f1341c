#include "reader.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "process_stop.h"

namespace weir::profiler::post_mortem {

namespace {

constexpr size_t kBatch = 256;             // slots
constexpr size_t kStack = 64 << 10;        // bytes of a stack that are copied at first
constexpr size_t kStoppedStack = 1 << 20;  // while the process is stopped
constexpr size_t kWholeStack = 256 << 20;  // of a process that stands still for good
constexpr size_t kStoppedBatch = 16;
constexpr int kTries = 3;  // of reading one that runs now and then, before it is stopped
constexpr int kMaxMisses = 2 * kMaxDepth;

// Calls f with each batch of `slots`.
template <class F>
void in_batches(const std::vector<size_t>& slots, size_t batch, F f) {
  for (size_t at = 0; at < slots.size(); at += batch) {
    if (!f(std::span(slots).subspan(at, std::min(batch, slots.size() - at)))) return;
  }
}

template <class F>
void in_batches(size_t count, F f) {
  std::vector<size_t> slots;
  for (size_t at = 0; at < count; at += kBatch) {
    slots.clear();
    for (size_t i = at; i < std::min(count, at + kBatch); ++i) slots.push_back(i);
    f(std::span<const size_t>(slots));
  }
}

}  // namespace

Reader::Reader(ForeignModules& modules, Memory& memory)
    : memory_(memory),
      layout_(modules, memory),
      offsets_(layout_),
      slots_(layout_, memory),
      sightings_(offsets_, slots_, memory),
      contexts_(layout_, memory),
      rules_(&modules),
      symbolizer_(modules),
      builder_(Detail::objects) {
  incomplete_ = slots_.incomplete();
  constant_ticks_ = memory.get<uint8_t>(layout_.address("has_constant_ticks")).value_or(0) != 0;
  const double rate = memory.get<double>(layout_.address("ns_per_tick")).value_or(1);
  if (constant_ticks_ && rate > 0 && rate < 1e6) ns_per_tick_ = rate;
  cpu_accounting_ =
      memory.get<uint8_t>(layout_.address("sched") + layout_["Sched.cpu_accounting"]).value_or(0) !=
      0;
}

uint64_t Reader::ticks_now() const {
  if (fixed_now_ != 0) return fixed_now_;
  return constant_ticks_ ? ticks() : static_cast<uint64_t>(steady_ns());
}

int64_t Reader::ns_since(uint64_t since) const {
  const uint64_t now = ticks_now();
  if (since >= now) return 0;
  const double ns = static_cast<double>(now - since) * ns_per_tick_;
  return ns < 9e18 ? static_cast<int64_t>(ns) : INT64_MAX;
}

// Into probe_.stack. False: the copy of the stack ended before the stack.
bool Reader::walk(const Sighting& s, const introspect::Goroutine& g) {
  RawStack& out = probe_.stack;
  out.depth = 0;
  out.truncated = true;
  introspect::Registers regs = s.regs;
  if (s.never_ran) {
    // Shown at its function's first instruction, with the start code as its caller.
    regs.pc = reinterpret_cast<uintptr_t>(g.start_pc) + 1;
    regs.sp = s.stack_at + offsets_.saved.pc;
  }
  const size_t copied = s.stack.bytes().size() & ~size_t{7};
  probe_.stack_bytes =
      regs.sp >= g.stack_lo && regs.sp < g.stack_hi
          ? static_cast<uint32_t>(std::min<uint64_t>(g.stack_hi - regs.sp, UINT32_MAX))
          : 0;
  if (!s.has_stack || copied < sizeof(uintptr_t)) {
    if (s.exact && regs.pc != 0) out.pcs[out.depth++] = regs.pc;
    rehash(out);
    return true;
  }
  const auto displacement = static_cast<ptrdiff_t>(
      reinterpret_cast<uintptr_t>(s.stack.bytes().data()) - static_cast<uintptr_t>(s.stack_at));
  for (int misses = 0; misses <= kMaxMisses; ++misses) {
    const Walk walk =
        unwind(regs, s.stack_at, s.stack_at + copied, s.exact, out, displacement, nullptr, rules_);
    if (walk.complete || !rules_.learn(walk.missing)) break;
  }
  return !out.truncated || out.depth == kMaxDepth || copied >= (s.stack_wanted & ~size_t{7});
}

// `cut`, where given, gets the slots of which more of the stack is wanted; they are not added.
void Reader::digest(const Sighting& s, const Sightings& of, std::vector<size_t>* cut) {
  switch (s.kind) {
    case Sighting::kNobody:
      return;
    case Sighting::kUnknown:
      incomplete_ = true;
      return;
    case Sighting::kBystander:
      builder_.add_bystander(s.goid);
      return;
    case Sighting::kRestless:
    case Sighting::kSeen:
      break;
  }
  introspect::Goroutine& g = probe_.g;
  of.describe(s, g);
  g.since_ns = ns_since(s.since);
  g.cpu_ns = -1;
  if (cpu_accounting_ && !g.thread) {
    const double ran = static_cast<double>(s.g.word(offsets_.g.cpu_ticks)) * ns_per_tick_;
    g.cpu_ns = ran < 9e18 ? static_cast<int64_t>(ran) : INT64_MAX;
    if (g.state == introspect::State::running &&
        __builtin_add_overflow(g.cpu_ns, g.since_ns, &g.cpu_ns)) {
      g.cpu_ns = INT64_MAX;
    }
  }
  if (!walk(s, g) && cut) {
    cut->push_back(s.slot);
    return;
  }
  builder_.add(s.slot, probe_, builder_.intern_labels(of.labels(s)));
}

void Reader::read_still(const std::vector<Thread>& threads) {
  uint64_t latest =
      memory_.get<uint64_t>(layout_.address("sched") + layout_["Sched.coarse_ticks"]).value_or(0);
  in_batches(slots_.count(), [&](std::span<const size_t> slots) {
    latest = std::max(latest, sightings_.latest_since(slots));
  });
  fixed_now_ = std::max<uint64_t>(latest, 1);

  std::vector<size_t> cut;
  in_batches(slots_.count(), [&](std::span<const size_t> slots) {
    for (const Sighting& s : sightings_.look(slots, &threads, kStack)) {
      digest(s, sightings_, &cut);
    }
  });
  in_batches(cut, 1, [&](std::span<const size_t> slots) {
    for (const Sighting& s : sightings_.look(slots, &threads, kWholeStack)) {
      digest(s, sightings_, nullptr);
    }
    return true;
  });
  if (!contexts_.walk(true)) incomplete_ = true;
  if (!incomplete_) owners_that_were_not_met_are_dead();
}

bool Reader::read_running() {
  const auto take = [this](std::span<const size_t> slots) {
    for (const Sighting& s : sightings_.look(slots, nullptr, kStack)) {
      if (s.kind == Sighting::kRestless) {
        restless_.push_back(s.slot);
      } else {
        digest(s, sightings_, &restless_);
      }
    }
  };
  in_batches(slots_.count(), take);
  for (int i = 1; i < kTries && !restless_.empty(); ++i) {
    const std::vector<size_t> again = std::exchange(restless_, {});
    in_batches(again, kBatch, [&](std::span<const size_t> slots) {
      take(slots);
      return true;
    });
  }
  const bool settled = contexts_.walk(false);
  return !restless_.empty() || !settled;
}

bool Reader::copy_stopped(const std::vector<Thread>& threads, int64_t deadline_ns, bool last) {
  std::vector<size_t> left;
  size_t done = 0;
  in_batches(restless_, kStoppedBatch, [&](std::span<const size_t> slots) {
    if (steady_ns() >= deadline_ns) return false;
    auto of = std::make_unique<Sightings>(offsets_, slots_, memory_);
    const std::span<Sighting> seen = of->look(slots, &threads, kStoppedStack);
    for (Sighting& s : seen) {
      // Its thread has not stopped in time, or is in a signal handler.
      if (last || s.kind != Sighting::kSeen || s.has_stack) continue;
      left.push_back(s.slot);
      s.kind = Sighting::kNobody;
    }
    copies_.push_back({std::move(of), seen, ticks_now()});
    done += slots.size();
    return true;
  });
  left.insert(left.end(), restless_.begin() + static_cast<ptrdiff_t>(done), restless_.end());
  restless_ = std::move(left);
  const bool settled = steady_ns() < deadline_ns && contexts_.walk(true);
  return restless_.empty() && settled;
}

void Reader::digest_copies() {
  for (const Copy& copy : copies_) {
    fixed_now_ = copy.ticks;
    for (const Sighting& s : copy.seen) digest(s, *copy.of, nullptr);
  }
  fixed_now_ = 0;
  copies_.clear();
  // For these there was no time.
  in_batches(std::exchange(restless_, {}), kBatch, [this](std::span<const size_t> slots) {
    for (Sighting& s : sightings_.look(slots, nullptr, kStack)) {
      if (s.kind == Sighting::kRestless) s.has_stack = false;
      digest(s, sightings_, nullptr);
    }
    return true;
  });
}

void Reader::owners_that_were_not_met_are_dead() {
  for (const SnapshotBuilder::Missing& m : builder_.missing_owners()) {
    builder_.owner_is_dead(m.object);
  }
}

// As in the process itself (capture.cc): the owner is known to be gone, and after that a goroutine
// still waits for the lock, which still names that owner.
void Reader::find_dead_owners() {
  const std::vector<SnapshotBuilder::Missing> missing = builder_.missing_owners();
  if (missing.empty() || incomplete_) return;
  std::unordered_set<uint64_t> gone;
  for (const auto& m : missing) gone.insert(m.owner);
  // Slots that came into use since are of goroutines that are younger than these owners.
  std::vector<std::pair<size_t, uint64_t>> there;
  in_batches(slots_.count(), [&](std::span<const size_t> slots) {
    sightings_.goids(slots, there);
    for (const auto& [slot, goid] : there) gone.erase(goid);
  });
  for (const auto& m : missing) {
    if (!gone.contains(m.owner)) continue;
    const std::vector<size_t> slot{m.slot};
    for (const Sighting& s : sightings_.look(slot, nullptr, kStack)) {
      if (s.kind != Sighting::kSeen || s.goid != m.goid) continue;
      introspect::Goroutine g;
      sightings_.describe(s, g);
      for (uint32_t i = 0; i < g.object_count; ++i) {
        const introspect::Object& o = g.objects[i];
        if (reinterpret_cast<uintptr_t>(o.address) == m.address && o.owner_goid == m.owner) {
          builder_.owner_is_dead(m.object);
        }
      }
    }
  }
}

void Reader::add_contexts() {
  for (introspect::Context c : contexts_.all()) {
    c.age_ns = ns_since(static_cast<uint64_t>(c.age_ns));
    builder_.add(c);
  }
}

Snapshot Reader::finish() {
  add_contexts();
  return builder_.finish(symbolizer_);
}

}  // namespace weir::profiler::post_mortem
