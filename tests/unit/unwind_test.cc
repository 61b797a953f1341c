// The stack walk on threads of this test: against backtrace(), through code without frame pointers,
// through signal frames, and on stacks that are not what they seem.
#include "unwind.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "rules.h"
#include "symbolize.h"
#include "test_util.h"

namespace {

using weir::introspect::Registers;
using weir::profiler::kMaxDepth;
using weir::profiler::RawStack;
using weir::profiler::Rule;
using weir::profiler::unwind;
using weir::profiler::Walk;
namespace rules = weir::profiler::rules;

struct Bounds {
  uintptr_t lo = 0, hi = 0;
};

Bounds bounds_of_this_thread() {
  pthread_attr_t attr;
  pthread_getattr_np(pthread_self(), &attr);
  void* at = nullptr;
  size_t bytes = 0;
  pthread_attr_getstack(&attr, &at, &bytes);
  pthread_attr_destroy(&attr);
  const auto lo = reinterpret_cast<uintptr_t>(at);
  return {lo, lo + bytes};
}

Registers registers_of(const ucontext_t& uc) {
#if defined(__x86_64__)
  return {static_cast<uintptr_t>(uc.uc_mcontext.gregs[REG_RIP]),
          static_cast<uintptr_t>(uc.uc_mcontext.gregs[REG_RSP]),
          static_cast<uintptr_t>(uc.uc_mcontext.gregs[REG_RBP])};
#else
  return {uc.uc_mcontext.pc, uc.uc_mcontext.sp, uc.uc_mcontext.regs[29]};
#endif
}

// Walks, learning rules as capture does.
void walk(const Registers& regs, Bounds b, bool exact, RawStack& out) {
  for (int i = 0; i < 2 * static_cast<int>(kMaxDepth); ++i) {
    const Walk w = unwind(regs, b.lo, b.hi, exact, out);
    if (w.complete) return;
    ASSERT_TRUE(rules::learn(w.missing));
  }
  FAIL() << "rules are learned again and again";
}

[[gnu::always_inline]] inline Registers registers_here() {
  Registers regs;
#if defined(__x86_64__)
  asm volatile("lea 0(%%rip), %0\n mov %%rsp, %1\n mov %%rbp, %2"
               : "=&r"(regs.pc), "=&r"(regs.sp), "=&r"(regs.fp));
#else
  asm volatile("adr %0, .\n mov %1, sp\n mov %2, x29"
               : "=&r"(regs.pc), "=&r"(regs.sp), "=&r"(regs.fp));
#endif
  return regs;
}

// Walks from the caller's place.
[[gnu::always_inline]] inline void walk_here(RawStack& out) {
  walk(registers_here(), bounds_of_this_thread(), true, out);
}

std::vector<std::string> functions_of(const RawStack& stack) {
  weir::profiler::refresh_symbols();
  std::vector<std::string> names;
  for (uint32_t i = 0; i < stack.depth; ++i) {
    for (const auto& f : *weir::profiler::symbolize(stack.pcs[i])) names.push_back(f.function);
  }
  return names;
}

// Are these among the functions, in this order?
testing::AssertionResult in_order(const RawStack& stack, const std::vector<std::string>& expected) {
  const std::vector<std::string> names = functions_of(stack);
  size_t next = 0;
  std::string all;
  for (const std::string& n : names) {
    all += "\n  " + n;
    if (next < expected.size() && n == expected[next]) next++;
  }
  if (next == expected.size()) return testing::AssertionSuccess();
  return testing::AssertionFailure() << expected[next] << " is missing in" << all;
}

std::unique_ptr<RawStack> seen;

// What the compiler must not drop; behind a call: what makes it no tail call.
[[gnu::always_inline]] inline void keep(const void* p) { asm volatile("" : : "r"(p) : "memory"); }

}  // namespace

