// Scenes of blocking calls, locked threads and timers (scenes.h).

#include "scenes.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <atomic>
#include <cerrno>

#include <weir/weir.h>

#include "../unit/test_util.h"

namespace weir::testing {

using std::chrono::microseconds;

namespace {

// Goroutines in the kernel, some of which wait for others through it.
void scene_blocking(Random random) {
  int fd[2];
  ASSERT_EQ(pipe(fd), 0);
  int crowd = random.below(10) + 1;
  std::atomic<int> got{0};
  WaitGroup wg;
  for (int i = 0; i < crowd; i++) {
    wg.go([&, random = Random(random.next())]() mutable {
      dither(random);
      char c = 0;
      blocking([&] {
        while (read(fd[0], &c, 1) < 0 && errno == EINTR) {
        }
      });
      got += c;
      if (random.one_in(2)) blocking([&] { usleep(static_cast<useconds_t>(random.below(300))); });
    });
  }
  for (int i = 0; i < crowd; i++) {
    wg.go([&, random = Random(random.next())]() mutable {
      dither(random);
      char one = 1;
      blocking([&] { EXPECT_EQ(write(fd[1], &one, 1), 1); });
    });
  }
  wg.wait();
  EXPECT_EQ(got.load(), crowd);
  close(fd[0]);
  close(fd[1]);
}

// Goroutines that stay on their threads talk to others that do not.
void scene_locked(Random random) {
  auto ch = make_chan<int>(static_cast<size_t>(random.below(2)));
  int n = random.below(30);
  WaitGroup wg;
  wg.go([&, random = Random(random.next())]() mutable {
    lock_os_thread();
    pid_t mine = gettid();
    for (int i = 0; i < n; i++) {
      ch.send(i);
      dither(random);
      if (gettid() != mine) ADD_FAILURE() << "moved";
    }
    ch.close();
    if (random.one_in(2)) unlock_os_thread();
  });
  int sum = 0;
  for (int v : ch) {
    sum += v;
    dither(random);
  }
  wg.wait();
  EXPECT_EQ(sum, n * (n - 1) / 2);
}

// Timers that are stopped, reset, and come due.
void scene_timers(Random random) {
  std::atomic<int> ran{0};
  int stopped = 0, n = random.below(20) + 1;
  std::vector<Timer> timers;
  for (int i = 0; i < n; i++) {
    timers.push_back(after_func(microseconds(random.below(500)), [&ran] { ran++; }));
  }
  dither(random);
  for (Timer& t : timers) {
    if (random.one_in(2) && t.stop()) stopped++;
  }
  EXPECT_TRUE(eventually([&] { return ran.load() + stopped == n; }));
  Timer t(microseconds(random.below(100)));
  dither(random);
  t.reset(microseconds(random.below(100)));
  t.c().recv();
  auto tick = after(microseconds(random.below(200)));
  auto never = make_chan<int>();
  select(on_recv(never), on_recv(tick));
}

}  // namespace

void play_services(Random& random) {
  Random own(random.next());
  switch (random.below(3)) {
    case 0:
      return scene_blocking(own);
    case 1:
      return scene_locked(own);
    default:
      return scene_timers(own);
  }
}

}  // namespace weir::testing
