// Snapshot -> Go's debug=1: counts of goroutines that are at the same place.
//
//   goroutine profile: total 3
//   3 @ 0x437556 0x4b515b 0x461241
//   # labels: {"pool":"a"}
//   # state: 2 chan receive, wait 15m30s (longest 10m0.5s), created by main()	/src/main.cc:50
//   # state: 1 runnable, created by main()	/src/main.cc:50
//   #	0x4b515a	worker()+0x1a	/src/main.cc:13
//
// The first line of a record has the return addresses of the whole stack, the `#` lines the shown
// frames (encode.h: shown_frames) with the addresses of the calls. `# left out by a filter: 7`
// stands below the header where it is so. Plain threads have records like goroutines, so `total`,
// the sum of all counts, includes them. Tools skip `#` lines, so that truncated and missing stacks
// are told there too.
#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "encode.h"

namespace weir::profiler {
namespace {

using namespace encode;

// Cells of one line of a table, each followed by a tab but the last.
using Line = std::vector<std::string>;

// Go's text/tabwriter with minwidth 1, tabwidth 8, padding 1 and tabs: a column is a run of lines
// that have a cell there which a tab follows; it is one wider than its widest cell, rounded up to a
// tab stop.
void append_aligned(std::string& to, const std::vector<Line>& lines) {
  constexpr size_t kTab = 8;
  std::vector<size_t> widths;    // of the columns that the current line is in
  std::vector<size_t> run_ends;  // line after the last one of each of those columns
  for (size_t i = 0; i < lines.size(); ++i) {
    const Line& line = lines[i];
    for (size_t column = 0; column + 1 < line.size(); ++column) {
      if (column < run_ends.size() && i < run_ends[column]) continue;
      size_t end = i, width = 0;
      for (; end < lines.size() && column + 1 < lines[end].size(); ++end) {
        width = std::max(width, count_runes(lines[end][column]) + 1);
      }
      widths.resize(std::max(widths.size(), column + 1));
      run_ends.resize(widths.size());
      widths[column] = (width + kTab - 1) / kTab * kTab;
      run_ends[column] = end;
    }
    for (size_t column = 0; column < line.size(); ++column) {
      to.append(line[column]);
      if (column + 1 == line.size()) break;
      const size_t missing = widths[column] - count_runes(line[column]);
      to.append((missing + kTab - 1) / kTab, '\t');
    }
    to.push_back('\n');
  }
}

std::string hex(uint64_t n) {
  std::string text;
  append_hex(text, n);
  return text;
}

void append_frames(const Snapshot& s, const Stack& stack, std::vector<Shown>& shown,
                   std::string& to) {
  if (stack.locations.empty()) {
    to.append("#\t0x0\t").append(kStackUnavailable).push_back('\n');
    return;
  }
  shown_frames(s, stack, shown);
  std::vector<Line> lines;
  for (const Shown& x : shown) {
    const std::string address = hex(x.location->address);
    if (x.first == x.end) lines.push_back({"#", address});
    for (uint32_t i = x.first; i < x.end; ++i) {
      Line& line = lines.emplace_back(Line{"#", address});
      if (x.location->frames[i] >= s.frames.size()) continue;
      const Frame& f = s.frames[x.location->frames[i]];
      if (f.function.empty()) continue;
      std::string& function = line.emplace_back();
      append_clean(function, f.function);
      function.push_back('+');
      append_hex(function, f.offset);
      std::string& place = line.emplace_back();
      append_clean(place, f.file.empty() ? "??" : f.file);
      place.push_back(':');
      append_dec(place, std::max(f.line, 0));
    }
  }
  append_aligned(to, lines);
  if (stack.truncated) to.append("# ...additional frames elided...\n");
}

// In quotes where it would read as something else: a wait for what is called like a state, or what
// has the marks of the line in it.
std::string status_line(const Group& g) {
  std::string text;
  const std::string_view status = status_text(g);
  const bool is_reason = g.state == State::waiting && !g.wait_reason.empty();
  if (is_reason && (is_state_name(status) || status.find_first_of(",\"") != status.npos)) {
    append_quoted(text, status);
  } else {
    append_clean(text, status);
  }
  return text;
}

// "main()\t/src/main.cc:50"; empty: not known.
std::string creator_text(const Snapshot& s, const Group& g) {
  std::string text;
  const Frame* by = creator_frame(s, g.created_by);
  if (!by) return text;
  append_clean(text, by->function);
  text.push_back('\t');
  append_clean(text, by->file.empty() ? "??" : by->file);
  text.push_back(':');
  append_dec(text, std::max(by->line, 0));
  return text;
}

// How the goroutines of a record differ in what Go's format does not show: a line for each state
// and creator, most goroutines first.
void append_states(const Snapshot& s, const Record& r, std::string& to) {
  struct Kind {
    std::string status, creator;
    bool thread = false;
    uint64_t count = 0;
    Wait wait{};
  };
  std::vector<Kind> kinds;
  for (const Group* g : r.groups) {
    // Alike is what reads alike.
    Kind its{status_line(*g), creator_text(s, *g), g->thread};
    auto kind = std::find_if(kinds.begin(), kinds.end(), [&its](const Kind& k) {
      return k.status == its.status && k.creator == its.creator && k.thread == its.thread;
    });
    if (kind == kinds.end()) kind = kinds.insert(kind, std::move(its));
    kind->count = saturating_add(kind->count, g->count);
    const Wait wait = wait_of(*g);
    kind->wait.add(wait.sum, wait.longest);
  }
  std::stable_sort(kinds.begin(), kinds.end(),
                   [](const Kind& a, const Kind& b) { return a.count > b.count; });
  for (const Kind& k : kinds) {
    to.append("# state: ");
    append_dec(to, k.count);
    to.push_back(' ');
    to.append(k.status);
    if (k.wait.sum >= 0) {
      to.append(", wait ");
      append_duration(to, k.wait.sum);
      if (k.count > 1 && k.wait.longest >= 0) {
        to.append(" (longest ");
        append_duration(to, k.wait.longest);
        to.push_back(')');
      }
    }
    if (k.thread) to.append(k.count > 1 ? ", threads" : ", thread");
    if (!k.creator.empty()) to.append(", created by ").append(k.creator);
    to.push_back('\n');
  }
}

}  // namespace

bool write_debug1(const Snapshot& s, const Sink& sink) {
  const Records all = make_records(s, false);
  const std::vector<Record>& records = all.records;
  uint64_t total = 0;
  for (const Record& r : records) total = saturating_add(total, r.count);

  Out out(sink);
  std::string text = "goroutine profile: total ";
  append_dec(text, total);
  text.push_back('\n');
  if (s.left_out > 0) {
    append_dec(text.append("# left out by a filter: "), s.left_out);
    text.push_back('\n');
  }
  out.write(text);
  std::vector<Shown> shown;
  const Stack* last_stack = nullptr;
  std::string frames;  // text of last_stack
  for (const Record& r : records) {
    if (!out.ok()) break;
    text.clear();
    append_dec(text, r.count);
    text.append(" @");
    const Stack& stack = stack_of(s, r.group());
    for (const uint32_t location : stack.locations) {
      text.push_back(' ');
      append_hex(text, return_address(s, location));
    }
    // The grammar wants an address; readers take one off it and get 0.
    if (stack.locations.empty()) text.append(" 0x1");
    text.push_back('\n');
    if (!r.labels.empty()) text.append("# labels: ").append(r.labels).push_back('\n');
    append_states(s, r, text);
    // Neighbours often differ in their labels alone.
    if (last_stack != &stack) {
      last_stack = &stack;
      frames.clear();
      append_frames(s, stack, shown, frames);
    }
    text.append(frames).push_back('\n');
    out.write(text);
  }
  return out.finish();
}

}  // namespace weir::profiler
