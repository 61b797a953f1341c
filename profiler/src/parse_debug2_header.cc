#include "parse_debug2_header.h"

#include <algorithm>
#include <string>

#include "debug2_text.h"
#include "encode.h"
#include "parse_text.h"

namespace weir::profiler::parsing {

namespace {

constexpr int64_t kSecond = 1'000'000'000, kMinute = 60 * kSecond;  // ns

// "{...}" at the front, its quotes heeded; 0: there is none.
size_t braces_size(std::string_view s) {
  if (!s.starts_with('{')) return 0;
  bool is_quoted = false;
  for (size_t i = 1; i < s.size(); ++i) {
    if (is_quoted && s[i] == '\\') {
      ++i;
    } else if (s[i] == '"') {
      is_quoted = !is_quoted;
    } else if (s[i] == '}' && !is_quoted) {
      return i + 1;
    }
  }
  return 0;
}

int64_t times(uint64_t n, int64_t unit) {
  const auto most = static_cast<uint64_t>(INT64_MAX / unit);
  return static_cast<int64_t>(std::min(n, most)) * unit;
}

// One of those behind the status.
bool read_attribute(std::string_view s, Header& to) {
  if (s == "locked to thread") return to.locked = true;
  if (s.starts_with("read ") || s.starts_with("write ")) {
    to.connection = s;
    return true;
  }
  if (eat(s, "body of ")) {
    const size_t first = s.find(' '), last = s.rfind(' ');
    if (first == s.npos || first == last) return false;
    std::string_view status = s.substr(last + 1);
    const std::string_view digits = eat_digits(status);
    const bool is_padded = digits.size() > 1 && digits.front() == '0';
    if (!status.empty() || digits.empty() || digits.size() > 3 || is_padded) return false;
    to.body = {s.substr(0, first), s.substr(first + 1, last - first - 1),
               static_cast<int>(*decimal(digits))};
    to.has_body = true;
    return true;
  }
  if (eat(s, "synctest bubble ")) return decimal(s).has_value();
  const std::string_view digits = eat_digits(s);
  if (digits.empty()) return false;
  const auto n = decimal(digits);
  const uint64_t time = n.value_or(UINT64_MAX);  // more than there is room for
  if (s == " minutes") {
    to.has_minutes = true;
    to.since_ns = times(time, kMinute);
  } else if (s == " s") {
    to.since_ns = times(time, kSecond);
  } else if (s == " goroutines" && n) {
    to.count = *n;
  } else {
    return false;
  }
  return true;
}

}  // namespace

bool parse_header(std::string_view line, Header& to) {
  to = {};
  if (!eat(line, "goroutine ")) return false;
  const auto goid = decimal(eat_digits(line));
  if (!goid) return false;
  to.goid = *goid;
  while (!line.starts_with(" [")) {  // gp=0x.. m=0 mp=0x..
    if (!eat(line, " ")) return false;
    const size_t end = line.find(' ');
    if (end == line.npos || line.substr(0, end).find('=') == line.npos) return false;
    line.remove_prefix(end);
  }
  line.remove_prefix(2);
  std::string_view inside;
  constexpr std::string_view kInner = ", labels:";
  const size_t inner = line.find(kInner);
  const size_t size = inner == line.npos ? 0 : braces_size(line.substr(inner + kInner.size()));
  if (size != 0) {
    inside = line.substr(0, inner);
    to.labels = line.substr(inner + kInner.size(), size);
    to.has_inner_labels = true;
    line.remove_prefix(inner + kInner.size() + size);
  } else {
    const size_t end = line.find(']');
    if (end == line.npos) return false;
    inside = line.substr(0, end);
    line.remove_prefix(end);
  }
  if (!eat(line, "]")) return false;
  eat(line, " ");
  if (const size_t outer = braces_size(line); outer != 0) {
    if (to.labels.empty()) to.labels = line.substr(0, outer);
    line.remove_prefix(outer);
  }
  if (!eat(line, ":") || line.find_first_not_of(" \t") != line.npos) return false;
  size_t comma;
  while ((comma = inside.rfind(", ")) != inside.npos &&
         read_attribute(inside.substr(comma + 2), to)) {
    inside = inside.substr(0, comma);
  }
  to.status = inside;
  return true;
}

void set_status(const Header& h, Group& g) {
  const debug2::Marked m = debug2::split_marks(h.status);
  g.leaked = m.leaked;
  g.state = State::waiting;
  g.locked = h.locked;
  if (!m.durable) {
    for (const State s : {State::idle, State::runnable, State::running, State::syscall,
                          State::waiting, State::dead, State::copystack}) {
      // Minutes are told of those who are blocked: then it is a reason that reads like a state.
      const bool is_blocked = s == State::waiting || s == State::syscall;
      if (m.base == encode::state_name(s) && (is_blocked || !h.has_minutes)) {
        g.state = s;
        return;
      }
    }
    if (m.base == "leaked" && !m.leaked) {
      g.leaked = true;
      return;
    }
  }
  g.wait_reason = m.base;
  if (m.durable) g.wait_reason.append(" (durable)");
}

}  // namespace weir::profiler::parsing
