// The ways to block for ever: one goroutine that never goes on, per call.

#include <weir/weir.h>

#include <atomic>
#include <memory>

#include "zoo.h"

namespace zoo {

// ---- a nil channel: declared, never made ----

[[gnu::noinline]] static void nil_chan_send() {
  weir::chan<int> results;  // should be make_chan<int>()
  results.send(42);
}
void start_nil_chan_send() { weir::go(nil_chan_send); }

[[gnu::noinline]] static void nil_chan_receive() {
  weir::chan<int> results;  // should be make_chan<int>()
  results.recv();
}
void start_nil_chan_receive() { weir::go(nil_chan_receive); }

// ---- one side only ----

[[gnu::noinline]] static void send_without_receive(const weir::chan<int>& results) {
  results.send(42);
}
void start_send_without_receive() {
  auto results = weir::make_chan<int>();
  weir::go([results] { send_without_receive(results); });
  // Forgets results.recv().
}

[[gnu::noinline]] static void receive_without_send(const weir::chan<int>& results) {
  results.recv();
}
void start_receive_without_send() {
  auto results = weir::make_chan<int>();
  weir::go([results] { receive_without_send(results); });
  // Forgets results.send(42).
}

// ---- a lock that was not given back ----

struct Account {
  weir::Mutex mu;
  int balance = 50;
};

[[gnu::noinline]] static void mutex_forgotten_unlock(Account& account, int amount) {
  account.mu.lock();
  if (amount > account.balance) return;  // forgets account.mu.unlock(): a scoped_lock would not
  account.balance -= amount;
  account.mu.unlock();
}
void start_mutex_forgotten_unlock() {
  static Account account;
  weir::go([] { mutex_forgotten_unlock(account, 100); });
}

// ---- a WaitGroup whose Add and Done do not match ----

[[gnu::noinline]] static void waitgroup_misuse() {
  auto wg = std::make_shared<weir::WaitGroup>();
  wg->add(2);  // but one is started
  weir::go([wg] { wg->done(); });
  wg->wait();
}
void start_waitgroup_misuse() { weir::go(waitgroup_misuse); }

// ---- nothing to wait for ----

[[gnu::noinline]] static void select_no_cases() { weir::select(); }
void start_select_no_cases() { weir::go(select_no_cases); }

// ---- a loop that does not end ----

// Not an atomic: its inlined load would be a frame of its own, or not, by where a look finds it.
[[gnu::noinline]] static void infinite_loop(const volatile bool& ready) {
  while (!ready) {
  }
}
void start_infinite_loop() {
  static volatile bool ready = false;  // nobody sets it
  static std::atomic<int> spinners{0};
  if (spinners.load() >= kMaxSpinners) return;
  spinners++;
  weir::go([] { infinite_loop(ready); });
}

}  // namespace zoo
