// netFD (net/fd.h).

#include "fd.h"

#include <unistd.h>

#include <weir/go.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "../perturb.h"
#include "../sema.h"
#include "../tls.h"
#include "syscalls.h"

namespace weir::net {

using rt::poll_mode;
using rt::poll_result;

namespace {

constexpr size_t kMaxAtOnce = 1 << 30;  // bytes of one system call; Go's maxRW

template <size_t N>
void copy_text(char (&to)[N], std::string_view from) noexcept {
  size_t n = std::min(from.size(), N - 1);
  std::memcpy(to, from.data(), n);
  to[n] = 0;
}

constexpr fd_mutex::side side_of(poll_mode mode) {
  return mode == poll_mode::read ? fd_mutex::side::read : fd_mutex::side::write;
}

// A goroutine whose P was taken away, since it ran for long, gets in line for one before it goes
// on: else one whose socket is always ready would run beside the others for ever.
void give_way() {
  rt::perturb_point();
  const rt::M* m = rt::getg()->m.load(std::memory_order_relaxed);
  if (m && !m->p.load(std::memory_order_relaxed)) [[unlikely]]
    gosched();
}

}  // namespace

void unique_fd::reset(int fd) noexcept {
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}

// From its beginning to its end an operation has the lock of its side (or a reference only), and
// the descriptor stays open.
class netFD::operation {
 public:
  operation(netFD& fd, poll_mode mode, std::string_view op) : fd_(fd), locked_(true), mode_(mode) {
    give_way();
    if (!fd.mutex_.lock(side_of(mode))) fd.fail(op, poll_result::closing);
  }
  operation(netFD& fd, std::string_view op) : fd_(fd), locked_(false), mode_() {
    if (!fd.mutex_.incref()) fd.fail(op, poll_result::closing);
  }
  operation(const operation&) = delete;
  operation& operator=(const operation&) = delete;
  ~operation() {
    if (locked_ ? fd_.mutex_.unlock(side_of(mode_)) : fd_.mutex_.decref()) fd_.destroy();
  }

