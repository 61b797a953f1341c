// What the kernel knows of this process, as Prometheus' users expect it (process_*).
#pragma once

#include <cstdint>
#include <optional>

namespace weir::http {

// Not given: the kernel does not tell (no /proc).
struct ProcessStats {
  std::optional<double> cpu_seconds;    // user and system
  std::optional<double> start_seconds;  // wall clock, since 1970
  std::optional<uint64_t> resident_bytes, virtual_bytes;
  std::optional<uint64_t> open_fds, max_fds;
};

// Reads files of /proc: tens of microseconds, and one for each open descriptor.
ProcessStats process_stats();

}  // namespace weir::http
