// Writing Graphviz's language, and the parts of pprof's look that its pictures share.
//
// Whatever a name holds, what comes out is one quoted string on one line, valid UTF-8, in which
// nothing is an escape (\N, \l) or an entity (&lt;) but what we write ourselves; so the picture
// shows the name as it is, and SVG has it as text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace weir::profiler::dot_text {

inline constexpr size_t kMaxNodes = 2000, kMaxEdges = 5000;  // of one picture
inline constexpr size_t kMaxTooltip = 1000, kMaxLine = 64;  // bytes of a tooltip, of a label's line

// Where a text stands. Graphviz replaces escapes such as \N in labels once and in tooltips twice,
// so a tooltip's backslash is escaped twice.
enum class Use : uint8_t { label, line, tooltip };

// `text` escaped for the inside of a quoted string. Newlines stay newlines, but for `line`.
void append_escaped(std::string& to, std::string_view text, Use use);

// At most `bytes` of it, on a character's boundary, with an ellipsis where something was cut.
std::string shortened(std::string_view text, size_t bytes);

// A function's name as the lines of a box: one per namespace, class and function; of a method the
// class and the method alone; of a Go function without the path of its package. At most 6 lines of
// at most 48 bytes.
std::string name_lines(std::string_view function);

// The last part of a path.
std::string_view base_name(std::string_view path);

// "file.cc:12"; empty where the file is not known.
std::string place_text(std::string_view file, int line);

// pprof's scale: 1 is red, 0 grey, -1 green. `background`: the light shade.
std::string color(double score, bool background);

// pprof's way to write a share: "12.34%", "0.31%", "100%".
std::string percentage(int64_t part, int64_t total);

// "45s", "3m12s", "5h10m", "2d4h".
std::string duration(int64_t ns);

// "Nov 24, 2026 at 17:31 (UTC)".
std::string wall_clock(int64_t ns);

// Builds one graph. Attributes are given as key, value; values are escaped as labels.
//
// Graphviz puts all parts of a graph that nothing connects side by side, and a graph of goroutines
// has many: the picture would be a long strip. The parts are put below each other in columns by
// invisible edges. (Its own packing loses the labels of edges.)
class Writer {
 public:
  // `title` names the graph. Ends with the legend, a line each.
  Writer(std::string_view title, const std::vector<std::string>& legend);

  struct Attribute {
    std::string_view key;
    std::string value;
  };
  void node(const std::string& id, const std::vector<Attribute>& attributes);
  void edge(const std::string& from, const std::string& to,
            const std::vector<Attribute>& attributes);
  std::string finish();

 private:
  void attributes(const std::vector<Attribute>& all);
  size_t index_of(const std::string& id);
  void stack_parts();

  std::string text_;
  std::vector<std::string> ids_;
  std::unordered_map<std::string, size_t> indexes_;
  std::vector<std::pair<size_t, size_t>> edges_;  // from, to: indexes into ids_
};

}  // namespace weir::profiler::dot_text
