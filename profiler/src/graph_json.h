// A frame in the JSON of graphs and differences: {function, [file], [line]}.
#pragma once

#include <nlohmann/json.hpp>

#include <weir/profiler/snapshot.h>

namespace weir::profiler {

inline nlohmann::ordered_json frame_json(const Frame& f) {
  nlohmann::ordered_json j = {{"function", f.function}};
  if (!f.file.empty()) j["file"] = f.file;
  if (f.line != 0) j["line"] = f.line;
  return j;
}

}  // namespace weir::profiler
