// What /proc tells of a process that runs.
#pragma once

#include <sys/types.h>

#include <string>

#include "image.h"

namespace weir::profiler::post_mortem {

// All but the threads. Throws profiler::error: no such process, it has ended, another architecture.
Image process_image(pid_t pid);

// A path by which a file that it has mapped can be opened: also one that was deleted or replaced,
// or that is in another mount namespace.
std::string mapped_path(pid_t pid, const MappedFile& file, bool program);

// Why its memory cannot be read; errno value of the attempt.
std::string why_unreadable(pid_t pid, int number);

}  // namespace weir::profiler::post_mortem
