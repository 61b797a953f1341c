// What the tests of capture share: functions in which goroutines are met, one goroutine of a
// snapshot, and what holds of every snapshot.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <weir/profiler/capture.h>
#include <weir/weir.h>

#include "test_util.h"

// Where goroutines are met: functions that are not inlined, with names to look for.
namespace spotted {

[[gnu::noinline]] inline void receive(weir::chan<int> c) { c.recv(); }
[[gnu::noinline]] inline void lock(weir::Mutex& m) { std::scoped_lock hold(m); }
[[gnu::noinline]] inline void spin(const std::atomic<bool>& stop, std::atomic<bool>& spins) {
  spins = true;
  while (!stop.load(std::memory_order_relaxed)) {
  }
}
[[gnu::noinline]] inline char read_blocking(int fd) {
  return weir::blocking([fd] {
    char c = 0;
    return read(fd, &c, 1) == 1 ? c : '?';
  });
}

}  // namespace spotted

namespace weir::profiler {

// One goroutine in a snapshot.
struct Found {
  const Snapshot* s = nullptr;
  const Group* group = nullptr;
  const Member* member = nullptr;
  explicit operator bool() const { return member != nullptr; }

  const Stack& stack() const { return s->stacks[group->stack]; }
  std::vector<std::string> functions() const {
    std::vector<std::string> names;
    for (const uint32_t l : stack().locations) {
      for (const uint32_t f : s->locations[l].frames) names.push_back(s->frames[f].function);
    }
    return names;
  }
  bool calls(std::string_view function) const {
    const std::vector<std::string> names = functions();
    return std::find(names.begin(), names.end(), function) != names.end();
  }
  const Object& object() const { return s->objects.at(member->first_object); }
};

inline Found find(const Snapshot& s, uint64_t goid) {
  Found found;
  for (const Group& g : s.groups) {
    for (const Member& m : g.members) {
      if (m.goid != goid) continue;
      EXPECT_EQ(found.member, nullptr) << "goroutine " << goid << " is there twice";
      found = {&s, &g, &m};
    }
  }
  return found;
}

inline const Frame& innermost(const Snapshot& s, uint32_t location) {
  return s.frames.at(s.locations.at(location).frames.at(0));
}
// The frame that the place belongs to in the user's eyes: the first that is not the runtime's.
inline const Frame& user_frame(const Snapshot& s, uint32_t location) {
  for (const uint32_t f : s.locations.at(location).frames) {
    if (!s.frames[f].runtime) return s.frames[f];
  }
  return innermost(s, location);
}

// What holds of every snapshot.
inline void expect_sound(const Snapshot& s) {
  std::set<uint64_t> goids;
  uint64_t total = 0;
  for (size_t i = 0; i < s.groups.size(); ++i) {
    const Group& g = s.groups[i];
    EXPECT_EQ(g.count, g.members.size());
    EXPECT_GT(g.count, 0U);
    if (i > 0) {
      EXPECT_GE(s.groups[i - 1].count, g.count);
    }
    if (!g.thread) total += g.count;
    ASSERT_LT(g.stack, s.stacks.size());
    EXPECT_EQ(g.wait_reason.empty(), g.state != State::waiting);
    for (const Member& m : g.members) {
      EXPECT_TRUE(goids.insert(m.goid).second) << "goroutine " << m.goid << " is there twice";
      EXPECT_LT(m.name, s.strings.size());
      EXPECT_LE(size_t{m.first_object} + m.object_count, s.objects.size());
      EXPECT_GE(m.objects_total, m.object_count);
    }
    EXPECT_TRUE(std::is_sorted(g.members.begin(), g.members.end(),
                               [](const Member& a, const Member& b) { return a.goid < b.goid; }));
  }
  EXPECT_EQ(s.total, total);
  for (const Stack& stack : s.stacks) {
    for (const uint32_t l : stack.locations) ASSERT_LT(l, s.locations.size());
  }
  for (const Location& l : s.locations) {
    EXPECT_FALSE(l.frames.empty());
    EXPECT_LE(l.mapping, s.mappings.size());
    for (const uint32_t f : l.frames) ASSERT_LT(f, s.frames.size());
  }
  for (const Frame& f : s.frames) EXPECT_FALSE(f.function.empty());
}

// Takes a snapshot and finds one goroutine that waits.
inline Found expect_waiting(const Snapshot& s, uint64_t goid, std::string_view reason,
                            std::string_view function, std::string_view object) {
  const Found f = find(s, goid);
  EXPECT_TRUE(f) << reason;
  if (!f) return f;
  EXPECT_EQ(f.group->state, State::waiting);
  EXPECT_EQ(f.group->wait_reason, reason);
  EXPECT_EQ(f.group->object_kind, object);
  EXPECT_TRUE(f.calls(function)) << reason << ": " << ::testing::PrintToString(f.functions());
  EXPECT_FALSE(f.stack().truncated) << reason;
  EXPECT_GE(f.member->since_ns, 0);
  return f;
}

}  // namespace weir::profiler
