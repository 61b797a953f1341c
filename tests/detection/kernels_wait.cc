// Kernels (kernels.h): WaitGroups, Conds, Semaphores and TaskGroups that nobody counts down,
// signals or gives back to.

#include <weir/weir.h>

#include <memory>
#include <mutex>
#include <stdexcept>

#include "kernels.h"

namespace kernels {

// ---- WaitGroup ----

[[gnu::noinline]] static void done_missing_wait(weir::WaitGroup& wg) { wg.wait(); }
static void done_missing(int) {
  auto wg = std::make_shared<weir::WaitGroup>();
  wg->add(2);
  weir::go([wg] { wg->done(); });
  done_missing_wait(*wg);
}

[[gnu::noinline]] static void done_in_branch_wait(weir::WaitGroup& wg) { wg.wait(); }
static void done_in_branch(int) {
  auto wg = std::make_shared<weir::WaitGroup>();
  wg->add(3);
  for (int i = 0; i < 3; ++i) {
    weir::go([wg, i] {
      if (i == 1) return;  // the error path is not done
      wg->done();
    });
  }
  done_in_branch_wait(*wg);
}

[[gnu::noinline]] static void add_skipped_items_wait(weir::WaitGroup& wg) { wg.wait(); }
static void add_skipped_items(int) {
  auto wg = std::make_shared<weir::WaitGroup>();
  for (int i = 0; i < 4; ++i) {
    wg->add(1);
    if (i == 2) continue;  // nothing to do for this one: nobody calls done
    weir::go([wg] { wg->done(); });
  }
  add_skipped_items_wait(*wg);
}

[[gnu::noinline]] static void wait_in_loop_each(weir::WaitGroup& wg) { wg.wait(); }
static void wait_in_loop(int) {
  auto wg = std::make_shared<weir::WaitGroup>();
  wg->add(3);
  for (int i = 0; i < 3; ++i) {
    weir::go([wg] { wg->done(); });
    wait_in_loop_each(*wg);  // belongs after the loop
  }
}

[[gnu::noinline]] static void wait_for_itself_task(weir::WaitGroup& wg) {
  wg.wait();
  wg.done();
}
static void wait_for_itself(int) {
  auto wg = std::make_shared<weir::WaitGroup>();
  wg->add(1);
  weir::go([wg] { wait_for_itself_task(*wg); });
}

static void done_after_throw_work(bool bad) {
  if (bad) throw std::runtime_error("bad");
}
[[gnu::noinline]] static void done_after_throw_wait(weir::WaitGroup& wg) { wg.wait(); }
static void done_after_throw(int) {
  auto wg = std::make_shared<weir::WaitGroup>();
  wg->add(1);
  weir::go([wg] {
    try {
      done_after_throw_work(true);
      wg->done();
    } catch (const std::runtime_error&) {
    }
  });
  done_after_throw_wait(*wg);
}

// ---- Cond ----

struct Gate {
  weir::Mutex mu;
  weir::Cond opened;
  bool open = false;
  weir::WaitGroup waiting;  // counted down with the lock held: who then locks finds all in the wait
};

[[gnu::noinline]] static void signal_lost_wait(Gate& gate) {
  std::unique_lock hold(gate.mu);
  gate.opened.wait(hold);  // asks nothing first: the signal came before
}
static void signal_lost(int) {
  auto gate = std::make_shared<Gate>();
  gate->opened.signal();
  weir::go([gate] { signal_lost_wait(*gate); });
}

[[gnu::noinline]] static void no_broadcast_wait(Gate& gate) {
  std::unique_lock hold(gate.mu);
  gate.waiting.done();
  gate.opened.wait(hold, [&gate] { return gate.open; });
}
static void no_broadcast(int) {
  auto gate = std::make_shared<Gate>();
  gate->waiting.add(3);
  for (int i = 0; i < 3; ++i) weir::go([gate] { no_broadcast_wait(*gate); });
  gate->waiting.wait();
  const std::scoped_lock hold(gate->mu);
  gate->open = true;
  gate->opened.signal();  // one of three
}

[[gnu::noinline]] static void no_signal_wait(Gate& gate) {
  std::unique_lock hold(gate.mu);
  gate.opened.wait(hold, [&gate] { return gate.open; });
}
static void no_signal(int) {
  static Gate gate;
  const bool opens = false;  // the state changes elsewhere, and nobody tells
  if (opens) gate.opened.broadcast();
  no_signal_wait(gate);
}

struct Queue {
  weir::Mutex mu;
  weir::Cond nonempty, nonfull;
  int items = 0;
  weir::WaitGroup waiting;
};
[[gnu::noinline]] static void wrong_cond_take(Queue& q) {
  std::unique_lock hold(q.mu);
  q.waiting.done();
  while (q.items == 0) q.nonempty.wait(hold);
}
static void wrong_cond(int) {
  auto q = std::make_shared<Queue>();
  q->waiting.add(1);
  weir::go([q] { wrong_cond_take(*q); });
  q->waiting.wait();
  const std::scoped_lock hold(q->mu);
  ++q->items;
  q->nonfull.signal();  // the other one
}

struct Barrier {
  weir::Mutex mu;
  weir::Cond all;
  int missing = 4;
};
[[gnu::noinline]] static void barrier_short_arrive(Barrier& b) {
  std::unique_lock hold(b.mu);
  if (--b.missing == 0) b.all.broadcast();
  b.all.wait(hold, [&b] { return b.missing == 0; });
}
static void barrier_short(int) {
  auto b = std::make_shared<Barrier>();
  for (int i = 0; i < 3; ++i) weir::go([b] { barrier_short_arrive(*b); });  // the fourth failed
}

// ---- Semaphore ----

[[gnu::noinline]] static void release_forgotten_enter(weir::Semaphore& slots) { slots.acquire(); }
static void release_forgotten(int round) {
  static weir::Semaphore slots(4);
  release_forgotten_enter(slots);
  if (round % 2 == 0) return;
  slots.release();
}

[[gnu::noinline]] static void ask_for_more_grow(weir::Semaphore& memory) {
  memory.acquire(2);
  memory.acquire(3);  // it holds two of four itself
}
static void ask_for_more(int) {
  auto memory = std::make_shared<weir::Semaphore>(4);
  weir::go([memory] { ask_for_more_grow(*memory); });
}

struct Slots {
  weir::Semaphore free{2};
  weir::WaitGroup here;
};
[[gnu::noinline]] static void half_each_take(Slots& slots) {
  slots.free.acquire();
  slots.here.done();
  slots.here.wait();
  slots.free.acquire();
}
static void half_each(int) {
  auto slots = std::make_shared<Slots>();
  slots->here.add(2);
  for (int i = 0; i < 2; ++i) weir::go([slots] { half_each_take(*slots); });
}

// ---- TaskGroup ----

[[gnu::noinline]] static void group_in_group_task(weir::TaskGroup& group) { group.wait(); }
[[gnu::noinline]] static void group_in_group_wait(weir::TaskGroup& group) { group.wait(); }
static void group_in_group(int) {
  weir::TaskGroup group;
  group.go([&group] { group_in_group_task(group); });  // waits for itself
  group_in_group_wait(group);
}

[[gnu::noinline]] static void limit_nested_walk(weir::TaskGroup& group) {
  group.go([] {});  // the only slot is its own
}
[[gnu::noinline]] static void limit_nested_wait(weir::TaskGroup& group) { group.wait(); }
static void limit_nested(int) {
  weir::TaskGroup group;
  group.set_limit(1);
  group.go([&group] { limit_nested_walk(group); });
  limit_nested_wait(group);
}

Family wait() {
  return {
      "waitgroup, cond, semaphore",
      {
          {"done_missing",
           "more was added than there are goroutines",
           done_missing,
           {{Kind::waitgroup, "done_missing_wait"}}},
          {"done_in_branch",
           "an error path does not call done",
           done_in_branch,
           {{Kind::waitgroup, "done_in_branch_wait"}}},
          {"add_skipped_items",
           "added for an item that is then passed over",
           add_skipped_items,
           {{Kind::waitgroup, "add_skipped_items_wait"}}},
          {"wait_in_loop",
           "waits for all before all are started",
           wait_in_loop,
           {{Kind::waitgroup, "wait_in_loop_each"}}},
          {"wait_for_itself",
           "waits for its own done",
           wait_for_itself,
           {{Kind::waitgroup, "wait_for_itself_task"}}},
          {"done_after_throw",
           "an exception skips done",
           done_after_throw,
           {{Kind::waitgroup, "done_after_throw_wait"}}},
          {"signal_lost",
           "the signal comes before the wait",
           signal_lost,
           {{Kind::cond, "signal_lost_wait"}}},
          {"no_broadcast",
           "one signal for three",
           no_broadcast,
           {{Kind::cond, "no_broadcast_wait"}}},
          {"no_signal",
           "the state changes, and nobody is told",
           no_signal,
           {{Kind::cond, "no_signal_wait"}}},
          {"wrong_cond",
           "the other Cond is signalled",
           wrong_cond,
           {{Kind::cond, "wrong_cond_take"}}},
          {"barrier_short",
           "a barrier for one more than come",
           barrier_short,
           {{Kind::cond, "barrier_short_arrive"}}},
          {"release_forgotten",
           "every other request keeps its slot",
           release_forgotten,
           {{Kind::semaphore, "release_forgotten_enter"}}},
          {"ask_for_more",
           "asks for what it holds itself",
           ask_for_more,
           {{Kind::semaphore, "ask_for_more_grow"}}},
          {"half_each",
           "two hold one half each and want the other",
           half_each,
           {{Kind::semaphore, "half_each_take"}}},
          {"group_in_group",
           "a task waits for its group",
           group_in_group,
           {{Kind::waitgroup, "group_in_group_task"}, {Kind::waitgroup, "group_in_group_wait"}}},
          {"limit_nested",
           "a task adds a task to a group of limit one",
           limit_nested,
           {{Kind::semaphore, "limit_nested_walk"}, {Kind::waitgroup, "limit_nested_wait"}}},
      }};
}

}  // namespace kernels
