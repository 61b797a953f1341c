// Kernels (kernels.h): nobody receives what is sent.

#include <weir/weir.h>

#include <chrono>
#include <stdexcept>

#include "kernels.h"

namespace kernels {

using namespace std::chrono_literals;
using Ints = weir::chan<int>;

[[gnu::noinline]] static void send_forgotten_answer(const Ints& answer) { answer.send(42); }
static void send_forgotten(int) {
  auto answer = weir::make_chan<int>();
  weir::go([answer] { send_forgotten_answer(answer); });
}

[[gnu::noinline]] static void timeout_call(const Ints& answer) {
  weir::sleep_for(4ms);
  answer.send(1);
}
static void timeout(int) {
  auto answer = weir::make_chan<int>();  // a buffer of one would do
  weir::go([answer] { timeout_call(answer); });
  weir::select(weir::on_recv(answer), weir::on_recv(weir::after(1ms)));
}

[[gnu::noinline]] static void premature_return_query(const Ints& rows) { rows.send(7); }
static void premature_return(int round) {
  auto rows = weir::make_chan<int>();
  weir::go([rows] { premature_return_query(rows); });
  if (round >= 0) return;  // not permitted: nobody receives
  rows.recv();
}

[[gnu::noinline]] static void ncast_replica(const Ints& answers, int replica) {
  answers.send(replica);
}
static void ncast(int) {
  auto answers = weir::make_chan<int>();
  for (int replica = 0; replica < 3; ++replica) {
    weir::go([answers, replica] { ncast_replica(answers, replica); });
  }
  answers.recv();  // the first one wins
}

[[gnu::noinline]] static void double_send_worker(const Ints& reply, bool broken) {
  if (broken) reply.send(-1);  // forgets to return
  reply.send(42);
}
static void double_send(int) {
  auto reply = weir::make_chan<int>();
  weir::go([reply] { double_send_worker(reply, true); });
  reply.recv();
}

[[gnu::noinline]] static void receiver_left_producer(const Ints& items) {
  for (int i = 0; i < 10; ++i) items.send(i);
  items.close();
}
static void receiver_left(int) {
  auto items = weir::make_chan<int>();
  weir::go([items] { receiver_left_producer(items); });
  for (int item : items) {
    if (item == 3) break;  // malformed
  }
}

[[gnu::noinline]] static void buffer_full_notify(const Ints& events, int round) {
  events.send(round);
}
static void buffer_full(int round) {
  static const auto events = weir::make_chan<int>(4);  // its reader was removed, its writer was not
  buffer_full_notify(events, round);
}

struct Logger {
  Ints lines = weir::make_chan<int>(2);
  Ints stop = weir::make_chan<int>();
  void write() const {
    for (bool on = true; on;) {
      weir::select(weir::on_recv(lines), weir::on_recv(stop, [&on] { on = false; }));
    }
  }
};
[[gnu::noinline]] static void stop_order_source(const Logger& logger) {
  for (int i = 0; i < 5; ++i) logger.lines.send(i);
}
static void stop_order(int) {
  Logger logger;
  weir::go([logger] { logger.write(); });
  logger.stop.close();  // the consumer before the producer
  weir::sleep_for(1ms);
  weir::go([logger] { stop_order_source(logger); });
}

static void worker_returns_work(const Ints& jobs) {
  for (int job : jobs) {
    if (job % 2 == 1) return;  // "skip this one": the worker is gone for good
  }
}
[[gnu::noinline]] static void worker_returns_submit(const Ints& jobs, int job) { jobs.send(job); }
static void worker_returns(int round) {
  static const Ints jobs = [] {
    auto made = weir::make_chan<int>();
    for (int i = 0; i < 2; ++i) weir::go([made] { worker_returns_work(made); });
    return made;
  }();
  for (int i = 0; i < 2; ++i) worker_returns_submit(jobs, round * 2 + i);
}

static void worker_throws_handle(int job) {
  if (job > 0) throw std::runtime_error("bad job");
}
static void worker_throws_work(const Ints& jobs) {
  try {
    for (int job : jobs) worker_throws_handle(job);
  } catch (const std::runtime_error&) {
    // Logged, and nobody starts another worker.
  }
}
[[gnu::noinline]] static void worker_throws_submit(const Ints& jobs, int job) { jobs.send(job); }
static void worker_throws(int round) {
  static const Ints jobs = [] {
    auto made = weir::make_chan<int>(1);
    weir::go([made] { worker_throws_work(made); });
    return made;
  }();
  worker_throws_submit(jobs, round);
}

[[gnu::noinline]] static void first_error_task(const Ints& errors, int task) { errors.send(task); }
static void first_error(int) {
  auto errors = weir::make_chan<int>();
  constexpr int kTasks = 3;
  for (int task = 0; task < kTasks; ++task) {
    weir::go([errors, task] { first_error_task(errors, task); });
  }
  for (int task = 0; task < kTasks; ++task) {
    if (errors.recv() >= 0) return;  // the others still want to tell theirs
  }
}

[[gnu::noinline]] static void subscriber_gone_publish(const Ints& topic) {
  for (int event = 0; event < 3; ++event) topic.send(event);
}
static void subscriber_gone(int) {
  auto topic = weir::make_chan<int>();
  weir::go([topic] { subscriber_gone_publish(topic); });
  topic.recv();  // enough, but it stays subscribed
}

[[gnu::noinline]] static void both_send_first_peer(const Ints& mine, const Ints& theirs) {
  mine.send(1);
  theirs.recv();
}
static void both_send_first(int) {
  auto a = weir::make_chan<int>(), b = weir::make_chan<int>();
  weir::go([a, b] { both_send_first_peer(a, b); });
  weir::go([a, b] { both_send_first_peer(b, a); });
}

[[gnu::noinline]] static void send_to_itself_step(const Ints& mailbox) {
  mailbox.send(1);
  mailbox.recv();
}
static void send_to_itself(int) { send_to_itself_step(weir::make_chan<int>()); }

[[gnu::noinline]] static void quit_nobody_stop(const Ints& quit) { quit.send(1); }
static void quit_nobody(int) {
  auto quit = weir::make_chan<int>();
  auto input = weir::make_chan<int>();
  input.close();
  weir::go([input, quit] {  // ends by itself where there is no input
    weir::select(weir::on_recv(input));
  });
  quit_nobody_stop(quit);
}

[[gnu::noinline]] static void generator_abandoned_count(const Ints& numbers) {
  for (int i = 0;; ++i) numbers.send(i);
}
static void generator_abandoned(int) {
  auto numbers = weir::make_chan<int>(2);
  weir::go([numbers] { generator_abandoned_count(numbers); });
  for (int i = 0; i < 5; ++i) numbers.recv();
}

[[gnu::noinline]] static void pipeline_cut_source(const Ints& out) {
  for (int i = 0; i < 10; ++i) out.send(i);
  out.close();
}
[[gnu::noinline]] static void pipeline_cut_square(const Ints& in, const Ints& out) {
  for (int i : in) out.send(i * i);
  out.close();
}
static void pipeline_cut(int) {
  auto numbers = weir::make_chan<int>(), squares = weir::make_chan<int>();
  weir::go([numbers] { pipeline_cut_source(numbers); });
  weir::go([numbers, squares] { pipeline_cut_square(numbers, squares); });
  squares.recv();  // the sink has seen enough
}

[[gnu::noinline]] static void one_slot_short_task(const Ints& done) { done.send(1); }
static void one_slot_short(int) {
  constexpr int kTasks = 4;
  auto done = weir::make_chan<int>(kTasks - 1);  // "less than", where it should be "at most"
  for (int i = 0; i < kTasks; ++i) weir::go([done] { one_slot_short_task(done); });
}

[[gnu::noinline]] static void token_kept_enter(const Ints& tokens) { tokens.send(1); }
static void token_kept(int round) {
  static const auto tokens = weir::make_chan<int>(3);  // a channel as a semaphore
  token_kept_enter(tokens);
  if (round % 3 == 0) return;  // the error path keeps its token
  tokens.recv();
}

Family send() {
  return {
      "chan send",
      {
          {"send_forgotten",
           "nobody receives the answer",
           send_forgotten,
           {{Kind::chan_send, "send_forgotten_answer"}}},
          {"timeout",
           "the caller gives up; the answer comes later",
           timeout,
           {{Kind::chan_send, "timeout_call"}}},
          {"premature_return",
           "the error path returns before it receives",
           premature_return,
           {{Kind::chan_send, "premature_return_query"}}},
          {"ncast",
           "the first of several answers is received, the others are not",
           ncast,
           {{Kind::chan_send, "ncast_replica"}}},
          {"double_send",
           "a return is missing after the error was sent",
           double_send,
           {{Kind::chan_send, "double_send_worker"}}},
          {"receiver_left",
           "the receiver leaves its loop at the first bad item",
           receiver_left,
           {{Kind::chan_send, "receiver_left_producer"}}},
          {"buffer_full",
           "a buffer that nobody empties is full one day",
           buffer_full,
           {{Kind::chan_send, "buffer_full_notify"}}},
          {"stop_order",
           "the consumer is stopped before the producer",
           stop_order,
           {{Kind::chan_send, "stop_order_source"}}},
          {"worker_returns",
           "workers of a pool return where they should go on",
           worker_returns,
           {{Kind::chan_send, "worker_returns_submit"}}},
          {"worker_throws",
           "an exception ends the only worker",
           worker_throws,
           {{Kind::chan_send, "worker_throws_submit"}}},
          {"first_error",
           "the first error ends the collection of errors",
           first_error,
           {{Kind::chan_send, "first_error_task"}}},
          {"subscriber_gone",
           "a subscriber goes without unsubscribing",
           subscriber_gone,
           {{Kind::chan_send, "subscriber_gone_publish"}}},
          {"both_send_first",
           "two peers send before they receive",
           both_send_first,
           {{Kind::chan_send, "both_send_first_peer"}}},
          {"send_to_itself",
           "sends to the channel that it would receive from",
           send_to_itself,
           {{Kind::chan_send, "send_to_itself_step"}}},
          {"quit_nobody",
           "tells a worker to quit that has ended",
           quit_nobody,
           {{Kind::chan_send, "quit_nobody_stop"}}},
          {"generator_abandoned",
           "a generator whose consumer has had enough",
           generator_abandoned,
           {{Kind::chan_send, "generator_abandoned_count"}}},
          {"pipeline_cut",
           "the sink of a pipeline leaves",
           pipeline_cut,
           {{Kind::chan_send, "pipeline_cut_square"}, {Kind::chan_send, "pipeline_cut_source"}}},
          {"one_slot_short",
           "a buffer for one answer less than there are",
           one_slot_short,
           {{Kind::chan_send, "one_slot_short_task"}}},
          {"token_kept",
           "an error path keeps its token of a limiting channel",
           token_kept,
           {{Kind::chan_send, "token_kept_enter"}}},
      }};
}

}  // namespace kernels
