// Kernels (kernels.h): locks that are not given back, taken twice, or taken in different orders.

#include <weir/weir.h>

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>

#include "kernels.h"

namespace kernels {

using namespace std::chrono_literals;

// Waits until all who share it are here.
static void meet(weir::WaitGroup& here) {
  here.done();
  here.wait();
}

struct Account {
  weir::Mutex mu;
  int balance = 50;
};
[[gnu::noinline]] static void unlock_forgotten_withdraw(Account& account, int amount) {
  account.mu.lock();
  if (amount > account.balance) return;  // with the lock
  account.balance -= amount;
  account.mu.unlock();
}
static void unlock_forgotten(int) {
  static Account account;
  unlock_forgotten_withdraw(account, 100);
}

static void unlock_skipped_parse(int round) {
  if (round >= 0) throw std::runtime_error("malformed");
}
[[gnu::noinline]] static void unlock_skipped_update(weir::Mutex& mu, int round) {
  mu.lock();
  unlock_skipped_parse(round);  // an exception takes the way past the unlock
  mu.unlock();
}
static void unlock_skipped(int round) {
  static weir::Mutex mu;
  try {
    unlock_skipped_update(mu, round);
  } catch (const std::runtime_error&) {
  }
}

[[gnu::noinline]] static void try_lock_kept_enter(weir::Mutex& mu, int round) {
  if (round == 0 && mu.try_lock()) return;  // the fast path forgets that it has the lock
  mu.lock();
  mu.unlock();
}
static void try_lock_kept(int round) {
  static weir::Mutex mu;
  try_lock_kept_enter(mu, round);
}

struct Cache {
  weir::Mutex mu;
  int entries = 0;
};
[[gnu::noinline]] static void double_lock_size(Cache& cache) {
  const std::scoped_lock hold(cache.mu);
  ++cache.entries;
}
[[gnu::noinline]] static void double_lock_insert(Cache& cache) {
  const std::scoped_lock hold(cache.mu);
  double_lock_size(cache);  // locks again
}
static void double_lock(int) {
  auto cache = std::make_shared<Cache>();
  weir::go([cache] { double_lock_insert(*cache); });
}

[[gnu::noinline]] static void callback_relocks_query(weir::Mutex& mu) {
  mu.lock();
  mu.unlock();
}
static void callback_relocks_notify(weir::Mutex& mu, const std::function<void()>& observer) {
  const std::scoped_lock hold(mu);
  observer();  // the observer asks the one that notifies it
}
static void callback_relocks(int) {
  auto mu = std::make_shared<weir::Mutex>();
  callback_relocks_notify(*mu, [mu] { callback_relocks_query(*mu); });
}

struct Pair {
  weir::Mutex a, b;
  weir::WaitGroup here;
};
[[gnu::noinline]] static void ab_ba_take(weir::Mutex& first, weir::Mutex& second,
                                         weir::WaitGroup& here) {
  const std::scoped_lock one(first);
  meet(here);
  const std::scoped_lock two(second);
}
static void ab_ba(int) {
  auto pair = std::make_shared<Pair>();
  pair->here.add(2);
  weir::go([pair] { ab_ba_take(pair->a, pair->b, pair->here); });
  weir::go([pair] { ab_ba_take(pair->b, pair->a, pair->here); });
}

// The first two requests block each other, all that come later wait behind them.
[[gnu::noinline]] static void transfer_lock(Account& from, Account& to) {
  const std::scoped_lock one(from.mu);
  weir::sleep_for(2ms);
  const std::scoped_lock two(to.mu);
  --from.balance;
  ++to.balance;
}
static void transfer(int) {
  static Account savings, current;
  weir::go([] { transfer_lock(savings, current); });
  weir::go([] { transfer_lock(current, savings); });
}

struct Three {
  std::array<weir::Mutex, 3> mu;
  weir::WaitGroup here;
};
[[gnu::noinline]] static void three_cycle_take(Three& three, size_t i) {
  const std::scoped_lock one(three.mu[i]);
  meet(three.here);
  const std::scoped_lock two(three.mu[(i + 1) % 3]);
}
static void three_cycle(int) {
  auto three = std::make_shared<Three>();
  three->here.add(3);
  for (size_t i = 0; i < 3; ++i) weir::go([three, i] { three_cycle_take(*three, i); });
}

struct Table {
  std::array<weir::Mutex, 5> forks;
  weir::WaitGroup here;
};
[[gnu::noinline]] static void philosophers_eat(Table& table, size_t seat) {
  table.forks[seat].lock();
  meet(table.here);
  table.forks[(seat + 1) % table.forks.size()].lock();
}
static void philosophers(int round) {
  if (round > 0) return;  // one table, once
  static Table table;
  static std::once_flag laid;
  std::call_once(laid, [] {
    table.here.add(5);
    for (size_t seat = 0; seat < 5; ++seat) weir::go([seat] { philosophers_eat(table, seat); });
  });
}

// Its owner lives on, and never gives it back.
[[gnu::noinline]] static void owner_lives_use(weir::Mutex& mu) {
  mu.lock();
  mu.unlock();
}
static void owner_lives(int) {
  static weir::Mutex mu;
  static weir::Once started;
  started.call([] {
    weir::WaitGroup locked;
    locked.add(1);
    weir::go({.name = "maintenance"}, [&locked] {
      mu.lock();
      locked.done();
      for (;;) weir::sleep_for(3ms);  // forgets to unlock between its rounds
    });
    locked.wait();
  });
  owner_lives_use(mu);
}

[[gnu::noinline]] static void once_recursive_init(weir::Once& once) {
  once.call([&once] { once_recursive_init(once); });
}
static void once_recursive(int) {
  auto once = std::make_shared<weir::Once>();
  weir::go([once] { once_recursive_init(*once); });
}

[[gnu::noinline]] static void once_blocks_get(weir::Once& once, const weir::chan<int>& settings) {
  once.call([&settings] { settings.recv(); });
}
static void once_blocks(int) {
  static weir::Once once;
  static const auto settings = weir::make_chan<int>();  // nobody sends them
  once_blocks_get(once, settings);
}

struct Node {
  weir::Mutex mu;
};
[[gnu::noinline]] static void hand_over_hand_walk(std::array<Node, 3>& list) {
  list[0].mu.lock();
  for (size_t i = 1; i < list.size(); ++i) {
    list[i].mu.lock();
    if (i == 2) return;  // found: gives back neither
    list[i - 1].mu.unlock();
  }
}
static void hand_over_hand(int) {
  static std::array<Node, 3> list;
  hand_over_hand_walk(list);
}

Family mutex() {
  return {
      "mutex",
      {
          {"unlock_forgotten",
           "returns with the lock",
           unlock_forgotten,
           {{Kind::mutex_forgotten_unlock, "unlock_forgotten_withdraw", Certainty::certain}}},
          {"unlock_skipped",
           "an exception skips the unlock",
           unlock_skipped,
           {{Kind::mutex_forgotten_unlock, "unlock_skipped_update", Certainty::certain}}},
          {"try_lock_kept",
           "a lock taken by try_lock is forgotten",
           try_lock_kept,
           {{Kind::mutex_forgotten_unlock, "try_lock_kept_enter", Certainty::certain}}},
          {"double_lock",
           "a function locks what its caller has locked",
           double_lock,
           {{Kind::deadlock, "double_lock_size", Certainty::certain}}},
          {"callback_relocks",
           "a callback locks what its caller has locked",
           callback_relocks,
           {{Kind::deadlock, "callback_relocks_query", Certainty::certain}}},
          {"ab_ba",
           "two locks in two orders, anew for each request",
           ab_ba,
           {{Kind::deadlock, "ab_ba_take", Certainty::certain}}},
          {"transfer",
           "two locks in two orders, once; all others wait behind them",
           transfer,
           {{Kind::deadlock, "transfer_lock", Certainty::certain}, {Kind::mutex, "transfer_lock"}}},
          {"three_cycle",
           "three locks in a circle",
           three_cycle,
           {{Kind::deadlock, "three_cycle_take", Certainty::certain}}},
          {"philosophers",
           "five philosophers, once",
           philosophers,
           {{Kind::deadlock, "philosophers_eat", Certainty::certain}}},
          {"owner_lives",
           "the owner of the lock lives on and keeps it",
           owner_lives,
           {{Kind::mutex, "owner_lives_use"}}},
          {"once_recursive",
           "a Once within itself",
           once_recursive,
           {{Kind::deadlock, "once_recursive_init", Certainty::certain}}},
          {"once_blocks",
           "what a Once calls never returns",
           once_blocks,
           {{Kind::mutex, "once_blocks_get"}, {Kind::chan_receive, "once_blocks_get"}}},
          {"hand_over_hand",
           "a walk from lock to lock keeps two",
           hand_over_hand,
           {{Kind::mutex_forgotten_unlock, "hand_over_hand_walk", Certainty::certain}}},
      }};
}

}  // namespace kernels
