#include "parse_text.h"

#include <algorithm>
#include <climits>

#include "encode_text.h"

namespace weir::profiler::parsing {

namespace {

void append_utf8(std::string& to, uint32_t rune) {
  const auto tail = [&](int shift) {
    to.push_back(static_cast<char>(0x80 | (rune >> shift & 0x3f)));
  };
  if (rune < 0x80) {
    to.push_back(static_cast<char>(rune));
  } else if (rune < 0x800) {
    to.push_back(static_cast<char>(0xc0 | rune >> 6));
    tail(0);
  } else if (rune < 0x10000) {
    to.push_back(static_cast<char>(0xe0 | rune >> 12));
    tail(6), tail(0);
  } else {
    to.push_back(static_cast<char>(0xf0 | rune >> 18));
    tail(12), tail(6), tail(0);
  }
}

// What stands behind a backslash.
bool eat_escape(std::string_view& s, std::string& to) {
  if (s.empty()) return false;
  const char c = s[0];
  s.remove_prefix(1);
  constexpr std::string_view kLetters = "abtnvfr";  // U+0007 .. U+000D
  if (const size_t i = kLetters.find(c); i != kLetters.npos) {
    to.push_back(static_cast<char>(7 + i));
    return true;
  }
  if (c == '"' || c == '\\' || c == '\'') {
    to.push_back(c);
    return true;
  }
  const size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
  if (digits == 0 || s.size() < digits) return false;
  const auto value = number<uint32_t>(s.substr(0, digits), 16);
  if (!value || *value > 0x10ffff) return false;
  s.remove_prefix(digits);
  if (c == 'x') {
    to.push_back(static_cast<char>(*value));
  } else {
    append_utf8(to, *value);
  }
  return true;
}

bool eat_label_text(std::string_view& s, std::string& to) {
  if (s.starts_with('"')) return eat_quoted(s, to);
  const size_t end = s.find_first_of(",:{}\"[]");
  if (end == s.npos || end == 0) return false;
  to = s.substr(0, end);
  s.remove_prefix(end);
  return true;
}

bool is_source_of_go_tools(std::string_view file) {
  return file == "??" || file.ends_with(".c") || file.ends_with(".go") || file.ends_with(".s");
}

// " name=0x.." at the end.
std::optional<uint64_t> eat_register(std::string_view& s, std::string_view name) {
  const size_t at = s.rfind(name);
  if (at == s.npos) return std::nullopt;
  const auto value = hex(s.substr(at + name.size()));
  if (value) s = s.substr(0, at);
  return value;
}

// "file:line" and perhaps " +0x..".
bool read_place(std::string_view s, Place& place) {
  place.has_offset = false;
  place.offset = 0;
  if (const auto offset = eat_register(s, " +")) {
    place.has_offset = true;
    place.offset = *offset;
  }
  return split_place(s, place.file, place.line);
}

}  // namespace

std::string excerpt(std::string_view text) {
  constexpr size_t kLongest = 60;  // bytes
  text = text.substr(0, text.find('\n'));
  std::string to;
  encode::append_quoted(to, text.substr(0, kLongest));
  if (text.size() > kLongest) to.append("..");
  return to;
}

void fail_at_line(std::string_view format, size_t line, std::string_view what) {
  throw ParseError(std::string(format) + ": line " + std::to_string(line) + ": " +
                   std::string(what));
}

void fail_at_byte(std::string_view format, size_t byte, std::string_view what) {
  throw ParseError(std::string(format) + ": byte " + std::to_string(byte) + ": " +
                   std::string(what));
}

std::optional<int64_t> eat_duration(std::string_view& s) {
  constexpr std::pair<std::string_view, int64_t> kUnits[] = {
      {"ms", 1'000'000},        {"\u00b5s", 1'000},    {"ns", 1},
      {"h", 3'600'000'000'000}, {"m", 60'000'000'000}, {"s", 1'000'000'000}};
  std::string_view rest = s;
  int64_t sum = 0;
  bool any = false;
  while (!rest.empty() && is_digit(rest[0])) {
    const auto whole = number<int64_t>(eat_digits(rest));
    std::string_view fraction;
    if (eat(rest, ".")) fraction = eat_digits(rest);
    const auto unit = std::find_if(std::begin(kUnits), std::end(kUnits),
                                   [&rest](const auto& u) { return eat(rest, u.first); });
    int64_t ns = 0;
    if (!whole || unit == std::end(kUnits) || __builtin_mul_overflow(*whole, unit->second, &ns) ||
        __builtin_add_overflow(sum, ns, &sum)) {
      return std::nullopt;
    }
    for (int64_t digit = unit->second / 10; !fraction.empty() && digit > 0; digit /= 10) {
      if (__builtin_add_overflow(sum, (fraction[0] - '0') * digit, &sum)) return std::nullopt;
      fraction.remove_prefix(1);
    }
    any = true;
  }
  if (!any) return std::nullopt;
  s = rest;
  return sum;
}

bool eat_quoted(std::string_view& s, std::string& to) {
  std::string_view rest = s;
  to.clear();
  if (!eat(rest, "\"")) return false;
  while (true) {
    const size_t n = std::min(rest.find_first_of("\"\\"), rest.size());
    to.append(rest.substr(0, n));
    rest.remove_prefix(n);
    if (eat(rest, "\"")) break;
    if (!eat(rest, "\\") || !eat_escape(rest, to)) return false;
  }
  s = rest;
  return true;
}

bool eat_labels(std::string_view& s, Labels& to) {
  std::string_view rest = s;
  to.clear();
  if (!eat(rest, "{")) return false;
  if (!eat(rest, "}")) {
    do {
      auto& [key, value] = to.emplace_back();
      if (!eat_label_text(rest, key) || !eat(rest, ":")) return false;
      eat(rest, " ");
      if (!eat_label_text(rest, value)) return false;
    } while (eat(rest, ", ") || eat(rest, ","));
    if (!eat(rest, "}")) return false;
  }
  s = rest;
  return true;
}

void sort_labels(Labels& labels) {
  std::stable_sort(labels.begin(), labels.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
}

bool split_place(std::string_view s, std::string_view& file, int& line) {
  const size_t colon = s.rfind(':');
  if (colon == s.npos || colon == 0 || colon + 1 == s.size()) return false;
  const std::string_view digits = s.substr(colon + 1);
  if (!std::all_of(digits.begin(), digits.end(), is_digit)) return false;
  line = number<int>(digits).value_or(INT_MAX);
  file = s.substr(0, colon);
  if (file == "??") file = {};
  return true;
}

std::optional<Place> to_place(std::string_view s) {
  Place place;
  if (const auto pc = eat_register(s, " pc=")) place.pc = *pc;
  eat_register(s, " sp=");
  eat_register(s, " fp=");
  // The mark counts as one only where the writer would have set it.
  if (const size_t at = s.rfind(" .c:"); at != s.npos) {
    const auto line = number<int>(s.substr(at + 4));
    Place marked = place;
    if (line && read_place(s.substr(0, at), marked) && marked.line == *line &&
        !marked.file.empty() && !is_source_of_go_tools(marked.file)) {
      return marked;
    }
  }
  if (read_place(s, place)) return place;
  // C's frames may have nothing but a program counter.
  if (place.pc == 0 && eat(s, "pc=")) {
    if (const auto pc = hex(s)) return Place{{}, 0, 0, false, *pc};
  }
  return std::nullopt;
}

}  // namespace weir::profiler::parsing
