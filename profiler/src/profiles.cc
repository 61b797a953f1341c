// The profiles that are sums of what happened or of what there is: block, mutex, threadcreate,
// creation; differences of profiles; and names of functions for those who have addresses alone.
#include <weir/profiler/profile.h>
#include <weir/profiler/symbol.h>

#include <weir/introspect.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <utility>
#include <vector>

#include "creation.h"
#include "hooks.h"
#include "profile_of.h"
#include "roomy_stack.h"
#include "symbol_tables.h"
#include "symbolize.h"

namespace weir::profiler {

namespace {

int64_t wall_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

int64_t rounded(double value) {
  return value >= 9.2e18 ? INT64_MAX : static_cast<int64_t>(std::llround(value));
}

void sort_samples(Profile& p) {
  std::stable_sort(p.samples.begin(), p.samples.end(),
                   [](const auto& a, const auto& b) { return a.values.back() > b.values.back(); });
}

Profile contention_profile(bool mutex) {
  Profile p;
  p.name = mutex ? "mutex" : "block";
  p.sample_types = {{"contentions", "count"}, {"delay", "nanoseconds"}};
  p.period_type = {"contentions", "count"};
  p.time_ns = wall_ns();
  p.events = true;
  const Contentions* from = contentions(mutex);
  if (!from) return p;
  SymbolTables tables;
  const uint32_t n = from->stacks.size();
  for (uint32_t id = 0; id <= n; ++id) {
    const Contentions::Sum& sum = from->sums[id];
    const int64_t count = rounded(sum.count.load(std::memory_order_relaxed));
    const int64_t delay = rounded(sum.delay_ns.load(std::memory_order_relaxed));
    if (count == 0) continue;  // another thread is just putting it in
    Profile::Sample& sample = p.samples.emplace_back();
    sample.values = {count, delay};
    if (id != 0) {
      sample.stack = tables.add_stack(from->stacks.pcs(id), from->stacks.truncated(id));
    } else {
      p.comments.push_back(std::to_string(count) + " contentions, " + std::to_string(delay) +
                           " ns of delay, are without a stack: there was no room for more than " +
                           std::to_string(n) + " different ones, or too little stack was left");
    }
  }
  p.symbols = tables.finish();
  sort_samples(p);
  return p;
}

// What tells a sample from others of a profile, also of another one of the same process.
using SampleKey =
    std::tuple<std::vector<uint64_t>, bool, std::vector<std::pair<std::string, std::string>>>;

SampleKey key_of(const Profile& p, const Profile::Sample& sample) {
  SampleKey key;
  std::get<2>(key) = sample.labels;
  if (sample.stack >= p.symbols.stacks.size()) return key;
  const Stack& stack = p.symbols.stacks[sample.stack];
  std::get<1>(key) = stack.truncated;
  for (const uint32_t i : stack.locations) {
    std::get<0>(key).push_back(i < p.symbols.locations.size() ? p.symbols.locations[i].address : 0);
  }
  return key;
}

}  // namespace

Profile block_profile() { return contention_profile(false); }
Profile mutex_profile() { return contention_profile(true); }

Profile threadcreate_profile() {
  Profile p;
  p.name = "threadcreate";
  p.sample_types = {{"threadcreate", "count"}};
  p.period_type = p.sample_types[0];
  p.time_ns = wall_ns();
  const int threads = introspect::sched().ms;
  if (threads > 0) p.samples.push_back({kNone, {threads}, {}});
  p.comments.push_back("where threads were created is not recorded");
  return p;
}

Profile creation_profile(const Snapshot& s) {
  Profile p = profile_of(s, "creation");
  std::map<uint32_t, uint64_t> by_stack;
  std::map<uint32_t, uint32_t> by_place;  // location -> index of a stack that is it alone
  uint64_t places_only = 0, unknown = 0;
  for (const Group& g : s.groups) {
    if (g.thread) continue;
    if (g.creation_stack < s.stacks.size()) {
      by_stack[g.creation_stack] += g.count;
    } else if (g.created_by < s.locations.size()) {
      const auto next = static_cast<uint32_t>(p.symbols.stacks.size());
      const auto [found, is_new] = by_place.try_emplace(g.created_by, next);
      // Marked truncated: it has callers, which are not known.
      if (is_new) p.symbols.stacks.push_back({{g.created_by}, true});
      by_stack[found->second] += g.count;
      places_only += g.count;
    } else {
      unknown += g.count;
    }
  }
  for (const auto& [stack, count] : by_stack) {
    p.samples.push_back({stack, {static_cast<int64_t>(count)}, {}});
  }
  if (unknown > 0) p.samples.push_back({kNone, {static_cast<int64_t>(unknown)}, {}});
  if (places_only > 0) {
    p.comments.push_back(std::to_string(places_only) +
                         " goroutines are shown by the place of their go call alone: whole stacks "
                         "are recorded of those created while WEIR_CREATION_STACKS=1 or "
                         "weir::set_creation_stacks(true), as long as there is room");
  }
  sort_samples(p);
  return p;
}

Profile delta(const Profile& from, Profile to) {
  std::map<SampleKey, const Profile::Sample*> before;
  for (const Profile::Sample& sample : from.samples) before[key_of(from, sample)] = &sample;
  for (Profile::Sample& sample : to.samples) {
    const auto found = before.find(key_of(to, sample));
    if (found == before.end()) continue;
    for (size_t i = 0; i < sample.values.size() && i < found->second->values.size(); ++i) {
      sample.values[i] -= found->second->values[i];
    }
    before.erase(found);
  }
  // What is no longer there at all has gone down to nothing.
  for (const auto& [key, sample] : before) {
    Profile::Sample& gone = to.samples.emplace_back();
    for (const int64_t value : sample->values) gone.values.push_back(-value);
    gone.labels = sample->labels;
    if (sample->stack >= from.symbols.stacks.size()) continue;
    Stack stack;
    stack.truncated = from.symbols.stacks[sample->stack].truncated;
    for (const uint32_t i : from.symbols.stacks[sample->stack].locations) {
      if (i >= from.symbols.locations.size()) continue;
      Location location = from.symbols.locations[i];
      for (uint32_t& frame : location.frames) {
        if (frame >= from.symbols.frames.size()) continue;
        to.symbols.frames.push_back(from.symbols.frames[frame]);
        frame = static_cast<uint32_t>(to.symbols.frames.size() - 1);
      }
      to.symbols.locations.push_back(std::move(location));
      stack.locations.push_back(static_cast<uint32_t>(to.symbols.locations.size() - 1));
    }
    to.symbols.stacks.push_back(std::move(stack));
    gone.stack = static_cast<uint32_t>(to.symbols.stacks.size() - 1);
  }
  std::erase_if(to.samples, [](const Profile::Sample& sample) {
    return std::ranges::all_of(sample.values, [](int64_t v) { return v == 0; });
  });
  to.duration_ns = to.time_ns - from.time_ns;
  sort_samples(to);
  return to;
}

namespace {

std::vector<std::string> names_of(std::span<const uint64_t> pcs) {
  refresh_symbols();
  std::vector<std::string> names;
  names.reserve(pcs.size());
  for (const uint64_t pc : pcs) {
    const Frames frames = symbolize(pc);
    const auto user = std::ranges::find_if_not(*frames, &Frame::runtime);
    const std::string& name = user != frames->end() ? user->function : frames->front().function;
    names.push_back(name.starts_with("0x") ? "" : name);  // the address itself: not known
  }
  return names;
}

}  // namespace

std::vector<std::string> function_names(std::span<const uint64_t> pcs) {
  return on_roomy_stack([&] { return names_of(pcs); });
}

}  // namespace weir::profiler
