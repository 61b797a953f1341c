// What the stress tests share: a seed that can be given again, how long to go on, numbers from
// both.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdlib>

namespace weir::testing {

// WEIR_TEST_SEED, else the time; the caller prints it.
inline uint64_t stress_seed() {
  if (const char* text = std::getenv("WEIR_TEST_SEED")) return std::strtoull(text, nullptr, 0);
  return static_cast<uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
}

// WEIR_STRESS_SECONDS, else 5 s.
inline std::chrono::duration<double> stress_duration() {
  const char* text = std::getenv("WEIR_STRESS_SECONDS");
  double seconds = text ? std::strtod(text, nullptr) : 5;
  return std::chrono::duration<double>(seconds > 0 ? seconds : 5);
}

// Pseudo-random numbers (splitmix64): small enough that each goroutine has its own, made from the
// seed and the goroutine's number, so that its choices do not depend on the others' timing.
class Random {
 public:
  explicit Random(uint64_t seed, uint64_t stream = 0)
      : state_(seed + stream * 0x9e3779b97f4a7c15u) {}
  uint64_t next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  // From 0 to n - 1.
  int below(int n) { return static_cast<int>(next() % static_cast<uint64_t>(n)); }
  bool one_in(int n) { return below(n) == 0; }

 private:
  uint64_t state_;
};

}  // namespace weir::testing
