#include "line.h"

#include <algorithm>
#include <utility>

namespace weir::tools::top {

std::string Line::text() const {
  std::string all;
  for (const Span& span : spans) all.append(span.text);
  return all;
}

LineWriter& LineWriter::put(std::string clean, Style style) {
  if (width(clean) > room()) clean = cut(clean, room(), charset_);
  if (clean.empty()) return *this;
  used_ += width(clean);
  line_.spans.push_back({std::move(clean), style});
  return *this;
}

LineWriter& LineWriter::add(std::string_view untrusted, Style style) {
  return put(clean(untrusted, charset_), style);
}

LineWriter& LineWriter::left(std::string_view untrusted, size_t columns, Style style) {
  return put(top::left(clean(untrusted, charset_), std::min(columns, room()), charset_), style);
}

LineWriter& LineWriter::right(std::string_view untrusted, size_t columns, Style style) {
  return put(top::right(clean(untrusted, charset_), std::min(columns, room()), charset_), style);
}

LineWriter& LineWriter::gap(size_t columns) {
  return put(std::string(std::min(columns, room()), ' '), Style::plain);
}

LineWriter& LineWriter::to_column(size_t column) {
  return column > used_ ? gap(column - used_) : *this;
}

LineWriter& LineWriter::at_edge(std::string_view untrusted, Style style) {
  const std::string text = clean(untrusted, charset_);
  if (width(text) + 1 > room()) return *this;
  return to_column(columns_ - width(text)).put(text, style);
}

std::vector<std::string> wrapped(std::string_view untrusted, size_t columns, Charset charset) {
  const std::string text = clean(untrusted, charset);
  std::vector<std::string> lines(1);
  size_t used = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find(' ', at), text.size());
    const std::string_view word = std::string_view(text).substr(at, end - at);
    const size_t takes = width(word);
    if (used > 0 && used + 1 + takes > columns) {
      lines.emplace_back();
      used = 0;
    }
    if (used > 0) lines.back().push_back(' ');
    lines.back().append(cut(word, columns, charset));
    used += (used > 0 ? 1 : 0) + std::min(takes, columns);
    at = end + 1;
  }
  return lines;
}

}  // namespace weir::tools::top
