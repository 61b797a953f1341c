// One kernel under the detector, for some rounds. Time is scaled: a round of 40 ms counts as 10 s,
// the interval at which services are looked at, and all ages with it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernels.h"

namespace kernels {

inline constexpr int kRounds = 14;

// What the tests want to know of a Finding.
struct Told {
  Kind kind = Kind::chan_receive;
  Certainty certainty = Certainty::suspect;
  uint64_t count = 0;
  std::string place;  // function in which they are blocked; http_body: that made the request
  std::string cause;
};

// What was there after one round.
struct Round {
  uint64_t goroutines = 0;
  uint64_t stuck = 0;  // goroutines in the functions of Kernel::stuck, whatever the detector says
  std::vector<Told> told;
};

// Runs the kernel in this process, which is its own, and prints a line for each round. Does not
// return: its goroutines never end.
[[noreturn]] void run(const Kernel& kernel, uint64_t seed);

// The line of one round; nullopt: it is none.
std::optional<Round> parse_round(std::string_view line);

}  // namespace kernels
