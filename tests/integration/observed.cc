// A program for those who read it from outside, of what weir-parked has not: plain threads that
// wait in weir, contexts, a timer's channel, goroutines that never ran. It prints the URL of its
// endpoint when all are where they stay.
#include <weir/http/debug_server.h>
#include <weir/introspect.h>
#include <weir/weir.h>

#include <chrono>
#include <cstdio>
#include <thread>
#include <vector>

namespace observed {

namespace {

using namespace std::chrono_literals;

constexpr size_t kStill = 5;  // threads and goroutines that wait

size_t count_still() {
  size_t still = 0;
  for (size_t slot = 0; slot < weir::introspect::slot_count(); slot++) {
    weir::introspect::Glimpse g{};
    still += weir::introspect::glimpse(slot, g) && g.state == weir::introspect::State::waiting;
  }
  return still;
}

int run() {
  static auto never = weir::make_chan<int>();
  static weir::Mutex mu;
  mu.lock();
  std::vector<std::thread> threads;
  threads.emplace_back([] { never.recv(); });
  threads.emplace_back([] { mu.lock(); });
  auto [ended, cancel] = weir::with_cancel(weir::background());
  auto [timed, cancel_timed] = weir::with_timeout(ended, 1h);
  const weir::Context forgotten = weir::with_cancel(weir::background()).first;
  cancel_timed();
  weir::go([ctx = forgotten] { (void)never.recv(ctx); });
  weir::go([ctx = ended] { (void)never.recv(ctx); });
  weir::go([] { weir::after(1000h).recv(); });
  while (count_still() != kStill) weir::sleep_for(1ms);
  std::printf("%s\n", weir::http::serve_debug("127.0.0.1:0").url().c_str());
  std::fflush(stdout);
  never.recv();
  return 0;
}

}  // namespace

}  // namespace observed

int main() { return weir::run(observed::run); }
