// Kernels (kernels.h): locks of readers and writers. Readers are not known by name, so little of
// what they cause can be proved.

#include <weir/weir.h>

#include <chrono>
#include <memory>
#include <mutex>
#include <shared_mutex>

#include "kernels.h"

namespace kernels {

using namespace std::chrono_literals;

// The writer waits for the reader, and the reader's second lock waits for the writer.
[[gnu::noinline]] static void reader_again_lookup(weir::RWMutex& mu) {
  const std::shared_lock hold(mu);
}
[[gnu::noinline]] static void reader_again_write(weir::RWMutex& mu) {
  const std::scoped_lock hold(mu);
}
static void reader_again(int) {
  auto mu = std::make_shared<weir::RWMutex>();
  weir::go([mu] {
    const std::shared_lock hold(*mu);
    weir::go([mu] { reader_again_write(*mu); });
    // New readers are kept out from here on.
    while (mu->try_lock_shared()) {
      mu->unlock_shared();
      weir::sleep_for(100us);
    }
    reader_again_lookup(*mu);
  });
}

static void runlock_forgotten_read(weir::RWMutex& mu, bool found) {
  mu.lock_shared();
  if (!found) return;
  mu.unlock_shared();
}
[[gnu::noinline]] static void runlock_forgotten_write(weir::RWMutex& mu) {
  const std::scoped_lock hold(mu);
}
static void runlock_forgotten(int) {
  static weir::RWMutex mu;
  static weir::Once once;
  once.call([] {
    weir::WaitGroup reader;
    reader.go([] { runlock_forgotten_read(mu, false); });
    reader.wait();
  });
  runlock_forgotten_write(mu);
}

[[gnu::noinline]] static void wunlock_forgotten_write(weir::RWMutex& mu, bool valid) {
  mu.lock();
  if (!valid) return;
  mu.unlock();
}
static void wunlock_forgotten(int) {
  static weir::RWMutex mu;
  wunlock_forgotten_write(mu, false);
}

[[gnu::noinline]] static void readers_behind_gone_read(weir::RWMutex& mu) {
  const std::shared_lock hold(mu);
}
static void readers_behind_gone(int) {
  static weir::RWMutex mu;
  static weir::Once once;
  once.call([] {
    weir::WaitGroup writer;
    writer.go([] { mu.lock(); });  // and ends
    writer.wait();
  });
  readers_behind_gone_read(mu);
}

[[gnu::noinline]] static void upgrade_insert(weir::RWMutex& mu) {
  const std::shared_lock read(mu);
  const std::scoped_lock write(mu);  // waits for its own read lock
}
static void upgrade(int) {
  auto mu = std::make_shared<weir::RWMutex>();
  weir::go([mu] { upgrade_insert(*mu); });
}

[[gnu::noinline]] static void downgrade_report(weir::RWMutex& mu) {
  const std::scoped_lock write(mu);
  const std::shared_lock read(mu);  // waits for its own write lock
}
static void downgrade(int) {
  auto mu = std::make_shared<weir::RWMutex>();
  weir::go([mu] { downgrade_report(*mu); });
}

struct Tables {
  weir::RWMutex users, groups;
  weir::Mutex audit;
  weir::WaitGroup here;
};
static std::shared_ptr<Tables> tables_for_two() {
  auto tables = std::make_shared<Tables>();
  tables->here.add(2);
  return tables;
}
[[gnu::noinline]] static void writers_cross_rename(weir::RWMutex& first, weir::RWMutex& second,
                                                   weir::WaitGroup& here) {
  const std::scoped_lock one(first);
  here.done();
  here.wait();
  const std::scoped_lock two(second);
}
static void writers_cross(int) {
  auto t = tables_for_two();
  weir::go([t] { writers_cross_rename(t->users, t->groups, t->here); });
  weir::go([t] { writers_cross_rename(t->groups, t->users, t->here); });
}

[[gnu::noinline]] static void mutex_and_rw_write(Tables& t) {
  const std::scoped_lock one(t.users);
  t.here.done();
  t.here.wait();
  const std::scoped_lock two(t.audit);
}
[[gnu::noinline]] static void mutex_and_rw_audit(Tables& t) {
  const std::scoped_lock one(t.audit);
  t.here.done();
  t.here.wait();
  const std::shared_lock two(t.users);
}
static void mutex_and_rw(int) {
  auto t = tables_for_two();
  weir::go([t] { mutex_and_rw_write(*t); });
  weir::go([t] { mutex_and_rw_audit(*t); });
}

// One reader never comes back: the writer waits for it, and all readers for the writer.
[[gnu::noinline]] static void reader_stuck_get(weir::RWMutex& mu) {
  const std::shared_lock hold(mu);
}
[[gnu::noinline]] static void reader_stuck_set(weir::RWMutex& mu) {
  const std::scoped_lock hold(mu);
}
[[gnu::noinline]] static void reader_stuck_stream(weir::RWMutex& mu, const weir::chan<int>& out) {
  const std::shared_lock hold(mu);
  out.send(1);
}
static void reader_stuck(int round) {
  static weir::RWMutex mu;
  static weir::Once once;
  once.call([] {
    weir::go([] { reader_stuck_stream(mu, weir::make_chan<int>()); });
    weir::sleep_for(1ms);
  });
  if (round % 4 == 0) {
    reader_stuck_set(mu);
  } else {
    reader_stuck_get(mu);
  }
}

Family rwmutex() {
  return {"rwmutex",
          {
              {"reader_again",
               "a reader locks again while a writer waits",
               reader_again,
               {{Kind::rwmutex, "reader_again_lookup"}, {Kind::rwmutex, "reader_again_write"}}},
              {"runlock_forgotten",
               "a reader returns with the lock; writers wait",
               runlock_forgotten,
               {{Kind::rwmutex, "runlock_forgotten_write"}}},
              {"wunlock_forgotten",
               "a writer returns with the lock",
               wunlock_forgotten,
               {{Kind::mutex_forgotten_unlock, "wunlock_forgotten_write", Certainty::certain}}},
              {"readers_behind_gone",
               "readers wait for a writer that has ended",
               readers_behind_gone,
               {{Kind::mutex_forgotten_unlock, "readers_behind_gone_read", Certainty::certain}}},
              {"upgrade", "a reader wants to write", upgrade, {{Kind::rwmutex, "upgrade_insert"}}},
              {"downgrade",
               "a writer wants to read",
               downgrade,
               {{Kind::deadlock, "downgrade_report", Certainty::certain}}},
              {"writers_cross",
               "two locks for writing in two orders",
               writers_cross,
               {{Kind::deadlock, "writers_cross_rename", Certainty::certain}}},
              {"mutex_and_rw",
               "a writer and a mutex in two orders",
               mutex_and_rw,
               {{Kind::deadlock, "mutex_and_rw_", Certainty::certain}}},
              {"reader_stuck",
               "a reader blocks with the lock; all others wait",
               reader_stuck,
               {{Kind::rwmutex, "reader_stuck_get"},
                {Kind::rwmutex, "reader_stuck_set"},
                {Kind::chan_send, "reader_stuck_stream"}}},
          }};
}

}  // namespace kernels
