// netFD: an open socket, behind Conn, Listener and PacketConn alike. Go's net.netFD and
// internal/poll.FD.
//
// Handles count its references; the last one closes it and frees it. An operation is called through
// a handle that outlives it. Operations throw weir::net::error.
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <weir/net/addr.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "../netpoll.h"
#include "addr.h"
#include "error.h"
#include "fd_mutex.h"

namespace weir::net {

// Owns a file descriptor's number until netFD does.
class unique_fd {
 public:
  explicit unique_fd(int fd = -1) noexcept : fd_(fd) {}
  unique_fd(unique_fd&& o) noexcept : fd_(o.release()) {}
  unique_fd& operator=(unique_fd&& o) noexcept {
    reset(o.release());
    return *this;
  }
  ~unique_fd() { reset(-1); }
  int get() const noexcept { return fd_; }
  int release() noexcept {
    int fd = fd_;
    fd_ = -1;
    return fd;
  }
  void reset(int fd) noexcept;

 private:
  int fd_;
};

class netFD {
 public:
  // Takes a non-blocking socket over and registers it with the poller; one reference. `net` lives
  // for ever. op: for the text of the error where that fails.
  netFD(unique_fd fd, const network_kind& net, const Addr& local, const Addr& remote,
        std::string_view op, const void* made_pc);
  netFD(const netFD&) = delete;
  netFD& operator=(const netFD&) = delete;

  void ref() noexcept { refs_.fetch_add(1, std::memory_order_relaxed); }
  void unref() noexcept;

  const network_kind& net() const noexcept { return net_; }
  const Addr& local() const noexcept { return local_; }
  const Addr& remote() const noexcept { return remote_; }
  const void* made_pc() const noexcept { return made_pc_; }
  int sysfd() const noexcept { return fd_; }
  // At the end of a connect, before anybody else knows the socket.
  void set_addresses(const Addr& local, const Addr& remote);

  // Waits until a connect that is under way has succeeded (err is 0), failed (errno), or the write
  // deadline has passed.
  struct connect_result {
    rt::poll_result poll;
    int err;
  };
  connect_result finish_connect();

  size_t read(void* buffer, size_t size);
  size_t write(const void* data, size_t size);
  size_t writev(std::span<const iovec> parts);
  size_t read_from(void* buffer, size_t size, Addr* from);
  size_t write_to(const void* data, size_t size, const Addr& to);
  // A connection, non-blocking, that is not registered yet.
  unique_fd accept(Addr* remote);
  // Wakes all operations and waits until they have left and the descriptor is closed. The unix
  // socket file of a listener goes with it.
  void close();
  void unlink_on_close() noexcept { unlink_ = true; }

  void shutdown(int how);
  void set_deadline(bool read, bool write, int64_t when);
  void setsockopt(int level, int option, const void* value, socklen_t size);

 private:
  ~netFD() = default;
  class operation;

  op_context context(std::string_view op) const;
  [[noreturn]] void fail(std::string_view op, rt::poll_result why) const;
  [[noreturn]] void fail(std::string_view op, std::string_view call, int err) const;
  void wait(rt::poll_mode mode, std::string_view op);
  void prepare(rt::poll_mode mode, std::string_view op);
  void destroy() noexcept;
  rt::io_info info() const;

  std::atomic<uint32_t> refs_{1};
  int fd_;
  const network_kind& net_;
  bool unlink_ = false;
  // The last read left nothing behind, so the next one waits first (netpollhup tells why that is
  // right). Under the read lock.
  bool drained_ = false;
  rt::pollDesc* pd_;
  fd_mutex mutex_;
  rt::sema closed_;  // a permit once the descriptor is closed
  Addr local_, remote_;
  const void* made_pc_;
};

}  // namespace weir::net
