// Capture of the real scheduler: labels and names, blocking calls, and those that run for long.
#include <weir/profiler/capture.h>

#include <gtest/gtest.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <weir/net.h>
#include <weir/profiler/encode.h>
#include <weir/weir.h>

#include "capture_test_util.h"
#include "reader_process.h"

namespace weir::profiler {
namespace {

using introspect::WaitReason;
using profiler::testing::ReaderProcess;
using profiler::testing::written;
using weir::testing::eventually;
using weir::testing::go_with_id;
using weir::testing::waits;

using Labels = std::vector<std::pair<std::string, std::string>>;

WEIR_FOR_ALL_PROCS(CaptureLabels);

TEST_P(CaptureLabels, GroupsByLabels) {
  run([] {
    auto c = make_chan<int>();
    std::map<Labels, std::set<uint64_t>> expected;
    for (int i = 0; i < 12; ++i) {
      // Of equal labels, but of a set of its own each.
      const std::string pool = i % 2 ? "odd" : "even";
      const uint64_t id = with_labels({{"pool", pool}, {"a", "\n\"x, y]"}},
                                      [&] { return go_with_id([c] { spotted::receive(c); }); });
      expected[{{"a", "\n\"x, y]"}, {"pool", pool}}].insert(id);
    }
    for (int i = 0; i < 3; ++i) {
      expected[{}].insert(go_with_id([c] { spotted::receive(c); }));
    }
    for (const auto& [labels, ids] : expected) {
      for (const uint64_t id : ids) ASSERT_TRUE(waits(id, WaitReason::chan_receive));
    }
    const Snapshot s = with_labels({{"who", "asks"}}, [] { return capture(); });
    expect_sound(s);
    std::map<Labels, std::set<uint64_t>> met;
    size_t groups = 0;
    for (const Group& g : s.groups) {
      if (!Found{&s, &g, &g.members[0]}.calls("spotted::receive")) continue;
      groups++;
      for (const Member& m : g.members) met[g.labels].insert(m.goid);
    }
    EXPECT_EQ(met, expected);
    EXPECT_EQ(groups, 3U);
    EXPECT_EQ(find(s, goid()).group->labels, (Labels{{"who", "asks"}}));  // it runs

    const std::string debug1 = written(write_debug1, s);
    EXPECT_NE(debug1.find("\n# labels: {\"a\":\"\\n\\\"x, y]\", \"pool\":\"even\"}\n"), debug1.npos)
        << debug1;
    const std::string tags = ReaderProcess().read("go tool pprof -tags", written(write_pprof, s));
    EXPECT_NE(tags.find("pool: Total 12"), tags.npos) << tags;
    EXPECT_NE(tags.find("6.0 (50.00%): even"), tags.npos) << tags;
    EXPECT_NE(tags.find("6.0 (50.00%): odd"), tags.npos) << tags;
    EXPECT_NE(tags.find("asks"), tags.npos) << tags;
    const std::string dump = written(write_debug2, s);
    EXPECT_NE(dump.find("[chan receive, labels:{a: \"\\n\\\"x\\x2c y\\x5d\", pool: even}]:\n"),
              dump.npos)
        << dump;
    const std::string read = ReaderProcess().read("panicparse -no-color", dump);
    EXPECT_NE(read.find("12: chan receive ["), read.npos) << read;

    c.close();
    ASSERT_TRUE(weir::testing::settle());
  });
}

TEST_P(CaptureLabels, LabelsOfThreadsAndNewNames) {
  run([] {
    auto c = make_chan<int>();
    std::atomic<uint64_t> id{0};
    std::thread thread([&] {
      set_goroutine_name("renamed");
      with_labels({{"on", "a thread"}}, [&] {
        id = goid();
        spotted::receive(c);
      });
    });
    ASSERT_TRUE(eventually([&] {
      const auto look = id == 0 ? std::nullopt : weir::testing::look_at(id);
      return look && look->g.state == introspect::State::waiting;
    }));
    const Snapshot s = capture();
    const Found f = find(s, id);
    ASSERT_TRUE(f);
    EXPECT_EQ(f.group->labels, (Labels{{"on", "a thread"}}));
    EXPECT_EQ(s.strings[f.member->name], "renamed");
    c.close();
    thread.join();
  });
}

// --- blocking calls ---

TEST_P(CaptureLabels, ShowsBlockingCalls) {
  run([] {
    std::array<int, 2> fds{};
    ASSERT_EQ(pipe(fds.data()), 0);
    std::atomic<char> got{0};
    const uint64_t id = with_labels(
        {{"k", "v"}}, [&] { return go_with_id([&] { got = spotted::read_blocking(fds[0]); }); });
    ASSERT_TRUE(eventually([id] {
      const auto look = weir::testing::look_at(id);
      return look && look->g.state == introspect::State::syscall;
    }));
    for (int i = 0; i < 20; ++i) {  // and none of this disturbs the read
      const Snapshot s = capture();
      expect_sound(s);
      const Found f = find(s, id);
      ASSERT_TRUE(f);
      EXPECT_EQ(f.group->state, State::syscall);
      EXPECT_EQ(f.group->wait_reason, "");
      EXPECT_EQ(f.group->labels, (Labels{{"k", "v"}}));
      EXPECT_FALSE(f.stack().truncated);
      ASSERT_FALSE(f.stack().locations.empty());
      EXPECT_EQ(user_frame(s, f.stack().locations[0]).function, "spotted::read_blocking")
          << ::testing::PrintToString(f.functions());
      EXPECT_TRUE(f.calls("weir_gostart") || f.functions().size() > 2);
      EXPECT_NE(written(write_debug2, s).find(" [syscall, labels:{k: v}]:\n"), std::string::npos);
    }
    EXPECT_EQ(write(fds[1], "x", 1), 1);
    ASSERT_TRUE(eventually([&] { return got != 0; }));
    EXPECT_EQ(got, 'x');
    close(fds[0]);
    close(fds[1]);
  });
}

// A signal would end a sleep early, whatever its flags.
TEST_P(CaptureLabels, NeverInterruptsABlockingCall) {
  run([] {
    std::atomic<bool> stop{false};
    std::atomic<int> interrupted{0}, calls{0};
    WaitGroup wg;
    for (int i = 0; i < 3; ++i) {
      wg.go([&] {
        while (!stop) {
          const timespec t{0, 20'000};
          if (blocking([&] { return nanosleep(&t, nullptr); }) != 0) interrupted++;
          calls++;
        }
      });
    }
    std::thread looker([&] {
      const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(500);
      while (std::chrono::steady_clock::now() < end) capture();
      stop = true;
    });
    wg.wait();
    looker.join();
    EXPECT_EQ(interrupted, 0) << "of " << calls;
    EXPECT_GT(calls, 0);
  });
}

// A goroutine in a blocking call may change its labels and its name: under the eyes of the holder.
TEST_P(CaptureLabels, LabelsAndNamesThatChangeInABlockingCall) {
  run([] {
    std::atomic<bool> stop{false};
    WaitGroup wg;
    wg.go([&] {
      blocking([&] {
        for (int i = 0; !stop; ++i) {
          const std::string text = std::string(31, static_cast<char>('a' + i % 26));
          set_goroutine_name(text);
          with_labels({{"k", text}}, [] {});
        }
      });
    });
    for (int i = 0; i < weir::testing::scaled(500); ++i) {
      const Snapshot s = capture();
      for (const Group& g : s.groups) {
        if (g.state != State::syscall) continue;
        ASSERT_LE(g.labels.size(), 1U);
        for (const auto& [key, value] : g.labels) {
          EXPECT_EQ(key, "k");
          EXPECT_EQ(value, std::string(31, value.at(0)));
        }
        const std::string& name = s.strings[g.members[0].name];
        EXPECT_TRUE(name.empty() || name == std::string(31, name[0])) << name;
      }
    }
    stop = true;
    wg.wait();
  });
}

TEST_P(CaptureLabels, LongRunnersTellForHowLong) {
  run([] {
    std::atomic<bool> stop{false}, spins{false}, ended{false};
    std::atomic<uint64_t> id{0};
    go([&] {
      id = goid();
      spotted::spin(stop, spins);
      ended = true;
    });
    ASSERT_TRUE(eventually([&] { return spins.load(); }));
    std::string dump;
    EXPECT_TRUE(eventually([&] {
      const Snapshot s = capture();
      dump = written(write_debug2, s);
      const Found f = find(s, id);
      return f && f.calls("spotted::spin") && f.member->since_ns >= 1'000'000'000 &&
             dump.find("goroutine " + std::to_string(id) + " [running, " +
                       std::to_string(f.member->since_ns / 1'000'000'000) + " s]:\n") != dump.npos;
    })) << dump;
    stop = true;
    ASSERT_TRUE(eventually([&] { return ended.load(); }));
  });
}

}  // namespace
}  // namespace weir::profiler
