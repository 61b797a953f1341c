// Residents: who is at a site, and since when; found again in the next sample. 8 bytes each.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "survival.h"

namespace weir::profiler::residents {

using survival::Tick;

// How a goroutine is known to be still the same one in the same wait.
enum class Identity : uint8_t {
  wait,       // by the time at which its wait began: exact ages
  minutes,    // by its id, as long as the minutes that Go's dumps tell do not belie it
  goroutine,  // by its id: its waits are short and come again (sleeps, tickers), or it runs
};

struct Resident {
  uint32_t goid = 0;        // modulo 2^32
  uint32_t since : 29 = 0;  // tick: when its wait began, or it was first seen
  uint32_t missed : 2 = 0;  // samples in a row that it was not in
  uint32_t found : 1 = 0;   // it was there before anybody looked: since then at least
};
static_assert(sizeof(Resident) == 8);
inline constexpr Tick kMaxTick = (Tick{1} << 29) - 1;  // 621 days

struct Seen {
  uint32_t goid = 0;
  int64_t waited_ns = -1;  // -1: not known
};

struct Times {
  Tick now = 0, before = 0;
  Tick blur = 0;         // how exactly `now` and the ages fit together
  bool first = false;    // nobody looked before
  bool minutes = false;  // the source tells minutes: of somebody at least
};

// Matches those of the last sample with those of this one (both sorted by id), appends who is there
// now to `to`, and says what happened.
survival::Turnover turn_over(std::span<const Resident> before, std::span<const Seen> now,
                             Identity identity, const Times& times, std::vector<Resident>& to);

}  // namespace weir::profiler::residents
