// What the listener makes of tests that are not plain: skipped, failed before, typed, with children
// that die, several at once. Each leaks, unless WEIR_LEAKY_FIXED; those called Healthy never do.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <thread>
#include <vector>

#include <weir/testing.h>
#include <weir/weir.h>

using namespace std::chrono_literals;

namespace leaky {

#if defined(WEIR_LEAKY_FIXED)
constexpr bool kFixed = true;
#else
constexpr bool kFixed = false;
#endif

[[gnu::noinline]] static void receive(weir::chan<int> c) { c.recv(); }

// Leaves a goroutine behind, where the bug is in.
static void leave_one() {
  auto c = weir::make_chan<int>();
  weir::go([c] { receive(c); });
  if (kFixed) c.close();
}

TEST(Cases, skipped) {
  weir::run(leave_one);
  GTEST_SKIP() << "after a leak";
}

TEST(Cases, failed_before) {
  weir::run(leave_one);
  if (!kFixed) FAIL() << "for another reason";
}

template <class T>
class Typed : public testing::Test {};
using Types = testing::Types<int, std::vector<int>>;
TYPED_TEST_SUITE(Typed, Types);
TYPED_TEST(Typed, leaves_one) { weir::run(leave_one); }

class Numbers : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(All, Numbers, testing::Values(1, 2));
TEST_P(Numbers, leaves_some) {
  weir::run([] {
    for (int i = 0; i < GetParam(); ++i) leave_one();
  });
}

// Several at once, each with a guard of its own, which the listener makes fail the test. Those with
// an odd number leak.
TEST(Cases, parallel_goroutines) {
  weir::run([] {
    weir::WaitGroup all;
    for (int i = 0; i < 4; ++i) {
      all.go([i] {
        const weir::testing::LeakGuard guard(
            {.timeout = 200ms, .name = "goroutine " + std::to_string(i)});
        if (i % 2 == 1) leave_one();
      });
    }
    all.wait();
  });
}

TEST(Cases, parallel_threads) {
  weir::run([] {
    weir::blocking([] {
      std::vector<std::thread> threads;
      for (int i = 0; i < 4; ++i) {
        threads.emplace_back([i] {
          const weir::testing::LeakGuard guard(
              {.timeout = 200ms, .name = "thread " + std::to_string(i)});
          if (i % 2 == 1) leave_one();
        });
      }
      for (std::thread& t : threads) t.join();
    });
  });
}

// What a child process leaves behind is nobody's.
TEST(HealthyDeath, child_of_its_own) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        weir::go([] {});  // never runs
        std::exit(7);
      },
      testing::ExitedWithCode(7), "");
}
// (A copy of a process has no scheduler.)
TEST(HealthyDeath, child_by_fork) {
  GTEST_FLAG_SET(death_test_style, "fast");
  EXPECT_EXIT(std::exit(7), testing::ExitedWithCode(7), "");
}

// TearDown, the fixture's destructor and a last run may end goroutines.
class Healthy : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    suites_ = new weir::chan<int>(weir::make_chan<int>());
    weir::run([] { weir::go([c = *suites_] { receive(c); }); });
  }
  static void TearDownTestSuite() {
    suites_->close();
    weir::run([] {});
    delete suites_;
  }
  void TearDown() override { first_.close(); }
  ~Healthy() override { second_.close(); }

  inline static weir::chan<int>* suites_ = nullptr;
  weir::chan<int> first_ = weir::make_chan<int>(), second_ = weir::make_chan<int>();
};

TEST_F(Healthy, torn_down) {
  weir::run([this] {
    weir::go([c = first_] { receive(c); });
    weir::go([c = second_] { receive(c); });
  });
}
TEST_F(Healthy, does_not_know_the_goroutines_of_its_suite) {
  weir::run([] {});
}
TEST_F(Healthy, runs_twice) {
  auto c = weir::make_chan<int>();
  weir::run([c] { weir::go([c] { receive(c); }); });
  weir::run([c]() mutable { c.close(); });
}
TEST_F(Healthy, never_runs) {}

}  // namespace leaky
