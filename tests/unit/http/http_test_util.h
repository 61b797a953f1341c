// What the tests of HTTP share: a server on a port of its own, one that says what a test tells it,
// and a client that sends bytes as they are.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include <weir/http/client.h>
#include <weir/http/server.h>
#include <weir/weir.h>

#include "net_test_util.h"

namespace weir::testing {

using namespace std::chrono_literals;

// weir's server. The end of its scope closes it and waits for its goroutines.
class Serving {
 public:
  explicit Serving(http::Handler handler, http::ServerOptions options = {})
      : server(std::move(handler), std::move(options)) {
    net::Listener listener = net::listen("tcp", "127.0.0.1:0");
    address = listener.addr().to_string();
    go([this, listener] {
      server.serve(listener);
      served_.close();
    });
  }
  ~Serving() {
    server.close();
    served_.recv();
  }
  std::string url(std::string_view path = "/") const {
    return "http://" + address + std::string(path);
  }

  http::Server server;
  std::string address;

 private:
  chan<bool> served_ = make_chan<bool>();
};

// A connection whose bytes a test writes and reads. All reading gives up after long.
class Raw {
 public:
  explicit Raw(const std::string& address) : Raw(net::dial("tcp", address)) {}
  explicit Raw(net::Conn c) : conn(std::move(c)) {
    conn.set_read_deadline(std::chrono::steady_clock::now() + 60s);
  }
  Raw& send(std::string_view bytes) {
    conn.write(bytes);
    return *this;
  }
  // Up to and with `end`; what there is, where the other side closes before.
  std::string until(std::string_view end) {
    for (size_t at; (at = ahead_.find(end)) == ahead_.npos;) {
      if (!fill()) return std::exchange(ahead_, {});
    }
    return take(ahead_.find(end) + end.size());
  }
  std::string exactly(size_t size) {
    while (ahead_.size() < size && fill()) {
    }
    return take(std::min(size, ahead_.size()));
  }
  // Until the other side closes: regularly, or by a reset.
  std::string rest() {
    while (fill()) {
    }
    return std::exchange(ahead_, {});
  }
  // A message with its body, if that has a Content-Length or chunks.
  std::string message() {
    std::string all = until("\r\n\r\n");
    if (const size_t at = all.find("Content-Length: "); at != all.npos) {
      all += exactly(std::stoul(all.substr(at + 16)));
    } else if (all.find("Transfer-Encoding: chunked") != all.npos) {
      all += until("0\r\n\r\n");
    }
    return all;
  }

  const net::Conn conn;

 private:
  bool fill() {
    char buffer[4096];
    size_t n = 0;
    try {
      n = conn.read(buffer, sizeof buffer);
    } catch (const net::error& e) {
      if (e.timeout()) ADD_FAILURE() << "the other side says nothing more";
    }
    ahead_.append(buffer, n);
    return n != 0;
  }
  std::string take(size_t n) {
    std::string front = ahead_.substr(0, n);
    ahead_.erase(0, n);
    return front;
  }

  std::string ahead_;
};

// Without the field that depends on the time.
inline std::string undated(std::string text) {
  for (size_t at; (at = text.find("\r\nDate: ")) != text.npos;) {
    text.erase(at, text.find("\r\n", at + 2) - at);
  }
  return text;
}

// Sends it all at once on a connection of its own; everything that comes until that is closed.
inline std::string ask(const std::string& address, std::string_view bytes) {
  return undated(Raw(address).send(bytes).rest());
}
inline std::string ask(const Serving& s, std::string_view bytes) { return ask(s.address, bytes); }

// A connection of a server with a short idle timeout, which answers "ok". On a busy machine it may
// be closed before the request is there: then another one is tried.
inline bool answers_and_is_closed(const Serving& s) {
  return eventually([&s] {
    std::string answer, rest;
    try {
      Raw raw(s.address);
      answer = raw.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").message();
      rest = raw.rest();
    } catch (const net::error&) {
    }
    EXPECT_EQ(rest, "");
    return answer.ends_with("ok");
  });
}

inline std::string status_line(const std::string& answer) {
  return answer.substr(0, answer.find("\r\n"));
}
inline std::string body_of(const std::string& answer) {
  const size_t at = answer.find("\r\n\r\n");
  return at == answer.npos ? "" : answer.substr(at + 4);
}

// A server that serves each connection by `f(raw, n)`, n counting from 0, and then closes it.
class Scripted {
 public:
  explicit Scripted(std::function<void(Raw&, int)> f)
      : listener_(net::listen("tcp", "127.0.0.1:0")) {
    address = listener_.addr().to_string();
    group_.add(1);
    go([this, f = std::move(f)] {
      for (int n = 0;; ++n) {
        net::Conn conn;
        try {
          conn = listener_.accept();
        } catch (const net::error&) {
          break;
        }
        accepted.store(n + 1);
        group_.add(1);
        go([this, &f, n, conn = std::move(conn)]() mutable {
          try {
            Raw raw(std::move(conn));
            f(raw, n);
          } catch (const net::error&) {
            // The client is gone.
          }
          group_.done();
        });
      }
      connections_end(f);
    });
  }
  // Says `answer` to the first request of each connection, and closes it.
  explicit Scripted(std::string answer)
      : Scripted([answer = std::move(answer)](Raw& raw, int) {
          raw.message();
          raw.send(answer);
        }) {}
  ~Scripted() {
    listener_.close();
    group_.wait();
    served_.recv();
  }
  std::string url(std::string_view path = "/") const {
    return "http://" + address + std::string(path);
  }

  std::string address;
  std::atomic<int> accepted{0};

 private:
  // f lives until the last connection has been served.
  void connections_end(const std::function<void(Raw&, int)>&) {
    group_.done();
    group_.wait();
    served_.close();
  }

  net::Listener listener_;
  WaitGroup group_;
  chan<bool> served_ = make_chan<bool>();
};

// The text of the std::exception that f throws; "": none.
template <class F>
std::string thrown(F f) {
  try {
    f();
  } catch (const std::exception& e) {
    return e.what();
  }
  return "";
}

}  // namespace weir::testing
