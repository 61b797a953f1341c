// What HTTP clients and servers do to goroutines: the body that nobody closed, retries that get
// ever slower, and servers that are idle, as they should be.

#include <weir/http/client.h>
#include <weir/http/server.h>
#include <weir/weir.h>

#include <chrono>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "zoo.h"

namespace zoo {

using namespace std::chrono_literals;

namespace {

// A server on loopback for the rest of the program.
class Backend {
 public:
  explicit Backend(weir::http::ServerOptions options) : server_(routes(), std::move(options)) {
    weir::net::Listener listener = weir::net::listen("tcp", "127.0.0.1:0");
    url_ = "http://" + listener.addr().to_string();
    weir::go({.name = "accept"}, [this, listener] { server_.serve(listener); });
  }
  const std::string& url() const { return url_; }

 private:
  static weir::http::Handler routes() {
    weir::http::Mux mux;
    mux.handle("GET /status", [](weir::http::ResponseWriter& w, weir::http::ServerRequest&) {
      w.headers().set("Content-Type", "application/json");
      w.write(R"({"ok": true})"
              "\n");
    });
    return mux;
  }

  weir::http::Server server_;
  std::string url_;
};

// Asked by the leak. It closes idle connections soon: what stays is the client's.
Backend& backend() {
  static Backend* b = new Backend({.idle_timeout = 2s});
  return *b;
}

}  // namespace

// ---- a health check that looks at the status alone, and keeps the responses for a report that
// nobody asks for ----

struct HealthLog {
  weir::Mutex mutex;
  std::deque<weir::http::Response> responses;
};

void http_body_not_closed() {
  static HealthLog* log = new HealthLog();
  static weir::http::Client* client = new weir::http::Client({.timeout = {}});
  try {
    weir::http::Response response = client->get(backend().url() + "/status");
    if (response.status != 200) return;
    const std::scoped_lock hold(log->mutex);
    log->responses.push_back(std::move(response));  // its body was neither read nor closed
  } catch (const weir::net::error&) {
    // Out of descriptors: each response keeps one.
  }
}

// ---- retries that double their pause each time, without end, while new requests come ----

static bool attempt() { return false; }  // what it needs is gone for good

[[gnu::noinline]] static void slow_work_retry() {
  for (auto pause = 10ms;; pause *= 2) {
    if (attempt()) return;
    weir::sleep_for(pause);
  }
}
void slow_work() {
  weir::go([] { slow_work_retry(); });
}

// ---- healthy: servers that wait for connections, connections that wait for requests ----

void live_idle_servers() {
  constexpr int kServers = 3, kClients = 8;
  std::vector<std::unique_ptr<Backend>> servers;
  for (int i = 0; i < kServers; i++) {
    servers.push_back(std::make_unique<Backend>(weir::http::ServerOptions{.idle_timeout = 0s}));
  }
  weir::http::Client client({.idle_timeout = 0s, .max_idle_per_host = kClients});
  for (;;) {
    for (const auto& server : servers) {
      weir::WaitGroup all;
      for (int i = 0; i < kClients; i++) {
        all.go([&] { (void)client.get(server->url() + "/status").body.read_all(); });
      }
      all.wait();
    }
    weir::sleep_for(30s);
  }
}

}  // namespace zoo
