// Healthy kernels (kernels.h): channels used as they should be, in the shapes of those that leak.

#include <weir/weir.h>

#include <chrono>
#include <memory>
#include <optional>
#include <vector>

#include "kernels.h"

namespace kernels {

using namespace std::chrono_literals;
using Ints = weir::chan<int>;

static void buffered_answer(int) {
  auto answer = weir::make_chan<int>(1);  // the late answer finds room
  weir::go([answer] {
    weir::sleep_for(4ms);
    answer.send(1);
  });
  weir::select(weir::on_recv(answer), weir::on_recv(weir::after(1ms)));
}

static void buffered_replicas(int) {
  constexpr int kReplicas = 3;
  auto answers = weir::make_chan<int>(kReplicas);
  for (int replica = 0; replica < kReplicas; ++replica) {
    weir::go([answers, replica] {
      weir::sleep_for(std::chrono::milliseconds(1 + replica));
      answers.send(replica);
    });
  }
  answers.recv();
}

static void all_received(int) {
  auto errors = weir::make_chan<int>();
  for (int task = 0; task < 4; ++task) {
    weir::go([errors, task] {
      weir::sleep_for(2ms);
      errors.send(task);
    });
  }
  for (int task = 0; task < 4; ++task) errors.recv();
}

static void closed_range(int) {
  auto jobs = weir::make_chan<int>(3);
  weir::go([jobs] {
    for ([[maybe_unused]] int job : jobs) weir::sleep_for(1ms);
  });
  for (int i = 0; i < 5; ++i) jobs.send(i);
  jobs.close();
}

static void generator_stopped(int) {
  auto numbers = weir::make_chan<int>(), done = weir::make_chan<int>();
  weir::go([numbers, done] {
    bool on = true;
    for (int i = 0; on; ++i) {
      weir::select(weir::on_send(numbers, i), weir::on_recv(done, [&on] { on = false; }));
    }
  });
  for (int i = 0; i < 5; ++i) numbers.recv();
  done.close();
}

static void pipeline_drained(int) {
  auto numbers = weir::make_chan<int>(), squares = weir::make_chan<int>();
  weir::go([numbers] {
    for (int i = 0; i < 10; ++i) numbers.send(i);
    numbers.close();
  });
  weir::go([numbers, squares] {
    for (int i : numbers) squares.send(i * i);
    squares.close();
  });
  for ([[maybe_unused]] int square : squares) weir::sleep_for(500us);
}

static void fan_in_closed(int) {
  auto merged = weir::make_chan<int>();
  auto senders = std::make_shared<weir::WaitGroup>();
  for (int i = 0; i < 4; ++i) {
    senders->go([merged, i] {
      weir::sleep_for(std::chrono::milliseconds(i));
      merged.send(i);
    });
  }
  weir::go([senders, merged] {
    senders->wait();
    merged.close();
  });
  for ([[maybe_unused]] int part : merged) {
  }
}

static void fan_out_drained(int) {
  auto jobs = weir::make_chan<int>();
  weir::WaitGroup workers;
  for (int i = 0; i < 6; ++i) {
    workers.go([jobs] {
      for ([[maybe_unused]] int job : jobs) weir::sleep_for(1ms);
    });
  }
  for (int i = 0; i < 20; ++i) jobs.send(i);
  jobs.close();
  workers.wait();
}

static void done_closed(int) {
  auto work = weir::make_chan<int>(), done = weir::make_chan<int>();
  for (int i = 0; i < 4; ++i) {
    weir::go([work, done] {
      for (bool on = true; on;) {
        weir::select(weir::on_recv(work), weir::on_recv(done, [&on] { on = false; }));
      }
    });
  }
  for (int i = 0; i < 3; ++i) work.send(i);
  weir::sleep_for(20ms);
  done.close();
}

static void token_limit(int) {
  static const auto tokens = weir::make_chan<int>(3);
  for (int i = 0; i < 6; ++i) {
    weir::go([] {
      tokens.send(1);
      weir::sleep_for(3ms);
      tokens.recv();
    });
  }
}

// Requests wait for the next flush, of which there is one every few milliseconds.
static void batch_flushed(int) {
  static const auto batch = weir::make_chan<weir::chan<int>>();
  static weir::Once started;
  started.call([] {
    weir::go({.name = "batcher"}, [] {
      weir::Ticker flush(8ms);
      std::vector<weir::chan<int>> waiting;
      for (;;) {
        weir::select(weir::on_recv(batch,
                                   [&](std::optional<weir::chan<int>> who) {
                                     waiting.push_back(std::move(*who));
                                   }),
                     weir::on_recv(flush.c(), [&] {
                       for (const auto& who : waiting) who.close();
                       waiting.clear();
                     }));
      }
    });
  });
  for (int i = 0; i < 4; ++i) {
    weir::go([] {
      auto flushed = weir::make_chan<int>();
      batch.send(flushed);
      flushed.recv();
    });
  }
}

static void subscriber_leaves(int) {
  auto topic = weir::make_chan<int>(), unsubscribed = weir::make_chan<int>();
  weir::go([topic, unsubscribed] {
    for (bool on = true; on;) {
      weir::select(weir::on_send(topic, 1), weir::on_recv(unsubscribed, [&on] { on = false; }));
    }
  });
  for (int i = 0; i < 3; ++i) {
    topic.recv();
    weir::sleep_for(5ms);
  }
  unsubscribed.close();
}

struct Question {
  int key;
  Ints reply;
};
static void request_reply(int round) {
  static const auto server = [] {
    auto questions = weir::make_chan<Question>();
    weir::go({.name = "server"}, [questions] {
      for (const Question& q : questions) q.reply.send(q.key % 2 == 1 ? -1 : q.key);
    });
    return questions;
  }();
  auto reply = weir::make_chan<int>(1);
  server.send({round, reply});
  reply.recv();
}

// A case is switched off by a nil channel; the other one comes.
static void nil_case(int) {
  auto a = weir::make_chan<int>(), b = weir::make_chan<int>();
  weir::go([a, b] {
    a.send(1);
    a.close();
    weir::sleep_for(10ms);
    b.send(2);
    b.close();
  });
  Ints left = a, right = b;
  while (left || right) {
    weir::select(weir::on_recv(left,
                               [&left](std::optional<int> v) {
                                 if (!v) left = {};
                               }),
                 weir::on_recv(right, [&right](std::optional<int> v) {
                   if (!v) right = {};
                 }));
  }
}

static void future_kept(int) {
  auto value = weir::make_chan<int>(1);
  weir::go([value] {
    weir::sleep_for(15ms);
    value.send(1);
  });
  value.recv();
}

static void bursts(int round) {
  if (round % 3 != 0) return;
  auto parts = weir::make_chan<int>();
  constexpr int kParts = 60;
  for (int i = 0; i < kParts; ++i) {
    weir::go([parts, i] {
      weir::sleep_for(std::chrono::milliseconds(i % 40));
      parts.send(i);
    });
  }
  for (int i = 0; i < kParts; ++i) parts.recv();
}

// More requests in each round, then fewer; none takes longer than before.
static void wave(int round) {
  auto go_ahead = weir::make_chan<int>();
  for (int i = 0; i < 2 + 3 * std::min(round, 14 - round); ++i) {
    weir::go([go_ahead] { go_ahead.recv(); });
  }
  weir::sleep_for(50ms);
  go_ahead.close();
}

// Producers are ahead of a slow consumer for a while, and it catches up.
static void backlog_drains(int) {
  static const auto queue = [] {
    auto made = weir::make_chan<int>(2);
    weir::go({.name = "consumer"}, [made] {
      for ([[maybe_unused]] int item : made) weir::sleep_for(1ms);
    });
    return made;
  }();
  for (int i = 0; i < 8; ++i) {
    weir::go([i] { queue.send(i); });
  }
}

// Clients wait for news for a while; most go without.
static void long_poll(int) {
  static const auto news = weir::make_chan<int>();
  for (int i = 0; i < 3; ++i) {
    weir::go([i] {
      weir::select(weir::on_recv(news),
                   weir::on_recv(weir::after(std::chrono::milliseconds(60 + 10 * i))));
    });
  }
  weir::select(weir::on_send(news, 1), weir::on_default());
}

Family healthy_channels() {
  return {"healthy: channels",
          {
              {"buffered_answer", "the caller gives up; the answer has room", buffered_answer},
              {"buffered_replicas", "room for all answers, one is received", buffered_replicas},
              {"all_received", "all errors are received", all_received},
              {"closed_range", "a loop over a channel that is closed", closed_range},
              {"generator_stopped", "a generator that is told to stop", generator_stopped},
              {"pipeline_drained", "a pipeline that drains", pipeline_drained},
              {"fan_in_closed", "closed when all senders are done", fan_in_closed},
              {"fan_out_drained", "workers that end with their jobs", fan_out_drained},
              {"done_closed", "close(done) stops all workers", done_closed},
              {"token_limit", "a channel as a semaphore", token_limit},
              {"batch_flushed", "requests wait for the next flush", batch_flushed},
              {"subscriber_leaves", "a subscriber that unsubscribes", subscriber_leaves},
              {"request_reply", "a server that always replies", request_reply},
              {"nil_case", "a nil channel switches a case off", nil_case},
              {"future_kept", "a promise that is fulfilled", future_kept},
              {"bursts", "sixty at once, every third round", bursts},
              {"wave", "load that rises and falls", wave},
              {"backlog_drains", "senders wait for a slow consumer", backlog_drains},
              {"long_poll", "clients that wait for news for a while", long_poll},
          }};
}

}  // namespace kernels
