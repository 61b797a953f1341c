#include "printable.h"

#include <unistd.h>

#include <cstdio>

#include "encode_text.h"

namespace weir::tools {

std::string printable(std::string_view text) {
  std::string to;
  profiler::encode::append_clean(to, text);
  return to;
}

std::string first_line(std::string_view text, size_t bytes) {
  text = text.substr(0, text.find_first_of("\r\n"));
  if (text.size() <= bytes) return printable(text);
  text = text.substr(0, bytes);
  while (!text.empty() && (text.back() & 0xc0) == 0x80) text.remove_suffix(1);
  if (!text.empty() && (text.back() & 0x80) != 0) text.remove_suffix(1);  // a character's lead
  return printable(text) + "..";
}

void complain(std::string_view text) {
  // One write, so that lines of several processes do not mix. Nobody can be told when it fails.
  const std::string line = "weir: " + printable(text) + "\n";
  [[maybe_unused]] const ssize_t n = ::write(STDERR_FILENO, line.data(), line.size());
}

std::string bytes_text(size_t bytes) {
  if (bytes < 1024) return std::to_string(bytes) + (bytes == 1 ? " byte" : " bytes");
  double n = static_cast<double>(bytes) / 1024;
  const char* unit = "KiB";
  for (const char* const next : {"MiB", "GiB", "TiB"}) {
    if (n < 1024) break;
    n /= 1024;
    unit = next;
  }
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %s", n, unit);
  return text;
}

}  // namespace weir::tools
