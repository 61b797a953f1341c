// Regular expressions that come from outside: RE2, whose time is linear in the text whatever the
// expression, with its length and memory bounded. And words that a person looks for.
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

// A text that is looked for as it stands, and as a regular expression where it is one; upper and
// lower case (of ASCII, and of what the expression knows) are alike.
class Words {
 public:
  // An empty text matches nothing. Throws error where it is longer than Pattern::kMaxBytes.
  explicit Words(std::string_view text);

  bool matches(std::string_view text) const {
    const re2::StringPiece in(text.data(), text.size());
    return (literal_ && RE2::PartialMatch(in, *literal_)) ||
           (expression_ && RE2::PartialMatch(in, *expression_));
  }

 private:
  std::unique_ptr<const RE2> literal_, expression_;
};

}  // namespace weir::profiler
