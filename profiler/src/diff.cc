// Diff (diff.h): each side is put into records by a text that says what a group is; equal texts
// are one entry.
#include <weir/profiler/diff.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include <weir/profiler/sites.h>

#include "frames.h"
#include "group_filter.h"
#include "pattern.h"

namespace weir::profiler {

namespace {

// Goroutines that run are at another line each time one looks; their state changes by itself.
bool runs(const Group& g) { return g.state == State::running || g.state == State::runnable; }

// A dump of counts tells the waits of some groups alone, by their functions.
bool is_wait_known(const Group& g) { return g.state != State::waiting || !g.wait_reason.empty(); }

std::string wait_text(const Group& g) {
  if (!g.wait_reason.empty()) return g.wait_reason;
  return std::string(runs(g) ? "running" : encode::state_name(g.state));
}

// Nobody is told apart from nobody.
bool knows_waits(const Snapshot& s) {
  return s.groups.empty() || std::any_of(s.groups.begin(), s.groups.end(), is_wait_known);
}
bool knows_creators(const Snapshot& s) {
  return s.groups.empty() || std::any_of(s.groups.begin(), s.groups.end(),
                                         [](const Group& g) { return g.created_by < UINT32_MAX; });
}

// profile.proto holds the function of a creator alone.
bool knows_places_of_creators(const Snapshot& s) {
  return std::none_of(s.groups.begin(), s.groups.end(), [&s](const Group& g) {
    return g.created_by < UINT32_MAX && frame_at(s, g.created_by).file.empty();
  });
}

bool has_goids(const Snapshot& s) {
  return std::any_of(s.groups.begin(), s.groups.end(),
                     [](const Group& g) { return !g.members.empty(); });
}

}  // namespace

// A pid is used again: in a container every program is number 1. Goroutine ids are not, within one
// process. So what decides is a goroutine of NOW whose wait began before OLD was taken, when it
// must have been in OLD: after a restart no wait is that old.
SameProcess same_process(const Snapshot& old, const Snapshot& now) {
  if (!has_goids(old) || !has_goids(now)) {
    return {false, "goroutines are not compared one by one: a side has counts only"};
  }
  if (old.pid == 0 || now.pid == 0 || old.taken_at_ns == 0 || now.taken_at_ns == 0) {
    return {false, "goroutines are not compared one by one: a side does not tell process and time"};
  }
  if (old.pid != now.pid || old.process != now.process) {
    return {false, "two processes: " + old.process + " (pid " + std::to_string(old.pid) + ") and " +
                       now.process + " (pid " + std::to_string(now.pid) + ")"};
  }
  const int64_t apart = now.taken_at_ns - old.taken_at_ns;
  if (apart < 0) return {false, "the old side was taken after the new one"};
  std::unordered_set<uint64_t> known;
  for (const Group& g : old.groups) {
    for (const Member& m : g.members) known.insert(m.goid);
  }
  for (const Group& g : now.groups) {
    for (const Member& m : g.members) {
      if (m.since_ns > apart + now.duration_ns && known.contains(m.goid)) {
        return {true, "one process (pid " + std::to_string(now.pid) + "): goroutine " +
                          std::to_string(m.goid) +
                          " has waited since before the old side was taken"};
      }
    }
  }
  return {false, "pid " + std::to_string(now.pid) +
                     " on both sides, but no wait lasted from one to the other: perhaps restarted"};
}

namespace {

class Differ {
 public:
  Differ(const Snapshot& old, const Snapshot& now, const DiffOptions& options) : options_(options) {
    for (const std::string& text : options.ignore) {
      if (Pattern p("ignore", text); p) ignore_.push_back(std::move(p));
    }
    d_.by_lines = options.lines;
    d_.by_wait = options.wait && knows_waits(old) && knows_waits(now);
    d_.by_creator = options.creator && knows_creators(old) && knows_creators(now);
    creator_places_ = knows_places_of_creators(old) && knows_places_of_creators(now);
    d_.by_labels = options.labels;
    SameProcess same = options.same_process
                           ? SameProcess{*options.same_process, options.same_process_why}
                           : profiler::same_process(old, now);
    if (same.why.empty()) {
      same.why = same.is ? "one process: so it was said" : "two processes: so it was said";
    }
    d_.same_process = same.is;
    d_.same_process_why = std::move(same.why);
    d_.old_process = old.process;
    d_.now_process = now.process;
    d_.old_taken_at_ns = old.taken_at_ns;
    d_.now_taken_at_ns = now.taken_at_ns;
    d_.old_left_out = old.left_out;
    d_.now_left_out = now.left_out;
    d_.old_truncated = old.truncated;
    d_.now_truncated = now.truncated;
  }

