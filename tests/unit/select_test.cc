// select: one ready case at random, default, nil and closed channels; no value lost, doubled or
// leaked.

#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "test_util.h"

namespace weir::testing {
namespace {

using introspect::WaitReason;

WEIR_FOR_ALL_PROCS(Select);

TEST_P(Select, TakesTheReadyCaseAndTellsItsPosition) {
  run([] {
    auto a = make_chan<int>(1), b = make_chan<int>(1);
    int got = 0;
    b.send(5);
    EXPECT_EQ(select(on_recv(a), on_recv(b, [&](std::optional<int> v) { got = *v; })), 1u);
    EXPECT_EQ(got, 5);
    bool sent = false;
    EXPECT_EQ(select(on_send(a, 6, [&] { sent = true; }), on_recv(b)), 0u);
    EXPECT_TRUE(sent);
    EXPECT_EQ(a.recv(), 6);
  });
}

TEST_P(Select, TakesTheDefaultOnlyWhenNothingIsReady) {
  run([] {
    auto ch = make_chan<int>(1);
    bool idle = false;
    EXPECT_EQ(select(on_recv(ch), on_default([&] { idle = true; })), 1u);
    EXPECT_TRUE(idle);
    // Wherever the default stands, positions are those of the arguments.
    EXPECT_EQ(select(on_default(), on_recv(ch)), 0u);
    ch.send(1);
    for (int i = 0; i < 100; i++) {
      EXPECT_EQ(select(on_default(), on_recv(ch)), 1u);
      EXPECT_EQ(select(on_recv(ch), on_default(), on_send(ch, 1)), 2u);
    }
    EXPECT_EQ(select(on_send(ch, 2), on_default()), 1u) << "full";
    EXPECT_EQ(ch.recv(), 1);
    EXPECT_EQ(select(on_default()), 0u);
  });
}

TEST_P(Select, NilChannelsAreNeverReady) {
  run([] {
    chan<int> nil;
    auto ch = make_chan<int>(1);
    EXPECT_EQ(select(on_recv(nil), on_send(nil, 1), on_default()), 2u);
    for (int i = 0; i < 50; i++) {
      EXPECT_EQ(select(on_recv(nil), on_send(nil, 1), on_send(ch, 1)), 2u);
      EXPECT_EQ(select(on_recv(ch), on_recv(nil)), 0u);
    }
  });
}

TEST_P(Select, WithoutAnyChannelBlocksForEver) {
  static std::atomic<int> went_on;
  went_on = 0;
  run([] {
    uint64_t no_cases = go_with_id([] {
      select();
      went_on++;
    });
    uint64_t nil_cases = go_with_id([] {
      chan<int> nil;
      select(on_recv(nil), on_send(nil, 1));
      went_on++;
    });
    EXPECT_TRUE(waits(no_cases, WaitReason::select_no_cases));
    EXPECT_TRUE(waits(nil_cases, WaitReason::select));
    EXPECT_EQ(went_on.load(), 0);
  });
}

TEST_P(Select, BlocksUntilACaseIsReady) {
  run([] {
    auto a = make_chan<int>(), b = make_chan<int>();
    std::atomic<int> got{0};
    WaitGroup wg;
    auto waiter = [&, a, b] {
      select(on_recv(a, [&](std::optional<int> v) { got = *v; }), on_send(b, 9, [&] { got = -9; }));
      wg.done();
    };
    wg.add(2);
    uint64_t id = go_with_id(waiter);
    ASSERT_TRUE(waits(id, WaitReason::select));
    a.send(4);
    EXPECT_TRUE(eventually([&] { return got == 4; }));
    id = go_with_id(waiter);
    ASSERT_TRUE(waits(id, WaitReason::select));
    EXPECT_EQ(b.recv(), 9);
    wg.wait();
    EXPECT_EQ(got.load(), -9);
    // The waiter has left the queues of the channels that it did not use.
    EXPECT_FALSE(b.try_recv());
    EXPECT_FALSE(a.try_send(1));
  });
}

TEST_P(Select, CloseWakesAWaitingSelect) {
  run([] {
    auto a = make_chan<int>(), b = make_chan<int>();
    bool closed = false;
    WaitGroup wg;
    wg.add(1);
    uint64_t id = go_with_id([&, a, b] {
      EXPECT_EQ(select(on_recv(a), on_recv(b, [&](std::optional<int> v) { closed = !v; })), 1u);
      wg.done();
    });
    ASSERT_TRUE(waits(id, WaitReason::select));
    b.close();
    wg.wait();
    EXPECT_TRUE(closed);
  });
}

TEST_P(Select, AClosedChannelIsReadyToReceive) {
  run([] {
    auto ch = make_chan<int>(1);
    ch.send(3);
    ch.close();
    std::vector<std::optional<int>> got;
    for (int i = 0; i < 3; i++) {
      select(on_recv(ch, [&](std::optional<int> v) { got.push_back(v); }), on_default());
    }
    EXPECT_EQ(got, (std::vector<std::optional<int>>{3, std::nullopt, std::nullopt}));
  });
}

TEST_P(Select, SendingOnAClosedChannelThrows) {
  run([] {
    auto closed = make_chan<Tracked>(1), open = make_chan<Tracked>(1);
    closed.close();
    bool called = false;
    try {
      select(on_send(closed, Tracked(1), [&] { called = true; }));
      ADD_FAILURE() << "did not throw";
    } catch (const panic_error& e) {
      EXPECT_STREQ(e.what(), "send on closed channel");
    }
    EXPECT_THROW(select(on_send(closed, Tracked(1)), on_default()), panic_error);
    EXPECT_FALSE(called);
    EXPECT_EQ(Tracked::live(), 0);

    // While waiting: the waker is close.
    auto full = make_chan<Tracked>();
    std::string what;
    WaitGroup wg;
    wg.add(1);
    uint64_t id = go_with_id([&, full, open] {
      try {
        select(on_send(full, Tracked(1)), on_recv(open));
      } catch (const panic_error& e) {
        what = e.what();
      }
      wg.done();
    });
    ASSERT_TRUE(waits(id, WaitReason::select));
    full.close();
    wg.wait();
    EXPECT_EQ(what, "send on closed channel");
    EXPECT_TRUE(eventually([] { return Tracked::live() == 0; }));
  });
}

TEST_P(Select, IsFairAmongReadyCases) {
  run([] {
    auto a = make_chan<int>(), b = make_chan<int>(), c = make_chan<int>(), never = make_chan<int>();
    a.close();
    b.close();
    c.close();
    int rounds = 12'000;
    std::array<int, 4> taken{};
    for (int i = 0; i < rounds; i++)
      taken[select(on_recv(a), on_recv(never), on_recv(b), on_recv(c))]++;
    EXPECT_EQ(taken[1], 0);
    // 4000 expected of each, standard deviation 52.
    for (size_t i : {0, 2, 3}) {
      EXPECT_GT(taken[i], 3500) << i;
      EXPECT_LT(taken[i], 4500) << i;
    }
  });
}

TEST_P(Select, IsFairAmongBlockedSenders) {
  run([] {
    auto a = make_chan<int>(), b = make_chan<int>(), done = make_chan<int>();
    WaitGroup wg;
    std::vector<uint64_t> senders;
    wg.add(2);
    for (auto ch : {a, b}) {
      senders.push_back(go_with_id([&wg, ch, done] {
        for (bool on = true; on;) select(on_send(ch, 1), on_recv(done, [&] { on = false; }));
        wg.done();
      }));
    }
    constexpr int kRounds = 400;
    int from_a = 0;
    for (int i = 0; i < kRounds; i++) {
      for (uint64_t id : senders) ASSERT_TRUE(waits(id, WaitReason::select));  // both are ready
      select(on_recv(a, [&] { from_a++; }), on_recv(b));
    }
    done.close();
    wg.wait();
    // 200 expected, standard deviation 10.
    EXPECT_GT(from_a, 120);
    EXPECT_LT(from_a, 280);
  });
}

TEST_P(Select, TheSameChannelInSeveralCases) {
  run([] {
    auto ch = make_chan<int>(1);
    std::array<int, 4> taken{};
    for (int i = 0; i < 2000; i++) {
      size_t sent = select(on_recv(ch), on_send(ch, 1), on_recv(ch), on_send(ch, 2));
      ASSERT_EQ(sent % 2, 1u) << "empty: only a send can go on";
      taken[sent]++;
      size_t received = select(on_recv(ch), on_send(ch, 1), on_recv(ch), on_send(ch, 2));
      ASSERT_EQ(received % 2, 0u) << "full: only a receive can go on";
      taken[received]++;
    }
    for (int t : taken) EXPECT_GT(t, 700);  // 1000 expected, standard deviation 22

    // Blocking, in several cases of one channel.
    auto un = make_chan<int>();
    WaitGroup wg;
    for (int i = 0; i < 100; i++) {
      wg.go([un, i] { un.send(i); });
    }
    int sum = 0;
    auto add = [&](std::optional<int> v) { sum += *v; };
    for (int i = 0; i < 100; i++) select(on_recv(un, add), on_recv(un, add), on_recv(un, add));
    EXPECT_EQ(sum, 4950);
    wg.wait();
    EXPECT_FALSE(un.try_recv());
  });
}

TEST_P(Select, TwoGoroutinesThatSendAndReceiveOnOneChannel) {
  run([] {
    for (size_t cap : {0, 10}) {
      auto ch = make_chan<int>(cap);
      int rounds = scaled(4000);
      WaitGroup wg;
      for (int p = 0; p < 2; p++) {
        wg.go([ch, p, rounds, cap] {
          for (int i = 0; i < rounds; i++) {
            // On an unbuffered channel one cannot meet oneself.
            auto from_other = [&](std::optional<int> v) {
              if (cap == 0 && *v == p) ADD_FAILURE() << "met itself";
            };
            if (p == 0 || i % 2 == 0) {
              select(on_send(ch, p), on_recv(ch, from_other), on_default([] { gosched(); }));
            } else {
              select(on_recv(ch, from_other), on_send(ch, p), on_default([] { gosched(); }));
            }
          }
        });
      }
      wg.wait();
    }
  });
}

TEST_P(Select, TwoGoroutinesMeetOnOneUnbufferedChannel) {
  // Each has a send and a receive and no default: in each round one sends and the other receives.
  run([] {
    auto ch = make_chan<int>();
    int rounds = scaled(4000);
    std::array<int, 2> sends{}, recvs{};
    WaitGroup wg;
    for (size_t p = 0; p < 2; p++) {
      wg.go([&, ch, p] {
        for (int i = 0; i < rounds; i++) {
          select(on_send(ch, static_cast<int>(p), [&] { sends[p]++; }),
                 on_recv(ch, [&](std::optional<int> v) {
                   EXPECT_EQ(*v, static_cast<int>(1 - p));
                   recvs[p]++;
                 }));
        }
      });
    }
    wg.wait();
    EXPECT_EQ(sends[0], recvs[1]);
    EXPECT_EQ(sends[1], recvs[0]);
    EXPECT_EQ(sends[0] + recvs[0], rounds);
  });
}

TEST_P(Select, OnlyTheChosenValueIsMoved) {
  run([] {
    auto a = make_chan<std::unique_ptr<int>>(1);
    chan<std::unique_ptr<int>> nil;
    EXPECT_EQ(select(on_send(nil, std::make_unique<int>(1)), on_send(a, std::make_unique<int>(2))),
              1u);
    EXPECT_EQ(**a.recv(), 2);
  });
}

TEST_P(Select, ValuesAreDestroyedOnce) {
  run([] {
    {
      auto a = make_chan<Tracked>(1), b = make_chan<Tracked>();
      for (int i = 0; i < 50; i++) {
        select(on_send(b, Tracked(1)), on_send(a, Tracked(i)), on_recv(b));
        select(on_recv(b), on_send(b, Tracked(2)),
               on_recv(a, [&](std::optional<Tracked> t) { EXPECT_EQ(t->value(), i); }));
        EXPECT_EQ(Tracked::live(), 0);
        select(on_send(b, Tracked(1)), on_recv(a), on_default());
        EXPECT_EQ(Tracked::live(), 0);
      }
      // A received value that nobody takes.
      a.send(Tracked(1));
      select(on_recv(a), on_recv(b));
      EXPECT_EQ(Tracked::live(), 0);
    }
    auto x = make_chan<Tracked>(), y = make_chan<Tracked>(2);
    std::atomic<int> received{0};
    WaitGroup wg;
    int rounds = scaled(1000);
    for (int g = 0; g < 3; g++) {
      wg.go([=] {
        for (int i = 0; i < rounds; i++) select(on_send(x, Tracked(i)), on_send(y, Tracked(i)));
      });
      wg.go([=, &received] {
        auto take = [&](std::optional<Tracked> t) {
          if (t && !t->moved_from()) received++;
        };
        for (int i = 0; i < rounds; i++) select(on_recv(x, take), on_recv(y, take));
      });
    }
    wg.wait();
    EXPECT_EQ(received.load(), 3 * rounds);
    EXPECT_EQ(Tracked::live(), 0);
  });
}

TEST_P(Select, AnExceptionOfACasesFunctionReachesTheCaller) {
  run([] {
    auto ch = make_chan<Tracked>(1);
    ch.send(Tracked(1));
    auto fail = [](std::optional<Tracked>) { throw std::runtime_error("from the case"); };
    EXPECT_THROW(select(on_recv(ch, fail), on_default()), std::runtime_error);
    EXPECT_EQ(ch.len(), 0u) << "the value was received";
    EXPECT_EQ(Tracked::live(), 0);
  });
}

TEST_P(Select, ACasesFunctionMaySelectAndBlock) {
  run([] {
    auto outer = make_chan<int>(1), inner = make_chan<int>();
    outer.send(1);
    go([inner] { inner.send(2); });
    int sum = 0;
    select(on_recv(outer, [&](std::optional<int> a) {
      select(on_recv(inner, [&](std::optional<int> b) { sum = *a + *b; }));
    }));
    EXPECT_EQ(sum, 3);
  });
}

TEST_P(Select, WorksOnViews) {
  run([] {
    auto ch = make_chan<int>(1);
    send_chan<int> in = ch;
    recv_chan<int> out = ch;
    EXPECT_EQ(select(on_recv(out), on_send(in, 4)), 1u);
    EXPECT_EQ(select(on_recv(out), on_send(in, 5)), 0u);
  });
}

template <size_t... I>
size_t select_among(const std::array<chan<int>, sizeof...(I)>& chans, int* got,
                    std::index_sequence<I...>) {
  return select(on_recv(chans[I], [got](std::optional<int> v) { *got = *v; })...);
}

TEST_P(Select, ManyCases) {
  constexpr size_t kCases = 40;
  run([] {
    std::array<chan<int>, kCases> chans;
    for (auto& ch : chans) ch = make_chan<int>();
    int rounds = scaled(2000);
    WaitGroup wg;
    wg.go([chans, rounds] {
      for (int i = 0; i < rounds; i++) chans[static_cast<size_t>(i * 7) % kCases].send(i);
    });
    for (int i = 0; i < rounds; i++) {
      int got = -1;
      size_t at = select_among(chans, &got, std::make_index_sequence<kCases>());
      ASSERT_EQ(got, i);
      ASSERT_EQ(at, static_cast<size_t>(i * 7) % kCases);
    }
    wg.wait();
  });
}

// All in one: senders and receivers by select and by plain operations on the same channels.
TEST_P(Select, EachValueArrivesOnce) {
  run([] {
    std::array<chan<int>, 4> chans = {make_chan<int>(), make_chan<int>(1), make_chan<int>(4),
                                      make_chan<int>()};
    int n = scaled(4000);
    std::atomic<int64_t> sum{0};
    std::atomic<int> count{0};
    WaitGroup wg;
    for (size_t c = 0; c < 4; c++) {
      wg.go([&, c] {  // a plain sender and a plain receiver for each channel
        for (int i = 1; i <= n; i++) chans[c].send(i);
      });
      wg.go([&, c] {
        for (int i = 1; i <= n; i++) {
          sum += *chans[c].recv();
          count++;
        }
      });
    }
    wg.go([&] {  // n values to each channel, in any order
      std::array<int, 4> left = {n, n, n, n};
      std::array<chan<int>, 4> open = chans;
      while (open[0] || open[1] || open[2] || open[3]) {
        size_t c = select(on_send(open[3], left[3]), on_send(open[2], left[2]),
                          on_send(open[1], left[1]), on_send(open[0], left[0]));
        size_t which = 3 - c;
        if (--left[which] == 0) open[which] = {};
      }
    });
    wg.go([&] {
      std::array<int, 4> left = {n, n, n, n};
      std::array<chan<int>, 4> open = chans;
      auto take = [&](std::optional<int> v) {
        sum += *v;
        count++;
      };
      while (open[0] || open[1] || open[2] || open[3]) {
        size_t c = select(on_recv(open[0], take), on_recv(open[1], take), on_recv(open[2], take),
                          on_recv(open[3], take));
        if (--left[c] == 0) open[c] = {};
      }
    });
    wg.wait();
    EXPECT_EQ(count.load(), 8 * n);
    EXPECT_EQ(sum.load(), 8 * (int64_t{n} * (n + 1) / 2));
  });
}

// A receiver that polls must not miss the value when a sender that waits is the only one.
TEST_P(Select, ADefaultIsNotTakenPastAReadyPeer) {
  run([] {
    for (int i = 0; i < scaled(2000); i++) {
      auto a = make_chan<int>(1), b = make_chan<int>(1);
      a.send(1);
      std::atomic<bool> missed{false};
      WaitGroup wg;
      wg.go([&] {
        // At each moment one of the two is ready: b is filled before a is emptied.
        select(on_recv(a), on_recv(b), on_default([&] { missed = true; }));
      });
      b.send(1);
      select(on_recv(a), on_default());
      wg.wait();
      ASSERT_FALSE(missed.load());
    }
  });
}

}  // namespace
}  // namespace weir::testing
