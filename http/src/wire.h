// One end of an HTTP/1.1 connection over weir's network: cpp-httplib's Stream. It reads whole
// heads, shows them to the library in the form of head.h, and gives bodies without their framing:
// read() says 0 where the message ends, so nobody reads into the next one.
//
// Invariants: one goroutine at a time; after an error (what() of `error()`) the connection is of no
// use; a head is bounded, and what is read ahead is at most one buffer of kBuffer bytes.
#pragma once

#include <weir/net.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "chunked.h"
#include "head.h"
#include "protocol.h"
#include "tls.h"

namespace weir::http {

// The body ended too early, or is not what its head has told.
struct BadBody : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Wire final : public httplib::Stream {
 public:
  using duration = std::chrono::steady_clock::duration;  // not positive: no limit

  explicit Wire(net::Conn conn) : conn_(std::move(conn)) {}

  // --- heads ---

  // Before wait: for how long. Apart from it, so that others who know that somebody waits may then
  // move the deadline of conn() to wake him.
  void prepare_wait(duration timeout);
  // Blocks until the first bytes of a head are there. False: the other side closed before. Throws
  // net::error.
  bool wait();
  // The rest of the head. Bytes beyond it stay for the body and for the next one. Throws BadHead
  // (431 where it is larger than `max` bytes), net::error, BadBody where it ends too early.
  std::string_view read_head(size_t max, duration timeout);
  // Sets what read() gives from here on: `head.for_library`, which it takes, then the body.
  void show(Head& head);
  // Called by the library's first read, to show() what it is to read; null: it was shown before.
  void on_read(std::function<void()> f) { on_read_ = std::move(f); }

  // --- the body ---

  // At least one byte, at most `size`; 0: it has ended. Throws net::error, BadBody.
  size_t read_body(char* to, size_t size, duration timeout);
  bool body_ended() const noexcept { return ended_; }
  // More of it is to come than that, as its length says.
  bool longer_than(uint64_t most) const noexcept {
    return framing_ == Framing::length && left_ > most;
  }
  // Reads the rest and drops it, if that is at most `most` bytes; else false. Throws as read_body.
  bool drop_body(uint64_t most, duration timeout);
  // To be sent before the body is waited for: "100 Continue".
  void ask_for_body() noexcept { asks_ = true; }
  bool asks_for_body() const noexcept { return asks_; }

  // --- writing ---

  // Buffers; sends when that is large. Throws net::error.
  void send(std::string_view bytes);
  void flush();
  // A write has failed: nobody knows how much was sent, so later ones fail, too.
  bool broken() const noexcept { return broken_; }
  // What the library writes from here on is dropped: the answer is complete.
  void mute(bool on) noexcept { muted_ = on; }
  // How long the other side may take nothing of what is sent.
  void set_write_timeout(duration timeout) noexcept { write_timeout_ = timeout; }

  // What made the library's read or write fail; null: nothing.
  std::exception_ptr error() const noexcept { return error_; }
  // Where it is of no use any more.
  void forget_errors() noexcept { error_ = write_error_ = nullptr; }
  const net::Conn& conn() const noexcept { return conn_; }
  // Past the buffer, and also while somebody else reads. Throws as flush.
  void transmit(std::string_view bytes) const;
  // From here on it speaks TLS, as a client of `host`. Throws http::error, net::error.
  void start_tls(const TlsContext& context, const std::string& host, duration timeout);
  bool is_tls() const noexcept { return tls_ != nullptr; }
  // At once. May be called by anybody, and again.
  void close() const noexcept;

  // For somebody else who reads a byte off conn(), meanwhile: takes the deadline back; makes him
  // stop; gives the byte back.
  void await_byte();
  void interrupt_read() noexcept;
  void unread(char c);

  // --- by others, while this end lives ---

  // Reads and writes fail from here on, those that are under way included, until take_back.
  void interrupt() noexcept;
  // Whoever waits for a head, without a limit, waits no longer than that from now on.
  void limit_wait(duration timeout) noexcept;
  // By its goroutine, after the others: their deadlines hold no more, or are to be replaced.
  void take_back() noexcept;
  void forget_deadlines() noexcept { read_by_ = write_by_ = net::time_point::min(); }

  // --- httplib::Stream ---
  bool is_readable() const override { return !error_; }
  bool is_writable() const override { return !error_; }
  ssize_t read(char* to, size_t size) override;
  ssize_t write(const char* bytes, size_t size) override;
  void get_remote_ip_and_port(std::string&, int&) const override {}
  void get_local_ip_and_port(std::string&, int&) const override {}
  // The library refuses descriptors beyond FD_SETSIZE, for a select(2) that is not made here.
  socket_t socket() const override { return 0; }

 private:
  static constexpr size_t kBuffer = 4096, kFlushAt = 32 << 10;  // bytes

  std::string_view buffered() const noexcept { return std::string_view(in_).substr(begin_); }
  void consume(size_t n) noexcept;
  bool fill(duration timeout);  // false: the other side has sent all
  void read_within(duration timeout);
  void write_within(duration timeout);
  void heed_interrupt() const;

  size_t receive(char* to, size_t size);

  const net::Conn conn_;
  std::unique_ptr<Tls> tls_;  // null: plain
  std::string in_;            // read ahead, from begin_
  size_t begin_ = 0;
  std::string out_;

  std::string head_;  // as the library reads it, from head_at_
  size_t head_at_ = 0;
  Framing framing_ = Framing::none;
  uint64_t left_ = 0;  // of Framing::length
  ChunkDecoder chunks_;
  bool ended_ = true;
  bool asks_ = false;

  std::function<void()> on_read_;
  bool muted_ = false, broken_ = false;
  std::exception_ptr write_error_;
  duration write_timeout_{};
  net::time_point read_by_ = net::kNoDeadline, write_by_ = net::kNoDeadline;
  std::exception_ptr error_;
  std::atomic<bool> interrupted_{false};
};

}  // namespace weir::http
