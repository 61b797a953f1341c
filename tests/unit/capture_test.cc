// Capture of the real scheduler: who waits where and for what, told truly, once, and with a stack
// to the function that the user wrote.
#include <weir/profiler/capture.h>

#include <gtest/gtest.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <weir/net.h>
#include <weir/weir.h>

#include "capture_test_util.h"

// Where goroutines are met: functions that are not inlined, with names to look for.
namespace spotted {

[[gnu::noinline]] void lock_and_forget(weir::Mutex& m) { m.lock(); }
weir::chan<int>* compared_on = nullptr;
[[gnu::noinline]] int compare(const void* a, const void* b) {
  compared_on->recv();
  return *static_cast<const int*>(a) - *static_cast<const int*>(b);
}
[[gnu::noinline]] void sort_with_libc() {
  std::array<int, 20> values{};
  std::qsort(values.data(), values.size(), sizeof(int), &compare);
}
[[gnu::noinline]] void for_each(weir::chan<int> c) {
  std::vector<int> values(3);
  std::for_each(values.begin(), values.end(), [&](int) { c.recv(); });
}
[[gnu::noinline]] void sort(weir::chan<int> c) {
  std::vector<int> values(100);
  std::sort(values.begin(), values.end(), [&](int a, int b) {
    c.recv();
    return a < b;
  });
}
[[gnu::noinline]] void deep(int n, const std::function<void()>& f) {  // NOLINT(misc-no-recursion)
  if (n == 0) {
    f();
  } else {
    deep(n - 1, f);
  }
  asm volatile("");  // no tail call
}

}  // namespace spotted

