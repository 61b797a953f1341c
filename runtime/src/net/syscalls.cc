// The system calls of sockets (net/syscalls.h).

#include "syscalls.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>

#include "../sanitize.h"

namespace weir::net {

namespace {

template <class T>
T or_errno(T result) noexcept {
  return result < 0 ? static_cast<T>(-errno) : result;
}

}  // namespace

int sys_socket(int family, int type) noexcept {
  return or_errno(::socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

int sys_bind(int fd, const sockaddr* address, socklen_t size) noexcept {
  return or_errno(::bind(fd, address, size));
}

int sys_listen(int fd) noexcept { return or_errno(::listen(fd, INT_MAX)); }

int sys_accept(int fd, sockaddr_storage* address, socklen_t* size) noexcept {
  return or_errno(
      ::accept4(fd, reinterpret_cast<sockaddr*>(address), size, SOCK_NONBLOCK | SOCK_CLOEXEC));
}

int sys_connect(int fd, const sockaddr* address, socklen_t size) noexcept {
  return or_errno(::connect(fd, address, size));
}

int sys_getsockname(int fd, sockaddr_storage* address, socklen_t* size) noexcept {
  return or_errno(::getsockname(fd, reinterpret_cast<sockaddr*>(address), size));
}

int sys_getpeername(int fd, sockaddr_storage* address, socklen_t* size) noexcept {
  return or_errno(::getpeername(fd, reinterpret_cast<sockaddr*>(address), size));
}

int sys_setsockopt(int fd, int level, int option, const void* value, socklen_t size) noexcept {
  return or_errno(::setsockopt(fd, level, option, value, size));
}

int sys_shutdown(int fd, int how) noexcept { return or_errno(::shutdown(fd, how)); }

int sys_so_error(int fd) noexcept {
  int err = 0;
  socklen_t size = sizeof err;
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &size) < 0 ? errno : err;
}

// The two that count go past libc's wrappers, which are cancellation points and pay for it; not
// where a sanitizer wants to see what is read and written.
ssize_t sys_recv(int fd, void* buffer, size_t size) noexcept {
  if constexpr (rt::kSanitized) return or_errno(::recv(fd, buffer, size, 0));
  return or_errno(::syscall(SYS_recvfrom, fd, buffer, size, 0, nullptr, nullptr));
}

ssize_t sys_send(int fd, const void* data, size_t size) noexcept {
  if constexpr (rt::kSanitized) return or_errno(::send(fd, data, size, MSG_NOSIGNAL));
  return or_errno(::syscall(SYS_sendto, fd, data, size, MSG_NOSIGNAL, nullptr, 0));
}

ssize_t sys_sendmsg(int fd, iovec* parts, size_t count) noexcept {
  msghdr message = {};
  message.msg_iov = parts;
  message.msg_iovlen = count;
  return or_errno(::sendmsg(fd, &message, MSG_NOSIGNAL));
}

ssize_t sys_recvfrom(int fd, void* buffer, size_t size, sockaddr_storage* from,
                     socklen_t* from_size) noexcept {
  return or_errno(::recvfrom(fd, buffer, size, 0, reinterpret_cast<sockaddr*>(from), from_size));
}

ssize_t sys_sendto(int fd, const void* data, size_t size, const sockaddr* to,
                   socklen_t to_size) noexcept {
  return or_errno(::sendto(fd, data, size, MSG_NOSIGNAL, to, to_size));
}

}  // namespace weir::net
