// DebugServer over cpp-httplib, on OS threads of its own. The only translation unit that includes
// httplib.h.
//
// Invariants: a request is bounded in size and time, and its answer in time; at most kExpensive
// captures, kPictures drawings and kSlow answers that wait are under way, so that a thread is left
// for others; a dump is streamed while it is encoded, never held as a whole; nothing of a request
// is printed back unescaped.

#include <weir/http/debug_server.h>

#include <arpa/inet.h>
#include <httplib.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <charconv>
#include <chrono>
#include <memory>
#include <semaphore>
#include <system_error>
#include <thread>

#include <weir/http/error.h>

#include "routes.h"

namespace weir::http {

namespace {

constexpr int kExpensive = 2;  // captures at once; more get 503
constexpr int kPictures = 2;   // likewise; others than those
constexpr int kSlow = 3;       // answers that wait for seconds; more get 503
constexpr int kThreads = kExpensive + kPictures + kSlow + 2;  // so that others are always answered
constexpr size_t kMaxPayload = 1 << 20;  // bytes of a request's body: addresses of a large program
constexpr time_t kReadTimeout = 5, kWriteTimeout = 30, kKeepAlive = 5;  // s
// What a reader may take for an answer, besides kWriteTimeout for each piece: so long, and more for
// one that is large.
constexpr std::chrono::seconds kPatience{60};
constexpr double kSlowestReader = 1e6;  // bytes/s

using Clock = std::chrono::steady_clock;

struct Address {
  std::string host;
  int port = 0;
};

Address parse_address(std::string_view text) {
  auto fail = [&](const char* why) -> error {
    return error("cannot listen on \"" + std::string(text) + "\": " + why +
                 " (expected HOST:PORT)");
  };
  size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) throw fail("there is no port");
  Address a;
  a.host = text.substr(0, colon);
  if (a.host.size() > 2 && a.host.front() == '[' && a.host.back() == ']') {
    a.host = a.host.substr(1, a.host.size() - 2);
  }
  if (a.host.empty()) a.host = "127.0.0.1";
  std::string_view port = text.substr(colon + 1);
  auto [end, err] = std::from_chars(port.data(), port.data() + port.size(), a.port);
  if (err != std::errc() || end != port.data() + port.size() || a.port < 0 || a.port > 65535) {
    throw fail("the port is not a number from 0 to 65535");
  }
  return a;
}

bool is_loopback(const std::string& host) {
  in_addr v4;
  in6_addr v6;
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return ntohl(v4.s_addr) >> 24 == 127;
  if (inet_pton(AF_INET6, host.c_str(), &v6) == 1) return IN6_IS_ADDR_LOOPBACK(&v6);
  return host == "localhost";
}

// Warnings of the library go to stderr under its name, apart from the program's own logger.
spdlog::logger& log() {
  static spdlog::logger logger("weir", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  return logger;
}

}  // namespace

struct DebugServer::Impl {
  httplib::Server server;
  Address address;
  bool loopback = true;
  std::counting_semaphore<kExpensive> expensive{kExpensive};
  std::counting_semaphore<kPictures> pictures{kPictures};
  std::counting_semaphore<kSlow> slow{kSlow};
  std::atomic<bool> stopping{false};
  std::thread thread;

  // Against DNS rebinding: a page of another site may make a browser on this machine connect to us,
  // but under its own name. A server that listens beyond loopback is reached under names that we
  // cannot know.
  bool host_allowed(const std::string& header) const {
    if (!loopback) return true;
    std::string_view host = header;
    if (host.starts_with('[')) {
      host = host.substr(1, host.find(']') - 1);
    } else {
      host = host.substr(0, host.find(':'));
    }
    return host.empty() || host == address.host || is_loopback(std::string(host));
  }

  // A place among the few, until the last copy is gone; null: there is none.
  template <class Semaphore>
  static std::shared_ptr<void> place_in(Semaphore& few) {
    if (!few.try_acquire()) return nullptr;
    return {&few, [](void* at) { static_cast<Semaphore*>(at)->release(); }};
  }

