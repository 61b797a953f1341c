// Proofs: what is certain, each goroutine once, with its evidence; and what must not be claimed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <set>
#include <string>

#include <weir/profiler/capture.h>
#include <weir/weir.h>

#include "capture_test_util.h"
#include "causes_test_util.h"
#include "zoo.h"

namespace weir::profiler {
namespace {

using ::testing::AllOf;
using testing::described;
using ::testing::Each;
using ::testing::ElementsAre;
using testing::finding_of;
using testing::has;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using testing::proven;
using testing::Scene;
using testing::site_of;
using testing::words_of;
using weir::testing::eventually;
using weir::testing::go_with_id;

TEST(Proven, NilChannelsBySiteAndDirection) {
  Scene s;
  s.waits(4, "send", "chan send (nil chan)", {}, 7 * Scene::kSecond);
  s.waits(3, "send", "chan send (nil chan)");
  s.waits(5, "receive", "chan receive (nil chan)");
  const auto all = proven(s.snapshot);
  ASSERT_EQ(all.size(), 2U);
  const Finding f = finding_of(all, 3);
  EXPECT_EQ(f.kind, Kind::nil_channel);
  EXPECT_EQ(f.certainty, Certainty::certain);
  EXPECT_EQ(f.count, 2U);
  EXPECT_THAT(f.goids, ElementsAre(3, 4));
  EXPECT_EQ(f.oldest_wait_ns, Scene::kLong);
  EXPECT_EQ(f.wait, "chan send (nil chan)");
  EXPECT_EQ(f.blocked_at.function, "send");
  EXPECT_EQ(f.created_by.function, "make");
  ASSERT_EQ(f.stack.size(), 1U);
  EXPECT_EQ(f.site, site_of(Sites(s.snapshot), s.snapshot, "send").id);
  EXPECT_EQ(f.cause, "2 goroutines wait to send on a nil channel, which never becomes ready.");
  EXPECT_THAT(f.evidence, ElementsAre("The longest wait has lasted 5m."));
  EXPECT_THAT(f.fix, HasSubstr("make_chan"));
  EXPECT_EQ(finding_of(all, 5).cause,
            "1 goroutine waits to receive from a nil channel, which never becomes ready.");
}

TEST(Proven, ANilChannelThatAContextCanEndIsNot) {
  Scene s;
  const uint32_t stack =
      s.stack({s.runtime_call(0x11, "weir::rt::cancellable_park::park"), s.place("receive")});
  s.waits(3, stack, "chan receive (nil chan)", {}, Scene::kLong);
  EXPECT_THAT(proven(s.snapshot), IsEmpty());
  EXPECT_THAT(described(s.snapshot, "receive").finding.cause, HasSubstr("a context alone"));
}

TEST(Proven, SelectWithoutCases) {
  Scene s;
  s.waits(3, "forever", "select (no cases)");
  s.waits(4, "choose", "select", Scene::object("chan", 1));
  const auto all = proven(s.snapshot);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].kind, Kind::select_no_cases);
  EXPECT_EQ(all[0].certainty, Certainty::certain);
}

// As a Go service ends its main; but who waits for a lock of main's waits for ever.
TEST(Proven, MainAndThreadsThatWaitForEverDoSoOnPurpose) {
  Scene s;
  s.waits(1, "main", "select (no cases)");
  s.waits(2, "thread", "select (no cases)");
  s.snapshot.groups.back().thread = true;
  s.locks(3, "lock", 1, 1);
  const auto all = proven(s.snapshot);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].kind, Kind::mutex);
  EXPECT_THAT(all[0].goids, ElementsAre(3));
}

