// Exceptions on goroutines: thrown, caught, and in flight across a park, on whatever thread it goes
// on.

#include <array>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "test_util.h"

namespace weir::testing {
namespace {

WEIR_FOR_ALL_PROCS(Exceptions);

// An exception that is counted and can be told from others.
struct Numbered : std::runtime_error {
  explicit Numbered(int n)
      : std::runtime_error("number " + std::to_string(n)),
        number(n),
        counted(std::make_shared<Tracked>(n)) {}
  int number;
  std::shared_ptr<Tracked> counted;
};

// Blocks in one way or another, so as to go on elsewhere.
void park(int i) {
  switch (i % 4) {
    case 0: {
      auto ch = make_chan<int>();
      go([ch] { ch.send(1); });
      ch.recv();
      break;
    }
    case 1:
      sleep_for(std::chrono::microseconds(30));
      break;
    case 2: {
      auto a = make_chan<int>(), b = make_chan<int>();
      go([b] { b.close(); });
      select(on_recv(a), on_recv(b));
      break;
    }
    default:
      for (int j = 0; j < 3; j++) gosched();
  }
}

TEST_P(Exceptions, AreThrownAndCaughtOnAGoroutine) {
  run([] {
    WaitGroup wg;
    for (int i = 0; i < 100; i++) {
      wg.go([i] {
        try {
          throw Numbered(i);
        } catch (const std::runtime_error& e) {
          EXPECT_EQ(std::string(e.what()), "number " + std::to_string(i));
        }
      });
    }
    wg.wait();
    EXPECT_TRUE(eventually([] { return Tracked::live() == 0; }));
  });
}

TEST_P(Exceptions, ACatchBlockMayBlock) {
  run([] {
    auto ch = make_chan<int>();
    WaitGroup wg;
    int n = scaled(500);
    for (int i = 0; i < n; i++) {
      wg.go([i, ch] {
        try {
          throw Numbered(i);
        } catch (const Numbered& e) {
          std::exception_ptr before = std::current_exception();
          ch.recv();  // all of them are in their catch blocks at once
          EXPECT_EQ(e.number, i);
          EXPECT_TRUE(std::current_exception() == before);
          EXPECT_EQ(std::uncaught_exceptions(), 0);
          try {
            throw;
          } catch (const Numbered& again) {
            EXPECT_EQ(&again, &e);
          }
        }
        EXPECT_EQ(std::current_exception(), nullptr);
      });
    }
    ASSERT_TRUE(settle());
    EXPECT_EQ(std::current_exception(), nullptr) << "main catches nothing";
    EXPECT_EQ(Tracked::live(), n);
    // In another order than they came, mixed with new ones.
    for (int i = 0; i < n; i++) ch.send(i);
    wg.wait();
    EXPECT_TRUE(eventually([] { return Tracked::live() == 0; }));
  });
}

TEST_P(Exceptions, ARethrowAfterBlockingIsTheSame) {
  run([] {
    WaitGroup wg;
    for (int i = 0; i < 50; i++) {
      wg.go([i] {
        int caught = -1;
        try {
          try {
            throw Numbered(i);
          } catch (const std::exception&) {
            park(i);
            throw;
          }
        } catch (const Numbered& e) {
          caught = e.number;
        }
        EXPECT_EQ(caught, i);
      });
    }
    wg.wait();
    EXPECT_TRUE(eventually([] { return Tracked::live() == 0; }));
  });
}

void nest(int id, int depth) {
  try {
    throw Numbered(id * 100 + depth);
  } catch (const Numbered& e) {
    park(id + depth);
    if (depth > 0) nest(id, depth - 1);
    park(depth);
    EXPECT_EQ(e.number, id * 100 + depth);
    try {
      std::rethrow_exception(std::current_exception());
    } catch (const Numbered& same) {
      EXPECT_EQ(same.number, id * 100 + depth);
    }
  }
}

TEST_P(Exceptions, NestedCatchBlocksMayBlock) {
  run([] {
    WaitGroup wg;
    for (int i = 0; i < scaled(200); i++) wg.go([i] { nest(i, 4); });
    wg.wait();
    EXPECT_EQ(std::current_exception(), nullptr);
    EXPECT_TRUE(eventually([] { return Tracked::live() == 0; }));
  });
}

TEST_P(Exceptions, ADestructorMayBlockDuringUnwinding) {
  struct BlocksWhenLeft {
    chan<int> ch;
    int id;
    ~BlocksWhenLeft() {
      EXPECT_EQ(std::uncaught_exceptions(), 1);
      ch.recv();
      EXPECT_EQ(std::uncaught_exceptions(), 1);
      try {  // exceptions within are their own affair
        throw id;
      } catch (int v) {
        park(v);
        EXPECT_EQ(v, id);
        EXPECT_EQ(std::uncaught_exceptions(), 1);
      }
    }
  };
  run([] {
    auto ch = make_chan<int>();
    WaitGroup wg;
    int n = scaled(200);
    for (int i = 0; i < n; i++) {
      wg.go([i, ch] {
        try {
          BlocksWhenLeft blocks{ch, i};
          throw Numbered(i);
        } catch (const Numbered& e) {
          EXPECT_EQ(e.number, i);
          EXPECT_EQ(std::uncaught_exceptions(), 0);
        }
      });
    }
    ASSERT_TRUE(settle());
    EXPECT_EQ(std::uncaught_exceptions(), 0) << "those in flight belong to others";
    ch.close();
    wg.wait();
    EXPECT_TRUE(eventually([] { return Tracked::live() == 0; }));
  });
}

TEST_P(Exceptions, ANewGoroutineStartsWithoutTheOnesOfItsCreator) {
  run([] {
    auto clean = make_chan<bool>();
    try {
      throw Numbered(1);
    } catch (const Numbered&) {
      go([clean] {
        clean.send(std::current_exception() == nullptr && std::uncaught_exceptions() == 0);
      });
      EXPECT_EQ(clean.recv(), true);
      EXPECT_NE(std::current_exception(), nullptr);
    }
    struct StartsOne {
      chan<bool> clean;
      ~StartsOne() {
        go([clean = clean] {
          clean.send(std::current_exception() == nullptr && std::uncaught_exceptions() == 0);
        });
        EXPECT_EQ(clean.recv(), true);
        EXPECT_EQ(std::uncaught_exceptions(), 1);
      }
    };
    try {
      StartsOne starts{clean};
      throw Numbered(2);
    } catch (const Numbered&) {
    }
  });
}

TEST_P(Exceptions, AReusedStackStartsWithoutTheOnesOfItsFormerOwner) {
  run([] {
    WaitGroup wg;
    for (int i = 0; i < 200; i++) {
      wg.go([i] {
        EXPECT_EQ(std::current_exception(), nullptr);
        EXPECT_EQ(std::uncaught_exceptions(), 0);
        try {
          throw Numbered(i);
        } catch (...) {
          if (i % 2) goexit();
        }
      });
      if (i % 8 == 0) wg.wait();
    }
    wg.wait();
    EXPECT_TRUE(eventually([] { return Tracked::live() == 0; }));
  });
}

TEST_P(Exceptions, TravelToOtherGoroutines) {
  run([] {
    auto errors = make_chan<std::exception_ptr>(4);
    int n = scaled(200);
    for (int i = 0; i < n; i++) {
      go([i, errors] {
        try {
          throw Numbered(i);
        } catch (...) {
          errors.send(std::current_exception());
        }
      });
    }
    int sum = 0;
    for (int i = 0; i < n; i++) {
      try {
        std::rethrow_exception(*errors.recv());
      } catch (const Numbered& e) {
        gosched();
        sum += e.number;
      }
    }
    EXPECT_EQ(sum, n * (n - 1) / 2);
    EXPECT_TRUE(eventually([] { return Tracked::live() == 0; }));
  });
}

TEST_P(Exceptions, ManyGoroutinesAtOnce) {
  run([] {
    std::atomic<int> caught{0};
    WaitGroup wg;
    int rounds = scaled(200);
    for (int g = 0; g < 40; g++) {
      wg.go([&, g] {
        for (int i = 0; i < rounds; i++) {
          try {
            struct Parks {
              int i;
              ~Parks() { park(i); }
            } parks{g + i};
            park(i);
            throw Numbered(g * rounds + i);
          } catch (const Numbered& e) {
            park(g);
            if (e.number == g * rounds + i) caught++;
          }
        }
      });
    }
    wg.wait();
    EXPECT_EQ(caught.load(), 40 * rounds);
    EXPECT_TRUE(eventually([] { return Tracked::live() == 0; }));
  });
}

// One that catches moves between threads while others on the same threads throw.
TEST_P(Exceptions, SurviveAMoveToAnotherThread) {
  run([] {
    std::atomic<bool> stop{false};
    std::atomic<int> moves{0};
    WaitGroup wg;
    for (int g = 0; g < 3; g++) {
      wg.go([&, g] {
        try {
          throw Numbered(g);
        } catch (const Numbered& e) {
          while (!stop) {
            park(g);
            if (e.number != g || std::uncaught_exceptions() != 0) ADD_FAILURE();
            moves++;
          }
        }
      });
    }
    for (int i = 0; i < scaled(2000); i++) {
      try {
        throw i;
      } catch (int v) {
        gosched();
        EXPECT_EQ(v, i);
      }
    }
    EXPECT_TRUE(eventually([&] { return moves > 100; }));
    stop = true;
    wg.wait();
  });
}

}  // namespace
}  // namespace weir::testing
