// Listeners: who waits for connections.
//
//   weir::net::Listener listener = weir::net::listen("tcp", "127.0.0.1:7");
//   for (;;) weir::go([conn = listener.accept()] { echo(conn); });
#pragma once

#include <string_view>

#include <weir/detail/pc.h>
#include <weir/net/addr.h>
#include <weir/net/conn.h>

namespace weir::net {

namespace detail {
Conn accept(netFD& fd, const void* pc);
}

// A socket that accepts connections: a cheap shared handle, as Conn is. A unix socket's file goes
// away when it is closed. Go: net.Listener.
class Listener : public detail::socket_handle {
 public:
  Listener() = default;
  explicit Listener(netFD* adopt) noexcept : socket_handle(adopt) {}

  // The next connection; blocks until one comes ("IO wait"). Several may wait, one after the other.
  // An error that says temporary() means that descriptors are short: wait and try again. Go:
  // Accept.
  [[nodiscard, gnu::always_inline]] Conn accept() const {
    Conn c = detail::accept(fd_.get(), weir::detail::current_pc());
    weir::detail::keep_frame();
    return c;
  }

  // Where it listens; with the port that the kernel chose, if it was 0. Go: Addr.
  Addr addr() const { return local_addr(); }
};

namespace detail {
Listener listen(std::string_view network, std::string_view address, const void* pc);
}

// Listens. `network`: "tcp", "tcp4", "tcp6", "unix", "unixpacket". `address`: as for dial; without
// a host, or with 0.0.0.0 or [::], on all addresses of this machine ("tcp": of IPv4 and IPv6); port
// 0: one that is free. A host name is looked up, else this does not block. Go: net.Listen.
[[nodiscard, gnu::always_inline]] inline Listener listen(std::string_view network,
                                                         std::string_view address) {
  Listener l = detail::listen(network, address, weir::detail::current_pc());
  weir::detail::keep_frame();
  return l;
}

}  // namespace weir::net
