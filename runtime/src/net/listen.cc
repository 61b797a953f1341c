// Listeners and datagram sockets.

#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include <weir/net/listener.h>
#include <weir/net/packet_conn.h>

#include "fd.h"
#include "lookup.h"
#include "socket.h"
#include "syscalls.h"

namespace weir::net {

namespace {

// Where to listen: of a host name its first IPv4 address, if it has one; with no host everything,
// over IPv4 and IPv6 at once where both may be used. Go: favoriteAddrFamily.
Addr local_address(const network_kind& net, std::string_view address) {
  std::vector<Addr> found = resolve("listen", net, address, {{}, kNoDeadline});
  auto v4 =
      std::find_if(found.begin(), found.end(), [](const Addr& a) { return a.family() == AF_INET; });
  Addr chosen = v4 != found.end() ? *v4 : found.front();
  if (!is_wildcard(chosen) || net.family == family::v4) return chosen;
  static const bool have_v6 = unique_fd(sys_socket(AF_INET6, SOCK_DGRAM)).get() >= 0;
  return wildcard(net, have_v6 ? AF_INET6 : AF_INET, chosen.port());
}

netFD* listen_on(const network_kind& net, std::string_view address, bool packets, const void* pc) {
  if ((net.socktype == SOCK_DGRAM) != packets) {
    throw make_error({"listen", net.name}, errc::bad_address,
                     "address " + std::string(address) + ": unexpected address type");
  }
  Addr at = local_address(net, address);
  op_context context{"listen", net.name, {}, at.to_string()};
  unique_fd fd = open_socket(net, at.family(), context);
  if (net.is_tcp()) {
    int on = 1;  // although connections of a former listener linger
    if (int err = -sys_setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on)) {
      throw make_sys_error(context, "setsockopt", err);
    }
  }
  if (int err = -sys_bind(fd.get(), at.data(), at.size())) {
    throw make_sys_error(context, "bind", err);
  }
  if (!packets) {
    if (int err = -sys_listen(fd.get())) throw make_sys_error(context, "listen", err);
  }
  int raw = fd.get();
  return new netFD(std::move(fd), net, socket_name(raw, net), {}, "listen", pc);
}

bool has_file(const Addr& a) { return a.family() == AF_UNIX && a.to_string().front() != '@'; }

}  // namespace

namespace detail {

Listener listen(std::string_view network, std::string_view address, const void* pc) {
  const network_kind& net = known_network("listen", network);
  netFD* fd = listen_on(net, address, false, pc);
  if (has_file(fd->local())) fd->unlink_on_close();
  return Listener(fd);
}

PacketConn listen_packet(std::string_view network, std::string_view address, const void* pc) {
  return PacketConn(listen_on(known_network("listen", network), address, true, pc));
}

Conn accept(netFD& listener, const void* pc) {
  Addr remote;
  unique_fd fd = listener.accept(&remote);
  // Whoever listens on one address knows the local end of his connections.
  Addr local =
      is_wildcard(listener.local()) ? socket_name(fd.get(), listener.net()) : listener.local();
  return Conn(new netFD(std::move(fd), listener.net(), local, remote, "accept", pc));
}

Packet read_from(netFD& fd, void* buffer, size_t size) {
  Packet p;
  p.size = fd.read_from(buffer, size, &p.from);
  return p;
}

size_t write_to(netFD& fd, const void* data, size_t size, const Addr& to) {
  return fd.write_to(data, size, to);
}

}  // namespace detail

}  // namespace weir::net
