// Text for the readers: lines, numbers, Go's quoted strings, label sets, places in the source. The
// inverse of encode_text.h. Functions that take `std::string_view&` take what they read off its
// front, or leave it as it is and say that they did not find it.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weir/profiler/parse.h>

namespace weir::profiler::parsing {

using Labels = std::vector<std::pair<std::string, std::string>>;

inline bool eat(std::string_view& s, std::string_view prefix) {
  if (!s.starts_with(prefix)) return false;
  s.remove_prefix(prefix.size());
  return true;
}

inline bool eat_end(std::string_view& s, std::string_view suffix) {
  if (!s.ends_with(suffix)) return false;
  s.remove_suffix(suffix.size());
  return true;
}

inline bool is_digit(char c) { return c >= '0' && c <= '9'; }

// All of the text is a number that fits.
template <class T>
std::optional<T> number(std::string_view s, int base = 10) {
  T n{};
  const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), n, base);
  if (s.empty() || error != std::errc{} || end != s.data() + s.size()) return std::nullopt;
  return n;
}

inline std::optional<uint64_t> decimal(std::string_view s) { return number<uint64_t>(s); }

// "0x1f".
inline std::optional<uint64_t> hex(std::string_view s) {
  if (!eat(s, "0x")) return std::nullopt;
  return number<uint64_t>(s, 16);
}

// The digits at the front; empty: none.
inline std::string_view eat_digits(std::string_view& s) {
  size_t n = 0;
  while (n < s.size() && is_digit(s[n])) ++n;
  const std::string_view digits = s.substr(0, n);
  s.remove_prefix(n);
  return digits;
}

// As much of untrusted text as a message shows, on one line.
std::string excerpt(std::string_view text);

[[noreturn]] void fail_at_line(std::string_view format, size_t line, std::string_view what);
[[noreturn]] void fail_at_byte(std::string_view format, size_t byte, std::string_view what);

// Lines without their ends ("\n", "\r\n"), counted from 1.
class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) {}

  bool next(std::string_view& line) {
    if (rest_.empty()) return false;
    ++number_;
    const size_t end = rest_.find('\n');
    is_whole_ = end != rest_.npos;
    line = rest_.substr(0, end);
    rest_.remove_prefix(is_whole_ ? end + 1 : rest_.size());
    if (line.ends_with('\r')) line.remove_suffix(1);
    return true;
  }
  size_t number() const { return number_; }
  // The line that was read last has an end.
  bool is_whole() const { return is_whole_; }
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
  size_t number_ = 0;
  bool is_whole_ = true;
};

// Go's time.Duration, not negative: "1h2m3.5s", "1.25ms", "0s". In ns.
std::optional<int64_t> eat_duration(std::string_view& s);

// Go's %q: "a\tb\x00".
bool eat_quoted(std::string_view& s, std::string& to);

// {"k":"v", "k2":"v2"} or {k: v, k2: "v 2"}, in its order.
bool eat_labels(std::string_view& s, Labels& to);

// By key; those of one key in their order.
void sort_labels(Labels& labels);

// "/src/a.go:13 +0x1a", also with " fp=0x.. sp=0x.. pc=0x.." behind it, or our mark " .c:13".
struct Place {
  std::string_view file;
  int line = 0;
  uint64_t offset = 0;  // 0: not told
  bool has_offset = false;
  uint64_t pc = 0;  // 0: not told
};
std::optional<Place> to_place(std::string_view s);

// "/src/a.go:13": splits at the last colon. "??": no file.
bool split_place(std::string_view s, std::string_view& file, int& line);

}  // namespace weir::profiler::parsing
