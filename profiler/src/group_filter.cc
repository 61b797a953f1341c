// Package, age, site (group_filter.h).
#include "group_filter.h"

#include <algorithm>
#include <string>
#include <unordered_map>

#include <weir/profiler/groups.h>

#include "encode.h"

namespace weir::profiler {

namespace {

// The longest wait of each group and of those that look the same; -1: not known.
std::vector<int64_t> oldest_waits(const Snapshot& s) {
  const std::vector<uint64_t> ids = group_ids(s);
  std::unordered_map<uint64_t, int64_t> by_id;
  for (size_t i = 0; i < s.groups.size(); ++i) {
    int64_t& oldest = by_id.try_emplace(ids[i], -1).first->second;
    oldest = std::max(oldest, encode::wait_of(s.groups[i]).longest);
  }
  std::vector<int64_t> by_group;
  by_group.reserve(ids.size());
  for (const uint64_t id : ids) by_group.push_back(by_id[id]);
  return by_group;
}

}  // namespace

bool is_in_package(std::string_view function, std::string_view package) {
  if (!function.starts_with(package)) return false;
  function.remove_prefix(package.size());
  return function.empty() || function.starts_with("::") || function.starts_with('.') ||
         function.starts_with('/');
}

GroupFilter::GroupFilter(const Snapshot& s, const Filter& f) : s_(s), f_(f) {
  if (f.site) sites_.emplace(s);
  if (f.age_ns > 0) oldest_ = oldest_waits(s);
}

bool GroupFilter::passes(uint32_t group) const {
  return (oldest_.empty() || oldest_[group] >= f_.age_ns) &&
         (!sites_ || sites_->of_group(group).id == *f_.site) && is_in_packages(s_.groups[group]);
}

bool GroupFilter::is_in_packages(const Group& g) const {
  if (f_.packages.empty()) return true;
  const std::string blocked = blocked_at(s_, g).function;
  const Frame* const creator = encode::creator_frame(s_, g.created_by);
  return std::ranges::any_of(f_.packages, [&](const std::string& package) {
    return is_in_package(blocked, package) ||
           (creator && is_in_package(creator->function, package));
  });
}

}  // namespace weir::profiler
