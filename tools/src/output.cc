#include "output.h"

#include <unistd.h>

#include <cstdlib>

namespace weir::tools {

void write_output(const std::string&, const std::function<void(const profiler::Sink&)>& write) {
  write([](std::string_view bytes) {
    return ::write(STDOUT_FILENO, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size());
  });
}

bool use_colour(int fd) {
  const char* no = std::getenv("NO_COLOR");
  return (no == nullptr || *no == '\0') && isatty(fd) == 1;
}

}  // namespace weir::tools
