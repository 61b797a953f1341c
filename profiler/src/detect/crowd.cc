#include "crowd.h"

#include <algorithm>

#include "encode.h"
#include "frames.h"

namespace weir::profiler::causes {

void Crowd::add(uint32_t group) {
  const Group& g = s_.groups[group];
  parts_.push_back({group, true, {}});
  count_ = encode::saturating_add(count_, g.count);
  oldest_ns_ = std::max(oldest_ns_, g.oldest_ns);
  for (const Member& m : g.members) oldest_ns_ = std::max(oldest_ns_, m.since_ns);
  has_members_ |= !g.members.empty();
}

void Crowd::add(uint32_t group, uint32_t member) {
  if (parts_.empty() || parts_.back().group != group) parts_.push_back({group, false, {}});
  parts_.back().members.push_back(member);
  count_ = encode::saturating_add(count_, 1);
  oldest_ns_ = std::max(oldest_ns_, s_.groups[group].members[member].since_ns);
  has_members_ = true;
}

Finding Crowd::finding(uint64_t site) const {
  Finding f;
  const Group& g = group();
  f.site = site;
  f.count = count_;
  f.oldest_wait_ns = oldest_ns_;
  f.wait = encode::status_text(g);
  if (const Frame* creator = encode::creator_frame(s_, g.created_by)) f.created_by = *creator;
  f.blocked_at = blocked_at(s_, g);
  f.stack = shown_frames_of(s_, g);
  if (f.stack.size() > Finding::kMaxFrames) f.stack.resize(Finding::kMaxFrames);
  // The smallest so far stand in a heap, the largest of them on top.
  for_each([&f](const Group&, const Member& m) {
    if (f.goids.size() == Finding::kMaxGoids) {
      if (m.goid >= f.goids.front()) return;
      std::pop_heap(f.goids.begin(), f.goids.end());
      f.goids.pop_back();
    }
    f.goids.push_back(m.goid);
    std::push_heap(f.goids.begin(), f.goids.end());
  });
  std::sort_heap(f.goids.begin(), f.goids.end());
  return f;
}

}  // namespace weir::profiler::causes
