#include "pattern.h"

#include <algorithm>

#include <weir/profiler/error.h>

#include "encode_text.h"

namespace weir::profiler {

namespace {

RE2::Options bounded() {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(int64_t{4} << 20);  // bytes, for program and states
  return options;
}

}  // namespace

Pattern::Pattern(std::string_view option, std::string_view text) {
  if (text.empty()) return;
  const auto fail = [&](std::string_view why) {
    std::string message = "invalid value for ";
    encode::append_quoted(message, option);
    throw error(message.append(": ").append(why));
  };
  if (text.size() > kMaxBytes) {
    fail("the regular expression is longer than " + std::to_string(kMaxBytes) + " bytes");
  }
  auto re = std::make_unique<const RE2>(view(text), bounded());
  if (!re->ok()) {
    std::string why = "not a regular expression: ";
    encode::append_clean(why, re->error());
    fail(why);
  }
  re_ = std::move(re);
}

Words::Words(std::string_view text) {
  if (text.empty()) return;
  if (text.size() > Pattern::kMaxBytes) {
    throw error("the text to be found is longer than " + std::to_string(Pattern::kMaxBytes) +
                " bytes");
  }
  const re2::StringPiece view(text.data(), text.size());
  RE2::Options options = bounded();
  options.set_case_sensitive(false);
  // Most words are no expression, and are looked for once then.
  const auto is_plain = [](char c) {
    return c >= ' ' && c <= '~' &&
           std::string_view("\\^$.|?*+()[]{}").find(c) == std::string_view::npos;
  };
  if (!std::all_of(text.begin(), text.end(), is_plain)) {
    auto expression = std::make_unique<const RE2>(view, options);
    if (expression->ok()) expression_ = std::move(expression);
  }
  options.set_literal(true);
  options.set_encoding(RE2::Options::EncodingLatin1);  // bytes: whatever they are
  literal_ = std::make_unique<const RE2>(view, options);
}

}  // namespace weir::profiler
