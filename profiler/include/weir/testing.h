// Tests that fail when they leave goroutines behind. Go: go.uber.org/goleak.
//
//   int main(int argc, char** argv) {                      // GoogleTest: every test is watched
//     testing::InitGoogleTest(&argc, argv);
//     weir::testing::install_leak_listener();
//     return RUN_ALL_TESTS();
//   }
//
//   {                                                      // without it, or for a part of a test
//     weir::testing::LeakGuard guard;
//     weir::run([] { serve_one_request(); });
//   }                                                      // reports what is left
//
// Whose goroutines: those that descend from the goroutine (or plain thread) that made the guard, by
// `weir::go` at whatever remove, whether their parents still exist or not. So tests may run in
// parallel in one process, which goleak cannot do, and a leak is told to the test that made it, not
// to a later one. A thread that the test starts by other means has no parent: what it starts is
// seen by a guard of its own only. What a goroutine from before the test starts for it is not the
// test's. What the test starts for others is: an http::Client that outlives it has a goroutine for
// each idle connection that it opened, until close_idle_connections().
//
// Patience: the first look is at once, and where nobody is left that is all. Else looks follow with
// growing pauses, until nobody is left or `timeout` is over. It counts the pauses as they were
// asked for, so on a loaded machine, where they last longer, goroutines have longer to end. And
// while some of them run, may run, are in a blocking call, or have begun another wait since the
// last look, they are waited for up to ten times as long. A goroutine that is about to end is no
// leak.
//
// Between runs: goroutines that a `weir::run` has left behind stand still until the next one. A
// guard of a plain thread lets them go on, by a `run` of its own (with the default Options), so
// that those which are about to end do. What they refer to on the stack of main must not be gone:
// who captures by reference joins.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <weir/labels.h>
#include <weir/profiler/finding.h>

#if __has_include(<gtest/gtest.h>)
#include <gtest/gtest.h>
#define WEIR_TESTING_HAS_GOOGLETEST 1
#endif

namespace weir::testing {

// Names of functions are compared as a whole, as dumps show them: "pool::worker",
// "pool::start::lambda".
struct LeakOptions {
  // Goroutines that are blocked in one of these: their innermost frame that is not the runtime's.
  // goleak: IgnoreTopFunction.
  std::vector<std::string> ignore_top_function{};
  // Those that have one of these anywhere on their stack, inlined calls too. goleak:
  // IgnoreAnyFunction.
  std::vector<std::string> ignore_any_function{};
  // Those whose `weir::go` stands in one of these. goleak: IgnoreCreatedBy.
  std::vector<std::string> ignore_created_by{};
  // Those with these ids: current_goroutines(), as it was before. goleak: IgnoreCurrent.
  std::vector<uint64_t> ignore_current{};
  // How long goroutines that are blocked are waited for; 0: one look. goleak: 431 ms.
  std::chrono::nanoseconds timeout = std::chrono::milliseconds(500);
  // What is looked at, in messages: the test's name; empty: the program's.
  std::string name{};
};

// The ids of all goroutines that exist. Never blocks; thread-safe.
std::vector<uint64_t> current_goroutines();

// What was left behind. Where a goroutine can be proved never to go on, the finding is certain;
// else likely, since it has outlived its test, or suspect where its wait is one that long-lived
// goroutines are usually in (an accepting listener, a ticker).
struct Leaks {
  profiler::Findings findings;
  int64_t waited_ns = 0;  // how long goroutines were waited for

  bool empty() const { return findings.findings.empty(); }
  // For people: of each finding the cause, how many goroutines, where they are stuck and where
  // their `go` is.
  std::string text() const;
};

// Looks for leaks where it is called: of the innermost scope that is watched (a LeakGuard, a test
// under install_leak_listener); outside of any, all goroutines count. The caller and those that it
// descends from never do. Blocks the calling goroutine or thread, `timeout` long as a rule and ten
// times that at most, where something is left. Throws std::bad_alloc; on a plain thread also what
// weir::run throws of environment variables. Thread-safe. goleak: Find.
Leaks find_leaks(const LeakOptions& options = {});

// Told what a LeakGuard has found. May be called on any goroutine or thread, several at once.
using LeakHandler = void (*)(const Leaks& leaks);
// For the whole process; null: the default, which prints Leaks::text() to stderr and makes the
// process exit with status kLeakStatus where it would exit with 0 (not by _exit or quick_exit).
// Returns the former one; null: the default. Thread-safe.
LeakHandler set_leak_handler(LeakHandler handler) noexcept;

// Adds what a test or a guard has found, under its name, to the report that WEIR_LEAKCHECK_REPORT
// asks for; nothing where it asks for none. True: WEIR_LEAKCHECK=report leaves the verdict to who
// reads the report, and nothing should fail here. What goes wrong is printed to stderr, and false.
// The handlers below do it. Thread-safe.
bool report_leaks(const Leaks& leaks) noexcept;

// Exit status of a program that has leaked, where it had no failure of its own.
inline constexpr int kLeakStatus = 66;

// Watches the goroutines that descend from the calling goroutine or thread, from here to its end.
// Guards may be nested: a goroutine belongs to all that it was started in. To be destroyed by the
// goroutine that made it, in the order of scopes (with_labels is one, too). In a child by fork(2),
// a guard of the parent's finds nothing: no goroutine runs there.
class LeakGuard {
 public:
  // Throws std::bad_alloc.
  explicit LeakGuard(LeakOptions options = {});
  // Looks for leaks, unless check() was called before, and tells the handler. Blocks as find_leaks;
  // where that throws, the exception's text goes to stderr. What is left is watched no longer.
  ~LeakGuard();
  LeakGuard(const LeakGuard&) = delete;
  LeakGuard& operator=(const LeakGuard&) = delete;

