#include "diff_words.h"

#include <algorithm>
#include <cstdio>
#include <unordered_map>

#include "dot.h"
#include "encode.h"
#include "wait_words.h"

namespace weir::profiler::diff_words {

namespace {

constexpr size_t kMaxText = 300;  // bytes of a name
constexpr size_t kMaxGoids = 8;   // of those that stayed
constexpr size_t kLeast = 3;      // frames that are shown of a stack, however few differ
constexpr size_t kMost = 10;      // frames that are shown at most,
constexpr size_t kNear = 7;       // of which so many stand at the leaf

void add(std::string& list, const std::string& part) {
  if (part.empty()) return;
  list.append(list.empty() ? "" : ", ").append(part);
}

struct Side {
  uint64_t groups = 0, by = 0, first = 0, second = 0;  // first: new or gone

  std::string text(const char* sign, const char* first_name, const char* second_name) const {
    if (groups == 0) return {};
    std::string kinds;
    if (first > 0) add(kinds, std::to_string(first) + " " + first_name);
    if (second > 0) add(kinds, std::to_string(second) + " " + second_name);
    return sign + std::to_string(by) + " in " + count_of(groups, "group") + " (" + kinds + ")";
  }
};

// Of a URL's path.
std::string percent_encoded(std::string_view path) {
  std::string to;
  for (const char c : path) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') ||
                          std::string_view("-._~/+:,").find(c) != std::string_view::npos;
    if (is_plain) {
      to.push_back(c);
    } else {
      char escape[4];
      std::snprintf(escape, sizeof escape, "%%%02X", static_cast<unsigned char>(c));
      to.append(escape);
    }
  }
  return to;
}

// `file` without the directory that all are below.
std::string_view below_root(std::string_view file, std::string_view root) {
  while (root.ends_with('/')) root.remove_suffix(1);
  if (root.empty() || !file.starts_with(root)) return file;
  const std::string_view rest = file.substr(root.size());
  return rest.starts_with('/') ? rest.substr(1) : file;
}

}  // namespace

std::string clean(std::string_view text) {
  std::string to;
  encode::append_clean(to, dot_text::shortened(text, kMaxText));
  return to;
}

std::string summary(const Diff& d) {
  Side growth, shrinkage;
  for (const Diff::Entry& e : d.entries) {
    if (e.change == Change::unchanged) continue;
    const bool grows = e.after > e.before;
    Side& side = grows ? growth : shrinkage;
    ++side.groups;
    side.by = encode::saturating_add(side.by, grows ? e.after - e.before : e.before - e.after);
    ++(e.change == Change::fresh || e.change == Change::gone ? side.first : side.second);
  }
  std::string text = growth.text("+", "new", "grown");
  add(text, shrinkage.text("-", "gone", "shrunk"));
  return text;
}

std::string unchanged(const Diff& d) {
  uint64_t groups = 0, goroutines = 0;
  for (const Diff::Entry& e : d.entries) {
    if (e.change != Change::unchanged) continue;
    ++groups;
    goroutines = encode::saturating_add(goroutines, e.after);
  }
  if (groups == 0) return {};
  return count_of(groups, "group") + ", " + count_of(goroutines, "goroutine");
}

std::string within(const Diff& d) {
  if (d.old_taken_at_ns == 0 || d.now_taken_at_ns < d.old_taken_at_ns) return {};
  return " within " + dot_text::duration(d.now_taken_at_ns - d.old_taken_at_ns);
}

std::vector<std::string> remarks(const Diff& d) {
  std::vector<std::string> all;
  if (!d.same_process_why.empty()) all.push_back(clean(d.same_process_why));
  std::string parts;
  if (!d.by_lines) add(parts, "lines");
  if (!d.by_wait) add(parts, "wait reasons");
  if (!d.by_creator) add(parts, "creators");
  if (!parts.empty()) all.push_back("not told apart: " + parts);
  if (d.ignored > 0) all.push_back("ignored: " + count_of(d.ignored, "group"));
  if (d.old_left_out > 0 || d.now_left_out > 0) {
    all.push_back("left out by a filter: " + std::to_string(d.old_left_out) + " before, " +
                  std::to_string(d.now_left_out) + " after");
  }
  if (d.old_truncated) all.push_back("the old side was cut off: what is new may have been there");
  if (d.now_truncated) all.push_back("the new side was cut off: what is gone may still be there");
  return all;
}

