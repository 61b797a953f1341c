// DebugServer: the /debug endpoint, on OS threads of its own, outside the scheduler: it answers
// when every goroutine is stuck.
//
//   weir::http::serve_debug("127.0.0.1:6060");
//   return weir::run(service);
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace weir::http {

class DebugServer {
 public:
  // Listens on "host:port" (port 0: any free one; an empty host: 127.0.0.1) and answers until
  // destroyed. Throws weir::http::error naming the address when it is malformed or cannot be bound.
  // A host other than loopback is warned about on stderr.
  explicit DebugServer(std::string_view address);
  ~DebugServer();  // stops listening, waits for the requests under way
  DebugServer(const DebugServer&) = delete;
  DebugServer& operator=(const DebugServer&) = delete;

  int port() const noexcept;  // the port that is listened on
  std::string url() const;    // "http://127.0.0.1:6060"

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// A DebugServer for the rest of the process. Returns it, for its port.
DebugServer& serve_debug(std::string_view address = "127.0.0.1:6060");

}  // namespace weir::http
