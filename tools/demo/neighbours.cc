// Healthy neighbours: they have goroutines that wait, by the hundred, and leak none.

#include <weir/weir.h>

#include <chrono>

#include "zoo.h"

namespace zoo {

using namespace std::chrono_literals;

// A buffered channel as a semaphore: who gets a token in may work, and takes it out when done.
void limit_buffered(int jobs, int limit, const std::function<void()>& work) {
  auto tokens = weir::make_chan<char>(static_cast<size_t>(limit));
  weir::WaitGroup wg;
  for (int i = 0; i < jobs; i++) {
    wg.go([&] {
      tokens.send(0);
      work();
      tokens.recv();
    });
  }
  wg.wait();
}

// A fixed set of workers fed by an unbuffered channel.
void limit_workers(int jobs, int limit, const std::function<void()>& work) {
  auto queue = weir::make_chan<int>();
  weir::WaitGroup wg;
  for (int i = 0; i < limit; i++) {
    wg.go([&] {
      for ([[maybe_unused]] int job : queue) work();
    });
  }
  for (int i = 0; i < jobs; i++) queue.send(i);
  queue.close();
  wg.wait();
}

void live_limit_buffered() {
  for (;;) limit_buffered(40, 4, [] { weir::sleep_for(20ms); });
}

void live_limit_workers() {
  for (;;) limit_workers(40, 4, [] { weir::sleep_for(20ms); });
}

void live_busy_pool() {
  auto jobs = weir::make_chan<int>(64);
  for (int i = 0; i < 16; i++) {
    weir::go([jobs] {
      for ([[maybe_unused]] int job : jobs) weir::sleep_for(5ms);
    });
  }
  for (int i = 0;; i++) jobs.send(i);
}

void live_bursts() {
  for (;;) {
    weir::WaitGroup wg;
    for (int i = 0; i < 200; i++)
      wg.go([i] { weir::sleep_for(std::chrono::milliseconds(5 * (i % 40))); });
    wg.wait();
    weir::sleep_for(3s);
  }
}

}  // namespace zoo
