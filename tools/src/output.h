// Output: stdout or a file (-o FILE). A file is replaced when all has been written, so that nobody
// ever reads half of it, and what was there stays where the command fails or is interrupted.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include <weir/profiler/encode.h>

namespace weir::tools {

// Calls write(sink) with a sink to `file` (empty or "-": stdout). Throws Failure when it cannot be
// written. A reader that goes away (SIGPIPE, EPIPE) ends the writing and is no failure. A file that
// is none of the disk's (a pipe, /dev/null) is written to as it is. Not from several threads.
void write_output(const std::string& file, const std::function<void(const profiler::Sink&)>& write);

// Is it stdout, and a terminal?
bool is_terminal(const std::string& file);

// Throws Failure where binary data would go to a terminal. `format`: as the user named it.
void refuse_terminal(const std::string& file, std::string_view format);

// May the command use colours on this descriptor: a terminal, and no NO_COLOR.
bool use_colour(int fd);

}  // namespace weir::tools
