// Scenes of contexts, the waits that they end, Cond, Semaphore and TaskGroup (scenes.h).

#include "scenes.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

#include <weir/weir.h>

#include "../unit/test_util.h"

namespace weir::testing {

using std::chrono::microseconds;

namespace {

// A child of parent that ends in one way or another, or not by itself.
Context some_child(Random& random, const Context& parent, std::vector<CancelFunc>& cancels) {
  switch (random.below(4)) {
    case 0:
      return with_value(parent, *std::make_unique<ContextKey<int>>(), 1);
    case 1: {
      auto [ctx, cancel] = with_timeout(parent, microseconds(random.below(800)));
      if (random.one_in(2)) cancels.push_back(cancel);
      return ctx;
    }
    default: {
      auto [ctx, cancel] = with_cancel(parent);
      cancels.push_back(cancel);
      return ctx;
    }
  }
}

// Random trees, cancelled from several sides at once; callbacks run once, or are stopped.
void scene_tree(Random random) {
  auto [root, cancel_root] = with_cancel(background());
  std::vector<CancelFunc> cancels;
  std::vector<Context> all{root};
  std::vector<StopFunc> stops;
  std::atomic<int> ran{0};
  int n = random.below(40) + 1;
  for (int i = 0; i < n; i++) {
    Context parent = all[static_cast<size_t>(random.below(static_cast<int>(all.size())))];
    all.push_back(some_child(random, parent, cancels));
    stops.push_back(after_func(all.back(), [&ran, held = Tracked(i)] { ran++; }));
    if (random.one_in(5)) all[static_cast<size_t>(random.below(i + 1)) + 1] = root;
  }
  int stopped = 0;
  WaitGroup wg;
  for (int i = 0; i < 3; i++) {
    wg.go([&, random = Random(random.next())]() mutable {
      for (CancelFunc& cancel : cancels) {
        if (random.one_in(3)) cancel();
        if (random.one_in(8)) dither(random);
      }
    });
  }
  wg.go([&, random = Random(random.next())]() mutable {
    for (StopFunc& stop : stops) {
      if (random.one_in(4) && stop()) stopped++;
      if (random.one_in(8)) dither(random);
    }
  });
  if (random.one_in(3)) all.clear();
  wg.wait();
  cancel_root();
  for (const Context& ctx : all) EXPECT_TRUE(ctx.err());
  EXPECT_TRUE(eventually([&] { return ran.load() + stopped == n; }));
}

// A crowd in all kinds of waits under a few contexts: some get what they wait for, the others are
// cancelled; nothing is lost.
void scene_waits(Random random) {
  struct Shared {
    chan<Tracked> ch;
    Semaphore sem{5};
    Mutex mu;
    Cond cond;
    int tokens = 0;  // under mu
    WaitGroup finish;
    std::atomic<int> sent{0}, received{0}, taken{0}, put{0};
  };
  auto shared = std::make_unique<Shared>();
  Shared* s = shared.get();
  s->ch = make_chan<Tracked>(static_cast<size_t>(random.below(3)));
  s->finish.add(1);
  auto [root, cancel_root] = with_cancel(background());
  std::vector<CancelFunc> cancels;
  int crowd = random.below(30) + 1;
  WaitGroup wg;
  for (int i = 0; i < crowd; i++) {
    auto ctx = some_child(random, root, cancels);
    wg.go([s, ctx, random = Random(random.next())]() mutable {
      dither(random);
      for (int round = random.below(4); round >= 0; round--) {
        size_t n = static_cast<size_t>(random.below(5)) + 1;
        switch (random.below(7)) {
          case 0:
            s->sent += s->ch.send(ctx, Tracked(1));
            break;
          case 1:
            if (auto v = s->ch.recv(ctx)) s->received += v->value();
            break;
          case 2:
            if (s->sem.acquire(ctx, n)) {
              dither(random);
              s->sem.release(n);
            }
            break;
          case 3: {
            std::unique_lock hold(s->mu);
            if (s->cond.wait(ctx, hold, [&] { return s->tokens > 0; })) {
              s->tokens--;
              s->taken++;
            }
            break;
          }
          case 4: {
            std::scoped_lock hold(s->mu);
            s->tokens++;
            s->put++;
            random.one_in(2) ? s->cond.signal() : s->cond.broadcast();
            break;
          }
          case 5:
            (void)s->finish.wait(ctx);
            break;
          default:
            (void)sleep_for(ctx, microseconds(random.below(300)));
        }
      }
    });
  }
  if (random.one_in(4)) {
    std::thread([cancel = cancel_root] { cancel(); }).detach();
  }
  for (CancelFunc& cancel : cancels) {
    dither(random);
    cancel();
  }
  if (random.one_in(2)) {
    s->finish.done();
    cancel_root();
  } else {
    cancel_root();
    s->finish.done();
  }
  wg.wait();
  int left = 0;
  while (auto v = s->ch.try_recv()) left++;
  EXPECT_EQ(s->sent.load(), s->received.load() + left);
  EXPECT_EQ(s->put.load(), s->taken.load() + s->tokens);
  EXPECT_TRUE(s->sem.try_acquire(5));
  // (A thread that cancels root may be there still; it has a handle of its own.)
}

// Who gives up waiting for a group waits again, and destroys it.
void scene_impatient(Random random) {
  for (int round = random.below(10); round >= 0; round--) {
    auto [ctx, cancel] = with_timeout(background(), microseconds(random.below(100)));
    auto wg = std::make_unique<WaitGroup>();
    int n = random.below(4) + 1;
    wg->add(n);
    for (int i = 0; i < n; i++) {
      go([g = wg.get(), random = Random(random.next())]() mutable {
        dither(random);
        g->done();
      });
    }
    if (random.one_in(2)) go([cancel = cancel] { cancel(); });
    if (!wg->wait(ctx)) wg->wait();
  }
}

// Groups within groups, some of whose tasks fail.
int run_group(Random& random, const Context& parent, int depth) {
  std::atomic<int> started{0}, ended{0}, failures{0};
  bool threw = false;
  try {
    TaskGroup g(parent);
    if (random.one_in(2)) g.set_limit(static_cast<size_t>(random.below(3)) + 1);
    for (int i = random.below(6); i >= 0; i--) {
      started++;
      g.go([&, depth, random = Random(random.next())](const Context& ctx) mutable {
        struct Ended {
          std::atomic<int>& n;
          ~Ended() { n++; }
        } at_the_end{ended};
        dither(random);
        if (depth > 0 && random.one_in(2)) run_group(random, ctx, depth - 1);
        if (random.one_in(3)) (void)sleep_for(ctx, microseconds(random.below(500)));
        if (random.one_in(6)) {
          failures++;
          throw std::runtime_error("task");
        }
        if (random.one_in(6)) goexit();
      });
    }
    if (random.one_in(8)) throw std::runtime_error("owner");
    g.wait();
  } catch (const std::runtime_error& e) {
    threw = e.what() == std::string("task");
  }
  EXPECT_EQ(started.load(), ended.load());
  EXPECT_LE(threw, failures.load());
  return failures.load();
}

void scene_groups(Random random) {
  auto [ctx, cancel] = with_timeout(background(), microseconds(random.below(3000)));
  run_group(random, ctx, 2);
}

}  // namespace

void play_sync(Random& random) {
  Random own(random.next());
  switch (random.below(4)) {
    case 0:
      return scene_tree(own);
    case 1:
      return scene_impatient(own);
    case 2:
      return scene_groups(own);
    default:
      return scene_waits(own);
  }
}

}  // namespace weir::testing
