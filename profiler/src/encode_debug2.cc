// Snapshot -> Go's debug=2, as a panic prints it: every goroutine with its stack.
//
//   goroutine 18 [chan receive, 5 minutes, labels:{name: worker}]:
//   zoo::worker()::lambda(...)
//   	/src/zoo.cc:41 +0x1b .c:41
//   created by zoo::start() in goroutine 1
//   	/src/zoo.cc:50 +0x20 .c:50
//
// A goroutine that has been running or runnable for seconds tells so (`running, 12 s`), one that
// waits for a network connection tells which (`IO wait, read tcp 127.0.0.1:80->127.0.0.1:5432`),
// one that waits for the body of an HTTP response, whose (`select, body of GET http://host/ 200`).
//
// The requester comes first, then all others by id; plain threads and goroutines that are locked to
// one are `locked to thread`; those that are proved to wait for ever are `(leaked)`. The text
// is Go's, and where C++ does not fit it, it is bent so that panicparse still reads it:
// - panicparse takes source files of C, Go and assembly alone. After the place of any other file
// stands
//   ` .c:LINE`, which completes a file name to its eyes; the line up to there is what Go would
//   write.
// - Labels stand within the brackets. (Go 1.27 puts them after, where panicparse stops reading.)
// - In names that are not Go's, % and / are escape and path separator to panicparse; look-alikes
//   take their places, as Go's assembler has it for /. Parentheses are kept: the last pair of a
//   line is the arguments.
// - In a wait reason, ] and , end what is read, so ) and ; stand for them.
// A group without members (read from a source that has counts alone) is one entry of goroutine 0
// that tells the count.
#include <algorithm>
#include <queue>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "debug2_text.h"
#include "encode.h"

