// Frames as the graphs and differences want them: of a stack those that are shown, of a place the
// one that it belongs to in the user's eyes.
#pragma once

#include <string>
#include <vector>

#include <weir/profiler/snapshot.h>

#include "encode.h"

namespace weir::profiler {

// The shown frames of a group's stack, innermost first, inlined calls as frames of their own. What
// has no name shows its address.
inline std::vector<Frame> shown_frames_of(const Snapshot& s, const Group& g) {
  std::vector<encode::Shown> shown;
  encode::shown_frames(s, encode::stack_of(s, g), shown);
  std::vector<Frame> frames;
  for (const encode::Shown& x : shown) {
    const size_t before = frames.size();
    for (uint32_t i = x.first; i < x.end; ++i) {
      const uint32_t f = x.location->frames[i];
      if (f < s.frames.size() && !s.frames[f].function.empty()) frames.push_back(s.frames[f]);
    }
    if (frames.size() == before) {
      encode::append_hex(frames.emplace_back().function, x.location->address);
    }
  }
  return frames;
}

// Whose code a frame is, in the user's eyes: 0 the user's, 1 the standard library's (as a rule on
// the user's behalf: make_shared), 2 ours.
inline int foreignness(const Frame& f) {
  if (f.runtime) return 2;
  return f.function.starts_with("std::") || f.function.starts_with("__gnu_cxx::");
}

// The innermost of the frames there that are most the user's: where http::Client::get is inlined it
// was called on the user's behalf. A frame without a function where nothing is known.
inline Frame frame_at(const Snapshot& s, uint32_t location) {
  if (location >= s.locations.size()) return {};
  const Location& l = s.locations[location];
  const auto rank = [](const Frame& f) {
    return f.function.starts_with("weir::http::") ? 1 : foreignness(f);
  };
  const Frame* best = nullptr;
  for (const uint32_t f : l.frames) {
    if (f >= s.frames.size() || s.frames[f].function.empty()) continue;
    if (!best || rank(s.frames[f]) < rank(*best)) best = &s.frames[f];
  }
  if (best) return *best;
  Frame unknown;
  encode::append_hex(unknown.function, l.address);
  return unknown;
}

}  // namespace weir::profiler