  void handle(const httplib::Request& req, httplib::Response& res) {
    res.set_header("X-Content-Type-Options", "nosniff");
    auto refuse = [&res](int status, const char* why) {
      res.status = status;
      res.set_content(why, "text/plain; charset=utf-8");
    };
    if (!host_allowed(req.get_header_value("Host"))) {
      refuse(403, "forbidden: this Host is not served here; use localhost or 127.0.0.1\n");
      return;
    }
    const bool post = req.method == "POST" && takes_post(req.path);
    if (req.method != "GET" && req.method != "HEAD" && !post) {
      res.set_header("Allow", takes_post(req.path) ? "GET, HEAD, POST" : "GET, HEAD");
      refuse(405, "method not allowed: use GET\n");
      return;
    }
    Query query{req.path, [&req](const std::string& name) { return req.get_param_value(name); }};
    if (post) {
      query.data = req.body;
    } else if (const size_t at = req.target.find('?'); at != std::string::npos) {
      query.data = req.target.substr(at + 1);
    }
    // Held until the answer is written: a slow reader keeps its place among the few.
    std::shared_ptr<void> place;
    switch (cost(query)) {
      case Cost::cheap:
        break;
      case Cost::capture:
        place = place_in(expensive);
        break;
      case Cost::picture:
        place = place_in(pictures);
        break;
      case Cost::slow:
        place = place_in(slow);
        break;
    }
    if (!place && cost(query) != Cost::cheap) {
      res.set_header("Retry-After", "1");
      refuse(503, "busy: others of the kind are under way, try again in a second\n");
      return;
    }
    Answer a = answer(query);
    res.status = a.status;
    if (a.pprof_error) res.set_header("X-Go-Pprof", "1");
    if (!a.attachment.empty()) {
      res.set_header("Content-Disposition", "attachment; filename=\"" + a.attachment + "\"");
    }
    if (!a.write) {
      res.set_content(a.body, a.content_type);
      return;
    }
    res.set_chunked_content_provider(a.content_type, [this, wait = std::move(a.wait),
                                                      write = std::move(a.write),
                                                      place](size_t, httplib::DataSink& sink) {
      const auto wanted = [this, &sink] { return !stopping && sink.is_writable(); };
      if (wait) wait(wanted);
      if (wait && !wanted()) return false;
      const auto start = Clock::now();
      size_t written = 0;
      bool whole = write([&](std::string_view piece) {
        written += piece.size();
        const std::chrono::duration<double> more(static_cast<double>(written) / kSlowestReader);
        return Clock::now() - start < kPatience + more && sink.write(piece.data(), piece.size());
      });
      if (whole) sink.done();
      return whole;
    });
  }
};

DebugServer::DebugServer(std::string_view address) : impl_(std::make_unique<Impl>()) {
  Impl& i = *impl_;
  i.address = parse_address(address);
  i.loopback = is_loopback(i.address.host);
  i.server.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
  i.server.set_payload_max_length(kMaxPayload);
  i.server.set_read_timeout(kReadTimeout);
  i.server.set_write_timeout(kWriteTimeout);
  i.server.set_keep_alive_timeout(kKeepAlive);
  i.server.set_tcp_nodelay(true);
  // All paths come here: httplib's own routing is by regular expressions.
  const auto handle = [&i](const httplib::Request& req, httplib::Response& res) {
    // The library would cut the body up for whoever asks for many ranges of it, and make it a
    // thousand times as large. A server may pass over Range (RFC 9110, 14.2). The request is the
    // library's own variable, which it has read all of by now.
    const_cast<httplib::Request&>(req).ranges.clear();
    try {
      i.handle(req, res);
    } catch (const std::exception& e) {
      res.status = 500;
      res.set_content(std::string("internal error: ") + e.what() + "\n",
                      "text/plain; charset=utf-8");
    }
  };
  i.server.set_pre_routing_handler([handle](const httplib::Request& req, httplib::Response& res) {
    // Before routing there is no body yet.
    if (req.method == "POST" && takes_post(req.path)) {
      return httplib::Server::HandlerResponse::Unhandled;
    }
    handle(req, res);
    return httplib::Server::HandlerResponse::Handled;
  });
  i.server.Post("/debug/pprof/symbol", handle);
  // Without SO_REUSEPORT, which would let two programs share one port unknowingly.
  i.server.set_socket_options([](socket_t sock) {
    int yes = 1;
    setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  });
  errno = 0;
  if (i.address.port == 0) {
    i.address.port = i.server.bind_to_any_port(i.address.host.c_str());
  } else if (!i.server.bind_to_port(i.address.host.c_str(), i.address.port)) {
    i.address.port = -1;
  }
  if (i.address.port < 0) {
    throw error("cannot listen on \"" + std::string(address) + "\": " +
                (errno ? std::generic_category().message(errno)
                       : "the host is not an address of this machine"));
  }
  if (!i.loopback) {
    log().warn(
        "the debug endpoint listens on {}, which is not loopback: whoever reaches it can read "
        "stacks "
        "and load the process",
        url());
  }
  i.thread = std::thread([&i] { i.server.listen_after_bind(); });
  // stop() is heard by a running server only.
  while (!i.server.is_running()) std::this_thread::yield();
}

DebugServer::~DebugServer() {
  impl_->stopping = true;
  impl_->server.stop();
  impl_->thread.join();
}

int DebugServer::port() const noexcept { return impl_->address.port; }

std::string DebugServer::url() const {
  const Address& a = impl_->address;
  bool v6 = a.host.find(':') != std::string::npos;
  return "http://" + (v6 ? "[" + a.host + "]" : a.host) + ":" + std::to_string(a.port);
}

DebugServer& serve_debug(std::string_view address) {
  // For the rest of the process: not destroyed at exit, when other threads may still be asking.
  static DebugServer* server = new DebugServer(address);
  return *server;
}

}  // namespace weir::http
