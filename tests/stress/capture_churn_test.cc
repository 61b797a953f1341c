// Captures in a loop while goroutines are spawned, parked, woken and die on all processors.
//
// Residents, which live throughout and each wait in their own way, must be in every snapshot
// exactly once, with their wait reason and the function that waits; nobody may be in a snapshot
// twice; and the program must compute what it computes undisturbed.
//
//   WEIR_TEST_SEED=N, WEIR_STRESS_SECONDS=N (default 5)

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <thread>
#include <vector>

#include <weir/profiler/capture.h>
#include <weir/weir.h>

#include "../unit/test_util.h"
#include "stress_util.h"

namespace weir::testing {

// Where the residents wait: functions that must be seen on their stacks, so neither inlined nor
// anonymous.
struct Residence {
  chan<int> empty = make_chan<int>(), full = make_chan<int>(1), end = make_chan<int>();
  Mutex locked;
  RWMutex write_locked, read_locked;
  WaitGroup unfinished, leaving;
  std::atomic<bool> stop{false};
};

[[gnu::noinline]] void resident_chan_receive(Residence& r) { r.empty.recv(); }
[[gnu::noinline]] void resident_chan_send(Residence& r) { r.full.send(1); }
[[gnu::noinline]] void resident_select(Residence& r) { select(on_recv(r.end), on_recv(r.empty)); }
[[gnu::noinline]] void resident_mutex(Residence& r) { std::scoped_lock hold(r.locked); }
[[gnu::noinline]] void resident_read_lock(Residence& r) { std::shared_lock hold(r.write_locked); }
[[gnu::noinline]] void resident_write_lock(Residence& r) { std::unique_lock hold(r.read_locked); }
[[gnu::noinline]] void resident_wait_group(Residence& r) { r.unfinished.wait(); }
[[gnu::noinline]] void resident_running(Residence& r) {
  while (!r.stop.load(std::memory_order_relaxed)) {
  }
}
// These end with the process.
[[gnu::noinline]] void resident_sleep(Residence&) { sleep_for(std::chrono::hours(24)); }
[[gnu::noinline]] void resident_nil_receive(Residence&) { chan<int>().recv(); }
[[gnu::noinline]] void resident_nil_send(Residence&) { chan<int>().send(1); }
[[gnu::noinline]] void resident_no_cases(Residence&) { select(); }

namespace {

struct Kind {
  void (*wait)(Residence&);
  const char* function;
  const char* reason;  // "": it runs
  int copies;
  bool for_ever;  // it ends with the process
};

// One writer only: a second would wait for the first, by another reason.
constexpr Kind kKinds[] = {
    {resident_chan_receive, "resident_chan_receive", "chan receive", 5, false},
    {resident_chan_send, "resident_chan_send", "chan send", 5, false},
    {resident_select, "resident_select", "select", 5, false},
    {resident_mutex, "resident_mutex", "sync.Mutex.Lock", 5, false},
    {resident_read_lock, "resident_read_lock", "sync.RWMutex.RLock", 5, false},
    {resident_write_lock, "resident_write_lock", "sync.RWMutex.Lock", 1, false},
    {resident_wait_group, "resident_wait_group", "sync.WaitGroup.Wait", 5, false},
    {resident_sleep, "resident_sleep", "sleep", 5, true},
    {resident_nil_receive, "resident_nil_receive", "chan receive (nil chan)", 5, true},
    {resident_nil_send, "resident_nil_send", "chan send (nil chan)", 5, true},
    {resident_no_cases, "resident_no_cases", "select (no cases)", 5, true},
    {resident_running, "resident_running", "", 1, false},
};

// Checks snapshots against the residents; on its own thread.
class Witness {
 public:
  explicit Witness(std::map<uint64_t, const Kind*> residents) : residents_(std::move(residents)) {}

  void look() {
    profiler::Snapshot s = profiler::capture();
    captures_++;
    longest_hold_ns_ = std::max(longest_hold_ns_, s.longest_hold_ns);
    std::vector<uint64_t> goids;
    size_t met = 0;
    for (const auto& group : s.groups) {
      if (group.count != group.members.size()) fail("a group counts other than its members", 0);
      for (const auto& member : group.members) {
        goids.push_back(member.goid);
        auto resident = residents_.find(member.goid);
        if (resident == residents_.end()) continue;
        met++;
        check(s, group, *resident);
      }
    }
    goroutines_ += goids.size();
    std::sort(goids.begin(), goids.end());
    if (std::adjacent_find(goids.begin(), goids.end()) != goids.end()) fail("a goroutine twice", 0);
    if (met != residents_.size()) fail("residents not met exactly once each", met);
  }

  int captures() const { return captures_; }
  uint64_t goroutines() const { return goroutines_; }
  int64_t longest_hold_ns() const { return longest_hold_ns_; }
  int silent() const { return silent_; }