TEST(Proven, AnOwnerThatHasExited) {
  Scene s;
  for (const uint64_t goid : {7, 8}) {
    s.locks(goid, "enter", 1, 5);
    s.last_object().owner_alive = false;
  }
  s.locks(9, "behind", 2, 7);  // 7 holds another lock
  const auto all = proven(s.snapshot);
  const Finding f = finding_of(all, 7);
  EXPECT_EQ(f.kind, Kind::mutex_forgotten_unlock);
  EXPECT_EQ(f.count, 2U);
  EXPECT_EQ(f.cause,
            "2 goroutines wait for a mutex whose owner, goroutine 5, has exited without unlocking "
            "it.");
  EXPECT_THAT(f.evidence,
              ElementsAre("2 goroutines wait for the mutex that goroutine 5 locked at lock1 "
                          "(lock1.cc:1); it has exited.",
                          "The longest wait has lasted 5m."));
  EXPECT_EQ(f.object.kind, "mutex");
  EXPECT_EQ(f.object.owner, 5U);
  EXPECT_EQ(f.object.count, 1U);
  const Finding behind = finding_of(all, 9);
  EXPECT_EQ(behind.kind, Kind::mutex_forgotten_unlock);
  EXPECT_NE(behind.site, f.site);
  EXPECT_THAT(behind.evidence[0], HasSubstr("held by goroutine 7, which waits at enter"));
}

TEST(Proven, ACycleIsOneFindingWhereverItsGoroutinesAre) {
  Scene s;
  s.locks(12, "transfer", 1, 7), s.locks(7, "audit", 2, 12);
  s.locks(20, "audit", 2, 12), s.locks(21, "list", 1, 7);  // behind it
  s.locks(30, "list", 3, 31);                              // of one that runs
  s.group(s.stack({s.place("run")}), "", {31});
  const auto all = proven(s.snapshot);
  ASSERT_EQ(all.size(), 2U);
  const Finding f = finding_of(all, 7);
  EXPECT_EQ(f.kind, Kind::deadlock);
  EXPECT_EQ(f.blocked_at.function, "audit");  // of the smallest goid
  EXPECT_THAT(f.goids, ElementsAre(7, 12, 20));
  EXPECT_EQ(f.cause,
            "2 goroutines wait for each other's locks in a circle, and 1 more waits behind "
            "deadlocked ones: none of them can ever go on.");
  EXPECT_EQ(
      f.evidence[0],
      "Goroutine 7 waits at audit (audit.cc:1) for the mutex that goroutine 12 holds since it "
      "locked it at lock2 (lock2.cc:1).");
  EXPECT_EQ(f.evidence[1],
            "Goroutine 12 waits at transfer (transfer.cc:1) for the mutex that goroutine 7 holds "
            "since it locked it at lock1 (lock1.cc:1).");
  EXPECT_EQ(f.object.count, 2U);
  const Finding behind = finding_of(all, 21);
  EXPECT_EQ(behind.kind, Kind::deadlock);
  EXPECT_EQ(behind.count, 1U);
  EXPECT_EQ(behind.cause, "1 goroutine waits for a lock of goroutines that are deadlocked.");
  EXPECT_FALSE(has(all, 30));
}

TEST(Proven, SelfDeadlocksAndCirclesAtOnePlace) {
  Scene s;
  s.locks(3, "again", 1, 3);
  EXPECT_EQ(proven(s.snapshot)[0].cause,
            "1 goroutine waits for a lock that it holds itself: it can never go on.");
  s.locks(4, "again", 2, 5), s.locks(5, "again", 3, 6), s.locks(6, "again", 4, 4);
  const auto all = proven(s.snapshot);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].count, 4U);
  EXPECT_THAT(all[0].cause, HasSubstr("themselves or each other"));
  EXPECT_THAT(all[0].evidence[0], HasSubstr("that it holds itself since it locked it at lock1"));
  EXPECT_THAT(all[0].evidence[3], HasSubstr("Goroutine 6 waits at again"));
}

