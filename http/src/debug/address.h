// What is listened on: a port of a host, or a unix socket.
//
// Invariants: a file that is no socket is never removed, nor a socket that somebody answers at; a
// socket file is removed at the end only if it is still the one that was made here.
#pragma once

#include <sys/stat.h>

#include <string>
#include <string_view>

namespace weir::http::debug {

struct Address {
  std::string host;  // of TCP, without brackets
  int port = 0;      // 0: any free one
  std::string path;  // of a unix socket; else empty

  bool is_unix() const noexcept { return !path.empty(); }
  std::string url() const;  // "http://127.0.0.1:6060", "http://[::1]:6060", "unix:PATH"
};

// "HOST:PORT", "[IPV6]:PORT", ":PORT" (loopback), "unix:PATH". Throws weir::http::error.
Address parse_address(std::string_view text);

// A listening socket, closed and removed at the end. It and what it accepts do not block and are
// not inherited by programs that are started.
class Listener {
 public:
  explicit Listener(const Address& address);  // throws weir::http::error, naming the address
  ~Listener() { close(); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  int fd() const noexcept { return fd_; }                       // -1 once closed
  const Address& address() const noexcept { return address_; }  // with the port that was got
  void close() noexcept;

 private:
  void listen_tcp();
  void listen_unix();

  Address address_;
  int fd_ = -1;
  struct stat file_ = {};  // of the unix socket that was made here
};

}  // namespace weir::http::debug
