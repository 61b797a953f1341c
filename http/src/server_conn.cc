#include "server_conn.h"

#include <cxxabi.h>

#include <weir/go.h>
#include <weir/http/error.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <stdexcept>

#include "date.h"
#include "text.h"

namespace weir::http {

namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kWhole = 32 << 10;        // bytes of an answer that is sent as a whole
constexpr uint64_t kDropBody = 256 << 10;  // bytes of a request that nobody wanted
// How long a connection is kept for the other side to read what was said last (Go: 500 ms).
constexpr std::chrono::milliseconds kLinger{500};

// What ServerRequest::body throws beyond its limit.
struct TooLarge : error {
  using error::error;
};

// The way from a request of the library to its connection.
struct Tag {
  ServerConn* conn;
  bool operator()(const char*, size_t, uint64_t, uint64_t) const { return false; }
};

// A line end in a value would be the end of the field, and whatever comes then a field of the
// client's making.
void append_value(std::string& to, std::string_view value) {
  for (const char c : value) to.push_back(is_text(c) ? c : ' ');
}

void append_number(std::string& to, uint64_t n, int base = 10) {
  char digits[20];
  to.append(digits, std::to_chars(digits, digits + sizeof digits, n, base).ptr);
}

std::optional<uint64_t> parse_number(std::string_view digits) {
  uint64_t n = 0;
  const auto [at, err] = std::from_chars(digits.data(), digits.data() + digits.size(), n);
  if (err != std::errc() || at != digits.data() + digits.size()) return std::nullopt;
  return n;
}

}  // namespace

ServerConn::ServerConn(std::shared_ptr<Server::Impl> server, net::Conn conn)
    : server_(std::move(server)), wire_(std::move(conn)) {
  wire_.set_write_timeout(server_->options.write_timeout);
}

ServerConn::~ServerConn() {
  stop_watching();
  server_->remove(*this);
  close_now();
}

void ServerConn::close_now() noexcept { wire_.close(); }

void ServerConn::close_if_idle() noexcept {
  Phase idle = Phase::idle;
  if (phase_.compare_exchange_strong(idle, Phase::closed)) close_now();
}

void ServerConn::serve() {
  if (!server_->add(*this)) return;
  try {
    while (serve_one()) {
    }
  } catch (const net::error&) {
    // The client is gone, or too slow.
  } catch (const BadBody&) {
    // The client is gone within a request.
  } catch (const std::exception& e) {
    server_->log("a connection of " + wire_.conn().remote_addr().to_string() +
                 " is given up: " + e.what());
  }
}

bool ServerConn::serve_one() {
  wire_.prepare_wait(server_->options.idle_timeout);
  if (!wire_.wait()) return false;
  Phase idle = Phase::idle;
  if (!phase_.compare_exchange_strong(idle, Phase::active)) return false;
  if (read_request()) run_handler();
  if (close_ || !server_->open()) {
    wire_.flush();
    linger();
    return false;
  }
  wire_.flush();
  phase_.store(Phase::idle);
  return server_->open();  // else shutdown has passed it by
}

// --- the request ---

ServerConn& ServerConn::of(const httplib::Request& request) {
  return *request.content_receiver.target<Tag>()->conn;
}

void ServerConn::take(httplib::Request&& request) {
  request_.emplace(std::move(request));
  wire_.mute(true);  // the library's answer
}

bool ServerConn::read_request() {
  try {
    const ServerOptions& options = server_->options;
    head_ = parse_request_head(wire_.read_head(options.max_header_bytes, options.header_timeout));
  } catch (const BadHead& why) {
    refuse(why);
    return false;
  }
  close_ = !head_.keep_alive;
  const bool asks = head_.expects_continue;
  wire_.show(head_);
  if (asks) wire_.ask_for_body();
  request_.reset();
  bool closed = false;
  server_->protocol.process_request(wire_, true, closed, [this](httplib::Request& request) {
    request.content_receiver = Tag{this};
  });
  wire_.mute(false);
  // The library has answered by itself: the target is too long.
  if (!request_) close_ = true;
  return request_.has_value();
}

void ServerConn::refuse(const BadHead& why) {
  close_ = refused_ = true;
  std::string answer = "HTTP/1.1 ";
  append_number(answer, static_cast<uint64_t>(why.status));
  answer.append(" ").append(status_text(why.status));
  const std::string text = std::string(why.what()) + "\n";
  answer.append("\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\nDate: ");
  answer.append(date_now()).append("\r\nContent-Length: ");
  append_number(answer, text.size());
  answer.append("\r\n\r\n").append(text);
  wire_.send(answer);
}

std::string_view ServerConn::path_value(std::string_view name) const noexcept {
  for (const auto& [key, value] : path_values_) {
    if (key == name) return value;
  }
  return {};
}

size_t ServerConn::read(char* to, size_t size) {
  if (dropped_) {
    throw error("http: request body: what was not read when the answer began is gone");
  }
  try {
    const size_t n = wire_.read_body(to, size, server_->options.read_timeout);
    if (wire_.body_ended()) watch();
    return n;
  } catch (const BadBody& e) {
    close_ = true;
    throw error(std::string("http: request body: ") + e.what());
  } catch (const net::error&) {
    close_ = true;
    throw;
  }
}

