// Causes (causes.h): a site in words. (Proofs: proven.cc; suspicion: kinds.cc.)
#include "causes.h"

#include <utility>

#include "contexts.h"
#include "crowd.h"
#include "evidence.h"
#include "kinds.h"

namespace weir::profiler::causes {

Description describe(const Snapshot& s, const Site& site) {
  Crowd crowd(s);
  for (const uint32_t g : site.groups) crowd.add(g);
  Description d{crowd.finding(site.id), suspicion(s, site)};
  d.finding.kind = kind_of(s, crowd.group());
  explain(crowd, d.finding);
  add_times(crowd, d.finding);
  return d;
}

std::vector<std::string> notes(const Snapshot& s) { return forgotten_contexts(s); }

}  // namespace weir::profiler::causes
