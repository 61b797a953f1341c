// Fleet (fleet.h).
#include <weir/profiler/fleet.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "causes.h"
#include "encode.h"

namespace weir::profiler {

namespace {

bool may_leak(const Snapshot& s, const Site& site) {
  return s.groups[site.groups.front()].state == State::waiting &&
         causes::suspicion(s, site) >= causes::Suspicion::plain;
}

}  // namespace

std::vector<FleetSite> compare_fleet(std::span<const Snapshot> instances,
                                     const FleetOptions& options) {
  std::unordered_map<uint64_t, FleetSite> all;
  for (size_t i = 0; i < instances.size(); ++i) {
    const Snapshot& s = instances[i];
    const Sites sites(s);
    for (const Site& site : sites.all()) {
      const auto [at, is_new] = all.try_emplace(site.id);
      FleetSite& f = at->second;
      if (is_new) {
        if (!may_leak(s, site)) {
          all.erase(at);
          continue;
        }
        f.site = site.id;
        f.names = names_of(s, site);
      }
      const auto count = static_cast<double>(site.count);
      f.rms += count * count;  // the sum of squares, until the end
      f.total = encode::saturating_add(f.total, site.count);
      ++f.instances;
      if (site.count > f.most) {
        f.most = site.count;
        f.most_in = i;
      }
    }
  }
  std::vector<FleetSite> found;
  for (auto& [id, f] : all) {
    if (f.most < options.threshold) continue;
    f.rms = std::sqrt(f.rms / static_cast<double>(instances.size()));
    found.push_back(std::move(f));
  }
  std::sort(found.begin(), found.end(), [](const FleetSite& a, const FleetSite& b) {
    return a.rms != b.rms ? a.rms > b.rms : a.site < b.site;
  });
  return found;
}

}  // namespace weir::profiler
