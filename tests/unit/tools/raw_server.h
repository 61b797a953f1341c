// A server that answers what a test wants, byte for byte, over TCP or a unix socket: also what no
// real server sends.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace weir::tools::testing {

class RawServer {
 public:
  // Called with the head of each request; what it returns is sent, then the connection is closed.
  // "HOLD" alone: nothing is sent, and the connection stays open until the server ends.
  using Answer = std::function<std::string(const std::string& head)>;

  explicit RawServer(Answer answer, const std::string& unix_path = {})
      : answer_(std::move(answer)) {
    fd_ = socket(unix_path.empty() ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = false;
    if (unix_path.empty()) {
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      socklen_t size = sizeof address;
      auto* const any = reinterpret_cast<sockaddr*>(&address);
      ok = bind(fd_, any, size) == 0 && listen(fd_, 16) == 0 && getsockname(fd_, any, &size) == 0;
      port_ = ntohs(address.sin_port);
    } else {
      sockaddr_un address{};
      address.sun_family = AF_UNIX;
      std::strncpy(address.sun_path, unix_path.c_str(), sizeof address.sun_path - 1);
      ok = bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
           listen(fd_, 16) == 0;
    }
    if (!ok || pipe(stop_) != 0) throw std::runtime_error("RawServer cannot listen");
    thread_ = std::thread([this] { serve(); });
  }
  ~RawServer() {
    [[maybe_unused]] const ssize_t n = write(stop_[1], "x", 1);
    thread_.join();
    for (const int fd : held_) close(fd);
    for (const int fd : {fd_, stop_[0], stop_[1]}) close(fd);
  }
  RawServer(const RawServer&) = delete;
  RawServer& operator=(const RawServer&) = delete;

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  int port() const { return port_; }
  // The heads of all requests so far.
  std::vector<std::string> heads() const {
    std::scoped_lock hold(mu_);
    return heads_;
  }

  static std::string ok(const std::string& body, const std::string& fields = {}) {
    return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + fields +
           "\r\n" + body;
  }
  static std::string status(const std::string& line, const std::string& fields = {},
                            const std::string& body = {}) {
    return "HTTP/1.1 " + line +
           "\r\nContent-Type: text/plain\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\n" + fields + "\r\n" + body;
  }

 private:
  void serve() {
    while (true) {
      pollfd ready[2] = {{fd_, POLLIN, 0}, {stop_[0], POLLIN, 0}};
      poll(ready, 2, -1);
      if (ready[1].revents != 0) return;
      const int fd = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) continue;
      std::string head;
      char piece[4096];
      while (head.find("\r\n\r\n") == head.npos) {
        pollfd client[2] = {{fd, POLLIN, 0}, {stop_[0], POLLIN, 0}};
        poll(client, 2, -1);
        const ssize_t n = client[1].revents != 0 ? 0 : read(fd, piece, sizeof piece);
        if (n <= 0) break;
        head.append(piece, static_cast<size_t>(n));
      }
      {
        std::scoped_lock hold(mu_);
        heads_.push_back(head);
      }
      const std::string answer = answer_(head);
      if (answer == "HOLD") {
        held_.push_back(fd);
        continue;
      }
      for (size_t at = 0; at < answer.size();) {
        const ssize_t n = send(fd, answer.data() + at, answer.size() - at, MSG_NOSIGNAL);
        if (n <= 0) break;
        at += static_cast<size_t>(n);
      }
      shutdown(fd, SHUT_WR);
      close(fd);
    }
  }

  const Answer answer_;
  int fd_ = -1, stop_[2] = {-1, -1}, port_ = 0;
  mutable std::mutex mu_;
  std::vector<std::string> heads_;
  std::vector<int> held_;
  std::thread thread_;
};

}  // namespace weir::tools::testing
