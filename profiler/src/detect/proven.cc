// Proofs (causes.h): what wait records show to be for ever. Which waits these are is decided in
// wait_facts.h and lock_cycles.cc; here they are told.
//
// Not claimed, since a snapshot cannot prove it:
// - that everything is asleep: plain threads that never used weir are not in it, and any of them
// may
//   be about to send or unlock. The runtime, which knows its own threads, ends the process then.
// - cycles through readers of an RWMutex, Cond, WaitGroup, Semaphore and channels: who could end
//   these waits is not in the records.
#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "causes.h"
#include "crowd.h"
#include "encode.h"
#include "evidence.h"
#include "frames.h"
#include "kinds.h"
#include "wait_facts.h"
#include "wait_words.h"
#include "words.h"

namespace weir::profiler::causes {

namespace {

using Stuck = WaitFacts::Stuck;

constexpr size_t kMaxLinks = 16, kMaxLocks = 8;  // that are told one by one

std::string lock_word(const Object& o) { return o.kind == "rwmutex" ? "RWMutex" : "mutex"; }

std::string locked_at(const Snapshot& s, const Object& o) {
  const Frame at = frame_at(s, o.locked_at);
  return at.function.empty() ? "" : " at " + where(at);
}

// What becomes one Finding.
struct Case {
  struct Lock {
    const Object* object;
    uint64_t waiters;
  };
  explicit Case(const Snapshot& s) : crowd(s) {}

  Crowd crowd;
  std::vector<const LockCycle*> cycles;
  std::set<uint64_t> sites;        // of who is in the cycles
  uint64_t in_cycles = 0;          // goroutines
  uint64_t behind = 0;             // goroutines that wait behind stuck ones
  std::map<uint32_t, Lock> locks;  // by record that counts; of who waits and is in no cycle
  bool by_source = false;
};

class Prover {
 public:
  Prover(const Snapshot& s, const Sites& sites)
      : s_(s), sites_(sites), facts_(s, WaitFacts::Scope::locks) {
    if (facts_.cycles() > 0) cycles_ = lock_cycles(s);
  }

  std::vector<Finding> prove() {
    // First, since the smallest goid of a cycle stands for all in its Finding.
    for (const LockCycle& cycle : cycles_) add(cycle);
    for (const Site& site : sites_.all()) {
      for (const uint32_t g : site.groups) add(site, g);
    }
    std::vector<std::pair<Key, const Case*>> largest;
    for (const auto& [key, c] : cases_) largest.emplace_back(key, &c);
    std::stable_sort(largest.begin(), largest.end(), [](const auto& a, const auto& b) {
      return a.second->crowd.count() > b.second->crowd.count();
    });
    if (largest.size() > Findings::kMost) largest.resize(Findings::kMost);
    std::vector<Finding> all;
    for (const auto& [key, c] : largest) all.push_back(finding(key.first, key.second, *c));
    return all;
  }

 private:
  using Key = std::pair<uint64_t, Kind>;

  Case& of(uint64_t site, Kind kind) {
    return cases_.try_emplace(Key(site, kind), s_).first->second;
  }

  void add(const LockCycle& cycle) {
    Case& c = of(sites_.of_group(cycle.links.front().group).id, Kind::deadlock);
    c.cycles.push_back(&cycle);
    c.in_cycles += cycle.links.size();
    for (const LockCycle::Link& link : cycle.links) {
      c.crowd.add(link.group, link.member);
      c.sites.insert(sites_.of_group(link.group).id);
    }
  }

  void add(const Site& site, uint32_t index) {
    const Group& g = s_.groups[index];
    const Stuck by_reason = keeps_alive(g) ? Stuck::no : facts_.stuck_by_reason(g);
    if (by_reason != Stuck::no || g.leaked) {
      Case& c = of(site.id, kind_of(s_, g));
      c.crowd.add(index);
      c.by_source |= g.leaked;
      return;
    }
    if (g.object_kind != "mutex" && g.object_kind != "rwmutex") return;
    for (uint32_t m = 0; m < g.members.size(); ++m) add(site, index, m);
  }

