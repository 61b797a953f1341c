#include "params.h"

#include <algorithm>
#include <string_view>

namespace weir::http {

namespace {

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  c = static_cast<char>(c | 0x20);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// Of a query: + is a space, %41 an A. What is no such escape stays as it is.
std::string decoded(std::string_view text) {
  std::string to;
  for (size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
    if (low >= 0) {
      to.push_back(static_cast<char>(high * 16 + low));
      i += 2;
    } else {
      to.push_back(text[i] == '+' ? ' ' : text[i]);
    }
  }
  return to;
}

}  // namespace

std::optional<int64_t> parse_int(const std::string& text) noexcept {
  int64_t value = 0;
  const char* begin = text.data();
  const char* end = begin + text.size();
  if (begin != end && *begin == '+') begin++;
  const auto [at, err] = std::from_chars(begin, end, value);
  if (err != std::errc() || at != end) return std::nullopt;
  return value;
}

std::string choice(const Query& q, const char* name, std::initializer_list<const char*> all) {
  const std::string value = q.param(name);
  if (value.empty()) return *all.begin();
  std::string expected;
  for (const char* const one : all) {
    if (value == one) return value;
    expected.append(expected.empty() ? "one of " : ", ").append(one);
  }
  throw BadParameter{name, expected};
}

uint64_t hexadecimal(const Query& q, const char* name) {
  const std::string value = q.param(name);
  std::string_view digits = value;
  if (digits.starts_with("0x")) digits.remove_prefix(2);
  uint64_t n = 0;
  const auto [at, err] = std::from_chars(digits.begin(), digits.end(), n, 16);
  if (err != std::errc() || at != digits.end()) {
    throw BadParameter{name, "0x and hexadecimal digits"};
  }
  return n;
}

std::vector<std::string> repeated(const Query& q, std::string_view name) {
  std::vector<std::string> values;
  std::string_view rest = q.behind;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('&'), rest.size());
    const std::string_view pair = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const size_t equals = std::min(pair.find('='), pair.size());
    if (decoded(pair.substr(0, equals)) != name || equals + 1 >= pair.size()) continue;
    values.push_back(decoded(pair.substr(equals + 1)));
  }
  return values;
}

}  // namespace weir::http
