// HTTP under fire: clients that read all, some or nothing, give up, are cancelled and upload at
// once, against servers that answer in pieces, throw, wait for the client to leave, and are shut
// down in the midst of it. Each exchange has a letter of its own, so a byte that went to another
// one shows; a goroutine, a connection or a wake-up that was lost shows as one too many, or a hang.
//
//   WEIR_TEST_SEED=N        the same choices again (the interleaving is the machine's)
//   WEIR_STRESS_SECONDS=N   how long, default 5

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include <weir/http/client.h>
#include <weir/http/server.h>
#include <weir/weir.h>

#include "../unit/net_test_util.h"
#include "stress_util.h"

namespace weir::testing {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;

std::atomic<int64_t> whole{0}, given_up{0}, failed{0}, uploads{0};

std::string letters(size_t n, char letter) { return std::string(n, letter); }

http::Mux routes() {
  http::Mux mux;
  mux.handle("GET /letters/{letter}/{count}", [](http::ResponseWriter& w, http::ServerRequest& r) {
    const char letter = r.path_value("letter").front();
    size_t left = std::stoul(std::string(r.path_value("count")));
    Random random(left);
    while (left > 0) {
      const size_t n = std::min(left, static_cast<size_t>(1 + random.below(20'000)));
      w.write(letters(n, letter));
      left -= n;
      if (random.one_in(4)) w.flush();
      if (random.one_in(8)) sleep_for(microseconds(random.below(500)));
    }
  });
  mux.handle("POST /echo", [](http::ResponseWriter& w, http::ServerRequest& r) {
    w.write(r.body(size_t{4} << 20));
  });
  mux.handle("GET /wait", [](http::ResponseWriter& w, http::ServerRequest& r) {
    select(on_recv(r.context().done()), on_recv(after(2ms)));
    w.write("waited");
  });
  mux.handle("GET /throw", [](http::ResponseWriter& w, http::ServerRequest& r) {
    if (r.has_query("late")) {
      w.write("begun");
      w.flush();
    }
    throw std::runtime_error("as it should");
  });
  return mux;
}

void expect_letters(const std::string& text, char letter, std::optional<size_t> count) {
  EXPECT_EQ(text.find_first_not_of(letter), text.npos) << "a byte of another exchange";
  if (count) {
    EXPECT_EQ(text.size(), *count);
  }
}

// Reads all of it, some, or nothing.
void use(http::Response& r, char letter, std::optional<size_t> count, Random& random) {
  if (random.one_in(4)) {
    char buffer[3000];
    for (int i = random.below(4); i > 0; i--) {
      expect_letters({buffer, r.body.read(buffer, sizeof buffer)}, letter, std::nullopt);
    }
    if (random.one_in(2)) r.body.close();
    given_up++;
    return;
  }
  expect_letters(r.body.read_all(), letter, count);
  whole++;
}

void ask(http::Client& client, const std::string& url, Random random) {
  const char letter = static_cast<char>('a' + random.below(26));
  auto [ctx, cancel] = with_cancel(background());
  http::Request request{.context = ctx};
  std::optional<size_t> count;
  switch (random.below(8)) {
    case 0:
      request.url = url + "/wait";
      break;
    case 1:
      request.url = url + (random.one_in(2) ? "/throw" : "/throw?late=1");
      break;
    case 2:
    case 3: {
      request.method = "POST";
      request.url = url + "/echo";
      count = static_cast<size_t>(random.below(random.one_in(3) ? 300'000 : 3000));
      if (random.one_in(2)) {
        request.body = letters(*count, letter);
        break;
      }
      request.body_length = random.one_in(2) ? static_cast<int64_t>(*count) : -1;
      request.body_pieces = [left = *count, letter,
                             random]() mutable -> std::optional<std::string> {
        if (left == 0) return std::nullopt;
        const size_t n = std::min(left, static_cast<size_t>(1 + random.below(50'000)));
        left -= n;
        if (random.one_in(8)) sleep_for(microseconds(random.below(300)));
        return letters(n, letter);
      };
      uploads++;
      break;
    }
    default:
      count = static_cast<size_t>(random.below(random.one_in(4) ? 500'000 : 2000));
      request.url = url + "/letters/" + letter + "/" + std::to_string(*count);
  }
  const bool is_letters = count.has_value();
  WaitGroup canceller;
  if (random.one_in(5)) {
    canceller.go([cancel = cancel, d = microseconds(random.below(3000))] {
      sleep_for(d);
      cancel();
    });
  }
  try {
    http::Response r = client.send(std::move(request));
    if (is_letters && r.status == 200) {
      use(r, letter, count, random);
    } else if (random.one_in(2)) {
      (void)r.body.read_all();
    }
  } catch (const std::exception&) {
    // The server was shut down, has thrown, or the context was done.
    failed++;
  }
  canceller.wait();
  cancel();
}

// A server, its clients, and its end.
void play(Random random) {
  net::Listener listener = net::listen("tcp", "127.0.0.1:0");
  const std::string url = "http://" + listener.addr().to_string();
  http::Server server(routes(), {.header_timeout = 5s,
                                 .read_timeout = 5s,
                                 .write_timeout = 5s,
                                 .idle_timeout = random.one_in(3) ? 2ms : 5s,
                                 .max_connections = random.one_in(4) ? size_t{4} : 0,
                                 .log = [](std::string_view) {}});
  http::Client client({.timeout = random.one_in(3) ? 5ms : 10s,
                       .idle_timeout = random.one_in(3) ? 1ms : 5s,
                       .max_idle_per_host = static_cast<size_t>(random.below(5)),
                       .max_per_host = random.one_in(4) ? size_t{3} : 0});
  WaitGroup all;
  all.go([&] { server.serve(listener); });
  for (int i = 1 + random.below(12); i > 0; i--) {
    all.go([&client, url, r = Random(random.next())]() mutable {
      for (int n = 1 + r.below(20); n > 0; n--) ask(client, url, Random(r.next()));
    });
  }
  sleep_for(microseconds(random.below(30'000)));
  if (random.one_in(2)) {
    auto [ctx, cancel] = with_timeout(background(), microseconds(random.below(20'000)));
    try {
      server.shutdown(ctx);
    } catch (const std::system_error&) {
      // It took longer.
    }
    cancel();
  } else {
    server.close();
  }
  all.wait();
}

void storm(uint64_t seed, int procs, bool perturbed) {
  std::cout << "seed " << seed << ", " << procs << " procs" << (perturbed ? ", perturbed" : "")
            << std::endl;
  Options options{.maxprocs = procs};
  if (perturbed) options.perturb_seed = seed | 1;
  const auto end =
      Clock::now() + std::chrono::duration_cast<Clock::duration>(stress_duration() / 4);
  weir::run(
      [&] {
        leaving_nothing([&] {
          WaitGroup drivers;
          for (uint64_t d = 0; d < 3; d++) {
            drivers.go([&, d] {
              Random random(seed, d);
              while (Clock::now() < end) play(Random(random.next()));
            });
          }
          drivers.wait();
        });
      },
      options);
}

TEST(HttpStress, ClientsServersAndTheirEnds) {
  const uint64_t seed = stress_seed();
  for (const int procs : {1, 2, 4}) storm(seed + static_cast<uint64_t>(procs), procs, false);
  storm(seed, 4, true);
  std::cout << whole << " bodies read, " << given_up << " given up, " << failed << " failed, "
            << uploads << " uploads" << std::endl;
  EXPECT_GT(whole, 0);
}

}  // namespace
}  // namespace weir::testing
