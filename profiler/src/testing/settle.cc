// Settling (settle.h).
//
// One look meets each goroutine that lives throughout it. It can miss one that was started
// meanwhile by another that has ended since; so nobody is left when two looks in a row find nobody.
#include "settle.h"

#include <weir/weir.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <stdexcept>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "judge.h"
#include "present.h"
#include "roomy_stack.h"

namespace weir::testing {

namespace {

using std::chrono::nanoseconds;
using Clock = std::chrono::steady_clock;

constexpr nanoseconds kFirstPause = std::chrono::microseconds(1);
constexpr nanoseconds kLongestPause = std::chrono::milliseconds(100);
// Who is not blocked is waited for so many times as long.
constexpr int kPatience = 10;

// The goroutines that the caller descends from, as far as they are known, and itself.
std::unordered_set<uint64_t> ancestors(const std::vector<Present>& all) {
  std::unordered_map<uint64_t, uint64_t> parents;
  for (const Present& p : all) parents.emplace(p.goid, p.parent_goid);
  std::unordered_set<uint64_t> found;
  for (uint64_t at = goid(); found.insert(at).second;) {
    const auto parent = parents.find(at);
    if (parent == parents.end()) break;
    at = parent->second;
  }
  return found;
}

class Look {
 public:
  // `since_last`: since the look before.
  Look(const Scope& scope, nanoseconds since_last) {
    const std::vector<Present> all = present(scope.mark);
    std::unordered_set<uint64_t> out = ancestors(all);
    out.insert(scope.options.ignore_current.begin(), scope.options.ignore_current.end());
    for (const Present& p : all) {
      if (out.contains(p.goid)) continue;
      unsure_ |= p.unknown;
      if (scope.mark != 0 && !p.marked) continue;
      left_.emplace(p.goid, p.busy || p.since_ns < since_last.count());
    }
    if (left_.empty() || !scope.has_patterns()) return;
    const std::unordered_set<uint64_t> out_by_name = ignored(scope);
    std::erase_if(left_, [&](const auto& l) { return out_by_name.contains(l.first); });
  }

  bool empty() const { return left_.empty() && !unsure_; }
  bool contains(uint64_t goid) const { return left_.contains(goid); }
  // Does one of them get on?
  bool busy() const {
    return unsure_ ||
           std::any_of(left_.begin(), left_.end(), [](const auto& l) { return l.second; });
  }

 private:
  std::unordered_map<uint64_t, bool> left_;  // goid -> busy
  bool unsure_ = false;                      // of somebody who runs, whether he is left
};

// The calling thread is in the run of a settle_in_run.
thread_local bool in_own_run = false;

bool nobody(const Scope& scope) { return Look(scope, {}).empty() && Look(scope, {}).empty(); }

Leaks settle_in_own_run(const Scope& scope) {
  Leaks leaks;
  std::exception_ptr failure;
  in_own_run = true;
  const auto settle_there = [&]() noexcept {
    try {
      leaks = settle(scope);
    } catch (...) {
      failure = std::current_exception();
    }
  };
  try {
    run(settle_there);
  } catch (...) {
    failure = std::current_exception();
  }
  in_own_run = false;
  if (failure) std::rethrow_exception(failure);
  return leaks;
}

}  // namespace

bool settling() noexcept { return in_own_run; }

Leaks settle(const Scope& scope) {
  const auto start = Clock::now();
  const nanoseconds timeout =
      std::clamp(scope.options.timeout, nanoseconds::zero(), nanoseconds::max() / kPatience);
  nanoseconds paused{0}, pause{0};  // as they were asked for
  for (auto last = start;;) {
    const auto now = Clock::now();
    const Look look(scope, now - std::exchange(last, now));
    if (look.empty() && nobody(scope)) return {};
    const nanoseconds end = look.busy() ? timeout * kPatience : timeout;
    if (paused >= end) {
      return judge(
          scope, [&look](uint64_t goid) { return look.contains(goid); }, Clock::now() - start);
    }
    pause = std::min({std::max(pause * 2, kFirstPause), kLongestPause, end - paused});
    sleep_for(pause);
    paused += pause;
  }
}

Leaks settle_in_run(const Scope& scope) {
  if (nobody(scope)) return {};
  if (!profiler::on_the_threads_own_stack()) return settle(scope);
  try {
    return settle_in_own_run(scope);
  } catch (const std::invalid_argument&) {
    throw;
  } catch (const std::logic_error&) {
    return settle(scope);  // another run is under way: there the goroutines go on
  }
}

}  // namespace weir::testing
