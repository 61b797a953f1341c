// What cpp-httplib reads one request from and writes its answer to, on a worker's thread.
//
// Invariants: the request has been read by others; no call waits for the client to send, and none
// for it to read for longer than Patience says. An answer that is collected waits for nobody: the
// front sends it.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include "bounds.h"
#include "protocol.h"
#include "stop_signal.h"

namespace weir::http::debug {

// Whether the other side of a connected socket may still read what is written.
bool peer_is_there(int fd) noexcept;

class SocketStream final : public httplib::Stream {
 public:
  // Writes to `fd`, a socket that does not block, or collects in `*collected` at most `most` bytes.
  SocketStream(int fd, std::string_view request, const Patience& patience, const StopSignal& stop)
      : fd_(fd), request_(request), patience_(patience), stop_(stop) {}
  void collect(std::string* in, size_t most) noexcept {
    collected_ = in;
    most_ = most;
  }

  bool is_readable() const override { return !request_.empty(); }
  // False once the client is gone. One that has only ended its sending counts as gone, too: the
  // two cannot be told apart.
  bool is_writable() const override { return peer_is_there(fd_); }
  ssize_t read(char* to, size_t size) override;           // 0: there is no more
  ssize_t write(const char* from, size_t size) override;  // all of it, or -1
  void get_remote_ip_and_port(std::string&, int&) const override {}
  void get_local_ip_and_port(std::string&, int&) const override {}
  socket_t socket() const override { return -1; }  // not the library's business

 private:
  using Clock = std::chrono::steady_clock;
  bool wait_for_reader(Clock::time_point end);

  const int fd_;
  std::string_view request_;
  const Patience& patience_;
  const StopSignal& stop_;
  std::string* collected_ = nullptr;
  size_t most_ = 0;
  bool failed_ = false;
  Clock::duration since_stop_{};  // waited for the client since the server stops
};

}  // namespace weir::http::debug
