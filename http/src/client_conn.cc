#include "client_conn.h"

#include <cxxabi.h>

#include <weir/go.h>
#include <weir/select.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <mutex>
#include <optional>
#include <utility>

#include "text.h"

namespace weir::http {

namespace {

// The library matches status lines by a regular expression, whose matching recurs.
constexpr size_t kStack = 256 << 10;  // bytes
// A body that both sides' kernels may not have room for is sent by a goroutine of its own: a server
// may answer before it has read all of it, and stop reading until somebody reads its answer.
constexpr size_t kSmallBody = 16 << 10;  // bytes
// Answers like 103 that may come before the answer.
constexpr int kMaxInterim = 16;

void send_body(const Wire& wire, const Request& request, const std::string& text) {
  if (!request.body_pieces) {
    wire.transmit(text);
    return;
  }
  const bool chunked = request.body_length < 0;
  auto left = static_cast<uint64_t>(request.body_length);
  while (const std::optional<std::string> piece = request.body_pieces()) {
    if (piece->empty()) continue;
    if (!chunked) {
      if (piece->size() > left)
        throw error("http: the pieces of the body are more than its length");
      left -= piece->size();
      wire.transmit(*piece);
      continue;
    }
    char size[16];
    std::string chunk(size, std::to_chars(size, size + sizeof size, piece->size(), 16).ptr);
    wire.transmit(chunk.append("\r\n").append(*piece).append("\r\n"));
  }
  if (chunked) {
    wire.transmit("0\r\n\r\n");
  } else if (left != 0) {
    throw error("http: the pieces of the body are fewer bytes than its length");
  }
}

// Of what went wrong with a request and with the sending of its body: what has caused the other.
std::exception_ptr which(std::exception_ptr request, std::exception_ptr body) noexcept {
  try {
    std::rethrow_exception(body);
  } catch (const net::error&) {
    return request;  // the connection has failed, which both have seen
  } catch (const TlsError&) {
    return request;  // likewise
  } catch (...) {
    return body;
  }
}

}  // namespace

ClientConn::ClientConn(std::shared_ptr<ClientPool> pool, std::string key,
                       std::unique_ptr<Wire> wire)
    : pool_(std::move(pool)),
      key_(std::move(key)),
      wire_(std::move(wire)),
      requests_(make_chan<std::shared_ptr<detail::Exchange>>(1)) {
  protocol_.set_url_encode(false);
  protocol_.set_decompress(false);
}

void ClientConn::start(std::shared_ptr<detail::Exchange> first) {
  go({.stack_size = kStack}, [self = shared_from_this(), x = std::move(first)]() mutable {
    self->read_loop(std::move(x));
  });
}

void ClientConn::again(std::shared_ptr<detail::Exchange> next) {
  if (next) next->kept = true;
  // In this order: it may have woken by itself, and the deadline would hit the next request. It
  // cannot have closed the connection, since it waits for a request first.
  wire_->interrupt();
  requests_.send(std::move(next));  // there is room: who is idle is given away once
}

void ClientConn::end() noexcept { again(nullptr); }

void ClientConn::read_loop(std::shared_ptr<detail::Exchange> x) {
  while (x && serve(x)) x = wait_for_request();
}

// Reading is what shows that the server closes the connection; whoever wants to use it moves the
// deadline.
std::shared_ptr<detail::Exchange> ClientConn::wait_for_request() {
  bool lost = true;
  try {
    (void)wire_->wait();  // the end, or bytes that nobody has asked for
  } catch (const net::error& e) {
    lost = !e.timeout();
  } catch (const error&) {
    // TLS does not end like that.
  }
  std::optional<std::shared_ptr<detail::Exchange>> next;
  if (pool_->remove(*this)) {
    lost = true;  // for too long nobody wanted it
  } else {
    next = requests_.recv();
  }
  if (!lost && next && *next) return *next;
  wire_->close();
  if (next && *next) {
    detail::Exchange& x = **next;
    if (x.place) x.place->release();
    x.finish(std::make_exception_ptr(Lost("http: the server has closed the connection", false)));
  }
  return nullptr;
}

bool ClientConn::serve(const std::shared_ptr<detail::Exchange>& exchange) {
  detail::Exchange& x = *exchange;
  answered_ = has_head_ = false;
  gunzip_.reset();
  damaged_ = nullptr;
  bodyless_.reset();
  upload_ = {};
  wire_->take_back();
  {
    const std::lock_guard hold(x.mutex);
    x.wire = wire_.get();
  }
  std::optional<StopFunc> stop;
  if (!(x.request.context == Context())) {
    stop = after_func(x.request.context, [exchange] { exchange->stop(); });
  }
  bool keep = false;
  std::exception_ptr why;
  try {
    keep = run(exchange);
  } catch (const net::error& e) {
    why = std::current_exception();
    if (x.kept && !answered_ && !e.timeout()) why = std::make_exception_ptr(Lost(e.what(), true));
  } catch (const BadHead& e) {
    why = std::make_exception_ptr(error(std::string("http: malformed response: ") + e.what()));
  } catch (const BadBody& e) {
    why = std::make_exception_ptr(error(std::string("http: response: ") + e.what()));
  } catch (const std::exception&) {
    why = std::current_exception();
  }
  if (upload_) {
    // Whoever answers before he has got all of it does not want the rest.
    std::optional<std::exception_ptr> ended = upload_.try_recv();
    keep = keep && ended && !*ended;
    if (why && ended && *ended) why = which(why, *ended);
  }
  if (stop && !(*stop)()) keep = false;
  x.detach();
  wire_->take_back();
  if (keep) {
    wire_->prepare_wait(pool_->options.idle_timeout);
    keep = pool_->put(shared_from_this());
  }
  if (!keep) wire_->close();
  if (x.place) x.place->release();
  // Who gets it may ask again at once, and finds this connection.
  if (bodyless_) {
    x.head_given = true;
    x.head.send(std::move(*bodyless_));
  }
  if (why) wire_->forget_errors();
  x.finish(std::move(why));
  return keep;
}

// What goes wrong is thrown. True: the connection can be used again.
bool ClientConn::run(const std::shared_ptr<detail::Exchange>& exchange) {
  detail::Exchange& x = *exchange;
  x.check_context();
  if (x.url.tls() && !wire_->is_tls()) {
    wire_->start_tls(pool_->tls(), x.url.host, pool_->options.dial_timeout);
    wire_->forget_deadlines();
  }
  httplib::Request request = library_request(exchange);
  httplib::Response response;
  httplib::Error failed{};
  wire_->on_read([this, &x] { read_head(x); });
  if (!protocol_.process_request(*wire_, request, response, false, failed)) {
    if (damaged_) std::rethrow_exception(std::exchange(damaged_, nullptr));
    if (failed == httplib::Error::Canceled) {
      x.check_context();
      return false;  // nobody wants the rest
    }
    if (wire_->error()) std::rethrow_exception(wire_->error());
    throw error("http: malformed response");
  }
  if (gunzip_ && !gunzip_->at_end()) throw BadBody("gzip: unexpected EOF");
  if (!has_head_) give_head(x);
  return head_.keep_alive && wire_->body_ended();
}

httplib::Request ClientConn::library_request(const std::shared_ptr<detail::Exchange>& exchange) {
  detail::Exchange& x = *exchange;
  const Request& from = x.request;
  httplib::Request to;
  to.method = from.method;
  to.path = x.url.target;
  const auto set = [&to](const char* name, std::string value) {
    if (!to.has_header(name)) to.headers.emplace(name, std::move(value));
  };
  for (const auto& [name, value] : from.headers) {
    if (same_word(name, "Content-Length") || same_word(name, "Transfer-Encoding")) continue;
    to.headers.emplace(name, value);
  }
  set("Host", x.url.host_field());
  set("User-Agent", pool_->options.user_agent);
  if (x.decompress) set("Accept-Encoding", "gzip");
  if (const std::string& who = x.url.user_info; !who.empty()) {
    const size_t colon = std::min(who.find(':'), who.size());
    const std::string password = who.substr(std::min(colon + 1, who.size()));
    const auto field = httplib::make_basic_authentication_header(who.substr(0, colon), password);
    set(field.first.c_str(), field.second);
  }
  if (from.body_pieces || x.text->size() > kSmallBody) {
    const int64_t length =
        from.body_pieces ? from.body_length : static_cast<int64_t>(x.text->size());
    if (length < 0) {
      to.headers.emplace("Transfer-Encoding", "chunked");
    } else {
      to.headers.emplace("Content-Length", std::to_string(length));
    }
    to.is_chunked_content_provider_ = true;
    to.content_provider_ = [this, &exchange](size_t, size_t, httplib::DataSink& sink) {
      send_large_body(exchange);
      sink.done();
      return true;
    };
  } else {
    to.body = *x.text;
  }
  to.response_handler = [this, &x](const httplib::Response&) {
    give_head(x);
    return true;
  };
  to.content_receiver = [this, &x](const char* bytes, size_t size, uint64_t, uint64_t) {
    return take_body(x, {bytes, size});
  };
  return to;
}

// False: no more of it is wanted.
bool ClientConn::take_body(detail::Exchange& x, std::string_view bytes) {
  if (!gunzip_) return x.hand_over(std::string(bytes));
  try {
    return gunzip_->write(bytes, [&x](std::string piece) { return x.hand_over(std::move(piece)); });
  } catch (const BadBody&) {
    damaged_ = std::current_exception();  // not through the library
    return false;
  }
}

// The library has written the head, and is told that this was all.
void ClientConn::send_large_body(const std::shared_ptr<detail::Exchange>& exchange) {
  wire_->flush();
  wire_->mute(true);
  upload_ = make_chan<std::exception_ptr>(1);
  exchange->sending = true;
  go([self = shared_from_this(), exchange, ended = upload_]() mutable {
    std::exception_ptr why;
    bool stops = false;
    try {
      send_body(*self->wire_, exchange->request, *exchange->text);
    } catch (const net::error&) {
      why = std::current_exception();  // the server may have answered, so it can be read on
    } catch (const TlsError&) {
      why = std::current_exception();  // likewise
    } catch (const abi::__forced_unwind&) {
      exchange->stop();
      throw;
    } catch (...) {
      why = std::current_exception();
      stops = true;  // nobody is to wait for an answer
    }
    ended.send(std::move(why));
    if (stops) {
      exchange->stop();
    } else {
      exchange->sent_body();
    }
  });
}

void ClientConn::read_head(detail::Exchange& x) {
  wire_->mute(false);
  wire_->flush();
  const ClientOptions& options = pool_->options;
  x.await_head(options.response_header_timeout);
  if (!wire_->wait()) {
    const std::string what = "http: " + x.request.method + " " + x.url.to_string() +
                             ": the server has closed the connection without an answer (EOF)";
    if (x.kept) throw Lost(what, true);
    throw error(what);
  }
  x.got_head();
  answered_ = true;
  int before = 0;
  do {
    if (++before > kMaxInterim) throw BadHead(502, "too many answers before the answer");
    head_ = parse_response_head(
        wire_->read_head(options.max_header_bytes, options.response_header_timeout),
        x.request.method);
  } while (head_.status < 200 && head_.status != 101);
  wire_->show(head_);
}

void ClientConn::give_head(detail::Exchange& x) {
  has_head_ = true;
  Response r;
  r.status = head_.status;
  r.reason = head_.reason;
  r.url = x.url.to_string();
  const bool is_known = x.request.method == "HEAD"
                            ? head_.fields.has("Content-Length")
                            : head_.framing == Framing::length || head_.framing == Framing::none;
  if (is_known) r.content_length = static_cast<int64_t>(head_.length);
  r.uncompressed = x.decompress && head_.framing != Framing::none &&
                   same_word(head_.fields.get("Content-Encoding"), "gzip");
  if (r.uncompressed) gunzip_.emplace();
  for (const auto& [name, value] : head_.fields) {
    if (r.uncompressed &&
        (same_word(name, "Content-Encoding") || same_word(name, "Content-Length"))) {
      continue;
    }
    r.headers.add(name, value);
  }
  if (r.uncompressed) r.content_length = -1;
  x.body.status = r.status;
  if (wire_->body_ended()) {
    bodyless_ = std::move(r);
  } else {
    x.head_given = true;
    x.head.send(std::move(r));
  }
}

}  // namespace weir::http