  // Main, or a thread, that waits for ever does so on purpose, as a rule: the program goes on by
  // its other goroutines. (Go's own profile passes over main's, too.)
  bool keeps_alive(const Group& g) const {
    if (g.thread) return true;
    if (!g.members.empty()) return g.members.front().goid == 1;
    const std::vector<std::string_view> functions = functions_of(s_, g);
    return std::find(functions.begin(), functions.end(), "main.main") != functions.end();
  }

  // Who waits for a lock, and is in no cycle.
  void add(const Site& site, uint32_t index, uint32_t member) {
    const Group& g = s_.groups[index];
    const Member& m = g.members[member];
    const Stuck why = facts_.stuck(g, m);
    if (why != Stuck::owner_gone && why != Stuck::behind) return;
    const Stuck root = why == Stuck::behind ? facts_.root(m) : why;
    Case& c = of(site.id, root == Stuck::owner_gone   ? Kind::mutex_forgotten_unlock
                          : root == Stuck::lock_cycle ? Kind::deadlock
                                                      : kind_of(s_, g));
    c.crowd.add(index, member);
    c.behind += why == Stuck::behind;
    const Object* lock = facts_.lock_of(m);
    ++c.locks.try_emplace(index_of(*lock), Case::Lock{lock, 0}).first->second.waiters;
  }

  Finding finding(uint64_t site, Kind kind, const Case& c) const {
    Finding f = c.crowd.finding(site);
    f.kind = kind;
    f.certainty = Certainty::certain;
    std::copy_if(c.sites.begin(), c.sites.end(), std::back_inserter(f.other_sites),
                 [site](uint64_t id) { return id != site; });
    explain(c.crowd, f);
    if (kind == Kind::deadlock) {
      explain_deadlock(c, f);
    } else if (kind == Kind::mutex_forgotten_unlock) {
      explain_forgotten(c, f);
    } else if (c.behind > 0) {
      explain_behind(c, f);
    }
    if (c.by_source) {
      f.evidence.push_back(
          "Go's own goroutineleak profile has proved it: nothing that can still run reaches what "
          "they wait for.");
    }
    add_times(c.crowd, f);
    return f;
  }

  void explain_deadlock(const Case& c, Finding& f) const {
    const auto selves = static_cast<size_t>(std::count_if(
        c.cycles.begin(), c.cycles.end(), [](const LockCycle* l) { return l->links.size() == 1; }));
    if (c.in_cycles == 0) {
      f.cause = who(c.crowd, c.behind, "waits for a lock", "wait for locks") +
                " of goroutines that are deadlocked.";
    } else {
      f.cause = who(c.crowd, c.in_cycles, "waits for a lock that it holds itself",
                    selves == c.cycles.size() ? "wait for locks that they hold themselves"
                    : selves > 0 ? "wait for locks that they hold themselves or each other"
                    : c.cycles.size() == 1 ? "wait for each other's locks in a circle"
                                           : "wait for each other's locks in " +
                                                 std::to_string(c.cycles.size()) + " circles");
      if (c.behind > 0) {
        f.cause.append(", and " + std::to_string(c.behind) + " more wait" +
                       (c.behind == 1 ? "s" : "") + " behind deadlocked ones");
      }
      f.cause.append(f.count == 1 ? ": it can never go on." : ": none of them can ever go on.");
    }
    size_t told = 0;
    for (const LockCycle* cycle : c.cycles) {
      for (size_t i = 0; i < cycle->links.size(); ++i) {
        if (++told <= kMaxLinks) f.evidence.push_back(link_text(*cycle, i));
      }
    }
    if (told > kMaxLinks) {
      f.evidence.push_back(count_of(told - kMaxLinks, "more goroutine") + " in the same way.");
    }
    tell_locks(c, f);
    if (c.cycles.empty()) return;
    const uint32_t first = facts_.canonical(c.cycles.front()->links.front().object);
    f.object = object_of(s_, s_.objects[first]);
    f.object.count = told;  // each waits for another lock
    for (const auto& [object, lock] : c.locks) f.object.count += facts_.cycle_class(object) == 0;
  }

