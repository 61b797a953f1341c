// What the writers share: buffered output, numbers, which frames of a stack are shown, and groups
// merged into the records of an aggregated profile. (Text and its escapes: encode_text.h.)
//
// Invariants: a sink gets pieces of at most kPiece bytes and is not called again once it has
// returned false. Indexes of a Snapshot that point nowhere are passed over, never followed: a
// Snapshot may have been read from another process.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weir/profiler/encode.h>
#include <weir/profiler/snapshot.h>

#include "encode_text.h"

namespace weir::profiler::encode {

inline constexpr size_t kPiece = size_t{64} * 1024;  // bytes handed to a sink at once

// Cuts what is written into pieces for the sink.
class Out {
 public:
  explicit Out(const Sink& sink) : sink_(sink) { buffer_.reserve(kPiece); }
  Out(const Out&) = delete;
  Out& operator=(const Out&) = delete;

  // False: the reader is gone; whatever is written now is dropped.
  bool ok() const { return ok_; }

  void write(std::string_view bytes) {
    while (ok_ && !bytes.empty()) {
      const size_t n = std::min(bytes.size(), kPiece - buffer_.size());
      buffer_.append(bytes.substr(0, n));
      bytes.remove_prefix(n);
      if (buffer_.size() == kPiece) flush();
    }
  }

  // Hands over the rest. True: the sink took everything.
  bool finish() {
    if (ok_ && !buffer_.empty()) flush();
    return ok_;
  }

 private:
  void flush() {
    ok_ = sink_(buffer_);
    buffer_.clear();
  }

  const Sink& sink_;
  std::string buffer_;
  bool ok_ = true;
};

inline std::string_view state_name(State s) {
  switch (s) {
    case State::idle:
      return "idle";
    case State::runnable:
      return "runnable";
    case State::running:
      return "running";
    case State::syscall:
      return "syscall";
    case State::waiting:
      return "waiting";
    case State::dead:
      return "dead";
    case State::copystack:
      return "copystack";
  }
  return "???";  // Go's word for a state that it does not know
}

inline bool is_state_name(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(State::copystack); ++i) {
    if (state_name(static_cast<State>(i)) == name) return true;
  }
  return false;
}

// Stands where a stack would, of a goroutine that did not show one.
inline constexpr std::string_view kStackUnavailable = "[stack unavailable]";

// The shown frames [first, end) of one location. first == end only where a location has no frame at
// all: its address is all that is known, and it is shown.
struct Shown {
  const Location* location;
  uint32_t first, end;
};

inline bool is_runtime(const Snapshot& s, const Location& l, size_t i) {
  return l.frames[i] < s.frames.size() && s.frames[l.frames[i]].runtime;
}

// What of a stack is shown, leaf first: without the runtime's frames at the leaf (how a goroutine
// parks) and at the root (how it was started), unless nothing would remain. Runtime frames between
// the user's are shown. The root of a truncated stack is not known, so nothing is taken from there.
inline void shown_frames(const Snapshot& s, const Stack& stack, std::vector<Shown>& shown) {
  shown.clear();
  for (const uint32_t i : stack.locations) {
    if (i >= s.locations.size()) continue;
    const Location& l = s.locations[i];
    shown.push_back({&l, 0, static_cast<uint32_t>(l.frames.size())});
  }
  const auto is_user = [&s](const Shown& x) {
    if (x.location->frames.empty()) return true;
    for (uint32_t i = 0; i < x.end; ++i) {
      if (!is_runtime(s, *x.location, i)) return true;
    }
    return false;
  };
  const auto leaf = std::find_if(shown.begin(), shown.end(), is_user);
  if (leaf == shown.end()) return;
  if (!stack.truncated) {
    shown.erase(std::find_if(shown.rbegin(), shown.rend(), is_user).base(), shown.end());
    Shown& root = shown.back();
    while (root.end > 0 && is_runtime(s, *root.location, root.end - 1)) --root.end;
  }
  shown.erase(shown.begin(), leaf);
  Shown& top = shown.front();
  while (top.first < top.end && is_runtime(s, *top.location, top.first)) ++top.first;
}

// A text of the snapshot; empty where it has none.
inline std::string_view text_of(const Snapshot& s, uint32_t i) {
  return i < s.strings.size() ? std::string_view(s.strings[i]) : std::string_view();
}

// The stack of a group; an empty one where it has none.
inline const Stack& stack_of(const Snapshot& s, const Group& g) {
  static const Stack none;
  return g.stack < s.stacks.size() ? s.stacks[g.stack] : none;
}

// Goroutines that an aggregated profile shows as one: groups that differ in what it does not show.
struct Record {
  std::span<const Group* const> groups;  // not empty
  uint64_t count;
  std::string labels;  // text of their labels (encode_text.h: labels_text)

  const Group& group() const { return *groups.front(); }
};
struct Records {
  std::vector<Record> records;
  std::vector<const Group*> groups;  // what the records refer to
};

