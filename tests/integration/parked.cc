// A program whose goroutines stand still, for the tests of those who read it from outside:
//
//   weir-parked COUNT [abort|segv|overflow]
//
// COUNT goroutines wait to receive, at three depths; one is in every other state that lasts. When
// all are where they stay it prints the URL of its endpoint, and waits in a blocking call for
// SIGUSR1, to die in the way that is told.
#include <weir/http/debug_server.h>
#include <weir/introspect.h>
#include <weir/net.h>
#include <weir/weir.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>

#include <unistd.h>

namespace parked {

namespace {

using namespace std::chrono_literals;

// As deep as is asked: its caller's work is not over when it returns.
[[gnu::noinline]] int receive(weir::chan<int> from, int depth) {
  if (depth == 0) return from.recv().value_or(0);
  return receive(from, depth - 1) + 1;
}

[[gnu::noinline]] void hold(weir::Mutex& mu, weir::chan<int> until) {
  std::scoped_lock lock(mu);
  until.recv();
}

[[gnu::noinline]] void lock(weir::Mutex& mu) { std::scoped_lock lock(mu); }

// In one line: wherever it is looked at, it is at the same place.
// clang-format off
[[gnu::noinline]] void spin(const volatile bool& ready) { while (!ready) {} }
// clang-format on

[[gnu::noinline]] int overflow(int n, int most) {
  volatile char page[4096] = {};
  page[0] = static_cast<char>(n);
  return n == most ? n : overflow(n + 1, most) + page[0];
}

volatile int* volatile nowhere = nullptr;

[[gnu::noinline]] void die(std::string_view how) {
  if (how == "abort") std::abort();
  if (how == "segv") *nowhere = 1;
  if (how == "overflow") overflow(0, 1 << 20);
}

// What the goroutines wait for lives as long as they.
struct Things {
  weir::chan<int> never = weir::make_chan<int>(), full = weir::make_chan<int>(1), none;
  weir::Mutex mu, of_cond;
  weir::RWMutex rw;
  weir::WaitGroup wg;
  weir::Semaphore sem{1};
  weir::Cond cond;
  weir::net::Listener listener = weir::net::listen("tcp", "127.0.0.1:0");
  bool ready = false;
};

// One in each state; returns how many of them come to a stop.
size_t start_one_of_each(Things& t) {
  weir::go({.name = "nil"}, [&t] { t.none.recv(); });
  weir::go([&t] { t.full.send(1), t.full.send(2); });
  weir::go(
      [&t] { weir::select(weir::on_recv(t.never, [](auto) {}), weir::on_send(t.none, 3, [] {})); });
  weir::go([] { weir::select(); });
  weir::go([&t] { hold(t.mu, t.never); });
  weir::go([&t] { t.rw.lock(), t.never.recv(); });
  weir::go([&t] { t.wg.add(1), t.wg.wait(); });
  weir::go([&t] { t.sem.acquire(), t.sem.acquire(); });
  weir::go([&t] {
    std::unique_lock hold(t.of_cond);
    t.cond.wait(hold);
  });
  weir::go([&t] { t.listener.accept().close(); });
  weir::go([] { weir::sleep_for(1000h); });
  weir::go([] { weir::blocking([] { pause(); }); });
  weir::with_labels({{"tenant", "blue, \x1b[31mred]"}, {"zone", "eu"}},
                    [&t] { weir::go({.name = "labelled"}, [&t] { receive(t.never, 1); }); });
  weir::go([&t] { spin(t.ready); });
  return 13;
}

// Who has to find a lock taken.
size_t start_those_behind(Things& t) {
  weir::go([&t] { lock(t.mu); });
  weir::go([&t] { std::shared_lock lock(t.rw); });
  return 2;
}

size_t count_still() {
  using weir::introspect::State;
  size_t still = 0;
  for (size_t slot = 0; slot < weir::introspect::slot_count(); slot++) {
    weir::introspect::Glimpse g{};
    if (!weir::introspect::glimpse(slot, g)) continue;
    still += g.state == State::waiting || g.state == State::syscall;
  }
  return still;
}

int run(size_t count, std::string_view death) {
  static Things t;
  for (size_t i = 0; i < count; i++) {
    weir::go([i] { receive(t.never, static_cast<int>(i % 3)); });
  }
  count += start_one_of_each(t);
  while (count_still() != count) weir::sleep_for(1ms);
  count += start_those_behind(t);
  while (count_still() != count) weir::sleep_for(1ms);
  std::printf("%s\n", weir::http::serve_debug("127.0.0.1:0").url().c_str());
  std::fflush(stdout);
  weir::blocking([] {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    for (int got = 0; got != SIGUSR1;) sigwait(&set, &got);
  });
  die(death);
  return 0;
}

}  // namespace

}  // namespace parked

int main(int argc, char** argv) {
  sigset_t set;  // in all threads, so that one can wait for it
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  const auto count = static_cast<size_t>(argc > 1 ? std::atoll(argv[1]) : 1);
  const std::string death = argc > 2 ? argv[2] : "";
  return weir::run([&] { return parked::run(count, death); });
}
