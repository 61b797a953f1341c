// Kernels (kernels.h): selects of which no case ever comes.

#include <weir/weir.h>

#include <chrono>
#include <optional>

#include "kernels.h"

namespace kernels {

using namespace std::chrono_literals;
using Ints = weir::chan<int>;

[[gnu::noinline]] static void no_cases_wait() { weir::select(); }
static void no_cases(int) { weir::go(no_cases_wait); }

class Watcher {
 public:
  void start() const {
    weir::go([events = events_, done = done_] { contract_listen(events, done); });
  }
  void stop() const { done_.close(); }

 private:
  [[gnu::noinline]] static void contract_listen(const Ints& events, const Ints& done) {
    for (bool on = true; on;) {
      weir::select(weir::on_recv(events), weir::on_recv(done, [&on] { on = false; }));
    }
  }
  Ints events_ = weir::make_chan<int>();
  Ints done_ = weir::make_chan<int>();
};
static void contract(int) {
  Watcher watcher;
  watcher.start();  // whoever starts must stop
}

[[gnu::noinline]] static void without_done_loop(const Ints& work, const Ints& urgent) {
  for (;;) weir::select(weir::on_recv(work), weir::on_recv(urgent));
}
static void without_done(int) {
  auto work = weir::make_chan<int>(), urgent = weir::make_chan<int>();
  weir::go([work, urgent] { without_done_loop(work, urgent); });
  work.send(1);
}

[[gnu::noinline]] static void done_once_worker(const Ints& work, const Ints& done) {
  for (bool on = true; on;) {
    weir::select(weir::on_recv(work), weir::on_recv(done, [&on] { on = false; }));
  }
}
static void done_once(int) {
  auto work = weir::make_chan<int>(), done = weir::make_chan<int>();
  for (int i = 0; i < 3; ++i) weir::go([work, done] { done_once_worker(work, done); });
  done.send(1);  // one value stops one worker: close(done) would stop all
}

[[gnu::noinline]] static void flag_unused_worker(const Ints& done, const Ints& ticks) {
  bool on = true;
  while (on) {
    weir::select(weir::on_recv(ticks),
                 weir::on_recv(done, [](std::optional<int>) { /* should clear `on` */ }));
  }
}
static void flag_unused(int) {
  auto done = weir::make_chan<int>(), ticks = weir::make_chan<int>();
  weir::go([done, ticks] { flag_unused_worker(done, ticks); });
  done.send(1);  // received, and the loop goes on
}

[[gnu::noinline]] static void result_or_error_wait(const Ints& result, const Ints& error) {
  weir::select(weir::on_recv(result), weir::on_recv(error));
}
static void result_or_error(int) {
  auto result = weir::make_chan<int>(1), error = weir::make_chan<int>(1);
  weir::go([result, error] {
    const bool found = false, failed = false;  // neither: "nothing to do"
    if (found) result.send(1);
    if (failed) error.send(1);
  });
  result_or_error_wait(result, error);
}

[[gnu::noinline]] static void send_or_quit_deliver(const Ints& out, const Ints& quit) {
  for (bool on = true; on;) {
    weir::select(weir::on_send(out, 1), weir::on_recv(quit, [&on] { on = false; }));
  }
}
static void send_or_quit(int) {
  auto out = weir::make_chan<int>(), quit = weir::make_chan<int>();
  weir::go([out, quit] { send_or_quit_deliver(out, quit); });
  out.recv();  // leaves without close(quit)
}

[[gnu::noinline]] static void all_nil_merge(Ints a, Ints b) {
  for (;;) {  // should end when both are nil
    weir::select(weir::on_recv(a,
                               [&a](std::optional<int> v) {
                                 if (!v) a = {};
                               }),
                 weir::on_recv(b, [&b](std::optional<int> v) {
                   if (!v) b = {};
                 }));
  }
}
static void all_nil(int) {
  auto a = weir::make_chan<int>(), b = weir::make_chan<int>();
  weir::go([a, b] { all_nil_merge(a, b); });
  a.send(1);
  a.close();
  b.close();
}

[[gnu::noinline]] static void stopped_timer_wait(const weir::Timer& timer, const Ints& answer) {
  weir::select(weir::on_recv(timer.c()), weir::on_recv(answer));
}
static void stopped_timer(int) {
  weir::Timer timer(1h);
  auto answer = weir::make_chan<int>();
  weir::go([timer, answer] { stopped_timer_wait(timer, answer); });
  timer.stop();  // "it is not needed any more": it was what ended the wait
}

Family select() {
  return {"select",
          {
              {"no_cases",
               "a select without cases",
               no_cases,
               {{Kind::select_no_cases, "no_cases_wait", Certainty::certain}}},
              {"contract",
               "what was started is not stopped",
               contract,
               {{Kind::select, "contract_listen"}}},
              {"without_done",
               "a loop that has no way to end",
               without_done,
               {{Kind::select, "without_done_loop"}}},
              {"done_once",
               "one value on `done` for several workers",
               done_once,
               {{Kind::select, "done_once_worker"}}},
              {"flag_unused",
               "the loop goes on after `done`",
               flag_unused,
               {{Kind::select, "flag_unused_worker"}}},
              {"result_or_error",
               "neither a result nor an error comes",
               result_or_error,
               {{Kind::select, "result_or_error_wait"}}},
              {"send_or_quit",
               "the receiver has left, and nobody says quit",
               send_or_quit,
               {{Kind::select, "send_or_quit_deliver"}}},
              {"all_nil",
               "all channels of the loop were closed and set to nil",
               all_nil,
               {{Kind::select, "all_nil_merge"}, {Kind::nil_channel, "all_nil_merge"}}},
              {"stopped_timer",
               "the timer that would end the wait was stopped",
               stopped_timer,
               {{Kind::select, "stopped_timer_wait"}}},
          }};
}

}  // namespace kernels