 private:
  netFD& fd_;
  bool locked_;
  poll_mode mode_;
};

netFD::netFD(unique_fd fd, const network_kind& net, const Addr& local, const Addr& remote,
             std::string_view op, const void* made_pc)
    : fd_(fd.get()), net_(net), local_(local), remote_(remote), made_pc_(made_pc) {
  pd_ = rt::netpollopen(fd_, info());
  if (!pd_) fail(op, "epoll_ctl", errno);
  fd.release();
}

rt::io_info netFD::info() const {
  rt::io_info info;
  info.fd = fd_;
  copy_text(info.network, net_.base);
  if (local_) copy_text(info.local, local_.to_string());
  if (remote_) copy_text(info.remote, remote_.to_string());
  info.made_pc = made_pc_;
  return info;
}

void netFD::set_addresses(const Addr& local, const Addr& remote) {
  local_ = local;
  remote_ = remote;
  rt::netpollsetinfo(pd_, info());
}

void netFD::unref() noexcept {
  if (refs_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  if (mutex_.close()) {
    if (unlink_) unlink(local_.to_string().c_str());
    rt::netpollunblock(pd_);
    if (mutex_.decref()) destroy();
  }
  delete this;
}

// Closed, and no operation is under way.
void netFD::destroy() noexcept {
  rt::netpollclose(pd_);
  ::close(fd_);
  rt::semrelease(closed_, false);
}

void netFD::close() {
  if (!mutex_.close()) fail("close", poll_result::closing);
  if (unlink_) unlink(local_.to_string().c_str());
  rt::netpollunblock(pd_);
  if (mutex_.decref()) destroy();
  rt::semacquire(closed_, false, introspect::WaitReason::semacquire, nullptr);
}

// ---- failing and waiting ----

op_context netFD::context(std::string_view op) const {
  op_context c{op, net_.name};
  // A listener's address is what it is about; a connection has two ends.
  if (op == "accept") {
    c.remote = local_.to_string();
    return c;
  }
  if (local_) c.local = local_.to_string();
  if (remote_) c.remote = remote_.to_string();
  return c;
}

void netFD::fail(std::string_view op, poll_result why) const {
  throw make_error(context(op), why == poll_result::timeout ? errc::timeout : errc::closed);
}

void netFD::fail(std::string_view op, std::string_view call, int err) const {
  throw make_sys_error(context(op), call, err);
}

void netFD::wait(poll_mode mode, std::string_view op) {
  poll_result r = rt::netpollwait(pd_, mode);
  if (r != poll_result::ready) [[unlikely]]
    fail(op, r);
}

void netFD::prepare(poll_mode mode, std::string_view op) {
  poll_result r = rt::netpollreset(pd_, mode);
  if (r != poll_result::ready) [[unlikely]]
    fail(op, r);
}

// ---- streams ----

size_t netFD::read(void* buffer, size_t size) {
  operation op(*this, poll_mode::read, "read");
  if (size == 0) return 0;
  size = std::min(size, kMaxAtOnce);
  if (drained_ && !rt::netpollhup(pd_)) {
    wait(poll_mode::read, "read");
  } else {
    prepare(poll_mode::read, "read");
  }
  for (;;) {
    ssize_t n = sys_recv(fd_, buffer, size);
    if (n >= 0) {
      // Of TCP only: a unix socket also stops short where a descriptor was passed.
      drained_ = n > 0 && static_cast<size_t>(n) < size && net_.is_tcp();
      return static_cast<size_t>(n);
    }
    if (n == -EAGAIN) {
      wait(poll_mode::read, "read");
    } else if (n != -EINTR) {
      fail("read", "read", static_cast<int>(-n));
    }
  }
}

size_t netFD::write(const void* data, size_t size) {
  operation op(*this, poll_mode::write, "write");
  prepare(poll_mode::write, "write");
  auto* at = static_cast<const char*>(data);
  size_t done = 0;
  for (;;) {
    ssize_t n = sys_send(fd_, at + done, std::min(size - done, kMaxAtOnce));
    if (n >= 0) {
      done += static_cast<size_t>(n);
      if (done == size || net_.socktype != SOCK_STREAM) return done;
    } else if (n == -EAGAIN) {
      wait(poll_mode::write, "write");
    } else if (n != -EINTR) {
      fail("write", "write", static_cast<int>(-n));
    }
  }
}

size_t netFD::writev(std::span<const iovec> parts) {
  operation op(*this, poll_mode::write, "write");
  prepare(poll_mode::write, "write");
  constexpr size_t kParts = 64;
  if (net_.socktype != SOCK_STREAM && parts.size() > kParts) fail("write", "writev", EMSGSIZE);
  iovec batch[kParts];
  size_t done = 0;
  size_t next = 0, skip = 0;  // the part to go on with, and its bytes that were written
  for (;;) {
    size_t count = 0;
    for (size_t i = next; i < parts.size() && count < kParts; i++) batch[count++] = parts[i];
    if (count == 0) return done;
    batch[0].iov_base = static_cast<char*>(batch[0].iov_base) + skip;
    batch[0].iov_len -= skip;
    ssize_t n = sys_sendmsg(fd_, batch, count);
    if (n == -EAGAIN) {
      wait(poll_mode::write, "write");
      continue;
    }
    if (n == -EINTR) continue;
    if (n < 0) fail("write", "writev", static_cast<int>(-n));
    done += static_cast<size_t>(n);
    if (net_.socktype != SOCK_STREAM) return done;
    for (skip += static_cast<size_t>(n); next < parts.size() && skip >= parts[next].iov_len;) {
      skip -= parts[next++].iov_len;
    }
  }
}

// ---- datagrams ----

size_t netFD::read_from(void* buffer, size_t size, Addr* from) {
  operation op(*this, poll_mode::read, "read");
  prepare(poll_mode::read, "read");
  for (;;) {
    sockaddr_storage address;
    socklen_t address_size = sizeof address;
    ssize_t n = sys_recvfrom(fd_, buffer, size, &address, &address_size);
    if (n >= 0) {
      *from = Addr(net_.base, reinterpret_cast<sockaddr*>(&address), address_size);
      return static_cast<size_t>(n);
    }
    if (n == -EAGAIN) {
      wait(poll_mode::read, "read");
    } else if (n != -EINTR) {
      fail("read", "recvfrom", static_cast<int>(-n));
    }
  }
}

size_t netFD::write_to(const void* data, size_t size, const Addr& to) {
  auto context_to = [&] {
    op_context c = context("write");
    c.remote = to.to_string();
    return c;
  };
  operation op(*this, poll_mode::write, "write");
  prepare(poll_mode::write, "write");
  const sockaddr* address = to.data();
  socklen_t address_size = to.size();
  mapped_addr mapped;
  if (local_.family() == AF_INET6) {
    mapped = map_to_v6(to);
    address = reinterpret_cast<const sockaddr*>(&mapped.storage);
    address_size = mapped.size;
  }
  for (;;) {
    ssize_t n = sys_sendto(fd_, data, size, address, address_size);
    if (n >= 0) return static_cast<size_t>(n);
    if (n == -EAGAIN) {
      poll_result r = rt::netpollwait(pd_, poll_mode::write);
      if (r != poll_result::ready) {
        throw make_error(context_to(), r == poll_result::timeout ? errc::timeout : errc::closed);
      }
    } else if (n != -EINTR) {
      throw make_sys_error(context_to(), "sendto", static_cast<int>(-n));
    }
  }
}

// ---- connections ----

unique_fd netFD::accept(Addr* remote) {
  operation op(*this, poll_mode::read, "accept");
  prepare(poll_mode::read, "accept");
  for (;;) {
    sockaddr_storage address;
    socklen_t size = sizeof address;
    int fd = sys_accept(fd_, &address, &size);
    if (fd >= 0) {
      *remote = Addr(net_.base, reinterpret_cast<sockaddr*>(&address), size);
      return unique_fd(fd);
    }
    if (fd == -EAGAIN) {
      wait(poll_mode::read, "accept");
    } else if (fd != -EINTR && fd != -ECONNABORTED) {  // aborted: gone while it was in the queue
      fail("accept", "accept4", -fd);
    }
  }
}

netFD::connect_result netFD::finish_connect() {
  for (;;) {
    poll_result r = rt::netpollwait(pd_, poll_mode::write);
    if (r != poll_result::ready) return {r, 0};
    int err = sys_so_error(fd_);
    if (err == 0) {
      // The poller may wake us for nothing: only one who has a peer is connected.
      sockaddr_storage peer;
      socklen_t size = sizeof peer;
      err = -sys_getpeername(fd_, &peer, &size);
      if (err == ENOTCONN) continue;
    }
    if (err != EINPROGRESS && err != EALREADY && err != EINTR) return {r, err};
  }
}

void netFD::shutdown(int how) {
  operation op(*this, "close");
  if (int err = -sys_shutdown(fd_, how)) fail("close", "shutdown", err);
}

void netFD::set_deadline(bool read, bool write, int64_t when) {
  operation op(*this, "set");
  if (read) rt::netpolldeadline(pd_, poll_mode::read, when);
  if (write) rt::netpolldeadline(pd_, poll_mode::write, when);
}

void netFD::setsockopt(int level, int option, const void* value, socklen_t size) {
  operation op(*this, "set");
  if (int err = -sys_setsockopt(fd_, level, option, value, size)) fail("set", "setsockopt", err);
}

}  // namespace weir::net
