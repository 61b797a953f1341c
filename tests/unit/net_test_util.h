// What the network's tests share: a fixture that counts what a test leaves behind, connected pairs,
// errors as values.
#pragma once

#include <dirent.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>

#include <weir/context.h>
#include <weir/net.h>

#include "test_util.h"

namespace weir::testing {

inline size_t open_fds() {
  size_t n = 0;
  DIR* dir = opendir("/proc/self/fd");
  while (readdir(dir)) n++;
  closedir(dir);
  return n;
}

// Runs f and sees to it that no goroutine and no descriptor is left behind.
template <class F>
void leaving_nothing(F f) {
  (void)net::listen_packet("udp", "127.0.0.1:0");  // the poller takes two descriptors at first use
  ASSERT_TRUE(settle());
  size_t goroutines = num_goroutine(), fds = open_fds();
  f();
  EXPECT_TRUE(eventually([&] { return num_goroutine() == goroutines && open_fds() == fds; }))
      << num_goroutine() << " goroutines, before: " << goroutines << "; " << open_fds()
      << " descriptors, before: " << fds;
}

class WithNet : public WithProcs {
 protected:
  template <class F>
  void run(F main) {
    WithProcs::run([&] { leaving_nothing(main); });
  }
};

#define WEIR_NET_FOR_ALL_PROCS(Suite)                                \
  using Suite = ::weir::testing::WithNet;                            \
  INSTANTIATE_TEST_SUITE_P(Procs, Suite, ::testing::Values(1, 2, 4), \
                           [](const auto& param) { return std::to_string(param.param); })

// What f throws; none: it throws nothing.
template <class F>
std::optional<net::error> error_of(F f) {
  try {
    f();
  } catch (const net::error& e) {
    return e;
  }
  return std::nullopt;
}

// The text of what f throws.
template <class F>
std::string text_of(F f) {
  auto e = error_of(f);
  return e ? e->what() : "";
}

// Two ends of a connection.
struct Pair {
  net::Conn a, b;
};

// Dials until the listener takes no more: who dials then waits. One goes in however short the queue
// is; without it a timeout may be that of a busy machine.
inline std::vector<net::Conn> fill_queue(const net::Listener& l) {
  EXPECT_EQ(::listen(l.native_handle(), 0), 0);
  const net::Addr to = l.addr();
  std::vector<net::Conn> queued{net::dial(to.network(), to.to_string())};
  while (!error_of([&] {
    queued.push_back(
        net::dial_timeout(to.network(), to.to_string(), std::chrono::milliseconds(50)));
  })) {
  }
  return queued;
}

inline std::string a_name(const char* of) {
  static std::atomic<int> number{0};
  return "@weir-test-" + std::to_string(getpid()) + "-" + of + std::to_string(number++);
}

inline Pair connected(const std::string& network = "tcp") {
  net::Listener l = net::listen(network, network.starts_with("unix") ? a_name("pair")
                                         : network.ends_with("6")    ? "[::1]:0"
                                                                     : "127.0.0.1:0");
  net::Conn a = net::dial(network, l.addr().to_string());
  return {a, l.accept()};
}

// Reads until `size` bytes are there or the stream ends.
inline std::string read_full(const net::Conn& c, size_t size) {
  std::string text(size, 0);
  size_t got = 0;
  while (got < size) {
    size_t n = c.read(text.data() + got, size - got);
    if (n == 0) break;
    got += n;
  }
  text.resize(got);
  return text;
}

// Sends back what comes until the end.
inline void echo(const net::Conn& c) {
  char buffer[4096];
  while (size_t n = c.read(buffer, sizeof buffer)) c.write(buffer, n);
}

// Writes until the kernel takes no more, so that a writer would wait.
inline void fill(const net::Conn& c) {
  std::string block(64 << 10, 'x');
  c.set_write_deadline(std::chrono::steady_clock::now() + std::chrono::milliseconds(50));
  auto e = error_of([&] {
    for (;;) c.write(block);
  });
  EXPECT_TRUE(e && e->timeout());
  c.set_write_deadline(net::kNoDeadline);
}

// Lets the poller see what has happened so far: the M that sleeps until the timer sleeps in it. (A
// test must hold also where it does not.)
inline void let_poll() { sleep_for(std::chrono::milliseconds(2)); }

// Whether this machine has ::1.
inline bool have_v6() {
  static const bool have = !error_of([] { (void)net::listen("tcp6", "[::1]:0"); });
  return have;
}

}  // namespace weir::testing
