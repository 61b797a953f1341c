// Deaths: Go's message, a dump of all goroutines on stderr, exit status 2.
//
// Each runs in a process of its own (gtest starts this program again), so the first main is
// goroutine 1.

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iterator>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>

#include "test_util.h"

namespace weir::testing {
namespace {

using ::testing::ExitedWithCode;
using ::testing::KilledBySignal;
using namespace std::chrono_literals;

class Death : public ::testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

// A goroutine that must be in the dump, with where it was made.
constexpr char kBystander[] =
    "goroutine [0-9]+ \\[chan receive \\(nil chan\\)[^]]*\\]:.*created by ";

// Runs main beside such a goroutine.
template <class F>
void run_with_bystander(F main, Options options = {}) {
  weir::run(
      [&] {
        uint64_t id = go_with_id([] { chan<int>().recv(); });
        waits(id, introspect::WaitReason::chan_receive_nil);
        main();
      },
      options);
}

// message (a regular expression), then the dying goroutine, then the bystander.
std::string died(const std::string& message,
                 const std::string& dying = "goroutine 1 \\[running[^]]*\\]:") {
  return message + "\n\n" + dying + ".*" + kBystander;
}

// --- threads ---

TEST_F(Death, MoreThreadsThanAllowed) {
  EXPECT_EXIT(run_with_bystander(
                  [] {
                    for (int i = 0; i < 20; i++) go([] { blocking([] { pause(); }); });
                    chan<int>().recv();
                  },
                  {.max_threads = 10}),
              ExitedWithCode(2),
              "^runtime: program exceeds 10-thread limit\nfatal error: thread exhaustion\n\n");
}

TEST_F(Death, AllAsleepAmongThemOneLockedToItsThread) {
  EXPECT_EXIT(weir::run([] {
                lock_os_thread();
                make_chan<int>().recv();
              }),
              ExitedWithCode(2), "^fatal error: all goroutines are asleep - deadlock!");
}

// Tells when its text is asked for: the death is under way then.
std::atomic<bool> dying{false};
struct Telling : std::exception {
  const char* what() const noexcept override {
    dying = true;
    return "late";
  }
};

TEST_F(Death, ComesFirstWhenMainReturnsMeanwhile) {
  EXPECT_EXIT(exit(weir::run([] {
                go([] { throw Telling(); });
                while (!dying) gosched();
              })),
              ExitedWithCode(2), "^panic: .*Telling: late\n\ngoroutine ");
}

[[gnu::noinline]] void unlocks_in_a_call() {
  Mutex mu;
  mu.unlock();
  asm volatile("");  // no tail call
}

TEST_F(Death, InABlockingCallShowsWhereItIs) {
  EXPECT_EXIT(weir::run([] { blocking([] { unlocks_in_a_call(); }); }), ExitedWithCode(2),
              "^fatal error: sync: unlock of unlocked mutex\n\ngoroutine 1 \\[running[^]]*\\]:\n"
              "(.*\n)*.*unlocks_in_a_call");
}

// --- sandboxes ---

// From here on membarrier(2) is refused, to all threads.
void refuse_membarrier() {
  sock_filter refuse[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{std::size(refuse), refuse};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) != 0) {
    perror("seccomp");
    exit(1);
  }
}

// Loses its P to another one, which needs membarrier(2) where there is one.
void lose_p() {
  std::atomic<bool> runs{false};
  WaitGroup wg;
  wg.go([&runs] { runs = true; });
  while (!runs) {
  }
  wg.wait();
}

TEST_F(Death, NotOfASandboxThatRefusesMembarrierFromTheStart) {
  EXPECT_EXIT(
      {
        refuse_membarrier();
        weir::run(lose_p, {.maxprocs = 1});
        exit(0);
      },
      ExitedWithCode(0), "");
}

TEST_F(Death, OfASandboxThatRefusesMembarrierLater) {
  EXPECT_EXIT(weir::run(
                  [] {
                    refuse_membarrier();
                    lose_p();
                  },
                  {.maxprocs = 1}),
              ExitedWithCode(2),
              "^fatal error: membarrier\\(2\\) is refused since weir::run began");
}

// --- misuse ---

TEST_F(Death, UnlockOfAnUnlockedMutex) {
  EXPECT_EXIT(run_with_bystander([] {
                Mutex mu;
                mu.unlock();
              }),
              ExitedWithCode(2), died("^fatal error: sync: unlock of unlocked mutex"));
}

TEST_F(Death, UnlockOfAMutexTwice) {
  EXPECT_EXIT(run_with_bystander([] {
                Mutex mu;
                mu.lock();
                mu.unlock();
                mu.unlock();
              }),
              ExitedWithCode(2), died("^fatal error: sync: unlock of unlocked mutex"));
}

TEST_F(Death, UnlockByAnotherGoroutineNamesBoth) {
  EXPECT_EXIT(run_with_bystander([] {
                Mutex mu;
                mu.lock();
                go([&] { mu.unlock(); });
                chan<int>().recv();
              }),
              ExitedWithCode(2),
              "^fatal error: sync: [^\n]*goroutine [0-9]+[^\n]*goroutine [0-9]+(.|\n)*" +
                  std::string(kBystander));
}

TEST_F(Death, UnlockOfAnUnlockedRWMutex) {
  EXPECT_EXIT(run_with_bystander([] {
                RWMutex rw;
                rw.unlock();
              }),
              ExitedWithCode(2), died("^fatal error: sync: Unlock of unlocked RWMutex"));
}

TEST_F(Death, RUnlockOfAnUnlockedRWMutex) {
  EXPECT_EXIT(run_with_bystander([] {
                RWMutex rw;
                rw.unlock_shared();
              }),
              ExitedWithCode(2), died("^fatal error: sync: RUnlock of unlocked RWMutex"));
  EXPECT_EXIT(run_with_bystander([] {
                RWMutex rw;
                rw.lock();
                rw.unlock_shared();
              }),
              ExitedWithCode(2), died("^fatal error: sync: RUnlock of unlocked RWMutex"));
}

TEST_F(Death, UnlockOfAnRWMutexByAnotherGoroutineNamesBoth) {
  EXPECT_EXIT(run_with_bystander([] {
                RWMutex rw;
                rw.lock();
                go([&] { rw.unlock(); });
                chan<int>().recv();
              }),
              ExitedWithCode(2),
              "^fatal error: sync: [^\n]*goroutine [0-9]+[^\n]*goroutine [0-9]+(.|\n)*" +
                  std::string(kBystander));
}

TEST_F(Death, UnlockOfAnRWMutexThatIsReadLocked) {
  EXPECT_EXIT(run_with_bystander([] {
                RWMutex rw;
                rw.lock_shared();
                rw.unlock();
              }),
              ExitedWithCode(2), died("^fatal error: sync: Unlock of unlocked RWMutex"));
}

TEST_F(Death, NegativeWaitGroupCounter) {
  EXPECT_EXIT(run_with_bystander([] {
                WaitGroup wg;
                wg.add(1);
                wg.done();
                wg.done();
              }),
              ExitedWithCode(2), died("^panic: sync: negative WaitGroup counter"));
}

TEST_F(Death, GoexitThatIsSwallowed) {
  EXPECT_EXIT(run_with_bystander([] {
                try {
                  goexit();
                } catch (...) {
                }
              }),
              ExitedWithCode(2), died("^fatal error: weir::goexit: [^\n]*swallowed[^\n]*"));
}

// --- everybody waits ---

TEST_F(Death, AllGoroutinesAsleep) {
  constexpr char kMessage[] = "^fatal error: all goroutines are asleep - deadlock!";
  EXPECT_EXIT(run_with_bystander([] { make_chan<int>().recv(); }), ExitedWithCode(2),
              died(kMessage, ".*goroutine 1 \\[chan receive[^]]*\\]:"));
  EXPECT_EXIT(run_with_bystander([] { select(); }), ExitedWithCode(2),
              died(kMessage, ".*goroutine 1 \\[select \\(no cases\\)[^]]*\\]:"));
  EXPECT_EXIT(run_with_bystander([] {
                Mutex mu;
                mu.lock();
                mu.lock();
              }),
              ExitedWithCode(2), died(kMessage, ".*goroutine 1 \\[sync.Mutex.Lock[^]]*\\]:"));
  EXPECT_EXIT(run_with_bystander([] {
                WaitGroup wg;
                wg.add(1);
                wg.wait();
              }),
              ExitedWithCode(2), died(kMessage, ".*goroutine 1 \\[sync.WaitGroup.Wait[^]]*\\]:"));
}

// While a thread of the program lives it may wake somebody, so nothing is certain until it ends.
TEST_F(Death, AllGoroutinesAsleepOnceTheLastThreadHasEnded) {
  EXPECT_EXIT(run_with_bystander([] {
                std::thread([] {
                  // Until all are asleep but this thread: a park that nobody will end.
                  while (introspect::sched().idle_ps < introspect::sched().gomaxprocs)
                    sched_yield();
                }).detach();
                make_chan<int>().recv();
              }),
              ExitedWithCode(2),
              died("^fatal error: all goroutines are asleep - deadlock!",
                   ".*goroutine 1 \\[chan receive[^]]*\\]:"));
}

TEST_F(Death, AllGoroutinesAsleepAfterWorkOnAllProcessors) {
  EXPECT_EXIT(
      run_with_bystander(
          [] {
            WaitGroup wg;
            for (int i = 0; i < 200; i++) {
              wg.go([] {
                gosched();
                sleep_for(100us);
              });
            }
            wg.wait();
            chan<int>().recv();
          },
          Options{.maxprocs = 4}),
      ExitedWithCode(2),
      "^fatal error: all goroutines are asleep - deadlock!\n\n(.|\n)*" + std::string(kBystander));
}

TEST_F(Death, MainCalledGoexitAndNothingIsLeft) {
  EXPECT_EXIT(weir::run([] {
                auto ch = make_chan<int>();
                for (int i = 0; i < 10; i++) {
                  go([ch] {
                    for (int j = 0; j < 10; j++) gosched();
                    ch.send(1);
                  });
                }
                go([ch] {
                  for (int i = 0; i < 10; i++) ch.recv();
                });
                goexit();
              }),
              ExitedWithCode(2),
              "^fatal error: no goroutines \\(main called runtime.Goexit\\) - deadlock!");
}

TEST_F(Death, GoexitOfMainLetsTheOthersGoOn) {
  EXPECT_EXIT(weir::run([] {
                go([] {
                  for (int i = 0; i < 100; i++) gosched();
                  sleep_for(2ms);
                  _exit(7);
                });
                goexit();
              }),
              ExitedWithCode(7), "^$");
}

TEST_F(Death, GoexitOfMainAndTheOthersAsleep) {
  EXPECT_EXIT(
      run_with_bystander([] { goexit(); }), ExitedWithCode(2),
      "^fatal error: all goroutines are asleep - deadlock!\n\n(.|\n)*" + std::string(kBystander));
}

// --- exceptions that nobody caught ---

TEST_F(Death, UncaughtExceptionOfMain) {
  EXPECT_EXIT(run_with_bystander([] { throw std::runtime_error("boom"); }), ExitedWithCode(2),
              died("^panic: std::runtime_error: boom"));
}

TEST_F(Death, UncaughtExceptionOfAGoroutine) {
  EXPECT_EXIT(run_with_bystander([] {
                go([] { throw std::out_of_range("too far"); });
                chan<int>().recv();
              }),
              ExitedWithCode(2),
              died("^panic: std::out_of_range: too far", "goroutine [0-9]+ \\[running[^]]*\\]:"));
}

TEST_F(Death, UncaughtExceptionAfterAPark) {
  EXPECT_EXIT(run_with_bystander([] {
                try {
                  throw std::runtime_error("kept");
                } catch (...) {
                  sleep_for(1ms);
                  throw;
                }
              }),
              ExitedWithCode(2), died("^panic: std::runtime_error: kept"));
}

TEST_F(Death, UncaughtPanic) {
  EXPECT_EXIT(run_with_bystander([] {
                auto ch = make_chan<int>();
                ch.close();
                ch.send(1);
              }),
              ExitedWithCode(2), died("^panic: send on closed channel"));
}

TEST_F(Death, UncaughtExceptionOfAnotherType) {
  EXPECT_EXIT(run_with_bystander([] { throw 5; }), ExitedWithCode(2), died("^panic: [^\n]*int"));
}

// --- the stack ---

// Never returns: `more` stays true, which the compiler does not know.
[[gnu::noinline]] int recurse(const volatile bool& more, int depth) {
  volatile char frame[256];
  frame[0] = static_cast<char>(depth);
  if (!more) return depth;
  int below = recurse(more, depth + 1);
  return below + frame[0];
}

volatile bool always = true;

TEST_F(Death, StackOverflow) {
  std::string size = std::to_string(kDefaultStack);
  std::string message =
      "^runtime: goroutine stack exceeds " + size + "-byte limit\nfatal error: stack overflow";
  EXPECT_EXIT(run_with_bystander([] { recurse(always, 0); }), ExitedWithCode(2), died(message));
  EXPECT_EXIT(run_with_bystander([] {
                go([] { recurse(always, 0); });
                sleep_for(1h);
              }),
              ExitedWithCode(2), died(message, "goroutine [0-9]+ \\[running[^]]*\\]:"));
}

TEST_F(Death, StackOverflowOfAnotherSize) {
  EXPECT_EXIT(
      run_with_bystander([] { recurse(always, 0); }, Options{.stack_size = 1 << 20}),
      ExitedWithCode(2),
      died("^runtime: goroutine stack exceeds 1048576-byte limit\nfatal error: stack overflow"));
}

// The sanitizers report a wild access themselves.
#if !defined(WEIR_TEST_ASAN) && !defined(WEIR_TEST_TSAN)
TEST_F(Death, AnotherFaultIsNotOurs) {
  EXPECT_EXIT(weir::run([] {
                rlimit none{};
                setrlimit(RLIMIT_CORE, &none);
                volatile int* volatile nowhere = nullptr;
                *nowhere = 1;
              }),
              KilledBySignal(SIGSEGV), "");
}

TEST_F(Death, AFaultSignalThatSomebodySendsKills) {
  EXPECT_EXIT(weir::run([] {
                rlimit none{};
                setrlimit(RLIMIT_CORE, &none);
                kill(getpid(), SIGSEGV);
                for (;;) weir::sleep_for(std::chrono::seconds(1));
              }),
              KilledBySignal(SIGSEGV), "");
}
#endif

// --- SIGQUIT ---

TEST_F(Death, SigquitPrintsAllGoroutines) {
  EXPECT_EXIT(run_with_bystander([] {
                kill(getpid(), SIGQUIT);
                sleep_for(1h);
              }),
              ExitedWithCode(2), "^SIGQUIT: quit\n\n(.|\n)*" + std::string(kBystander));
}

TEST_F(Death, SigquitReachesAProgramThatSpins) {
  EXPECT_EXIT(run_with_bystander(
                  [] {
                    go([] {
                      while (always) {
                      }
                    });
                    gosched();
                    kill(getpid(), SIGQUIT);
                    while (always) {
                    }
                  },
                  Options{.maxprocs = 1}),
              ExitedWithCode(2),
              "^SIGQUIT: quit\n\n(.|\n)*goroutine 1 \\[running(.|\n)*" + std::string(kBystander));
}

// --- how much is printed ---

TEST_F(Death, TracebackNonePrintsTheMessageAlone) {
  EXPECT_EXIT(
      {
        setenv("WEIR_TRACEBACK", "none", 1);
        run_with_bystander([] { Mutex().unlock(); });
      },
      ExitedWithCode(2), "^fatal error: sync: unlock of unlocked mutex\n+$");
}

TEST_F(Death, TracebackSinglePrintsTheDyingGoroutine) {
  EXPECT_EXIT(
      {
        setenv("WEIR_TRACEBACK", "single", 1);
        run_with_bystander([] { Mutex().unlock(); });
      },
      ::testing::ExitedWithCode(2),
      "^fatal error: sync: unlock of unlocked mutex\n\ngoroutine 1 \\[running[^[]*$");
}

TEST_F(Death, TracebackCrashEndsWithAnAbort) {
  EXPECT_EXIT(
      {
        rlimit none{};
        setrlimit(RLIMIT_CORE, &none);
        setenv("WEIR_TRACEBACK", "crash", 1);
        run_with_bystander([] { Mutex().unlock(); });
      },
      KilledBySignal(SIGABRT), died("^fatal error: sync: unlock of unlocked mutex"));
}

// --- what is not a death ---

TEST_F(Death, TheFirstMainIsGoroutineOne) {
  EXPECT_EXIT(weir::run([] { _exit(goid() == 1 ? 0 : 1); }), ExitedWithCode(0), "^$");
}

}  // namespace
}  // namespace weir::testing