  Diff run(const Snapshot& old, const Snapshot& now) {
    if (d_.by_wait) {
      for (const Snapshot* const s : {&old, &now}) find_unknown_waits(*s);
    }
    add(old, false);
    add(now, true);
    const Sites sites(now);
    for (size_t i = 0; i < d_.entries.size(); ++i) {
      Diff::Entry& e = d_.entries[i];
      e.change = change(e.before, e.after);
      e.site = site_of(e, sites);
      Making& goids = making_[i];
      std::sort(goids.old.begin(), goids.old.end());
      std::sort(goids.now.begin(), goids.now.end());
      std::set_intersection(goids.old.begin(), goids.old.end(), goids.now.begin(), goids.now.end(),
                            std::back_inserter(e.stayed));
    }
    sort();
    return std::move(d_);
  }

 private:
  struct Making {  // what only the making of an entry needs
    std::vector<uint64_t> old, now;
    bool several_waits = false;
  };

  bool ignored(const std::vector<Frame>& stack, const Frame& creator) const {
    const auto matches = [](const Pattern& p, const Frame& f) {
      return p.matches(f.function) || p.matches(f.file);
    };
    return std::any_of(ignore_.begin(), ignore_.end(), [&](const Pattern& p) {
      return matches(p, creator) ||
             std::any_of(stack.begin(), stack.end(), [&](const Frame& f) { return matches(p, f); });
    });
  }

  static void append(std::string& key, std::string_view text) { key.append(text).append(1, '\0'); }
  void append(std::string& key, const Frame& f, bool line) const {
    append(key, f.function);
    append(key, f.file);
    append(key, line ? std::to_string(f.line) : "");
  }

  // What a group is, but for its wait.
  std::string key_of(const Group& g, const Diff::Entry& e) const {
    std::string key(1, g.thread ? 't' : 'g');
    for (const Frame& f : e.stack) append(key, f, d_.by_lines && !runs(g));
    append(key, "created");
    if (creator_places_) {
      append(key, e.created_by, d_.by_lines);
    } else {
      append(key, e.created_by.function);
    }
    append(key, encode::labels_text(e.labels));
    return key;
  }

  // Where a side does not know what the goroutines of a place wait for, they are that place's on
  // the other side, whatever these wait for.
  void find_unknown_waits(const Snapshot& s) {
    for (const Group& g : s.groups) {
      if (g.count > 0 && !is_wait_known(g)) unknown_waits_.insert(key_of(g, entry_of(s, g)));
    }
  }

  Diff::Entry entry_of(const Snapshot& s, const Group& g) const {
    Diff::Entry e;
    e.stack = shown_frames_of(s, g);
    e.truncated = encode::stack_of(s, g).truncated;
    e.thread = g.thread;
    if (d_.by_creator) e.created_by = frame_at(s, g.created_by);
    if (d_.by_labels) e.labels = g.labels;
    return e;
  }

  static std::optional<uint64_t> site_of(const Diff::Entry& e, const Sites& sites) {
    std::optional<uint64_t> one;
    for (const uint32_t g : e.now_groups) {
      const uint64_t id = sites.of_group(g).id;
      if (one && *one != id) return std::nullopt;
      one = id;
    }
    return one;
  }

  void add(const Snapshot& s, bool is_now) {
    for (uint32_t i = 0; i < s.groups.size(); ++i) {
      const Group& g = s.groups[i];
      if (g.count == 0) continue;
      Diff::Entry e = entry_of(s, g);
      const Frame creator = frame_at(s, g.created_by);
      if (!ignore_.empty() && ignored(e.stack, creator)) {
        ++d_.ignored;
        continue;
      }
      std::string key = key_of(g, e);
      const std::string wait = d_.by_wait && is_wait_known(g) ? wait_text(g) : "";
      const Frame frame_of_creator = e.created_by;
      const bool is_told = d_.by_wait && !unknown_waits_.contains(key);
      e.wait = wait;
      if (is_told) append(key, e.wait);

      const auto [known, is_new] = ids_.try_emplace(std::move(key), d_.entries.size());
      if (is_new) {
        d_.entries.push_back(std::move(e));
        making_.emplace_back();
      }
      Diff::Entry& entry = d_.entries[known->second];
      if (entry.created_by.file.empty()) entry.created_by = frame_of_creator;
      // Of waits that are not told apart the one that is known, where it is one.
      Making& all = making_[known->second];
      if (entry.wait.empty() && !all.several_waits) entry.wait = wait;
      if (!wait.empty() && wait != entry.wait) {
        all.several_waits = true;
        entry.wait.clear();
      }
      (is_now ? entry.now_groups : entry.old_groups).push_back(i);
      uint64_t& count = is_now ? entry.after : entry.before;
      count = encode::saturating_add(count, g.count);
      uint64_t& total = is_now ? d_.after : d_.before;
      total = encode::saturating_add(total, g.count);
      if (is_now) entry.oldest_ns = std::max(entry.oldest_ns, oldest(g));
      if (d_.same_process) {
        std::vector<uint64_t>& goids =
            is_now ? making_[known->second].now : making_[known->second].old;
        for (const Member& m : g.members) goids.push_back(m.goid);
      }
    }
  }