namespace weir::profiler {
namespace {

using namespace encode;

constexpr int64_t kSecond = 1'000'000'000, kMinute = 60 * kSecond;  // ns
constexpr size_t kStackTextBudget = size_t{8} * 1024 * 1024;  // bytes of stack text kept for reuse

void append_name(std::string& to, std::string_view name, std::string_view file) {
  const size_t start = to.size();
  append_clean(to, name);
  if (debug2::is_go_file(file)) return;
  for (size_t i = to.find_first_of("/%", start); i != to.npos; i = to.find_first_of("/%", i)) {
    to.replace(i, 1, to[i] == '/' ? debug2::kDivisionSlash : debug2::kFullwidthPercent);
  }
}

// The line below a function. `offset` 0: not shown.
void append_place(std::string& to, const Frame* f, uint64_t offset) {
  const std::string_view file = f && !f->file.empty() ? std::string_view(f->file) : "??";
  const int line = f ? std::max(f->line, 0) : 0;
  to.push_back('\t');
  append_clean(to, file);
  to.push_back(':');
  append_dec(to, line);
  if (offset != 0) {
    to.append(" +");
    append_hex(to, offset);
  }
  if (file != "??" && !file.ends_with(".c") && !file.ends_with(".go") && !file.ends_with(".s")) {
    to.append(" .c:");
    append_dec(to, line);
  }
  to.push_back('\n');
}

// Frame i of a location; null: not known.
const Frame* frame_at(const Snapshot& s, const Location& l, size_t i) {
  return i < l.frames.size() && l.frames[i] < s.frames.size() ? &s.frames[l.frames[i]] : nullptr;
}

void append_function(std::string& to, const Frame* f, uint64_t address) {
  if (f && !f->function.empty()) {
    append_name(to, f->function, f->file);
  } else {
    append_hex(to, address);
  }
}

// The offset that is shown for frame i: inlined calls have none.
uint64_t offset_of(const Location& l, const Frame* f, size_t i) {
  return f && i + 1 >= l.frames.size() ? f->offset : 0;
}

void append_stack(const Snapshot& s, const Stack& stack, std::vector<Shown>& shown,
                  std::string& to) {
  shown_frames(s, stack, shown);
  if (shown.empty()) {
    to.append("\t").append(debug2::kUnavailable).push_back('\n');
    return;
  }
  for (const Shown& x : shown) {
    for (uint32_t i = x.first; i < std::max(x.end, x.first + 1); ++i) {
      const Frame* f = frame_at(s, *x.location, i);
      const uint64_t offset = offset_of(*x.location, f, i);
      if (f && debug2::is_elided_middle(f->function) && f->file.empty() && f->line <= 0 &&
          offset == 0) {
        to.append(f->function).push_back('\n');
        continue;
      }
      append_function(to, f, x.location->address);
      to.append("(...)\n");
      append_place(to, f, offset);
    }
  }
  if (stack.truncated) to.append(debug2::kElided).push_back('\n');
}

// The user's function that started it: `weir::go` itself is inlined there.
void append_creator(const Snapshot& s, uint32_t created_by, uint64_t parent, std::string& to) {
  if (created_by >= s.locations.size()) return;
  const Location& l = s.locations[created_by];
  const size_t i = creator_index(s, l);
  const Frame* f = frame_at(s, l, i);
  to.append("created by ");
  append_function(to, f, l.address);
  if (parent != 0) {
    to.append(" in goroutine ");
    append_dec(to, parent);
  }
  if (to.ends_with("(...)")) to.push_back(' ');  // else it reads like a frame
  to.push_back('\n');
  append_place(to, f, offset_of(l, f, i));
}

// Go's rule, and in quotes nothing that ends the brackets or an entry in them.
void append_label_text(std::string& to, std::string_view text) {
  const auto is_bare = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '/' || c == '_';
  };
  if (!text.empty() && std::all_of(text.begin(), text.end(), is_bare)) {
    to.append(text);
  } else {
    append_quoted(to, text, "],");
  }
}

void append_labels(std::string& to, std::string_view name, const Labels& labels) {
  if (name.empty() && labels.empty()) return;
  std::string_view separator = ", labels:{";
  const auto append = [&](std::string_view key, std::string_view value) {
    to.append(separator);
    append_label_text(to, key);
    to.append(": ");
    append_label_text(to, value);
    separator = ", ";
  };
  if (!name.empty()) append("name", name);
  for (const auto& [key, value] : labels) append(key, value);
  to.push_back('}');
}

// Go's minutes for those that are blocked. Who runs for seconds without a switch, or waits for its
// turn so long, hinders others or starves; Go says nothing of that.
void append_time(std::string& to, State state, int64_t since_ns) {
  const bool is_blocked = state == State::waiting || state == State::syscall;
  const bool is_active = state == State::running || state == State::runnable;
  if (is_blocked && since_ns >= kMinute) {
    to.append(", ");
    append_dec(to, since_ns / kMinute);
    to.append(" minutes");
  } else if (is_active && since_ns >= kSecond) {
    to.append(", ");
    append_dec(to, since_ns / kSecond);
    to.append(" s");
  }
}

// What it reads or writes, as Go's net.OpError puts it; round brackets in IPv6 addresses.
void append_connection(const Snapshot& s, const Object& o, std::string& to) {
  if (o.kind != "io" || text_of(s, o.network).empty()) return;
  to.append(o.send ? ", write " : ", read ");
  std::string text(text_of(s, o.network));
  const std::string_view local = text_of(s, o.local), remote = text_of(s, o.remote);
  if (!local.empty() || !remote.empty()) text.append(" ").append(local);
  if (!remote.empty()) text.append("->").append(remote);
  for (char& c : text) c = c == '[' ? '(' : c == ']' ? ')' : c == ',' ? ';' : c;
  append_clean(to, text);
}

// The response whose body somebody should read or close.
void append_body(const Snapshot& s, const Object& o, std::string& to) {
  if (o.kind != "http_body") return;
  std::string text(text_of(s, o.method));
  text.append(" ").append(text_of(s, o.url)).append(" ").append(std::to_string(o.status));
  for (char& c : text) c = c == '[' ? '(' : c == ']' ? ')' : c == ',' ? ';' : c;
  to.append(", body of ");
  append_clean(to, text);
}

// State or wait reason, with Go's mark of who never goes on.
void append_status(const Group& g, std::string& to) {
  if (g.state != State::waiting || g.wait_reason.empty()) {
    const bool is_gos_own = g.state == State::waiting && g.leaked;
    to.append(is_gos_own ? "leaked" : state_name(g.state));
    if (g.leaked && !is_gos_own) to.append(" (leaked)");
    return;
  }
  const debug2::Marked reason = debug2::split_marks(g.wait_reason);
  const size_t start = to.size();
  append_clean(to, reason.base);
  std::replace(to.begin() + static_cast<ptrdiff_t>(start), to.end(), ']', ')');
  std::replace(to.begin() + static_cast<ptrdiff_t>(start), to.end(), ',', ';');
  if (reason.durable) to.append(" (durable)");
  if (g.leaked || reason.leaked) to.append(" (leaked)");
}

void append_header(const Snapshot& s, const Group& g, const Member* m, std::string& to) {
  to.append("goroutine ");
  append_dec(to, m ? m->goid : 0);
  to.append(" [");
  append_status(g, to);
  if (m) append_time(to, g.state, m->since_ns);
  if (g.thread || g.locked) to.append(", locked to thread");
  if (!m) {
    to.append(", ");
    append_dec(to, g.count);
    to.append(" goroutines");
  }
  if (m && m->object_count == 1 && m->first_object < s.objects.size()) {
    append_connection(s, s.objects[m->first_object], to);
    append_body(s, s.objects[m->first_object], to);
  }
  append_labels(to, m ? text_of(s, m->name) : std::string_view(), g.labels);
  to.append("]:\n");
}

// Writes goroutines one by one. Those of one stack share its text as long as the budget lasts.
class Writer {
 public:
  Writer(const Snapshot& s, Out& out) : s_(s), out_(out), stack_texts_(s.stacks.size()) {}