  uint32_t index_of(const Object& o) const { return static_cast<uint32_t>(&o - s_.objects.data()); }

  // "goroutine 7 waits at F (f.cc:3) for the mutex that goroutine 9 holds since it locked it at G".
  std::string link_text(const LockCycle& cycle, size_t i) const {
    const LockCycle::Link& link = cycle.links[i];
    const Object& lock = s_.objects[facts_.canonical(link.object)];
    std::string text = "Goroutine " + std::to_string(link.goid) + " waits";
    if (const Frame at = blocked_at(s_, s_.groups[link.group]); !at.function.empty()) {
      text.append(" at " + where(at));
    }
    text.append(" for the " + lock_word(lock) + " that ");
    text.append(cycle.links.size() == 1
                    ? "it holds itself"
                    : "goroutine " + std::to_string(lock.owner_goid) + " holds");
    const std::string at = locked_at(s_, lock);
    return text + (at.empty() ? "." : " since it locked it" + at + ".");
  }

  void explain_forgotten(const Case& c, Finding& f) const {
    const auto& [object, first] = *c.locks.begin();
    const std::string word = lock_word(*first.object);
    if (c.behind == f.count) {
      f.cause = who(c.crowd, f.count, "waits", "wait") +
                " behind goroutines whose locks' owners have exited without unlocking.";
    } else if (c.locks.size() == 1) {
      f.cause = who(c.crowd, f.count, "waits", "wait") + " for " +
                (word == "mutex" ? "a " : "an ") + word + " whose owner, goroutine " +
                std::to_string(first.object->owner_goid) + ", has exited without unlocking it.";
    } else {
      f.cause = who(c.crowd, f.count, "waits", "wait") +
                " for locks whose owners have exited without unlocking them.";
    }
    tell_locks(c, f);
  }

  void explain_behind(const Case& c, Finding& f) const {
    f.cause = who(c.crowd, f.count, "waits", "wait") + " for " +
              (c.locks.size() == 1 ? "a lock whose holder" : "locks whose holders") +
              " can never go on.";
    f.evidence.clear();  // of one lock alone
    tell_locks(c, f);
  }

  void tell_locks(const Case& c, Finding& f) const {
    size_t told = 0;
    for (const auto& [object, lock] : c.locks) {
      if (++told > kMaxLocks) continue;
      const Object& o = *lock.object;
      std::string text = who(c.crowd, lock.waiters, "waits", "wait") + " for the " + lock_word(o);
      if (const Frame made = frame_at(s_, o.made_at); !made.function.empty()) {
        text.append(" made at " + where(made));
      }
      const std::string at = locked_at(s_, o);
      if (o.owner_alive) {
        text.append(" that is held by " + owner_now(s_, o));
        if (!at.empty()) text.append("; locked" + at);
      } else {
        text.append(" that goroutine " + std::to_string(o.owner_goid) + " locked" + at +
                    "; it has exited");
      }
      f.evidence.push_back(text + ".");
    }
    if (told > kMaxLocks) {
      f.evidence.push_back(count_of(told - kMaxLocks, "more lock") + " in the same way.");
    }
  }

  const Snapshot& s_;
  const Sites& sites_;
  const WaitFacts facts_;
  std::vector<LockCycle> cycles_;
  std::map<Key, Case> cases_;
};

}  // namespace

std::vector<Finding> proven(const Snapshot& s, const Sites& sites) {
  return Prover(s, sites).prove();
}

}  // namespace weir::profiler::causes
