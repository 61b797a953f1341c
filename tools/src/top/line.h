// Lines of styled text: what the view makes and the screen shows. All text that goes into a line is
// cleaned there (text.h), so whatever a name holds, a line is text of a known width.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text.h"

namespace weir::tools::top {

// What a text is for; words and signs say the same, so that nothing depends on colours.
enum class Style : uint8_t { plain, dim, strong, heading, good, warning, bad, accent };

struct Span {
  std::string text;
  Style style = Style::plain;
};

struct Line {
  std::vector<Span> spans;
  bool selected = false;  // the cursor is here

  std::string text() const;
};

// Writes one line from left to right, never beyond `columns`.
class LineWriter {
 public:
  LineWriter(size_t columns, Charset charset) : columns_(columns), charset_(charset) {}

  LineWriter& add(std::string_view untrusted, Style style = Style::plain);
  // Exactly `columns` wide, but for the edge.
  LineWriter& left(std::string_view untrusted, size_t columns, Style style = Style::plain);
  LineWriter& right(std::string_view untrusted, size_t columns, Style style = Style::plain);
  LineWriter& gap(size_t columns = 1);
  LineWriter& to_column(size_t column);
  // Ends at the right edge, where there is room for it and a blank.
  LineWriter& at_edge(std::string_view untrusted, Style style = Style::plain);

  size_t room() const { return columns_ - used_; }
  Charset charset() const { return charset_; }
  Line take() { return std::move(line_); }

 private:
  LineWriter& put(std::string clean, Style style);

  size_t columns_, used_ = 0;
  Charset charset_;
  Line line_;
};

// A text broken at blanks into pieces of at most `columns`; at least one piece.
std::vector<std::string> wrapped(std::string_view untrusted, size_t columns, Charset charset);

}  // namespace weir::tools::top
