// Regular expressions that come from outside: RE2, whose time is linear in the text whatever the
// expression, with its length and memory bounded.
#pragma once

#include <re2/re2.h>

#include <memory>
#include <string>
#include <string_view>

namespace weir::profiler {

class Pattern {
 public:
  static constexpr size_t kMaxBytes = 1000;

  // An empty text makes no pattern: it matches nothing, and is false. Throws error, which names
  // `option`, when the text is not an expression.
  Pattern(std::string_view option, std::string_view text);

  explicit operator bool() const { return re_ != nullptr; }
  bool matches(std::string_view text) const { return re_ && RE2::PartialMatch(view(text), *re_); }

 private:
  static re2::StringPiece view(std::string_view text) { return {text.data(), text.size()}; }

  std::unique_ptr<const RE2> re_;
};

}  // namespace weir::profiler
