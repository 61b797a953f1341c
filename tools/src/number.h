// Numbers of the command line.
#pragma once

#include <charconv>
#include <functional>
#include <string>

namespace weir::tools {

// A check for an option: a number from `low` to `high`, which NaN is not.
inline std::function<std::string(const std::string&)> number_from(double low, double high) {
  return [low, high](const std::string& text) -> std::string {
    double value = 0;
    const char* const end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data(), end, value);
    if (error == std::errc() && at == end && value >= low && value <= high) return {};
    const auto shown = [](double n) {
      char digits[32];
      return std::string(digits, std::to_chars(digits, digits + sizeof digits, n).ptr);
    };
    return "expected a number from " + shown(low) + " to " + shown(high);
  };
}

}  // namespace weir::tools
