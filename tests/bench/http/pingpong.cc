// Two goroutines that hand a value to and fro beside PARKED others: pingpong PARKED. Prints how
// often a second, so that endpoint.py can tell what those who ask the debug endpoint
// (WEIR_DEBUG_ADDR) cost the program.
#include <weir/weir.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

int main(int argc, char** argv) {
  const long parked = argc > 1 ? std::atol(argv[1]) : 0;
  static std::atomic<uint64_t> rounds{0};
  std::thread([] {  // not a goroutine: those are what is measured
    uint64_t before = 0;
    for (;;) {
      std::this_thread::sleep_for(std::chrono::seconds(1));
      const uint64_t now = rounds.load();
      std::printf("%lu\n", now - before);
      std::fflush(stdout);
      before = now;
    }
  })
      .detach();
  return weir::run([parked] {
    auto never = weir::make_chan<int>();
    for (long i = 0; i < parked; i++) weir::go([never] { never.recv(); });
    auto ping = weir::make_chan<int>(), pong = weir::make_chan<int>();
    weir::go([ping, pong] {
      for (int value : ping) pong.send(value);
    });
    for (;;) {
      ping.send(1);
      pong.recv();
      rounds.fetch_add(1, std::memory_order_relaxed);
    }
  });
}