 private:
  void check(const profiler::Snapshot& s, const profiler::Group& group,
             const std::pair<const uint64_t, const Kind*>& resident) {
    const auto& [goid, kind] = resident;
    bool runs = *kind->reason == '\0';
    bool in_state =
        runs ? group.state == profiler::State::running || group.state == profiler::State::runnable
             : group.state == profiler::State::waiting;
    if (!in_state) fail(std::string(kind->function) + " in another state", goid);
    if (group.wait_reason != kind->reason) {
      fail(std::string(kind->function) + " waits for \"" + group.wait_reason + "\"", goid);
    }
    std::string shown;
    const auto& locations = s.stacks.at(group.stack).locations;
    for (uint32_t location : locations) {
      for (uint32_t frame : s.locations.at(location).frames) {
        shown += s.frames.at(frame).function + "\n";
      }
    }
    bool seen = shown.find(kind->function) != std::string::npos;
    // One that runs need not answer in time on a machine that is busy.
    if (runs && locations.empty()) {
      silent_++;
    } else if (!seen) {
      fail(std::string("no ") + kind->function + " on the stack " + shown, goid);
    }
    if (group.thread) fail("shown as a plain thread", goid);
    if (group.created_by == profiler::kNone) fail("without a creator", goid);
  }

  void fail(const std::string& what, uint64_t number) {
    if (failures_++ < 10) ADD_FAILURE() << what << ": " << number << ", capture " << captures_;
  }

  std::map<uint64_t, const Kind*> residents_;
  int captures_ = 0, failures_ = 0, silent_ = 0;
  uint64_t goroutines_ = 0;
  int64_t longest_hold_ns_ = 0;
};

// One unit of work with a known result: goroutines that pass numbers, wait, and end in different
// ways.
int64_t churn_once(Random& random, int size) {
  auto ch = make_chan<int64_t>(static_cast<size_t>(random.below(4)));
  WaitGroup wg;
  Mutex mu;
  int64_t sum = 0;
  for (int i = 0; i < size; i++) {
    wg.go([&, ch, i, how = random.below(6)] {
      int64_t v = *ch.recv();
      if (how == 0) gosched();
      if (how == 1) sleep_for(std::chrono::microseconds(20));
      {
        std::scoped_lock hold(mu);
        sum += v * v;
      }
      try {
        if (how == 2) throw i;
      } catch (int) {
        gosched();
      }
      if (how == 3) goexit();
    });
  }
  for (int i = 0; i < size; i++) ch.send(i);
  wg.wait();
  return sum;
}

TEST(Capture, EveryResidentOnceWhileOthersChurn) {
  uint64_t seed = stress_seed();
  auto end = std::chrono::steady_clock::now() + stress_duration();
  std::cout << "WEIR_TEST_SEED=" << seed << std::endl;
  RecordProperty("seed", std::to_string(seed));

  // Kept: when the test fails, residents still wait there.
  static std::vector<std::unique_ptr<Residence>> residences;
  Residence& r = *residences.emplace_back(std::make_unique<Residence>());
  weir::run(
      [&] {
        r.full.send(0);
        r.locked.lock();
        r.write_locked.lock();
        r.read_locked.lock_shared();
        r.unfinished.add(1);
        std::map<uint64_t, const Kind*> residents;
        for (const Kind& kind : kKinds) {
          for (int i = 0; i < kind.copies; i++) {
            if (!kind.for_ever) r.leaving.add(1);
            uint64_t goid = go_with_id([&kind, &r] {
              kind.wait(r);
              if (!kind.for_ever) r.leaving.done();
            });
            residents.emplace(goid, &kind);
            ASSERT_TRUE(eventually([&] {
              auto look = look_at(goid);
              if (!look) return false;
              if (!*kind.reason) return look->scan == introspect::Scan::running;
              return look->g.state == introspect::State::waiting &&
                     to_string(look->g.wait_reason) == std::string(kind.reason);
            })) << kind.function;
          }
        }

        std::atomic<bool> stop{false};
        Witness witness(residents);
        std::thread looker([&] {
          while (std::chrono::steady_clock::now() < end && !::testing::Test::HasFailure())
            witness.look();
          stop = true;
        });
        int drivers = kTsan ? 3 : 8;
        std::atomic<int64_t> rounds{0}, expected{0}, computed{0};
        WaitGroup churn;
        for (int d = 0; d < drivers; d++) {
          churn.go([&, random = Random(seed, static_cast<uint64_t>(d) + 1)]() mutable {
            while (!stop) {
              int size = random.below(60) + 1;
              computed += churn_once(random, size);
              expected += int64_t{size - 1} * size * (2 * size - 1) / 6;
              rounds++;
            }
          });
        }
        churn.wait();
        looker.join();

        r.stop = true;
        r.end.close();
        r.empty.close();
        for (int i = 0; i < 1 + 5; i++) r.full.recv();  // the buffered one and the residents'
        r.locked.unlock();
        r.write_locked.unlock();
        r.read_locked.unlock_shared();
        r.unfinished.done();
        r.leaving.wait();

        EXPECT_EQ(computed.load(), expected.load());
        EXPECT_GT(witness.captures(), 0);
        EXPECT_GT(rounds.load(), 0);
        std::cout << witness.captures() << " captures, " << witness.goroutines()
                  << " goroutines in them, " << rounds << " rounds of churn, longest hold "
                  << witness.longest_hold_ns() << " ns, " << witness.silent()
                  << " times no answer from the running one" << std::endl;
      },
      Options{.maxprocs = 4});
}

}  // namespace
}  // namespace weir::testing
