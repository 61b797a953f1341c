// A finding in words, and its places as files: what the formats of reports share.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <weir/profiler/finding.h>
#include <weir/profiler/report.h>

namespace weir::profiler::finding_words {

inline constexpr size_t kMaxText = 500;  // bytes of a name

// "zoo::nil_chan_send  zoo.cc:18"; empty: not known.
std::string where(const Frame& f);
// "chan_send, 57 goroutines, growing by 60.3 per minute, oldest 57s [chan send]"
std::string numbers(const Finding& f);
// Its paragraph of the text for a person: lines without control characters.
std::string text_of(const Finding& f);
// "chan_send in zoo::send, created by zoo::start": tells findings of a process apart.
std::string title(const Finding& f);

// A frame's file.
struct Place {
  const Frame* frame = nullptr;  // null: not known
  std::string path;              // from the root, where it is below it; else as it is
  bool in_root = false;          // path is relative: below the root
};
Place place_of(const Frame& f, std::string_view root);
// Where a reader should look first: where it is stuck; where that is not in the user's sources, the
// innermost caller that is, else where it was created.
Place place_to_show(const Finding& f, std::string_view root);

}  // namespace weir::profiler::finding_words
