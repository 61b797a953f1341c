// Text for the writers: numbers, Go's %q, and names made fit for one line. Everything appends to a
// string. What comes out is valid UTF-8 without control characters, whatever goes in: names and
// labels may come from debug information or from another process.
#pragma once

#include <algorithm>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::profiler::encode {

inline void append_dec(std::string& to, std::integral auto n) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, n).ptr;
  to.append(digits, end);
}

// As Go's %#x.
inline void append_hex(std::string& to, uint64_t n) {
  char digits[16];
  const auto end = std::to_chars(digits, digits + sizeof digits, n, 16).ptr;
  to.append("0x").append(digits, end);
}

// As Go's time.Duration: 1h2m3.5s, 1.25ms, 0s. Not negative.
inline void append_duration(std::string& to, int64_t ns) {
  constexpr int64_t kMicro = 1000, kMilli = 1000 * kMicro, kSecond = 1000 * kMilli;
  const auto append_fraction = [&to](int64_t n, int64_t unit) {
    append_dec(to, n / unit);
    if (n % unit == 0) return;
    std::string digits = std::to_string(unit + n % unit);  // 1, then the digits with their zeros
    digits.erase(digits.find_last_not_of('0') + 1);
    to.append(".").append(digits, 1);
  };
  if (ns < kSecond) {
    const int64_t unit = ns >= kMilli ? kMilli : ns >= kMicro ? kMicro : 1;
    append_fraction(ns, ns == 0 ? kSecond : unit);
    to.append(ns == 0 ? "s" : unit == kMilli ? "ms" : unit == kMicro ? "\u00b5s" : "ns");
    return;
  }
  const int64_t minutes = ns / (60 * kSecond);
  if (minutes >= 60) append_dec(to, minutes / 60), to.push_back('h');
  if (minutes > 0) append_dec(to, minutes % 60), to.push_back('m');
  append_fraction(ns % (60 * kSecond), kSecond);
  to.push_back('s');
}

// Zero-padded, as the escapes \x, \u and \U want it.
inline void append_hex_digits(std::string& to, uint32_t n, int width) {
  for (int shift = 4 * (width - 1); shift >= 0; shift -= 4) {
    to.push_back("0123456789abcdef"[(n >> shift) & 0xf]);
  }
}

// One code point at the front of a text. !valid: its first byte starts none; bytes is 1 then.
struct Rune {
  uint32_t value;
  unsigned bytes;
  bool valid;
};

inline Rune first_rune(std::string_view s) {
  const auto byte = [s](size_t i) { return static_cast<uint8_t>(s[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return {lead, 1, true};
  const unsigned bytes = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || s.size() < bytes) return {lead, 1, false};
  uint32_t value = lead & (0x7fU >> bytes);
  for (unsigned i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {lead, 1, false};
    value = value << 6 | (byte(i) & 0x3f);
  }
  const bool overlong = (bytes == 3 && value < 0x800) || (bytes == 4 && value < 0x10000);
  const bool surrogate = value >= 0xd800 && value <= 0xdfff;
  if (overlong || surrogate || value > 0x10ffff) return {lead, 1, false};
  return {value, bytes, true};
}

// Not to be shown as it is: controls, spaces that are not U+0020, formatting (the bidirectional
// ones can make a line read as another), private use, noncharacters. Go's list but for code points
// that Unicode has not assigned yet, which change with its version.
inline bool is_unprintable(uint32_t rune) {
  struct Range {
    uint32_t first, last;
  };
  static constexpr Range kRanges[] = {
      {0, 0x1f},          {0x7f, 0xa0},       {0xad, 0xad},        {0x600, 0x605},
      {0x61c, 0x61c},     {0x6dd, 0x6dd},     {0x70f, 0x70f},      {0x890, 0x891},
      {0x8e2, 0x8e2},     {0x1680, 0x1680},   {0x180e, 0x180e},    {0x2000, 0x200f},
      {0x2028, 0x202f},   {0x205f, 0x206f},   {0x3000, 0x3000},    {0xe000, 0xf8ff},
      {0xfdd0, 0xfdef},   {0xfeff, 0xfeff},   {0xfff0, 0xfffb},    {0xfffe, 0xffff},
      {0x110bd, 0x110bd}, {0x110cd, 0x110cd}, {0x13430, 0x1343f},  {0x1bca0, 0x1bca3},
      {0x1d173, 0x1d17a}, {0xe0000, 0xe007f}, {0xf0000, 0x10ffff},
  };
  return std::any_of(std::begin(kRanges), std::end(kRanges),
                     [rune](const Range& r) { return rune >= r.first && rune <= r.last; });
}

// Go's escape of one code point or byte.
inline void append_escape(std::string& to, const Rune& r) {
  static constexpr std::string_view kLetters = "abtnvfr";  // U+0007 .. U+000D
  to.push_back('\\');
  if (r.valid && r.value >= 7 && r.value <= 13) {
    to.push_back(kLetters[r.value - 7]);
  } else if (!r.valid || r.value < 0x80) {
    to.push_back('x');
    append_hex_digits(to, r.value, 2);
  } else {
    to.push_back(r.value < 0x10000 ? 'u' : 'U');
    append_hex_digits(to, r.value, r.value < 0x10000 ? 4 : 8);
  }
}

// Nothing to escape, as nearly always?
inline bool is_plain_ascii(std::string_view s) {
  return std::all_of(s.begin(), s.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

// Unprintable characters escaped, everything else as it is.
inline void append_clean(std::string& to, std::string_view s) {
  if (is_plain_ascii(s)) {
    to.append(s);
    return;
  }
  while (!s.empty()) {
    const Rune r = first_rune(s);
    if (r.valid && !is_unprintable(r.value)) {
      to.append(s.substr(0, r.bytes));
    } else {
      append_escape(to, r);
    }
    s.remove_prefix(r.bytes);
  }
}

// Go's %q. Characters of `also` (ASCII) are escaped as \x too.
inline void append_quoted(std::string& to, std::string_view s, std::string_view also = {}) {
  to.push_back('"');
  while (!s.empty()) {
    const Rune r = first_rune(s);
    if (s[0] == '"' || s[0] == '\\') {
      to.append({'\\', s[0]});
    } else if (!r.valid || is_unprintable(r.value) || also.find(s[0]) != also.npos) {
      append_escape(to, r);
    } else {
      to.append(s.substr(0, r.bytes));
    }
    s.remove_prefix(r.bytes);
  }
  to.push_back('"');
}

using Labels = std::vector<std::pair<std::string, std::string>>;

// {"k1":"v1", "k2":"v2"}, the pairs in the order of their texts; empty without labels.
inline std::string labels_text(const Labels& labels) {
  if (labels.empty()) return {};
  std::vector<std::string> pairs;
  pairs.reserve(labels.size());
  for (const auto& [key, value] : labels) {
    append_quoted(pairs.emplace_back(), key);
    pairs.back().push_back(':');
    append_quoted(pairs.back(), value);
  }
  std::sort(pairs.begin(), pairs.end());
  std::string text;
  for (const std::string& pair : pairs) text.append(text.empty() ? "{" : ", ").append(pair);
  return text.append("}");
}

// Characters as a terminal's columns are counted by Go's tabwriter. For valid UTF-8.
inline size_t count_runes(std::string_view s) {
  return static_cast<size_t>(
      std::count_if(s.begin(), s.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

}  // namespace weir::profiler::encode
