// Words that causes and evidence share. Names in them come from anywhere: whoever prints them
// cleans them.
#pragma once

#include <cstdint>
#include <string>

#include <weir/profiler/finding.h>
#include <weir/profiler/snapshot.h>

#include "dot.h"

namespace weir::profiler::causes {

inline constexpr size_t kMaxName = 300;  // bytes of a name within a sentence

// "bank::transfer (bank.cc:31)"; the stack has the whole path.
inline std::string where(const Frame& f) {
  std::string text = dot_text::shortened(f.function, kMaxName);
  const std::string place = dot_text::place_text(dot_text::base_name(f.file), f.line);
  return place.empty() ? text : text + " (" + dot_text::shortened(place, kMaxName) + ")";
}

inline std::string age(int64_t ns) { return dot_text::duration(ns); }

// What usually helps against this kind.
const char* fix_of(Kind k) noexcept;

}  // namespace weir::profiler::causes
