// Snapshot -> profile.proto, gzip: as Go's debug=0, and with one sample per goroutine (debug=3).
//
// Two values: goroutines, and how long they have been blocked, together, in nanoseconds. Samples
// have the goroutine's own labels and ours, left out where the program uses the name itself:
//
//   debug=0  one sample per record (encode.h: make_records): state, wait_reason, created_by
//   debug=3  also name, and numbers: go::goroutine, go::goroutine_created_by (ids),
//            go::goroutine_state, go::goroutine_wait_minutes, as CockroachDB's Go has them, and
//            wait_ns, stack_bytes, cpu_ns. A group without members is one sample.
//
// The samples have the shown frames alone (encode.h: shown_frames), so that the function which
// blocks is the one with the flat count.
#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

#include "encode.h"
#include "pprof_builder.h"
#include "pprof_stacks.h"

namespace weir::profiler {
namespace {

using namespace encode;

class Writer {
 public:
  Writer(const Snapshot& s, const Sink& sink) : s_(s), to_(sink), stacks_(s, to_) {
    to_.sample_type("goroutine", "count");
    to_.sample_type("wait", "nanoseconds");
    to_.default_sample_type("goroutine");
    to_.period("goroutine", "count", 1);
    to_.times(s_.taken_at_ns, 0);
    stacks_.write_mappings();
  }

  bool ok() const { return to_.ok(); }

  void write(const Record& r) {
    Wait wait;
    for (const Group* g : r.groups) {
      const Wait its = wait_of(*g);
      wait.add(its.sum, its.longest);
    }
    begin_group(r.group());
    write_sample(r.count, wait.sum);
  }

  // Each goroutine.
  void write(const Group& g) {
    begin_group(g);
    if (g.members.empty() && g.count > 0) write_sample(g.count, wait_of(g).sum);
    for (const Member& m : g.members) {
      if (!ok()) return;
      const size_t shared = labels_.size();
      add_text("go::goroutine_state", status_text(g));
      add_text("name", text_of(s_, m.name));
      add_numbers(g, m);
      write_sample(1, is_blocked(g.state) ? m.since_ns : -1);
      labels_.resize(shared);
    }
  }

  bool finish() { return to_.finish(); }

 private:
  // What the samples of a group have in common.
  void begin_group(const Group& g) {
    shown_frames(s_, stack_of(s_, g), shown_);
    stacks_.locations(shown_, locations_);
    labels_.clear();
    for (const auto& [key, value] : g.labels) {
      labels_.push_back({to_.string(key), to_.string(value)});
    }
    own_labels_ = labels_.size();
    add_text("state", state_name(g.state));
    add_text("wait_reason", g.state == State::waiting ? g.wait_reason : std::string_view());
    const Frame* by = creator_frame(s_, g.created_by);
    add_text("created_by", by ? by->function : std::string_view());
  }

  void add_text(std::string_view key, std::string_view value) {
    if (value.empty()) return;
    const int64_t key_id = to_.string(key);
    for (size_t i = 0; i < own_labels_; ++i) {
      if (labels_[i].key == key_id) return;
    }
    labels_.push_back({key_id, to_.string(value)});
  }

  void add_numbers(const Group& g, const Member& m) {
    const auto add = [&](std::string_view key, uint64_t value, std::string_view unit) {
      const auto number = static_cast<int64_t>(std::min<uint64_t>(value, INT64_MAX));
      labels_.push_back({to_.string(key), number, true, to_.string(unit)});
    };
    constexpr int64_t kMinute = 60'000'000'000;  // ns
    add("go::goroutine", m.goid, "id");
    if (m.parent_goid != 0) add("go::goroutine_created_by", m.parent_goid, "id");
    if (is_blocked(g.state) && m.since_ns >= 0) {
      add("wait_ns", static_cast<uint64_t>(m.since_ns), "nanoseconds");
      const int64_t minutes = m.since_ns / kMinute;
      if (minutes > 0) {
        add("go::goroutine_wait_minutes", static_cast<uint64_t>(minutes), "minutes");
      }
    }
    if (m.stack_bytes != 0) add("stack_bytes", m.stack_bytes, "bytes");
    if (m.cpu_ns >= 0) add("cpu_ns", static_cast<uint64_t>(m.cpu_ns), "nanoseconds");
  }

  void write_sample(uint64_t count, int64_t wait_ns) {
    const int64_t values[] = {static_cast<int64_t>(std::min<uint64_t>(count, INT64_MAX)),
                              std::max<int64_t>(wait_ns, 0)};
    to_.sample(locations_, values, labels_);
  }

  const Snapshot& s_;
  PprofBuilder to_;
  PprofStacks stacks_;
  std::vector<Shown> shown_;  // of the current group, as the next two
  std::vector<uint64_t> locations_;
  std::vector<PprofBuilder::Label> labels_;
  size_t own_labels_ = 0;  // of these, the goroutine's own
};

}  // namespace

bool write_pprof(const Snapshot& s, const Sink& sink) {
  Writer writer(s, sink);
  const Records all = make_records(s, true);
  for (const Record& r : all.records) {
    if (!writer.ok()) return false;
    writer.write(r);
  }
  return writer.finish();
}

bool write_pprof3(const Snapshot& s, const Sink& sink) {
  Writer writer(s, sink);
  for (const Group& g : s.groups) {
    if (!writer.ok()) return false;
    writer.write(g);
  }
  return writer.finish();
}

}  // namespace weir::profiler