  void write(const Group& g, const Member* m) {
    text_.clear();
    if (!is_first_) text_.push_back('\n');
    is_first_ = false;
    append_header(s_, g, m, text_);
    append_stack_text(g);
    append_creator(s_, g.created_by, m ? m->parent_goid : 0, text_);
    out_.write(text_);
  }

 private:
  void append_stack_text(const Group& g) {
    if (g.stack < stack_texts_.size() && !stack_texts_[g.stack].empty()) {
      text_.append(stack_texts_[g.stack]);
      return;
    }
    const size_t start = text_.size();
    append_stack(s_, stack_of(s_, g), shown_, text_);
    const size_t size = text_.size() - start;
    if (g.members.size() < 2 || g.stack >= stack_texts_.size() || size > budget_) return;
    budget_ -= size;
    stack_texts_[g.stack] = text_.substr(start);
  }

  const Snapshot& s_;
  Out& out_;
  std::vector<std::string> stack_texts_;  // by stack; empty: not kept
  size_t budget_ = kStackTextBudget;
  std::vector<Shown> shown_;
  std::string text_;
  bool is_first_ = true;
};

// Where one group's members stand in the merge of all groups by id.
struct Cursor {
  const Group* group;
  size_t next;
  uint64_t goid() const { return group->members[next].goid; }
};

}  // namespace

bool write_debug2(const Snapshot& s, const Sink& sink) {
  Out out(sink);
  Writer writer(s, out);

  const Member* requester = nullptr;
  const auto later = [](const Cursor& a, const Cursor& b) { return a.goid() > b.goid(); };
  std::priority_queue<Cursor, std::vector<Cursor>, decltype(later)> merge(later);
  for (const Group& g : s.groups) {
    if (g.members.empty()) continue;
    merge.push({&g, 0});
    if (s.requester_goid == 0 || requester) continue;
    const auto at = std::lower_bound(g.members.begin(), g.members.end(), s.requester_goid,
                                     [](const Member& m, uint64_t id) { return m.goid < id; });
    if (at == g.members.end() || at->goid != s.requester_goid) continue;
    requester = &*at;
    writer.write(g, requester);
  }
  while (!merge.empty() && out.ok()) {
    Cursor c = merge.top();
    merge.pop();
    const Member* m = &c.group->members[c.next];
    if (m != requester) writer.write(*c.group, m);
    if (++c.next < c.group->members.size()) merge.push(c);
  }
  std::vector<const Group*> counted;  // most first
  for (const Group& g : s.groups) {
    if (g.members.empty() && g.count > 0) counted.push_back(&g);
  }
  std::stable_sort(counted.begin(), counted.end(),
                   [](const Group* a, const Group* b) { return a->count > b->count; });
  for (const Group* g : counted) {
    if (!out.ok()) break;
    writer.write(*g, nullptr);
  }
  return out.finish();
}

}  // namespace weir::profiler