std::string facts(const Diff::Entry& e) {
  std::string text = e.thread ? "threads" : "";
  add(text, clean(e.wait));
  if (e.after > 0 && e.oldest_ns >= 0) add(text, "oldest " + dot_text::duration(e.oldest_ns));
  if (!e.stayed.empty()) {
    std::string goids;
    for (size_t i = 0; i < std::min(e.stayed.size(), kMaxGoids); ++i) {
      add(goids, std::to_string(e.stayed[i]));
    }
    add(text, std::to_string(e.stayed.size()) + " stayed (" + goids +
                  (e.stayed.size() > kMaxGoids ? ", .." : "") + ")");
  }
  for (const auto& [key, value] : e.labels) add(text, clean(key) + "=" + clean(value));
  return text;
}

std::string place(const Frame& f, const DiffStyle& style) {
  return clean(dot_text::place_text(below_root(f.file, style.source_root), f.line));
}

std::string link(const Frame& f, const DiffStyle& style, bool local) {
  if (f.file.empty()) return {};
  const std::string_view file = below_root(f.file, style.source_root);
  const bool is_relative = !file.starts_with('/');
  const bool is_below = file.size() != f.file.size();
  if (is_relative && !is_below && style.is_source && !style.is_source(std::string(file))) return {};
  if (!style.link_base.empty() && is_relative) {
    std::string url;
    for (const char c : style.link_base) {  // it is the user's, with a query perhaps
      const bool is_odd = c <= ' ' || c == 0x7f ||
                          std::string_view("<>\"'()[]|`\\").find(c) != std::string_view::npos;
      url.append(is_odd ? percent_encoded({&c, 1}) : std::string(1, c));
    }
    if (!url.ends_with('/')) url.push_back('/');
    url.append(percent_encoded(file));
    return f.line > 0 ? url + "#L" + std::to_string(f.line) : url;
  }
  std::string path = f.file;
  if (!path.starts_with('/')) path = style.source_root + "/" + path;
  if (!local || !path.starts_with('/')) return {};
  return "file://" + percent_encoded(style.host) + percent_encoded(path);
}

Stacks::Stacks(const Diff& d, bool full) : d_(d), full_(full), shared_(d.entries.size(), 0) {
  // A tree of stacks from the root on: whose children are several entries' is shared.
  struct Node {
    size_t entry = 0;  // the first that came here
    bool several = false;
  };
  std::vector<Node> nodes(1);
  std::unordered_map<std::string, size_t> children;
  std::vector<std::vector<size_t>> paths(d.entries.size());
  for (size_t i = 0; i < d.entries.size(); ++i) {
    const std::vector<Frame>& stack = d.entries[i].stack;
    size_t at = 0;
    for (size_t k = stack.size(); k-- > 0;) {
      const Frame& f = stack[k];
      const std::string key =
          std::to_string(at) + '\0' + f.function + '\0' + f.file + '\0' + std::to_string(f.line);
      const auto [child, is_new] = children.try_emplace(key, nodes.size());
      if (is_new) nodes.push_back({i});
      at = child->second;
      nodes[at].several |= nodes[at].entry != i;
      paths[i].push_back(at);
    }
  }
  for (size_t i = 0; i < paths.size(); ++i) {
    while (shared_[i] < paths[i].size() && nodes[paths[i][shared_[i]]].several) ++shared_[i];
  }
}

std::vector<Line> Stacks::lines(size_t entry) const {
  const Diff::Entry& e = d_.entries[entry];
  std::vector<Line> lines;
  const auto show = [&](size_t from, size_t to) {
    for (size_t i = from; i < to; ++i) lines.push_back({&e.stack[i]});
  };
  const auto fold = [&](size_t n, const char* why) {
    lines.push_back({nullptr, false, ".. " + std::to_string(n) + " more" + why + " .."});
  };
  const size_t n = e.stack.size();
  // Down to the first frame that is shared, or to the root; a fold of one frame saves nothing.
  size_t end = std::min(n, std::max(n - shared_[entry] + 1, kLeast));
  if (full_ || end + 1 >= n) end = n;
  if (full_ || end <= kMost) {
    show(0, end);
  } else {
    const size_t far = kMost - kNear - 1;
    show(0, kNear);
    fold(end - kNear - far, "");
    show(end - far, end);
  }
  if (end < n) fold(n - end, ", as others have them");
  if (lines.empty()) lines.push_back({nullptr, false, std::string(encode::kStackUnavailable)});
  if (e.truncated && n > 0) lines.push_back({nullptr, false, ".. deeper frames are not known .."});
  if (!e.created_by.function.empty()) lines.push_back({&e.created_by, true});
  return lines;
}

}  // namespace weir::profiler::diff_words
