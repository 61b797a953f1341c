// Program counters of this very program, explained.
#include "symbolize.h"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include <weir/go.h>

#include "modules.h"

namespace sight {

struct Place {
  uint64_t pc = 0;
  int line = 0;
};

// The call's address and line in whoever calls this. That it is given the address of a local keeps
// it from becoming a tail call.
[[gnu::noinline]] void here(Place& place, int line) {
  const void* back = __builtin_extract_return_addr(__builtin_return_address(0));
  place = {reinterpret_cast<uint64_t>(back) - 1, line};
}

[[gnu::noinline]] Place plain() {
  Place p;
  here(p, __LINE__);
  return p;
}

[[gnu::always_inline]] inline Place innermost() {
  Place p;
  here(p, __LINE__);
  return p;
}
struct Pair {
  Place inner;
  int line;
};
[[gnu::always_inline]] inline Pair between() { return {innermost(), __LINE__}; }
struct Chain {
  Pair inner;
  int line;
};
[[gnu::noinline]] Chain inlined() { return {between(), __LINE__}; }

template <class T>
[[gnu::noinline]] Place of_template(T) {
  Place p;
  here(p, __LINE__);
  return p;
}

namespace {
[[gnu::noinline]] Place internal() {
  Place p;
  here(p, __LINE__);
  return p;
}
struct Local {
  [[gnu::noinline]] Place member() const {
    Place p;
    here(p, __LINE__);
    return p;
  }
};
}  // namespace

[[gnu::noinline]] Place by_lambda() {
  auto first = []() __attribute__((noinline)) {
    Place p;
    here(p, __LINE__);
    return p;
  };
  return first();
}
[[gnu::noinline]] Place by_second_lambda() {
  auto first = []() __attribute__((noinline)) {
    Place p;
    here(p, __LINE__);
    return p;
  };
  auto second = []() __attribute__((noinline)) {
    Place p;
    here(p, __LINE__);
    return p;
  };
  Place ignored = first();
  Place p = second();
  return ignored.pc != 0 ? p : ignored;
}

}  // namespace sight

namespace weir::profiler {
namespace {

void expect_place(const Frame& f, const std::string& function, int line) {
  EXPECT_EQ(f.function, function);
  EXPECT_TRUE(f.file.ends_with("symbolize_test.cc")) << f.file;
  EXPECT_EQ(f.line, line);
  EXPECT_FALSE(f.runtime);
}

void expect_one(const sight::Place& place, const std::string& function) {
  const Frames frames = symbolize(place.pc);
  ASSERT_EQ(frames->size(), 1U) << frames->front().function;
  expect_place(frames->front(), function, place.line);
  EXPECT_GT(frames->front().offset, 0U);
  EXPECT_LT(frames->front().offset, 4096U);
}

class Symbolize : public testing::Test {
 protected:
  void SetUp() override { refresh_symbols(); }
};

TEST_F(Symbolize, FunctionFileAndLine) { expect_one(sight::plain(), "sight::plain"); }

TEST_F(Symbolize, InlinedCallsAreFrames) {
  const sight::Chain chain = sight::inlined();
  const Frames frames = symbolize(chain.inner.inner.pc);
  ASSERT_EQ(frames->size(), 3U);
  expect_place((*frames)[0], "sight::innermost", chain.inner.inner.line);
  expect_place((*frames)[1], "sight::between", chain.inner.line);
  expect_place((*frames)[2], "sight::inlined", chain.line);
}

TEST_F(Symbolize, Templates) { expect_one(sight::of_template(1.5), "sight::of_template<double>"); }

TEST_F(Symbolize, FunctionsOfInternalLinkage) {
  expect_one(sight::internal(), "sight::internal");
  expect_one(sight::Local().member(), "sight::Local::member");
}

TEST_F(Symbolize, Lambdas) {
  expect_one(sight::by_lambda(), "sight::by_lambda::lambda");
  const Frames second = symbolize(sight::by_second_lambda().pc);
  EXPECT_EQ(second->front().function.find("sight::by_second_lambda::lambda"), 0U)
      << second->front().function;
}

TEST_F(Symbolize, RuntimeFunctionsAreMarked) {
  const auto pc = reinterpret_cast<uint64_t>(&weir::num_goroutine);
  const Frames frames = symbolize(pc);
  EXPECT_EQ(frames->back().function, "weir::num_goroutine");
  EXPECT_TRUE(frames->back().runtime);
  EXPECT_EQ(frames->back().offset, 0U);
}

TEST_F(Symbolize, LibrariesByTheirSymbolTable) {
  void* at = dlsym(RTLD_DEFAULT, "getppid");
  ASSERT_NE(at, nullptr);
  const Frames frames = symbolize(reinterpret_cast<uint64_t>(at));
  ASSERT_FALSE(frames->empty());
  EXPECT_NE(frames->back().function.find("getppid"), std::string::npos) << frames->back().function;
}

TEST_F(Symbolize, NothingKnownGivesTheAddress) {
  int on_the_stack = 0;
  const auto pc = reinterpret_cast<uint64_t>(&on_the_stack);
  const Frames frames = symbolize(pc);
  ASSERT_EQ(frames->size(), 1U);
  EXPECT_EQ(frames->front().function.substr(0, 2), "0x");
  EXPECT_EQ(frames->front().file, "");
  EXPECT_EQ(symbolize(0)->front().function, "0x0");
  EXPECT_EQ(symbolize(UINT64_MAX)->front().function, "0xffffffffffffffff");
}

TEST_F(Symbolize, SeveralThreadsAtOnce) {
  const sight::Place place = sight::plain();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([place] {
      for (uint64_t i = 0; i < 200; ++i) symbolize(place.pc - i % 8);
    });
  }
  for (std::thread& t : threads) t.join();
  expect_one(place, "sight::plain");
}

TEST(Mappings, ProgramFirstWithBuildIdsAndNoOverlap) {
  const std::vector<Mapping> all = Modules().mappings();
  ASSERT_GE(all.size(), 2U);
  const auto self = reinterpret_cast<uint64_t>(&sight::plain);
  EXPECT_LE(all[0].start, self);
  EXPECT_GT(all[0].limit, self);
  EXPECT_EQ(all[0].file.find("/proc"), std::string::npos);
  bool libc = false;
  for (size_t i = 0; i < all.size(); ++i) {
    EXPECT_LT(all[i].start, all[i].limit);
    if (i > 1) {
      EXPECT_LE(all[i - 1].limit, all[i].start);
    }
    if (all[i].file.find("libc.so") == std::string::npos) continue;
    libc = true;
    EXPECT_EQ(all[i].build_id.size(), 40U);
    EXPECT_EQ(all[i].build_id.find_first_not_of("0123456789abcdef"), std::string::npos);
  }
  EXPECT_TRUE(libc);
}

}  // namespace
}  // namespace weir::profiler
