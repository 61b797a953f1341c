// go, run, goexit, gosched, goid, num_goroutine: the life of a goroutine.

#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <weir/run_hook.h>

#include "test_util.h"

namespace weir::testing {
namespace {

WEIR_FOR_ALL_PROCS(Go);

TEST(Run, ReturnsTheIntOfMain) {
  EXPECT_EQ(weir::run([] { return 7; }), 7);
  EXPECT_EQ(weir::run([] {}), 0);
}

TEST(Run, MainIsAGoroutineOfItsOwn) {
  uint64_t thread = goid(), first = 0, second = 0;
  weir::run([&] { first = goid(); });
  weir::run([&] { second = goid(); });
  EXPECT_NE(first, 0u);
  EXPECT_NE(first, thread);
  EXPECT_NE(first, second) << "an id was used twice";
}

TEST(Run, GoroutinesLeftOverGoOnInTheNextRun) {
  auto to = make_chan<int>(), from = make_chan<int>();
  weir::run([&] { go([to, from] { from.send(*to.recv() + 1); }); });
  int answer = 0;
  weir::run([&] {
    to.send(41);
    answer = *from.recv();
  });
  EXPECT_EQ(answer, 42);
}

TEST(Run, RefusesASecondRunMeanwhile) {
  weir::run([] {
    EXPECT_THROW(weir::run([] {}), std::logic_error) << "from a goroutine";
    auto done = make_chan<bool>(1);
    std::thread other([done] {
      try {
        weir::run([] {});
        done.send(false);
      } catch (const std::logic_error&) {
        done.send(true);
      }
    });
    EXPECT_EQ(done.recv(), true) << "from another thread";
    other.join();
  });
}

bool refuse_to_begin = false;
std::string calls;
chan<int> going_on;

TEST(Run, CallsTheHooksOfLibraries) {
  static RunHooks first{.begin = [] { calls += "b1 "; }, .end = []() noexcept { calls += "e1 "; }};
  static RunHooks second{.begin =
                             [] {
                               if (refuse_to_begin) throw std::invalid_argument("no");
                               calls += "b2 ";
                             },
                         .end =
                             []() noexcept {
                               if (!going_on.cap()) return;
                               calls += std::to_string(*going_on.recv()) + " ";  // the others run
                             }};
  static RunHooks third{};
  for (RunHooks* hooks : {&first, &second, &third}) add_run_hooks(*hooks);
  calls.clear();
  going_on = make_chan<int>(1);
  weir::run([] {
    calls += "main ";
    go([c = going_on]() mutable {
      gosched();
      c.send(42);
    });
  });
  EXPECT_EQ(calls, "b2 b1 main 42 e1 ");

  calls.clear();
  going_on = {};
  refuse_to_begin = true;
  EXPECT_THROW(weir::run([] { calls += "main "; }), std::invalid_argument);
  refuse_to_begin = false;
  EXPECT_EQ(calls, "");
  weir::run([] { calls += "main "; });
  EXPECT_EQ(calls, "b2 b1 main e1 ");
}

TEST(Run, RefusesMalformedOptions) {
  EXPECT_THROW(weir::run([] {}, Options{.maxprocs = -1}), std::invalid_argument);
  EXPECT_THROW(weir::run([] {}, Options{.maxprocs = 1025}), std::invalid_argument);
  EXPECT_THROW(weir::run([] {}, Options{.stack_size = size_t{65} << 20}), std::invalid_argument);
}

TEST(Run, ReadsTheEnvironmentUnlessToldOtherwise) {
  ASSERT_EQ(setenv("WEIR_MAXPROCS", "3", 1), 0);
  int seen = 0;
  weir::run([&] { seen = gomaxprocs(); });
  EXPECT_EQ(seen, 3);
  weir::run([&] { seen = gomaxprocs(); }, Options{.maxprocs = 2});
  EXPECT_EQ(seen, 2) << "the program's option wins";
  for (const char* bad : {"0", "-1", "1025", "many", "2x", "99999999999999999999"}) {
    ASSERT_EQ(setenv("WEIR_MAXPROCS", bad, 1), 0);
    EXPECT_THROW(weir::run([] {}), std::invalid_argument) << bad;
  }
  ASSERT_EQ(unsetenv("WEIR_MAXPROCS"), 0);
  ASSERT_EQ(setenv("WEIR_STACK_SIZE", "big", 1), 0);
  EXPECT_THROW(weir::run([] {}), std::invalid_argument);
  ASSERT_EQ(unsetenv("WEIR_STACK_SIZE"), 0);
}

TEST_P(Go, RunsTheFunction) {
  run([] {
    auto ch = make_chan<int>();
    go([ch] { ch.send(42); });
    EXPECT_EQ(ch.recv(), 42);
  });
}

TEST_P(Go, NeverBlocksTheCaller) {
  run([] {
    auto ch = make_chan<int>();
    WaitGroup wg;
    for (int i = 0; i < 1000; i++) wg.go([ch, i] { ch.send(i); });
    int sum = 0;
    for (int i = 0; i < 1000; i++) sum += *ch.recv();
    EXPECT_EQ(sum, 999 * 1000 / 2);
    wg.wait();
  });
}

TEST_P(Go, DropsWhatTheFunctionReturns) {
  run([] {
    WaitGroup wg;
    wg.add(1);
    go([&] {
      wg.done();
      return Tracked(3);
    });
    wg.wait();
    EXPECT_TRUE(eventually([] { return Tracked::live() == 0; }));
  });
}

TEST_P(Go, MovesAMoveOnlyClosure) {
  run([] {
    auto ch = make_chan<int>();
    go([ch, p = std::make_unique<int>(5)] { ch.send(*p); });
    EXPECT_EQ(ch.recv(), 5);
  });
}

TEST_P(Go, DestroysTheClosureWhenTheGoroutineEnds) {
  run([] {
    auto ch = make_chan<int>();
    go([ch, t = Tracked(1)] {
      EXPECT_FALSE(t.moved_from());
      ch.send(t.value());
      ch.recv();
    });
    EXPECT_EQ(ch.recv(), 1);
    EXPECT_EQ(Tracked::live(), 1) << "the one in the goroutine";
    ch.close();
    EXPECT_TRUE(eventually([] { return Tracked::live() == 0; }));
  });
}

TEST_P(Go, TakesABigClosure) {
  run([] {
    std::array<unsigned char, 12 << 10> big;
    for (size_t i = 0; i < big.size(); i++) big[i] = static_cast<unsigned char>(i * 7);
    auto ok = make_chan<bool>();
    for (int i = 0; i < 10; i++) {
      go([ok, big] {
        gosched();
        bool same = true;
        for (size_t j = 0; j < big.size(); j++) {
          if (big[j] != static_cast<unsigned char>(j * 7)) same = false;
        }
        ok.send(same);
      });
    }
    for (int i = 0; i < 10; i++) EXPECT_EQ(ok.recv(), true);
  });
}

TEST_P(Go, TakesAnOverAlignedClosure) {
  struct alignas(256) Wide {
    int value = 9;
    uintptr_t address() const { return reinterpret_cast<uintptr_t>(this); }
  };
  run([] {
    auto ch = make_chan<uintptr_t>();
    Wide wide;
    for (int i = 0; i < 10; i++) {
      go([ch, wide] { ch.send(wide.address() + (wide.value == 9 ? 0 : 1)); });
      EXPECT_EQ(*ch.recv() % 256, 0u);
    }
  });
}

TEST_P(Go, RefusesAClosureLargerThanAQuarterOfTheStack) {
  struct Huge {
    explicit Huge(int value) : tracked(value) {}
    Tracked tracked;
    std::array<char, kDefaultStack / 2> bytes{};
    void operator()() {}
  };
  weir::run(
      [] {
        // Thrown at the caller, whose own stack holds the closure too.
        auto done = make_chan<bool>();
        go({.stack_size = 4 << 20}, [done] {
          size_t before = num_goroutine();
          EXPECT_THROW(go(Huge(1)), std::length_error);
          EXPECT_EQ(Tracked::live(), 0);
          EXPECT_LE(num_goroutine(), before);
          done.send(true);
        });
        done.recv();
        go([done] { done.send(true); });
        EXPECT_EQ(done.recv(), true) << "later goroutines are none the worse";
      },
      Options{.maxprocs = procs()});
}

// Throws from the n-th move on.
class ThrowsWhenMoved {
 public:
  explicit ThrowsWhenMoved(int moves) : left_(moves) {}
  ThrowsWhenMoved(ThrowsWhenMoved&& o) : tracked_(std::move(o.tracked_)), left_(o.left_ - 1) {
    if (left_ < 0) throw std::runtime_error("moved once too often");
  }
  void operator()() { ran_.fetch_add(1); }
  static int ran() { return ran_.load(); }

