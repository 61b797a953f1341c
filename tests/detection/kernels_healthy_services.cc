// Healthy kernels (kernels.h): pools, servers, timers and sessions of services that are well.

#include <weir/http/client.h>
#include <weir/http/server.h>
#include <weir/weir.h>

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "kernels.h"

namespace kernels {

using namespace std::chrono_literals;
using Ints = weir::chan<int>;

// ---- pools and actors ----

static void idle_pool(int) {
  static const auto jobs = weir::make_chan<int>();
  static weir::Once started;
  started.call([] {
    for (int i = 0; i < 16; ++i) {
      weir::go({.name = "worker"}, [] {
        for ([[maybe_unused]] int job : jobs) {
        }
      });
    }
  });
}

static void busy_pool(int) {
  static const auto jobs = weir::make_chan<int>(8);
  static weir::Once started;
  started.call([] {
    for (int i = 0; i < 6; ++i) {
      weir::go({.name = "worker"}, [] {
        for ([[maybe_unused]] int job : jobs) weir::sleep_for(1ms);
      });
    }
  });
  for (int i = 0; i < 20; ++i) jobs.send(i);
}

// Workers come with the work, and go when they have had none for a while.
static void elastic_pool(int) {
  static const auto jobs = weir::make_chan<int>();
  for (int i = 0; i < 4; ++i) {
    int job = i;
    if (jobs.try_send(job)) continue;
    weir::go([] {
      for (bool on = true; on;) {
        weir::select(weir::on_recv(jobs, [] { weir::sleep_for(1ms); }),
                     weir::on_recv(weir::after(25ms), [&on] { on = false; }));
      }
    });
  }
}

// One for each key; the keys are four.
static void shards(int) {
  static std::array<Ints, 4> mailboxes;
  static weir::Mutex mu;
  static std::atomic<size_t> requests{0};
  const size_t key = requests++ % mailboxes.size();
  Ints mailbox;
  {
    const std::scoped_lock hold(mu);
    if (!mailboxes[key]) {
      mailboxes[key] = weir::make_chan<int>(4);
      weir::go({.name = "shard"}, [in = mailboxes[key]] {
        for ([[maybe_unused]] int message : in) weir::sleep_for(500us);
      });
    }
    mailbox = mailboxes[key];
  }
  mailbox.send(1);
}

// A worker that fails is replaced.
static void supervised(int) {
  static const auto jobs = [] {
    auto made = weir::make_chan<int>();
    weir::go({.name = "supervisor"}, [made] {
      for (;;) {
        weir::WaitGroup worker;
        worker.go([made] { made.recv(); });  // fails at each job
        worker.wait();
      }
    });
    return made;
  }();
  jobs.send(1);
}

// ---- timers ----

static void janitor(int) {
  static weir::Once started;
  started.call([] {
    weir::go({.name = "janitor"}, [] {
      weir::Ticker ticker(7ms);
      for ([[maybe_unused]] auto tick : ticker.c()) {
      }
    });
  });
}

static void heartbeat_ends(int) {
  auto done = weir::make_chan<int>();
  weir::go([done] {
    weir::Ticker ticker(4ms);
    for (bool on = true; on;) {
      weir::select(weir::on_recv(ticker.c()), weir::on_recv(done, [&on] { on = false; }));
    }
    ticker.stop();
  });
  weir::sleep_for(45ms);
  done.close();
}

static void rate_limiter(int) {
  static const auto tokens = weir::make_chan<int>();
  static weir::Once started;
  started.call([] {
    weir::go({.name = "tokens"}, [] {
      weir::Ticker ticker(1ms);
      for ([[maybe_unused]] auto tick : ticker.c()) tokens.send(1);
    });
  });
  for (int i = 0; i < 5; ++i) weir::go([] { tokens.recv(); });
}

static void long_sleep(int) { weir::sleep_for(120ms); }  // some rounds

static void bounded_retries(int) {
  auto pause = 1ms;
  for (int attempt = 0; attempt < 5; ++attempt, pause *= 2) weir::sleep_for(pause);
}

static void delayed_job(int) {
  auto done = weir::make_chan<int>(1);
  (void)weir::after_func(30ms, [done] { done.send(1); });
  done.recv();
}

static void poll_until_ready(int) {
  const auto ready = std::chrono::steady_clock::now() + 60ms;
  while (std::chrono::steady_clock::now() < ready) weir::sleep_for(3ms);
}

static void debounce(int) {
  static const auto events = [] {
    auto made = weir::make_chan<int>();
    weir::go({.name = "debounce"}, [made] {
      weir::Timer quiet(10ms);
      for (;;) {
        weir::select(weir::on_recv(made, [&quiet] { quiet.reset(10ms); }),
                     weir::on_recv(quiet.c()));
      }
    });
    return made;
  }();
  events.send(1);
}

// ---- sessions ----

// Each lasts for one to six rounds.
static void sessions(int) {
  static std::atomic<int> count{0};
  auto closed = weir::make_chan<int>();
  auto session = weir::make_chan<int>();
  weir::go([session, closed] {
    for (bool on = true; on;) {
      weir::select(weir::on_recv(session), weir::on_recv(closed, [&on] { on = false; }));
    }
  });
  weir::sleep_for(std::chrono::milliseconds(40 + 50 * (count++ % 5)));
  closed.close();
}

// Waits for a signal that may never come: one does.
static void reload_signal(int) {
  static weir::Once started;
  static const auto reload = weir::make_chan<int>(), quit = weir::make_chan<int>();
  started.call([] {
    weir::go({.name = "signals"}, [] {
      for (bool on = true; on;) {
        weir::select(weir::on_recv(reload), weir::on_recv(quit, [&on] { on = false; }));
      }
    });
  });
}

// Two generations of a service's workers: the old ones end when the new ones are there.
static void reconfigured(int round) {
  static weir::Mutex mu;
  static Ints stop;
  if (round % 4 != 0) return;
  const std::scoped_lock hold(mu);
  auto next = weir::make_chan<int>();
  for (int i = 0; i < 4; ++i) weir::go([next] { next.recv(); });
  if (stop) stop.close();
  stop = next;
}

// ---- the network ----

static const std::string& hello_server() {
  static const std::string url = [] {
    weir::net::Listener listener = weir::net::listen("tcp", "127.0.0.1:0");
    auto server = std::make_shared<weir::http::Server>(
        [](weir::http::ResponseWriter& w, weir::http::ServerRequest&) { w.write("hello\n"); },
        weir::http::ServerOptions{.idle_timeout = 0s});
    weir::go({.name = "accept"}, [server, listener] { server->serve(listener); });
    return "http://" + listener.addr().to_string() + "/";
  }();
  return url;
}

// Connections stay open for the next request, as many as were used at once.
static void keep_alive(int) {
  static weir::http::Client client({.idle_timeout = 0s, .max_idle_per_host = 4});
  weir::WaitGroup wg;
  for (int i = 0; i < 4; ++i) wg.go([] { (void)client.get(hello_server()).body.read_all(); });
  wg.wait();
}

static void closed_bodies(int) {
  static weir::http::Client client({.max_idle_per_host = 2});
  weir::http::Response response = client.get(hello_server());
  response.body.close();
}

static void idle_server(int) { (void)hello_server(); }

// Connections that come, echo and go.
static void echo(int) {
  static const auto listener = [] {
    auto made = weir::net::listen("tcp", "127.0.0.1:0");
    weir::go({.name = "accept"}, [made] {
      for (;;) {
        weir::go([conn = made.accept()] {
          std::array<char, 64> buffer;
          while (const size_t n = conn.read(buffer.data(), buffer.size())) {
            conn.write(buffer.data(), n);
          }
        });
      }
    });
    return made;
  }();
  auto conn = weir::net::dial("tcp", listener.addr().to_string());
  std::array<char, 64> buffer;
  conn.write("hello\n");
  conn.read(buffer.data(), buffer.size());
  weir::sleep_for(50ms);
}

static void read_deadline(int) {
  static const auto silent = weir::net::listen("tcp", "127.0.0.1:0");
  auto conn = weir::net::dial("tcp", silent.addr().to_string());
  conn.set_read_deadline(std::chrono::steady_clock::now() + 40ms);
  char c;
  try {
    conn.read(&c, 1);
  } catch (const weir::net::error&) {
  }
}

static void blocking_calls(int) {
  weir::blocking([] { std::this_thread::sleep_for(15ms); });
}

Family healthy_services() {
  return {"healthy: services",
          {
              {"idle_pool", "sixteen workers, and no work", idle_pool},
              {"busy_pool", "six workers, and work", busy_pool},
              {"elastic_pool", "workers that come and go", elastic_pool},
              {"shards", "an actor for each of four keys", shards},
              {"supervised", "a worker that is replaced when it fails", supervised},
              {"janitor", "one ticker for a cache", janitor},
              {"heartbeat_ends", "a ticker for each session, which ends with it", heartbeat_ends},
              {"rate_limiter", "requests that wait for tokens", rate_limiter},
              {"long_sleep", "long sleeps that end", long_sleep},
              {"bounded_retries", "pauses that double five times", bounded_retries},
              {"delayed_job", "a timer that calls a function", delayed_job},
              {"poll_until_ready", "asks until it is ready", poll_until_ready},
              {"debounce", "a timer that is reset all the time", debounce},
              {"sessions", "sessions of one to six rounds", sessions},
              {"reload_signal", "one waits for a signal", reload_signal},
              {"reconfigured", "workers replaced by others every fourth round", reconfigured},
              {"keep_alive", "connections that are used again", keep_alive},
              {"closed_bodies", "bodies that are closed unread", closed_bodies},
              {"idle_server", "a server that nobody asks", idle_server},
              {"echo", "connections that come and go", echo},
              {"read_deadline", "a silent peer and a deadline", read_deadline},
              {"blocking_calls", "system calls that return", blocking_calls},
          }};
}

}  // namespace kernels