  // Looks now, and leaves it to the caller to report. As find_leaks.
  Leaks check();

 private:
  LeakOptions options_;
  uint64_t mark_;
  pid_t process_;
  weir::detail::label_scope scope_;
  bool checked_ = false;
};

#if defined(WEIR_TESTING_HAS_GOOGLETEST)

// Fails the current test where goroutines are left behind; options as in LeakOptions:
//   EXPECT_NO_GOROUTINE_LEAKS();
//   EXPECT_NO_GOROUTINE_LEAKS(.ignore_created_by = {"pool::start"}, .timeout = 2s) << "more text";
// goleak: VerifyNone.
#define EXPECT_NO_GOROUTINE_LEAKS(...)                                              \
  switch (0)                                                                        \
  case 0:                                                                           \
  default:                                                                          \
    if (const ::weir::testing::Leaks weir_leaks =                                   \
            ::weir::testing::find_leaks(::weir::testing::LeakOptions{__VA_ARGS__}); \
        weir_leaks.empty()) {                                                       \
    } else /* NOLINT */                                                             \
      ADD_FAILURE() << weir_leaks.text()

namespace googletest {

inline std::string name_of(const ::testing::TestInfo& test) {
  return std::string(test.test_suite_name()) + "." + test.name();
}

// Of a LeakGuard in a test.
inline void fail_current_test(const Leaks& leaks) {
  Leaks tests = leaks;
  if (const auto* test = ::testing::UnitTest::GetInstance()->current_test_info()) {
    tests.findings.target = name_of(*test);
  }
  if (!report_leaks(tests)) ADD_FAILURE() << leaks.text();
}

class LeakListener : public ::testing::EmptyTestEventListener {
 public:
  explicit LeakListener(LeakOptions options) : options_(std::move(options)) {}
  // Within a test, by exit(3): nobody is judged then.
  ~LeakListener() override { (void)guard_.release(); }

  void OnTestStart(const ::testing::TestInfo& test) override {
    options_.name = name_of(test);
    guard_ = std::make_unique<LeakGuard>(options_);
  }
  // A failure that is added here counts: GoogleTest asks for the result afterwards.
  void OnTestEnd(const ::testing::TestInfo& test) override {
    const bool failed = test.result()->Failed();
    const Leaks leaks = guard_->check();
    guard_.reset();
    if (leaks.empty() || report_leaks(leaks)) return;
    ADD_FAILURE_AT(test.file(), test.line())
        << (failed ? "(The test had failed before: it may have been left early.)\n" : "")
        << leaks.text();
  }

 private:
  LeakOptions options_;
  std::unique_ptr<LeakGuard> guard_;
};

}  // namespace googletest

// From now on, each test of this program fails that leaves goroutines behind, after TearDown and
// the fixture's destructor; so do tests in which a LeakGuard finds some (set_leak_handler). What
// SetUpTestSuite and environments start is nobody's. Children of death tests are not judged. To be
// called once, in or before main, before RUN_ALL_TESTS; `options` hold for each test. goleak:
// VerifyTestMain, which tells at the end of all tests only. Under `weir check`
// (WEIR_LEAKCHECK=report) leaks go to its report in place of failures.
inline void install_leak_listener(const LeakOptions& options = {}) {
  set_leak_handler(&googletest::fail_current_test);
  ::testing::UnitTest::GetInstance()->listeners().Append(new googletest::LeakListener(options));
}

#endif  // WEIR_TESTING_HAS_GOOGLETEST

}  // namespace weir::testing
