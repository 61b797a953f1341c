// Evidence: what the records of the objects that goroutines wait for tell of these waits.
#pragma once

#include <cstdint>
#include <string>

#include <weir/profiler/finding.h>
#include <weir/profiler/snapshot.h>

#include "crowd.h"

namespace weir::profiler::causes {

// Fills cause, object, evidence and fix of a finding that has its kind. The words are true of the
// snapshot whatever its certainty will be.
void explain(const Crowd& crowd, Finding& f);

// "3 goroutines wait", "1 thread waits".
std::string who(const Crowd& crowd, uint64_t n, const std::string& one, const std::string& many);

// What is known of the times and ids: the longest wait, or that the source does not tell.
void add_times(const Crowd& crowd, Finding& f);

// Finding::object, but for `count`.
Finding::Object object_of(const Snapshot& s, const Object& o);

// The owner of a lock, and what it does: "goroutine 9, which waits at bank::audit (bank.cc:44)
// [chan receive] for 5m2s".
std::string owner_now(const Snapshot& s, const Object& lock);

}  // namespace weir::profiler::causes