// Functions to be met on stacks: not inlined, with a name of external linkage.
namespace walked {

[[gnu::noinline]] void leaf() {
  walk_here(*seen);
  keep(nullptr);
}
[[gnu::noinline]] void middle() {
  leaf();
  keep(nullptr);
}
[[gnu::noinline]] void outer() {
  middle();
  keep(nullptr);
}

[[gnu::noinline]] int compare(const void* a, const void* b) {
  if (seen->depth == 0) walk_here(*seen);
  return *static_cast<const int*>(a) - *static_cast<const int*>(b);
}
[[gnu::noinline]] void sort_with_libc() {
  std::array<int, 50> values;
  for (int i = 0; i < 50; ++i) values[static_cast<size_t>(i)] = (i * 37) % 50;
  std::qsort(values.data(), values.size(), sizeof(int), &compare);
  keep(values.data());
}

// A stack frame of unknown size on a realigned stack: its frame address is found through memory.
[[gnu::noinline]] void realigned(size_t n) {
  alignas(128) char aligned[256] = {};
  auto* variable = static_cast<char*>(__builtin_alloca(n));
  keep(aligned);
  keep(variable);
  leaf();
  keep(aligned);
}
[[gnu::noinline]] void above_realigned() {
  realigned(1000);
  keep(nullptr);
}

[[gnu::noinline]] void throws_and_walks(int depth) {
  if (depth > 0) {
    throws_and_walks(depth - 1);
  } else {
    try {
      throw depth;
    } catch (int) {
      leaf();
    }
  }
  keep(nullptr);
}

[[gnu::noinline]] void deep(int n) {  // NOLINT(misc-no-recursion)
  if (n > 0) {
    deep(n - 1);
  } else {
    leaf();
  }
  keep(nullptr);
}

[[gnu::noinline]] void large_frame() {
  char large[300'000] = {};
  keep(large);
  leaf();
  keep(large);
}

[[gnu::noinline]] void raises() {
  raise(SIGUSR1);
  keep(nullptr);
}

std::atomic<bool> spinning{false}, stop{false};
[[gnu::noinline]] void spin() {
  spinning = true;
  while (!stop.load(std::memory_order_relaxed)) {
  }
}
[[gnu::noinline]] void calls_spin() {
  spin();
  keep(nullptr);
}

// Many values that live across calls, so that registers are saved and restored.
[[gnu::noinline]] long stepped_leaf(long a, long b) {
  keep(&a);
  return a * 7 + b;
}
[[gnu::noinline]] long stepped(const long* v) {
  const long a = v[0], b = v[1], c = v[2], d = v[3], e = v[4], f = v[5], g = v[6];
  const long x = stepped_leaf(a, b);
  const long y = stepped_leaf(x, c);
  return stepped_leaf(y, d) + a + b + c + d + e + f + g + x;
}
[[gnu::noinline]] long calls_stepped(const long* v) {
  const long sum = stepped(v);
  keep(&sum);
  return sum;
}

}  // namespace walked

namespace {

class Unwind : public testing::Test {
 protected:
  void SetUp() override { seen = std::make_unique<RawStack>(); }
};

TEST_F(Unwind, FindsCallersInOrderToTheEndOfTheStack) {
  walked::outer();
  EXPECT_FALSE(seen->truncated);
  EXPECT_TRUE(in_order(*seen, {"walked::leaf", "walked::middle", "walked::outer"}));
}

TEST_F(Unwind, AgreesWithBacktrace) {
  std::array<void*, 200> theirs{};
  int n = 0;
  std::thread([&] {
    walk_here(*seen);
    n = backtrace(theirs.data(), static_cast<int>(theirs.size()));
  }).join();
  EXPECT_FALSE(seen->truncated);
  // The first frame stands at two places of the same function. From its caller on, all is equal;
  // backtrace goes on to tell an outermost 0, or not.
  const auto depth = static_cast<size_t>(n);
  ASSERT_GE(seen->depth, 3U);
  const auto first =
      std::find(theirs.begin(), theirs.begin() + n, reinterpret_cast<void*>(seen->pcs[1] + 1));
  const auto at = static_cast<size_t>(first - theirs.begin());
  ASSERT_LT(at, depth);
  for (uint32_t i = 1; i < seen->depth; ++i) {
    ASSERT_LT(at + i - 1, depth);
    EXPECT_EQ(seen->pcs[i] + 1, reinterpret_cast<uintptr_t>(theirs[at + i - 1])) << i;
  }
  EXPECT_LE(depth - at, seen->depth);
}

TEST_F(Unwind, PassesThroughLibcWithoutFramePointers) {
  walked::sort_with_libc();
  EXPECT_FALSE(seen->truncated);
  EXPECT_TRUE(in_order(*seen, {"walked::compare", "walked::sort_with_libc"}));
  std::vector<std::string> names = functions_of(*seen);
  EXPECT_TRUE(std::any_of(names.begin(), names.end(), [](const std::string& s) {
    return s.find("qsort") != std::string::npos;
  }));
}

TEST_F(Unwind, PassesThroughRealignedFrames) {
  walked::above_realigned();
  EXPECT_FALSE(seen->truncated);
  EXPECT_TRUE(in_order(*seen, {"walked::leaf", "walked::realigned", "walked::above_realigned"}));
}

TEST_F(Unwind, WithinACatchBlock) {
  walked::throws_and_walks(3);
  EXPECT_FALSE(seen->truncated);
  EXPECT_TRUE(in_order(*seen, {"walked::leaf", "walked::throws_and_walks",
                               "walked::throws_and_walks", "walked::throws_and_walks"}));
}

TEST_F(Unwind, PassesThroughLargeFrames) {
  walked::large_frame();
  EXPECT_FALSE(seen->truncated);
  EXPECT_TRUE(in_order(*seen, {"walked::leaf", "walked::large_frame"}));
}

TEST_F(Unwind, DeepStacksAreCutAndSaySo) {
  walked::deep(2 * kMaxDepth);
  EXPECT_TRUE(seen->truncated);
  EXPECT_EQ(seen->depth, kMaxDepth);
  EXPECT_TRUE(in_order(*seen, {"walked::leaf", "walked::deep", "walked::deep"}));
}

TEST_F(Unwind, PassesThroughASignalFrame) {
  if (weir::testing::kTsan) GTEST_SKIP() << "ThreadSanitizer delivers signals in its own way";
  struct sigaction action {
  }, before{};
  action.sa_handler = [](int) {
    walk_here(*seen);
    keep(nullptr);
  };
  sigaction(SIGUSR1, &action, &before);
  walked::raises();
  sigaction(SIGUSR1, &before, nullptr);
  EXPECT_FALSE(seen->truncated);
  EXPECT_TRUE(in_order(*seen, {"walked::raises"}));
}

// From the registers at which a signal met a running thread, as capture asks running goroutines.
TEST_F(Unwind, FromWhereASignalInterrupted) {
  if (weir::testing::kTsan) GTEST_SKIP() << "ThreadSanitizer delivers signals in its own way";
  static Registers regs;
  static Bounds bounds;
  static std::atomic<int> phase;  // 1: the handler has the registers; 2: it may go on
  phase = 0;
  walked::spinning = walked::stop = false;
  struct sigaction action {
  }, before{};
  action.sa_flags = SA_SIGINFO;
  action.sa_sigaction = [](int, siginfo_t*, void* context) {
    regs = registers_of(*static_cast<const ucontext_t*>(context));
    phase = 1;
    while (phase != 2) {
    }
  };
  sigaction(SIGUSR1, &action, &before);
  std::thread spinner([] {
    bounds = bounds_of_this_thread();
    walked::calls_spin();
  });
  ASSERT_TRUE(weir::testing::eventually([] { return walked::spinning.load(); }));
  pthread_kill(spinner.native_handle(), SIGUSR1);
  ASSERT_TRUE(weir::testing::eventually([] { return phase == 1; }));
  walk(regs, bounds, true, *seen);
  phase = 2;
  walked::stop = true;
  spinner.join();
  sigaction(SIGUSR1, &before, nullptr);
  EXPECT_FALSE(seen->truncated);
  EXPECT_TRUE(in_order(*seen, {"walked::spin", "walked::calls_spin"}));
  EXPECT_EQ(seen->pcs[0], regs.pc);
}

#if defined(__x86_64__)
// A signal may come between any two instructions: also within the code that begins a function's
// frame or takes it down, where what the frame saved already lies below the stack pointer.
TEST_F(Unwind, FromEveryInstruction) {
  if (weir::testing::kTsan) GTEST_SKIP() << "ThreadSanitizer delivers signals in its own way";
  static std::map<uint64_t, RawStack> stacks;  // by hash
  static Bounds bounds;
  static volatile bool enough;
  constexpr uint64_t kTrapFlag = 0x100;
  stacks.clear();
  bounds = bounds_of_this_thread();
  enough = false;
  struct sigaction action {
  }, before{};
  action.sa_flags = SA_SIGINFO;
  // Between two instructions of this test: it may do what a signal handler must not.
  action.sa_sigaction = [](int, siginfo_t*, void* context) {
    auto& uc = *static_cast<ucontext_t*>(context);
    if (enough) {
      uc.uc_mcontext.gregs[REG_EFL] &= ~static_cast<greg_t>(kTrapFlag);
      return;
    }
    walk(registers_of(uc), bounds, true, *seen);
    stacks.emplace(seen->hash, *seen);
  };
  sigaction(SIGTRAP, &action, &before);
  const std::array<long, 7> v = {1, 2, 3, 4, 5, 6, 7};
  __builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() | kTrapFlag);
  const long sum = walked::calls_stepped(v.data());
  enough = true;
  sigaction(SIGTRAP, &before, nullptr);
  keep(&sum);