TEST(Proven, EveryStuckGoroutineIsCountedOnceAndEvidenceIsBounded) {
  Scene s;
  constexpr uint64_t kMany = 500;
  for (uint64_t i = 0; i < kMany; ++i) s.locks(i + 1, "round", i, (i + 1) % kMany + 1);
  for (uint64_t i = 0; i < kMany; ++i) {
    s.locks(1000 + i, "gone", 1000 + i, 5000 + i);
    s.last_object().owner_alive = false;
  }
  for (uint64_t i = 0; i < kMany; ++i) s.locks(2000 + i, "behind", i, (i + 1) % kMany + 1);
  uint64_t count = 0;
  for (const Finding& f : proven(s.snapshot)) {
    count += f.count;
    EXPECT_LE(f.evidence.size(), 30U);
    EXPECT_EQ(f.goids.size(), Finding::kMaxGoids);
    EXPECT_THAT(words_of(f), HasSubstr(" more "));
  }
  EXPECT_EQ(count, 3 * kMany);
}

TEST(Proven, BehindAnOwnerThatWaitsOnANilChannel) {
  Scene s;
  s.waits(3, "receive", "chan receive (nil chan)");
  s.locks(4, "enter", 1, 3), s.locks(5, "enter", 2, 4);
  const Finding f = finding_of(proven(s.snapshot), 4);
  EXPECT_EQ(f.kind, Kind::mutex);
  EXPECT_EQ(f.certainty, Certainty::certain);
  EXPECT_EQ(f.count, 2U);
  EXPECT_EQ(f.cause, "2 goroutines wait for locks whose holders can never go on.");
  EXPECT_THAT(f.evidence[0], HasSubstr("held by goroutine 3, which waits at receive (receive.cc:1) "
                                       "[chan receive (nil chan)] for 5m; locked at lock1"));
}

// Goroutines are looked at one after the other: waits that did not overlap prove nothing.
TEST(Proven, WaitsThatBeganDuringTheCaptureAreNot) {
  Scene s;
  s.locks(1, "a", 1, 2), s.locks(2, "b", 2, 1, s.snapshot.duration_ns - 1);
  EXPECT_THAT(proven(s.snapshot), IsEmpty());
}

TEST(Proven, ReadersAreNotKnownByName) {
  Scene s;
  Object held_by_readers = Scene::object("rwmutex", 1);
  held_by_readers.readers = 2;
  s.waits(3, "write", "sync.RWMutex.Lock", held_by_readers);
  EXPECT_THAT(proven(s.snapshot), IsEmpty());
  // But a writer that waits for what it holds itself is known.
  Object held = Scene::object("rwmutex", 2);
  held.owner_goid = 4, held.owner_alive = true;
  s.waits(4, "read", "sync.RWMutex.RLock", held);
  const auto all = proven(s.snapshot);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].kind, Kind::deadlock);
  EXPECT_THAT(all[0].evidence[0], HasSubstr("RWMutex"));
}

// Plain threads that never used weir are not in a snapshot, and may send at any time.
TEST(Proven, ThatAllAreAsleepIsNotClaimed) {
  Scene s;
  s.waits(1, "receive", "chan receive", Scene::object("chan", 1));
  s.waits(2, "wait", "sync.WaitGroup.Wait", Scene::object("waitgroup", 2));
  EXPECT_THAT(proven(s.snapshot), IsEmpty());
}

TEST(Proven, WhatGoHasProved) {
  Scene s;
  s.waits(3, "send", "chan send", Scene::object("chan", 0));
  s.snapshot.groups[0].leaked = true;
  const auto all = proven(s.snapshot);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].kind, Kind::chan_send);
  EXPECT_EQ(all[0].certainty, Certainty::certain);
  EXPECT_THAT(words_of(all[0]), HasSubstr("goroutineleak"));
}

// Of a snapshot from elsewhere anything may be wrong.
TEST(Proven, IndexesThatPointNowhereArePassedOver) {
  Scene s;
  Member& m = s.locks(3, "enter", 1, 3);
  m.first_object = 77;
  s.locks(4, "enter", 1, 4).object_count = 9;
  s.snapshot.groups[0].stack = 99;
  s.snapshot.groups[1].created_by = 99;
  s.last_object().locked_at = 1234;
  for (const Finding& f : proven(s.snapshot)) EXPECT_NE(f.kind, Kind::nil_channel);
  const Sites sites(s.snapshot);
  for (const Site& site : sites.all())
    EXPECT_EQ(causes::describe(s.snapshot, site).finding.count, 1U);
}

