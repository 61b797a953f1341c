// The parameters of a request, which is untrusted: numbers within bounds, one of several words.
#pragma once

#include <charconv>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include "routes.h"

namespace weir::http {

// A parameter that is not what it should be. Its answer is a 400 that repeats nothing of it.
struct BadParameter {
  std::string name, expected;
};

// As Go's strconv.ParseInt in base 10.
std::optional<int64_t> parse_int(const std::string& text) noexcept;

// A number of a parameter within bounds; `otherwise` where it is not given.
template <class T>
T number(const Query& q, const char* name, T otherwise, T most, const char* expected) {
  const std::string value = q.param(name);
  if (value.empty()) return otherwise;
  T n{};
  const char* const end = value.data() + value.size();
  const auto [at, err] = std::from_chars(value.data(), end, n);
  if (err != std::errc() || at != end || !(n >= T{}) || !(n <= most)) {
    throw BadParameter{name, expected};
  }
  return n;
}

// The parameter's value, one of those given; the first where it is not given.
std::string choice(const Query& q, const char* name, std::initializer_list<const char*> all);

// An id in hexadecimal digits, as JSON has them: with or without 0x. Throws where it is none.
uint64_t hexadecimal(const Query& q, const char* name);

// All values of a parameter that may be given several times.
std::vector<std::string> repeated(const Query& q, std::string_view name);

}  // namespace weir::http
