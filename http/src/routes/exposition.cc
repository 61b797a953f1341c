#include "exposition.h"

#include <charconv>
#include <cmath>

namespace weir::http {

namespace {

// Backslash and line feed are escaped everywhere, quotes within quotes.
void append_escaped(std::string& to, std::string_view text, bool quoted) {
  for (const char c : text) {
    if (c == '\n') {
      to.append("\\n");
    } else if (c == '\\' || (quoted && c == '"')) {
      to.append({'\\', c});
    } else {
      to.push_back(c);
    }
  }
}

}  // namespace

void Exposition::family(std::string_view name, Type type, std::string_view help) {
  static constexpr const char* kTypes[] = {"counter", "gauge", "histogram", "summary"};
  name_ = name;
  text_.append("# HELP ").append(name).append(" ");
  append_escaped(text_, help, false);
  text_.append("\n# TYPE ").append(name).append(" ").append(kTypes[type]).append("\n");
}

void Exposition::begin(std::initializer_list<Label> labels, std::string_view suffix) {
  text_.append(name_).append(suffix);
  char before = '{';
  for (const Label& label : labels) {
    text_.push_back(before);
    text_.append(label.name).append("=\"");
    append_escaped(text_, label.value, true);
    text_.push_back('"');
    before = ',';
  }
  if (before == ',') text_.push_back('}');
  text_.push_back(' ');
}

void Exposition::sample(double value, std::initializer_list<Label> labels,
                        std::string_view suffix) {
  begin(labels, suffix);
  text_.append(exposed(value)).push_back('\n');
}

std::string exposed(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  char digits[32];
  return {digits, std::to_chars(digits, digits + sizeof digits, value).ptr};
}

}  // namespace weir::http
