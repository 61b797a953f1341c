// An HTTP/1.1 server on goroutines: one for each connection, over weir's network. Go: net/http.
//
//   weir::http::Mux mux;
//   mux.handle("GET /hello/{name}", [](weir::http::ResponseWriter& w, weir::http::ServerRequest& r)
//   {
//     w.write("hello, " + std::string(r.path_value("name")) + "\n");
//   });
//   weir::http::Server server(mux);
//   server.listen_and_serve(":8080");   // until shutdown or close
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <weir/context.h>
#include <weir/http/headers.h>
#include <weir/net.h>

namespace weir::http {

class ServerConn;

// A request that a handler is given: valid until the handler returns, and used by one goroutine at
// a time. All of it comes from a stranger. Go: http.Request.
class ServerRequest {
 public:
  const std::string& method() const noexcept;  // "GET"
  // As it was sent: "/a%20b?x=1". Go: RequestURI.
  const std::string& target() const noexcept;
  // Without the query, percent-decoded: "/a b". Go: URL.Path.
  const std::string& path() const noexcept;
  // The first value of that name in the query, decoded; "" where there is none. Go:
  // URL.Query().Get.
  std::string query(const std::string& name) const;
  bool has_query(const std::string& name) const;
  // What a pattern of Mux has for {name}; "" for other names. Go: PathValue.
  std::string_view path_value(std::string_view name) const noexcept;

  // The first field of that name; "" where there is none.
  std::string header(std::string_view name) const;
  const Headers& headers() const noexcept;
  std::string remote_addr() const;  // "127.0.0.1:4711". Go: RemoteAddr

  // The bytes of the body, where the client has told; -1: they come in chunks. Go: ContentLength.
  int64_t content_length() const noexcept;
  // Reads at least one byte of the body and at most `size`; 0: it has ended. Blocks until some are
  // there. Throws net::error (errc::timeout after ServerOptions::read_timeout without a byte),
  // http::error where the body is malformed or ends too early. A client that waits to be asked
  // ("Expect: 100-continue") is asked by the first read. Go: Body.Read.
  size_t read(char* to, size_t size);
  // All of the body. Throws http::error beyond `limit` bytes: the client gets 413 unless the
  // handler answers something else. Go: io.ReadAll(http.MaxBytesReader(...)).
  std::string body(size_t limit = 10 << 20);

  // Cancelled when the client goes away, when the handler returns, and when the server is closed.
  // That the client has gone is seen once the body has been read to its end. A child of
  // ServerOptions::context. Not cheap: whoever does not ask does not pay. Go: Context.
  Context context();

 private:
  friend class ServerConn;
  friend class Mux;
  explicit ServerRequest(ServerConn& conn) noexcept : conn_(conn) {}
  ServerRequest(const ServerRequest&) = delete;
  ServerRequest& operator=(const ServerRequest&) = delete;
  ServerConn& conn_;
};

// The answer to a request: valid until the handler returns, and used by one goroutine at a time.
// What is small is sent as a whole when the handler returns; what is large, or flushed, in chunks
// as it comes. Go: http.ResponseWriter.
class ResponseWriter {
 public:
  // The fields of the answer, to be changed before the first byte is sent (see write_header,
  // flush). Date, Content-Length, Transfer-Encoding and Connection are the server's, but
  // Content-Length may be set: more bytes than that are refused, fewer close the connection.
  // Content-Type: "text/plain; charset=utf-8" unless set.
  Headers& headers() noexcept;
  // The status, 200 to 999; 200 where it is not called. Later calls are ignored, as in Go. Throws
  // std::invalid_argument. Go: WriteHeader.
  void write_header(int status);
  // Blocks while the client takes nothing: throws net::error (errc::timeout after
  // ServerOptions::write_timeout). What the handler has not read of the request's body is gone once
  // the answer begins to be sent: reading throws http::error. But where more than 256 KiB by its
  // Content-Length are left, they can be read on. Bytes for HEAD, 204 and 304 are dropped. Go:
  // Write.
  void write(std::string_view bytes);
  // Sends what there is. Throws net::error. Go: http.Flusher.
  void flush();

