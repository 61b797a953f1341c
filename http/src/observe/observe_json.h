// What the observer keeps, as JSON in one line. Pure functions.
#pragma once

#include <string>
#include <vector>

#include "observer.h"

namespace weir::http::observe {

std::string observation_json(const Observation& o);         // "weir.observation/1"
std::string findings_json(const profiler::Findings& f);     // in short, for events
std::string trend_json(const Trend& t);                     // "weir.trend/1"
std::string snapshot_json(const Kept& k);                   // one entry of the next
std::string snapshots_json(const std::vector<Kept>& kept);  // "weir.snapshots/1"

// As in "weir.findings/1": they are larger than the numbers of JavaScript.
std::string site_text(uint64_t site);

}  // namespace weir::http::observe
