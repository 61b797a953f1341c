// Survival: of those who have been at a site for a certain time, does anybody ever go on?
//
// A ladder of ages (0, 1 s, 2 s, 4 s .. 3 days); on each rung, how many goroutines are that old,
// how many became it, and when somebody of that age left. Whoever serves, pools and waves lose
// goroutines at all ages that they reach; of a leak nobody leaves any more beyond some age, while
// new ones keep reaching it. So a rung is judged by its streak: the time since the last that left.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include <weir/profiler/finding.h>

namespace weir::profiler::survival {

// Time, of a clock that only goes forward.
using Tick = uint32_t;
inline constexpr int64_t kTick_ns = 100'000'000;
inline constexpr Tick kSecond = 10;

inline constexpr size_t kRungs = 20;
size_t rung_of(Tick age);  // the highest that this age has reached
Tick age_of(size_t rung);  // the least age on it

// What happened at a site between two samples, by rung; who is on a rung is on all below it, too.
struct Turnover {
  std::array<uint32_t, kRungs> present{};  // now
  std::array<uint32_t, kRungs> joined{};   // reached it since the sample before
  std::array<uint32_t, kRungs> left{};     // were on it, and are gone or in another wait
  // Are on it now for the first time that it can be told: they were there before anybody looked.
  std::array<uint32_t, kRungs> found{};
};

// What a source tells of those who join and leave.
enum class Sight : uint8_t {
  each,     // every goroutine by itself
  balance,  // only how many more or fewer there are: who leaves may hide behind who joins
};

struct Judgement {
  std::optional<Certainty> verdict{};
  Tick age = 0;            // of the rung that was judged
  Tick since = 0;          // when the streak began
  Tick first = 0;          // when the first joined in it
  uint64_t joined = 0;     // in the streak
  uint32_t joins = 0;      // samples in which somebody joined,
  uint32_t samples = 0;    // of so many since the first that did
  bool ever_left = false;  // before the streak, somebody left at this age
  double chance = 0;       // of such a streak, by what was seen before
};

class Ladder {
 public:
  // The sample of `now`, `passed` after the one before (0: the first).
  void step(const Turnover& turnover, Tick now, Tick passed);
  // Another process: nobody left, but nobody is there any more. What is known of the site stays.
  void begin_anew(Tick now);
  Judgement judge(Tick now, Sight sight) const;
  size_t bytes() const { return rungs_.capacity() * sizeof(Rung); }

 private:
  static constexpr size_t kKept = 6;
  struct Join {
    uint32_t sample = 0;  // of the streak
    uint32_t count = 0;   // goroutines
  };
  struct Rung {
    uint32_t present = 0;
    // The streak.
    uint32_t base = 0;                 // who was there when it began
    Tick since = 0;                    // when it began
    uint32_t joined = 0;               // goroutines
    uint32_t joins = 0;                // samples in which somebody joined
    uint32_t samples = 0;              // since the first of these, it included
    Tick first = 0;                    // the time of the first
    std::array<Join, kKept> newest{};  // joins, a ring by their number
    double exposure = 0;               // goroutine-seconds
    // Before the streak.
    double exposed = 0;    // goroutine-seconds
    uint32_t endings = 0;  // samples in which somebody left

    void begin_streak(Tick now);
  };

  Judgement judge(size_t r, Tick now, Sight sight) const;

  std::vector<Rung> rungs_;  // up to the highest that was ever reached
};

}  // namespace weir::profiler::survival
