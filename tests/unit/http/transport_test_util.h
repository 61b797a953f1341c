// A client that speaks as badly as the test wants, and a site whose answers the test holds in hand.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "debug/endpoint.h"

namespace weir::http::debug::testing {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kDeadline = 60s;  // for what takes well under one on an idle machine

inline bool eventually(const std::function<bool()>& check) {
  const auto end = Clock::now() + kDeadline;
  while (!check()) {
    if (Clock::now() > end) return false;
    std::this_thread::sleep_for(2ms);
  }
  return true;
}

// A connection. What it reads it waits for, up to the deadline.
class Client {
 public:
  explicit Client(const Address& a, int receive_buffer = 0) : Client(unconnected(a)) {
    if (receive_buffer) {
      setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    }
    connect(a);
  }
  // With the file descriptor that connect() will need.
  static Client unconnected(const Address& a) {
    return Client(socket(a.is_unix() ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  }
  Client(Client&& from) noexcept
      : fd_(std::exchange(from.fd_, -1)), connected_(from.connected_), got_(std::move(from.got_)) {}
  ~Client() {
    if (fd_ >= 0) ::close(fd_);
  }

  void connect(const Address& a) {
    sockaddr_un path{};
    path.sun_family = AF_UNIX;
    std::strncpy(path.sun_path, a.path.c_str(), sizeof path.sun_path - 1);
    sockaddr_in port{};
    port.sin_family = AF_INET;
    port.sin_port = htons(static_cast<uint16_t>(a.port));
    port.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ =
        (a.is_unix() ? ::connect(fd_, reinterpret_cast<sockaddr*>(&path), sizeof path)
                     : ::connect(fd_, reinterpret_cast<sockaddr*>(&port), sizeof port)) == 0;
  }
  bool connected() const { return connected_; }
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(n));
    }
    return true;
  }
  // As much as goes without waiting; false: the other side is gone.
  bool push(std::string_view bytes) {
    const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return n >= 0 || errno == EAGAIN;
  }
  bool ask(std::string_view path, std::string_view fields = {}) {
    return send("GET " + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\n" +
                std::string(fields) + "\r\n");
  }

  // Whether something has come that is not read yet.
  bool has_more() const {
    pollfd p{fd_, POLLIN, 0};
    return poll(&p, 1, 0) > 0;
  }
  ssize_t receive(char* to, size_t size) { return recv(fd_, to, size, 0); }

  // One answer, its head and body; what came of it where the connection ended before.
  std::string answer(bool has_body = true) {
    const size_t head = until("\r\n\r\n");
    if (head == std::string::npos) return std::exchange(got_, {});
    size_t end = head;
    if (has_body && got_.substr(0, head).find("Transfer-Encoding: chunked") != std::string::npos) {
      end = until("0\r\n\r\n", head);
    } else if (const size_t at = got_.find("Content-Length: "); has_body && at < head) {
      end = head + std::strtoul(got_.c_str() + at + 16, nullptr, 10);
      while (got_.size() < end && more()) {
      }
    }
    std::string one = got_.substr(0, end);
    got_.erase(0, one.size());
    return one;
  }
  std::string rest() {  // until the other side closes
    while (more()) {
    }
    return std::exchange(got_, {});
  }
  bool closed() { return rest().empty() && ended_; }

 private:
  explicit Client(int fd) : fd_(fd) {
    if (fd < 0) ADD_FAILURE() << "no socket for a client: " << std::strerror(errno);
  }
  bool more() {
    if (fd_ < 0) return false;  // poll(2) would wait
    pollfd p{fd_, POLLIN, 0};
    const auto ms = std::chrono::milliseconds(kDeadline).count();
    if (poll(&p, 1, static_cast<int>(ms)) <= 0) {
      ADD_FAILURE() << "nothing came, and the connection was not closed, for " << ms << " ms";
      return false;
    }
    char piece[64 << 10];
    const ssize_t n = recv(fd_, piece, sizeof piece, 0);
    ended_ = n <= 0;
    if (n > 0) got_.append(piece, static_cast<size_t>(n));
    return n > 0;
  }
  // Where `what` ends.
  size_t until(std::string_view what, size_t from = 0) {
    for (;;) {
      const size_t at = got_.find(what, from);
      if (at != std::string::npos) return at + what.size();
      from = std::max(from + what.size(), got_.size()) - what.size();
      if (!more()) return std::string::npos;
    }
  }

  int fd_ = -1;
  bool connected_ = false, ended_ = false;
  std::string got_;
};

inline int status_of(const std::string& answer) {
  return answer.starts_with("HTTP/1.1 ") ? std::atoi(answer.c_str() + 9) : 0;
}

inline int ask_once(const Address& a, std::string_view path, std::string_view fields = {}) {
  Client c(a);
  c.ask(path, fields);
  return status_of(c.answer());
}

// /ok, /body?TEXT: cheap. /hold: cheap, as long as `held`. /large: a capture, 16 MiB in pieces.
// /capture: as long as `held`. /wait: slow, until it is given up.
struct TestSite {
  static inline std::atomic<bool> held{false};
  static inline std::atomic<int> holding{0}, waiting{0}, given_up{0};
  static constexpr size_t kLarge = 16 << 20, kCheap = 256 << 10;

  static void hold() {
    holding++;
    eventually([] { return !held.load(); });
    holding--;
  }
  static Cost cost(const Query& q) {
    if (q.path == "/large" || q.path == "/capture") return Cost::capture;
    return q.path == "/wait" ? Cost::slow : Cost::cheap;
  }
  static Answer answer(const Query& q) {
    Answer a;
    a.content_type = "application/octet-stream";
    a.body = "ok\n";
    if (q.path == "/hold" || q.path == "/capture") hold();
    if (q.path == "/body" || q.path == "/debug/pprof/symbol") a.body = "<" + q.data + ">";
    if (q.path == "/cheap") a.body = std::string(kCheap, 'c');
    if (q.path == "/throw") throw std::runtime_error("as the test wants");
    if (q.path == "/large" || q.path == "/wait") {
      a.write = [](const profiler::Sink& sink) {
        const std::string piece(64 << 10, 'l');
        for (size_t n = 0; n < kLarge; n += piece.size()) {
          if (!sink(piece)) return false;
        }
        return true;
      };
    }
    if (q.path == "/wait") {
      a.wait = [](const std::function<bool()>& wanted) {
        waiting++;
        eventually([&] { return !wanted(); });
        waiting--;
        given_up++;
      };
    }
    return a;
  }
  static constexpr Site site() { return {cost, answer}; }
};

class Transport : public ::testing::Test {
 protected:
  void SetUp() override {
    TestSite::held = false;
    TestSite::given_up = 0;
  }
  void TearDown() override {
    TestSite::held = false;
    endpoint_.reset();
  }
  const Address& start(const Limits& limits = {}, const DebugOptions& options = {"127.0.0.1:0"}) {
    endpoint_ = std::make_unique<Endpoint>(options, limits, TestSite::site());
    return endpoint_->address();
  }
  void stop() { endpoint_.reset(); }

 private:
  std::unique_ptr<Endpoint> endpoint_;
};

// All of it, however it comes.
inline std::string body_of(const Answer& a) {
  if (!a.write) return a.body;
  std::string all;
  a.write([&](std::string_view piece) {
    all.append(piece);
    return true;
  });
  return all;
}

}  // namespace weir::http::debug::testing
