// Connections: dial makes them, and Listener::accept.
//
//   weir::net::Conn conn = weir::net::dial("tcp", "127.0.0.1:7");
//   conn.write("hello");
//   char answer[100];
//   size_t n = conn.read(answer, sizeof answer);
#pragma once

#include <sys/uio.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include <weir/context.h>
#include <weir/detail/duration.h>
#include <weir/detail/pc.h>
#include <weir/net/addr.h>
#include <weir/net/error.h>

namespace weir::net {

using time_point = std::chrono::steady_clock::time_point;
// A deadline that never passes, as it is to begin with. Go: the zero time.
inline constexpr time_point kNoDeadline = time_point::max();

class netFD;

namespace detail {

// The counted reference to a socket that all handles share.
class fd_ref {
 public:
  fd_ref() = default;
  explicit fd_ref(netFD* adopt) noexcept : fd_(adopt) {}
  fd_ref(const fd_ref& o) noexcept;
  fd_ref(fd_ref&& o) noexcept : fd_(std::exchange(o.fd_, nullptr)) {}
  fd_ref& operator=(fd_ref o) noexcept {
    std::swap(fd_, o.fd_);
    return *this;
  }
  ~fd_ref();
  // Throws for the handle that names no socket.
  netFD& get() const {
    if (!fd_) [[unlikely]]
      throw_nil();
    return *fd_;
  }
  netFD* release() noexcept { return std::exchange(fd_, nullptr); }
  explicit operator bool() const noexcept { return fd_ != nullptr; }

 private:
  [[noreturn]] static void throw_nil();
  netFD* fd_ = nullptr;
};

size_t read(netFD& fd, void* buffer, size_t size);
size_t write(netFD& fd, const void* data, size_t size);
size_t writev(netFD& fd, std::span<const iovec> parts);
void close(netFD& fd);

// What all kinds of sockets have in common.
class socket_handle {
 public:
  // False for a handle that was default-made or moved from: all it can do is to be assigned to;
  // calls throw std::errc::invalid_argument.
  explicit operator bool() const noexcept { return bool(fd_); }

  // Closes it at once, though other handles exist: operations that are under way, and later ones,
  // throw errc::closed. Blocks until they have left. Throws errc::closed when it was closed before.
  // Go: Close.
  [[gnu::always_inline]] void close() const {
    detail::close(fd_.get());
    weir::detail::keep_frame();
  }

  // Operations that wait at `t` or later throw errc::timeout, those that are under way included,
  // until the deadline is moved or taken back (kNoDeadline). `read` deadlines are for read, accept
  // and read_from. Never block. Throw errc::closed. Go: SetDeadline, SetReadDeadline,
  // SetWriteDeadline.
  void set_deadline(time_point t) const;
  void set_read_deadline(time_point t) const;
  void set_write_deadline(time_point t) const;

  // The local end. Valid also after close. Go: LocalAddr, Addr.
  Addr local_addr() const;

  // The descriptor's number, for options that are not here. Not to be read, written or closed, and
  // to be used only while nobody can close the socket. Go: SyscallConn.
  int native_handle() const;

 protected:
  socket_handle() = default;
  explicit socket_handle(netFD* adopt) noexcept : fd_(adopt) {}
  fd_ref fd_;
};

}  // namespace detail

// A connection: TCP, UDP or unix. A cheap shared handle: copies name the same connection, and the
// last one closes it. All functions may be called from goroutines and plain threads, at the same
// time: reads wait for each other, and so do writes. A handle must live until the calls through it
// have returned. Calls that wait show the wait reason "IO wait" with descriptor and addresses. None
// raises SIGPIPE. Go: net.Conn.
class Conn : public detail::socket_handle {
 public:
  Conn() = default;
  explicit Conn(netFD* adopt) noexcept : socket_handle(adopt) {}

  // Reads at least one byte and at most `size`: blocks until some are there. 0: the other side will
  // send no more, or size is 0; for datagrams: it was empty. A datagram that is longer is cut. Go:
  // Read, where the end is io.EOF.
  [[gnu::always_inline]] size_t read(void* buffer, size_t size) const {
    size_t n = detail::read(fd_.get(), buffer, size);
    weir::detail::keep_frame();
    return n;
  }

