// Client: finds a connection for a request, repeats it where one was lost, and follows redirects.

#include <weir/http/client.h>

#include <weir/net.h>

#include <optional>
#include <system_error>
#include <utility>

#include "client_conn.h"
#include "client_pool.h"
#include "exchange.h"
#include "text.h"
#include "url.h"

namespace weir::http {

namespace {

using detail::Exchange;

// So much of a redirect's body is read, that its connection can be used again, as Go does. Bytes.
constexpr int64_t kRedirectBody = 2048;

void check(const Request& request, const Url& url) {
  if (!is_token(request.method)) {
    throw error("http: the method of a request for " + url.to_string() + " is no word");
  }
  for (const auto& [name, value] : request.headers) {
    bool sound = is_token(name);
    for (const char c : value) sound &= is_text(c);
    if (!sound) {
      throw error("http: a header field of a request for " + url.to_string() +
                  " has a character that it must not have: \"" + name + "\"");
    }
  }
}

// To send it twice is as good as once (RFC 9110, 9.2.2).
bool is_idempotent(const Request& r) {
  for (const char* method : {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"}) {
    if (r.method == method) return true;
  }
  return r.headers.has("Idempotency-Key");
}

// Changes the request to what the redirect asks for. False: it is to be given as it is.
bool redirect(Request& request, std::shared_ptr<const std::string>& text, int status) {
  if (status == 307 || status == 308) return !request.body_pieces;
  if (status != 301 && status != 302 && status != 303) return false;
  if (request.method != "GET" && request.method != "HEAD") request.method = "GET";
  request.body_pieces = nullptr;
  text = std::make_shared<const std::string>();
  request.headers.remove("Content-Type");
  return true;
}

}  // namespace

struct Client::Impl {
  std::shared_ptr<ClientPool> pool;

  // Returns once its head, or why there is none, has come.
  std::shared_ptr<Exchange> exchange(const Request& request, const Url& url,
                                     const std::shared_ptr<const std::string>& text, const void* pc,
                                     Response& response) const {
    for (;;) {
      auto x = std::make_shared<Exchange>(request, url, text, pc);
      x->decompress = pool->options.decompress && request.method != "HEAD" &&
                      !request.headers.has("Accept-Encoding") && !request.headers.has("Range");
      connect(x);
      Exchange::Head head = *x->head.recv();
      if (auto* r = std::get_if<Response>(&head)) {
        response = std::move(*r);
        return x;
      }
      x->check_context();
      try {
        std::rethrow_exception(std::get<std::exception_ptr>(head));
      } catch (const Lost& e) {
        const bool harmless = !e.was_sent || is_idempotent(request);
        if (!harmless || (request.body_pieces && e.was_sent)) throw;
      }
    }
  }

  // Gives it to a connection.
  void connect(const std::shared_ptr<Exchange>& x) const {
    const std::string key = x->url.scheme + "://" + x->url.address();
    Semaphore* place = pool->places(key);
    if (place && !place->acquire(x->request.context)) x->check_context();
    x->place = place;
    if (const std::shared_ptr<ClientConn> kept = pool->take(key)) {
      kept->again(x);
      return;
    }
    try {
      std::make_shared<ClientConn>(pool, key, dial(*x))->start(x);
    } catch (...) {
      if (place) place->release();
      throw;
    }
  }

  std::unique_ptr<Wire> dial(const Exchange& x) const {
    const auto timeout = pool->options.dial_timeout;
    Context ctx = x.request.context;
    std::optional<CancelFunc> cancel;
    if (timeout > timeout.zero()) {
      auto [limited, end] = with_timeout(ctx, timeout);
      ctx = std::move(limited);
      cancel = std::move(end);
    }
    struct Cancel {
      std::optional<CancelFunc>& f;
      ~Cancel() {
        if (f) (*f)();
      }
    } guard{cancel};
    try {
      return std::make_unique<Wire>(
          net::dial(ctx, x.url.scheme == "unix" ? "unix" : "tcp", x.url.address()));
    } catch (const std::system_error&) {
      x.check_context();
      throw;
    }
  }
};

Client::Client(ClientOptions options)
    : impl_(std::make_shared<Impl>(Impl{std::make_shared<ClientPool>(std::move(options))})) {}

Client::~Client() { impl_->pool->end_all(true); }

void Client::close_idle_connections() { impl_->pool->end_all(); }

Response Client::send_at(Request request, const void* pc) {
  const std::shared_ptr<Impl> impl = impl_;
  const ClientOptions& options = impl->pool->options;
  Url url = parse_url(request.url);
  check(request, url);
  auto text = std::make_shared<const std::string>(std::exchange(request.body, {}));
  std::optional<CancelFunc> cancel;
  struct Cancel {
    std::optional<CancelFunc>& f;
    ~Cancel() {
      if (f) (*f)();
    }
  } guard{cancel};
  if (options.timeout > options.timeout.zero()) {
    auto [limited, end] = with_timeout(request.context, options.timeout);
    request.context = std::move(limited);
    cancel = std::move(end);
  }
  for (int redirects = 0;; ++redirects) {
    Response r;
    const std::shared_ptr<Exchange> x = impl->exchange(request, url, text, pc, r);
    r.body = Body(x);
    const std::string_view location = r.headers.get("Location");
    if (options.max_redirects == 0 || location.empty() || !redirect(request, text, r.status)) {
      x->cancel = std::exchange(cancel, std::nullopt);
      return r;
    }
    if (redirects == options.max_redirects) {
      throw error("http: " + request.method + " " + r.url + ": stopped after " +
                  std::to_string(redirects) + " redirects");
    }
    Url next = resolve(url, location);
    if (next.scheme == "unix" && url.scheme != "unix") {
      throw error("http: " + r.url + ": a redirect to a unix socket");
    }
    if (next.host != url.host || next.port != url.port || next.scheme != url.scheme) {
      request.headers.remove("Authorization");
      request.headers.remove("Cookie");
      request.headers.remove("Host");
    }
    try {
      if (r.content_length >= 0 && r.content_length <= kRedirectBody) (void)r.body.read_all();
    } catch (const std::exception&) {
      // It was only for the connection's sake.
    }
    url = std::move(next);
  }
}

Client& default_client() {
  // For the rest of the process: its connections' goroutines may outlive any other order.
  static Client* client = new Client();
  return *client;
}

// --- Body ---

Body::Body(std::shared_ptr<detail::Exchange> exchange) noexcept : exchange_(std::move(exchange)) {}

Body& Body::operator=(Body&& o) noexcept {
  if (this != &o) {
    close();
    exchange_ = std::move(o.exchange_);
  }
  return *this;
}

Body::~Body() { close(); }

size_t Body::read(char* to, size_t size) { return exchange_ ? exchange_->read(to, size) : 0; }

std::string Body::read_all(size_t limit) {
  constexpr size_t kPiece = 16 << 10;
  std::string all;
  for (;;) {
    const size_t had = all.size();
    all.resize(had + kPiece);
    const size_t n = read(all.data() + had, kPiece);
    all.resize(had + n);
    if (n == 0) return all;
    if (all.size() > limit) {
      throw error("http: the body is larger than the limit of " + std::to_string(limit) + " bytes");
    }
  }
}

void Body::close() noexcept {
  if (exchange_) exchange_->close();
}

void Body::release() noexcept { exchange_ = nullptr; }

}  // namespace weir::http