std::string ServerConn::body(size_t limit) {
  constexpr size_t kPiece = 16 << 10;
  std::string all;
  for (;;) {
    if (all.size() > limit || (head_.framing == Framing::length && head_.length > limit)) {
      throw TooLarge("http: request body too large");
    }
    const size_t had = all.size();
    all.resize(had + kPiece);
    const size_t n = read(all.data() + had, kPiece);
    all.resize(had + n);
    if (n == 0) return all;
  }
}

// --- the request's context ---

Context ServerConn::context() {
  if (!context_) {
    context_ = with_cancel(server_->context.first);
    watch();
  }
  return context_->first;
}

// What can be seen of a client that goes away is that reading ends. So somebody reads, but a byte
// at the most, until the handler has returned.
void ServerConn::watch() {
  if (!context_ || watcher_ || !wire_.body_ended()) return;
  watch_stops_.store(false);
  try {
    wire_.await_byte();
  } catch (const net::error&) {  // it was closed on this side
    context_->second();
    return;
  }
  auto ended = make_chan<bool>();
  go([this, ended, cancel = context_->second]() mutable {
    char c = 0;
    try {
      if (wire_.conn().read(&c, 1) != 0) {
        watched_ = c;
      } else {
        cancel();
      }
    } catch (const net::error&) {
      if (!watch_stops_.load()) cancel();
    }
    ended.close();
  });
  watcher_ = ended;
}

void ServerConn::stop_watching() noexcept {
  if (!context_) return;
  context_->second();
  if (watcher_) {
    watch_stops_.store(true);
    wire_.interrupt_read();
    watcher_.recv();
    watcher_ = {};
    if (watched_) wire_.unread(*watched_);
    watched_.reset();
  }
  context_.reset();
}

// --- the answer ---

void ServerConn::run_handler() {
  headers_ = {};
  status_ = 0;
  body_.clear();
  sent_head_ = chunked_ = dropped_ = false;
  promised_.reset();
  path_values_.clear();
  ResponseWriter w(*this);
  ServerRequest r(*this);
  try {
    server_->handler(w, r);
  } catch (const net::error& e) {
    close_ = true;
    if (wire_.broken()) throw;
    fail(e.what());
  } catch (const TooLarge& e) {
    give_up(413, e.what());
  } catch (const std::exception& e) {
    fail(e.what());
  } catch (const abi::__forced_unwind&) {
    throw;
  } catch (...) {
    fail("an exception that is no std::exception");
  }
  stop_watching();
  finish();
}

void ServerConn::fail(const char* what) {
  server_->log("the handler of " + head_.method + " " + head_.target + ", asked by " +
               wire_.conn().remote_addr().to_string() + ", threw: " + what);
  give_up(500, "internal server error");
}

// What the handler has answered so far is not to be taken for the answer.
void ServerConn::give_up(int status, const char* text) {
  close_ = true;
  if (sent_head_) {
    promised_ = 1;  // what was promised will not come: not even the last chunk
    return;
  }
  headers_ = {};
  body_.clear();
  status_ = 0;
  ResponseWriter w(*this);
  write_error(w, status, text);
}

void ServerConn::write_header(int status) {
  if (status < 200 || status > 999) {
    throw std::invalid_argument("http: write_header: " + std::to_string(status) +
                                " is not a status from 200 to 999");
  }
  if (status_ == 0) status_ = status;
}

// Of an answer that is sent as a whole: it is more than the handler has told.
bool ServerConn::too_long() const noexcept {
  if (bodyless()) return false;
  const std::optional<uint64_t> told = parse_number(headers_.get("Content-Length"));
  return told && body_.size() > *told;
}

bool ServerConn::bodyless() const noexcept {
  return head_.method == "HEAD" || status_ == 204 || status_ == 304;
}

void ServerConn::write(std::string_view bytes) {
  if (status_ == 0) status_ = 200;
  if (!sent_head_) {
    body_.append(bytes);
    if (body_.size() > kWhole) flush();
  } else {
    send_piece(bytes);
  }
}

void ServerConn::flush() {
  if (!sent_head_) {
    send_head(false);
    send_piece(body_);
    body_.clear();
  }
  wire_.flush();
}

void ServerConn::send_piece(std::string_view bytes) {
  if (bytes.empty() || bodyless()) return;
  if (promised_) {
    if (bytes.size() > *promised_) {
      throw error("http: the handler wrote more than its Content-Length");
    }
    *promised_ -= bytes.size();
  }
  if (!chunked_) {
    wire_.send(bytes);
    return;
  }
  std::string size;
  append_number(size, bytes.size(), 16);
  wire_.send(size.append("\r\n"));
  wire_.send(bytes);
  wire_.send("\r\n");
}

