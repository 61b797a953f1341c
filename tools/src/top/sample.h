// Sample: what one look at the target gave, digested so that the screen only sorts and filters.
// Immutable once it is made: the thread that fetches and the one that draws share it.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <weir/profiler/finding.h>
#include <weir/profiler/snapshot.h>

#include "remote.h"

namespace weir::tools::top {

// The goroutines of one site (profiler/sites.h): created at one place, blocked at one place, for
// one reason.
struct Row {
  uint64_t site = 0;
  uint64_t count = 0;
  int64_t oldest_ns = -1;                  // longest wait; -1: not known
  std::optional<double> per_minute;        // growth over the window; not given: not known yet
  std::vector<uint32_t> recent;            // counts over the window, oldest first
  std::string wait;                        // wait reason, else the state
  profiler::Frame blocked_at, created_by;  // function empty: not known
  std::string entry;    // the goroutines' own function, where created_by is not known
  bool thread = false;  // plain OS threads
  std::optional<profiler::Certainty> leak;  // a finding is about them
  std::vector<uint32_t> groups;  // indexes into Sample::snapshot->groups, most goroutines first
};

enum class Origin : uint8_t { weir, go, file };

struct Sample {
  static constexpr size_t kStates = 7;  // of profiler::State

  Origin origin = Origin::file;
  std::string program;                                 // its name; empty: not known
  int64_t at_ns = 0;                                   // steady clock, when it was asked for
  int64_t took_ns = 0;                                 // to fetch and read
  uint64_t bytes = 0;                                  // fetched
  std::shared_ptr<const profiler::Snapshot> snapshot;  // without members
  std::vector<uint64_t> site_of_group;                 // of each of its groups
  std::vector<Row> rows;                               // most goroutines first
  uint64_t total = 0;                                  // goroutines and threads
  std::array<uint64_t, kStates> states{};
  int64_t oldest_ns = -1;            // longest wait of all that are blocked
  std::optional<double> per_minute;  // growth of total
  std::vector<uint32_t> recent;      // of total
  int64_t window_ns = 0;             // that growth is of
  profiler::Findings findings;
  std::string findings_missing;  // why there are none; empty: there are
  std::optional<Sched> sched;
  std::string sched_missing;              // why it is not given
  std::optional<SchedRates> sched_rates;  // since the sample before
  std::vector<std::string> notes;         // what a reader should know of how this came about
  bool restarted = false;                 // another process than in the sample before
};

}  // namespace weir::tools::top
