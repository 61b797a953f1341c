// Values through channels: of any type, destroyed once, ordered by the memory model; programs of
// channels.

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "test_util.h"

namespace weir::testing {
namespace {

WEIR_FOR_ALL_PROCS(ChanValues);

// --- elements ---

TEST_P(ChanValues, CarriesMoveOnlyValues) {
  run([] {
    for (size_t cap : {0, 4}) {
      auto ch = make_chan<std::unique_ptr<std::string>>(cap);
      WaitGroup wg;
      wg.go([ch] {
        for (int i = 0; i < 100; i++) ch.send(std::make_unique<std::string>(std::to_string(i)));
        ch.close();
      });
      int i = 0;
      for (auto& p : ch) EXPECT_EQ(*p, std::to_string(i++));
      EXPECT_EQ(i, 100);
      wg.wait();
    }
  });
}

TEST_P(ChanValues, CarriesOverAlignedValues) {
  struct alignas(128) Wide {
    int value = 0;
    bool aligned = true;
    explicit Wide(int v) : value(v), aligned(at_home()) {}
    Wide(Wide&& o) noexcept : value(o.value), aligned(o.aligned && at_home()) {}
    bool at_home() const { return reinterpret_cast<uintptr_t>(this) % 128 == 0; }
  };
  run([] {
    for (size_t cap : {0, 3}) {
      auto ch = make_chan<Wide>(cap);
      WaitGroup wg;
      wg.go([ch] {
        for (int i = 0; i < 50; i++) ch.send(Wide(i));
      });
      for (int i = 0; i < 50; i++) {
        auto v = ch.recv();
        EXPECT_EQ(v->value, i);
        EXPECT_TRUE(v->aligned && v->at_home());
      }
      wg.wait();
    }
  });
}

TEST_P(ChanValues, CarriesEmptyAndBigValuesAndChannels) {
  struct Empty {};
  run([] {
    auto empty = make_chan<Empty>(3);
    empty.send({});
    empty.send({});
    EXPECT_EQ(empty.len(), 2u);
    EXPECT_TRUE(empty.recv().has_value());

    using Big = std::array<int, 1024>;
    auto big = make_chan<Big>(1);
    auto b = std::make_unique<Big>();
    b->fill(7);
    big.send(*b);
    EXPECT_EQ(*big.recv(), *b);

    auto replies = make_chan<chan<int>>();
    go([replies] {
      for (auto& reply : replies) reply.send(11);
    });
    auto mine = make_chan<int>();
    replies.send(mine);
    EXPECT_EQ(mine.recv(), 11);
    replies.close();
  });
}

TEST_P(ChanValues, ValuesAreDestroyedOnce) {
  run([] {
    {
      auto ch = make_chan<Tracked>(8);
      for (int i = 0; i < 6; i++) ch.send(Tracked(i));
      ch.recv();
      ch.recv();
      ch.send(Tracked(6));  // the ring has wrapped or not: 5 are in it
      EXPECT_EQ(Tracked::live(), 5);
    }
    EXPECT_EQ(Tracked::live(), 0) << "the values left in the buffer of a dropped channel";
    {
      auto ch = make_chan<Tracked>(2);
      for (int i = 0; i < 5; i++) {
        ch.send(Tracked(i));
        EXPECT_EQ(ch.recv()->value(), i);
      }
      ch.send(Tracked(1));
      ch.close();
      EXPECT_EQ(Tracked::live(), 1);
    }
    EXPECT_EQ(Tracked::live(), 0) << "closed with a value inside";
    for (size_t cap : {0, 3}) {
      auto ch = make_chan<Tracked>(cap);
      WaitGroup wg;
      for (int s = 0; s < 3; s++) {
        wg.go([ch] {
          for (int i = 0; i < 200; i++) ch.send(Tracked(i));
        });
      }
      for (int i = 0; i < 600; i++) EXPECT_FALSE(ch.recv()->moved_from());
      wg.wait();
      EXPECT_EQ(Tracked::live(), 0);
    }
  });
}

// --- the memory model: plain data handed over by channel operations (ThreadSanitizer watches) ---

TEST_P(ChanValues, ASendHappensBeforeItsReceive) {
  run([] {
    for (size_t cap : {0, 1, 4}) {
      auto ch = make_chan<int*>(cap);
      std::vector<int> data(static_cast<size_t>(scaled(2000)));
      WaitGroup wg;
      wg.go([ch, &data] {
        for (int& d : data) {
          d = 5;
          ch.send(&d);
        }
        ch.close();
      });
      int sum = 0;
      for (int* d : ch) sum += *d;
      EXPECT_EQ(sum, 5 * static_cast<int>(data.size()));
      wg.wait();
    }
  });
}

TEST_P(ChanValues, AnUnbufferedReceiveHappensBeforeTheEndOfTheSend) {
  run([] {
    auto ch = make_chan<int>();
    int plain = 0;
    for (int i = 0; i < scaled(1000); i++) {
      go([ch, &plain, i] {
        plain = i + 1;
        ch.recv();
      });
      ch.send(0);
      EXPECT_EQ(plain, i + 1);
    }
  });
}

TEST_P(ChanValues, AReceiveMakesRoomBeforeALaterSendEnds) {
  // A buffered channel as a semaphore of 1 protects plain data.
  run([] {
    auto sem = make_chan<int>(1);
    int plain = 0;
    WaitGroup wg;
    for (int g = 0; g < 4; g++) {
      wg.go([&plain, sem] {
        for (int i = 0; i < scaled(1000); i++) {
          sem.send(0);
          plain++;
          sem.recv();
        }
      });
    }
    wg.wait();
    EXPECT_EQ(plain, 4 * scaled(1000));
  });
}

TEST_P(ChanValues, CloseHappensBeforeAReceiveThatSeesIt) {
  run([] {
    for (int i = 0; i < scaled(400); i++) {
      auto ch = make_chan<int>(static_cast<size_t>(i % 2));
      int plain = 0;
      WaitGroup wg;
      wg.go([ch, &plain] {
        EXPECT_FALSE(ch.recv());
        EXPECT_EQ(plain, 7);
      });
      if (i % 4 == 0) gosched();
      plain = 7;
      ch.close();
      wg.wait();
    }
  });
}

// --- well-known programs ---

TEST_P(ChanValues, ABufferedChannelBoundsConcurrency) {
  run([] {
    constexpr int kBound = 3, kJobs = 30;
    auto sem = make_chan<int>(kBound), finish = make_chan<int>();
    std::atomic<int> inside{0};
    WaitGroup wg;
    for (int i = 0; i < kJobs; i++) {
      wg.go([&, sem, finish] {
        sem.send(1);
        if (inside.fetch_add(1) >= kBound) ADD_FAILURE() << "more than the bound";
        finish.recv();
        inside.fetch_sub(1);
        sem.recv();
      });
    }
    for (int i = 0; i < kJobs; i++) {
      ASSERT_TRUE(settle());
      EXPECT_EQ(inside.load(), std::min(kBound, kJobs - i));
      finish.send(1);
    }
    wg.wait();
  });
}

TEST_P(ChanValues, PrimeSieve) {
  run([] {
    auto source = make_chan<int>();
    auto stop = make_chan<int>();
    go([source, stop] {
      bool on = true;
      for (int i = 2; on; i++) select(on_send(source, i), on_recv(stop, [&] { on = false; }));
      source.close();
    });
    chan<int> in = source;
    std::vector<int> primes;
    for (int i = 0; i < 50; i++) {
      int prime = *in.recv();
      primes.push_back(prime);
      auto out = make_chan<int>();
      go([in, out, prime, stop] {
        bool on = true;
        for (int v : in) {
          if (on && v % prime) select(on_send(out, v), on_recv(stop, [&] { on = false; }));
        }
        out.close();
      });
      in = out;
    }
    EXPECT_EQ(primes.back(), 229);
    stop.close();
    for (int v : in) (void)v;  // until the whole chain has ended
  });
}

TEST_P(ChanValues, ARaceOfTryRecvAndCloseSeesEitherTheValueOrTheEnd) {
  run([] {
    for (int i = 0; i < scaled(2000); i++) {
      auto ch = make_chan<int>(1);
      go([ch] {
        ch.send(1);
        ch.close();
      });
      std::optional<int> v = ch.try_recv();
      if (!v) v = ch.recv();
      ASSERT_EQ(v, 1) << "closed was seen ahead of the value that was sent before it";
      EXPECT_FALSE(ch.recv());
    }
  });
}

}  // namespace
}  // namespace weir::testing
