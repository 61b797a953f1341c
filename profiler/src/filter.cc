// filter (filter.h). A text is looked at once: what a frame, a location, a stack or a name says to
// the query is kept by its index, so that a million goroutines cost little more than a look at each
// member where names are asked for, and nothing where they are not.
#include <weir/profiler/filter.h>

#include <weir/introspect.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include <weir/profiler/error.h>

#include "encode.h"
#include "group_filter.h"
#include "pattern.h"
#include "prune.h"

namespace weir::profiler {

namespace {

bool equal_nocase(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

// The answers to one question about the rows of a table, each asked once.
class Answers {
 public:
  explicit Answers(size_t rows) : known_(rows) {}

  template <class Ask>
  bool operator()(uint32_t row, Ask ask) {
    if (row >= known_.size()) return false;
    if (known_[row] == 0) known_[row] = ask() ? 2 : 1;
    return known_[row] == 2;
  }

 private:
  std::vector<uint8_t> known_;  // 0: not yet; 1: no; 2: yes
};

// Does the query stand in what is shown of a goroutine?
class Finder {
 public:
  Finder(const Snapshot& s, std::string_view query)
      : s_(s),
        words_(query),
        frames_(s.frames.size()),
        stacks_(s.stacks.size()),
        creators_(s.locations.size()),
        names_(s.strings.size()) {}

  // In what all goroutines of the group have in common?
  bool in(const Group& g) {
    return in_stack(g.stack) || in_creator(g.created_by) ||
           (g.state == State::waiting && words_.matches(g.wait_reason)) || in_labels(g);
  }

  bool in_name(const Member& m) {
    return m.name != 0 && names_(m.name, [&] { return words_.matches(s_.strings[m.name]); });
  }

 private:
  bool in_frame(uint32_t frame) {
    return frames_(frame, [&] {
      const Frame& f = s_.frames[frame];
      return words_.matches(f.function) ||
             (!f.file.empty() && words_.matches(f.file + ":" + std::to_string(f.line)));
    });
  }

  bool in_stack(uint32_t stack) {
    return stacks_(stack, [&] {
      encode::shown_frames(s_, s_.stacks[stack], shown_);
      for (const encode::Shown& x : shown_) {
        for (uint32_t i = x.first; i < x.end; ++i) {
          if (in_frame(x.location->frames[i])) return true;
        }
      }
      return false;
    });
  }

  bool in_creator(uint32_t location) {
    return creators_(location, [&] {
      const Location& l = s_.locations[location];
      const size_t i = encode::creator_index(s_, l);
      return i < l.frames.size() && in_frame(l.frames[i]);
    });
  }

  bool in_labels(const Group& g) const {
    return std::ranges::any_of(g.labels, [&](const auto& label) {
      return words_.matches(label.second) || words_.matches(label.first + "=" + label.second);
    });
  }

  const Snapshot& s_;
  const Words words_;
  Answers frames_, stacks_, creators_, names_;
  std::vector<encode::Shown> shown_;
};

bool has_state(const Group& g, const std::vector<std::string>& states) {
  if (states.empty()) return true;
  return std::ranges::any_of(states, [&](const std::string& state) {
    return equal_nocase(state, encode::state_name(g.state)) ||
           (g.state == State::waiting && equal_nocase(state, g.wait_reason));
  });
}

bool has_labels(const Group& g, const std::vector<Filter::Label>& labels) {
  return std::ranges::all_of(labels, [&](const Filter::Label& wanted) {
    return std::ranges::any_of(g.labels, [&](const auto& label) {
      return label.first == wanted.key && (!wanted.value || label.second == *wanted.value);
    });
  });
}

// Who of a group stays.
struct Choice {
  bool all = false;
  std::vector<bool> some{};  // by member; empty: nobody

  bool has(size_t member) const { return all || (!some.empty() && some[member]); }
};

Choice choose(const Group& g, const Filter& f, Finder& finder) {
  if (!has_state(g, f.states) || !has_labels(g, f.labels)) return {};
  if (f.query.empty() || finder.in(g)) return {true};
  Choice c;
  for (size_t i = 0; i < g.members.size(); ++i) {
    if (!finder.in_name(g.members[i])) continue;
    c.some.resize(g.members.size());
    c.some[i] = true;
  }
  return c;
}

// Who owns what this goroutine waits for; 0: nobody, or it waits for no lock.
uint64_t owner_of_wait(const Snapshot& s, const Member& m) {
  if (m.object_count != 1 || m.first_object >= s.objects.size()) return 0;
  const Object& o = s.objects[m.first_object];
  return o.owner_alive ? o.owner_goid : 0;
}

void add_owners(const Snapshot& s, std::vector<Choice>& chosen) {
  std::unordered_map<uint64_t, uint64_t> next;  // goroutine -> whom it waits for
  std::unordered_set<uint64_t> wanted;
  std::vector<uint64_t> todo;
  const auto want = [&](uint64_t owner) {
    if (owner != 0 && wanted.insert(owner).second) todo.push_back(owner);
  };
  for (size_t g = 0; g < s.groups.size(); ++g) {
    const std::vector<Member>& members = s.groups[g].members;
    for (size_t i = 0; i < members.size(); ++i) {
      const uint64_t owner = owner_of_wait(s, members[i]);
      if (owner == 0) continue;
      if (chosen[g].has(i)) {
        want(owner);
      } else {
        next[members[i].goid] = owner;
      }
    }
  }
  while (!todo.empty()) {
    const auto further = next.find(todo.back());
    todo.pop_back();
    if (further != next.end()) want(further->second);
  }
  if (wanted.empty()) return;
  for (size_t g = 0; g < s.groups.size(); ++g) {
    const std::vector<Member>& members = s.groups[g].members;
    if (chosen[g].all) continue;
    for (size_t i = 0; i < members.size(); ++i) {
      if (!wanted.contains(members[i].goid)) continue;
      chosen[g].some.resize(members.size());
      chosen[g].some[i] = true;
    }
  }
}

// Those of the members that were chosen, with counts and times of their own.
void cut_down(Group& g, const Choice& chosen) {
  size_t n = 0;
  int64_t sum = 0, oldest = -1;
  for (size_t i = 0; i < g.members.size(); ++i) {
    if (!chosen.has(i)) continue;
    const Member& m = g.members[n++] = g.members[i];
    if (__builtin_add_overflow(sum, std::max<int64_t>(m.since_ns, 0), &sum)) sum = INT64_MAX;
    oldest = std::max(oldest, m.since_ns);
  }
  g.members.erase(g.members.begin() + static_cast<ptrdiff_t>(n), g.members.end());
  g.members.shrink_to_fit();
  g.count = n;
  if (g.wait_ns >= 0) g.wait_ns = oldest >= 0 ? sum : -1;
  if (g.oldest_ns >= 0) g.oldest_ns = oldest;
}

void take_away(Snapshot& s, const std::vector<Choice>& chosen) {
  uint64_t goroutines = 0, all = 0;  // that are taken away; the second with threads
  size_t n = 0;
  for (size_t i = 0; i < s.groups.size(); ++i) {
    Group& g = s.groups[i];
    const uint64_t before = g.count;
    if (!chosen[i].all) {
      if (chosen[i].some.empty()) {
        g.count = 0;
      } else {
        cut_down(g, chosen[i]);
      }
    }
    all = encode::saturating_add(all, before - g.count);
    if (!g.thread) goroutines = encode::saturating_add(goroutines, before - g.count);
    if (g.count == 0 && before > 0) continue;
    if (n != i) s.groups[n] = std::move(g);
    ++n;
  }
  s.groups.erase(s.groups.begin() + static_cast<ptrdiff_t>(n), s.groups.end());
  s.total -= std::min(s.total, goroutines);
  s.left_out = encode::saturating_add(s.left_out, all);
  std::ranges::stable_sort(s.groups, std::ranges::greater(), &Group::count);
}

[[noreturn]] void refuse(std::string_view parameter, std::string_view expected) {
  throw error("invalid value for \"" + std::string(parameter) + "\": expected " +
              std::string(expected));
}

// The words of a weir program, for who has mistyped one.
bool is_known_state(std::string_view text) {
  for (size_t i = 0; i < introspect::kStates; ++i) {
    if (equal_nocase(text, introspect::to_string(static_cast<introspect::State>(i)))) return true;
  }
  for (size_t i = 1; i < introspect::kWaitReasons; ++i) {
    if (equal_nocase(text, introspect::to_string(static_cast<introspect::WaitReason>(i)))) {
      return true;
    }
  }
  return false;
}

constexpr size_t kMostPackages = 16;

double seconds_of(std::string_view text) {
  double n = 0;
  const auto [at, err] = std::from_chars(text.begin(), text.end(), n);
  if (err != std::errc() || at != text.end() || !std::isfinite(n) || n < 0) {
    refuse("age", "a number of seconds, 0 or more");
  }
  return n;
}

uint64_t site_of(std::string_view text) {
  if (text.starts_with("0x")) text.remove_prefix(2);
  uint64_t id = 0;
  const auto [at, err] = std::from_chars(text.begin(), text.end(), id, 16);
  if (err != std::errc() || at != text.end()) refuse("site", "0x and hexadecimal digits");
  return id;
}

std::string known_states() {
  std::string all =
      "one or several, separated by commas, of idle, runnable, running, syscall, waiting, dead, "
      "copystack, and of wait reasons:";
  for (size_t i = 1; i < introspect::kWaitReasons; ++i) {
    all.append(i == 1 ? " " : ", ")
        .append(introspect::to_string(static_cast<introspect::WaitReason>(i)));
  }
  return all;
}

}  // namespace

Filter parse_filter(const FilterWords& words) {
  Filter f;
  if (words.query.size() > Pattern::kMaxBytes) {
    refuse("q", "a text or a regular expression of at most " + std::to_string(Pattern::kMaxBytes) +
                    " bytes");
  }
  f.query = words.query;
  std::string_view states = words.states;
  while (!states.empty()) {
    const size_t comma = std::min(states.find(','), states.size());
    std::string_view state = states.substr(0, comma);
    while (state.starts_with(' ')) state.remove_prefix(1);
    while (state.ends_with(' ')) state.remove_suffix(1);
    if (!is_known_state(state)) refuse("state", known_states());
    f.states.emplace_back(state);
    states.remove_prefix(comma);
    if (!states.empty()) states.remove_prefix(1);
  }
  for (const std::string& label : words.labels) {
    const size_t equals = label.find('=');
    if (equals == 0 || label.empty()) refuse("label", "key or key=value");
    f.labels.push_back({label.substr(0, equals)});
    if (equals != label.npos) f.labels.back().value = label.substr(equals + 1);
  }
  const auto is_package = [](const std::string& p) {
    return !p.empty() && p.size() <= Pattern::kMaxBytes;
  };
  if (words.packages.size() > kMostPackages || !std::ranges::all_of(words.packages, is_package)) {
    refuse("package", "a Go import path or a C++ namespace, at most " +
                          std::to_string(kMostPackages) + " of them and " +
                          std::to_string(Pattern::kMaxBytes) + " bytes each");
  }
  f.packages = words.packages;
  if (!words.age.empty()) {
    const double ns = seconds_of(words.age) * 1e9;
    f.age_ns = ns < 9e18 ? static_cast<int64_t>(ns) : INT64_MAX;
  }
  if (!words.site.empty()) f.site = site_of(words.site);
  return f;
}

Snapshot filter(Snapshot s, const Filter& f) {
  if (f.is_empty()) return s;
  std::vector<Choice> chosen;
  chosen.reserve(s.groups.size());
  Finder finder(s, f.query);
  const GroupFilter whole(s, f);
  for (uint32_t i = 0; i < s.groups.size(); ++i) {
    chosen.push_back(whole.passes(i) ? choose(s.groups[i], f, finder) : Choice{});
  }
  if (f.owners) add_owners(s, chosen);
  take_away(s, chosen);
  prune(s);
  return s;
}

Snapshot keep_groups(Snapshot s, const std::vector<bool>& chosen) {
  std::vector<Choice> all(s.groups.size());
  for (size_t i = 0; i < std::min(all.size(), chosen.size()); ++i) all[i].all = chosen[i];
  take_away(s, all);
  prune(s);
  return s;
}

}  // namespace weir::profiler