inline uint64_t saturating_add(uint64_t a, uint64_t b) {
  return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

// Orders two numbers as their hexadecimal texts are ordered: <0, 0, >0.
inline int compare_hex(uint64_t a, uint64_t b) {
  const int digits_a = (67 - std::countl_zero(a | 1)) / 4;
  const int digits_b = (67 - std::countl_zero(b | 1)) / 4;
  const uint64_t head_a = digits_a > digits_b ? a >> (4 * (digits_a - digits_b)) : a;
  const uint64_t head_b = digits_b > digits_a ? b >> (4 * (digits_b - digits_a)) : b;
  if (head_a != head_b) return head_a < head_b ? -1 : 1;
  return digits_a - digits_b;
}

// The address as debug=1 shows it in its first line: where the call returns to.
inline uint64_t return_address(const Snapshot& s, uint32_t location) {
  return location < s.locations.size() ? s.locations[location].address + 1 : 1;
}

inline int compare_stacks(const Snapshot& s, const Group& a, const Group& b) {
  if (a.stack == b.stack) return 0;
  const auto& la = stack_of(s, a).locations;
  const auto& lb = stack_of(s, b).locations;
  for (size_t i = 0; i < la.size() && i < lb.size(); ++i) {
    if (la[i] == lb[i]) continue;
    const int c = compare_hex(return_address(s, la[i]), return_address(s, lb[i]));
    if (c != 0) return c;
  }
  return la.size() < lb.size() ? -1 : la.size() > lb.size();
}

// Merges the groups of the same addresses and labels (and, where `by_state`, of the same state,
// wait reason and creator). In Go's order: most goroutines first, then by the text of addresses and
// labels.
inline Records make_records(const Snapshot& s, bool by_state) {
  struct Item {
    const Group* group;
    std::string labels;
  };
  const auto compare = [&s, by_state](const Item& a, const Item& b) {
    int c = compare_stacks(s, *a.group, *b.group);
    if (c == 0) c = a.labels.compare(b.labels);
    if (c != 0 || !by_state) return c;
    if (a.group->state != b.group->state) return a.group->state < b.group->state ? -1 : 1;
    c = a.group->wait_reason.compare(b.group->wait_reason);
    if (c != 0 || a.group->created_by == b.group->created_by) return c;
    return a.group->created_by < b.group->created_by ? -1 : 1;
  };
  std::vector<Item> all;
  all.reserve(s.groups.size());
  for (const Group& g : s.groups) {
    if (g.count > 0) all.push_back({&g, labels_text(g.labels)});
  }
  std::stable_sort(all.begin(), all.end(),
                   [&](const Item& a, const Item& b) { return compare(a, b) < 0; });
  Records result;
  result.groups.reserve(all.size());
  for (const Item& item : all) result.groups.push_back(item.group);
  for (size_t i = 0, end = 0; i < all.size(); i = end) {
    uint64_t count = 0;
    for (end = i; end < all.size() && compare(all[i], all[end]) == 0; ++end) {
      count = saturating_add(count, all[end].group->count);
    }
    result.records.push_back(
        {std::span(result.groups).subspan(i, end - i), count, std::move(all[i].labels)});
  }
  std::stable_sort(result.records.begin(), result.records.end(),
                   [](const Record& a, const Record& b) { return a.count > b.count; });
  return result;
}

// Its state as Go's dumps put it: what it waits for, else the name of the state.
inline std::string_view status_text(const Group& g) {
  return g.state == State::waiting && !g.wait_reason.empty() ? std::string_view(g.wait_reason)
                                                             : state_name(g.state);
}

// Blocked: what it does not do counts as waiting.
inline bool is_blocked(State state) { return state == State::waiting || state == State::syscall; }

// How long the goroutines of a group have been blocked, together and the longest, ns; -1: not
// known.
struct Wait {
  int64_t sum = -1, longest = -1;
  void add(int64_t ns, int64_t ns_longest) {
    if (ns < 0) return;
    sum = static_cast<int64_t>(std::min(
        saturating_add(static_cast<uint64_t>(std::max<int64_t>(sum, 0)), static_cast<uint64_t>(ns)),
        static_cast<uint64_t>(INT64_MAX)));
    longest = std::max(longest, ns_longest);
  }
};
inline Wait wait_of(const Group& g) {
  Wait wait;
  if (!is_blocked(g.state)) return wait;
  if (g.wait_ns >= 0) return {g.wait_ns, g.oldest_ns};
  for (const Member& m : g.members) wait.add(m.since_ns, m.since_ns);
  return wait;
}

// The user's frame among those of a creator: `weir::go` itself is inlined there.
inline size_t creator_index(const Snapshot& s, const Location& l) {
  size_t i = 0;
  while (i + 1 < l.frames.size() && is_runtime(s, l, i)) ++i;
  return i;
}
// Null: not known.
inline const Frame* creator_frame(const Snapshot& s, uint32_t created_by) {
  if (created_by >= s.locations.size()) return nullptr;
  const Location& l = s.locations[created_by];
  const size_t i = creator_index(s, l);
  return i < l.frames.size() && l.frames[i] < s.frames.size() ? &s.frames[l.frames[i]] : nullptr;
}

}  // namespace weir::profiler::encode
