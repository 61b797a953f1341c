// Who asked for a goroutine that the runtime starts later, on nobody's behalf: it appears as his
// child, with his labels.
#pragma once

#include <cstdint>

#include "labels.h"
#include "profiling.h"
#include "runtime2.h"
#include "tls.h"

namespace weir::rt {

struct origin {
  // The caller, at `at`.
  explicit origin(const void* at) noexcept : pc(at) {
    G* gp = getg();
    goid = gp->goid.load(std::memory_order_relaxed);
    labels = gp->labels.load(std::memory_order_relaxed);
    if (labels) ref_labels(labels);
    creation = creation_stack(gp);
  }
  // One who is known by these only.
  origin(const void* at, uint64_t id) noexcept : pc(at), goid(id) {}
  origin(const origin&) = delete;
  origin& operator=(const origin&) = delete;
  ~origin() {
    if (labels) unref_labels(labels);
  }

  const void* pc;
  uint64_t goid;
  label_set* labels = nullptr;  // counted
  uint16_t creation = 0;        // G::creation
};

}  // namespace weir::rt
