// Lane: the history of what one source tells of one program. Sources (weir's own snapshots, Go's
// texts, profiles) name states and waits differently and see goroutines or counts, so what one
// tells is only compared with what the same one told before.
//
// Bounded: so many sites, so many goroutines by id; beyond that, a share of the ids that is chosen
// by their hash, so that who was not chosen never was.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include <weir/profiler/sites.h>
#include <weir/profiler/snapshot.h>

#include "residents.h"
#include "series.h"
#include "survival.h"

namespace weir::profiler {

class Lane {
 public:
  struct Record {
    residents::Identity identity = residents::Identity::wait;
    bool counted = false;          // the source has told its number only
    uint32_t first = 0, many = 0;  // its residents
    uint32_t count = 0, peak = 0;
    uint64_t born = 0;                  // the first sample it was in
    uint64_t updated = 0;               // samples, when it was last looked at
    int64_t first_ns = 0, last_ns = 0;  // when somebody was there, by the clock of add
    survival::Ladder ladder;
    series::Rings rings;
  };

  Lane(std::string source, int64_t at_ns) : source_(std::move(source)), origin_ns_(at_ns) {}

  void add(const Snapshot& s, const Sites& sites, int64_t at_ns, size_t max_sites);

  const std::string& source() const { return source_; }
  // False: it is too old for its clock, and a new one has to begin.
  bool has_time_for(int64_t at_ns) const;
  uint64_t samples() const { return samples_; }  // of this process
  int64_t at_ns() const { return at_ns_; }
  int64_t watched_ns() const { return at_ns_ - origin_ns_; }
  survival::Tick now() const { return tick(at_ns_); }
  int64_t time_of(survival::Tick tick) const;
  const Record* find(uint64_t site) const;
  const std::unordered_map<uint64_t, Record>& records() const { return records_; }
  const series::Timeline& timeline() const { return timeline_; }
  const series::Rings& total() const { return total_; }
  // One of so many goroutines is followed.
  uint64_t one_in() const { return uint64_t{1} << share_; }
  size_t bytes() const;

 private:
  // Of a snapshot as a whole.
  struct Census {
    uint64_t goroutines = 0, members = 0, max_goid = 0;
    int64_t oldest_ns = -1;
  };
  static Census take_census(const Snapshot& s);
  survival::Tick tick(int64_t at_ns) const;
  bool is_new_process(const Snapshot& s, const Census& census, int64_t at_ns) const;
  void begin_anew(survival::Tick now);
  void admit(const Sites& sites, const Snapshot& s, size_t max_sites);
  void look(Record& record, const Site* site, const Snapshot& s, const residents::Times& times);
  bool is_followed(uint32_t goid) const;
  void follow_fewer(uint64_t members);

  std::string source_;
  int64_t origin_ns_;
  int64_t at_ns_ = 0;
  uint64_t samples_ = 0;
  std::string process_;
  int64_t pid_ = 0;
  int64_t duration_ns_ = 0;  // of the last capture
  Census census_;            // of the last sample
  uint32_t share_ = 0;
  series::Timeline timeline_;
  series::Rings total_;
  std::unordered_map<uint64_t, Record> records_;
  std::vector<residents::Resident> residents_, next_;  // of the last sample, of this one
  std::vector<residents::Seen> seen_;
};

}  // namespace weir::profiler
