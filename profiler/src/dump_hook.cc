// Makes the runtime's death dumps full ones: a program that is linked with this library prints
// every goroutine with functions and lines when it dies or gets SIGQUIT. The library's link options
// pull this file in although nothing calls it (see CMakeLists.txt).
#include <weir/introspect.h>

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <string_view>
#include <vector>

#include <weir/profiler/capture.h>
#include <weir/profiler/encode.h>

extern "C" {
// What the linker is told to look for.
extern const char weir_profiler_dump_hook;
const char weir_profiler_dump_hook = 1;
}

namespace weir::profiler {

namespace {

bool write_all(int fd, std::string_view text) noexcept {
  while (!text.empty()) {
    const ssize_t n = write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    text.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

// Leaves the one goroutine alone.
void keep_only(Snapshot& s, uint64_t goid) {
  for (Group& g : s.groups) {
    std::erase_if(g.members, [goid](const Member& m) { return m.goid != goid; });
    g.count = g.members.size();
  }
  std::erase_if(s.groups, [](const Group& g) { return g.count == 0; });
  s.total = s.groups.size();
}

void write_dump(int fd, uint64_t first_goid, bool all) {
  try {
    // The dying thread may be within the registry of contexts.
    Snapshot s = capture({.detail = Detail::members});
    s.requester_goid = first_goid;
    if (!all) keep_only(s, first_goid);
    write_debug2(s, [fd](std::string_view piece) { return write_all(fd, piece); });
  } catch (const std::exception& e) {
    write_all(fd, "weir: no dump: ");
    write_all(fd, e.what());
    write_all(fd, "\n");
  }
}

[[maybe_unused]] const bool registered = [] {
  introspect::set_dump_writer(&write_dump);
  return true;
}();

}  // namespace

}  // namespace weir::profiler
