// The patterns that leak in the field, as the studies of large code bases describe them. Each
// function is the buggy code; the goroutine that it leaks blocks in the function of the same name
// with a suffix.

#include <weir/weir.h>

#include <chrono>
#include <memory>
#include <optional>

#include "zoo.h"

namespace zoo {

using namespace std::chrono_literals;

// ---- range over a channel that is not closed ----

[[gnu::noinline]] static void range_without_close_worker(const weir::chan<int>& jobs) {
  for ([[maybe_unused]] int job : jobs) {
    // work
  }
}
void range_without_close() {
  auto jobs = weir::make_chan<int>(3);
  weir::go([jobs] { range_without_close_worker(jobs); });
  for (int i = 0; i < 3; i++) jobs.send(i);
  // Forgets jobs.close().
}

// ---- double send: the `return` after reporting the error is missing ----

struct Reply {
  int value = 0;
  bool failed = false;
};

[[gnu::noinline]] static void double_send_worker(const weir::chan<Reply>& reply, bool broken) {
  if (broken) reply.send({0, true});  // forgets return
  reply.send({42, false});
}
void double_send() {
  auto reply = weir::make_chan<Reply>();
  weir::go([reply] { double_send_worker(reply, true); });
  reply.recv();  // one answer is expected
}

// ---- premature return: the error path does not receive ----

[[gnu::noinline]] static void early_return_query(const weir::chan<int>& rows) { rows.send(7); }
static bool permitted(int user) { return user % 2 == 0; }
void early_return() {
  auto rows = weir::make_chan<int>();
  weir::go([rows] { early_return_query(rows); });
  if (!permitted(1)) return;  // nobody receives from rows now
  rows.recv();
}

// ---- N-cast: one receive for N sends ----

[[gnu::noinline]] static void ncast_replica(const weir::chan<int>& answers, int replica) {
  answers.send(replica);
}
void ncast() {
  auto answers = weir::make_chan<int>();  // capacity for all replicas would do
  for (int replica = 0; replica < 2; replica++) {
    weir::go([answers, replica] { ncast_replica(answers, replica); });
  }
  answers.recv();  // the first one wins, the other one waits
}

// ---- timeout: the caller goes, the answer comes ----

[[gnu::noinline]] static void timeout_return_call(const weir::chan<int>& answer) {
  weir::sleep_for(20ms);  // the slow service
  answer.send(1);
}
void timeout_return() {
  auto answer = weir::make_chan<int>();  // capacity 1 would do
  auto timeout = weir::make_chan<int>(1);
  weir::go([answer] { timeout_return_call(answer); });
  weir::go([timeout] {
    weir::sleep_for(5ms);
    timeout.send(0);
  });
  weir::select(weir::on_recv(answer), weir::on_recv(timeout));
}

// ---- contract violation: whoever calls start() must call stop() ----

[[gnu::noinline]] static void method_contract_listen(const weir::chan<int>& events,
                                                     const weir::chan<int>& done) {
  for (bool on = true; on;) {
    weir::select(weir::on_recv(events), weir::on_recv(done, [&on] { on = false; }));
  }
}

class Listener {
 public:
  void start() {
    weir::go([events = events_, done = done_] { method_contract_listen(events, done); });
  }
  void stop() { done_.close(); }

 private:
  weir::chan<int> events_ = weir::make_chan<int>();
  weir::chan<int> done_ = weir::make_chan<int>();
};

void method_contract() {
  Listener listener;
  listener.start();
  // Forgets listener.stop().
}

}  // namespace zoo
