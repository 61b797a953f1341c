// What the runtime's tests share: the matrix of GOMAXPROCS, polling with a deadline, a look at one
// goroutine, an element that counts its instances.
//
// Rules for a test of the runtime: it joins every goroutine that it started, but for those that can
// never go on; these own nothing on the heap and refer to nothing on the stack of a function that
// returns. A goroutine that a test left behind lives on in the next test of the same program.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include <weir/introspect.h>
#include <weir/weir.h>

namespace weir::testing {

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WEIR_TEST_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define WEIR_TEST_TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define WEIR_TEST_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__)
#define WEIR_TEST_TSAN 1
#endif

#if defined(WEIR_TEST_ASAN)
inline constexpr bool kAsan = true;
#else
inline constexpr bool kAsan = false;
#endif
#if defined(WEIR_TEST_TSAN)
inline constexpr bool kTsan = true;
#else
inline constexpr bool kTsan = false;
#endif
inline constexpr bool kSanitized = kAsan || kTsan;

// The stack of a goroutine where nobody says otherwise, bytes.
inline constexpr size_t kDefaultStack = kSanitized ? 256 << 10 : 64 << 10;

// Rounds or goroutines of a test: fewer under a sanitizer, which is slow; ThreadSanitizer has room
// for about 8000 fibers that live at once.
constexpr int scaled(int n) {
  int divisor = kTsan ? 20 : kAsan ? 4 : 1;
  return n / divisor > 0 ? n / divisor : 1;
}

// Runs each test with 1, 2 and 4 goroutines running at once.
class WithProcs : public ::testing::TestWithParam<int> {
 protected:
  int procs() const { return GetParam(); }
  // main as goroutine, under weir::run.
  template <class F>
  void run(F main) {
    weir::run(std::move(main), Options{.maxprocs = GetParam()});
  }
};

#define WEIR_FOR_ALL_PROCS(Suite)                                    \
  using Suite = ::weir::testing::WithProcs;                          \
  INSTANTIATE_TEST_SUITE_P(Procs, Suite, ::testing::Values(1, 2, 4), \
                           [](const auto& param) { return std::to_string(param.param); })

// Polls until pred() holds; false after a deadline that a healthy machine never meets. On
// goroutines and on plain threads.
template <class Pred>
bool eventually(Pred pred,
                std::chrono::seconds patience = std::chrono::seconds(kSanitized ? 120 : 30)) {
  auto deadline = std::chrono::steady_clock::now() + patience;
  for (int i = 0;; i++) {
    if (pred()) return true;
    if (std::chrono::steady_clock::now() > deadline) return false;
    if (i < 100) {
      gosched();
    } else {
      sleep_for(std::chrono::microseconds(200));
    }
  }
}

// One goroutine as introspection shows it.
struct Look {
  size_t slot;
  introspect::Scan scan;
  introspect::Goroutine g;
  introspect::Registers regs;
};

// Calls f(const Look&) for all goroutines and threads; none is held meanwhile.
template <class F>
void for_each_goroutine(F f) {
  for (size_t slot = 0, n = introspect::slot_count(); slot < n; slot++) {
    Look look{};
    look.slot = slot;
    look.scan = introspect::hold(slot, look.g, look.regs);
    if (look.scan == introspect::Scan::held) introspect::release(slot);
    if (look.scan != introspect::Scan::empty) f(std::as_const(look));
  }
}

// The goroutine (or thread) with this id, if it lives.
inline std::optional<Look> look_at(uint64_t goid) {
  std::optional<Look> found;
  for_each_goroutine([&](const Look& look) {
    if (look.g.goid == goid) found = look;
  });
  return found;
}

// Waits until `goid` is parked for this reason; false past the deadline.
inline bool waits(uint64_t goid, introspect::WaitReason reason) {
  return eventually([&] {
    auto look = look_at(goid);
    return look && look->scan == introspect::Scan::held &&
           look->g.state == introspect::State::waiting && look->g.wait_reason == reason;
  });
}

// Waits until the goroutines that ended in earlier tests are gone and nobody else wants to run, so
// that num_goroutine() stands still.
inline bool settle() {
  uint64_t self = goid();
  return eventually([&] {
    bool quiet = true;
    for_each_goroutine([&](const Look& look) {
      if (!look.g.thread && look.g.goid != self && look.g.state != introspect::State::waiting) {
        quiet = false;
      }
    });
    return quiet;
  });
}

// Starts a goroutine and tells its id, once it has run so far as to know it. f is copied or moved
// into it.
template <class F>
uint64_t go_with_id(F f) {
  auto id = make_chan<uint64_t>(1);
  go([id, f = std::move(f)]() mutable {
    id.send(goid());
    id = {};
    f();
  });
  return *id.recv();
}

// A value that counts its live instances, and knows whether it was moved from. Move-only.
class Tracked {
 public:
  explicit Tracked(int v = 0) : value_(v) { live_.fetch_add(1); }
  Tracked(Tracked&& o) noexcept : value_(std::exchange(o.value_, kMovedFrom)) {
    live_.fetch_add(1);
  }
  Tracked& operator=(Tracked&& o) noexcept {
    value_ = std::exchange(o.value_, kMovedFrom);
    return *this;
  }
  ~Tracked() { live_.fetch_sub(1); }
  int value() const { return value_; }
  bool moved_from() const { return value_ == kMovedFrom; }
  static int live() { return live_.load(); }

 private:
  static constexpr int kMovedFrom = -1'000'000;
  inline static std::atomic<int> live_{0};
  int value_;
};

}  // namespace weir::testing
