// An HTTP/1.1 client on goroutines, with Go's shape: connections are kept and used again, each has
// a goroutine that reads from it, and the body of a response must be read to its end or closed. Go:
// net/http.
//
//   weir::http::Response r = weir::http::get("http://127.0.0.1:8080/hello");
//   if (r.status == 200) use(r.body.read_all());
//
// A Response closes its body when it is destroyed. One that is kept, or whose body was released,
// keeps its connection's goroutine: dumps show it as waiting for an object of kind "http_body",
// with method, URL, status, and the place that made the request.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <weir/context.h>
#include <weir/detail/pc.h>
#include <weir/http/error.h>
#include <weir/http/headers.h>

namespace weir::http {

namespace detail {
struct Exchange;
}

// A request to be sent. Go: http.Request.
struct Request {
  std::string method = "GET";
  std::string url = {};  // http://, https:// or unix:PATH:/path
  Headers headers = {};
  std::string body = {};
  // In place of `body`: called for piece after piece, in the connection's goroutine, until it
  // returns nullopt. Sent in chunks, or as `body_length` bytes where that is not negative. A
  // request with such a body is neither repeated nor redirected with it.
  std::function<std::optional<std::string>()> body_pieces = {};
  int64_t body_length = -1;
  // Ends the request, and the reading of its response's body.
  Context context = {};
};

// The body of a response, as it comes. Moved, not copied; used by one goroutine at a time. Go:
// Response.Body.
class Body {
 public:
  Body() noexcept = default;  // none: has ended
  Body(Body&& o) noexcept = default;
  Body& operator=(Body&& o) noexcept;
  ~Body();  // close()

  // Reads at least one byte and at most `size`; 0: it has ended. Blocks until some are there.
  // Throws http::error ("unexpected EOF" where it ends too early), net::error, what the request's
  // context is done with, std::logic_error after close. Go: Read.
  size_t read(char* to, size_t size);
  // All of it, or what is left. Throws as read, and http::error beyond `limit` bytes. Go:
  // io.ReadAll.
  std::string read_all(size_t limit = 64 << 20);
  // Says that no more will be read. A connection whose body was not read to its end is closed, else
  // it may be used again. Never blocks. Go: Close.
  void close() noexcept;
  // Forgets it without closing it: its connection's goroutine waits for ever, unless the request's
  // context ends. For tests of leaks.
  void release() noexcept;

 private:
  friend class Client;
  friend struct detail::Exchange;
  explicit Body(std::shared_ptr<detail::Exchange> exchange) noexcept;
  std::shared_ptr<detail::Exchange> exchange_;
};

// What a server has answered. Go: http.Response.
struct Response {
  int status = 0;      // 200
  std::string reason;  // "OK"
  Headers headers;
  Body body;
  std::string url;              // of the request that was answered: the last one after redirects
  int64_t content_length = -1;  // bytes; -1: not known. Of a body that was decompressed: not known
  bool uncompressed = false;    // the body was decompressed on the way
};

struct ClientOptions {
  using duration = std::chrono::steady_clock::duration;
  // Durations that are not positive mean: no limit.
  duration timeout{};                                // of a request, with all of its body
  duration dial_timeout = std::chrono::seconds(30);  // TLS handshake included
  duration response_header_timeout{};                // after the request has been sent
  duration idle_timeout = std::chrono::seconds(90);  // of a connection that nobody uses
  size_t max_idle = 100;                             // such connections, in all
  size_t max_idle_per_host = 16;                     // and of one host and port
  size_t max_per_host = 0;            // connections in all; who wants one more waits; 0: no limit
  size_t max_header_bytes = 1 << 20;  // of a response's head
  int max_redirects = 10;             // more throw; 0: redirects are given as they are
  bool decompress = true;  // asks for gzip, and undoes it; not where the request asks by itself
  std::string user_agent = "weir-http-client/1.1";
  // PEM files for https; empty: the system's. `verify`: whether the server must prove who it is.
  std::string ca_file = {};
  bool verify = true;
};

// Its functions may be called by several goroutines at once. Go: http.Client, with its Transport.
class Client {
 public:
  explicit Client(ClientOptions options = {});
  ~Client();  // close_idle_connections(). Responses may outlive it.
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Sends a request and returns when the head of the response is there. Follows redirects: 301, 302
  // and 303 with GET and without the body, 307 and 308 as it was; to another host without
  // Authorization and Cookie. Repeats a request that a kept connection lost before anything was
  // answered, where that does no harm. A status like 404 is no error. Throws http::error (malformed
  // URL or response, too many redirects), net::error, std::system_error with what the context is
  // done with (a timeout: ContextError::deadline_exceeded). Goroutines only. Go: Do.
  [[nodiscard, gnu::always_inline]] inline Response send(Request request) {
    Response r = send_at(std::move(request), weir::detail::current_pc());
    weir::detail::keep_frame();
    return r;
  }
  [[nodiscard, gnu::always_inline]] inline Response get(std::string url) {
    Response r = send_at({.url = std::move(url)}, weir::detail::current_pc());
    weir::detail::keep_frame();
    return r;
  }
  [[nodiscard, gnu::always_inline]] inline Response head(std::string url) {
    Response r = send_at({.method = "HEAD", .url = std::move(url)}, weir::detail::current_pc());
    weir::detail::keep_frame();
    return r;
  }
  [[nodiscard, gnu::always_inline]] inline Response post(std::string url, std::string content_type,
                                                         std::string body) {
    Response r = send_at({.method = "POST",
                          .url = std::move(url),
                          .headers = {{"Content-Type", std::move(content_type)}},
                          .body = std::move(body)},
                         weir::detail::current_pc());
    weir::detail::keep_frame();
    return r;
  }

  // Closes the connections that nobody uses. Go: CloseIdleConnections.
  void close_idle_connections();

 private:
  Response send_at(Request request, const void* pc);
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

// A Client for the whole process. Go: http.DefaultClient.
Client& default_client();

// By default_client(). Go: http.Get, Post.
[[nodiscard, gnu::always_inline]] inline Response get(std::string url) {
  return default_client().get(std::move(url));
}
[[nodiscard, gnu::always_inline]] inline Response post(std::string url, std::string content_type,
                                                       std::string body) {
  return default_client().post(std::move(url), std::move(content_type), std::move(body));
}

}  // namespace weir::http