// ---- live programs ----

WEIR_FOR_ALL_PROCS(ProvenLive);

// A capture of these alone: what former tests left for ever is at the same places.
Snapshot capture_of(const std::vector<uint64_t>& goids) {
  Snapshot s = capture();
  for (Group& g : s.groups) {
    std::erase_if(g.members, [&goids](const Member& m) {
      return std::find(goids.begin(), goids.end(), m.goid) == goids.end();
    });
    g.count = g.members.size();
  }
  std::erase_if(s.groups, [](const Group& g) { return g.count == 0; });
  return s;
}

// Polls until all of them are proven, and gives what is.
std::vector<Finding> proven_of(const std::vector<uint64_t>& goids) {
  std::vector<Finding> all;
  EXPECT_TRUE(eventually([&] {
    all = proven(capture_of(goids));
    return std::all_of(goids.begin(), goids.end(), [&](uint64_t g) { return has(all, g); });
  }));
  return all;
}
const Finding* in(const std::vector<Finding>& all, const std::string& function) {
  for (const Finding& f : all) {
    if (f.blocked_at.function == function) return &f;
  }
  return nullptr;
}

TEST_P(ProvenLive, ZooOfCertainLeaks) {
  run([] {
    zoo::start_nil_chan_send();
    zoo::start_nil_chan_receive();
    zoo::start_select_no_cases();
    zoo::start_mutex_forgotten_unlock();
    zoo::start_mutex_forgotten_unlock();
    std::vector<Finding> all;
    EXPECT_TRUE(eventually([&] {
      all = proven(capture());
      return in(all, "zoo::nil_chan_send") && in(all, "zoo::nil_chan_receive") &&
             in(all, "zoo::select_no_cases") && in(all, "zoo::mutex_forgotten_unlock");
    }));
    ASSERT_TRUE(in(all, "zoo::mutex_forgotten_unlock"));
    EXPECT_EQ(in(all, "zoo::nil_chan_send")->kind, Kind::nil_channel);
    EXPECT_EQ(in(all, "zoo::nil_chan_receive")->kind, Kind::nil_channel);
    EXPECT_EQ(in(all, "zoo::select_no_cases")->kind, Kind::select_no_cases);
    const Finding& f = *in(all, "zoo::mutex_forgotten_unlock");
    EXPECT_EQ(f.kind, Kind::mutex_forgotten_unlock);
    EXPECT_THAT(f.created_by.function, HasSubstr("zoo::start_mutex_forgotten_unlock"));
    EXPECT_THAT(words_of(f), HasSubstr("blocked.cc:"));
    EXPECT_THAT(words_of(f), HasSubstr("it has exited"));
    EXPECT_NE(f.object.owner, 0U);
  });
}

// n goroutines, each of which takes its lock, and then, when all have theirs, the next one's. They
// never go on: what they refer to is never freed.
struct Ring {
  explicit Ring(size_t n) : locks(n) { ready.add(static_cast<int>(n)); }
  std::vector<Mutex> locks;
  WaitGroup ready;
};
[[gnu::noinline]] void take_two(Ring* ring, size_t i) {
  ring->locks[i].lock();
  ring->ready.done();
  ring->ready.wait();
  ring->locks[(i + 1) % ring->locks.size()].lock();
}