// `whole`: body_ is all of the answer.
void ServerConn::send_head(bool whole) {
  if (status_ == 0) status_ = 200;
  settle_body();
  sent_head_ = true;
  std::string head = "HTTP/1.1 ";
  head.reserve(256);
  append_number(head, static_cast<uint64_t>(status_));
  head.append(" ").append(status_text(status_)).append("\r\n");
  bool typed = false;
  for (const auto& [name, value] : headers_) {
    if (!is_token(name) || same_word(name, "Date") || same_word(name, "Transfer-Encoding"))
      continue;
    if (same_word(name, "Content-Length")) {
      if (status_ != 204) promised_ = parse_number(value);
      continue;
    }
    if (same_word(name, "Connection")) {
      close_ |= same_word(value, "close");
      continue;
    }
    typed |= same_word(name, "Content-Type");
    head.append(name).append(": ");
    append_value(head, value);
    head.append("\r\n");
  }
  const bool has_body = !bodyless();
  if (!typed && status_ != 204 && status_ != 304 && !(whole && body_.empty())) {
    head.append("Content-Type: text/plain; charset=utf-8\r\n");
  }
  // To HEAD as to GET, where that is known.
  if (!promised_ && whole && status_ != 204 && status_ != 304 && (has_body || !body_.empty())) {
    promised_ = body_.size();
  }
  if (promised_) {
    head.append("Content-Length: ");
    append_number(head, *promised_);
    head.append("\r\n");
  } else if (has_body && !head_.http10) {
    chunked_ = true;
    head.append("Transfer-Encoding: chunked\r\n");
  } else if (has_body) {
    close_ = true;
  }
  if (close_ || !server_->open()) {
    close_ = true;
    head.append("Connection: close\r\n");
  } else if (head_.http10) {
    head.append("Connection: keep-alive\r\n");
  }
  head.append("Date: ").append(date_now()).append("\r\n\r\n");
  wire_.send(head);
}

// A body that is left in the connection would be read as the next request.
void ServerConn::settle_body() {
  if (wire_.body_ended()) return;
  if (wire_.asks_for_body()) {  // the client waits to be asked, and is not
    close_ = dropped_ = true;
    return;
  }
  if (close_) return;
  close_ = true;
  if (wire_.longer_than(kDropBody)) return;
  dropped_ = true;
  try {
    close_ = !wire_.drop_body(kDropBody, server_->options.read_timeout);
  } catch (const BadBody&) {
    // So it closes.
  }
}

void ServerConn::finish() {
  if (!sent_head_) {
    if (too_long()) fail("http: the handler wrote more than its Content-Length");
    send_head(true);
    send_piece(body_);
  } else if (chunked_ && !promised_) {
    wire_.send("0\r\n\r\n");
  }
  settle_body();
  if (promised_.value_or(0) != 0 && !bodyless()) close_ = true;
}

// Without this, what the client has sent meanwhile would make the kernel reset the connection, and
// the client might not see the answer.
void ServerConn::linger() noexcept {
  if (wire_.body_ended() && !refused_) return;
  try {
    wire_.conn().close_write();
    wire_.conn().set_read_deadline(Clock::now() + kLinger);
    char buffer[4096];
    while (wire_.conn().read(buffer, sizeof buffer) != 0) {
    }
  } catch (const net::error&) {
    // It has had its time.
  }
}

// --- what handlers see ---

const std::string& ServerRequest::method() const noexcept { return conn_.head().method; }
const std::string& ServerRequest::target() const noexcept { return conn_.head().target; }
const std::string& ServerRequest::path() const noexcept { return conn_.request().path; }
std::string ServerRequest::query(const std::string& name) const {
  return conn_.request().get_param_value(name);
}
bool ServerRequest::has_query(const std::string& name) const {
  return conn_.request().has_param(name);
}
std::string_view ServerRequest::path_value(std::string_view name) const noexcept {
  return conn_.path_value(name);
}
std::string ServerRequest::header(std::string_view name) const {
  return std::string(conn_.head().fields.get(name));
}
const Headers& ServerRequest::headers() const noexcept { return conn_.head().fields; }
std::string ServerRequest::remote_addr() const { return conn_.conn().remote_addr().to_string(); }
int64_t ServerRequest::content_length() const noexcept {
  const Head& head = conn_.head();
  return head.framing == Framing::chunked ? -1 : static_cast<int64_t>(head.length);
}
size_t ServerRequest::read(char* to, size_t size) { return conn_.read(to, size); }
std::string ServerRequest::body(size_t limit) { return conn_.body(limit); }
Context ServerRequest::context() { return conn_.context(); }

Headers& ResponseWriter::headers() noexcept { return conn_.headers(); }
void ResponseWriter::write_header(int status) { conn_.write_header(status); }
void ResponseWriter::write(std::string_view bytes) { conn_.write(bytes); }
void ResponseWriter::flush() { conn_.flush(); }

void write_error(ResponseWriter& w, int status, std::string_view text) {
  w.headers().set("Content-Type", "text/plain; charset=utf-8");
  w.headers().set("X-Content-Type-Options", "nosniff");
  w.write_header(status);
  w.write(std::string(text) + "\n");
}

}  // namespace weir::http
