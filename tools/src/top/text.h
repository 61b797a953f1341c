// Text for a terminal: names made fit to be shown, their width in columns, numbers with units.
//
// Names come from other processes: what `clean` returns has no control characters, no bytes that
// are not text, nothing that turns the direction of a line, and no width that is not known.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace weir::tools::top {

// What the terminal understands, by the locale.
enum class Charset : uint8_t { ascii, utf8 };

// `utf8` asks wcwidth for widths: LC_CTYPE must be of UTF-8 then.
std::string clean(std::string_view untrusted, Charset charset);

// Columns that a clean text takes.
size_t width(std::string_view clean);

// A clean text cut to `columns`: what is missing is told by an ellipsis.
std::string cut(std::string_view clean, size_t columns, Charset charset);

// Cut and filled up with blanks to exactly `columns`.
std::string left(std::string_view clean, size_t columns, Charset charset);
std::string right(std::string_view clean, size_t columns, Charset charset);

// A function in few columns: without its parameters, its packages' paths, and as many of its outer
// scopes as must go. Untrusted in, untrusted out.
std::string short_name(std::string_view function, size_t columns);
// "chan.cc:12"; empty: not known.
std::string short_place(std::string_view file, int line);

std::string count_text(uint64_t n);                       // 12,345
std::string change_text(int64_t n);                       // +12,345
std::string rate_text(double per_minute);                 // +600/min
std::string per_second_text(double per_second);           // 12,345/s
std::string duration_text(int64_t ns);                    // 850ms, 45s, 2m30s, 3h12m, 5d4h
std::string bytes_text(uint64_t bytes);                   // 1.5 MiB
std::string counted(uint64_t n, std::string_view thing);  // 1 finding, 2 findings

// Counts over time, the newest last, in at most `columns`: from the least of them to the most,
// since of many goroutines those that have come lately are what matters.
std::string sparkline(std::span<const uint32_t> counts, size_t columns, Charset charset);
// A share (0 to 1) of `columns`; what is not nothing shows.
std::string bar(double share, size_t columns, Charset charset);

}  // namespace weir::tools::top
