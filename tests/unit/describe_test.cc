// Descriptions: what a site's goroutines wait for, in words and numbers; and how suspicious that
// is.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include <weir/profiler/capture.h>
#include <weir/weir.h>

#include "capture_test_util.h"
#include "causes_test_util.h"

namespace weir::profiler {
namespace {

using causes::Suspicion;
using ::testing::AllOf;
using ::testing::Contains;
using testing::described;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using testing::Scene;
using testing::site_of;
using ::testing::StartsWith;
using testing::words_of;

Object channel(uint64_t address, uint64_t handles = 2) {
  Object o = Scene::object("chan", address);
  o.handles = handles;
  return o;
}
Suspicion suspicion(const Scene& s, const std::string& function) {
  const Sites sites(s.snapshot);
  const Site& site = site_of(sites, s.snapshot, function);
  EXPECT_EQ(causes::describe(s.snapshot, site).suspicion, causes::suspicion(s.snapshot, site));
  return causes::suspicion(s.snapshot, site);
}

TEST(Describe, SendersOnOneChannel) {
  Scene s;
  Object o = channel(0x100);
  o.made_at = s.place("main", 12);
  o.send = true, o.cap = 2, o.len = 2, o.sends = 7, o.recvs = 5;
  for (const uint64_t goid : {3, 4, 5}) {
    s.waits(goid, "work", "chan send", o, static_cast<int64_t>(goid) * Scene::kSecond);
  }
  const auto [f, level] = described(s.snapshot, "work");
  EXPECT_EQ(level, Suspicion::plain);
  EXPECT_EQ(f.kind, Kind::chan_send);
  EXPECT_EQ(f.certainty, Certainty::suspect);
  EXPECT_EQ(f.cause, "3 goroutines wait to send on a channel from which nobody receives.");
  EXPECT_EQ(f.evidence[0],
            "The channel: cap 2, 2 queued, 7 sent, 5 received, made at main (main.cc:12).");
  EXPECT_EQ(f.evidence[1], "The longest wait has lasted 5s.");
  EXPECT_EQ(f.object.count, 1U);
  EXPECT_EQ(f.object.made_at.function, "main");
  EXPECT_EQ(f.object.detail, "cap 2, 2 queued, 7 sent, 5 received");
  EXPECT_THAT(f.goids, ::testing::ElementsAre(3, 4, 5));
}

TEST(Describe, ReceiversEachOnAChannelOfWhichNobodyElseHasAHandle) {
  Scene s;
  for (uint64_t i = 10; i < 40; ++i) s.waits(i, "ask", "chan receive", channel(i, i < 38 ? 1 : 2));
  const auto [f, level] = described(s.snapshot, "ask");
  EXPECT_EQ(f.kind, Kind::chan_receive);
  EXPECT_EQ(level, Suspicion::strong);
  EXPECT_EQ(f.cause, "30 goroutines wait to receive from channels on which nobody sends.");
  EXPECT_EQ(f.object.count, 30U);
  EXPECT_EQ(f.goids.size(), Finding::kMaxGoids);
  EXPECT_EQ(f.goids.front(), 10U);
  EXPECT_THAT(words_of(f), HasSubstr("28 of the 30 channels have a single handle left"));
}

// A handle that was captured by reference is shared by those that have none of their own.
TEST(Describe, OneHandleThatSeveralShareIsNothingSpecial) {
  Scene s;
  s.waits(10, "ask", "chan receive", channel(7, 1));
  EXPECT_EQ(suspicion(s, "ask"), Suspicion::strong);
  s.waits(11, "ask", "chan receive", channel(7, 1));
  EXPECT_EQ(suspicion(s, "ask"), Suspicion::plain);
}

TEST(Describe, TheFirstGoroutineMayWaitForTheEnd) {
  Scene s;
  s.waits(1, "main", "chan receive", channel(7, 1));
  EXPECT_EQ(suspicion(s, "main"), Suspicion::plain);
}

TEST(Describe, TheWaitThatIsOldestDecides) {
  Scene s;
  s.waits(10, "ask", "chan receive", channel(7, 1), Scene::kSecond);
  s.waits(11, "ask", "chan receive", channel(8, 2), Scene::kLong);
  EXPECT_EQ(suspicion(s, "ask"), Suspicion::plain);
}

TEST(Describe, Timers) {
  Scene s;
  Object tick = channel(7, 1);
  tick.timer = tick.armed = true;
  s.waits(10, "loop", "chan receive", tick);
  EXPECT_EQ(suspicion(s, "loop"), Suspicion::plain);
  EXPECT_EQ(described(s.snapshot, "loop").finding.cause,
            "1 goroutine waits for timers or tickers that will fire.");
  tick.armed = false;
  s.waits(11, "stopped", "chan receive", tick);
  EXPECT_EQ(suspicion(s, "stopped"), Suspicion::strong);
  EXPECT_EQ(described(s.snapshot, "stopped").finding.cause,
            "1 goroutine waits for the tick of a timer that is stopped.");
}

TEST(Describe, SelectsTellTheirCases) {
  Scene s;
  Object events = channel(1), done = channel(2);
  events.made_at = s.place("subscribe", 4);
  events.recvs = events.sends = 9;
  done.send = true;
  Member& m = s.waits(10, "loop", "select", events);
  s.snapshot.objects.push_back(done);
  m.object_count = m.objects_total = 2;
  const auto [f, level] = described(s.snapshot, "loop");
  EXPECT_EQ(level, Suspicion::plain);
  EXPECT_EQ(f.kind, Kind::select);
  EXPECT_EQ(f.cause, "1 goroutine waits in a select none of whose cases becomes ready.");
  EXPECT_EQ(f.evidence[0],
            "A case receives from a channel: cap 0, 9 sent, 9 received, made at subscribe "
            "(subscribe.cc:4).");
  EXPECT_EQ(f.evidence[1], "A case sends on a channel: cap 0, 0 sent, 0 received.");
  EXPECT_EQ(f.object.count, 2U);
  s.snapshot.objects[0].handles = s.snapshot.objects[1].handles = 1;
  EXPECT_EQ(suspicion(s, "loop"), Suspicion::strong);
  s.snapshot.groups[0].members[0].objects_total = 9;  // not all were recorded
  EXPECT_EQ(suspicion(s, "loop"), Suspicion::plain);
}

TEST(Describe, LocksSayWhoHasThemAndWhatItDoes) {
  Scene s;
  s.locks(10, "enter", 1, 20);
  s.waits(20, "ask", "chan receive", channel(7));
  const auto [f, level] = described(s.snapshot, "enter");
  EXPECT_EQ(level, Suspicion::plain);
  EXPECT_EQ(f.kind, Kind::mutex);
  EXPECT_EQ(f.cause, "1 goroutine waits for a mutex that goroutine 20 holds.");
  EXPECT_EQ(f.evidence[0],
            "The mutex: held by goroutine 20, which waits at ask (ask.cc:1) [chan receive] for 5m; "
            "locked at lock1 (lock1.cc:1).");
  EXPECT_EQ(f.object.owner, 20U);
  ASSERT_EQ(f.object.places.size(), 1U);
  EXPECT_EQ(f.object.places[0].first, "locked");

  Object rw = Scene::object("rwmutex", 3);
  rw.readers = 2, rw.rlocked_at = s.place("list", 8);
  s.waits(11, "write", "sync.RWMutex.Lock", rw);
  const Finding w = described(s.snapshot, "write").finding;
  EXPECT_EQ(w.kind, Kind::rwmutex);
  EXPECT_EQ(w.cause, "1 goroutine waits for an RWMutex that 2 readers hold.");
  EXPECT_THAT(w.evidence[0], HasSubstr("the last at list (list.cc:8); which goroutines they are"));
}

TEST(Describe, WaitGroupsTellTotalsAndWhoIsLeft) {
  Scene s;
  Object o = Scene::object("waitgroup", 5);
  o.counter = 1, o.adds = 3, o.dones = 2;
  o.added_at = s.place("start", 5), o.done_at = s.place("finish", 6);
  s.waits(10, "join", "sync.WaitGroup.Wait", o);
  s.waits(20, "work", "chan receive", channel(1)).parent_goid = 10;
  const auto [f, level] = described(s.snapshot, "join");
  EXPECT_EQ(level, Suspicion::plain);
  EXPECT_EQ(f.kind, Kind::waitgroup);
  EXPECT_THAT(f.cause, HasSubstr("whose counter is 1"));
  EXPECT_EQ(f.evidence[0],
            "The WaitGroup: Add has counted 3, the last at start (start.cc:5); Done 2, the last at "
            "finish (finish.cc:6); the counter is 1.");
  EXPECT_THAT(words_of(f), Not(HasSubstr("No goroutine is left")));
  s.snapshot.groups[1].members[0].parent_goid = 11;
  EXPECT_THAT(words_of(described(s.snapshot, "join").finding), HasSubstr("No goroutine is left"));
}

TEST(Describe, CondsAndSemaphores) {
  Scene s;
  Object cond = Scene::object("cond", 5);
  cond.waiters = 4;
  s.waits(10, "await", "sync.Cond.Wait", cond);
  const Finding c = described(s.snapshot, "await").finding;
  EXPECT_EQ(c.kind, Kind::cond);
  EXPECT_EQ(c.evidence[0], "The Cond: 4 waiting, never signalled.");
  Object semaphore = Scene::object("semaphore", 6);
  semaphore.cap = semaphore.len = 2, semaphore.waiters = 1, semaphore.signals = 9;
  semaphore.signalled_at = s.place("leave", 3);
  s.waits(11, "acquire", "semacquire", semaphore);
  const Finding f = described(s.snapshot, "acquire").finding;
  EXPECT_EQ(f.kind, Kind::semaphore);
  EXPECT_EQ(f.evidence[0],
            "The semaphore: 2 of 2 taken, 1 waiting, 9 releases, the last at leave (leave.cc:3).");
  EXPECT_EQ(suspicion(s, "await"), Suspicion::plain);
  EXPECT_EQ(suspicion(s, "acquire"), Suspicion::plain);
}

TEST(Describe, BodiesTellTheirRequests) {
  Scene s;
  Object o = Scene::object("http_body", 5);
  o.method = s.text("GET"), o.url = s.text("http://a/status"), o.status = 200;
  o.made_at = s.place("poll", 4);
  s.waits(10, "hand_over", "select", o);
  o.address = 6;
  s.waits(11, "hand_over", "select", o);
  o.address = 7, o.url = s.text("http://b/");
  s.waits(12, "hand_over", "select", o);
  const auto [f, level] = described(s.snapshot, "hand_over");
  EXPECT_EQ(level, Suspicion::strong);
  EXPECT_EQ(f.kind, Kind::http_body);
  EXPECT_EQ(f.object.method, "GET");
  EXPECT_EQ(f.object.status, 200);
  EXPECT_EQ(f.object.count, 3U);
  EXPECT_EQ(f.evidence[0],
            "2 responses to GET http://a/status, status 200, requested at poll (poll.cc:4).");
  EXPECT_EQ(f.evidence[1],
            "1 response to GET http://b/, status 200, requested at poll (poll.cc:4).");
  // Who reads the body waits for the server.
  s.waits(13, "read", "chan receive", o);
  EXPECT_EQ(described(s.snapshot, "read").finding.kind, Kind::io_wait);
  EXPECT_EQ(suspicion(s, "read"), Suspicion::weak);
}

TEST(Describe, RunnersCountFromFiveSeconds) {
  Scene s;
  Member& m = s.waits(10, "spin", "", {}, 4 * Scene::kSecond);
  EXPECT_EQ(suspicion(s, "spin"), Suspicion::healthy);
  m.since_ns = s.snapshot.groups[0].oldest_ns = 12 * Scene::kSecond;
  EXPECT_EQ(suspicion(s, "spin"), Suspicion::strong);
  const Finding f = described(s.snapshot, "spin").finding;
  EXPECT_EQ(f.kind, Kind::spinning);
  EXPECT_EQ(f.cause, "1 goroutine has run for up to 12s without a call into the runtime.");
  EXPECT_EQ(f.wait, "running");
  s.snapshot.groups[0].state = State::runnable;
  EXPECT_EQ(suspicion(s, "spin"), Suspicion::weak);
  // A plain thread "runs" while it is anywhere but in a wait of weir's.
  s.snapshot.groups[0].state = State::running;
  s.snapshot.groups[0].thread = true;
  EXPECT_EQ(suspicion(s, "spin"), Suspicion::healthy);
  EXPECT_THAT(described(s.snapshot, "spin").finding.cause, StartsWith("1 thread "));
}

TEST(Describe, SleepersReadersAndCalls) {
  Scene s;
  s.waits(10, "pause", "sleep");
  EXPECT_EQ(suspicion(s, "pause"), Suspicion::plain);
  EXPECT_EQ(described(s.snapshot, "pause").finding.kind, Kind::sleep);
  EXPECT_THAT(words_of(described(s.snapshot, "pause").finding), HasSubstr("longest sleep"));
  Object o = Scene::object("io", 5);
  o.fd = 9, o.network = s.text("tcp"), o.local = s.text("127.0.0.1:80");
  s.waits(11, "serve", "IO wait", o);
  EXPECT_EQ(suspicion(s, "serve"), Suspicion::healthy);  // listens
  o.remote = s.text("127.0.0.1:4711");
  s.waits(12, "read", "IO wait", o);
  EXPECT_EQ(suspicion(s, "read"), Suspicion::weak);
  const Finding f = described(s.snapshot, "read").finding;
  EXPECT_EQ(f.kind, Kind::io_wait);
  EXPECT_THAT(f.evidence[0], HasSubstr("fd 9, local 127.0.0.1:80, remote 127.0.0.1:4711"));
  s.waits(13, "call", "");
  s.snapshot.groups.back().state = State::syscall;
  EXPECT_EQ(suspicion(s, "call"), Suspicion::weak);
  EXPECT_EQ(described(s.snapshot, "call").finding.kind, Kind::syscall);
}

TEST(Describe, ForgottenContextsAreTiedOnlyWhereAllAre) {
  Scene s;
  const uint32_t stack =
      s.stack({s.runtime_call(0x11, "weir::rt::cancellable_park::park"), s.place("receive")});
  s.waits(10, stack, "chan receive", channel(7), Scene::kLong);
  s.waits(11, "other", "chan receive", channel(8));
  ContextGroup c;
  c.made_at = s.place("handle", 9);
  c.count = c.forgotten = 3, c.waiters = 1, c.oldest_ns = Scene::kLong;
  s.snapshot.contexts.push_back(c);
  EXPECT_EQ(suspicion(s, "receive"), Suspicion::strong);
  EXPECT_EQ(suspicion(s, "other"), Suspicion::plain);
  const std::string sentence =
      "3 of 3 contexts made at handle (handle.cc:9) are forgotten (no deadline, and no handle to "
      "cancel is left), the oldest for 5m; 1 goroutine is in a wait that such a context can end.";
  EXPECT_THAT(described(s.snapshot, "receive").finding.evidence, Contains(sentence));
  EXPECT_THAT(described(s.snapshot, "other").finding.evidence, Not(Contains(sentence)));
  EXPECT_THAT(causes::notes(s.snapshot), Contains(sentence));
  // Now one of the contexts can be cancelled, and it may be this one.
  s.snapshot.contexts[0].forgotten = 2;
  EXPECT_EQ(suspicion(s, "receive"), Suspicion::plain);
  EXPECT_THAT(described(s.snapshot, "receive").finding.evidence,
              Not(Contains(HasSubstr("2 of 3"))));
  EXPECT_THAT(causes::notes(s.snapshot), Contains(HasSubstr("2 of 3")));
  s.snapshot.contexts.clear();
  EXPECT_THAT(causes::notes(s.snapshot), IsEmpty());
}

TEST(Describe, CountsAloneSaySo) {
  Scene s;
  s.counted(s.stack({s.place("work")}), "chan send", 5000);
  s.snapshot.groups[0].object_kind = "chan";
  const auto [f, level] = described(s.snapshot, "work");
  EXPECT_EQ(level, Suspicion::plain);
  EXPECT_EQ(f.count, 5000U);
  EXPECT_EQ(f.oldest_wait_ns, -1);
  EXPECT_THAT(f.goids, IsEmpty());
  EXPECT_EQ(f.object.kind, "chan");
  EXPECT_EQ(f.object.count, 0U);
  EXPECT_THAT(f.evidence, Contains("The source has counts only: goroutine ids and times are not "
                                   "known."));
}

TEST(Describe, WhatIsNotToldIsNotMadeUp) {
  Scene s;
  s.counted(s.stack({s.place("work")}), "", 3).state = State::waiting;
  const auto [f, level] = described(s.snapshot, "work");
  EXPECT_EQ(level, Suspicion::weak);
  EXPECT_EQ(f.cause, "3 goroutines wait for something that the source does not tell.");
}

// A million goroutines at one site, and many sites: a few looks each.
TEST(Describe, SuspicionLooksAtAFewOnly) {
  Scene s;
  Group& g = s.counted(s.stack({s.place("work")}), "chan receive", 1'000'000);
  g.object_kind = "chan";
  g.members.resize(100);
  for (size_t i = 0; i < g.members.size(); ++i) {
    g.members[i].goid = i + 2;
    g.members[i].since_ns = i < 16 ? 1 : 2;
    g.members[i].first_object = static_cast<uint32_t>(i);
    g.members[i].object_count = g.members[i].objects_total = 1;
    s.snapshot.objects.push_back(channel(i + 1, i < 16 ? 2 : 1));
  }
  EXPECT_EQ(suspicion(s, "work"), Suspicion::plain);  // the 17th would be another
}

// ---- a live program ----

[[gnu::noinline]] void work_at(const chan<int>& jobs) { jobs.send(1); }

TEST(Describe, OfALiveProgram) {
  weir::run([] {
    auto jobs = make_chan<int>(1);
    const uint64_t goid = weir::testing::go_with_id([jobs] { work_at(jobs), work_at(jobs); });
    ASSERT_TRUE(weir::testing::waits(goid, introspect::WaitReason::chan_send));
    const Snapshot s = capture();
    const Found found = find(s, goid);
    ASSERT_TRUE(found);
    const Sites sites(s);
    const auto group = static_cast<uint32_t>(found.group - s.groups.data());
    const Finding f = causes::describe(s, sites.of_group(group)).finding;
    EXPECT_THAT(f.blocked_at.function, HasSubstr("work_at"));
    EXPECT_EQ(f.kind, Kind::chan_send);
    EXPECT_EQ(f.count, 1U);
    EXPECT_THAT(f.goids, Contains(goid));
    EXPECT_EQ(f.object.count, 1U);
    EXPECT_THAT(f.evidence[0], HasSubstr("cap 1, 1 queued, 1 sent, 0 received, made at "));
    EXPECT_THAT(f.object.made_at.file, HasSubstr("describe_test.cc"));
    EXPECT_THAT(f.created_by.file, HasSubstr("test_util.h"));
    jobs.recv(), jobs.recv();
  });
}

}  // namespace
}  // namespace weir::profiler
