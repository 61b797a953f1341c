// Perturbation: for tests, the scheduler makes other choices than it would, by chance from a seed:
// goroutines yield where they need not, run from the far end of the queue, are stolen early. What
// shows only in rare orders shows sooner. WEIR_PERTURB=SEED or Options::perturb_seed.
//
// The choices are a function of the seed and of each P's own history; threads still race, so a seed
// makes a failure likely again, not certain.
#pragma once

#include <atomic>

#include "runtime2.h"

namespace weir::rt {

extern std::atomic<bool> perturbing;  // set between runs
inline bool is_perturbing() noexcept { return perturbing.load(std::memory_order_relaxed); }

// The next number of the P's own generator. Its owner, or under the P's own lock.
inline uint32_t next_random(P* p) noexcept {
  p->rng = p->rng * 6364136223846793005u + 1442695040888963407u;
  return static_cast<uint32_t>(p->rng >> 33);
}
inline bool perturb_one_in(P* p, uint32_t n) noexcept { return next_random(p) % n == 0; }

// Perhaps yields. Where a goroutine may be scheduled anyway; no lock may be held.
void perturb_slow();
[[gnu::always_inline]] inline void perturb_point() {
  if (is_perturbing()) [[unlikely]]
    perturb_slow();
}

// Seeds all Ps; 0: off. The world is stopped.
void set_perturbation(uint64_t seed) noexcept;

}  // namespace weir::rt
