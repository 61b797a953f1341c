// Go's debug=1 -> Snapshot. The grammar is in encode_debug1.cc; `#` lines that are not known are
// passed over.
//
// The first line of a record has all return addresses of the stack; `#` lines name a contiguous
// part of them, without the runtime's at the leaf and the root, and several for one address where
// calls were inlined. Those without a name become go_frames::kHidden.
#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "encode.h"
#include "go_frames.h"
#include "parse_formats.h"
#include "parse_tables.h"
#include "parse_text.h"

namespace weir::profiler::parsing {
namespace {

constexpr std::string_view kFormat = "debug=1", kElided = "# ...additional frames elided...";

struct Header {
  std::string_view profile;
  uint64_t total = 0;
};

// "goroutine profile: total 12"
std::optional<Header> to_header(std::string_view line) {
  constexpr std::string_view kMiddle = " profile: total ";
  const size_t at = line.find(kMiddle);
  if (at == line.npos || at == 0 || line.find(' ') != at) return std::nullopt;
  const auto total = decimal(line.substr(at + kMiddle.size()));
  if (!total) return std::nullopt;
  return Header{line.substr(0, at), *total};
}

bool is_blank(std::string_view line) { return line.find_first_not_of(" \t") == line.npos; }

// A `#` line of a frame. Empty function: the address is all there is.
struct Named {
  uint64_t address = 0;
  std::string_view function, file;
  uint64_t offset = 0;
  int line = 0;
};

std::string_view eat_cell(std::string_view& s) {
  const size_t end = std::min(s.find('\t'), s.size());
  const std::string_view cell = s.substr(0, end);
  s.remove_prefix(std::min(s.find_first_not_of('\t', end), s.size()));
  return cell;
}

// "#\t0x4b515a\tmain.worker+0x1a\t\tsrc/main.go:13"
std::optional<Named> to_named(std::string_view line) {
  if (!eat(line, "#\t")) return std::nullopt;
  const auto address = hex(eat_cell(line));
  if (!address) return std::nullopt;
  Named n{*address, eat_cell(line), {}, 0, 0};
  if (n.function.empty()) return n;
  if (const size_t plus = n.function.rfind("+0x"); plus != n.function.npos) {
    if (const auto offset = hex(n.function.substr(plus + 1))) {
      n.offset = *offset;
      n.function = n.function.substr(0, plus);
    }
  }
  split_place(line, n.file, n.line);
  return n;
}

// A `# state:` line: weir's word on some of a record's goroutines.
struct Kind {
  uint64_t count = 0;
  State state = State::waiting;
  std::string reason;
  int64_t wait_ns = -1, longest_ns = -1;
  bool thread = false;
  std::string_view creator, file;  // empty: not told
  int line = 0;
};

// "3 chan receive, wait 15m30s (longest 10m0.5s), threads, created by main()\t/src/main.cc:50"
std::optional<Kind> to_kind(std::string_view s) {
  Kind k;
  const auto count = decimal(eat_digits(s));
  if (!count || *count == 0 || !eat(s, " ")) return std::nullopt;
  k.count = *count;
  if (!eat_quoted(s, k.reason)) {
    k.reason = s.substr(0, std::min(s.find(", "), s.size()));
    s.remove_prefix(k.reason.size());
    for (int i = 0; i <= static_cast<int>(State::copystack); ++i) {
      if (encode::state_name(static_cast<State>(i)) != k.reason) continue;
      k.state = static_cast<State>(i);
      k.reason.clear();
      break;
    }
  }
  if (eat(s, ", wait ")) {
    const auto wait = eat_duration(s);
    if (!wait) return std::nullopt;
    k.wait_ns = *wait;
    k.longest_ns = k.count == 1 ? *wait : -1;
    if (eat(s, " (longest ")) {
      const auto longest = eat_duration(s);
      if (!longest || !eat(s, ")")) return std::nullopt;
      k.longest_ns = *longest;
    }
  }
  k.thread = eat(s, ", threads") || eat(s, ", thread");
  if (eat(s, ", created by ")) {
    const size_t tab = s.rfind('\t');
    if (tab == s.npos || !split_place(s.substr(tab + 1), k.file, k.line)) return std::nullopt;
    k.creator = s.substr(0, tab);
    s = {};
  }
  if (!s.empty()) return std::nullopt;
  return k;
}

struct Record {
  size_t line = 0;  // where it stands
  uint64_t count = 0;
  std::vector<uint64_t> calls;  // addresses of the stack, each return address less 1
  std::vector<Named> names;
  std::vector<Kind> kinds;
  Labels labels;
  bool truncated = false, missing = false;
};

constexpr size_t kFarthest = 64;  // frames without a name before one that has one

class Reader {
 public:
  Reader(std::string_view text, const ParseOptions& options)
      : lines_(text), tables_(kFormat, text.size(), options) {}

