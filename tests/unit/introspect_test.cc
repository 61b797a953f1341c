// Introspection: each goroutine is met once, with its state, since when, where it stands and who
// made it.

#include <weir/introspect.h>

#include <algorithm>
#include <set>
#include <thread>
#include <vector>

#include "test_util.h"

namespace weir::testing {
namespace {

using namespace std::chrono_literals;
using introspect::ObjectKind;
using introspect::Scan;
using introspect::State;
using introspect::WaitReason;

WEIR_FOR_ALL_PROCS(Introspect);

TEST(IntrospectText, IsGos) {
  EXPECT_STREQ(to_string(WaitReason::chan_receive_nil), "chan receive (nil chan)");
  EXPECT_STREQ(to_string(WaitReason::chan_send_nil), "chan send (nil chan)");
  EXPECT_STREQ(to_string(WaitReason::select_no_cases), "select (no cases)");
  EXPECT_STREQ(to_string(WaitReason::select), "select");
  EXPECT_STREQ(to_string(WaitReason::chan_receive), "chan receive");
  EXPECT_STREQ(to_string(WaitReason::chan_send), "chan send");
  EXPECT_STREQ(to_string(WaitReason::mutex_lock), "sync.Mutex.Lock");
  EXPECT_STREQ(to_string(WaitReason::rwmutex_rlock), "sync.RWMutex.RLock");
  EXPECT_STREQ(to_string(WaitReason::rwmutex_lock), "sync.RWMutex.Lock");
  EXPECT_STREQ(to_string(WaitReason::waitgroup_wait), "sync.WaitGroup.Wait");
  EXPECT_STREQ(to_string(WaitReason::sleep), "sleep");
  EXPECT_STREQ(to_string(State::runnable), "runnable");
  EXPECT_STREQ(to_string(State::running), "running");
  EXPECT_STREQ(to_string(State::waiting), "waiting");
  EXPECT_STREQ(to_string(ObjectKind::waitgroup), "waitgroup");
}

// --- the goroutine itself ---

TEST_P(Introspect, KnowsWhoMadeItAndWhere) {
  run([] {
    auto hold = make_chan<int>();
    auto ids = make_chan<uint64_t>();
    WaitGroup wg;
    wg.add(2);
    uint64_t parent = go_with_id([&, hold, ids] {
      go([&, hold, ids] {
        ids.send(goid());
        hold.recv();
        wg.done();
      });
      hold.recv();
      wg.done();
    });
    uint64_t child = *ids.recv();
    ASSERT_TRUE(waits(parent, WaitReason::chan_receive));
    ASSERT_TRUE(waits(child, WaitReason::chan_receive));
    introspect::Goroutine p = look_at(parent)->g, c = look_at(child)->g;
    EXPECT_EQ(c.parent_goid, parent);
    EXPECT_EQ(p.parent_goid, goid());
    for (const auto& g : {p, c}) {
      EXPECT_NE(g.gopc, nullptr);
      EXPECT_NE(g.start_pc, nullptr);
      EXPECT_FALSE(g.thread);
      EXPECT_STREQ(g.name, "");
    }
    EXPECT_NE(p.gopc, c.gopc);
    EXPECT_NE(p.start_pc, c.start_pc);
    hold.close();
    wg.wait();
  });
}

TEST_P(Introspect, TheSameGoStatementHasTheSamePlaces) {
  run([] {
    auto hold = make_chan<int>();
    auto ids = make_chan<uint64_t>();
    WaitGroup wg;
    wg.add(3);
    std::set<const void*> gopcs, starts;
    for (int i = 0; i < 3; i++) {
      go([&, hold, ids] {
        ids.send(goid());
        hold.recv();
        wg.done();
      });
      auto look = look_at(*ids.recv());
      gopcs.insert(look->g.gopc);
      starts.insert(look->g.start_pc);
    }
    EXPECT_EQ(gopcs.size(), 1u);
    EXPECT_EQ(starts.size(), 1u);
    hold.close();
    wg.wait();
  });
}

TEST_P(Introspect, TheTimeInAStateGrows) {
  run([] {
    auto hold = make_chan<int>();
    WaitGroup wg;
    wg.add(1);
    auto born = std::chrono::steady_clock::now();
    uint64_t id = go_with_id([&, hold] {
      hold.recv();
      hold.recv();
      wg.done();
    });
    ASSERT_TRUE(waits(id, WaitReason::chan_receive));
    auto since = [&] { return std::chrono::nanoseconds(look_at(id)->g.since_ns); };
    auto first = since();
    EXPECT_GE(first, 0ns);
    auto start = std::chrono::steady_clock::now();
    sleep_for(5ms);
    auto between = std::chrono::steady_clock::now() - start;
    auto second = since();
    // Cycle counters and the clock may differ by a little.
    EXPECT_GE(second - first, between * 9 / 10);
    EXPECT_LE(second, (std::chrono::steady_clock::now() - born) * 11 / 10);
    // Another wait counts from its own beginning.
    auto again = std::chrono::steady_clock::now();
    hold.send(1);
    ASSERT_TRUE(waits(id, WaitReason::chan_receive));
    auto third = since();
    EXPECT_LE(third, (std::chrono::steady_clock::now() - again) * 11 / 10);
    hold.send(1);
    wg.wait();
  });
}

TEST_P(Introspect, TheStackIsWhereItsVariablesAre) {
  run([] {
    auto hold = make_chan<int>();
    auto where = make_chan<uintptr_t>();
    WaitGroup wg;
    wg.add(1);
    uint64_t id = go_with_id([&, hold, where] {
      volatile int local = 0;
      where.send(reinterpret_cast<uintptr_t>(&local));
      hold.recv();
      wg.done();
    });
    [[maybe_unused]] uintptr_t local = *where.recv();
    ASSERT_TRUE(waits(id, WaitReason::chan_receive));
    Look look = *look_at(id);
    EXPECT_LT(look.g.stack_lo, look.g.stack_hi);
    EXPECT_GE(look.regs.sp, look.g.stack_lo);
    EXPECT_LT(look.regs.sp, look.g.stack_hi);
    EXPECT_NE(look.regs.pc, 0u);
    // AddressSanitizer may keep variables elsewhere, to find their use after return.
    if (!kAsan) {
      EXPECT_GT(local, look.regs.sp) << "the live part of the stack begins at sp";
      EXPECT_LT(local, look.g.stack_hi);
    }
    hold.close();
    wg.wait();
  });
}

TEST(IntrospectStates, ARunnableOneIsHeldAndWaitsForNothing) {
  weir::run(
      [] {
        auto id = make_chan<uint64_t>(1);
        WaitGroup wg;
        // It yields for ever while main looks: with one P it is runnable then.
        std::atomic<bool> stop{false};
        wg.go([&, id] {
          id.send(goid());
          while (!stop) gosched();
        });
        auto look = look_at(*id.recv());
        EXPECT_TRUE(eventually([&] {
          look = look_at(look->g.goid);
          return look && look->scan == Scan::held && look->g.state == State::runnable;
        }));
        EXPECT_EQ(look->g.object_count, 0u);
        stop = true;
        wg.wait();
      },
      Options{.maxprocs = 1});
}

TEST_P(Introspect, ARunningOneIsSeenAsRunning) {
  run([] {
    auto me = look_at(goid());
    ASSERT_TRUE(me);
    EXPECT_EQ(me->scan, Scan::running);
    EXPECT_EQ(me->g.state, State::running);

    std::atomic<bool> stop{false};
    WaitGroup wg;
    wg.add(1);
    uint64_t id = go_with_id([&] {
      while (!stop.load(std::memory_order_relaxed)) {
      }
      wg.done();
    });
    Look look{};
    EXPECT_TRUE(eventually([&] {
      auto now = look_at(id);
      if (now) look = *now;
      return now && now->scan == Scan::running;
    }));
    EXPECT_EQ(look.g.state, State::running);
    EXPECT_EQ(look.g.parent_goid, goid());
    EXPECT_NE(look.g.gopc, nullptr);
    EXPECT_FALSE(look.g.thread);
    stop = true;
    wg.wait();
    EXPECT_TRUE(eventually([&] { return !look_at(id); })) << "gone once it has ended";
  });
}

// --- interrupt ---

// What the signal handler saw.
struct Answer {
  int calls = 0;
  introspect::Goroutine g;
  introspect::Registers regs;
};

// Runs in a signal handler that ThreadSanitizer does not know of, so it must not be instrumented,
// nor call what is (memcpy).
#if defined(__clang__)
__attribute__((no_sanitize("thread")))
#else
__attribute__((no_sanitize_thread))
#endif
void note_answer(const introspect::Goroutine& g, const introspect::Registers& regs, void* arg) {
  auto* answer = static_cast<Answer*>(arg);
  auto* to = reinterpret_cast<volatile unsigned char*>(&answer->g);
  auto* from = reinterpret_cast<const volatile unsigned char*>(&g);
  for (size_t i = 0; i < sizeof g; i++) to[i] = from[i];
  answer->regs.pc = regs.pc;
  answer->regs.sp = regs.sp;
  answer->regs.fp = regs.fp;
  answer->calls++;
}

TEST_P(Introspect, InterruptAsksARunningGoroutine) {
  run([] {
    std::atomic<bool> stop{false};
    WaitGroup wg;
    wg.add(1);
    uint64_t id = go_with_id([&] {
      while (!stop.load(std::memory_order_relaxed)) {
      }
      wg.done();
    });
    Answer answer;
    answer.calls = 0;
    EXPECT_TRUE(eventually([&] {
      auto look = look_at(id);
      return look && look->scan == Scan::running &&
             introspect::interrupt(look->slot, id, note_answer, &answer, 1'000'000'000);
    }));
    EXPECT_EQ(answer.calls, 1);
    EXPECT_EQ(answer.g.goid, id);
    EXPECT_EQ(answer.g.state, State::running);
    EXPECT_GE(answer.regs.sp, answer.g.stack_lo);
    EXPECT_LT(answer.regs.sp, answer.g.stack_hi);
    EXPECT_NE(answer.regs.pc, 0u);
    stop = true;
    wg.wait();
  });
}

TEST_P(Introspect, InterruptDoesNotReachOneThatDoesNotRun) {
  run([] {
    auto hold = make_chan<int>();
    WaitGroup wg;
    wg.add(1);
    uint64_t id = go_with_id([&, hold] {
      hold.recv();
      wg.done();
    });
    ASSERT_TRUE(waits(id, WaitReason::chan_receive));
    Answer answer;
    answer.calls = 0;
    size_t slot = look_at(id)->slot;
    EXPECT_FALSE(introspect::interrupt(slot, id, note_answer, &answer, 50'000'000));
    hold.close();
    wg.wait();
    ASSERT_TRUE(eventually([&] { return !look_at(id); }));
    EXPECT_FALSE(introspect::interrupt(slot, id, note_answer, &answer, 50'000'000));
    EXPECT_EQ(answer.calls, 0);
  });
}

TEST_P(Introspect, InterruptShowsWhatAPlainThreadWaitsFor) {
  run([] {
    auto ch = make_chan<int>();
    std::atomic<uint64_t> id{0};
    std::thread thread([&, ch] {
      id = goid();
      ch.recv();
    });
    ASSERT_TRUE(eventually([&] { return id != 0; }));
    Answer answer;
    EXPECT_TRUE(eventually([&] {
      auto look = look_at(id);
      answer.calls = 0;
      return look && introspect::interrupt(look->slot, id, note_answer, &answer, 1'000'000'000) &&
             answer.g.state == State::waiting;
    }));
    EXPECT_EQ(answer.calls, 1);
    EXPECT_EQ(answer.g.goid, id.load());
    EXPECT_TRUE(answer.g.thread);
    EXPECT_EQ(answer.g.wait_reason, WaitReason::chan_receive);
    EXPECT_EQ(answer.g.object_count, 1u);
    EXPECT_EQ(answer.g.objects[0].address, ch.core());
    ch.send(1);
    thread.join();
  });
}

// --- holding ---

TEST(IntrospectHold, AHeldGoroutineDoesNotRun) {
  weir::run(
      [] {
        for (int round = 0; round < 20; round++) {
          auto ch = make_chan<int>();
          std::atomic<bool> went_on{false}, held{false};
          WaitGroup wg;
          wg.add(1);
          uint64_t id = go_with_id([&, ch] {
            ch.recv();
            went_on = true;
            wg.done();
          });
          ASSERT_TRUE(waits(id, WaitReason::chan_receive));
          size_t slot = look_at(id)->slot;
          bool ran_while_held = false;
          std::thread holder([&] {
            introspect::Goroutine g;
            introspect::Registers regs;
            if (introspect::hold(slot, g, regs) != Scan::held) {
              held = true;
              return;
            }
            held = true;
            auto until = std::chrono::steady_clock::now() + 2ms;
            while (std::chrono::steady_clock::now() < until) {
              if (went_on) ran_while_held = true;
            }
            introspect::release(slot);
          });
          ASSERT_TRUE(eventually([&] { return held.load(); }));
          ch.send(1);
          wg.wait();
          holder.join();
          EXPECT_FALSE(ran_while_held);
        }
      },
      Options{.maxprocs = 2});
}

TEST_P(Introspect, AliveTellsWhetherItHasExited) {
  run([] {
    auto hold = make_chan<int>();
    WaitGroup wg;
    wg.add(1);
    uint64_t id = go_with_id([&, hold] {
      hold.recv();
      wg.done();
    });
    size_t slot = look_at(id)->slot;
    EXPECT_TRUE(introspect::alive(slot, id));
    EXPECT_FALSE(introspect::alive(slot, id + 1'000'000));
    hold.close();
    wg.wait();
    EXPECT_TRUE(eventually([&] { return !introspect::alive(slot, id); }));
  });
}

// Everyone who lives throughout is met exactly once, whatever the others do.
TEST_P(Introspect, EachGoroutineOnceWhileOthersChurn) {
  run([] {
    auto hold = make_chan<int>();
    auto ids = make_chan<uint64_t>(64);
    int residents = scaled(1000);
    WaitGroup resident_group, churn;
    std::set<uint64_t> resident_ids{goid()};
    for (int i = 0; i < residents; i++) {
      resident_group.go([hold, ids] {
        ids.send(goid());
        hold.recv();
      });
      resident_ids.insert(*ids.recv());
    }
    std::atomic<bool> stop{false};
    std::atomic<int64_t> started{0}, ended{0};
    for (int g = 0; g < 4; g++) {
      churn.go([&, g] {
        auto ch = make_chan<int>(static_cast<size_t>(g));
        while (!stop) {
          WaitGroup wg;
          for (int i = 0; i < 20; i++) {
            started++;
            wg.go([&, ch, i] {
              if (i % 2) {
                ch.send(i);
              } else {
                ch.recv();
              }
              if (i % 5 == 0) gosched();
              if (i % 7 == 0) sleep_for(10us);
              ended++;
            });
          }
          wg.wait();
        }
      });
    }
    int twice = 0, missing = 0, rounds = 0;
    std::thread looker([&] {
      std::vector<uint64_t> seen;
      auto until = std::chrono::steady_clock::now() + 500ms;
      do {
        seen.clear();
        for_each_goroutine([&](const Look& look) { seen.push_back(look.g.goid); });
        std::sort(seen.begin(), seen.end());
        if (std::adjacent_find(seen.begin(), seen.end()) != seen.end()) twice++;
        for (uint64_t id : resident_ids) {
          if (!std::binary_search(seen.begin(), seen.end(), id)) missing++;
        }
        rounds++;
      } while (std::chrono::steady_clock::now() < until);
      stop = true;
    });
    churn.wait();
    looker.join();
    EXPECT_EQ(twice, 0);
    EXPECT_EQ(missing, 0);
    EXPECT_GT(rounds, 0);
    EXPECT_EQ(started.load(), ended.load());
    hold.close();
    resident_group.wait();
  });
}

TEST(IntrospectSlots, CountNeverShrinks) {
  weir::run([] {
    size_t before = introspect::slot_count();
    auto hold = make_chan<int>();
    WaitGroup wg;
    for (int i = 0; i < scaled(3000); i++) wg.go([hold] { hold.recv(); });
    size_t many = introspect::slot_count();
    EXPECT_GE(many, before);
    EXPECT_GE(many, num_goroutine());
    hold.close();
    wg.wait();
    EXPECT_GE(introspect::slot_count(), many);
  });
}

}  // namespace
}  // namespace weir::testing
