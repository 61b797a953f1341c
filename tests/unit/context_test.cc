// Context: the tree of contexts, how they end and why, values, callbacks, and who keeps what alive.

#include <weir/context.h>

#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "test_util.h"

namespace weir::testing {
namespace {

using namespace std::chrono_literals;
using introspect::WaitReason;
using std::chrono::steady_clock;

WEIR_FOR_ALL_PROCS(ContextTest);

constexpr auto kNever = 24h;

std::string text_of(const std::exception_ptr& e) {
  if (!e) return "";
  try {
    std::rethrow_exception(e);
  } catch (const std::exception& x) {
    return x.what();
  }
}

// Contexts that can be cancelled and exist.
size_t contexts() {
  size_t n = 0;
  introspect::for_each_context(
      [](const introspect::Context&, void* arg) { ++*static_cast<size_t*>(arg); }, &n);
  return n;
}

TEST_P(ContextTest, TheBackgroundIsNeverDone) {
  run([] {
    Context ctx = background();
    EXPECT_FALSE(ctx.done()) << "a nil channel";
    EXPECT_FALSE(ctx.err());
    EXPECT_FALSE(ctx.cause());
    EXPECT_FALSE(ctx.deadline());
    static ContextKey<int> key;
    EXPECT_EQ(ctx.value(key), nullptr);
    EXPECT_EQ(ctx, Context());
  });
}

TEST_P(ContextTest, CancelEndsItAndItsDescendantsOnly) {
  run([] {
    auto [root, cancel_root] = with_cancel(background());
    auto [a, cancel_a] = with_cancel(root);
    auto [b, cancel_b] = with_cancel(root);
    auto [aa, cancel_aa] = with_timeout(a, kNever);
    EXPECT_TRUE(a.done());
    EXPECT_EQ(a.done(), a.done());
    EXPECT_NE(a.done(), b.done());
    cancel_a();
    EXPECT_EQ(a.err(), ContextError::canceled);
    EXPECT_EQ(aa.err(), ContextError::canceled);
    EXPECT_FALSE(root.err());
    EXPECT_FALSE(b.err());
    EXPECT_FALSE(a.done().recv()) << "closed";
    EXPECT_FALSE(aa.done().recv()) << "closed, though asked for later";
    cancel_a();  // does nothing
    auto copy = cancel_root;
    copy();
    EXPECT_EQ(b.err(), ContextError::canceled);
    auto [late, cancel_late] = with_cancel(root);
    EXPECT_EQ(late.err(), ContextError::canceled) << "made of one that is done";
  });
}

TEST_P(ContextTest, ErrorsAreStdErrorCodes) {
  run([] {
    std::error_code canceled = ContextError::canceled, late = ContextError::deadline_exceeded;
    EXPECT_EQ(canceled.message(), "context canceled");
    EXPECT_EQ(late.message(), "context deadline exceeded");
    EXPECT_STREQ(canceled.category().name(), "context");
    EXPECT_EQ(canceled, std::errc::operation_canceled);
    EXPECT_EQ(late, std::errc::timed_out);
    EXPECT_NE(canceled, late);
  });
}

TEST_P(ContextTest, DoneWakesAllWhoSelectOnIt) {
  run([] {
    auto [ctx, cancel] = with_cancel(background());
    auto never = make_chan<int>();
    WaitGroup wg;
    std::atomic<int> woken{0};
    int n = scaled(400);
    for (int i = 0; i < n; i++) {
      wg.go([&woken, i, ctx = ctx, never] {
        if (i % 2) {
          ctx.done().recv();
        } else {
          select(on_recv(ctx.done(), [] {}), on_recv(never));
        }
        EXPECT_EQ(ctx.err(), ContextError::canceled) << "told before they are woken";
        woken++;
      });
    }
    ASSERT_TRUE(settle());
    EXPECT_EQ(woken.load(), 0);
    cancel();
    wg.wait();
  });
}

TEST_P(ContextTest, CausesGoDownTheTree) {
  run([] {
    auto [root, cancel_root] = with_cancel_cause(background());
    auto [child, cancel_child] = with_cancel_cause(root);
    auto [other, cancel_other] = with_cancel(root);
    EXPECT_FALSE(root.cause());
    cancel_other();
    EXPECT_EQ(text_of(other.cause()), "context canceled") << "where none was given";
    cancel_root(std::make_exception_ptr(std::runtime_error("broken")));
    EXPECT_EQ(root.err(), ContextError::canceled);
    EXPECT_EQ(text_of(root.cause()), "broken");
    EXPECT_EQ(text_of(child.cause()), "broken");
    cancel_root(std::make_exception_ptr(std::runtime_error("again")));
    cancel_child(std::make_exception_ptr(std::runtime_error("late")));
    EXPECT_EQ(text_of(child.cause()), "broken") << "the first counts";
    EXPECT_EQ(text_of(other.cause()), "context canceled");
  });
}

TEST_P(ContextTest, ADeadlinePasses) {
  run([] {
    auto start = steady_clock::now();
    auto [ctx, cancel] = with_timeout(background(), 5ms);
    auto [child, cancel_child] = with_cancel(ctx);
    ASSERT_TRUE(ctx.deadline());
    EXPECT_GE(*ctx.deadline(), start + 5ms);
    EXPECT_EQ(child.deadline(), ctx.deadline());
    child.done().recv();
    EXPECT_GE(steady_clock::now(), *ctx.deadline());
    EXPECT_EQ(child.err(), ContextError::deadline_exceeded);
    EXPECT_EQ(ctx.err(), ContextError::deadline_exceeded);
    EXPECT_EQ(text_of(ctx.cause()), "context deadline exceeded");
    cancel();
    EXPECT_EQ(ctx.err(), ContextError::deadline_exceeded) << "the first counts";
  });
}

TEST_P(ContextTest, TheEarlierDeadlineCounts) {
  run([] {
    auto soon = steady_clock::now() + 1h, late = soon + 1h;
    auto [a, cancel_a] = with_deadline(background(), soon);
    auto [b, cancel_b] = with_deadline(a, late);
    EXPECT_EQ(b.deadline(), soon);
    auto [c, cancel_c] = with_deadline(background(), late);
    auto [d, cancel_d] = with_deadline(c, soon);
    EXPECT_EQ(d.deadline(), soon);
    auto [past, cancel_past] = with_deadline(background(), steady_clock::now() - 1s);
    EXPECT_EQ(past.err(), ContextError::deadline_exceeded) << "at once";
    auto [none, cancel_none] = with_timeout(background(), 0s);
    EXPECT_EQ(none.err(), ContextError::deadline_exceeded);
    auto [ever, cancel_ever] = with_timeout(background(), std::chrono::hours::max());
    EXPECT_FALSE(ever.err());
    auto [first, cancel_first] = with_deadline(background(), steady_clock::time_point::min());
    EXPECT_EQ(first.err(), ContextError::deadline_exceeded);
  });
}

TEST_P(ContextTest, ValuesAreFoundByKeyAndNearest) {
  run([] {
    static ContextKey<std::string> user;
    static ContextKey<int> number, other;
    Context a = with_value(background(), user, "ann");
    auto [b, cancel] = with_cancel(a);
    Context c = with_value(with_value(b, number, 7), user, "bob");
    EXPECT_EQ(*a.value(user), "ann");
    EXPECT_EQ(*b.value(user), "ann");
    EXPECT_EQ(*c.value(user), "bob");
    EXPECT_EQ(*c.value(number), 7);
    EXPECT_EQ(c.value(other), nullptr);
    EXPECT_EQ(b.value(number), nullptr);
    EXPECT_TRUE(c.done());
    EXPECT_FALSE(a.done());
    cancel();
    EXPECT_EQ(c.err(), ContextError::canceled) << "the fate of its scope";
    EXPECT_EQ(*c.value(user), "bob");
  });
}

TEST_P(ContextTest, WithoutCancelKeepsValuesOnly) {
  run([] {
    static ContextKey<int> key;
    auto [parent, cancel] = with_timeout(with_value(background(), key, 3), kNever);
    Context free = without_cancel(parent);
    auto [child, cancel_child] = with_cancel(free);
    cancel();
    EXPECT_FALSE(free.err() || child.err());
    EXPECT_FALSE(free.deadline() || child.deadline());
    EXPECT_FALSE(free.done());
    EXPECT_EQ(*child.value(key), 3);
    cancel_child();
    EXPECT_TRUE(child.err());
  });
}

TEST_P(ContextTest, EverythingIsFreedWithTheLastHandle) {
  run([] {
    static ContextKey<std::shared_ptr<Tracked>> key;
    int before = Tracked::live();
    size_t contexts_before = contexts();
    for (int i = 0; i < 100; i++) {
      Context kept;
      {
        auto [a, cancel_a] = with_cancel(background());
        auto [b, cancel_b] = with_timeout(with_value(a, key, std::make_shared<Tracked>(i)), kNever);
        auto [c, cancel_c] = with_cancel_cause(b);
        after_func(c, [held = Tracked(1)] {});
        c.done();
        if (i % 2) cancel_a();
        if (i % 3) cancel_c(std::make_exception_ptr(std::runtime_error("x")));
        if (i % 5) kept = c;
        cancel_c();
        cancel_b();
      }
      EXPECT_TRUE(!kept.core() || (*kept.value(key))->value() == i);
    }
    EXPECT_TRUE(eventually([&] { return Tracked::live() == before; })) << "callbacks end";
    EXPECT_TRUE(eventually([&] { return contexts() == contexts_before; }));
  });
}

// A timeout that nobody waits for any more does not stay until it passes, nor does its timer.
TEST_P(ContextTest, ADroppedTimeoutIsFreedAtOnce) {
  run([] {
    size_t before = contexts();
    for (int i = 0; i < 100; i++) {
      auto [a, cancel_a] = with_timeout(background(), kNever);
      auto [b, cancel_b] = with_timeout(a, 1h);
      if (i % 2) cancel_b();
    }
    EXPECT_EQ(contexts(), before);
  });
}

TEST_P(ContextTest, DeadlinesThatPassWhileHandlesAreDropped) {
  run([] {
    size_t before = contexts();
    for (int i = 0; i < scaled(3000); i++) {
      auto d = std::chrono::microseconds(i % 40);
      auto [a, cancel_a] = with_timeout(background(), d);
      auto [b, cancel_b] = with_timeout(a, d);
      auto [c, cancel_c] = with_cancel(b);
      for (int j = 0; j < i % 5; j++) gosched();
      if (i % 3 == 0) cancel_a();
      if (i % 7 == 0) c.done().recv();
    }
    EXPECT_TRUE(eventually([&] { return contexts() == before; }));
  });
}

// Values are destroyed by a goroutine even where the scheduler drops the last reference, as it does
// where handles go while it ends a tree whose deadline has passed: there they may block.
TEST_P(ContextTest, ValuesMayBlockWhenTheyAreDestroyed) {
  run([this] {
    struct Blocks {
      chan<int> told;
      ~Blocks() {
        sleep_for(1us);
        told.send(1);
      }
    };
    static ContextKey<std::shared_ptr<Blocks>> key;
    constexpr int kChildren = 100;
    for (int i = 0; i < scaled(200); i++) {
      auto told = make_chan<int>(kChildren);
      {
        auto [root, cancel] = with_timeout(background(), std::chrono::microseconds(i));
        std::vector<Context> children;
        for (int j = 0; j < kChildren; j++) {
          auto value = std::shared_ptr<Blocks>(new Blocks{told});
          children.push_back(with_cancel(with_value(root, key, std::move(value))).first);
        }
        while (!children.front().err() && !children.back().err()) {
          if (procs() == 1) gosched();
        }
      }
      for (int j = 0; j < kChildren; j++) EXPECT_TRUE(told.recv());
    }
  });
}

TEST_P(ContextTest, ALongChainNeedsNoLongStack) {
  run([] {
    int depth = scaled(200'000);
    WaitGroup wg;
    wg.add(1);
    go({.stack_size = kSanitized ? kDefaultStack : 16 << 10}, [&] {
      {
        auto [root, cancel] = with_cancel(background());
        Context leaf = root;
        for (int i = 0; i < depth; i++) leaf = with_cancel(leaf).first;
        EXPECT_FALSE(leaf.err());
        cancel();
        EXPECT_TRUE(leaf.err());
        root = {};
      }
      wg.done();
    });
    wg.wait();
  });
}

TEST_P(ContextTest, AMillionChildrenOfOneParent) {
  run([] {
    int n = scaled(1'000'000);
    auto start = steady_clock::now();
    {
      auto [root, cancel] = with_cancel(background());
      std::vector<Context> children;
      children.reserve(static_cast<size_t>(n));
      for (int i = 0; i < n; i++) children.push_back(with_cancel(root).first);
      for (int i = 0; i < n; i += 2) children[static_cast<size_t>(i)] = {};  // leave their parent
      cancel();
      for (int i = 1; i < n; i += 2) ASSERT_TRUE(children[static_cast<size_t>(i)].err());
    }
    RecordProperty("ns_each", std::to_string((steady_clock::now() - start).count() / n));
    EXPECT_LT(steady_clock::now() - start, 100s);
  });
}

TEST_P(ContextTest, ManyTimeouts) {
  run([] {
    int n = scaled(200'000);
    std::vector<std::pair<Context, CancelFunc>> all;
    all.reserve(static_cast<size_t>(n));
    for (int i = 0; i < n; i++) {
      all.push_back(with_timeout(background(), std::chrono::microseconds(i % 50'000)));
    }
    for (auto& [ctx, cancel] : all) ctx.done().recv();
  });
}

// --- after_func ---

TEST_P(ContextTest, AfterFuncRunsOnceInAGoroutineOfItsOwn) {
  run([] {
    auto [ctx, cancel] = with_cancel(background());
    auto ran = make_chan<uint64_t>(2);
    StopFunc stop = after_func(ctx, [ran] { ran.send(goid()); });
    ASSERT_TRUE(settle());
    EXPECT_EQ(ran.len(), 0u);
    cancel();
    EXPECT_FALSE(stop());
    EXPECT_NE(ran.recv(), goid());
    cancel();
    ASSERT_TRUE(settle());
    EXPECT_EQ(ran.len(), 0u);
    StopFunc late = after_func(ctx, [ran] { ran.send(1); });  // at once
    EXPECT_TRUE(ran.recv());
    EXPECT_FALSE(late());
  });
}

TEST_P(ContextTest, AfterFuncRunsThoughEveryHandleIsDropped) {
  run([] {
    auto ran = make_chan<int>(2);
    auto [parent, cancel] = with_cancel(background());
    after_func(with_cancel(parent).first, [ran] { ran.send(1); });
    after_func(with_timeout(parent, 1ms).first, [ran] { ran.send(2); });
    EXPECT_EQ(ran.recv(), 2) << "its deadline is there still";
    cancel();
    EXPECT_EQ(ran.recv(), 1) << "its parent is";
  });
}

TEST_P(ContextTest, AfterFuncCanBeStopped) {
  run([] {
    int before = Tracked::live();
    {
      auto [ctx, cancel] = with_cancel(background());
      std::atomic<int> ran{0};
      StopFunc stop = after_func(ctx, [&ran, held = Tracked(1)] { ran++; });
      EXPECT_TRUE(stop());
      EXPECT_FALSE(stop());
      cancel();
      ASSERT_TRUE(settle());
      EXPECT_EQ(ran.load(), 0);
      StopFunc of_background = after_func(background(), [held = Tracked(1)] {});
      EXPECT_TRUE(of_background());
    }
    EXPECT_EQ(Tracked::live(), before);
  });
}

TEST_P(ContextTest, StopIsExact) {
  run([] {
    for (int i = 0; i < scaled(2000); i++) {
      std::atomic<int> ran{0};
      auto [ctx, cancel] = with_cancel(background());
      StopFunc stop = after_func(ctx, [&] { ran++; });
      WaitGroup wg;
      wg.go([cancel = cancel] { cancel(); });
      for (int j = 0; j < i % 3; j++) gosched();
      bool stopped = stop();
      wg.wait();
      ASSERT_TRUE(eventually([&] { return stopped || ran == 1; }));
      ASSERT_EQ(ran.load(), stopped ? 0 : 1);
    }
  });
}

TEST_P(ContextTest, OnPlainThreads) {
  run([] {
    std::atomic<bool> timed_out{false}, done{false};
    auto [ctx, cancel] = with_cancel(background());
    std::thread thread([&timed_out, &done, ctx = ctx] {
      auto [timed, cancel_timed] = with_timeout(ctx, 1ms);
      timed.done().recv();
      EXPECT_EQ(timed.err(), ContextError::deadline_exceeded);
      timed_out = true;
      ctx.done().recv();
      done = true;
    });
    EXPECT_TRUE(eventually([&] { return timed_out.load(); }));
    cancel();
    EXPECT_TRUE(eventually([&] { return done.load(); }));
    thread.join();
  });
}

TEST_P(ContextTest, MadeBeforeRun) {
  auto timeout = 1ms;
  auto made = with_timeout(background(), timeout);
  while (made.first.err()) {  // it had passed when the context was made: we were kept from running
    timeout *= 4;
    ASSERT_LT(timeout, 10s);
    made = with_timeout(background(), timeout);
  }
  const Context& ctx = made.first;
  auto [other, cancel_other] = with_cancel(background());
  std::this_thread::sleep_for(timeout + 2ms);
  EXPECT_FALSE(ctx.err()) << "the scheduler keeps the time";
  cancel_other();
  EXPECT_TRUE(other.err());
  run([&, ctx = ctx] {
    ctx.done().recv();
    EXPECT_TRUE(ctx.err());
  });
}

// --- what introspection shows ---

std::vector<introspect::Context> all_contexts() {
  std::vector<introspect::Context> all;
  introspect::for_each_context(
      [](const introspect::Context& c, void* arg) {
        static_cast<std::vector<introspect::Context>*>(arg)->push_back(c);
      },
      &all);
  return all;
}

introspect::Context shown(const Context& ctx) {
  introspect::Context found{};
  int n = 0;
  for (const auto& c : all_contexts()) {
    if (c.address != ctx.core()) continue;
    found = c;
    n++;
  }
  EXPECT_EQ(n, 1);
  return found;
}

TEST_P(ContextTest, IntrospectionShowsEachAndWhoForgotIt) {
  run([] {
    auto [ctx, cancel] = with_cancel(background());
    auto [timed, cancel_timed] = with_timeout(ctx, kNever);
    introspect::Context t = shown(timed), c = shown(ctx);
    EXPECT_EQ(c.kind, introspect::ContextKind::cancel);
    EXPECT_EQ(c.parent, nullptr);
    EXPECT_FALSE(c.cancelled || c.deadline_exceeded || c.forgotten || c.has_deadline);
    EXPECT_EQ(c.maker_goid, goid());
    EXPECT_NE(c.made_pc, nullptr);
    EXPECT_NE(c.made_pc, t.made_pc);
    EXPECT_GE(c.age_ns, t.age_ns);
    EXPECT_EQ(c.cancel_handles, 1u);
    EXPECT_EQ(c.children, 1u);
    EXPECT_EQ(t.kind, introspect::ContextKind::deadline);
    EXPECT_EQ(t.parent, ctx.core());
    EXPECT_TRUE(t.has_deadline);
    EXPECT_GT(t.deadline_in_ns, 0);
    {
      CancelFunc copy = cancel, another = copy;
      EXPECT_EQ(shown(ctx).cancel_handles, 3u);
      StopFunc stop = after_func(ctx, [] {});
      EXPECT_EQ(shown(ctx).callbacks, 1u);
      stop();
      EXPECT_EQ(shown(ctx).callbacks, 0u);
    }
    uint64_t waiter = go_with_id([ctx = ctx] { EXPECT_FALSE(sleep_for(ctx, kNever)); });
    ASSERT_TRUE(waits(waiter, WaitReason::sleep));
    EXPECT_EQ(shown(ctx).waiters, 1u);
    cancel();
    c = shown(ctx);
    EXPECT_TRUE(c.cancelled);
    EXPECT_EQ(c.children + c.waiters, 0u);
    EXPECT_TRUE(shown(timed).cancelled);
    ASSERT_TRUE(eventually([&] { return !look_at(waiter); }));

    Context lost = with_cancel(background()).first;
    EXPECT_TRUE(shown(lost).forgotten);
    EXPECT_EQ(shown(lost).cancel_handles, 0u);
    Context lost_with_deadline = with_timeout(background(), kNever).first;
    EXPECT_FALSE(shown(lost_with_deadline).forgotten) << "its deadline will end it";
    cancel_timed = CancelFunc(nullptr);
    EXPECT_FALSE(shown(timed).forgotten) << "it is done";
  });
}

// Contexts that live throughout are shown exactly once while others come and go.
TEST_P(ContextTest, IntrospectionMeetsEachOnceWhileOthersChurn) {
  run([] {
    std::vector<std::pair<Context, CancelFunc>> residents;
    for (int i = 0; i < 300; i++) residents.push_back(with_cancel(background()));
    std::atomic<bool> stop{false};
    WaitGroup wg;
    for (int i = 0; i < 3; i++) {
      wg.go([&] {
        while (!stop) {
          std::vector<std::pair<Context, CancelFunc>> some;
          for (int j = 0; j < 50; j++) some.push_back(with_timeout(residents[0].first, kNever));
          gosched();
        }
      });
    }
    for (int round = 0; round < scaled(100); round++) {
      auto all = all_contexts();
      for (auto& [ctx, cancel] : residents) {
        int met = 0;
        for (const auto& c : all) met += c.address == ctx.core();
        ASSERT_EQ(met, 1);
      }
      gosched();
    }
    stop = true;
    wg.wait();
  });
}

// Somebody else may be cancelling a part of the tree at the same time: a cancel function returns
// when all below its context has ended, whoever ends it.
TEST_P(ContextTest, WhenCancelReturnsAllBelowHasEnded) {
  run([] {
    for (int i = 0; i < scaled(3000); i++) {
      auto [root, cancel_root] = with_cancel(background());
      auto [part, cancel_part] = with_cancel(root);
      std::vector<std::pair<Context, CancelFunc>> below;
      for (int k = 0; k < 100; k++)
        below.push_back(with_cancel(k == 0 ? part : below.back().first));
      std::atomic<bool> begins{false};
      std::thread other([&, cancel = cancel_part] {
        begins = true;
        cancel();
      });
      while (!begins) {
      }
      cancel_root();
      ASSERT_TRUE(below.back().first.err()) << i;
      other.join();
    }
  });
}

TEST_P(ContextTest, WhoHasEndedWaitsForNobodyElse) {
  run([] {
    const auto n = static_cast<size_t>(scaled(100'000));
    bool others_live = false;
    // Until this goroutine has run in the midst of the other's work, which a busy machine prevents.
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!others_live && std::chrono::steady_clock::now() < end) {
      auto [root, cancel_root] = with_cancel(background());
      std::vector<std::pair<Context, CancelFunc>> children;
      while (children.size() < n) children.push_back(with_cancel(root));
      std::thread other([cancel = cancel_root] { cancel(); });
      const auto *one = &children.front(), *another = &children.back();
      while (!one->first.err()) std::swap(one, another);
      one->second();
      others_live = !another->first.err();
      other.join();
    }
    EXPECT_TRUE(others_live) << "when the first one's cancel returns";
  });
}

TEST_P(ContextTest, ACancelFunctionMayBeDestroyedByWhoSeesItsWork) {
  run([] {
    struct Request {
      Context ctx;
      CancelFunc cancel;
    };
    for (int i = 0; i < scaled(1000); i++) {
      auto [ctx, cancel] = with_cancel(background());
      auto* request = new Request{std::move(ctx), std::move(cancel)};
      std::thread waiter([request] {
        while (!request->ctx.err()) {
        }
        delete request;
      });
      request->cancel();
      waiter.join();
    }
  });
}

}  // namespace
}  // namespace weir::testing