TEST_P(ProvenLive, CyclesOfTwoAndThree) {
  run([] {
    for (const size_t n : {2, 3}) {
      auto* ring = new Ring(n);
      std::vector<uint64_t> goids;
      for (size_t i = 0; i < n; ++i) {
        goids.push_back(go_with_id([ring, i] { take_two(ring, i); }));
      }
      const Finding f = finding_of(proven_of(goids), goids[0]);
      EXPECT_EQ(f.kind, Kind::deadlock);
      EXPECT_EQ(f.count, n);
      EXPECT_THAT(f.blocked_at.function, HasSubstr("take_two"));
      for (const uint64_t goid : goids) {
        EXPECT_THAT(words_of(f), HasSubstr("Goroutine " + std::to_string(goid) + " waits at "));
        EXPECT_THAT(words_of(f), HasSubstr("goroutine " + std::to_string(goid) + " holds since"));
      }
    }
  });
}

[[gnu::noinline]] void lock_twice(Mutex* m) {
  m->lock();
  m->lock();
}

TEST_P(ProvenLive, SelfDeadlock) {
  run([] {
    auto* m = new Mutex;
    const uint64_t goid = go_with_id([m] { lock_twice(m); });
    const Finding f = finding_of(proven_of({goid}), goid);
    EXPECT_EQ(f.kind, Kind::deadlock);
    EXPECT_THAT(words_of(f), HasSubstr("that it holds itself since it locked it at "));
  });
}

[[gnu::noinline]] void receive_for_ever(Mutex* m) {
  m->lock();
  chan<int>().recv();
}
[[gnu::noinline]] void enter(Mutex* m) { m->lock(); }

TEST_P(ProvenLive, BehindAHolderOnANilChannel) {
  run([] {
    auto* m = new Mutex;
    const uint64_t holder = go_with_id([m] { receive_for_ever(m); });
    ASSERT_TRUE(weir::testing::waits(holder, introspect::WaitReason::chan_receive_nil));
    const uint64_t goid = go_with_id([m] { enter(m); });
    const auto all = proven_of({holder, goid});
    EXPECT_EQ(finding_of(all, holder).kind, Kind::nil_channel);
    EXPECT_EQ(finding_of(all, goid).kind, Kind::mutex);
  });
}

// Whatever is known of its stack: a stripped program has no names of functions, nor has text of
// ours names of the runtime's.
TEST_P(ProvenLive, ANilChannelThatAContextCanEndIsNot) {
  run([] {
    auto [ctx, cancel] = with_cancel(Context());
    const uint64_t receiver = go_with_id([ctx = ctx] { (void)chan<int>().recv(ctx); });
    const uint64_t sender = go_with_id([ctx = ctx] { (void)chan<int>().send(ctx, 1); });
    const uint64_t for_ever = go_with_id([] { (void)chan<int>().recv(Context()); });
    for (const uint64_t goid : {receiver, sender}) {
      ASSERT_TRUE(weir::testing::waits(goid, introspect::WaitReason::select));
    }
    ASSERT_TRUE(weir::testing::waits(for_ever, introspect::WaitReason::chan_receive_nil));
    Snapshot s = capture();
    for (Frame& f : s.frames) f.function = "0x1234";
    for (const Finding& f : proven(s)) {
      EXPECT_THAT(f.goids, AllOf(Each(Not(receiver)), Each(Not(sender))));
    }
    cancel();
  });
}

// Locks under load: whoever waits is served soon, and nothing is proven of it.
TEST_P(ProvenLive, BusyLocksAreNever) {
  run([] {
    Mutex a, b;
    WaitGroup all;
    std::atomic<bool> stop{false};
    std::set<uint64_t> goids;
    for (int i = 0; i < 8; ++i) {
      all.add(1);
      goids.insert(go_with_id([&] {
        while (!stop.load()) {
          const std::scoped_lock hold(a, b);
          gosched();
        }
        all.done();
      }));
    }
    for (int i = 0; i < weir::testing::scaled(100); ++i) {
      for (const Finding& f : proven(capture())) {
        for (const uint64_t goid : f.goids) EXPECT_FALSE(goids.contains(goid)) << words_of(f);
      }
      gosched();
    }
    stop.store(true);
    all.wait();
  });
}

}  // namespace
}  // namespace weir::profiler
