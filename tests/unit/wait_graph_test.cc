// WaitGraph: what is put together, who is stuck and why, cycles of locks, and what a bound leaves.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>

#include <weir/profiler/draw.h>
#include <weir/profiler/error.h>
#include <weir/profiler/wait_graph.h>

#include "capture_test_util.h"
#include "reader_process.h"
#include "snapshot_builder.h"

namespace weir::profiler {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Stuck = WaitGraph::Stuck;
using Relation = WaitGraph::Relation;
using testing::SnapshotBuilder;

constexpr int64_t kLong = 5'000'000'000;  // ns
constexpr uint64_t kLocks = 0x1000;       // address of lock n: kLocks + n

// Builds goroutines that wait for locks and channels.
class Scene : public SnapshotBuilder {
 public:
  Scene() { snapshot.duration_ns = 1'000'000; }

  Member& waits(uint64_t goid, const std::string& function, const std::string& reason, Object o,
                int64_t since_ns = kLong) {
    const uint32_t at = call(0x10 + function.size(), function, "f.cc", 1, 1);
    Group& g = group(stack({at}), reason, {goid});
    g.object_kind = o.kind;
    g.members[0].since_ns = since_ns;
    g.members[0].first_object = static_cast<uint32_t>(snapshot.objects.size());
    g.members[0].object_count = g.members[0].objects_total = 1;
    snapshot.objects.push_back(std::move(o));
    return g.members[0];
  }
  Member& locks(uint64_t goid, uint64_t lock, uint64_t owner, int64_t since_ns = kLong,
                bool owner_alive = true) {
    Object o;
    o.kind = "mutex";
    o.address = kLocks + lock;
    o.owner_goid = owner;
    o.owner_alive = owner_alive;
    return waits(goid, "lock", "sync.Mutex.Lock", o, since_ns);
  }
  static Object chan(uint64_t address, uint64_t cap = 0) {
    Object o;
    o.kind = "chan";
    o.address = address;
    o.cap = cap;
    return o;
  }
};

std::vector<uint64_t> goids(const LockCycle& c) {
  std::vector<uint64_t> all;
  for (const auto& link : c.links) all.push_back(link.goid);
  return all;
}

const WaitGraph::Goroutines* of(const WaitGraph& g, uint64_t goid) {
  for (const auto& n : g.goroutines) {
    if (std::find(n.goids.begin(), n.goids.end(), goid) != n.goids.end()) return &n;
  }
  return nullptr;
}
Stuck stuck(const WaitGraph& g, uint64_t goid) {
  const auto* n = of(g, goid);
  EXPECT_TRUE(n) << goid;
  return n ? n->stuck : Stuck::no;
}

TEST(LockCycles, OfAnyLength) {
  Scene s;
  s.locks(1, 1, 2), s.locks(2, 2, 1);                          // two
  s.locks(3, 3, 3);                                            // itself
  s.locks(12, 4, 10), s.locks(10, 5, 11), s.locks(11, 6, 12);  // three
  s.locks(20, 1, 2);                                           // waits behind the first
  s.locks(30, 7, 31), s.locks(31, 8, 32);                      // a chain whose end runs
  const std::vector<LockCycle> cycles = lock_cycles(s.snapshot);
  ASSERT_EQ(cycles.size(), 3U);
  EXPECT_THAT(goids(cycles[0]), ElementsAre(1, 2));
  EXPECT_THAT(goids(cycles[1]), ElementsAre(3));
  EXPECT_THAT(goids(cycles[2]), ElementsAre(10, 11, 12));
  EXPECT_EQ(s.snapshot.objects[cycles[2].links[0].object].address, kLocks + 5);
}

TEST(LockCycles, ALongOneNeedsNoStack) {
  Scene s;
  constexpr uint64_t kMany = 200'000;
  const uint32_t stack = s.stack({s.call(0x10, "lock", "f.cc", 1, 1)});
  Group& g = s.counted(stack, "sync.Mutex.Lock", kMany);
  g.object_kind = "mutex";
  for (uint64_t i = 0; i < kMany; ++i) {
    Object o;
    o.kind = "mutex";
    o.address = kLocks + i;
    o.owner_goid = (i + 1) % kMany + 1;
    o.owner_alive = true;
    s.snapshot.objects.push_back(o);
    Member& m = g.members.emplace_back();
    m.goid = i + 1;
    m.since_ns = kLong;
    m.first_object = static_cast<uint32_t>(i);
    m.object_count = 1;
  }
  const std::vector<LockCycle> cycles = lock_cycles(s.snapshot);
  ASSERT_EQ(cycles.size(), 1U);
  EXPECT_EQ(cycles[0].links.size(), kMany);
}

// Goroutines are looked at one after the other: two waits that did not overlap are no deadlock.
TEST(LockCycles, AWaitThatBeganDuringTheCaptureProvesNothing) {
  Scene s;
  s.locks(1, 1, 2), s.locks(2, 2, 1, s.snapshot.duration_ns - 1);
  EXPECT_THAT(lock_cycles(s.snapshot), IsEmpty());
  const WaitGraph g = wait_graph(s.snapshot);
  EXPECT_EQ(stuck(g, 1), Stuck::no);
  for (const auto& e : g.edges) EXPECT_FALSE(e.cycle);
  s.snapshot.groups[1].members[0].since_ns = -1;  // not known
  EXPECT_THAT(lock_cycles(s.snapshot), IsEmpty());
}

TEST(LockCycles, ReadersAndSelectsAreNone) {
  Scene s;
  Member& m = s.locks(1, 1, 2);
  s.locks(2, 2, 1);
  s.snapshot.objects[m.first_object].owner_goid = 0;  // held by readers, not known by whom
  EXPECT_THAT(lock_cycles(s.snapshot), IsEmpty());
}

TEST(WaitGraph, AlikeIsOneNodeAndManyChannelsAreOneDiamond) {
  Scene s;
  const uint32_t made = s.call(0x99, "make", "m.cc", 4, 1);
  for (uint64_t i = 1; i <= 20; ++i) {
    Object o = Scene::chan(0x100 + i);
    o.made_at = made;
    o.send = true;
    o.sends = i;
    s.waits(i, "work", "chan send", o);
  }
  Object other = Scene::chan(0x900, 4);
  other.made_at = made;
  s.waits(30, "work", "chan send", other);
  const WaitGraph g = wait_graph(s.snapshot);
  ASSERT_EQ(g.goroutines.size(), 1U);
  EXPECT_EQ(g.goroutines[0].count, 21U);
  EXPECT_EQ(g.goroutines[0].goids.size(), 8U);
  EXPECT_EQ(g.goroutines[0].oldest_ns, kLong);
  ASSERT_EQ(g.objects.size(), 2U);  // another capacity is another shape
  EXPECT_EQ(g.objects[0].count, 20U);
  EXPECT_EQ(g.objects[0].made_at.function, "make");
  ASSERT_EQ(g.edges.size(), 2U);
  EXPECT_EQ(g.edges[0].count, 20U);
  EXPECT_EQ(g.edges[0].what, "send");
  EXPECT_EQ(g.total, 21U);
  EXPECT_EQ(g.shown, 21U);
}

TEST(WaitGraph, OneObjectThatManyWaitForCountsOnceAndSelectsCountGoroutines) {
  Scene s;
  for (uint64_t i = 1; i <= 5; ++i) s.waits(i, "work", "chan receive", Scene::chan(0x100));
  // A select over two channels alike is one goroutine that waits for that diamond.
  Member& m = s.waits(9, "choose", "select", Scene::chan(0x201));
  s.snapshot.objects.push_back(Scene::chan(0x202));
  m.object_count = m.objects_total = 2;
  const WaitGraph g = wait_graph(s.snapshot);
  ASSERT_EQ(g.objects.size(), 1U);
  EXPECT_EQ(g.objects[0].count, 3U);
  ASSERT_EQ(g.edges.size(), 2U);
  EXPECT_EQ(g.edges[0].count, 5U);
  EXPECT_EQ(g.edges[1].count, 1U);
}

TEST(WaitGraph, ACycleIsRedAndThoseBehindItAreNotPartOfIt) {
  Scene s;
  s.locks(1, 1, 2), s.locks(2, 2, 1), s.locks(7, 1, 2), s.locks(8, 3, 9);
  s.group(s.stack({s.call(0x70, "run", "r.cc", 1, 1)}), "", {9, 10});
  const WaitGraph g = wait_graph(s.snapshot);
  EXPECT_EQ(g.cycles, 1U);
  EXPECT_EQ(stuck(g, 1), Stuck::lock_cycle);
  EXPECT_EQ(of(g, 1), of(g, 2));  // they stand at the same place
  EXPECT_EQ(of(g, 1)->count, 2U);
  EXPECT_EQ(stuck(g, 7), Stuck::behind);
  EXPECT_EQ(stuck(g, 8), Stuck::no);
  EXPECT_EQ(of(g, 9)->count, 1U);  // the owner alone, not who stands beside it
  EXPECT_EQ(g.unrelated, 1U);
  uint64_t red = 0;
  for (const auto& e : g.edges) {
    if (!e.cycle) continue;
    const bool waits = e.relation == Relation::waits_for;
    EXPECT_EQ(g.goroutines[waits ? e.from : e.to].stuck, Stuck::lock_cycle);
    EXPECT_EQ(g.objects[waits ? e.to : e.from].stuck, Stuck::lock_cycle);
    red += e.count;
  }
  EXPECT_EQ(red, 4U);  // two waits, two locks held
}

// Cycles that stand at the same places, but differ, must not seem to be one.
TEST(WaitGraph, OnlyCyclesAlikeArePutTogether) {
  Scene s;
  const uint32_t stack = s.stack({s.call(0x10, "lock", "f.cc", 1, 1)});
  Group& all = s.counted(stack, "sync.Mutex.Lock", 0);
  all.object_kind = "mutex";
  const auto lock = [&](uint64_t goid, uint64_t lock, uint64_t owner) {
    Object o;
    o.kind = "mutex";
    o.address = kLocks + lock;
    o.owner_goid = owner;
    o.owner_alive = true;
    Member& m = all.members.emplace_back();
    m.goid = goid;
    m.since_ns = kLong;
    m.first_object = static_cast<uint32_t>(s.snapshot.objects.size());
    m.object_count = 1;
    ++all.count;
    s.snapshot.objects.push_back(o);
  };
  lock(1, 1, 2), lock(2, 2, 1);                 // a pair
  lock(3, 3, 4), lock(4, 4, 3);                 // another
  lock(5, 5, 6), lock(6, 6, 7), lock(7, 7, 5);  // and three
  const WaitGraph g = wait_graph(s.snapshot);
  EXPECT_EQ(g.cycles, 3U);
  ASSERT_EQ(g.goroutines.size(), 2U);
  EXPECT_EQ(of(g, 1), of(g, 3));
  EXPECT_NE(of(g, 1), of(g, 5));
  ASSERT_EQ(g.objects.size(), 2U);
  ASSERT_EQ(g.edges.size(), 4U);
  for (const auto& e : g.edges) {
    EXPECT_TRUE(e.cycle);
    EXPECT_EQ(e.count, g.goroutines[e.relation == Relation::waits_for ? e.from : e.to].count);
  }
}

TEST(WaitGraph, AnOwnerThatIsGoneIsANodeOfItsOwn) {
  Scene s;
  s.locks(1, 1, 77, kLong, false), s.locks(2, 1, 77, kLong, false), s.locks(3, 2, 78, kLong, false);
  const WaitGraph g = wait_graph(s.snapshot);
  EXPECT_EQ(stuck(g, 3), Stuck::owner_gone);
  ASSERT_EQ(g.gone.size(), 1U);
  EXPECT_THAT(g.gone[0].goids, ElementsAre(77, 78));
  const auto held = std::find_if(g.edges.begin(), g.edges.end(), [](const auto& e) {
    return e.relation == Relation::held_by_gone;
  });
  ASSERT_NE(held, g.edges.end());
  EXPECT_EQ(held->count, 2U);
}

TEST(WaitGraph, WhoWaitsForSomebodyStuckIsStuck) {
  Scene s;
  s.group(s.stack({s.call(0x70, "nil", "r.cc", 1, 1)}), "chan receive (nil chan)", {5})
      .members[0]
      .since_ns = kLong;
  s.locks(6, 1, 5), s.locks(7, 2, 6), s.locks(8, 3, 7);
  WaitGraph g = wait_graph(s.snapshot);
  EXPECT_EQ(stuck(g, 5), Stuck::nil_channel);
  for (const uint64_t goid : {6, 7, 8}) EXPECT_EQ(stuck(g, goid), Stuck::behind) << goid;
  // It may have given the lock back since its waiter was looked at.
  s.snapshot.groups[0].members[0].since_ns = 0;
  g = wait_graph(s.snapshot);
  EXPECT_EQ(stuck(g, 5), Stuck::nil_channel);
  EXPECT_EQ(stuck(g, 6), Stuck::no);
}

TEST(WaitGraph, ReasonsAloneTellOfDumpsOfOthers) {
  SnapshotBuilder b;
  b.counted(b.stack({b.call(0x10, "main.a", "a.go", 1, 1)}), "select (no cases)", 3);
  b.counted(b.stack({b.call(0x20, "main.b", "a.go", 2, 1)}), "semacquire", 2);
  b.counted(b.stack({b.call(0x30, "main.c", "a.go", 3, 1)}), "sleep", 1);
  const WaitGraph g = wait_graph(b.snapshot);
  ASSERT_EQ(g.goroutines.size(), 2U);
  EXPECT_EQ(g.goroutines[0].stuck, Stuck::no_cases);
  EXPECT_EQ(g.goroutines[1].stuck, Stuck::no);
  EXPECT_EQ(g.unrelated, 1U);
  EXPECT_THAT(g.edges, IsEmpty());
}

TEST(WaitGraph, FocusKeepsOwnersAndIgnoreDrops) {
  Scene s;
  s.locks(1, 1, 2);
  s.waits(2, "hold", "chan send", Scene::chan(0x100));
  s.waits(3, "other", "chan send", Scene::chan(0x200));
  WaitGraph g = wait_graph(s.snapshot, {.focus = "lock"});
  EXPECT_TRUE(of(g, 1));
  EXPECT_TRUE(of(g, 2));
  EXPECT_FALSE(of(g, 3));
  EXPECT_EQ(g.dropped, 1U);
  EXPECT_THAT(g.filters, ElementsAre("focus=lock"));
  g = wait_graph(s.snapshot, {.ignore = "hold"});
  EXPECT_FALSE(of(g, 2));
  EXPECT_TRUE(of(g, 3));
  EXPECT_THROW(wait_graph(s.snapshot, {.focus = "("}), error);
}

TEST(WaitGraph, TheBoundKeepsStuckOnesAndLargeOnesAndTellsTheRest) {
  Scene s;
  for (uint64_t i = 1; i <= 60; ++i) {
    Object o = Scene::chan(0x100 + i);
    o.made_at = s.call(0x500 + i, "make", "m.cc", 4, 1);
    s.waits(i, "work" + std::to_string(i), "chan send", o);
  }
  s.locks(101, 1, 102), s.locks(102, 2, 101);
  const WaitGraph g = wait_graph(s.snapshot, {.nodecount = 12});
  EXPECT_LE(g.goroutines.size() + g.objects.size() + g.gone.size(), 12U);
  EXPECT_EQ(g.goroutines[0].stuck, Stuck::lock_cycle);
  EXPECT_EQ(g.shown + g.folded, 62U);
  EXPECT_GT(g.folded_nodes, 50U);
  for (const auto& e : g.edges) {
    const bool waits = e.relation == Relation::waits_for;
    EXPECT_LT(e.from, (waits ? g.goroutines.size() : g.objects.size()));
    EXPECT_LT(e.to, (waits ? g.objects.size() : g.goroutines.size()));
  }
}

TEST(WaitGraph, IndexesThatPointNowhereArePassedOver) {
  Scene s;
  Member& m = s.locks(1, 1, 2);
  m.first_object = 4'000'000'000U;
  m.object_count = 4'000'000'000U;
  s.snapshot.groups[0].created_by = 77;
  s.snapshot.groups[0].stack = 99;
  EXPECT_EQ(wait_graph(s.snapshot).total, 1U);
}

// ---- of real goroutines ----

[[gnu::noinline]] void first_then_second(Mutex& a, Mutex& b, WaitGroup& both) {
  a.lock();
  both.done();
  both.wait();
  b.lock();
}
[[gnu::noinline]] void receive_for_a_while(chan<int> never, Context ctx) { (void)never.recv(ctx); }

TEST(WaitGraph, ADeadlockOfRealGoroutinesAndANilChannelThatAContextEnds) {
  weir::run([] {
    // For ever: they stay when run ends.
    auto* a = new Mutex;
    auto* b = new Mutex;
    auto* both = new WaitGroup;
    both->add(2);
    weir::go([=] { first_then_second(*a, *b, *both); });
    weir::go([=] { first_then_second(*b, *a, *both); });
    const auto [ctx, cancel] = with_cancel(background());
    weir::go([ctx = ctx] { receive_for_a_while({}, ctx); });
    WaitGraph g;
    const auto has = [&g](Stuck stuck, const char* function) {
      for (const auto& n : g.goroutines) {
        for (const Frame& f : n.stack) {
          if (n.stuck == stuck && f.function.find(function) != std::string::npos) return true;
        }
      }
      return false;
    };
    EXPECT_TRUE(weir::testing::eventually([&] {
      g = wait_graph(capture());
      return g.cycles >= 1 && has(Stuck::no, "receive_for_a_while");
    }));
    EXPECT_TRUE(has(Stuck::lock_cycle, "first_then_second"));
    EXPECT_FALSE(has(Stuck::nil_channel, "receive_for_a_while"));
    cancel();
  });
}

// ---- in words ----

TEST(WaitGraphText, ReadsAsSentences) {
  Scene s;
  s.locks(4, 1, 77, kLong, false), s.locks(5, 1, 77, kLong, false);
  Object o = Scene::chan(0x100, 2);
  o.len = 2;
  o.sends = 5;
  o.recvs = 3;
  o.send = true;
  o.made_at = s.call(0x99, "make", "m.cc", 4, 1);
  s.waits(6, "work", "chan send", o);
  const WaitGraph g = wait_graph(s.snapshot);
  EXPECT_EQ(
      testing::written([](const WaitGraph& w, const Sink& sink) { return write_text(w, sink); }, g),
      R"(zoo: 3 goroutines, 3 shown

2 goroutines, sync.Mutex.Lock, up to 5s: for ever: the lock's owner has exited
  at lock f.cc:1
  goroutines 4, 5
  wait for one mutex (held by goroutine 77, which has exited)
    was held by goroutine 77, exited

1 goroutine, chan send, 5s
  at work f.cc:1
  goroutine 6
  wait to send on one channel made by make m.cc:4 (cap 2, 2 queued, 5 sent, 3 received)
)");
}

}  // namespace
}  // namespace weir::profiler
