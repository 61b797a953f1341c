// TaskGroup: waits for all, the first exception wins and stops the others, limits.

#include <weir/task_group.h>

#include <stdexcept>
#include <string>
#include <thread>

#include "test_util.h"

namespace weir::testing {
namespace {

using namespace std::chrono_literals;
using introspect::WaitReason;

WEIR_FOR_ALL_PROCS(TaskGroupTest);

template <class F>
std::string thrown_by(F f) {
  try {
    f();
  } catch (const std::exception& e) {
    return e.what();
  }
  return "nothing";
}

TEST_P(TaskGroupTest, WaitsForAll) {
  run([] {
    TaskGroup g;
    std::atomic<int> ran{0};
    for (int i = 0; i < 100; i++) {
      g.go([&] {
        gosched();
        ran++;
      });
    }
    g.wait();
    EXPECT_EQ(ran.load(), 100);
    EXPECT_EQ(g.context().err(), ContextError::canceled) << "its work is over";
  });
}

TEST_P(TaskGroupTest, TheFirstExceptionStopsTheOthers) {
  run([] {
    TaskGroup g;
    std::atomic<int> stopped{0};
    for (int i = 0; i < 10; i++) {
      g.go([&](const Context& ctx) {
        EXPECT_FALSE(sleep_for(ctx, 24h));
        EXPECT_EQ(thrown_by([&] { std::rethrow_exception(ctx.cause()); }), "first");
        stopped++;
        throw std::runtime_error("consequence");
      });
    }
    ASSERT_TRUE(settle());
    g.go([] { throw std::runtime_error("first"); });
    EXPECT_EQ(thrown_by([&] { g.wait(); }), "first");
    EXPECT_EQ(stopped.load(), 10);
    EXPECT_EQ(thrown_by([&] { g.wait(); }), "first") << "each time";
  });
}

TEST_P(TaskGroupTest, TheParentStopsThem) {
  run([] {
    auto [ctx, cancel] = with_cancel(background());
    TaskGroup g(ctx);
    std::atomic<int> stopped{0};
    for (int i = 0; i < 10; i++) {
      g.go([&](const Context& c) {
        c.done().recv();
        stopped++;
      });
    }
    cancel();
    EXPECT_EQ(thrown_by([&] { g.wait(); }), "nothing") << "no task has failed";
    EXPECT_EQ(stopped.load(), 10);
  });
}

TEST_P(TaskGroupTest, NotMoreAtOnceThanTheLimit) {
  run([] {
    TaskGroup g;
    g.set_limit(3);
    std::atomic<int> running{0}, most{0};
    for (int i = 0; i < 60; i++) {
      g.go([&] {
        int now = ++running;
        for (int m = most; now > m && !most.compare_exchange_weak(m, now);) {
        }
        gosched();
        running--;
      });
    }
    g.wait();
    EXPECT_LE(most.load(), 3);
    EXPECT_GE(most.load(), 1);
  });
}

TEST_P(TaskGroupTest, GoBlocksAndTryGoDoesNot) {
  run([] {
    TaskGroup g;
    g.set_limit(1);
    auto end = make_chan<int>();
    g.go([end] { end.recv(); });
    EXPECT_FALSE(g.try_go([] { ADD_FAILURE(); }));
    WaitGroup wg;
    wg.add(1);
    std::atomic<bool> ran{false};
    uint64_t id = go_with_id([&] {
      g.go([&] { ran = true; });
      wg.done();
    });
    EXPECT_TRUE(waits(id, WaitReason::semacquire));
    EXPECT_FALSE(ran.load());
    end.close();
    wg.wait();
    g.wait();
    EXPECT_TRUE(ran.load());
    EXPECT_TRUE(g.try_go([] {}));
    g.wait();
  });
}

TEST_P(TaskGroupTest, TheLimitIsNotChangedUnderRunningTasks) {
  run([] {
    TaskGroup g;
    auto end = make_chan<int>();
    g.go([end] { end.recv(); });
    EXPECT_EQ(thrown_by([&] { g.set_limit(2); }),
              "task group: modify limit while 1 goroutines in the group are still active");
    end.close();
    g.wait();
    g.set_limit(2);
    g.set_limit(0);
  });
}

TEST_P(TaskGroupTest, TheDestructorCancelsAndWaits) {
  run([] {
    std::atomic<int> ended{0};
    try {
      TaskGroup g;
      for (int i = 0; i < 5; i++) {
        g.go([&](const Context& ctx) {
          EXPECT_FALSE(sleep_for(ctx, 24h));
          ended++;
        });
      }
      throw std::runtime_error("the owner fails");
    } catch (const std::runtime_error&) {
      EXPECT_EQ(ended.load(), 5);
    }
  });
}

// What a task holds is gone when wait returns.
TEST_P(TaskGroupTest, ATaskIsDestroyedBeforeWaitReturns) {
  run([] {
    int before = Tracked::live();
    for (int i = 0; i < scaled(500); i++) {
      TaskGroup g;
      for (int j = 0; j < 3; j++) g.go([held = Tracked(j)] { EXPECT_FALSE(held.moved_from()); });
      g.wait();
      ASSERT_EQ(Tracked::live(), before);
    }
  });
}

// Also what a move leaves behind: a captured constant is copied, and its end may take its time.
TEST_P(TaskGroupTest, WhatAMoveLeavesBehindIsDestroyedBeforeWaitReturns) {
  static std::atomic<int> copies, ended;
  static std::atomic<uint64_t> waiter;
  struct SlowToEnd {
    SlowToEnd() = default;
    SlowToEnd(const SlowToEnd&) { copies++; }
    ~SlowToEnd() {
      for (int i = 0; i < 3 && goid() != waiter; i++) gosched();
      ended++;
    }
  };
  run([] {
    copies = ended = 0;
    waiter = goid();
    const SlowToEnd held;
    TaskGroup g;
    for (int j = 0; j < 3; j++) g.go([held] {});
    g.wait();
    EXPECT_EQ(ended.load(), copies.load());
    EXPECT_GE(copies.load(), 3);
  });
}

TEST_P(TaskGroupTest, TasksMayAddTasksAndGoexit) {
  run([] {
    TaskGroup g;
    std::atomic<int> ran{0};
    g.go([&] {
      for (int i = 0; i < 5; i++) {
        g.go([&] {
          ran++;
          goexit();
        });
      }
    });
    EXPECT_EQ(thrown_by([&] { g.wait(); }), "nothing");
    EXPECT_EQ(ran.load(), 5);
  });
}

TEST_P(TaskGroupTest, ATaskThatCannotBeStartedLeavesNoTrace) {
  run([] {
    WaitGroup wg;
    wg.add(1);
    go({.stack_size = 4 << 20}, [&] {  // here such a closure fits, but not in a task's quarter
      struct Huge {
        char bytes[kDefaultStack / 2] = {};
        void operator()() {}
      };
      TaskGroup g;
      g.set_limit(1);
      EXPECT_THROW(g.go(Huge{}), std::length_error);
      EXPECT_TRUE(g.try_go([] {}));
      g.wait();
      wg.done();
    });
    wg.wait();
  });
}

TEST_P(TaskGroupTest, WaitWithAContext) {
  run([] {
    TaskGroup g;
    auto end = make_chan<int>();
    g.go([end] { end.recv(); });
    auto [ctx, cancel] = with_timeout(background(), 2ms);
    EXPECT_FALSE(g.wait(ctx));
    EXPECT_FALSE(g.context().err());
    end.close();
    EXPECT_TRUE(g.wait(background()));
    TaskGroup failing;
    failing.go([] { throw std::runtime_error("x"); });
    EXPECT_EQ(thrown_by([&] { (void)failing.wait(background()); }), "x");
  });
}

TEST_P(TaskGroupTest, ItsContextIsShown) {
  run([] {
    TaskGroup g;
    struct Search {
      const void* address;
      introspect::Context found;
    } search{g.context().core(), {}};
    introspect::for_each_context(
        [](const introspect::Context& c, void* arg) {
          auto* s = static_cast<Search*>(arg);
          if (c.address == s->address) s->found = c;
        },
        &search);
    EXPECT_EQ(search.found.kind, introspect::ContextKind::group);
    EXPECT_FALSE(search.found.forgotten);
    EXPECT_NE(search.found.made_pc, nullptr);
  });
}

TEST_P(TaskGroupTest, OnAPlainThread) {
  run([] {
    std::atomic<bool> done{false};
    std::thread thread([&] {
      TaskGroup g;
      g.set_limit(2);
      std::atomic<int> ran{0};
      for (int i = 0; i < 20; i++) g.go([&] { ran++; });
      g.wait();
      EXPECT_EQ(ran.load(), 20);
      done = true;
    });
    EXPECT_TRUE(eventually([&] { return done.load(); }));
    thread.join();
  });
}

}  // namespace
}  // namespace weir::testing
