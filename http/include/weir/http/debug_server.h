// DebugServer: the /debug endpoint, on OS threads of its own, outside the scheduler: it answers
// when every goroutine is stuck.
//
//   weir::http::serve_debug("127.0.0.1:6060");
//   return weir::run(service);
//
// As importing net/http/pprof in Go. A program that is linked with the library needs no line of
// code: with WEIR_DEBUG_ADDR in its environment, weir::run starts the endpoint there, and prints
// its URL on stderr.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

namespace weir::http {

struct DebugOptions {
  // "HOST:PORT" (port 0: any free one), "[IPV6]:PORT", ":PORT" (127.0.0.1), or "unix:PATH": a
  // socket file for this user alone (mode 0600). One that a dead process has left is replaced; any
  // other file at the path is an error.
  std::string address = "127.0.0.1:6060";
  // What requests must show as "Authorization: Bearer TOKEN", all but /healthz; others get 401.
  // Letters, digits and -._~+/ only. Empty: none is asked for.
  std::string token = {};
  // The goroutines are looked at so often for /debug/leaks, /debug/trend, /debug/snapshots and
  // /debug/events: less often where looks take long, so that they take 1 % of one processor at
  // most. 0: never; then /debug/leaks looks when it is asked, and the others are not there. One
  // observer serves all endpoints of a process: the first one's interval counts.
  std::chrono::milliseconds observe{2000};
};

class DebugServer {
 public:
  // Listens and answers until destroyed. Throws weir::http::error naming the address when it is
  // malformed or cannot be bound, and when the token cannot be used. An address other than loopback
  // without a token is warned about on stderr.
  explicit DebugServer(const DebugOptions& options);
  // With the token of the environment's WEIR_DEBUG_TOKEN, if it is set; if it is set but empty,
  // throws weir::http::error.
  explicit DebugServer(std::string_view address);
  // Stops listening, waits for the requests under way: those that wait for seconds are given up,
  // and a client that does not read its answer loses it after three seconds.
  ~DebugServer();
  DebugServer(const DebugServer&) = delete;
  DebugServer& operator=(const DebugServer&) = delete;

  int port() const noexcept;  // the port that is listened on; 0: it is a unix socket
  std::string url() const;    // "http://127.0.0.1:6060", "unix:PATH"

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// A DebugServer for the rest of the process. Returns it, for its port. Thread-safe; a second call
// returns the first one's.
DebugServer& serve_debug(std::string_view address = "127.0.0.1:6060");

}  // namespace weir::http
