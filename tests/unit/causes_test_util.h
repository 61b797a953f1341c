// For tests of causes: goroutines that wait for objects, built by hand, and one Finding among many.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <weir/profiler/finding.h>
#include <weir/profiler/sites.h>

#include "detect/causes.h"
#include "snapshot_builder.h"

namespace weir::profiler::testing {

// Builds goroutines of which each has a group and an object of its own.
class Scene : public SnapshotBuilder {
 public:
  static constexpr int64_t kSecond = 1'000'000'000;  // ns
  static constexpr int64_t kLong = 300 * kSecond;

  Scene() { snapshot.duration_ns = 1'000'000; }

  // A place in the user's code.
  uint32_t place(const std::string& function, int line = 1) {
    return call(0x1000 + static_cast<uint64_t>(line), function, "src/" + function + ".cc", line, 1);
  }
  // Waits in `function`, for an object if it has a kind. References are good until the next one.
  Member& waits(uint64_t goid, const std::string& function, const std::string& reason,
                Object o = {}, int64_t since_ns = kLong) {
    return waits(goid, stack({runtime_call(0x10, "weir::rt::gopark"), place(function)}), reason,
                 std::move(o), since_ns);
  }
  Member& waits(uint64_t goid, uint32_t stack, const std::string& reason, Object o,
                int64_t since_ns) {
    Group& g = group(stack, reason, {goid});
    g.object_kind = o.kind;
    g.created_by = maker_;
    g.oldest_ns = g.wait_ns = since_ns;
    Member& m = g.members[0];
    m.since_ns = since_ns;
    if (!o.kind.empty()) {
      m.first_object = static_cast<uint32_t>(snapshot.objects.size());
      m.object_count = m.objects_total = 1;
      snapshot.objects.push_back(std::move(o));
    }
    return m;
  }
  Member& locks(uint64_t goid, const std::string& function, uint64_t lock, uint64_t owner,
                int64_t since_ns = kLong) {
    Object o = object("mutex", 0x5000 + lock);
    o.owner_goid = owner;
    o.owner_alive = true;
    o.locked_at = place("lock" + std::to_string(lock));
    return waits(goid, function, "sync.Mutex.Lock", std::move(o), since_ns);
  }
  Object& last_object() { return snapshot.objects.back(); }

  static Object object(const std::string& kind, uint64_t address) {
    Object o;
    o.kind = kind;
    o.address = address;
    return o;
  }

 private:
  const uint32_t maker_ = place("make");
};

inline std::vector<Finding> proven(const Snapshot& s) { return causes::proven(s, Sites(s)); }

// All goroutines at the site of the first group that waits in `function`.
inline const Site& site_of(const Sites& sites, const Snapshot& s, const std::string& function) {
  for (uint32_t g = 0; g < s.groups.size(); ++g) {
    if (blocked_at(s, s.groups[g]).function == function) return sites.of_group(g);
  }
  ADD_FAILURE() << "nobody is in " << function;
  return sites.all().front();
}
inline causes::Description described(const Snapshot& s, const std::string& function) {
  const Sites sites(s);
  return causes::describe(s, site_of(sites, s, function));
}

// The one that has this goroutine; it must be the only one.
inline Finding finding_of(const std::vector<Finding>& all, uint64_t goid) {
  const Finding* found = nullptr;
  for (const Finding& f : all) {
    if (std::find(f.goids.begin(), f.goids.end(), goid) == f.goids.end()) continue;
    EXPECT_EQ(found, nullptr) << "goroutine " << goid << " is in two findings";
    found = &f;
  }
  EXPECT_NE(found, nullptr) << "goroutine " << goid << " is in no finding";
  return found ? *found : Finding{};
}
inline bool has(const std::vector<Finding>& all, uint64_t goid) {
  return std::any_of(all.begin(), all.end(), [goid](const Finding& f) {
    return std::find(f.goids.begin(), f.goids.end(), goid) != f.goids.end();
  });
}

// All that it says, a line each.
inline std::string words_of(const Finding& f) {
  std::string all = f.cause + "\n";
  for (const std::string& sentence : f.evidence) all.append(sentence + "\n");
  return all + f.fix + "\n";
}

}  // namespace weir::profiler::testing
