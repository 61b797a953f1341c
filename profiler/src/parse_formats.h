// The readers of the formats, for input that is not compressed. `parse.cc` calls them.
#pragma once

#include <string_view>

#include <weir/profiler/parse.h>

namespace weir::profiler::parsing {

Snapshot read_debug1(std::string_view text, const ParseOptions& options);
Snapshot read_debug2(std::string_view text, const ParseOptions& options);
Snapshot read_pprof(std::string_view bytes, const ParseOptions& options);
Snapshot read_json(std::string_view text, const ParseOptions& options);

bool is_debug1(std::string_view text);  // its first line is a profile's
bool is_debug2(std::string_view text);  // a goroutine is in it
bool is_pprof(std::string_view bytes);  // fields of a profile from the first byte to the last

}  // namespace weir::profiler::parsing
