// The goroutines of a snapshot as a Profile (profile.h): what differences are taken of.
#include <weir/profiler/profile.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "encode.h"
#include "profile_of.h"

namespace weir::profiler {

namespace {

// As encode_pprof.cc has them: the goroutine's own, and ours where it has none of that name.
void add_label(Profile::Sample& sample, std::string_view key, std::string_view value) {
  if (value.empty()) return;
  const auto is_taken = [key](const auto& label) { return label.first == key; };
  if (std::ranges::any_of(sample.labels, is_taken)) return;
  sample.labels.emplace_back(key, value);
}

}  // namespace

Profile goroutine_profile(const Snapshot& s) {
  Profile p = profile_of(s, "goroutine");
  if (s.left_out > 0) {
    p.comments.push_back(std::to_string(s.left_out) + " goroutines are left out by a filter");
  }
  const encode::Records all = encode::make_records(s, true);
  p.samples.reserve(all.records.size());
  for (const encode::Record& r : all.records) {
    const Group& g = r.group();
    Profile::Sample& sample = p.samples.emplace_back();
    sample.stack = g.stack;
    sample.values = {static_cast<int64_t>(std::min<uint64_t>(r.count, INT64_MAX))};
    sample.labels = g.labels;
    add_label(sample, "state", encode::state_name(g.state));
    if (g.state == State::waiting) add_label(sample, "wait_reason", g.wait_reason);
    const Frame* by = encode::creator_frame(s, g.created_by);
    if (by) add_label(sample, "created_by", by->function);
    std::ranges::sort(sample.labels);
  }
  return p;
}

}  // namespace weir::profiler