 private:
  inline static std::atomic<int> ran_{0};
  Tracked tracked_;
  int left_;
};

TEST_P(Go, AThrowingMoveOfTheClosureReachesTheCaller) {
  run([] {
    ASSERT_TRUE(settle());
    size_t before = num_goroutine();
    int ran = ThrowsWhenMoved::ran(), threw = 0;
    // However often the closure is moved on its way, each failure is clean until it gets through.
    for (int moves = 0; moves < 10; moves++) {
      try {
        go(ThrowsWhenMoved(moves));
      } catch (const std::runtime_error&) {
        threw++;
      }
    }
    EXPECT_GT(threw, 0);
    EXPECT_TRUE(eventually([&] { return ThrowsWhenMoved::ran() == ran + 10 - threw; }));
    EXPECT_TRUE(eventually([&] { return num_goroutine() == before && Tracked::live() == 0; }));
  });
}

TEST_P(Go, GoidsAreNeverUsedTwice) {
  run([] {
    std::set<uint64_t> seen{goid()};
    auto ids = make_chan<uint64_t>(16);
    const int rounds = scaled(4000);
    for (int i = 0; i < rounds; i++) {
      go([ids] { ids.send(goid()); });
      if (i % 3 == 0) gosched();
      if (i % 16 == 15) {
        for (int j = 0; j < 16; j++) EXPECT_TRUE(seen.insert(*ids.recv()).second);
      }
    }
    for (int j = 0; j < rounds % 16; j++) EXPECT_TRUE(seen.insert(*ids.recv()).second);
    EXPECT_EQ(seen.size(), static_cast<size_t>(rounds) + 1);
    EXPECT_EQ(seen.count(0), 0u);
  });
}

TEST_P(Go, GoidStaysTheSameAcrossBlocking) {
  run([] {
    WaitGroup wg;
    for (int i = 0; i < 20; i++) {
      wg.go([] {
        uint64_t me = goid();
        for (int j = 0; j < 50; j++) {
          gosched();
          if (j % 10 == 0) sleep_for(std::chrono::microseconds(50));
          EXPECT_EQ(goid(), me);
        }
      });
    }
    wg.wait();
  });
}

TEST_P(Go, NumGoroutineCountsThoseThatExist) {
  run([] {
    ASSERT_TRUE(settle());
    size_t before = num_goroutine();
    EXPECT_GE(before, 1u);
    auto hold = make_chan<int>();
    WaitGroup wg;
    for (int i = 0; i < 100; i++) wg.go([hold] { hold.recv(); });
    EXPECT_EQ(num_goroutine(), before + 100);
    hold.close();
    wg.wait();
    EXPECT_TRUE(eventually([&] { return num_goroutine() == before; }));
  });
}

TEST_P(Go, ManyAtOnce) {
  run([] {
    const int n = kTsan ? 2000 : scaled(100'000);
    auto start = make_chan<int>();
    auto sums = make_chan<int64_t>(64);
    for (int i = 0; i < n; i++) {
      go([start, sums, i] {
        start.recv();
        sums.send(i);
      });
    }
    start.close();
    int64_t sum = 0;
    for (int i = 0; i < n; i++) sum += *sums.recv();
    EXPECT_EQ(sum, int64_t{n} * (n - 1) / 2);
  });
}

// A goroutine for each call, as a tree.
int fib(int n) {
  if (n < 2) return n;
  auto left = make_chan<int>();
  go([left, n] { left.send(fib(n - 1)); });
  int right = fib(n - 2);
  return *left.recv() + right;
}

TEST_P(Go, GoroutinesStartGoroutines) {
  run([] { EXPECT_EQ(fib(15), 610); });
}

TEST_P(Go, GoschedLetsTheOthersRun) {
  run([] {
    std::atomic<int> turn{0};
    WaitGroup wg;
    for (int i = 0; i < 4; i++) {
      wg.go([&turn, i] {
        for (int round = 0; round < 100; round++) {
          while (turn.load() != round * 4 + i) gosched();
          turn.fetch_add(1);
        }
      });
    }
    wg.wait();
    EXPECT_EQ(turn.load(), 400);
  });
}

// Fills `depth` frames of at least 1 KiB and tells how many.
[[gnu::noinline]] int deep(int depth) {
  char frame[1024];
  memset(frame, depth, sizeof frame);
  asm volatile("" : : "r"(frame) : "memory");
  if (depth == 0) return 1;
  int below = deep(depth - 1);
  asm volatile("" : : "r"(frame) : "memory");
  return frame[1023] == static_cast<char>(depth) ? below + 1 : 0;
}

TEST_P(Go, TheStackIsAsLargeAsAskedFor) {
  run([] {
    auto ch = make_chan<int>();
    go([ch] { ch.send(deep(40)); });
    EXPECT_EQ(ch.recv(), 41);
    // 1 KiB and what a frame needs besides, which is more under a sanitizer.
    constexpr int kDepth = kSanitized ? 1000 : 3000;
    go({.stack_size = 4 << 20}, [ch] { ch.send(deep(kDepth)); });
    EXPECT_EQ(ch.recv(), kDepth + 1);
  });
}

TEST(GoOptions, ANameIsShownAndCutAt31Bytes) {
  weir::run([] {
    auto id = make_chan<uint64_t>(), hold = make_chan<uint64_t>();
    WaitGroup wg;
    wg.add(2);
    for (const char* name : {"poller", "a-name-of-more-than-thirty-one-bytes"}) {
      go({.name = name}, [&wg, id, hold] {
        id.send(goid());
        hold.recv();
        wg.done();
      });
      uint64_t goid = *id.recv();
      ASSERT_TRUE(waits(goid, introspect::WaitReason::chan_receive));
      EXPECT_EQ(std::string(look_at(goid)->g.name), std::string(name).substr(0, 31));
    }
    hold.close();
    wg.wait();
  });
}

// --- goexit ---

struct NotesItsEnd {
  std::vector<int>* order;
  int depth;
  ~NotesItsEnd() { order->push_back(depth); }
};
[[gnu::noinline]] void exit_at_once(std::vector<int>* order) {
  NotesItsEnd third{order, 3};
  goexit();
}
[[gnu::noinline]] void exit_two_deep(std::vector<int>* order) {
  NotesItsEnd second{order, 2};
  exit_at_once(order);
  order->push_back(-2);
}
[[gnu::noinline]] void exit_three_deep(std::vector<int>* order) {
  NotesItsEnd first{order, 1};
  exit_two_deep(order);
  order->push_back(-1);
}

TEST_P(Go, GoexitRunsTheDestructorsFromTheInside) {
  run([] {
    std::vector<int> order;
    WaitGroup wg;
    wg.go([&, t = Tracked(1)] {
      exit_three_deep(&order);
      order.push_back(-1);
    });
    wg.wait();  // its done is in a destructor too
    EXPECT_EQ(order, (std::vector<int>{3, 2, 1}));
    EXPECT_TRUE(eventually([] { return Tracked::live() == 0; }));
  });
}

TEST_P(Go, GoexitIsSeenByCatchAllAndByNoOther) {
  run([] {
    bool by_type = false, by_all = false, after = false;
    WaitGroup wg;
    wg.go([&] {
      try {
        try {
          goexit();
        } catch (const std::exception&) {
          by_type = true;
        }
      } catch (...) {
        by_all = true;
        throw;
      }
      after = true;
    });
    wg.wait();
    EXPECT_FALSE(by_type);
    EXPECT_TRUE(by_all);
    EXPECT_FALSE(after);
  });
}

TEST_P(Go, GoexitFromACatchBlockFreesTheException) {
  run([] {
    WaitGroup wg;
    for (int i = 0; i < 20; i++) {
      wg.go([] {
        try {
          throw std::make_shared<Tracked>(1);
        } catch (const std::shared_ptr<Tracked>&) {
          gosched();
          goexit();
        }
      });
    }
    wg.wait();
    EXPECT_TRUE(eventually([] { return Tracked::live() == 0; }));
  });
}

TEST_P(Go, GoexitMayBlockOnItsWayOut) {
  run([] {
    auto ch = make_chan<int>();
    struct SendsLast {
      chan<int> ch;
      ~SendsLast() {
        ch.send(1);
        gosched();
        ch.send(2);
      }
    };
    go([ch] {
      SendsLast last{ch};
      goexit();
    });
    EXPECT_EQ(ch.recv(), 1);
    EXPECT_EQ(ch.recv(), 2);
  });
}

TEST_P(Go, ManyGoexits) {
  run([] {
    const int n = scaled(10'000);
    WaitGroup wg;
    for (int i = 0; i < n; i++) {
      wg.go([i, t = Tracked(i)] {
        if (i % 2) gosched();
        goexit();
      });
    }
    wg.wait();
    EXPECT_TRUE(eventually([] { return Tracked::live() == 0; }));
  });
}

TEST(Goexit, ThrowsOnAPlainThread) { EXPECT_THROW(goexit(), std::logic_error); }

}  // namespace
}  // namespace weir::testing
