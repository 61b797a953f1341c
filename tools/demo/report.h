// The zoo's ticker: who is there, every few seconds, one line on stdout.
#pragma once

#include <string>

#include <weir/profiler/snapshot.h>

namespace zoo {

// "57 goroutines: 20 x chan receive (nil chan) in zoo::nil_chan_receive (blocked.cc:26); ..." with
// the largest groups.
std::string summary(const weir::profiler::Snapshot& s);

}  // namespace zoo
