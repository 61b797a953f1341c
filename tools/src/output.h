// Output: stdout or a file (-o FILE). A file is replaced when all has been written, so that nobody
// ever reads half of it.
#pragma once

#include <functional>
#include <string>

#include <weir/profiler/encode.h>

namespace weir::tools {

// Calls write(sink) with a sink to `file` (empty or "-": stdout). Throws Failure when it cannot be
// written. A reader that goes away (SIGPIPE, EPIPE) ends the writing and is no failure.
void write_output(const std::string& file, const std::function<void(const profiler::Sink&)>& write);

// May the command use colours on this descriptor: a terminal, and no NO_COLOR.
bool use_colour(int fd);

}  // namespace weir::tools
