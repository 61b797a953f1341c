// Text from outside (names, answers of servers, paths) made fit for one line of a terminal.
#pragma once

#include <string>
#include <string_view>

namespace weir::tools {

// Control characters, line ends and what is not UTF-8 become Go's escapes (\n, \x1b).
std::string printable(std::string_view text);

// The first line of it, at most `bytes` long.
std::string first_line(std::string_view text, size_t bytes = 200);

// One line on stderr, `weir: <text>`, whatever the text holds.
void complain(std::string_view text);

// "512 bytes", "1.5 KiB", "12.3 MiB".
std::string bytes_text(size_t bytes);

}  // namespace weir::tools