  Snapshot read() {
    read_header();
    while (read_record()) {
    }
    Snapshot s = tables_.finish();
    s.truncated = is_cut_ || sum_ < header_.total;
    return s;
  }

 private:
  void read_header() {
    std::string_view line;
    while (lines_.next(line)) {
      if (is_blank(line) || line.starts_with('#')) continue;
      const auto header = to_header(line);
      if (!header) {
        fail_at_line(kFormat, lines_.number(),
                     "expected `goroutine profile: total N`, found " + excerpt(line));
      }
      constexpr std::string_view kKnown[] = {"goroutine", "goroutineleak", "threadcreate"};
      if (std::find(std::begin(kKnown), std::end(kKnown), header->profile) == std::end(kKnown)) {
        fail_at_line(kFormat, lines_.number(),
                     "expected a profile of goroutines, found one of " + excerpt(header->profile));
      }
      header_ = *header;
      return;
    }
    fail_at_line(kFormat, lines_.number() + 1, "expected `goroutine profile: total N`");
  }

  // Up to the line behind it. False: there is no more.
  bool read_record() {
    std::string_view line;
    for (;;) {
      if (!lines_.next(line) || line.starts_with("---")) return false;
      if (is_blank(line)) continue;
      if (!line.starts_with('#')) break;
      if (!eat(line, "# left out by a filter: ")) continue;
      if (const auto n = decimal(line); n && lines_.is_whole()) tables_.snapshot.left_out = *n;
    }
    Record r;
    r.line = lines_.number();
    // Cut in the middle of the addresses: what is there is not whole.
    if (!read_first(line, r)) {
      if (!lines_.is_whole()) return false;
      fail_at_line(kFormat, r.line, "expected `COUNT @ 0xADDRESS..`, found " + excerpt(line));
    }
    if (!lines_.is_whole()) return false;
    bool is_ended = false;
    while (!is_ended && lines_.next(line)) {
      if (!lines_.is_whole()) return false;
      is_ended = is_blank(line);
      if (!is_ended) read_comment(line, r);
    }
    if (!is_ended) {
      // Its line is whole, but there may have been more names.
      if (sum_ + r.count != header_.total) return false;
      is_cut_ = r.truncated = true;
    }
    sum_ += r.count;
    if (r.count > 0) add(r);
    return is_ended;
  }

  bool read_first(std::string_view line, Record& r) {
    const auto count = decimal(eat_digits(line));
    if (!count || *count > UINT64_MAX - sum_ || !eat(line, " @")) return false;
    r.count = *count;
    while (eat(line, " ")) {
      const size_t end = std::min(line.find(' '), line.size());
      if (end == 0) continue;
      const auto address = hex(line.substr(0, end));
      if (!address) return false;
      r.calls.push_back(*address - 1);
      line.remove_prefix(end);
    }
    return line.empty();
  }

  void read_comment(std::string_view line, Record& r) {
    if (!line.starts_with('#')) {
      fail_at_line(kFormat, lines_.number(),
                   "expected a line with # or an empty one, found " + excerpt(line));
    }
    if (line == kElided) {
      r.truncated = true;
    } else if (auto named = to_named(line)) {
      r.missing |= named->function == encode::kStackUnavailable && named->address == 0;
      r.names.push_back(*named);
    } else if (eat(line, "# state: ")) {
      if (auto kind = to_kind(line)) r.kinds.push_back(std::move(*kind));
    } else if (eat(line, "# labels: ")) {
      if (!eat_labels(line, r.labels)) {
        fail_at_line(kFormat, lines_.number(),
                     "expected {\"key\":\"value\", ..}, found " + excerpt(line));
      }
      sort_labels(r.labels);
    }
  }

  void add(const Record& r) {
    Group g;
    g.stack = tables_.stack(locations_of(r), r.truncated);
    g.labels = r.labels;
    g.leaked = header_.profile == "goroutineleak";
    uint64_t told = 0;
    for (const Kind& k : r.kinds) told = encode::saturating_add(told, k.count);
    if (told == r.count) {
      for (const Kind& k : r.kinds) add(g, k);
      return;
    }
    const go_frames::Wait wait = go_frames::infer(tables_.functions(g.stack));
    g.state = wait.state;
    g.wait_reason = wait.reason;
    g.thread = header_.profile == "threadcreate";
    tables_.snapshot.groups[tables_.group(g)].count += r.count;
  }