  EXPECT_GT(stacks.size(), 60U);
  size_t within = 0;
  for (const auto& [hash, stack] : stacks) {
    EXPECT_FALSE(stack.truncated) << testing::PrintToString(functions_of(stack));
    EXPECT_GT(stack.depth, 3U) << testing::PrintToString(functions_of(stack));
    if (functions_of(stack)[0] != "walked::stepped_leaf") continue;
    within++;
    EXPECT_TRUE(
        in_order(stack, {"walked::stepped_leaf", "walked::stepped", "walked::calls_stepped"}));
  }
  EXPECT_GT(within, 3U);
}
#endif

TEST_F(Unwind, HashIsThatOfTheStack) {
  std::vector<uint64_t> hashes;
  volatile int rounds = 2;  // unknown to the compiler, so that there is one call only
  for (int i = 0; i < rounds; ++i) {
    walked::outer();
    hashes.push_back(seen->hash);
  }
  EXPECT_EQ(hashes[0], hashes[1]);
  walked::outer();  // from another place: one return address differs
  EXPECT_NE(hashes[0], seen->hash);
  walked::middle();
  EXPECT_NE(hashes[0], seen->hash);
}

// --- stacks that are not what they seem: nothing outside of the bounds is read ---

// A page that may be read between two that fault whoever touches them.
class Fence {
 public:
  Fence() {
    void* at = mmap(nullptr, 3 * kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) std::abort();
    start_ = reinterpret_cast<uintptr_t>(at);
    mprotect(reinterpret_cast<void*>(lo()), kPage, PROT_READ | PROT_WRITE);
    std::memset(reinterpret_cast<void*>(lo()), 0x41, kPage);
  }
  Fence(const Fence&) = delete;
  Fence& operator=(const Fence&) = delete;
  ~Fence() { munmap(reinterpret_cast<void*>(start_), 3 * kPage); }
  uintptr_t lo() const { return start_ + kPage; }
  uintptr_t hi() const { return start_ + 2 * kPage; }

