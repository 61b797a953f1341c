// One test for each kind of leak, which it leaves behind; compiled with WEIR_LEAKY_FIXED, the same
// tests with the bug mended. tests/integration/testing_test.py runs both, and compares what the
// failures say with the names here.
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>

#include <weir/http/client.h>
#include <weir/http/server.h>
#include <weir/testing.h>
#include <weir/weir.h>

using namespace std::chrono_literals;

namespace leaky {

#if defined(WEIR_LEAKY_FIXED)
constexpr bool kFixed = true;
#else
constexpr bool kFixed = false;
#endif

// The places where goroutines get stuck: functions of their own, for the messages. What they use is
// theirs, since it has to outlive main.

[[gnu::noinline]] void receive(weir::chan<int> c) { c.recv(); }
[[gnu::noinline]] void send(weir::chan<int> c) { c.send(1); }
[[gnu::noinline]] void select_one(weir::chan<int> a, weir::chan<int> b) {
  weir::select(weir::on_recv(a), weir::on_recv(b));
}
[[gnu::noinline]] void select_nothing() { weir::select(); }
[[gnu::noinline]] void lock(const std::shared_ptr<weir::Mutex>& m) {
  const std::scoped_lock hold(*m);
}
[[gnu::noinline]] void write_lock(const std::shared_ptr<weir::RWMutex>& m) {
  const std::scoped_lock hold(*m);
}
[[gnu::noinline]] void wait(const std::shared_ptr<weir::WaitGroup>& wg) { wg->wait(); }
[[gnu::noinline]] void acquire(const std::shared_ptr<weir::Semaphore>& s) {
  s->acquire();
  s->release();
}
[[gnu::noinline]] void sleep(std::chrono::seconds d) { weir::sleep_for(d); }
[[gnu::noinline]] void spin(const std::shared_ptr<std::atomic<bool>>& stop) {
  while (!stop->load(std::memory_order_relaxed)) {
  }
}
[[gnu::noinline]] void accept(weir::net::Listener listener) {
  try {
    (void)listener.accept();
  } catch (const weir::net::error&) {
    // It was closed.
  }
}
[[gnu::noinline]] void read_pipe(int fd) {
  weir::blocking([fd] {
    char c = 0;
    return read(fd, &c, 1);
  });
}

struct Jobs {
  weir::Mutex mutex;
  weir::Cond more;
  int count = 0;
};
[[gnu::noinline]] void take_job(const std::shared_ptr<Jobs>& jobs) {
  std::unique_lock hold(jobs->mutex);
  jobs->more.wait(hold, [&] { return jobs->count > 0; });
}

TEST(Leaky, nil_channel) {
  weir::run([] {
    weir::chan<int> c;
    if (kFixed) c = weir::make_chan<int>(1);
    weir::go([c] { receive(c); });
    if (kFixed) c.send(1);
  });
}

TEST(Leaky, chan_send) {
  weir::run([] {
    auto result = weir::make_chan<int>(kFixed ? 1 : 0);
    weir::go([result] { send(result); });
  });
}

TEST(Leaky, chan_receive) {
  weir::run([] {
    auto jobs = weir::make_chan<int>();
    weir::go([jobs] { receive(jobs); });
    if (kFixed) jobs.close();
  });
}

TEST(Leaky, select) {
  weir::run([] {
    auto events = weir::make_chan<int>(), stop = weir::make_chan<int>();
    weir::go([=] { select_one(events, stop); });
    if (kFixed) stop.close();
  });
}

TEST(Leaky, select_no_cases) {
  weir::run([] {
    weir::go([] {
      if (!kFixed) select_nothing();
    });
  });
}

TEST(Leaky, mutex_forgotten_unlock) {
  weir::run([] {
    auto m = std::make_shared<weir::Mutex>();
    weir::WaitGroup locked;
    locked.go([m] {
      m->lock();
      if (kFixed) m->unlock();
    });
    locked.wait();
    weir::go([m] { lock(m); });
  });
}

// Its owner is alive, and waits for something else: a leak as well.
TEST(Leaky, mutex) {
  weir::run([] {
    auto m = std::make_shared<weir::Mutex>();
    auto answer = weir::make_chan<int>(), locked = weir::make_chan<int>(1);
    weir::go([=]() mutable {
      const std::scoped_lock hold(*m);
      locked.send(1);
      receive(answer);
    });
    locked.recv();
    weir::go([m] { lock(m); });
    if (kFixed) answer.close();
  });
}

TEST(Leaky, rwmutex) {
  weir::run([] {
    auto m = std::make_shared<weir::RWMutex>();
    auto answer = weir::make_chan<int>(), locked = weir::make_chan<int>(1);
    weir::go([=]() mutable {
      const std::shared_lock hold(*m);
      locked.send(1);
      receive(answer);
    });
    locked.recv();
    weir::go([m] { write_lock(m); });
    if (kFixed) answer.close();
  });
}

TEST(Leaky, waitgroup) {
  weir::run([] {
    auto wg = std::make_shared<weir::WaitGroup>();
    wg->add(2);
    weir::go([wg] { wg->done(); });
    weir::go([wg] { wait(wg); });
    if (kFixed) wg->done();
  });
}

TEST(Leaky, cond) {
  weir::run([] {
    auto jobs = std::make_shared<Jobs>();
    weir::go([jobs] { take_job(jobs); });
    if (!kFixed) return;
    const std::scoped_lock hold(jobs->mutex);
    jobs->count = 1;
    jobs->more.signal();
  });
}

TEST(Leaky, semaphore) {
  weir::run([] {
    auto memory = std::make_shared<weir::Semaphore>(1);
    memory->acquire();
    weir::go([memory] { acquire(memory); });
    if (kFixed) memory->release();
  });
}

TEST(Leaky, http_body) {
  weir::run([] {
    // Objects of the leak, which outlive main where it is one.
    static weir::http::Client* client = new weir::http::Client();
    static weir::http::Response* response = nullptr;
    weir::http::Mux mux;
    mux.handle("GET /status", [](weir::http::ResponseWriter& w, weir::http::ServerRequest&) {
      w.write(std::string(1 << 20, 'x'));
    });
    weir::http::Server server(std::move(mux));
    weir::net::Listener listener = weir::net::listen("tcp", "127.0.0.1:0");
    weir::WaitGroup serving;
    serving.go([&] { server.serve(listener); });
    response = new weir::http::Response(
        client->get("http://" + listener.addr().to_string() + "/status?of=body"));
    if (kFixed) {
      delete response;
      delete client;
    }
    server.close();
    serving.wait();
  });
}

TEST(Leaky, sleep) {
  weir::run([] { weir::go([] { sleep(kFixed ? 0s : 3600s); }); });
}

TEST(Leaky, io_wait) {
  weir::run([] {
    weir::net::Listener listener = weir::net::listen("tcp", "127.0.0.1:0");
    weir::go([listener] { accept(listener); });
    if (kFixed) listener.close();
  });
}

TEST(Leaky, syscall) {
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe(ends.data()), 0);
  weir::run([&] {
    weir::go([fd = ends[0]] { read_pipe(fd); });
    if (kFixed) close(ends[1]);
  });
}

TEST(Leaky, deadlock) {
  weir::run([] {
    auto a = std::make_shared<weir::Mutex>(), b = std::make_shared<weir::Mutex>();
    auto a_locked = weir::make_chan<int>(1), b_locked = weir::make_chan<int>(1);
    weir::go([=]() mutable {
      const std::scoped_lock hold(*a);
      a_locked.send(1);
      if (!kFixed) b_locked.recv();
      lock(b);
    });
    weir::go([=]() mutable {
      if (kFixed) a_locked.recv();
      const std::scoped_lock hold(kFixed ? *a : *b);
      b_locked.send(1);
      if (!kFixed) a_locked.recv();
      lock(kFixed ? b : a);
    });
  });
}

// The last one: it takes a processor from the others.
TEST(Leaky, spinning) {
  weir::run([] {
    auto stop = std::make_shared<std::atomic<bool>>(false);
    weir::go([stop] { spin(stop); });
    if (kFixed) *stop = true;
  });
}

}  // namespace leaky

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  weir::testing::install_leak_listener({.timeout = 200ms});
  return RUN_ALL_TESTS();
}
