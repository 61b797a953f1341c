#include "pattern.h"

#include <weir/profiler/error.h>

#include "encode_text.h"

namespace weir::profiler {

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
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(int64_t{4} << 20);  // bytes, for program and states
  auto re = std::make_unique<const RE2>(view(text), options);
  if (!re->ok()) {
    std::string why = "not a regular expression: ";
    encode::append_clean(why, re->error());
    fail(why);
  }
  re_ = std::move(re);
}

}  // namespace weir::profiler
