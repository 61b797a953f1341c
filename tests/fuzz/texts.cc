#include "texts.h"

#include "encode_text.h"

namespace weir::profiler::fuzz {

std::string difference(const std::string& a, const std::string& b) {
  size_t at = 0;
  while (at < a.size() && at < b.size() && a[at] == b[at]) ++at;
  const size_t from = at < 100 ? 0 : at - 100;
  return "at byte " + std::to_string(at) + "\n--- first\n" + a.substr(from, 400) + "\n--- then\n" +
         b.substr(from, 400);
}

std::string unprintable(const std::string& text) {
  for (std::string_view rest = text; !rest.empty();) {
    const encode::Rune r = encode::first_rune(rest);
    if (!r.valid || (r.value != '\n' && encode::is_unprintable(r.value))) {
      return "have a character that is not to be printed " +
             difference(text, text.substr(0, text.size() - rest.size()));
    }
    rest.remove_prefix(r.bytes);
  }
  return {};
}

std::string not_one_line(std::string_view message) {
  const bool is_one_line =
      !message.empty() && message.find('\n') == message.npos && message.size() < 1000;
  return is_one_line ? "" : "the message is not one line: " + std::string(message);
}

}  // namespace weir::profiler::fuzz
