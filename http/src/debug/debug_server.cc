// DebugServer: an Endpoint, and what is said about it on stderr.

#include <weir/http/debug_server.h>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

#include "endpoint.h"
#include "observe/observer.h"

namespace weir::http {

namespace {

// Warnings of the library go to stderr under its name, apart from the program's own logger.
spdlog::logger& log() {
  static spdlog::logger logger("weir", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  return logger;
}

}  // namespace

struct DebugServer::Impl {
  explicit Impl(const DebugOptions& options)
      : observer(observe::share(options.observe)), endpoint(options) {}
  const std::shared_ptr<observe::Observer> observer;
  debug::Endpoint endpoint;
};

DebugServer::DebugServer(std::string_view address)
    : DebugServer(DebugOptions{std::string(address), debug::token_of_environment()}) {}

DebugServer::DebugServer(const DebugOptions& options) : impl_(std::make_unique<Impl>(options)) {
  const debug::Address& a = impl_->endpoint.address();
  if (a.is_unix() || debug::is_loopback(a.host)) return;
  if (options.token.empty()) {
    log().warn(
        "the debug endpoint listens on {}, which is not loopback, and has no token: whoever "
        "reaches it can read stacks and load the process; set {} or DebugOptions::token",
        url(), debug::kTokenVariable);
  } else {
    log().info("the debug endpoint listens on {} and wants its token", url());
  }
}

DebugServer::~DebugServer() = default;

int DebugServer::port() const noexcept { return impl_->endpoint.address().port; }

std::string DebugServer::url() const { return impl_->endpoint.address().url(); }

DebugServer& serve_debug(std::string_view address) {
  // For the rest of the process: not destroyed at exit, when other threads may still be asking.
  static DebugServer* server = new DebugServer(address);
  return *server;
}

}  // namespace weir::http