  static int64_t oldest(const Group& g) {
    int64_t oldest = g.oldest_ns;
    for (const Member& m : g.members) oldest = std::max(oldest, m.since_ns);
    return oldest;
  }

  Change change(uint64_t before, uint64_t after) const {
    const uint64_t by = before > after ? before - after : after - before;
    if (by < std::max<uint64_t>(options_.threshold, 1)) return Change::unchanged;
    if (before == 0) return Change::fresh;
    if (after == 0) return Change::gone;
    return after > before ? Change::grown : Change::shrunk;
  }

  void sort() {
    // In each class by size, then by what it is, so that the order is the same each time.
    const auto rank = [](const Diff::Entry& e) {
      return e.change == Change::unchanged ? 1 : e.after > e.before ? 0 : 2;
    };
    std::stable_sort(d_.entries.begin(), d_.entries.end(),
                     [&](const Diff::Entry& a, const Diff::Entry& b) {
                       if (rank(a) != rank(b)) return rank(a) < rank(b);
                       if (rank(a) == 0) return a.after - a.before > b.after - b.before;
                       if (rank(a) == 1) return a.after > b.after;
                       return a.before - a.after < b.before - b.after;
                     });
  }

  const DiffOptions& options_;
  std::vector<Pattern> ignore_;
  bool creator_places_ = true;  // creators are told apart by more than their functions
  Diff d_;
  std::vector<Making> making_;                     // by entry
  std::unordered_set<std::string> unknown_waits_;  // keys
  std::unordered_map<std::string, size_t> ids_;
};

}  // namespace

Diff diff(const Snapshot& old, const Snapshot& now, const DiffOptions& options) {
  return Differ(old, now, options).run(old, now);
}

size_t diff_bytes(const Snapshot& s) {
  const auto bytes_of_location = [&s](uint32_t row) {
    uint64_t bytes = sizeof(Frame);  // of one that shows its address
    if (row >= s.locations.size()) return bytes;
    for (const uint32_t f : s.locations[row].frames) {
      if (f >= s.frames.size()) continue;
      // Twice: as a frame, and in the key of the entry.
      bytes += sizeof(Frame) + 2 * (s.frames[f].function.size() + s.frames[f].file.size());
    }
    return bytes;
  };
  std::vector<uint64_t> stacks;
  stacks.reserve(s.stacks.size());
  for (const Stack& stack : s.stacks) {
    uint64_t bytes = 0;
    for (const uint32_t l : stack.locations) {
      bytes = encode::saturating_add(bytes, bytes_of_location(l));
    }
    stacks.push_back(bytes);
  }
  uint64_t all = 0;
  for (const Group& g : s.groups) {
    all = encode::saturating_add(all, sizeof(Diff::Entry) + bytes_of_location(g.created_by));
    if (g.stack < stacks.size()) all = encode::saturating_add(all, stacks[g.stack]);
  }
  return all;
}

Sides filter_sides(Snapshot old, Snapshot now, const Filter& f, const DiffOptions& options) {
  const Filter each{.query = f.query, .states = f.states, .labels = f.labels};
  const Filter entries{.packages = f.packages, .site = f.site};
  Sides sides{filter(std::move(old), each), filter(std::move(now), each)};
  if (entries.is_empty() && f.age_ns <= 0) return sides;

  DiffOptions all = options;
  all.ignore.clear();  // to be counted by whoever compares
  const GroupFilter of_old(sides.old, entries), of_now(sides.now, entries);
  std::vector<bool> keep_old(sides.old.groups.size()), keep_now(sides.now.groups.size());
  for (const Diff::Entry& e : diff(sides.old, sides.now, all).entries) {
    const auto passes = [](const GroupFilter& filter) {
      return [&filter](uint32_t group) { return filter.passes(group); };
    };
    if (f.age_ns > 0 && e.oldest_ns < f.age_ns) continue;
    if (!std::ranges::any_of(e.now_groups, passes(of_now)) &&
        !std::ranges::any_of(e.old_groups, passes(of_old))) {
      continue;
    }
    for (const uint32_t g : e.old_groups) keep_old[g] = true;
    for (const uint32_t g : e.now_groups) keep_now[g] = true;
  }
  return {keep_groups(std::move(sides.old), keep_old), keep_groups(std::move(sides.now), keep_now)};
}

bool fails(const Diff& d, FailOn on) {
  return std::any_of(d.entries.begin(), d.entries.end(), [on](const Diff::Entry& e) {
    if (e.change == Change::fresh) return on != FailOn::none;
    return e.change == Change::grown && on == FailOn::growth;
  });
}

}  // namespace weir::profiler
