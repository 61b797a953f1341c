// The system calls of sockets: -errno instead of -1. Not inlined: a goroutine that waited may come
// back on another thread, and the compiler would keep errno's address from before.
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <cstddef>

namespace weir::net {

int sys_socket(int family, int type) noexcept;  // non-blocking, close-on-exec
int sys_bind(int fd, const sockaddr* address, socklen_t size) noexcept;
int sys_listen(int fd) noexcept;  // with the longest backlog that the kernel allows
int sys_accept(int fd, sockaddr_storage* address, socklen_t* size) noexcept;
int sys_connect(int fd, const sockaddr* address, socklen_t size) noexcept;
int sys_getsockname(int fd, sockaddr_storage* address, socklen_t* size) noexcept;
int sys_getpeername(int fd, sockaddr_storage* address, socklen_t* size) noexcept;
int sys_setsockopt(int fd, int level, int option, const void* value, socklen_t size) noexcept;
int sys_shutdown(int fd, int how) noexcept;
int sys_so_error(int fd) noexcept;  // the pending error, 0: none

// These never raise SIGPIPE.
ssize_t sys_recv(int fd, void* buffer, size_t size) noexcept;
ssize_t sys_send(int fd, const void* data, size_t size) noexcept;
ssize_t sys_sendmsg(int fd, iovec* parts, size_t count) noexcept;
ssize_t sys_recvfrom(int fd, void* buffer, size_t size, sockaddr_storage* from,
                     socklen_t* from_size) noexcept;
ssize_t sys_sendto(int fd, const void* data, size_t size, const sockaddr* to,
                   socklen_t to_size) noexcept;

}  // namespace weir::net
