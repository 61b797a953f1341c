#include "dot.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>

#include "encode_text.h"

namespace weir::profiler::dot_text {

void append_escaped(std::string& to, std::string_view text, Use use) {
  const std::string_view backslash = use == Use::tooltip ? R"(\\\\)" : R"(\\)";
  const std::string_view newline = use == Use::label ? "\\n" : use == Use::tooltip ? "&#10;" : " ";
  while (!text.empty()) {
    const encode::Rune r = encode::first_rune(text);
    const char c = text[0];
    if (c == '\n') {
      to.append(newline);
    } else if (c == '"') {
      to.append("\\\"");
    } else if (c == '\\') {
      to.append(backslash);
    } else if (c == '&') {
      to.append("&amp;");  // entities are looked for in every text
    } else if (r.valid && !encode::is_unprintable(r.value)) {
      to.append(text.substr(0, r.bytes));
    } else {
      std::string escape;
      encode::append_escape(escape, r);
      to.append(backslash).append(escape, 1);
    }
    text.remove_prefix(r.bytes);
  }
}

std::string shortened(std::string_view text, size_t bytes) {
  if (text.size() <= bytes) return std::string(text);
  while (bytes > 0 && (text[bytes] & 0xc0) == 0x80) --bytes;
  return std::string(text.substr(0, bytes)) + "…";
}

namespace {

// Cuts at `separator`, but not within brackets, which hold template arguments.
std::vector<std::string_view> split(std::string_view name, std::string_view separator) {
  std::vector<std::string_view> parts;
  int depth = 0;
  size_t begin = 0;
  for (size_t i = 0; i < name.size(); ++i) {
    if (name[i] == '<' || name[i] == '(' || name[i] == '[') ++depth;
    if (name[i] == '>' || name[i] == ')' || name[i] == ']') --depth;
    if (depth > 0 || !name.substr(i).starts_with(separator)) continue;
    if (i > begin) parts.push_back(name.substr(begin, i - begin));
    begin = i + separator.size();
    i = begin - 1;
  }
  if (begin < name.size()) parts.push_back(name.substr(begin));
  return parts;
}

bool is_class(std::string_view part) {
  const size_t first = part.find_first_not_of('_');
  return first != part.npos && part[first] >= 'A' && part[first] <= 'Z';
}

}  // namespace

std::string name_lines(std::string_view function) {
  constexpr size_t kMaxLines = 6, kMaxPart = 48;
  const bool is_cpp = function.find("::") != function.npos;
  if (!is_cpp) {
    // A Go name: "path/of/package.(*Type).method.func1".
    const size_t bracket = std::min(function.find_first_of("(["), function.size());
    const size_t slash = function.substr(0, bracket).rfind('/');
    if (slash != function.npos) function.remove_prefix(slash + 1);
  }
  std::vector<std::string_view> parts = split(function, is_cpp ? "::" : ".");
  // Class::method needs no namespace.
  for (size_t i = 1; is_cpp && i + 1 < parts.size(); ++i) {
    if (!is_class(parts[i])) continue;
    parts.erase(parts.begin(), parts.begin() + static_cast<ptrdiff_t>(i));
    break;
  }
  if (parts.size() > kMaxLines) {
    parts.erase(parts.begin() + 1, parts.end() - static_cast<ptrdiff_t>(kMaxLines - 2));
    parts.insert(parts.begin() + 1, "…");
  }
  std::string lines;
  for (const std::string_view part : parts) lines.append(shortened(part, kMaxPart)).append("\n");
  if (lines.empty()) lines = "?\n";
  return lines;
}

std::string_view base_name(std::string_view path) {
  return path.substr(path.rfind('/') + 1);  // npos + 1 is 0
}

std::string place_text(std::string_view file, int line) {
  if (file.empty()) return {};
  std::string text(file);
  if (line > 0) text.append(":").append(std::to_string(line));
  return text;
}

std::string color(double score, bool background) {
  constexpr double kShift = 0.7;  // away from grey, so that small shares are told apart
  const double value = background ? 0.93 : 0.7;
  double saturation = background ? 0.1 : 1.0;
  if (!(score >= -1)) score = -1;  // also what is no number
  if (score > 1) score = 1;
  const double size = std::fabs(score);
  if (size < 0.2) saturation *= size / 0.2;
  const double strength = std::pow(size, 1 - kShift);
  const double faded = value * (1 - saturation * strength);
  const double red = score < 0 ? faded : value, green = score < 0 ? value : faded;
  char text[16];
  std::snprintf(text, sizeof text, "#%02x%02x%02x", static_cast<unsigned>(red * 255),
                static_cast<unsigned>(green * 255),
                static_cast<unsigned>(value * (1 - saturation) * 255));
  return text;
}

std::string percentage(int64_t part, int64_t total) {
  const double share =
      total == 0 ? 0 : std::fabs(static_cast<double>(part) / static_cast<double>(total)) * 100;
  if (share >= 99.95 && share <= 100.05) return "100%";
  char text[48];
  std::snprintf(text, sizeof text, share >= 1 ? "%.2f%%" : "%.2g%%", share);
  return text;
}

std::string duration(int64_t ns) {
  constexpr int64_t kSecond = 1'000'000'000;
  const int64_t s = ns / kSecond;
  char text[48];
  const auto two = [&text](int64_t a, const char* unit, int64_t b, const char* small) {
    if (b == 0) {
      std::snprintf(text, sizeof text, "%lld%s", static_cast<long long>(a), unit);
    } else {
      std::snprintf(text, sizeof text, "%lld%s%lld%s", static_cast<long long>(a), unit,
                    static_cast<long long>(b), small);
    }
    return std::string(text);
  };
  if (ns < 0) return "?";
  if (s < 1) return two(ns / 1'000'000, "ms", 0, "");
  if (s < 60) return two(s, "s", 0, "");
  if (s < 3600) return two(s / 60, "m", s % 60, "s");
  if (s < 86400) return two(s / 3600, "h", s / 60 % 60, "m");
  return two(s / 86400, "d", s / 3600 % 24, "h");
}

std::string wall_clock(int64_t ns) {
  const time_t s = static_cast<time_t>(ns / 1'000'000'000);
  tm utc{};
  char text[64];
  if (!gmtime_r(&s, &utc)) return "?";
  const size_t n = std::strftime(text, sizeof text, "%b %e, %Y at %H:%M:%S (UTC)", &utc);
  return {text, n};
}

Writer::Writer(std::string_view title, const std::vector<std::string>& legend) {
  text_ = "digraph \"";
  append_escaped(text_, shortened(title, kMaxLine), Use::line);
  text_.append(
      "\" {\n"
      "graph [fontname=\"Helvetica,Arial,sans-serif\" tooltip=\" \"]\n"
      "node [style=filled fillcolor=\"#f8f8f8\" fontname=\"Helvetica,Arial,sans-serif\"]\n"
      "edge [fontname=\"Helvetica,Arial,sans-serif\" fontsize=11]\n"
      "subgraph cluster_L { legend [shape=box fontsize=14 margin=\"0.3,0.1\" tooltip=\" \" "
      "label=\"");
  for (const std::string& line : legend) {
    append_escaped(text_, shortened(line, 100), Use::line);
    text_.append("\\l");
  }
  text_.append("\"] }\n");
}

void Writer::attributes(const std::vector<Attribute>& all) {
  text_.append(" [");
  for (const Attribute& a : all) {
    if (&a != all.data()) text_.push_back(' ');
    text_.append(a.key).append("=\"");
    append_escaped(text_, a.value, a.key.ends_with("tooltip") ? Use::tooltip : Use::label);
    text_.push_back('"');
  }
  text_.append("]\n");
}

size_t Writer::index_of(const std::string& id) {
  const auto [known, is_new] = indexes_.try_emplace(id, ids_.size());
  if (is_new) ids_.push_back(id);
  return known->second;
}

void Writer::node(const std::string& id, const std::vector<Attribute>& all) {
  index_of(id);
  text_.append(id);
  attributes(all);
}

void Writer::edge(const std::string& from, const std::string& to,
                  const std::vector<Attribute>& all) {
  edges_.emplace_back(index_of(from), index_of(to));
  text_.append(from).append(" -> ").append(to);
  attributes(all);
}

void Writer::stack_parts() {
  constexpr size_t kEnough = 6;  // parts beside each other
  const size_t n = ids_.size();
  std::vector<std::vector<size_t>> next(n), neighbours(n);
  std::vector<bool> is_called(n);
  for (const auto& [from, to] : edges_) {
    if (from == to) continue;
    next[from].push_back(to);
    neighbours[from].push_back(to);
    neighbours[to].push_back(from);
    is_called[to] = true;
  }
  struct Part {
    size_t top, bottom, height;
  };
  std::vector<Part> parts;
  std::vector<bool> is_seen(n), is_placed(n);
  for (size_t first = 0; first < n; ++first) {
    if (is_seen[first]) continue;
    std::vector<size_t> members{first};
    is_seen[first] = true;
    for (size_t i = 0; i < members.size(); ++i) {
      for (const size_t m : neighbours[members[i]]) {
        if (!is_seen[m]) members.push_back(m);
        is_seen[m] = true;
      }
    }
    const auto top = std::find_if(members.begin(), members.end(),
                                  [&is_called](size_t m) { return !is_called[m]; });
    Part part{top == members.end() ? first : *top, 0, 0};
    // About as high as the shortest ways from the top are long.
    for (std::vector<size_t> level{part.top}, below; !level.empty(); level.swap(below)) {
      below.clear();
      part.bottom = level.front();
      ++part.height;
      for (const size_t m : level) {
        is_placed[m] = true;
        for (const size_t to : next[m]) {
          if (!is_placed[to]) below.push_back(to);
          is_placed[to] = true;
        }
      }
    }
    parts.push_back(part);
  }
  if (parts.size() <= kEnough) return;
  const auto columns = std::max(
      kEnough, static_cast<size_t>(std::ceil(std::sqrt(2 * static_cast<double>(parts.size())))));
  struct Column {
    size_t height = 0;
    const Part* last = nullptr;
  };
  std::vector<Column> all(columns);
  for (const Part& part : parts) {
    Column& column =
        *std::min_element(all.begin(), all.end(),
                          [](const Column& a, const Column& b) { return a.height < b.height; });
    if (column.last) {
      text_.append(ids_[column.last->bottom] + " -> " + ids_[part.top] + " [style=invis]\n");
    }
    column.last = &part;
    column.height += part.height;
  }
}

std::string Writer::finish() {
  stack_parts();
  text_.append("}\n");
  return std::move(text_);
}

}  // namespace weir::profiler::dot_text
