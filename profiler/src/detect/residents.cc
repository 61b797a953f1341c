// Residents (residents.h).
#include "residents.h"

#include <algorithm>

namespace weir::profiler::residents {

namespace {

using survival::kRungs;
using survival::kSecond;
using survival::rung_of;
using survival::Turnover;

// Who sleeps and wakes in turn is elsewhere for a moment: away only after more samples than these.
constexpr uint32_t kGrace = 2;
// Go tells how many whole minutes a goroutine has waited, from the first garbage collection after
// the wait's start on, and collects every two minutes at least. With a minute to spare.
constexpr Tick kGoLag = 4 * 60 * kSecond;

class Matcher {
 public:
  Matcher(Identity identity, const Times& times, std::vector<Resident>& to)
      : identity_(identity), times_(times), to_(to) {}

  void run(std::span<const Resident> before, std::span<const Seen> now) {
    auto old = before.begin();
    for (const Seen& seen : now) {
      while (old != before.end() && old->goid < seen.goid) miss(*old++);
      if (old != before.end() && old->goid == seen.goid) {
        meet(*old++, seen);
      } else {
        join(seen);
      }
    }
    while (old != before.end()) miss(*old++);
  }

  Turnover sum() {
    // Up to here each stands on its highest rung only.
    for (auto* counts :
         {&t_.present, &t_.joined, &t_.left, &t_.found, &joined_before_, &found_before_}) {
      for (size_t r = kRungs - 1; r-- > 0;) (*counts)[r] += (*counts)[r + 1];
    }
    for (size_t r = 0; r < kRungs; ++r) {
      t_.joined[r] -= joined_before_[r];
      t_.found[r] -= found_before_[r];
    }
    return t_;
  }

 private:
  Tick start_of(const Seen& seen) const {
    const int64_t ticks = std::max<int64_t>(seen.waited_ns, 0) / survival::kTick_ns;
    return ticks < times_.now ? times_.now - static_cast<Tick>(ticks) : 0;
  }

  bool is_same(const Resident& r, const Seen& seen) const {
    const Tick age = times_.before - std::min<Tick>(r.since, times_.before);
    switch (identity_) {
      case Identity::goroutine:
        return true;
      case Identity::wait:
        // Another wait began after the last sample, at which this one was `age` old: halfway
        // between stands far from both, however inexact the time of a sample is.
        return start_of(seen) <= r.since + std::max(times_.blur, age / 2);
      case Identity::minutes:
        return !times_.minutes || age <= kGoLag + (times_.now - start_of(seen));
    }
    return true;
  }

  void meet(const Resident& r, const Seen& seen) {
    if (is_same(r, seen)) {
      stay(r, 0);
    } else {
      leave(r);
      join(seen);
    }
  }

  void miss(const Resident& r) {
    if (identity_ == Identity::goroutine && r.missed < kGrace) {
      stay(r, r.missed + 1);
    } else {
      leave(r);
    }
  }

  void stay(const Resident& r, uint32_t missed) {
    Resident& now = to_.emplace_back(r);
    now.missed = missed & 3;
    const size_t old_rung = rung_of(times_.before - std::min<Tick>(r.since, times_.before));
    const size_t rung = rung_of(times_.now - r.since);
    ++t_.present[rung];
    if (rung == old_rung) return;
    ++(r.found ? t_.found : t_.joined)[rung];
    ++(r.found ? found_before_ : joined_before_)[old_rung];
  }

  void leave(const Resident& r) {
    ++t_.left[rung_of(times_.before - std::min<Tick>(r.since, times_.before))];
  }

  void join(const Seen& seen) {
    Resident& now = to_.emplace_back();
    now.goid = seen.goid;
    now.since = (identity_ == Identity::goroutine ? times_.now : start_of(seen)) & kMaxTick;
    now.found = times_.first && identity_ != Identity::wait;
    const size_t rung = rung_of(times_.now - now.since);
    ++t_.present[rung];
    ++(times_.first ? t_.found : t_.joined)[rung];
  }

  const Identity identity_;
  const Times& times_;
  std::vector<Resident>& to_;
  Turnover t_;
  std::array<uint32_t, kRungs> joined_before_{}, found_before_{};  // of who is higher now
};

}  // namespace

Turnover turn_over(std::span<const Resident> before, std::span<const Seen> now, Identity identity,
                   const Times& times, std::vector<Resident>& to) {
  Matcher matcher(identity, times, to);
  matcher.run(before, now);
  return matcher.sum();
}

}  // namespace weir::profiler::residents
