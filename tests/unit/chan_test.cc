// Channels: Go's rules for nil, unbuffered, buffered and closed ones; values neither lost, doubled
// nor leaked.

#include <array>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "test_util.h"

namespace weir::testing {
namespace {

using introspect::WaitReason;

WEIR_FOR_ALL_PROCS(Chan);

// What f throws, which must be a panic_error; "" when it throws nothing.
template <class F>
std::string panic_of(F f) {
  try {
    f();
  } catch (const panic_error& e) {
    return e.what();
  }
  return "";
}

// --- nil ---

TEST(NilChan, HasNothingAndIsNeverReady) {
  weir::run([] {
    chan<int> nil;
    EXPECT_FALSE(nil);
    EXPECT_TRUE(make_chan<int>());
    EXPECT_EQ(nil.len(), 0u);
    EXPECT_EQ(nil.cap(), 0u);
    int v = 5;
    EXPECT_FALSE(nil.try_send(v));
    EXPECT_FALSE(nil.try_recv());
    EXPECT_EQ(panic_of([&] { nil.close(); }), "close of nil channel");
  });
}

TEST_P(Chan, NilBlocksForEver) {
  static std::atomic<int> went_on;
  went_on = 0;
  run([] {
    uint64_t sender = go_with_id([] {
      chan<int>().send(1);
      went_on++;
    });
    uint64_t receiver = go_with_id([] {
      chan<int>().recv();
      went_on++;
    });
    uint64_t ranger = go_with_id([] {
      for (int v : chan<int>()) went_on += v;
      went_on++;
    });
    EXPECT_TRUE(waits(sender, WaitReason::chan_send_nil));
    EXPECT_TRUE(waits(receiver, WaitReason::chan_receive_nil));
    EXPECT_TRUE(waits(ranger, WaitReason::chan_receive_nil));
    EXPECT_EQ(went_on.load(), 0);
  });
}

// --- handles ---

TEST(Chan, CopiesNameTheSameChannel) {
  weir::run([] {
    auto a = make_chan<int>(1), b = a, c = make_chan<int>(1);
    EXPECT_TRUE(a == b);
    EXPECT_FALSE(a == c);
    b.send(1);
    EXPECT_EQ(a.len(), 1u);
    EXPECT_EQ(c.len(), 0u);
    chan<int> moved = std::move(b);
    EXPECT_TRUE(a == moved);
    EXPECT_EQ(a.recv(), 1);
  });
}

TEST(Chan, ViewsRestrictAndShare) {
  static_assert(std::is_convertible_v<chan<int>, recv_chan<int>>);
  static_assert(std::is_convertible_v<chan<int>, send_chan<int>>);
  static_assert(!std::is_convertible_v<recv_chan<int>, chan<int>>);
  static_assert(!std::is_convertible_v<send_chan<int>, recv_chan<int>>);
  weir::run([] {
    auto ch = make_chan<int>(2);
    send_chan<int> in = ch;
    recv_chan<int> out = ch;
    in.send(1);
    int two = 2;
    EXPECT_TRUE(in.try_send(two));
    EXPECT_EQ(out.len(), 2u);
    EXPECT_EQ(in.cap(), 2u);
    EXPECT_EQ(out.recv(), 1);
    in.close();
    std::vector<int> rest;
    for (int v : out) rest.push_back(v);
    EXPECT_EQ(rest, std::vector<int>{2});
  });
}

TEST(Chan, ACapacityOutOfRangeThrows) {
  EXPECT_EQ(panic_of([] { make_chan<int>(std::numeric_limits<size_t>::max()); }),
            "makechan: size out of range");
  EXPECT_EQ(panic_of([] {
              make_chan<std::array<char, 4096>>(std::numeric_limits<size_t>::max() / 2048);
            }),
            "makechan: size out of range");
}

// --- blocking, order, len and cap; for an unbuffered channel and for buffers ---

TEST_P(Chan, ReceiveOnAnEmptyChannelBlocks) {
  run([] {
    for (size_t cap : {0, 1, 10}) {
      auto ch = make_chan<int>(cap);
      std::atomic<bool> received{false};
      WaitGroup wg;
      wg.add(1);
      uint64_t id = go_with_id([&, ch] {
        EXPECT_EQ(ch.recv(), 7);
        received = true;
        wg.done();
      });
      ASSERT_TRUE(waits(id, WaitReason::chan_receive));
      EXPECT_FALSE(received);
      EXPECT_EQ(ch.len(), 0u);
      ch.send(7);
      wg.wait();
      EXPECT_TRUE(received);
    }
  });
}

TEST_P(Chan, SendOnAFullChannelBlocks) {
  run([] {
    for (size_t cap : {0, 1, 10}) {
      auto ch = make_chan<int>(cap);
      for (size_t i = 0; i < cap; i++) ch.send(static_cast<int>(i));
      std::atomic<bool> sent{false};
      WaitGroup wg;
      wg.add(1);
      uint64_t id = go_with_id([&, ch] {
        ch.send(static_cast<int>(ch.cap()));
        sent = true;
        wg.done();
      });
      ASSERT_TRUE(waits(id, WaitReason::chan_send));
      EXPECT_FALSE(sent);
      EXPECT_EQ(ch.len(), cap);
      for (size_t i = 0; i <= cap; i++) EXPECT_EQ(ch.recv(), static_cast<int>(i));
      wg.wait();
      EXPECT_TRUE(sent);
    }
  });
}

TEST_P(Chan, NonBlockingOperationsNeverBlock) {
  run([] {
    for (size_t cap : {0, 1, 3}) {
      auto ch = make_chan<std::unique_ptr<int>>(cap);
      EXPECT_FALSE(ch.try_recv());
      for (size_t i = 0; i < cap; i++)
        EXPECT_TRUE(ch.try_send(std::make_unique<int>(static_cast<int>(i))));
      auto one_more = std::make_unique<int>(99);
      EXPECT_FALSE(ch.try_send(one_more));
      ASSERT_NE(one_more, nullptr) << "what was not sent is still ours";
      EXPECT_EQ(*one_more, 99);
      EXPECT_EQ(ch.len(), cap);
      EXPECT_EQ(ch.cap(), cap);
      for (size_t i = 0; i < cap; i++) EXPECT_EQ(**ch.try_recv(), static_cast<int>(i));
      EXPECT_FALSE(ch.try_recv());
    }
  });
}

TEST_P(Chan, TrySendReachesAWaitingReceiver) {
  run([] {
    auto ch = make_chan<std::unique_ptr<int>>();
    WaitGroup wg;
    wg.add(1);
    uint64_t id = go_with_id([&, ch] {
      EXPECT_EQ(**ch.recv(), 3);
      wg.done();
    });
    ASSERT_TRUE(waits(id, WaitReason::chan_receive));
    auto v = std::make_unique<int>(3);
    EXPECT_TRUE(ch.try_send(v));
    EXPECT_EQ(v, nullptr);
    wg.wait();
  });
}

TEST_P(Chan, TryRecvTakesFromAWaitingSender) {
  run([] {
    auto ch = make_chan<int>();
    WaitGroup wg;
    wg.add(1);
    uint64_t id = go_with_id([&, ch] {
      ch.send(3);
      wg.done();
    });
    ASSERT_TRUE(waits(id, WaitReason::chan_send));
    EXPECT_EQ(ch.try_recv(), 3);
    wg.wait();
  });
}

TEST_P(Chan, KeepsTheOrderOfOneSender) {
  run([] {
    for (size_t cap : {0, 1, 2, 7, 100}) {
      auto ch = make_chan<int>(cap);
      int n = scaled(2000);
      WaitGroup wg;
      wg.go([ch, n] {
        for (int i = 0; i < n; i++) ch.send(i);
      });
      for (int i = 0; i < n; i++) ASSERT_EQ(ch.recv(), i);
      wg.wait();
    }
  });
}

TEST_P(Chan, BlockedSendersAndReceiversAreServedInOrder) {
  run([] {
    auto ch = make_chan<int>();
    WaitGroup wg;
    wg.add(20);
    for (int i = 0; i < 20; i++) {
      uint64_t id = go_with_id([&wg, ch, i] {
        ch.send(i);
        wg.done();
      });
      ASSERT_TRUE(waits(id, WaitReason::chan_send));
    }
    for (int i = 0; i < 20; i++) EXPECT_EQ(ch.recv(), i);
    wg.wait();

    std::array<int, 20> got{};
    wg.add(20);
    for (int i = 0; i < 20; i++) {
      uint64_t id = go_with_id([&wg, &got, ch, i] {
        got[static_cast<size_t>(i)] = *ch.recv();
        wg.done();
      });
      ASSERT_TRUE(waits(id, WaitReason::chan_receive));
    }
    for (int i = 0; i < 20; i++) ch.send(i);
    wg.wait();
    for (int i = 0; i < 20; i++) EXPECT_EQ(got[static_cast<size_t>(i)], i);
  });
}

TEST_P(Chan, ABlockedSenderComesAfterWhatIsBuffered) {
  run([] {
    auto ch = make_chan<int>(2);
    ch.send(1);
    ch.send(2);
    WaitGroup wg;
    wg.add(1);
    uint64_t id = go_with_id([&, ch] {
      ch.send(3);
      wg.done();
    });
    ASSERT_TRUE(waits(id, WaitReason::chan_send));
    EXPECT_EQ(ch.recv(), 1);
    EXPECT_EQ(ch.len(), 2u) << "the sender's value moved up";
    EXPECT_EQ(ch.recv(), 2);
    EXPECT_EQ(ch.recv(), 3);
    wg.wait();
  });
}

TEST_P(Chan, EachValueArrivesOnce) {
  run([] {
    for (size_t cap : {0, 1, 10}) {
      auto ch = make_chan<int>(cap);
      constexpr int senders = 4;
      int n = scaled(4000);
      WaitGroup sending, receiving;
      for (int s = 0; s < senders; s++) {
        sending.go([ch, s, n] {
          for (int i = 0; i < n; i++) ch.send(s * n + i);
        });
      }
      std::array<std::vector<int>, 4> got;
      for (auto& mine : got) {
        receiving.go([ch, &mine] {
          for (int v : ch) mine.push_back(v);
        });
      }
      sending.wait();
      ch.close();
      receiving.wait();
      std::vector<int> times(static_cast<size_t>(senders * n));
      for (auto& mine : got) {
        std::map<int, int> last;  // of each sender: one receiver sees its values in order
        for (int v : mine) {
          times[static_cast<size_t>(v)]++;
          auto [at, fresh] = last.try_emplace(v / n, v);
          EXPECT_TRUE(fresh || at->second < v);
          at->second = v;
        }
      }
      for (int t : times) ASSERT_EQ(t, 1);
    }
  });
}

// --- close ---

TEST_P(Chan, MisuseOfCloseThrows) {
  run([] {
    for (size_t cap : {0, 3}) {
      auto ch = make_chan<Tracked>(cap);
      ch.close();
      EXPECT_EQ(panic_of([&] { ch.close(); }), "close of closed channel");
      EXPECT_EQ(panic_of([&] { ch.send(Tracked(1)); }), "send on closed channel");
      EXPECT_EQ(panic_of([&] { ch.try_send(Tracked(1)); }), "send on closed channel");
      EXPECT_EQ(Tracked::live(), 0);
      EXPECT_FALSE(ch.recv()) << "still usable by receivers";
    }
  });
}

TEST_P(Chan, AClosedChannelIsDrainedFirst) {
  run([] {
    auto ch = make_chan<int>(5);
    for (int i = 0; i < 3; i++) ch.send(i);
    ch.close();
    EXPECT_EQ(ch.len(), 3u);
    EXPECT_EQ(ch.recv(), 0);
    EXPECT_EQ(ch.try_recv(), 1);
    EXPECT_EQ(ch.recv(), 2);
    for (int i = 0; i < 3; i++) {
      EXPECT_EQ(ch.recv(), std::nullopt);
      EXPECT_EQ(ch.try_recv(), std::nullopt);
    }
  });
}

TEST_P(Chan, CloseWakesAllReceivers) {
  run([] {
    auto ch = make_chan<int>();
    const int n = scaled(1000);
    std::atomic<int> woken{0};
    WaitGroup wg;
    for (int i = 0; i < n; i++) {
      wg.go([&, ch] {
        EXPECT_FALSE(ch.recv());
        woken++;
      });
    }
    ASSERT_TRUE(settle());
    EXPECT_EQ(woken.load(), 0);
    ch.close();
    wg.wait();
    EXPECT_EQ(woken.load(), n);
  });
}

TEST_P(Chan, CloseWakesAllSendersWithAPanic) {
  run([] {
    for (size_t cap : {0, 2}) {
      auto ch = make_chan<Tracked>(cap);
      for (size_t i = 0; i < cap; i++) ch.send(Tracked(1));
      const int n = scaled(200);
      std::atomic<int> panics{0};
      WaitGroup wg;
      for (int i = 0; i < n; i++) {
        wg.go([&, ch] {
          if (panic_of([&] { ch.send(Tracked(9)); }) == "send on closed channel") panics++;
        });
      }
      ASSERT_TRUE(settle());
      ch.close();
      wg.wait();
      EXPECT_EQ(panics.load(), n);
      EXPECT_EQ(Tracked::live(), static_cast<int>(cap));
      for (size_t i = 0; i < cap; i++) EXPECT_EQ(ch.recv()->value(), 1);
      EXPECT_FALSE(ch.recv());
      EXPECT_EQ(Tracked::live(), 0);
    }
  });
}

TEST_P(Chan, RangeEndsWhenClosedAndDrained) {
  run([] {
    for (size_t cap : {0, 1, 64}) {
      auto ch = make_chan<int>(cap);
      go([ch] {
        for (int i = 1; i <= 100; i++) ch.send(i);
        ch.close();
      });
      int sum = 0;
      for (int v : ch) sum += v;
      EXPECT_EQ(sum, 5050);
    }
  });
}

TEST_P(Chan, RangeMayBeLeftEarly) {
  run([] {
    auto ch = make_chan<Tracked>(10);
    for (int i = 0; i < 10; i++) ch.send(Tracked(i));
    for (Tracked& t : ch) {
      if (t.value() == 4) break;
    }
    EXPECT_EQ(ch.len(), 5u);
    EXPECT_EQ(Tracked::live(), 5);
    EXPECT_EQ(ch.recv()->value(), 5);
  });
}

}  // namespace
}  // namespace weir::testing
