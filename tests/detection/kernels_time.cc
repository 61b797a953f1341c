// Kernels (kernels.h): loops that wake up again and again, and never end.

#include <weir/weir.h>

#include <atomic>
#include <chrono>

#include "kernels.h"

namespace kernels {

using namespace std::chrono_literals;

[[gnu::noinline]] static void ticker_forever_report(const weir::Ticker& ticker) {
  for ([[maybe_unused]] auto tick : ticker.c()) {
  }
}
static void ticker_forever(int) {
  weir::Ticker ticker(3ms);
  weir::go([ticker] { ticker_forever_report(ticker); });  // for each session, and no end of it
}

[[gnu::noinline]] static void ticker_and_work_loop(const weir::Ticker& ticker,
                                                   const weir::chan<int>& work) {
  for (;;) weir::select(weir::on_recv(ticker.c()), weir::on_recv(work));
}
static void ticker_and_work(int) {
  auto work = weir::make_chan<int>();
  weir::go([work] { ticker_and_work_loop(weir::Ticker(3ms), work); });
  work.send(1);
}

[[gnu::noinline]] static void ticker_stopped_wait(const weir::Ticker& ticker) {
  for ([[maybe_unused]] auto tick : ticker.c()) {  // stop does not close the channel
  }
}
static void ticker_stopped(int) {
  weir::Ticker ticker(1ms);
  weir::go([ticker] { ticker_stopped_wait(ticker); });
  weir::sleep_for(2ms);
  ticker.stop();
}

static bool never_ready() {
  static std::atomic<bool> ready{false};
  return ready;
}
[[gnu::noinline]] static void poll_forever_wait() {
  while (!never_ready()) weir::sleep_for(3ms);
}
static void poll_forever(int) { weir::go(poll_forever_wait); }

[[gnu::noinline]] static void retry_doubling_call() {
  for (auto pause = 1ms; !never_ready(); pause *= 2) weir::sleep_for(pause);
}
static void retry_doubling(int) { weir::go(retry_doubling_call); }

[[gnu::noinline]] static void two_pauses_attempt() { weir::sleep_for(2ms); }
[[gnu::noinline]] static void two_pauses_wait() { weir::sleep_for(5ms); }
static void two_pauses(int) {
  weir::go([] {
    while (!never_ready()) {
      two_pauses_attempt();
      two_pauses_wait();
    }
  });
}

// Not an atomic: its inlined load would be a frame of its own, or not, by where a look finds it.
[[gnu::noinline]] static void busy_wait_spin(const volatile bool& ready) {
  while (!ready) {
  }
}
static constexpr int kSpinners = 1;
static void busy_wait(int) {
  static volatile bool ready = false;  // nobody sets it
  static std::atomic<int> spinners{0};
  if (spinners.fetch_add(1) < kSpinners) busy_wait_spin(ready);
}

Family time() {
  return {"timers, sleeps, spinning",
          {
              {"ticker_forever",
               "a loop over ticks that has no end",
               ticker_forever,
               {{Kind::chan_receive, "ticker_forever_report"}}},
              {"ticker_and_work",
               "a loop over ticks and work that has no end",
               ticker_and_work,
               {{Kind::select, "ticker_and_work_loop"}}},
              {"ticker_stopped",
               "a loop over the ticks of a stopped ticker",
               ticker_stopped,
               {{Kind::chan_receive, "ticker_stopped_wait"}}},
              {"poll_forever",
               "asks again and again for what never comes",
               poll_forever,
               {{Kind::sleep, "poll_forever_wait"}}},
              {"retry_doubling",
               "pauses that double without a bound",
               retry_doubling,
               {{Kind::sleep, "retry_doubling_call"}}},
              // Seen from one place, its goroutines come and go, as those of a pool do.
              {"two_pauses",
               "an endless loop that sleeps in two places",
               two_pauses,
               {{Kind::sleep, "two_pauses_"}},
               0,
               true},
              // One is all there is: it takes a processor, and age alone tells.
              {"busy_wait",
               "a loop that never lets go of its processor",
               busy_wait,
               {{Kind::spinning, "busy_wait_spin", Certainty::suspect}},
               kSpinners},
          }};
}

}  // namespace kernels