  // Writes all of it: blocks until the kernel has taken the last byte. Returns size. After an
  // error, some of it may have been sent. Of a datagram socket: one datagram. Go: Write.
  [[gnu::always_inline]] size_t write(const void* data, size_t size) const {
    size_t n = detail::write(fd_.get(), data, size);
    weir::detail::keep_frame();
    return n;
  }
  [[gnu::always_inline]] size_t write(std::string_view text) const {
    return write(text.data(), text.size());
  }
  // Writes all parts, one after the other, as if they were one. Go: net.Buffers.WriteTo.
  [[gnu::always_inline]] size_t writev(std::span<const iovec> parts) const {
    size_t n = detail::writev(fd_.get(), parts);
    weir::detail::keep_frame();
    return n;
  }

  // Shuts one direction down; the connection stays open. After close_write the other side reads the
  // end. Never block. Go: CloseRead, CloseWrite.
  void close_read() const;
  void close_write() const;

  // The other end. Valid also after close. Go: RemoteAddr.
  Addr remote_addr() const;

  // TCP: small writes are sent at once; true to begin with. Go: SetNoDelay.
  void set_no_delay(bool on) const;
  // TCP: after `idle` without a word from the other side it is asked each `idle` whether it still
  // lives, and the connection fails when it does not answer; 15 s to begin with. Not positive: no
  // such questions. Go: SetKeepAlive, SetKeepAlivePeriod.
  void set_keep_alive(std::chrono::seconds idle) const;
  // TCP: what close does with data that was not sent yet. 0: drops it and resets the connection;
  // negative: sends it in the background, as it is to begin with; else close waits for that long on
  // its OS thread. Go: SetLinger.
  void set_linger(std::chrono::seconds limit) const;
  // The sizes of the kernel's buffers, bytes. Go: SetReadBuffer, SetWriteBuffer.
  void set_read_buffer(int bytes) const;
  void set_write_buffer(int bytes) const;
};

namespace detail {

Conn dial(std::string_view network, std::string_view address, const Context& ctx,
          time_point deadline, const void* pc);

// A time that the clock cannot show never comes.
template <class Rep, class Period>
time_point deadline_after(std::chrono::duration<Rep, Period> d) noexcept {
  int64_t ns = weir::detail::to_ns(d);
  time_point now = std::chrono::steady_clock::now();
  if (ns <= 0) return now;
  return ns < (kNoDeadline - now).count() ? now + std::chrono::nanoseconds(ns) : kNoDeadline;
}

}  // namespace detail

// Connects. `network`: "tcp", "tcp4", "tcp6", "udp", "udp4", "udp6", "unix", "unixgram",
// "unixpacket". `address`: "host:port", "[::1]:port", ":port" (this machine), a path, or "@name" in
// the abstract name space. A host name is looked up, and its addresses are tried in order; the
// first error is thrown when none answers. Blocks until connected. Go: net.Dial.
[[nodiscard, gnu::always_inline]] inline Conn dial(std::string_view network,
                                                   std::string_view address) {
  Conn c = detail::dial(network, address, {}, kNoDeadline, weir::detail::current_pc());
  weir::detail::keep_frame();
  return c;
}

// As dial, until ctx is done: then it throws ContextError::canceled ("operation was canceled") or,
// where its deadline has passed, errc::timeout. The connection does not depend on ctx afterwards.
// On a plain thread looking up is not ended, and a cancel only while weir::run is under way. Go:
// net.Dialer.DialContext.
[[nodiscard, gnu::always_inline]] inline Conn dial(const Context& ctx, std::string_view network,
                                                   std::string_view address) {
  Conn c = detail::dial(network, address, ctx, kNoDeadline, weir::detail::current_pc());
  weir::detail::keep_frame();
  return c;
}

// As dial, but throws errc::timeout when it has taken that long, looking up included (on a plain
// thread that part is not bounded). Where several addresses are tried, each gets its share of the
// time. Go: net.DialTimeout.
template <class Rep, class Period>
[[nodiscard, gnu::always_inline]] inline Conn dial_timeout(
    std::string_view network, std::string_view address,
    std::chrono::duration<Rep, Period> timeout) {
  Conn c = detail::dial(network, address, {}, detail::deadline_after(timeout),
                        weir::detail::current_pc());
  weir::detail::keep_frame();
  return c;
}

}  // namespace weir::net
