// Scenes of channels, select, locks, exceptions, plain threads and sleep (scenes.h).

#include "scenes.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <stdexcept>
#include <thread>

#include <weir/weir.h>

#include "../unit/test_util.h"

namespace weir::testing {

using std::chrono::microseconds;

void dither(Random& random) {
  switch (random.below(8)) {
    case 0:
      gosched();
      break;
    case 1:
      sleep_for(microseconds(random.below(200)));
      break;
    case 2:
      for (int i = 0; i < 200; i++) asm volatile("");
      break;
    default:
      break;
  }
}

namespace {

// Senders and receivers by plain, trying and selecting operations; every value arrives once.
void scene_channel(Random random) {
  auto ch = make_chan<Tracked>(static_cast<size_t>(random.below(4) * random.below(8)));
  auto never = make_chan<int>();
  int senders = random.below(5) + 1, receivers = random.below(5) + 1, each = random.below(60) + 1;
  std::atomic<int64_t> sum{0};
  WaitGroup sending, receiving;
  for (int s = 0; s < senders; s++) {
    sending.go([=, random = Random(random.next())]() mutable {
      for (int i = 1; i <= each; i++) {
        Tracked value(i);
        switch (random.below(4)) {
          case 0:
            select(on_recv(never), on_send(ch, std::move(value)));
            break;
          case 1:
            while (!ch.try_send(value)) gosched();
            break;
          default:
            ch.send(std::move(value));
        }
        dither(random);
      }
    });
  }
  for (int r = 0; r < receivers; r++) {
    receiving.go([=, &sum, random = Random(random.next())]() mutable {
      auto take = [&](const Tracked& t) { sum += t.moved_from() ? -1'000'000'000 : t.value(); };
      for (bool open = true; open;) {
        dither(random);
        if (random.one_in(2)) {
          select(on_recv(never),
                 on_recv(ch, [&](std::optional<Tracked> t) { t ? take(*t) : void(open = false); }));
        } else if (auto t = random.one_in(3) ? ch.try_recv() : ch.recv()) {
          take(*t);
        } else {
          gosched();  // closed, or try_recv found nothing: the select above tells
        }
      }
    });
  }
  sending.wait();
  ch.close();
  receiving.wait();
  EXPECT_EQ(sum.load(), int64_t{senders} * each * (each + 1) / 2);
}

// A chain of goroutines that add one; the end is passed on by closing.
void scene_pipeline(Random random) {
  int stages = random.below(12) + 1, values = random.below(50);
  auto first = make_chan<int64_t>(static_cast<size_t>(random.below(3)));
  chan<int64_t> in = first;
  for (int s = 0; s < stages; s++) {
    auto out = make_chan<int64_t>(static_cast<size_t>(random.below(3)));
    go([in, out] {
      for (int64_t v : in) out.send(v + 1);
      out.close();
    });
    in = out;
  }
  go([first, values] {
    for (int i = 0; i < values; i++) first.send(i);
    first.close();
  });
  int64_t sum = 0;
  for (int64_t v : in) sum += v;
  EXPECT_EQ(sum, int64_t{values} * (values - 1) / 2 + int64_t{values} * stages);
}

// Plain data under locks.
void scene_locks(Random random) {
  struct Shared {
    Mutex mu;
    RWMutex rw;
    int64_t under_mu = 0, a = 0, b = 0;
  };
  auto shared = std::make_unique<Shared>();
  int crowd = random.below(8) + 1, each = random.below(60) + 1;
  std::atomic<int64_t> locked{0}, written{0};
  WaitGroup wg;
  for (int g = 0; g < crowd; g++) {
    wg.go([&, s = shared.get(), random = Random(random.next())]() mutable {
      for (int i = 0; i < each; i++) {
        switch (random.below(5)) {
          case 0:
            if (std::unique_lock hold(s->mu, std::try_to_lock); hold) {
              s->under_mu++;
              locked++;
            }
            break;
          case 1: {
            std::scoped_lock hold(s->mu);
            s->under_mu++;
            locked++;
            dither(random);
            break;
          }
          case 2: {
            std::unique_lock hold(s->rw);
            s->a++;
            dither(random);
            s->b++;
            written++;
            break;
          }
          case 3: {
            std::shared_lock hold(s->rw);
            int64_t seen = s->a;
            dither(random);
            if (seen != s->a || seen != s->b) ADD_FAILURE() << "a writer beside a reader";
            break;
          }
          default:
            if (std::shared_lock hold(s->rw, std::try_to_lock); hold && s->a != s->b) {
              ADD_FAILURE() << "a writer beside a reader";
            }
        }
      }
    });
  }
  wg.wait();
  EXPECT_EQ(shared->under_mu, locked.load());
  EXPECT_EQ(shared->a, written.load());
  EXPECT_EQ(shared->b, written.load());
}

// Goroutines that start goroutines, ends by return, goexit and exceptions.
void spread(WaitGroup& wg, std::atomic<int64_t>& count, Random random, int depth) {
  count++;
  for (int i = 0; depth > 0 && i < 2; i++) {
    wg.go([&wg, &count, depth, random = Random(random.next()), t = Tracked(depth)]() mutable {
      dither(random);
      spread(wg, count, random, depth - 1);
      if (t.value() != depth) ADD_FAILURE();
      if (random.one_in(4)) goexit();
    });
  }
}

void scene_tree(Random random) {
  WaitGroup wg;
  std::atomic<int64_t> count{0};
  int depth = random.below(7);
  spread(wg, count, random, depth);
  wg.wait();
  EXPECT_EQ(count.load(), (int64_t{2} << depth) - 1);
}

// Exceptions in flight and in catch blocks across parks.
void scene_exceptions(Random random) {
  int crowd = random.below(10) + 1;
  std::atomic<int> caught{0};
  WaitGroup wg;
  for (int g = 0; g < crowd; g++) {
    wg.go([&, g, random = Random(random.next())]() mutable {
      try {
        struct Dithers {
          Random& random;
          ~Dithers() {
            int before = std::uncaught_exceptions();
            dither(random);
            if (std::uncaught_exceptions() != before) ADD_FAILURE();
          }
        } dithers{random};
        dither(random);
        throw std::runtime_error(std::to_string(g));
      } catch (const std::runtime_error& e) {
        dither(random);
        if (e.what() == std::to_string(g)) caught++;
        if (random.one_in(5)) goexit();
      }
    });
  }
  wg.wait();
  EXPECT_EQ(caught.load(), crowd);
}

// Waiters that close, or a timer, or a value wakes: exactly one reason each.
void scene_select(Random random) {
  auto value = make_chan<int>(static_cast<size_t>(random.below(2))), end = make_chan<int>();
  int waiters = random.below(20) + 1, values = random.below(waiters + 1);
  std::atomic<int> by_value{0}, by_end{0};
  WaitGroup wg;
  for (int i = 0; i < waiters; i++) {
    wg.go([&, random = Random(random.next())]() mutable {
      dither(random);
      select(on_recv(value, [&] { by_value++; }), on_recv(end, [&] { by_end++; }));
    });
  }
  for (int i = 0; i < values; i++) {
    value.send(i);
    dither(random);
  }
  dither(random);
  end.close();
  wg.wait();
  int left = static_cast<int>(value.len());
  EXPECT_EQ(by_value.load() + left, values);
  EXPECT_EQ(by_value.load() + by_end.load(), waiters);
}

// A plain thread in the middle of it.
void scene_thread(Random random) {
  auto ch = make_chan<int>(static_cast<size_t>(random.below(3)));
  auto back = make_chan<int>(1);
  int n = random.below(30);
  std::thread thread([=] {
    int sum = 0;
    for (int v : ch) sum += v;
    back.send(sum);
  });
  for (int i = 0; i < n; i++) {
    ch.send(i);
    dither(random);
  }
  ch.close();
  EXPECT_EQ(back.recv(), n * (n - 1) / 2);
  thread.join();
}

void scene_sleep(Random random) {
  WaitGroup wg;
  std::atomic<int> early{0};
  for (int i = random.below(20); i >= 0; i--) {
    wg.go([&, d = microseconds(random.below(3000))] {
      auto until = std::chrono::steady_clock::now() + d;
      sleep_for(d);
      if (std::chrono::steady_clock::now() < until) early++;
    });
  }
  wg.wait();
  EXPECT_EQ(early.load(), 0);
}

}  // namespace

void play_core(Random& random) {
  Random own(random.next());
  switch (random.below(16)) {
    case 0:
      return scene_thread(own);
    case 1:
    case 2:
      return scene_sleep(own);
    case 3:
    case 4:
      return scene_tree(own);
    case 5:
    case 6:
      return scene_exceptions(own);
    case 7:
    case 8:
      return scene_pipeline(own);
    case 9:
    case 10:
      return scene_select(own);
    case 11:
    case 12:
      return scene_locks(own);
    default:
      return scene_channel(own);
  }
}

}  // namespace weir::testing
