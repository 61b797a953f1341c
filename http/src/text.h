// The small words of HTTP's grammar (RFC 9110, 5.6).
#pragma once

#include <algorithm>
#include <string_view>

namespace weir::http {

inline char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

// Equal but for the case of letters.
inline bool same_word(std::string_view a, std::string_view b) noexcept {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

// A character of a method, or of a field's name.
inline bool is_token(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         (c != 0 && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos);
}
inline bool is_token(std::string_view word) noexcept {
  return !word.empty() && std::all_of(word.begin(), word.end(), [](char c) { return is_token(c); });
}

// A character that a field's value may hold.
inline bool is_text(char c) noexcept {
  return c == '\t' || (static_cast<unsigned char>(c) >= ' ' && c != 0x7f);
}

inline std::string_view trim(std::string_view s) noexcept {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!s.empty() && blank(s.front())) s.remove_prefix(1);
  while (!s.empty() && blank(s.back())) s.remove_suffix(1);
  return s;
}

// Takes the next element of a list that is separated by commas; false: there is none.
inline bool next_element(std::string_view& list, std::string_view& element) noexcept {
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    element = trim(list.substr(0, comma));
    list.remove_prefix(std::min(comma + 1, list.size()));
    if (!element.empty()) return true;
  }
  return false;
}

}  // namespace weir::http
