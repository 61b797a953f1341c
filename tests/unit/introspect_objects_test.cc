// Introspection: what a goroutine waits for, and what is known of that object.

#include <weir/introspect.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <utility>

#include "test_util.h"

namespace weir::testing {
namespace {

using namespace std::chrono_literals;
using introspect::Object;
using introspect::ObjectKind;
using introspect::WaitReason;

WEIR_FOR_ALL_PROCS(IntrospectObjects);

// --- what a goroutine waits for ---

// The one object of a goroutine that is parked for `reason`.
Object object_of(uint64_t goid, WaitReason reason, ObjectKind kind) {
  EXPECT_TRUE(waits(goid, reason));
  auto look = look_at(goid);
  if (!look) return {};
  EXPECT_EQ(look->g.object_count, 1u);
  EXPECT_EQ(look->g.objects_total, 1u);
  EXPECT_EQ(look->g.objects[0].kind, kind);
  EXPECT_NE(look->g.objects[0].made_pc, nullptr);
  return look->g.objects[0];
}

TEST_P(IntrospectObjects, AReceiverShowsItsChannel) {
  run([] {
    auto ch = make_chan<int>(3);
    for (int i = 0; i < 5; i++) {
      ch.send(i);
      ch.recv();
    }
    WaitGroup wg;
    wg.add(1);
    uint64_t id = go_with_id([&, ch] {
      ch.recv();
      wg.done();
    });
    Object o = object_of(id, WaitReason::chan_receive, ObjectKind::chan);
    EXPECT_EQ(o.address, ch.core());
    EXPECT_FALSE(o.send);
    EXPECT_FALSE(o.closed);
    EXPECT_EQ(o.cap, 3u);
    EXPECT_EQ(o.len, 0u);
    EXPECT_EQ(o.sends, 5u);
    EXPECT_EQ(o.recvs, 5u);
    EXPECT_EQ(o.handles, 2u) << "main's and the goroutine's";
    EXPECT_EQ(o.owner_goid, 0u);
    EXPECT_EQ(o.counter, 0);
    ch.send(9);
    wg.wait();
  });
}

TEST_P(IntrospectObjects, ASenderShowsItsChannel) {
  run([] {
    for (size_t cap : {0, 2}) {
      auto ch = make_chan<int>(cap);
      for (size_t i = 0; i < cap; i++) ch.send(1);
      WaitGroup wg;
      wg.add(1);
      uint64_t id = go_with_id([&, ch] {
        ch.send(7);
        wg.done();
      });
      Object o = object_of(id, WaitReason::chan_send, ObjectKind::chan);
      EXPECT_EQ(o.address, ch.core());
      EXPECT_TRUE(o.send);
      EXPECT_EQ(o.cap, cap);
      EXPECT_EQ(o.len, cap);
      EXPECT_EQ(o.sends, cap) << "completed ones";
      EXPECT_EQ(o.recvs, 0u);
      for (size_t i = 0; i <= cap; i++) ch.recv();
      wg.wait();
    }
  });
}

TEST_P(IntrospectObjects, ASelectShowsItsChannels) {
  run([] {
    auto a = make_chan<int>(), b = make_chan<int>(4);
    for (int i = 0; i < 4; i++) b.send(i);
    WaitGroup wg;
    wg.add(1);
    uint64_t id = go_with_id([&, a, b] {
      select(on_recv(a), on_send(b, 1));
      wg.done();
    });
    ASSERT_TRUE(waits(id, WaitReason::select));
    introspect::Goroutine g = look_at(id)->g;
    ASSERT_EQ(g.objects_total, 2u);
    ASSERT_EQ(g.object_count, 2u);
    std::sort(g.objects, g.objects + 2,
              [](const Object& x, const Object& y) { return x.cap < y.cap; });
    EXPECT_EQ(g.objects[0].address, a.core());
    EXPECT_FALSE(g.objects[0].send);
    EXPECT_EQ(g.objects[1].address, b.core());
    EXPECT_TRUE(g.objects[1].send);
    EXPECT_EQ(g.objects[1].len, 4u);
    a.send(1);
    wg.wait();
  });
}

template <size_t... I>
void receive_from_any(const std::array<chan<int>, sizeof...(I)>& chans, std::index_sequence<I...>) {
  select(on_recv(chans[I])...);
}

TEST_P(IntrospectObjects, ASelectOverMoreThanIsRecordedSaysSo) {
  static constexpr size_t kChans = introspect::kMaxObjects + 4;
  run([] {
    std::array<chan<int>, kChans> chans;
    for (auto& ch : chans) ch = make_chan<int>();
    WaitGroup wg;
    wg.add(1);
    uint64_t id = go_with_id([&] {
      receive_from_any(chans, std::make_index_sequence<kChans>());
      wg.done();
    });
    ASSERT_TRUE(waits(id, WaitReason::select));
    introspect::Goroutine g = look_at(id)->g;
    EXPECT_EQ(g.objects_total, kChans);
    EXPECT_EQ(g.object_count, introspect::kMaxObjects);
    std::set<const void*> distinct;
    for (size_t i = 0; i < g.object_count; i++) {
      EXPECT_EQ(g.objects[i].kind, ObjectKind::chan);
      distinct.insert(g.objects[i].address);
    }
    EXPECT_EQ(distinct.size(), introspect::kMaxObjects);
    chans[kChans - 1].send(1);
    wg.wait();
  });
}

TEST_P(IntrospectObjects, AMutexShowsItsOwner) {
  run([] {
    Mutex mu;
    auto release = make_chan<int>();
    WaitGroup wg;
    wg.add(2);
    uint64_t owner = go_with_id([&, release] {
      mu.lock();
      release.recv();
      mu.unlock();
      wg.done();
    });
    ASSERT_TRUE(waits(owner, WaitReason::chan_receive));
    uint64_t waiter = go_with_id([&] {
      std::scoped_lock hold(mu);
      wg.done();
    });
    Object o = object_of(waiter, WaitReason::mutex_lock, ObjectKind::mutex);
    EXPECT_EQ(o.address, &mu);
    EXPECT_EQ(o.owner_goid, owner);
    EXPECT_NE(o.lock_pc, nullptr);
    EXPECT_EQ(o.cap, 0u);
    release.send(1);
    wg.wait();
  });
}

TEST_P(IntrospectObjects, AnRWMutexShowsItsWriterAndItsReaders) {
  run([] {
    RWMutex rw;
    WaitGroup wg;
    wg.add(2);
    rw.lock();
    uint64_t reader = go_with_id([&] {
      std::shared_lock hold(rw);
      wg.done();
    });
    Object o = object_of(reader, WaitReason::rwmutex_rlock, ObjectKind::rwmutex);
    EXPECT_EQ(o.address, &rw);
    EXPECT_EQ(o.owner_goid, goid());
    EXPECT_NE(o.lock_pc, nullptr);
    rw.unlock();
    ASSERT_TRUE(eventually([&] { return !look_at(reader); }));
    rw.lock_shared();
    rw.lock_shared();
    uint64_t writer = go_with_id([&] {
      std::unique_lock hold(rw);
      wg.done();
    });
    o = object_of(writer, WaitReason::rwmutex_lock, ObjectKind::rwmutex);
    EXPECT_EQ(o.address, &rw);
    EXPECT_EQ(o.readers, 2u);
    EXPECT_NE(o.rlock_pc, nullptr);
    rw.unlock_shared();
    rw.unlock_shared();
    wg.wait();
  });
}

TEST_P(IntrospectObjects, AWaitGroupShowsItsTotals) {
  run([] {
    WaitGroup group, end;
    group.add(2);
    group.add(3);
    group.done();
    group.add(-1);
    end.add(1);
    uint64_t id = go_with_id([&] {
      group.wait();
      end.done();
    });
    Object o = object_of(id, WaitReason::waitgroup_wait, ObjectKind::waitgroup);
    EXPECT_EQ(o.address, &group);
    EXPECT_EQ(o.counter, 3);
    EXPECT_EQ(o.adds, 5u);
    EXPECT_EQ(o.dones, 2u);
    EXPECT_NE(o.add_pc, nullptr);
    EXPECT_NE(o.done_pc, nullptr);
    EXPECT_NE(o.add_pc, o.done_pc);
    group.add(-3);
    end.wait();
  });
}

TEST_P(IntrospectObjects, WaitsForNothingInParticular) {
  run([] {
    struct Case {
      uint64_t id;
      WaitReason reason;
    };
    for (Case c : {Case{go_with_id([] { chan<int>().recv(); }), WaitReason::chan_receive_nil},
                   Case{go_with_id([] { chan<int>().send(1); }), WaitReason::chan_send_nil},
                   Case{go_with_id([] { select(); }), WaitReason::select_no_cases},
                   Case{go_with_id([] { sleep_for(24h); }), WaitReason::sleep}}) {
      EXPECT_TRUE(waits(c.id, c.reason)) << to_string(c.reason);
      EXPECT_EQ(look_at(c.id)->g.objects_total, 0u) << to_string(c.reason);
    }
  });
}

}  // namespace
}  // namespace weir::testing