  void add(Group g, const Kind& k) {
    g.state = k.state;
    g.wait_reason = k.reason;
    g.thread = k.thread;
    if (!k.creator.empty()) {
      g.created_by = tables_.location(0, {tables_.frame(k.creator, k.file, k.line, 0)});
    }
    Group& to = tables_.snapshot.groups[tables_.group(g)];
    to.count += k.count;
    encode::Wait wait{to.wait_ns, to.oldest_ns};
    wait.add(k.wait_ns, k.longest_ns);
    to.wait_ns = wait.sum;
    to.oldest_ns = wait.longest;
  }

  std::vector<uint32_t> locations_of(const Record& r) {
    if (r.missing) return {};
    const auto& calls = r.calls;
    std::vector<uint32_t> locations;
    size_t at = 0, named = 0;
    for (const size_t first = first_named(r); at < first; ++at) {
      locations.push_back(hidden(calls[at]));
    }
    while (named < r.names.size()) {
      const uint64_t address = r.names[named].address;
      const size_t times = run(calls, at, address, [](uint64_t a) { return a; });
      if (times == 0 && is_ahead(calls, at, address)) {
        locations.push_back(hidden(calls[at++]));
        continue;
      }
      const size_t names = run(r.names, named, address, [](const Named& n) { return n.address; });
      add_run(r, named, names, std::max<size_t>(times, 1), locations);
      at += times;
      named += names;
    }
    // Without any name, addresses are all that is known.
    for (; at < calls.size(); ++at) {
      locations.push_back(r.names.empty() ? tables_.location(calls[at], {}) : hidden(calls[at]));
    }
    return locations;
  }

  // The call that the names begin with: from there on, they fit to the last of them; and to the
  // last call, where the root is not known and so nothing of it is hidden.
  static size_t first_named(const Record& r) {
    const auto fits = [&r](size_t at) {
      for (size_t named = 0; named < r.names.size();) {
        const uint64_t address = r.names[named].address;
        const size_t times = run(r.calls, at, address, [](uint64_t a) { return a; });
        const size_t names = run(r.names, named, address, [](const Named& n) { return n.address; });
        named += names;
        // Fewer names than calls: the root's are hidden.
        if (times == 0 || (names < times && (r.truncated || named < r.names.size()))) return false;
        at += times;
      }
      return !r.truncated || at == r.calls.size();
    };
    const size_t most = std::min(r.calls.size(), kFarthest);
    for (size_t at = 0; at < most; ++at) {
      if (fits(at)) return at;
    }
    return 0;
  }

  // How many rows from `from` on have the address.
  template <class T, class Address>
  static size_t run(const std::vector<T>& rows, size_t from, uint64_t address, Address of) {
    size_t end = from;
    while (end < rows.size() && of(rows[end]) == address) ++end;
    return end - from;
  }

  static bool is_ahead(const std::vector<uint64_t>& calls, size_t at, uint64_t address) {
    const auto end = calls.begin() + static_cast<ptrdiff_t>(std::min(calls.size(), at + kFarthest));
    return std::find(calls.begin() + static_cast<ptrdiff_t>(at), end, address) != end;
  }

  // `names` lines for an address that is `times` on the stack, one call above the other. It has the
  // same lines each time, but at the leaf some may be left out, and at the root all.
  void add_run(const Record& r, size_t first, size_t names, size_t times,
               std::vector<uint32_t>& locations) {
    const uint64_t address = r.names[first].address;
    const size_t named = std::min(names, times);
    for (size_t i = 0; i < named; ++i) {
      const size_t n = names / named + (i + names % named >= named ? 1 : 0);
      locations.push_back(location(r, first, n));
      first += n;
    }
    for (size_t i = named; i < times; ++i) locations.push_back(hidden(address));
  }

  uint32_t location(const Record& r, size_t first, size_t n) {
    std::vector<uint32_t> frames;
    const uint64_t address = r.names[first].address;
    if (n > 1 || !r.names[first].function.empty()) {
      for (size_t i = first; i < first + n; ++i) {
        const Named& f = r.names[i];
        frames.push_back(tables_.frame(f.function, f.file, f.line, f.offset));
      }
    }
    return tables_.location(address, std::move(frames));
  }

  uint32_t hidden(uint64_t address) {
    return tables_.location(address, {tables_.frame(go_frames::kHidden, "", 0, 0)});
  }

  Lines lines_;
  Tables tables_;
  Header header_;
  uint64_t sum_ = 0;
  bool is_cut_ = false;
};

}  // namespace

bool is_debug1(std::string_view text) {
  Lines lines(text);
  std::string_view line;
  while (lines.next(line)) {
    if (is_blank(line) || line.starts_with('#')) continue;
    return to_header(line).has_value();
  }
  return false;
}

Snapshot read_debug1(std::string_view text, const ParseOptions& options) {
  return Reader(text, options).read();
}

}  // namespace weir::profiler::parsing
