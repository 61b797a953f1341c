#include "text.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cwchar>
#include <vector>

namespace weir::tools::top {

namespace {

// Zero-width marks beyond these on one character are dropped: they would pile up over other lines.
constexpr size_t kMaxMarks = 3;

struct Rune {
  char32_t value = 0;
  size_t bytes = 1;
  bool valid = false;
};

// The code point at the front; not valid: one byte that is no text.
Rune first_rune(std::string_view s) {
  const auto byte = [s](size_t i) { return static_cast<uint8_t>(s[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return {lead, 1, true};
  const size_t bytes = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || s.size() < bytes) return {};
  char32_t value = lead & (0x7fU >> bytes);
  for (size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    value = value << 6 | (byte(i) & 0x3f);
  }
  const bool overlong = (bytes == 3 && value < 0x800) || (bytes == 4 && value < 0x10000);
  if (overlong || (value >= 0xd800 && value <= 0xdfff) || value > 0x10ffff) return {};
  return {value, bytes, true};
}

// Columns; -1: not to be shown. Formatting characters have width 0, as marks have, but turn lines
// around or are there to deceive.
int columns_of(char32_t c) {
  if (c < 0x20 || (c >= 0x7f && c < 0xa0)) return -1;
  if (c < 0x7f) return 1;
  const bool formatting = c == 0xad || c == 0x61c || c == 0x180e || (c >= 0x200b && c <= 0x200f) ||
                          (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) ||
                          c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb) ||
                          (c >= 0xe000 && c <= 0xf8ff) || c >= 0xe0000;
  return formatting ? -1 : wcwidth(static_cast<wchar_t>(c));
}

// The longest front of a clean text that takes at most `columns`, with the marks on its last
// character.
std::string_view front(std::string_view clean, size_t columns) {
  size_t bytes = 0;
  while (bytes < clean.size()) {
    const Rune r = first_rune(clean.substr(bytes));
    const auto takes = static_cast<size_t>(std::max(columns_of(r.value), 0));
    if (takes > columns) break;
    columns -= takes;
    bytes += r.bytes;
  }
  return clean.substr(0, bytes);
}

std::string printed(const char* format, double n) {
  char text[64];
  std::snprintf(text, sizeof text, format, n);
  return text;
}

constexpr std::string_view kUtf8Levels[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
constexpr std::string_view kAsciiLevels[] = {"_", ".", ":", "-", "=", "+", "*", "#"};
constexpr size_t kLevels = 8;

}  // namespace

std::string clean(std::string_view untrusted, Charset charset) {
  std::string to;
  to.reserve(untrusted.size());
  size_t marks = kMaxMarks;  // none may stand at the front
  while (!untrusted.empty()) {
    const Rune r = first_rune(untrusted);
    const std::string_view bytes = untrusted.substr(0, r.bytes);
    untrusted.remove_prefix(r.bytes);
    if (!r.valid || (charset == Charset::ascii && r.value >= 0x7f)) {
      to.push_back('?');
      marks = kMaxMarks;
      continue;
    }
    const int columns = columns_of(r.value);
    if (columns < 0) {
      // Blanks that only break lines are blanks; anything else says that it was there.
      to.push_back(r.value == '\t' || r.value == '\n' || r.value == '\r' ? ' ' : '?');
      marks = kMaxMarks;
    } else if (columns > 0) {
      to.append(bytes);
      marks = 0;
    } else if (marks < kMaxMarks) {
      to.append(bytes);
      ++marks;
    }
  }
  return to;
}

size_t width(std::string_view clean) {
  size_t columns = 0;
  while (!clean.empty()) {
    const Rune r = first_rune(clean);
    columns += static_cast<size_t>(std::max(columns_of(r.value), 0));
    clean.remove_prefix(r.bytes);
  }
  return columns;
}

std::string cut(std::string_view clean, size_t columns, Charset charset) {
  if (width(clean) <= columns) return std::string(clean);
  const std::string_view ellipsis = charset == Charset::utf8 ? "…" : "~";
  return columns == 0 ? std::string() : std::string(front(clean, columns - 1)).append(ellipsis);
}

std::string left(std::string_view clean, size_t columns, Charset charset) {
  std::string text = cut(clean, columns, charset);
  return text.append(columns - width(text), ' ');
}

std::string right(std::string_view clean, size_t columns, Charset charset) {
  const std::string text = cut(clean, columns, charset);
  return std::string(columns - width(text), ' ').append(text);
}

std::string short_name(std::string_view function, size_t columns) {
  std::string name;
  // Parameters and template arguments are for machines; "operator()" and "f()::lambda" are not.
  int depth = 0;
  const size_t slash = function.substr(0, function.find('(')).rfind('/');
  for (const char c : function.substr(slash == function.npos ? 0 : slash + 1)) {
    if (c == '(' && !name.ends_with('.')) ++depth;
    if (depth == 0) name.push_back(c);
    if (c == ')' && depth > 0) --depth;
  }
  if (name.empty()) name = function;
  // Outer scopes, one by one: the last name is what people look for.
  for (size_t at; name.size() > columns && (at = name.find("::")) != name.npos;) {
    if (at > name.find('<') || name.compare(at + 2, 6, "lambda") == 0) break;
    name.erase(0, at + 2);
  }
  return name;
}

std::string short_place(std::string_view file, int line) {
  if (file.empty()) return {};
  const size_t slash = file.rfind('/');
  std::string place(slash == file.npos ? file : file.substr(slash + 1));
  if (line > 0) place.append(":").append(std::to_string(line));
  return place;
}

std::string count_text(uint64_t n) {
  std::string text = std::to_string(n);
  for (size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, 1, ',');
  return text;
}

std::string change_text(int64_t n) {
  if (n == 0) return "0";
  const auto size = n < 0 ? 0 - static_cast<uint64_t>(n) : static_cast<uint64_t>(n);
  return (n < 0 ? "-" : "+") + count_text(size);
}

std::string rate_text(double per_minute) {
  const double size = std::abs(per_minute);
  if (size < 0.05) return "0/min";
  const std::string sign = per_minute < 0 ? "-" : "+";
  if (size < 9.95) return sign + printed("%.1f/min", size);
  if (size < 999'999.5)
    return sign + count_text(static_cast<uint64_t>(std::llround(size))) + "/min";
  return sign + printed("%.1fM/min", std::min(size, 1e12) / 1e6);
}

std::string per_second_text(double per_second) {
  const double size = std::clamp(per_second, 0.0, 1e15);
  if (size > 0 && size < 9.95) return printed("%.1f/s", size);
  return count_text(static_cast<uint64_t>(std::llround(size))) + "/s";
}

std::string duration_text(int64_t ns) {
  constexpr int64_t kSecond = 1'000'000'000, kMinute = 60 * kSecond, kHour = 60 * kMinute,
                    kDay = 24 * kHour;
  if (ns < 0) return "-";
  const auto two = [ns](int64_t large, const char* l, int64_t small, const char* s) {
    std::string text = std::to_string(ns / large) + l;
    const int64_t rest = ns % large / small;
    return rest == 0 ? text : text + std::to_string(rest) + s;
  };
  if (ns < 1000) return std::to_string(ns) + "ns";
  if (ns < 1'000'000) return std::to_string(ns / 1000) + "us";
  if (ns < kSecond) return std::to_string(ns / 1'000'000) + "ms";
  if (ns < kMinute) return std::to_string(ns / kSecond) + "s";
  if (ns < kHour) return two(kMinute, "m", kSecond, "s");
  if (ns < kDay) return two(kHour, "h", kMinute, "m");
  return two(kDay, "d", kHour, "h");
}

std::string bytes_text(uint64_t bytes) {
  static constexpr const char* kFormats[] = {"%.0f B",   "%.1f KiB", "%.1f MiB",
                                             "%.1f GiB", "%.1f TiB", "%.1f PiB"};
  auto n = static_cast<double>(bytes);
  size_t unit = 0;
  for (; n >= 1024 && unit + 1 < std::size(kFormats); ++unit) n /= 1024;
  return printed(kFormats[unit], n);
}

std::string counted(uint64_t n, std::string_view thing) {
  return count_text(n).append(" ").append(thing).append(n == 1 ? "" : "s");
}

std::string sparkline(std::span<const uint32_t> counts, size_t columns, Charset charset) {
  std::string text;
  if (counts.empty() || columns == 0) return text;
  // More points than columns: each column is the largest of its points.
  const size_t n = std::min(columns, counts.size());
  const auto [least, most] = std::minmax_element(counts.begin(), counts.end());
  const uint32_t span = std::max(*most - *least, 1U);
  for (size_t i = 0; i < n; ++i) {
    const size_t first = i * counts.size() / n, end = (i + 1) * counts.size() / n;
    const uint32_t value =
        *std::max_element(counts.begin() + static_cast<ptrdiff_t>(first),
                          counts.begin() + static_cast<ptrdiff_t>(std::max(end, first + 1)));
    const auto level = static_cast<size_t>(uint64_t{value - *least} * (kLevels - 1) / span);
    text.append(charset == Charset::utf8 ? kUtf8Levels[level] : kAsciiLevels[level]);
  }
  return text;
}

std::string bar(double share, size_t columns, Charset charset) {
  if (!(share > 0) || columns == 0) return {};
  const auto n =
      static_cast<size_t>(std::lround(std::min(share, 1.0) * static_cast<double>(columns)));
  std::string text;
  for (size_t i = 0; i < std::max<size_t>(n, 1); ++i) {
    text.append(charset == Charset::utf8 ? "█" : "#");
  }
  return text;
}

}  // namespace weir::tools::top