 private:
  friend class ServerConn;
  explicit ResponseWriter(ServerConn& conn) noexcept : conn_(conn) {}
  ResponseWriter(const ResponseWriter&) = delete;
  ResponseWriter& operator=(const ResponseWriter&) = delete;
  ServerConn& conn_;
};

// Runs on the connection's goroutine: may block, by weir's means. Its locals and calls have a
// goroutine's stack (ServerOptions::stack_size). An exception that leaves it is logged
// (ServerOptions::log) and answered with 500, or closes the connection where the answer has begun.
using Handler = std::function<void(ResponseWriter&, ServerRequest&)>;

// Answers with a status and a line of text. Go: http.Error.
void write_error(ResponseWriter& w, int status, std::string_view text);
// "OK", "Not Found"; "" for one that has no name. Go: http.StatusText.
std::string_view status_text(int status) noexcept;

// Sends requests to handlers by method and path, as Go 1.22 does: "GET /users/{id}", "/static/"
// (all below), "/{$}" ("/" alone), "/files/{path...}" (the rest). Without a method: any; GET takes
// HEAD, too. Of two patterns that match, the more special one wins: literal before {name}, the one
// with a method before the one without, longer before shorter. Not found: 404; found for another
// method: 405 with Allow. Paths are matched decoded: a value may hold anything, also "..". Handlers
// are added before it serves. Go: http.ServeMux.
class Mux {
 public:
  Mux();
  // Throws std::invalid_argument for a malformed pattern, or one that is there already.
  void handle(std::string_view pattern, Handler handler);
  void operator()(ResponseWriter& w, ServerRequest& r) const;

 private:
  struct Routes;
  std::shared_ptr<Routes> routes_;  // copies share the routes
};

struct ServerOptions {
  using duration = std::chrono::steady_clock::duration;
  // Durations that are not positive mean: no limit.
  duration header_timeout = std::chrono::seconds(10);  // for a head, from its first byte on
  duration read_timeout = std::chrono::seconds(60);    // without a byte of a body
  duration write_timeout = std::chrono::seconds(60);   // while the client takes nothing
  duration idle_timeout = std::chrono::seconds(120);   // for the next request
  size_t max_header_bytes = 64 << 10;                  // of a request's head; more: 431
  size_t max_connections = 0;  // more wait to be accepted, in the kernel; 0: no limit
  size_t stack_size = 0;       // bytes, of the connections' goroutines; 0: the program's size
  Context context = {};        // the parent of all requests' contexts
  // Called with a line, without its end, that tells what went wrong in a connection: what a handler
  // threw. By several goroutines at once. Empty: stderr. Go: ErrorLog
  std::function<void(std::string_view)> log = {};
};

// Its functions may be called from any goroutine or thread.
class Server {
 public:
  explicit Server(Handler handler, ServerOptions options = {});
  ~Server();  // close(), and waits for the goroutines
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Accepts connections of `listener` until shutdown or close, which close it. Blocks. Returns once
  // it accepts no more; connections may be served on. Throws net::error where the listener fails.
  // May be called for several listeners. Go: Serve.
  void serve(net::Listener listener);
  // The same of "host:port" (TCP). Go: ListenAndServe.
  void listen_and_serve(std::string_view address);

  // Stops accepting, closes idle connections, and waits until the requests under way have been
  // answered; their answers tell clients that the connection closes. Throws what ctx is done with
  // (std::system_error) when that comes first; then close() ends the rest. Go: Shutdown.
  void shutdown(const Context& ctx = {});
  // Closes listeners and connections at once and cancels the requests' contexts; does not wait for
  // handlers. Go: Close.
  void close();

  // Connections that are open: idle ones, and those with a request under way.
  size_t connections() const noexcept;

 private:
  friend class ServerConn;
  struct Impl;
  struct Counted;
  std::shared_ptr<Impl> impl_;
};

}  // namespace weir::http
