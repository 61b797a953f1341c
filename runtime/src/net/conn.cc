// The handles of sockets, and Conn (<weir/net/conn.h>).

#include <weir/net/conn.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <chrono>
#include <climits>

#include "fd.h"
#include "socket.h"

namespace weir::net {

int64_t nanotime_of(time_point t) noexcept {
  if (t == kNoDeadline) return 0;
  int64_t ns = std::chrono::duration_cast<std::chrono::nanoseconds>(t.time_since_epoch()).count();
  return std::max<int64_t>(ns, 1);
}

namespace detail {

fd_ref::fd_ref(const fd_ref& o) noexcept : fd_(o.fd_) {
  if (fd_) fd_->ref();
}

fd_ref::~fd_ref() {
  if (fd_) fd_->unref();
}

void fd_ref::throw_nil() {
  throw error(std::make_error_code(std::errc::invalid_argument),
              "weir::net: call on a handle that names no socket");
}

size_t read(netFD& fd, void* buffer, size_t size) { return fd.read(buffer, size); }
size_t write(netFD& fd, const void* data, size_t size) { return fd.write(data, size); }
size_t writev(netFD& fd, std::span<const iovec> parts) { return fd.writev(parts); }
void close(netFD& fd) { fd.close(); }

void socket_handle::set_deadline(time_point t) const {
  fd_.get().set_deadline(true, true, nanotime_of(t));
}
void socket_handle::set_read_deadline(time_point t) const {
  fd_.get().set_deadline(true, false, nanotime_of(t));
}
void socket_handle::set_write_deadline(time_point t) const {
  fd_.get().set_deadline(false, true, nanotime_of(t));
}
Addr socket_handle::local_addr() const { return fd_.get().local(); }
int socket_handle::native_handle() const { return fd_.get().sysfd(); }

}  // namespace detail

namespace {

void set_int(netFD& fd, int level, int option, int value) {
  fd.setsockopt(level, option, &value, sizeof value);
}

}  // namespace

void Conn::close_read() const { fd_.get().shutdown(SHUT_RD); }
void Conn::close_write() const { fd_.get().shutdown(SHUT_WR); }
Addr Conn::remote_addr() const { return fd_.get().remote(); }

void Conn::set_no_delay(bool on) const { set_int(fd_.get(), IPPROTO_TCP, TCP_NODELAY, on); }

void Conn::set_keep_alive(std::chrono::seconds idle) const {
  netFD& fd = fd_.get();
  int seconds =
      static_cast<int>(std::clamp<int64_t>(idle.count(), 0, 32767));  // the kernel's limit
  set_int(fd, SOL_SOCKET, SO_KEEPALIVE, seconds > 0);
  if (seconds <= 0) return;
  set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, seconds);
  set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, seconds);
}

void Conn::set_linger(std::chrono::seconds limit) const {
  linger l = {limit.count() >= 0, static_cast<int>(std::clamp<int64_t>(limit.count(), 0, INT_MAX))};
  fd_.get().setsockopt(SOL_SOCKET, SO_LINGER, &l, sizeof l);
}

void Conn::set_read_buffer(int bytes) const { set_int(fd_.get(), SOL_SOCKET, SO_RCVBUF, bytes); }
void Conn::set_write_buffer(int bytes) const { set_int(fd_.get(), SOL_SOCKET, SO_SNDBUF, bytes); }

}  // namespace weir::net
