// Perturbation (perturb.h).

#include "perturb.h"

#include <weir/go.h>

#include "scope.h"
#include "tls.h"

namespace weir::rt {

std::atomic<bool> perturbing{false};

void perturb_slow() {
  G* gp = getg();
  M* m = gp->m.load(std::memory_order_relaxed);
  if (!m) return;
  P* p = enter_runtime(m);
  bool yield = p && perturb_one_in(p, 8);
  leave_runtime(m);
  if (yield) gosched();
}

void set_perturbation(uint64_t seed) noexcept {
  perturbing.store(seed != 0, std::memory_order_relaxed);
  if (seed == 0) return;
  int n = sched.gomaxprocs.load();
  for (int i = 0; i < n; i++) {
    allp[i]->rng = seed + static_cast<uint64_t>(i) * 0x9e3779b97f4a7c15u;
    next_random(allp[i]);
  }
}

}  // namespace weir::rt
