// Making sockets (net/socket.h).

#include "socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <string>

#include "syscalls.h"

namespace weir::net {

namespace {

constexpr int kKeepAliveSeconds = 15;  // Go's

}  // namespace

const network_kind& known_network(std::string_view op, std::string_view name) {
  if (const network_kind* net = find_network(name)) return *net;
  throw make_error({op, name}, errc::bad_address, "unknown network " + std::string(name));
}

unique_fd open_socket(const network_kind& net, int family, const op_context& context) {
  unique_fd fd(sys_socket(family, net.socktype));
  if (fd.get() < 0) throw make_sys_error(context, "socket", -fd.release());
  auto set = [&](int level, int option, int value) {
    if (int err = -sys_setsockopt(fd.get(), level, option, &value, sizeof value)) {
      throw make_sys_error(context, "setsockopt", err);
    }
  };
  if (net.is_tcp()) {
    // What a listener has set, the connections that it accepts are born with.
    set(IPPROTO_TCP, TCP_NODELAY, 1);
    set(SOL_SOCKET, SO_KEEPALIVE, 1);
    set(IPPROTO_TCP, TCP_KEEPIDLE, kKeepAliveSeconds);
    set(IPPROTO_TCP, TCP_KEEPINTVL, kKeepAliveSeconds);
  } else if (net.family != family::unix) {
    set(SOL_SOCKET, SO_BROADCAST, 1);
  }
  if (family == AF_INET6) set(IPPROTO_IPV6, IPV6_V6ONLY, net.family == family::v6);
  return fd;
}

Addr socket_name(int fd, const network_kind& net) noexcept {
  sockaddr_storage address;
  socklen_t size = sizeof address;
  if (sys_getsockname(fd, &address, &size) != 0) return {};
  return {net.base, reinterpret_cast<sockaddr*>(&address), size};
}

}  // namespace weir::net