 private:
  static constexpr size_t kPage = 65536;  // no system has larger ones here
  uintptr_t start_;
};

TEST_F(Unwind, GarbageRegistersEndTheWalk) {
  const Fence fence;
  const uintptr_t pointers[] = {
      0,          8,           fence.lo() - 8, fence.lo(), fence.lo() + 3, fence.hi() - 8,
      fence.hi(), UINTPTR_MAX, UINTPTR_MAX - 7};
  const uintptr_t pcs[] = {0,
                           1,
                           reinterpret_cast<uintptr_t>(&walked::middle) + 4,
                           reinterpret_cast<uintptr_t>(&walked::realigned) + 40,
                           reinterpret_cast<uintptr_t>(&std::qsort) + 20,
                           fence.lo(),
                           UINTPTR_MAX};
  for (const uintptr_t sp : pointers) {
    for (const uintptr_t fp : pointers) {
      for (const uintptr_t pc : pcs) {
        for (const bool exact : {false, true}) {
          RawStack out;
          walk({pc, sp, fp}, {fence.lo(), fence.hi()}, exact, out);
          EXPECT_TRUE(out.truncated);
          EXPECT_GE(out.depth, 1U);
          EXPECT_LE(out.depth, kMaxDepth);
        }
      }
    }
  }
}

TEST_F(Unwind, AStackThatEndsEarlyIsTruncated) {
  walked::outer();
  const uint32_t whole = seen->depth;
  const Registers regs = registers_here();
  for (uintptr_t bytes = 0; bytes < 4096; bytes += 8) {
    RawStack out;
    walk(regs, {regs.sp, regs.sp + bytes}, true, out);
    if (!out.truncated) {
      EXPECT_LE(out.depth, whole);
      break;
    }
  }
}

// --- rules ---

TEST(Rules, PackEveryField) {
  for (const int64_t cfa : {int64_t{0}, int64_t{8}, int64_t{-8}, int64_t{1} << 20}) {
    for (const int64_t offset : {int64_t{-16}, int64_t{-8}, int64_t{168}, int64_t{-262144}}) {
      const Rule r =
          Rule::make(Rule::kAtFp, cfa, {Rule::kFpBase, offset}, {Rule::kSpBase, -offset - 8}, true);
      EXPECT_EQ(r.kind(), Rule::kAtFp);
      EXPECT_TRUE(r.signal());
      EXPECT_EQ(r.cfa(), cfa);
      EXPECT_EQ(r.fp().base, Rule::kFpBase);
      EXPECT_EQ(r.fp().offset, offset);
      EXPECT_EQ(r.ra().base, Rule::kSpBase);
      EXPECT_EQ(r.ra().offset, -offset - 8);
      EXPECT_EQ(Rule::from_word(r.word()), r);
    }
  }
  EXPECT_EQ(Rule::make(Rule::kSp, 4, {}, {}, false), Rule::cannot());
  EXPECT_EQ(Rule::make(Rule::kSp, int64_t{1} << 40, {}, {}, false), Rule::cannot());
  EXPECT_EQ(Rule::make(Rule::kSp, 8, {}, {Rule::kCfa, int64_t{1} << 20}, false), Rule::cannot());
}

TEST(Rules, CodeOfTheKernelInUserSpaceIsKnown) {
  void* vdso = dlopen("linux-vdso.so.1", RTLD_NOW | RTLD_NOLOAD);
  if (!vdso) GTEST_SKIP() << "no vdso";
  void* at = dlsym(vdso, "__vdso_clock_gettime");
  if (!at) at = dlsym(vdso, "__kernel_clock_gettime");
  ASSERT_NE(at, nullptr);
  const auto pc = reinterpret_cast<uintptr_t>(at) + 1;
  ASSERT_TRUE(rules::learn(pc));
  EXPECT_NE(rules::find(pc).kind(), Rule::kCannot);
  EXPECT_NE(rules::find(pc).kind(), Rule::kUnknown);
}

TEST(Rules, LibrariesMayComeAndGo) {
  const char* name = "libBrokenLocale.so.1";
  if (dlopen(name, RTLD_NOW | RTLD_NOLOAD)) GTEST_SKIP() << name << " is loaded already";
  rules::refresh();
  void* library = dlopen(name, RTLD_NOW);
  if (!library) GTEST_SKIP() << "no " << name;
  void* at = dlsym(library, "__ctype_get_mb_cur_max");
  ASSERT_NE(at, nullptr);
  const auto pc = reinterpret_cast<uintptr_t>(at) + 1;
  const auto own = reinterpret_cast<uintptr_t>(&walked::outer) + 1;
  ASSERT_TRUE(rules::learn(pc));
  ASSERT_TRUE(rules::learn(own));
  EXPECT_NE(rules::find(pc).kind(), Rule::kCannot);
  dlclose(library);
  rules::refresh();
  EXPECT_EQ(rules::find(pc).kind(), Rule::kUnknown);
  ASSERT_TRUE(rules::learn(pc));
  EXPECT_EQ(rules::find(pc).kind(), Rule::kCannot);
  ASSERT_TRUE(rules::learn(own));
  EXPECT_NE(rules::find(own).kind(), Rule::kCannot);
}

TEST(Rules, ReadersSeeWholeRulesWhileTheTableGrows) {
  const auto first = reinterpret_cast<uintptr_t>(&std::qsort);
  const int count = weir::testing::scaled(20'000);
  const size_t before = rules::table_bytes();
  std::atomic<bool> done{false};
  std::atomic<int> wrong{0};
  const Rule expected = [&] {
    rules::learn(first);
    return rules::find(first);
  }();
  std::vector<std::thread> readers;
  for (int t = 0; t < 2; ++t) {
    readers.emplace_back([&] {
      while (!done) {
        if (rules::find(first) != expected) wrong++;
      }
    });
  }
  for (int i = 0; i < count; ++i) ASSERT_TRUE(rules::learn(first + static_cast<uintptr_t>(i)));
  done = true;
  for (std::thread& t : readers) t.join();
  EXPECT_EQ(wrong, 0);
  for (int i = 0; i < count; ++i) {
    ASSERT_NE(rules::find(first + static_cast<uintptr_t>(i)).kind(), Rule::kUnknown);
  }
  // At most half full, 16 bytes each, and all former tables together as large again; a table may
  // just have grown.
  EXPECT_LE(rules::table_bytes(), before + static_cast<size_t>(count) * 16 * 2 * 2 * 2 + 65536);
}

}  // namespace
