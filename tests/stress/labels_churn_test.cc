// Captures in a loop while goroutines label and name themselves, start others, run, park, block in
// system calls and die by return, exception and goexit.
//
// Each goroutine's labels and name are made from its goid, so that a snapshot can be checked
// without knowing what the goroutine does: labels of another goroutine, half of a set, a set that
// was freed, or a torn name would not fit. A child has its parent's labels until it sets its own.
// Residents, which are labelled throughout, must be in every snapshot with their labels.
//
//   WEIR_TEST_SEED=N, WEIR_STRESS_SECONDS=N (default 5)

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <weir/profiler/capture.h>
#include <weir/weir.h>

#include "../unit/test_util.h"
#include "stress_util.h"

namespace weir::testing {
namespace {

template <class F>
void with_own_labels(F f) {
  const std::string id = std::to_string(goid());
  set_goroutine_name("g" + id);
  with_labels({{"of", id}, {"twice", id + id}}, f);
}

// Checks snapshots; on its own thread.
class Witness {
 public:
  explicit Witness(std::set<uint64_t> residents) : residents_(std::move(residents)) {}

  void look() {
    const profiler::Snapshot s = profiler::capture();
    captures_++;
    std::set<uint64_t> met;
    for (const auto& group : s.groups) {
      for (const auto& member : group.members) {
        if (!met.insert(member.goid).second) fail("twice in a snapshot", member.goid);
        check(s, group, member);
      }
    }
    for (const uint64_t goid : residents_) {
      if (!met.contains(goid)) fail("a resident is lost", goid);
    }
  }

  int captures() const { return captures_; }
  uint64_t labelled() const { return labelled_; }
  uint64_t inherited() const { return inherited_; }
  uint64_t in_syscalls() const { return in_syscalls_; }

 private:
  void check(const profiler::Snapshot& s, const profiler::Group& group,
             const profiler::Member& member) {
    std::string of, twice;
    for (const auto& [key, value] : group.labels) {
      if (key == "of") {
        of = value;
      } else if (key == "twice") {
        twice = value;
      } else if (key != "inner" || value != "x") {
        fail("has a label " + key + "=" + value, member.goid);
      }
    }
    const std::string self = std::to_string(member.goid);
    const std::string& name = s.strings.at(member.name);
    const bool is_resident = residents_.contains(member.goid);
    if (twice != of + of) fail("of " + of + ", twice " + twice, member.goid);
    if (of == self) {
      labelled_++;
      if (name != "g" + self) fail("labelled, and named " + name, member.goid);
    } else if (!of.empty() && of == std::to_string(member.parent_goid) && !is_resident) {
      inherited_++;
    } else if (!of.empty() || is_resident) {
      fail("labels of " + of, member.goid);
    }
    if (name.starts_with("g") && name != "g" + self) fail("named " + name, member.goid);
    if (group.state == profiler::State::syscall) in_syscalls_++;
  }

  void fail(const std::string& what, uint64_t goid) {
    if (failures_++ < 10) ADD_FAILURE() << goid << ": " << what << ", capture " << captures_;
  }

  std::set<uint64_t> residents_;
  int captures_ = 0, failures_ = 0;
  uint64_t labelled_ = 0, inherited_ = 0, in_syscalls_ = 0;
};

// What a goroutine does with its labels on.
void live(Random& random, WaitGroup& wg, int generations) {
  for (int i = random.below(4); i >= 0; i--) {
    switch (random.below(7)) {
      case 0:
        gosched();
        break;
      case 1:
        sleep_for(std::chrono::microseconds(20));
        break;
      case 2:
        blocking([] { usleep(20); });
        break;
      case 3: {
        const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(10);
        while (std::chrono::steady_clock::now() < end) {
        }
        break;
      }
      case 4:
        with_labels({{"inner", "x"}}, [] { gosched(); });
        break;
      case 5:
        blocking([] { with_labels({{"inner", "x"}}, [] { usleep(5); }); });
        break;
      case 6:
        if (generations > 0) {
          wg.add(1);
          go({.name = "fresh"}, [&wg, generations, random = Random(random.next())]() mutable {
            struct Done {
              WaitGroup& wg;
              ~Done() { wg.done(); }
            } done{wg};
            if (random.one_in(2)) gosched();  // with its parent's labels
            const int end = random.below(3);
            try {
              with_own_labels([&] {
                live(random, wg, generations - 1);
                if (end == 0) goexit();
                if (end == 1) throw 1;
              });
            } catch (int) {
            }
          });
        }
        break;
    }
  }
}

TEST(Labels, AreTrueInEverySnapshotWhileGoroutinesChurn) {
  const uint64_t seed = stress_seed();
  const auto end = std::chrono::steady_clock::now() + stress_duration();
  std::cout << "WEIR_TEST_SEED=" << seed << std::endl;
  RecordProperty("seed", std::to_string(seed));

  weir::run(
      [&] {
        auto leave = make_chan<int>();
        std::set<uint64_t> residents;
        WaitGroup staying;
        for (int i = 0; i < 20; i++) {
          auto id = make_chan<uint64_t>(1);
          staying.go([=] {
            with_own_labels([&] {
              id.send(goid());
              leave.recv();
            });
          });
          residents.insert(*id.recv());
        }
        // A plain thread is shown while it waits.
        std::atomic<bool> stop{false};
        std::thread thread([&] {
          with_own_labels([&] {
            while (!stop) {
              with_labels({{"inner", "x"}}, [] { sleep_for(std::chrono::microseconds(50)); });
            }
          });
        });

        Witness witness(residents);
        std::thread looker([&] {
          while (std::chrono::steady_clock::now() < end && !::testing::Test::HasFailure()) {
            witness.look();
          }
          stop = true;
        });
        const int drivers = kTsan ? 3 : 8;
        std::atomic<int64_t> rounds{0};
        WaitGroup churn;
        for (int d = 0; d < drivers; d++) {
          churn.go([&, random = Random(seed, static_cast<uint64_t>(d) + 1)]() mutable {
            while (!stop) {
              WaitGroup wg;
              with_own_labels([&] { live(random, wg, 3); });
              wg.wait();
              set_goroutine_name("");
              rounds++;
            }
          });
        }
        churn.wait();
        looker.join();
        leave.close();
        staying.wait();
        thread.join();
        EXPECT_GT(witness.captures(), 0);
        EXPECT_GT(rounds.load(), 0);
        std::cout << witness.captures() << " captures; labelled " << witness.labelled()
                  << ", with inherited labels " << witness.inherited() << ", in system calls "
                  << witness.in_syscalls() << ", " << rounds << " rounds" << std::endl;
      },
      Options{.maxprocs = 4});
}

}  // namespace
}  // namespace weir::testing
