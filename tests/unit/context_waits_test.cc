// Waits that a context may end: each primitive's, while it waits, before, and at the same time as
// what it waits for.

#include <mutex>
#include <thread>
#include <vector>

#include "test_util.h"

namespace weir::testing {
namespace {

using namespace std::chrono_literals;
using introspect::ObjectKind;
using introspect::WaitReason;

WEIR_FOR_ALL_PROCS(ContextWaits);

constexpr auto kNever = 24h;

// Everything that a goroutine can wait for, with a context; none comes by itself.
struct Primitives {
  chan<int> empty = make_chan<int>(), full = make_chan<int>(1);
  Semaphore taken{1};
  Mutex mu;
  Cond cond;
  WaitGroup unfinished;

  Primitives() {
    full.send(0);
    taken.acquire();
    unfinished.add(1);
  }
};

struct Wait {
  const char* name;
  WaitReason reason;
  ObjectKind object;
  // True: what was waited for came; false: cancelled.
  bool (*wait)(Primitives& p, const Context& ctx);
  // Lets exactly one waiter through.
  void (*provide)(Primitives& p);
};

bool wait_on_cond(Primitives& p, const Context& ctx) {
  std::unique_lock hold(p.mu);
  bool woken = p.cond.wait(ctx, hold);
  EXPECT_TRUE(hold.owns_lock());
  return woken;
}

const Wait kWaits[] = {
    {"recv", WaitReason::chan_receive, ObjectKind::chan,
     [](Primitives& p, const Context& ctx) { return p.empty.recv(ctx).has_value(); },
     [](Primitives& p) { p.empty.send(1); }},
    {"send", WaitReason::chan_send, ObjectKind::chan,
     [](Primitives& p, const Context& ctx) { return p.full.send(ctx, 1); },
     [](Primitives& p) { p.full.recv(); }},
    {"semaphore", WaitReason::semacquire, ObjectKind::semaphore,
     [](Primitives& p, const Context& ctx) { return p.taken.acquire(ctx); },
     [](Primitives& p) { p.taken.release(); }},
    {"cond", WaitReason::cond_wait, ObjectKind::cond, wait_on_cond,
     [](Primitives& p) { p.cond.signal(); }},
    {"wait group", WaitReason::waitgroup_wait, ObjectKind::waitgroup,
     [](Primitives& p, const Context& ctx) { return p.unfinished.wait(ctx); },
     [](Primitives& p) { p.unfinished.done(); }},
    {"sleep", WaitReason::sleep, ObjectKind::none,
     [](Primitives&, const Context& ctx) { return sleep_for(ctx, kNever); }, nullptr},
    {"nil recv", WaitReason::select, ObjectKind::none,
     [](Primitives&, const Context& ctx) { return chan<int>().recv(ctx).has_value(); }, nullptr},
    {"nil send", WaitReason::select, ObjectKind::none,
     [](Primitives&, const Context& ctx) { return chan<int>().send(ctx, 1); }, nullptr},
};

size_t waiters_of(const Context& ctx) {
  struct Search {
    const void* address;
    size_t waiters = ~size_t{0};
  } search{ctx.core()};
  introspect::for_each_context(
      [](const introspect::Context& c, void* arg) {
        auto* s = static_cast<Search*>(arg);
        if (c.address == s->address) s->waiters = c.waiters;
      },
      &search);
  return search.waiters;
}

TEST_P(ContextWaits, CancelWakesAndTheRecordIsThePrimitives) {
  run([] {
    for (const Wait& w : kWaits) {
      Primitives p;
      auto [parent, cancel] = with_cancel(background());
      Context ctx = with_cancel(parent).first;  // cancelled by way of its parent
      WaitGroup wg;
      wg.add(1);
      uint64_t id = go_with_id([&, ctx = ctx] {
        EXPECT_FALSE(w.wait(p, ctx)) << w.name;
        EXPECT_EQ(ctx.err(), ContextError::canceled);
        wg.done();
      });
      ASSERT_TRUE(waits(id, w.reason)) << w.name;
      introspect::Goroutine g = look_at(id)->g;
      EXPECT_EQ(g.context, ctx.core()) << w.name;
      ASSERT_EQ(g.object_count, w.object == ObjectKind::none ? 0u : 1u) << w.name;
      if (g.object_count) {
        EXPECT_EQ(g.objects[0].kind, w.object);
      }
      EXPECT_EQ(waiters_of(ctx), 1u);
      cancel();
      wg.wait();
      EXPECT_EQ(waiters_of(ctx), 0u);
    }
  });
}

TEST_P(ContextWaits, NothingIsDoneWithAContextThatIsDone) {
  run([] {
    auto [ctx, cancel] = with_cancel(background());
    cancel();
    auto ch = make_chan<int>(2);
    ch.send(1);
    Semaphore sem(1);
    WaitGroup none;
    Mutex mu;
    Cond cond;
    std::unique_lock hold(mu);
    EXPECT_FALSE(ch.send(ctx, 2));
    EXPECT_FALSE(ch.recv(ctx));
    EXPECT_EQ(ch.len(), 1u);
    EXPECT_FALSE(sem.acquire(ctx));
    EXPECT_TRUE(sem.try_acquire());
    EXPECT_FALSE(none.wait(ctx));
    EXPECT_FALSE(sleep_for(ctx, 0s));
    EXPECT_FALSE(cond.wait(ctx, hold));
    EXPECT_TRUE(hold.owns_lock());
    EXPECT_TRUE(cond.wait(ctx, hold, [] { return true; }));
    EXPECT_FALSE(cond.wait(ctx, hold, [] { return false; }));
  });
}

TEST_P(ContextWaits, WithoutCancellationTheyAreAsUsual) {
  run([] {
    for (const Wait& w : kWaits) {
      if (!w.provide) continue;
      auto [cancellable, cancel] = with_cancel(background());
      for (const Context& ctx : {background(), cancellable}) {
        Primitives p;
        WaitGroup wg;
        wg.add(1);
        uint64_t id = go_with_id([&] {
          EXPECT_TRUE(w.wait(p, ctx)) << w.name;
          wg.done();
        });
        ASSERT_TRUE(waits(id, w.reason)) << w.name;
        EXPECT_EQ(look_at(id)->g.context, ctx.core());
        w.provide(p);
        wg.wait();
      }
      EXPECT_EQ(waiters_of(cancellable), 0u);
    }
    auto [ctx, cancel] = with_cancel(background());
    auto start = std::chrono::steady_clock::now();
    EXPECT_TRUE(sleep_for(ctx, 3ms));
    EXPECT_TRUE(sleep_for(background(), 3ms));
    EXPECT_GE(std::chrono::steady_clock::now() - start, 6ms);
    auto ch = make_chan<int>(1);
    EXPECT_TRUE(ch.send(ctx, 5));
    EXPECT_EQ(ch.recv(ctx), 5);
    ch.close();
    EXPECT_FALSE(ch.recv(ctx));
    EXPECT_THROW((void)ch.send(ctx, 1), panic_error);
  });
}

// Those who are cancelled leave the line; those behind them are not forgotten.
TEST_P(ContextWaits, OthersInLineAreServed) {
  run([] {
    for (const Wait& w : kWaits) {
      if (!w.provide || w.reason == WaitReason::waitgroup_wait) continue;
      Primitives p;
      auto [ctx, cancel] = with_cancel(background());
      std::atomic<int> served{0}, cancelled{0};
      WaitGroup wg;
      for (int i = 0; i < 9; i++) {
        wg.add(1);
        uint64_t id = go_with_id([&, i] {
          (w.wait(p, i % 3 == 1 ? background() : ctx) ? served : cancelled)++;
          wg.done();
        });
        ASSERT_TRUE(waits(id, w.reason)) << w.name;
      }
      cancel();
      ASSERT_TRUE(eventually([&] { return cancelled == 6; })) << w.name;
      for (int i = 0; i < 3; i++) w.provide(p);
      wg.wait();
      EXPECT_EQ(served.load(), 3) << w.name;
    }
  });
}

// A big request that goes lets the small ones behind it through.
TEST_P(ContextWaits, ACancelledRequestIsNotInTheWay) {
  run([] {
    Semaphore sem(10);
    sem.acquire(5);
    auto [ctx, cancel] = with_cancel(background());
    WaitGroup wg;
    wg.add(2);
    uint64_t big = go_with_id([&, ctx = ctx] {
      EXPECT_FALSE(sem.acquire(ctx, 8));
      wg.done();
    });
    ASSERT_TRUE(waits(big, WaitReason::semacquire));
    uint64_t small = go_with_id([&] {
      sem.acquire(2);
      wg.done();
    });
    ASSERT_TRUE(waits(small, WaitReason::semacquire));
    cancel();
    wg.wait();
  });
}

TEST_P(ContextWaits, ADeadlineEndsThem) {
  run([] {
    for (const Wait& w : kWaits) {
      Primitives p;
      auto [ctx, cancel] = with_timeout(background(), 2ms);
      EXPECT_FALSE(w.wait(p, ctx)) << w.name;
      EXPECT_EQ(ctx.err(), ContextError::deadline_exceeded);
    }
  });
}

TEST_P(ContextWaits, AClosedChannelEndsThem) {
  run([] {
    auto [ctx, cancel] = with_cancel(background());
    auto in = make_chan<int>(), out = make_chan<int>();
    WaitGroup wg;
    wg.add(2);
    uint64_t receiver = go_with_id([&, ctx = ctx] {
      EXPECT_FALSE(in.recv(ctx));
      EXPECT_FALSE(ctx.err());
      wg.done();
    });
    uint64_t sender = go_with_id([&, ctx = ctx] {
      EXPECT_THROW((void)out.send(ctx, 1), panic_error);
      wg.done();
    });
    ASSERT_TRUE(waits(receiver, WaitReason::chan_receive));
    ASSERT_TRUE(waits(sender, WaitReason::chan_send));
    in.close();
    out.close();
    wg.wait();
  });
}

// The value that was not sent is destroyed, and once.
TEST_P(ContextWaits, ValuesAreNeitherLostNorDoubled) {
  run([] {
    int before = Tracked::live();
    auto ch = make_chan<Tracked>();
    std::atomic<int> sent{0}, received{0};
    for (int i = 0; i < scaled(2000); i++) {
      auto [ctx, cancel] = with_cancel(background());
      WaitGroup wg;
      wg.go([&, ctx = ctx] { sent += ch.send(ctx, Tracked(i)); });
      wg.go([&, ctx = ctx] {
        if (auto v = ch.recv(ctx)) {
          EXPECT_EQ(v->value(), i);
          received++;
        }
      });
      for (int j = 0; j < i % 4; j++) gosched();
      cancel();
      wg.wait();
      ASSERT_EQ(sent.load(), received.load());
    }
    EXPECT_EQ(Tracked::live(), before);
  });
}

// Cancellation and what is waited for at the same time: exactly one of them wins, and nothing is
// lost when it is the cancellation.
TEST_P(ContextWaits, ExactlyOneWins) {
  run([] {
    Semaphore sem(3);
    Mutex mu;
    Cond cond;
    int signals = 0;
    auto tokens = make_chan<int>(1);
    for (int i = 0; i < scaled(2000); i++) {
      auto [ctx, cancel] = with_cancel(background());
      std::atomic<int> acquired{0}, token{0};
      WaitGroup wg;
      sem.acquire(3);
      for (int j = 0; j < 3; j++) {
        wg.go([&, ctx = ctx] {
          if (sem.acquire(ctx, 2)) {
            acquired++;
            sem.release(2);
          }
          if (tokens.recv(ctx)) token++;
        });
      }
      wg.go([&, ctx = ctx] {
        std::unique_lock hold(mu);
        while (signals == 0 && cond.wait(ctx, hold)) {
        }
        if (signals > 0) signals--;
      });
      wg.go([&] {
        sem.release(3);
        tokens.send(1);
        std::scoped_lock hold(mu);
        signals++;
        cond.signal();
      });
      for (int j = 0; j < i % 6; j++) gosched();
      cancel();
      wg.wait();
      int left = 0;
      while (tokens.try_recv()) left++;
      ASSERT_EQ(token + left, 1);
      ASSERT_TRUE(sem.try_acquire(3)) << "all units are back";
      sem.release(3);
      signals = 0;
    }
  });
}

// A sleeper whose timer and context come together.
TEST_P(ContextWaits, SleepAndCancelAtOnce) {
  run([] {
    for (int i = 0; i < scaled(1000); i++) {
      auto [ctx, cancel] = with_timeout(background(), std::chrono::microseconds(i % 60));
      auto start = std::chrono::steady_clock::now();
      auto d = std::chrono::microseconds(30);
      if (sleep_for(ctx, d)) {
        ASSERT_GE(std::chrono::steady_clock::now() - start, d);
      } else {
        ASSERT_TRUE(ctx.err());
      }
    }
  });
}

// wait(ctx), then, after it gave up, wait: the group may be destroyed as soon as that returns.
TEST_P(ContextWaits, AWaitGroupMayBeDestroyedAfterASecondWait) {
  run([] {
    for (int i = 0; i < scaled(3000); i++) {
      auto [ctx, cancel] = with_cancel(background());
      auto wg = std::make_unique<WaitGroup>();
      wg->add(2);
      for (int j = 0; j < 2; j++) go([g = wg.get()] { g->done(); });
      go([cancel = cancel] { cancel(); });
      if (i % 2) gosched();
      if (!wg->wait(ctx)) wg->wait();
    }
  });
}

TEST_P(ContextWaits, OneCancelWakesAMultitude) {
  run([] {
    int n = scaled(20'000);
    Primitives p;
    auto [ctx, cancel] = with_cancel(background());
    WaitGroup wg;
    for (int i = 0; i < n; i++) {
      const Wait& w = kWaits[static_cast<size_t>(i) % std::size(kWaits)];
      wg.go([&, ctx = ctx] { EXPECT_FALSE(w.wait(p, ctx)) << w.name; });
    }
    ASSERT_TRUE(eventually([&] { return waiters_of(ctx) == static_cast<size_t>(n); }));
    cancel();
    wg.wait();
  });
}

TEST_P(ContextWaits, OnPlainThreads) {
  run([] {
    for (const Wait& w : kWaits) {
      Primitives p;
      auto [ctx, cancel] = with_cancel(background());
      std::atomic<int> results{0};
      std::thread cancelled([&, ctx = ctx] { results += w.wait(p, ctx) ? 100 : 1; });
      ASSERT_TRUE(eventually([&, ctx = ctx] { return waiters_of(ctx) == 1; }));
      cancel();
      EXPECT_TRUE(eventually([&] { return results == 1; })) << w.name;
      cancelled.join();
    }
  });
}

// Without a scheduler: threads only.
TEST(ContextWaitsOfThreads, BeforeRun) {
  auto [ctx, cancel] = with_cancel(background());
  auto start = std::chrono::steady_clock::now();
  EXPECT_TRUE(sleep_for(ctx, 2ms));
  EXPECT_GE(std::chrono::steady_clock::now() - start, 2ms);
  std::thread thread([cancel = cancel] {
    std::this_thread::sleep_for(2ms);
    cancel();
  });
  EXPECT_FALSE(sleep_for(ctx, kNever));
  thread.join();
}

}  // namespace
}  // namespace weir::testing
