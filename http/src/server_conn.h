// One connection of http::Server: the loop over its requests. Runs on a goroutine of its own.
//
// cpp-httplib reads the head of a request; the handler runs when the library has returned, so its
// frames and its catch (...) are not beneath the handler, and writes the answer by itself.
#pragma once

#include <weir/chan.h>
#include <weir/http/server.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "protocol.h"
#include "server_impl.h"
#include "wire.h"

namespace weir::http {

class ServerConn {
 public:
  ServerConn(std::shared_ptr<Server::Impl> server, net::Conn conn);
  ~ServerConn();
  ServerConn(const ServerConn&) = delete;
  ServerConn& operator=(const ServerConn&) = delete;

  // Until either side closes.
  void serve();

  // By others: closes it, if it waits for a request. Called with the server's lock held.
  void close_if_idle() noexcept;
  void close_now() noexcept;

  // --- for the library's callbacks: a request whose head has been read ---
  static ServerConn& of(const httplib::Request& request);
  void take(httplib::Request&& request);

  // --- ServerRequest ---
  const httplib::Request& request() const noexcept { return *request_; }
  const Head& head() const noexcept { return head_; }
  std::string_view path_value(std::string_view name) const noexcept;
  void set_path_values(std::vector<std::pair<std::string, std::string>> values) {
    path_values_ = std::move(values);
  }
  const net::Conn& conn() const noexcept { return wire_.conn(); }
  size_t read(char* to, size_t size);
  std::string body(size_t limit);
  Context context();

  // --- ResponseWriter ---
  Headers& headers() noexcept { return headers_; }
  void write_header(int status);
  void write(std::string_view bytes);
  void flush();

 private:
  enum class Phase : uint8_t { idle, active, closed };

  bool serve_one();     // false: the connection is to be closed
  bool read_request();  // false: answered already, or there is none
  void run_handler();
  void fail(const char* what);  // the handler threw
  void give_up(int status, const char* text);
  void finish();
  void settle_body();  // of which the handler has left something
  void send_head(bool whole);
  void send_piece(std::string_view bytes);
  bool too_long() const noexcept;
  bool bodyless() const noexcept;  // the answer has none, whatever the handler writes
  void refuse(const BadHead& why);
  void linger() noexcept;

  void watch();  // for the client's end, for the context
  void stop_watching() noexcept;

  const std::shared_ptr<Server::Impl> server_;
  Wire wire_;
  std::atomic<Phase> phase_{Phase::idle};

  // The request.
  Head head_;
  std::optional<httplib::Request> request_;
  std::vector<std::pair<std::string, std::string>> path_values_;
  std::optional<std::pair<Context, CancelFunc>> context_;
  chan<bool> watcher_;  // not nil: a goroutine reads from the connection; closed when it has ended
  std::atomic<bool> watch_stops_{false};
  std::optional<char> watched_;

  // The answer.
  Headers headers_;
  int status_ = 0;    // 0: not set
  std::string body_;  // until the head is sent
  bool sent_head_ = false;
  bool chunked_ = false;
  std::optional<uint64_t> promised_;  // bytes that Content-Length still promises
  bool close_ = false;
  bool dropped_ = false;  // the rest of the request's body, or some of it
  bool refused_ = false;  // the request is not understood, so its end is not known
};

}  // namespace weir::http
