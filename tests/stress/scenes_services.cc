// Scenes of blocking calls, locked threads, timers and the network (scenes.h).

#include "scenes.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <string>
#include <string_view>
#include <vector>

#include <weir/net.h>
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

// A server whose clients send, half-close, hang up at once, come late or are cut off by a deadline.
void scene_network(Random random) {
  net::Listener listener = net::listen("tcp", "127.0.0.1:0");
  std::string address = listener.addr().to_string();
  int clients = random.below(6) + 1;
  std::atomic<int> echoed{0}, expected{0};
  WaitGroup wg;
  wg.go([&] {
    for (int i = 0; i < clients; i++) {
      wg.go([conn = listener.accept()]() mutable {
        char buffer[64];
        try {
          conn.set_deadline(std::chrono::steady_clock::now() + std::chrono::seconds(30));
          while (size_t n = conn.read(buffer, sizeof buffer)) conn.write(buffer, n);
        } catch (const net::error&) {
          // The client hung up.
        }
        conn.close();
      });
    }
  });
  for (int i = 0; i < clients; i++) {
    wg.go([&, random = Random(random.next())]() mutable {
      net::Conn conn = net::dial("tcp", address);
      int messages = random.below(8);
      char message[16] = "a message", answer[16];
      for (int k = 0; k < messages; k++) {
        expected++;
        conn.write(message, sizeof message);
        dither(random);
        size_t got = 0;
        while (got < sizeof answer) {
          size_t n = conn.read(answer + got, sizeof answer - got);
          if (n == 0) break;
          got += n;
        }
        if (got == sizeof answer && std::string_view(answer) == message) echoed++;
      }
      switch (random.below(3)) {
        case 0: {  // nothing comes: the deadline ends the wait
          conn.set_read_deadline(std::chrono::steady_clock::now() +
                                 microseconds(random.below(300)));
          EXPECT_THROW(conn.read(answer, sizeof answer), net::error);
          break;
        }
        case 1: {
          conn.close_write();
          EXPECT_EQ(conn.read(answer, sizeof answer), 0u);
          break;
        }
        default:
          break;
      }
      conn.close();
    });
  }
  wg.wait();
  listener.close();
  EXPECT_EQ(echoed.load(), expected.load());
}

}  // namespace

void play_services(Random& random) {
  Random own(random.next());
  switch (random.below(4)) {
    case 0:
      return scene_blocking(own);
    case 1:
      return scene_locked(own);
    case 2:
      return scene_network(own);
    default:
      return scene_timers(own);
  }
}

}  // namespace weir::testing
