// Kernels (kernels.h): nobody sends what is waited for; channels that were never made.

#include <weir/weir.h>

#include <memory>
#include <vector>

#include "kernels.h"

namespace kernels {

using Ints = weir::chan<int>;

[[gnu::noinline]] static void receive_forgotten_wait(const Ints& go_ahead) { go_ahead.recv(); }
static void receive_forgotten(int) {
  auto go_ahead = weir::make_chan<int>();
  weir::go([go_ahead] { receive_forgotten_wait(go_ahead); });
}

[[gnu::noinline]] static void range_unclosed_worker(const Ints& jobs) {
  for ([[maybe_unused]] int job : jobs) {
  }
}
static void range_unclosed(int) {
  auto jobs = weir::make_chan<int>(3);
  weir::go([jobs] { range_unclosed_worker(jobs); });
  for (int i = 0; i < 3; ++i) jobs.send(i);
  // Forgets jobs.close().
}

[[gnu::noinline]] static void fan_in_unclosed_sum(const Ints& merged) {
  for ([[maybe_unused]] int part : merged) {
  }
}
static void fan_in_unclosed(int) {
  auto merged = weir::make_chan<int>();
  auto senders = std::make_shared<weir::WaitGroup>();
  for (int i = 0; i < 3; ++i) senders->go([merged, i] { merged.send(i); });
  weir::go([senders] { senders->wait(); });  // and then should close `merged`
  fan_in_unclosed_sum(merged);
}

struct Promise {
  Ints value = weir::make_chan<int>(1);
  void fulfil(bool valid) const {
    if (!valid) return;  // the error path fulfils nothing
    value.send(1);
  }
};
[[gnu::noinline]] static void future_broken_get(const Promise& promise) { promise.value.recv(); }
static void future_broken(int) {
  Promise promise;
  weir::go([promise] { promise.fulfil(false); });
  future_broken_get(promise);
}

struct Call {
  int key;
  Ints reply;
};
static weir::chan<Call> reply_dropped_server() {
  auto calls = weir::make_chan<Call>();
  weir::go([calls] {
    for (const Call& call : calls) {
      if (call.key % 2 == 1) continue;  // "not found": no reply
      call.reply.send(call.key);
    }
  });
  return calls;
}
[[gnu::noinline]] static void reply_dropped_ask(const weir::chan<Call>& server, int key) {
  auto reply = weir::make_chan<int>(1);
  server.send({key, reply});
  reply.recv();
}
static void reply_dropped(int round) {
  static const auto server = reply_dropped_server();
  for (int i = 0; i < 2; ++i) {
    weir::go([key = round * 2 + i] { reply_dropped_ask(server, key); });
  }
}

[[gnu::noinline]] static void close_in_branch_consume(const Ints& rows) {
  for ([[maybe_unused]] int row : rows) {
  }
}
static void close_in_branch(int round) {
  auto rows = weir::make_chan<int>();
  weir::go([rows] { close_in_branch_consume(rows); });
  for (int i = 0; i < 3; ++i) {
    rows.send(i);
    if (i == 2 && round >= 0) return;  // the error path does not close
  }
  rows.close();
}

[[gnu::noinline]] static void token_lost_station(const Ints& in, const Ints& out, bool broken) {
  const auto token = in.recv();
  if (token && !broken) out.send(*token);
}
static void token_lost(int) {
  constexpr size_t kStations = 4;
  std::vector<Ints> ring;
  for (size_t i = 0; i <= kStations; ++i) ring.push_back(weir::make_chan<int>(1));
  for (size_t i = 0; i < kStations; ++i) {
    weir::go([in = ring[i], out = ring[i + 1], i] { token_lost_station(in, out, i == 1); });
  }
  ring[0].send(1);
}

[[gnu::noinline]] static void loader_failed_follow(const Ints& ready) { ready.recv(); }
static void loader_failed(int) {
  auto ready = weir::make_chan<int>();  // closed when the entry has been loaded
  for (int i = 0; i < 2; ++i) weir::go([ready] { loader_failed_follow(ready); });
  weir::go([ready] {
    const bool loaded = false;
    if (loaded) ready.close();
  });
}

[[gnu::noinline]] static void nil_send_result() {
  Ints results;  // declared, never made
  results.send(42);
}
static void nil_send(int) { weir::go(nil_send_result); }

[[gnu::noinline]] static void nil_receive_result() {
  Ints results;
  results.recv();
}
static void nil_receive(int) { weir::go(nil_receive_result); }

struct Session {
  Ints input = weir::make_chan<int>(1);
  void close() { input = {}; }  // "so that nobody uses it any more"
};
[[gnu::noinline]] static void nil_after_close_loop(Session& session) {
  while (session.input.recv()) session.close();
}
static void nil_after_close(int) {
  auto session = std::make_shared<Session>();
  session->input.send(1);
  weir::go([session] { nil_after_close_loop(*session); });
}

Family receive() {
  return {"chan receive, nil",
          {
              {"receive_forgotten",
               "nobody sends the signal",
               receive_forgotten,
               {{Kind::chan_receive, "receive_forgotten_wait"}}},
              {"range_unclosed",
               "a loop over a channel that is not closed",
               range_unclosed,
               {{Kind::chan_receive, "range_unclosed_worker"}}},
              {"fan_in_unclosed",
               "all senders are done, and nobody closes",
               fan_in_unclosed,
               {{Kind::chan_receive, "fan_in_unclosed_sum"}}},
              {"future_broken",
               "the error path does not fulfil the promise",
               future_broken,
               {{Kind::chan_receive, "future_broken_get"}}},
              {"reply_dropped",
               "a server passes over some requests without a reply",
               reply_dropped,
               {{Kind::chan_receive, "reply_dropped_ask"}}},
              {"close_in_branch",
               "the channel is closed on the good path only",
               close_in_branch,
               {{Kind::chan_receive, "close_in_branch_consume"}}},
              {"token_lost",
               "a station of a ring keeps the token",
               token_lost,
               {{Kind::chan_receive, "token_lost_station"}}},
              {"loader_failed",
               "who loads for all fails, and tells nobody",
               loader_failed,
               {{Kind::chan_receive, "loader_failed_follow"}}},
              {"nil_send",
               "a channel that was not made, to send to",
               nil_send,
               {{Kind::nil_channel, "nil_send_result", Certainty::certain}}},
              {"nil_receive",
               "a channel that was not made, to receive from",
               nil_receive,
               {{Kind::nil_channel, "nil_receive_result", Certainty::certain}}},
              {"nil_after_close",
               "the loop goes on after its channel was set to nil",
               nil_after_close,
               {{Kind::nil_channel, "nil_after_close_loop", Certainty::certain}}},
          }};
}

}  // namespace kernels
