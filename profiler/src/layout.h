// What render() and the process that it starts say to each other.
//
// The child is this executable with the arguments below. It reads DOT from stdin to the end, and
// writes to stdout one line, "<status> <bytes>\n", then so many bytes: the picture ("ok"), or a
// sentence ("error"). Anything else means that something else was started, or that it died.
#pragma once

namespace weir::profiler::layout {

// argv[0]; argv[1] is "svg" or "png", argv[2] the time limit in ms, argv[3] the limit of memory in
// MiB. No program is started with such a name by accident.
inline constexpr const char* kName = "weir-draws-a-graph";
inline constexpr int kArguments = 4;

// Makes sure that the child's part is linked.
void link() noexcept;

}  // namespace weir::profiler::layout
