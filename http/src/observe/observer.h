// Observer: looks at the process's own goroutines again and again, on an OS thread of its own, and
// keeps what the endpoint tells of them over time: findings, series, snapshots, events.
//
// One observer serves all endpoints of a process. All of its functions may be called from any
// thread; none waits for longer than one look takes.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include <weir/profiler/detector.h>
#include <weir/profiler/sites.h>
#include <weir/profiler/snapshot.h>

#include "snapshot_store.h"

namespace weir::http::observe {

// What one look has told, for those who ask until the next.
struct Observation {
  uint64_t looks = 0;         // so far, this one included
  int64_t first_look_ns = 0;  // when the first of them was, wall clock: tells processes apart
  profiler::Findings findings;
  std::map<std::string, uint64_t> states;  // goroutines by state, and
  std::map<std::string, uint64_t> waits;   // the waiting ones by wait reason
  int64_t duration_ns = 0;                 // of the look, with what was made of it
  int64_t interval_ns = 0;                 // until the next
  size_t history_sites = 0, history_bytes = 0;
  size_t snapshots = 0, snapshot_bytes = 0;  // kept
};

// One site's series with its names.
struct Trend {
  struct Line {
    profiler::Series series;
    profiler::Growth growth;
    profiler::SiteNames names;
  };
  int64_t taken_at_ns = 0;
  profiler::Series total;
  std::vector<Line> lines;  // what grows first, then most goroutines
  size_t sites = 0;         // that are known; lines has no more than were asked for
};

struct Event {
  uint64_t number = 0;  // counts up from 1
  std::string type;     // "observation", "findings", "snapshot"
  std::string data;     // JSON in one line
};

class Observer {
 public:
  struct Options {
    std::chrono::milliseconds interval{2000};
    // Tests have their own.
    std::function<profiler::Snapshot()> capture{};
    std::function<int64_t()> now_ns{};  // a clock that only goes forward
    bool thread = true;                 // false: looks only when told
  };

  explicit Observer(const Options& options);
  ~Observer();
  Observer(const Observer&) = delete;
  Observer& operator=(const Observer&) = delete;

  // The last look. Waits for the first one, if need be.
  std::shared_ptr<const Observation> latest();
  // Looks now, and keeps the snapshot. Its id. Findings and series get it only if the last look is
  // half an interval ago: who asks often must not push out what they know.
  uint64_t look();

  std::vector<Kept> snapshots() const;
  std::optional<Kept> snapshot(uint64_t id) const;
  Trend trend(size_t limit, std::optional<uint64_t> site) const;

  // The next event after number `after`, or the newest of those since where some are forgotten by
  // now; nothing within `patience`. after = 0: the newest there is.
  std::optional<Event> next_event(uint64_t after, std::chrono::milliseconds patience) const;

 private:
  void run();
  uint64_t look_once(bool asked);
  void learn_names(const profiler::Snapshot& s);
  void publish(std::shared_ptr<const Observation> now, uint64_t snapshot, bool asked);
  void add_event(const char* type, std::string data);

  const Options options_;
  std::mutex looking_;  // one look at a time; taken before mu_

  mutable std::mutex mu_;  // all below, held for microseconds
  mutable std::condition_variable changed_;
  profiler::Detector detector_;  // changed by who looks, who holds looking_, too
  SnapshotStore store_;
  std::unordered_map<uint64_t, profiler::SiteNames> names_;  // of the sites that the history knows
  std::shared_ptr<const Observation> latest_;
  std::deque<Event> events_;
  uint64_t last_event_ = 0;
  std::string last_findings_;   // as told in the last event
  int64_t fed_ns_ = INT64_MIN;  // when the detector got the last look
  int64_t last_cost_ns_ = 0;    // of the last look, CPU time
  bool stopping_ = false;

  std::thread thread_;  // the last member
};

// The process's observer, which lives as long as somebody has it. `interval` counts for who comes
// first; 0: none is started, but one that is there is given.
std::shared_ptr<Observer> share(std::chrono::milliseconds interval);
// The one that there is, or null.
std::shared_ptr<Observer> current();

}  // namespace weir::http::observe
