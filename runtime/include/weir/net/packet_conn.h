// Datagram sockets that talk to anybody.
//
//   weir::net::PacketConn socket = weir::net::listen_packet("udp", "127.0.0.1:7");
//   char buffer[2048];
//   auto [n, from] = socket.read_from(buffer, sizeof buffer);
//   socket.write_to(buffer, n, from);
#pragma once

#include <cstddef>
#include <string_view>

#include <weir/detail/pc.h>
#include <weir/net/addr.h>
#include <weir/net/conn.h>

namespace weir::net {

// A datagram that was read, and where it came from.
struct Packet {
  size_t size;
  Addr from;
};

namespace detail {
Packet read_from(netFD& fd, void* buffer, size_t size);
size_t write_to(netFD& fd, const void* data, size_t size, const Addr& to);
}  // namespace detail

// A datagram socket: a cheap shared handle, as Conn is. Go: net.PacketConn.
class PacketConn : public detail::socket_handle {
 public:
  PacketConn() = default;
  explicit PacketConn(netFD* adopt) noexcept : socket_handle(adopt) {}

  // The next datagram; blocks until one comes ("IO wait"). What does not fit is cut. Go: ReadFrom.
  [[gnu::always_inline]] Packet read_from(void* buffer, size_t size) const {
    Packet p = detail::read_from(fd_.get(), buffer, size);
    weir::detail::keep_frame();
    return p;
  }

  // Sends one datagram; blocks while the kernel's buffer is full. Returns size. Go: WriteTo.
  [[gnu::always_inline]] size_t write_to(const void* data, size_t size, const Addr& to) const {
    size_t n = detail::write_to(fd_.get(), data, size, to);
    weir::detail::keep_frame();
    return n;
  }
  [[gnu::always_inline]] size_t write_to(std::string_view text, const Addr& to) const {
    return write_to(text.data(), text.size(), to);
  }
};

namespace detail {
PacketConn listen_packet(std::string_view network, std::string_view address, const void* pc);
Addr resolve_addr(std::string_view network, std::string_view address);
}  // namespace detail

// Opens a datagram socket. `network`: "udp", "udp4", "udp6", "unixgram". `address`: as for listen.
// Go: net.ListenPacket.
[[nodiscard, gnu::always_inline]] inline PacketConn listen_packet(std::string_view network,
                                                                  std::string_view address) {
  PacketConn c = detail::listen_packet(network, address, weir::detail::current_pc());
  weir::detail::keep_frame();
  return c;
}

// The address for write_to: any network, any address that dial takes; the first one of a host name,
// which is looked up. Go: net.ResolveUDPAddr and the like.
[[nodiscard, gnu::always_inline]] inline Addr resolve_addr(std::string_view network,
                                                           std::string_view address) {
  Addr a = detail::resolve_addr(network, address);
  weir::detail::keep_frame();
  return a;
}

}  // namespace weir::net