namespace weir::profiler {
namespace {

using introspect::WaitReason;
using weir::testing::eventually;
using weir::testing::go_with_id;
using weir::testing::waits;

WEIR_FOR_ALL_PROCS(Capture);

TEST_P(Capture, WalksThroughCodeWithoutFramePointers) {
  run([] {
    auto c = make_chan<int>();
    spotted::compared_on = &c;
    const uint64_t by_qsort = go_with_id([] { spotted::sort_with_libc(); });
    const uint64_t by_for_each = go_with_id([c] { spotted::for_each(c); });
    const uint64_t by_sort = go_with_id([c] { spotted::sort(c); });
    for (const uint64_t id : {by_qsort, by_for_each, by_sort}) {
      ASSERT_TRUE(waits(id, WaitReason::chan_receive));
    }
    const Snapshot s = capture();
    const Found f = expect_waiting(s, by_qsort, "chan receive", "spotted::sort_with_libc", "chan");
    ASSERT_TRUE(f);
    EXPECT_TRUE(f.calls("spotted::compare"));
    expect_waiting(s, by_for_each, "chan receive", "spotted::for_each", "chan");
    expect_waiting(s, by_sort, "chan receive", "spotted::sort", "chan");
    c.close();
    ASSERT_TRUE(weir::testing::settle());
  });
}

TEST_P(Capture, AsksRunningGoroutines) {
  run([] {
    std::atomic<bool> stop{false}, spins{false}, ended{false};
    std::atomic<uint64_t> id{0};
    // It keeps its processor; with one alone, sysmon takes that away after 10 ms.
    go([&] {
      id = goid();
      spotted::spin(stop, spins);
      ended = true;
    });
    ASSERT_TRUE(eventually([&] { return spins.load(); }));
    Snapshot s;
    Found f;
    // Its thread is not asked for long: on a busy machine it may not get a turn meanwhile.
    ASSERT_TRUE(eventually([&] {
      s = capture();
      expect_sound(s);
      f = find(s, id);
      return f && !f.stack().truncated;
    }));
    EXPECT_EQ(f.group->state, State::running);
    EXPECT_TRUE(f.calls("spotted::spin"));
    // The one that captures runs, too.
    f = find(s, goid());
    ASSERT_TRUE(f);
    EXPECT_EQ(f.group->state, State::running);
    EXPECT_TRUE(f.calls("weir::profiler::capture")) << ::testing::PrintToString(f.functions());
    stop = true;
    ASSERT_TRUE(eventually([&] { return ended.load(); }));
  });
}

TEST(CaptureStates, OneThatNeverRanIsRunnable) {
  weir::run(
      [] {
        auto c = make_chan<int>();
        Snapshot s;
        std::vector<Group>::const_iterator fresh;
        // A capture that takes over 10 ms, on a busy machine, loses its P, and the new one runs
        // and is one of a group with those before.
        for (int attempt = 0; attempt < 1000; ++attempt) {
          go({.name = "fresh" + std::to_string(attempt)}, [c] { spotted::receive(c); });
          s = capture();
          fresh = std::find_if(s.groups.begin(), s.groups.end(), [&](const Group& g) {
            return s.strings[g.members[0].name] == "fresh" + std::to_string(attempt);
          });
          if (fresh != s.groups.end() && fresh->state == State::runnable) break;
        }
        ASSERT_NE(fresh, s.groups.end());
        EXPECT_EQ(fresh->state, State::runnable);
        EXPECT_EQ(fresh->count, 1U);
        const Found f{&s, &*fresh, &fresh->members[0]};
        EXPECT_FALSE(f.stack().truncated);
        EXPECT_TRUE(f.calls("weir_gostart")) << ::testing::PrintToString(f.functions());
        EXPECT_GE(f.stack().locations.size(), 2U);  // and the function that it will run
        c.close();
        ASSERT_TRUE(weir::testing::settle());
      },
      Options{.maxprocs = 1});
}

TEST_P(Capture, ThousandsAlikeAreOneGroup) {
  run([] {
    const int n = weir::testing::scaled(5000);
    auto c = make_chan<int>();
    auto ids = make_chan<uint64_t>(static_cast<size_t>(n));
    for (int i = 0; i < n; ++i) {
      go([c, ids] {
        ids.send(goid());
        spotted::receive(c);
      });
    }
    std::vector<uint64_t> all;
    for (int i = 0; i < n; ++i) all.push_back(*ids.recv());
    const std::set<uint64_t> expected(all.begin(), all.end());
    ASSERT_TRUE(weir::testing::eventually([&] {  // one look at all, not one for each
      size_t waiting = 0;
      weir::testing::for_each_goroutine([&](const weir::testing::Look& look) {
        waiting += look.g.state == introspect::State::waiting &&
                   look.g.wait_reason == WaitReason::chan_receive && expected.contains(look.g.goid);
      });
      return waiting == expected.size();
    }));
    const Snapshot s = capture();
    expect_sound(s);
    std::set<uint64_t> met;
    std::set<uint32_t> creators;
    size_t groups = 0;
    for (const Group& g : s.groups) {
      if (!Found{&s, &g, &g.members[0]}.calls("spotted::receive")) continue;
      groups++;
      creators.insert(g.created_by);
      EXPECT_EQ(g.wait_reason, "chan receive");
      for (const Member& m : g.members) {
        met.insert(m.goid);
        // All wait for the same channel, whose record they share.
        EXPECT_EQ(s.objects[m.first_object].address, reinterpret_cast<uint64_t>(c.core()));
      }
    }
    for (const uint64_t id : all) EXPECT_TRUE(met.contains(id)) << id;
    EXPECT_EQ(creators.size(), 1U);
    EXPECT_EQ(groups, 1U);
    EXPECT_LE(s.objects.size(), 64U);
    c.close();
    ASSERT_TRUE(weir::testing::settle());
  });
}

TEST_P(Capture, TellsWhoIsLockedToItsThread) {
  run([] {
    auto ch = make_chan<int>(), done = make_chan<int>();
    const uint64_t goid = go_with_id([=] {
      lock_os_thread();
      spotted::receive(ch);
      unlock_os_thread();
      done.send(1);
    });
    ASSERT_TRUE(eventually([&] {
      const Snapshot s = capture();
      const Found found = find(s, goid);
      return found && found.group->state == State::waiting && found.group->locked;
    }));
    ch.close();
    done.recv();
  });
}

TEST_P(Capture, EveryParkedGoroutineOnceWhileOthersChurn) {
  run([] {
    auto c = make_chan<int>();
    std::vector<uint64_t> residents;
    for (int i = 0; i < 20; ++i) {
      residents.push_back(go_with_id([c] { spotted::receive(c); }));
    }
    for (const uint64_t id : residents) ASSERT_TRUE(waits(id, WaitReason::chan_receive));
    std::atomic<bool> stop{false};
    std::atomic<int> churners{0};
    for (int i = 0; i < 3; ++i) {
      churners++;
      go([&] {
        auto sync = make_chan<int>();
        while (!stop) {
          go([sync] { sync.send(1); });
          sync.recv();
        }
        churners--;
      });
    }
    for (int i = 0; i < weir::testing::scaled(40); ++i) {
      gosched();
      const Snapshot s = capture();
      expect_sound(s);
      for (const uint64_t id : residents) {
        expect_waiting(s, id, "chan receive", "spotted::receive", "chan");
      }
    }
    stop = true;
    ASSERT_TRUE(eventually([&] { return churners == 0; }));
    c.close();
    ASSERT_TRUE(weir::testing::settle());
  });
}

TEST_P(Capture, DeepStacksAreCutAndSaySo) {
  run([] {
    auto c = make_chan<int>();
    const GoOptions large{.stack_size = 1 << 20};
    auto ids = make_chan<uint64_t>(1);
    go(large, [c, ids] {
      ids.send(goid());
      spotted::deep(400, [c] { spotted::receive(c); });
    });
    const uint64_t id = *ids.recv();
    ASSERT_TRUE(waits(id, WaitReason::chan_receive));
    const Snapshot s = capture();
    const Found f = find(s, id);
    ASSERT_TRUE(f);
    EXPECT_TRUE(f.stack().truncated);
    EXPECT_EQ(f.stack().locations.size(), 256U);
    EXPECT_TRUE(f.calls("spotted::receive"));
    c.close();
    ASSERT_TRUE(weir::testing::settle());
  });
}

TEST_P(Capture, NamesAndCreators) {
  run([] {
    auto c = make_chan<int>();
    auto ids = make_chan<uint64_t>(1);
    go({.name = "the named one"}, [c, ids] {
      ids.send(goid());
      spotted::receive(c);
    });
    const uint64_t id = *ids.recv();
    ASSERT_TRUE(waits(id, WaitReason::chan_receive));
    const Snapshot s = capture();
    const Found f = find(s, id);
    ASSERT_TRUE(f);
    EXPECT_EQ(s.strings[f.member->name], "the named one");
    EXPECT_EQ(s.source, "weir");
    EXPECT_EQ(s.pid, getpid());
    EXPECT_FALSE(s.process.empty());
    EXPECT_GT(s.duration_ns, 0);
    EXPECT_GT(s.longest_hold_ns, 0);
    EXPECT_LT(s.longest_hold_ns, s.duration_ns);
    ASSERT_FALSE(s.mappings.empty());
    const Location& creator = s.locations[f.group->created_by];
    EXPECT_EQ(creator.mapping, 1U);  // the program itself
    EXPECT_TRUE(user_frame(s, f.group->created_by).file.ends_with("capture_test.cc"));
    c.close();
    ASSERT_TRUE(weir::testing::settle());
  });
}

// --- owners of locks ---

TEST_P(Capture, AnOwnerThatHasExitedIsDead) {
  run([] {
    static std::array<Mutex, 3> of_procs;  // they stay locked for ever
    Mutex& m = of_procs[static_cast<size_t>(gomaxprocs()) / 2];
    const uint64_t owner = go_with_id([&m] { spotted::lock_and_forget(m); });
    ASSERT_TRUE(eventually([owner] { return !weir::testing::look_at(owner); }));
    const uint64_t first = go_with_id([&m] { spotted::lock(m); });
    const uint64_t second = go_with_id([&m] { spotted::lock(m); });
    ASSERT_TRUE(waits(first, WaitReason::mutex_lock));
    ASSERT_TRUE(waits(second, WaitReason::mutex_lock));
    const Snapshot s = capture();
    for (const uint64_t id : {first, second}) {
      const Found f = expect_waiting(s, id, "sync.Mutex.Lock", "spotted::lock", "mutex");
      ASSERT_TRUE(f);
      EXPECT_EQ(f.object().owner_goid, owner);
      EXPECT_FALSE(f.object().owner_alive);
      ASSERT_NE(f.object().locked_at, kNone);
      EXPECT_EQ(user_frame(s, f.object().locked_at).function, "spotted::lock_and_forget");
    }
  });
}

TEST_P(Capture, AThreadThatOwnsALockIsAlive) {
  run([] {
    Mutex m;
    std::atomic<int> phase{0};
    std::thread owner([&] {
      m.lock();
      phase = 1;
      while (phase != 2) std::this_thread::yield();
      m.unlock();
    });
    ASSERT_TRUE(eventually([&] { return phase == 1; }));
    const uint64_t id = go_with_id([&m] { spotted::lock(m); });
    ASSERT_TRUE(waits(id, WaitReason::mutex_lock));
    const Snapshot s = capture();
    const Found f = expect_waiting(s, id, "sync.Mutex.Lock", "spotted::lock", "mutex");
    ASSERT_TRUE(f);
    EXPECT_NE(f.object().owner_goid, 0U);
    EXPECT_TRUE(f.object().owner_alive);
    EXPECT_FALSE(find(s, f.object().owner_goid))
        << "a thread that does not wait in weir is not shown";
    phase = 2;
    owner.join();
    ASSERT_TRUE(weir::testing::settle());
  });
}

// Locks that change hands all the time never have a dead owner.
TEST_P(Capture, NoOwnerIsCalledDeadWhileLocksAreHandedOver) {
  run([] {
    Mutex m;
    std::atomic<bool> stop{false};
    std::atomic<int> left{0};
    for (int i = 0; i < 4; ++i) {
      left++;
      go([&] {
        while (!stop) {
          WaitGroup wg;
          for (int j = 0; j < 3; ++j) {
            wg.go([&m] {
              std::scoped_lock hold(m);
              gosched();
            });
          }
          wg.wait();
        }
        left--;
      });
    }
    for (int i = 0; i < weir::testing::scaled(100); ++i) {
      gosched();
      const Snapshot s = capture();
      for (const Object& o : s.objects) {
        if (o.kind == "mutex" && o.address == reinterpret_cast<uint64_t>(&m)) {
          EXPECT_TRUE(o.owner_goid == 0 || o.owner_alive) << o.owner_goid;
        }
      }
    }
    stop = true;
    ASSERT_TRUE(eventually([&] { return left == 0; }));
  });
}

// --- plain threads ---

TEST_P(Capture, ThreadsThatWaitAreShownAndNotCounted) {
  run([] {
    auto c = make_chan<int>();
    std::atomic<uint64_t> id{0};
    std::thread thread([&] {
      id = goid();
      spotted::receive(c);
    });
    ASSERT_TRUE(eventually([&] {
      const auto look = id == 0 ? std::nullopt : weir::testing::look_at(id);
      return look && look->g.state == introspect::State::waiting;
    }));
    const Snapshot s = capture();
    expect_sound(s);
    const Found f = expect_waiting(s, id, "chan receive", "spotted::receive", "chan");
    ASSERT_TRUE(f);
    EXPECT_TRUE(f.group->thread);
    EXPECT_EQ(f.object().address, reinterpret_cast<uint64_t>(c.core()));
    c.close();
    thread.join();
  });
}

TEST_P(Capture, SeveralAtOnceFromPlainThreads) {
  run([] {
    auto c = make_chan<int>();
    std::vector<uint64_t> residents;
    for (int i = 0; i < 10; ++i) residents.push_back(go_with_id([c] { spotted::receive(c); }));
    for (const uint64_t id : residents) ASSERT_TRUE(waits(id, WaitReason::chan_receive));
    std::atomic<int> left{3};
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < weir::testing::scaled(20); ++i) {
          const Snapshot s = capture();
          expect_sound(s);
          for (const uint64_t id : residents) {
            expect_waiting(s, id, "chan receive", "spotted::receive", "chan");
          }
        }
        left--;
      });
    }
    ASSERT_TRUE(eventually([&] { return left == 0; }));
    for (std::thread& t : threads) t.join();
    c.close();
    ASSERT_TRUE(weir::testing::settle());
  });
}

}  // namespace
}  // namespace weir::profiler
