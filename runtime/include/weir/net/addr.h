// Addresses of sockets, as values.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>

namespace weir::net {

// An IP address and port, or the name of a unix socket. Go: net.Addr, TCPAddr, UDPAddr, UnixAddr.
class Addr {
 public:
  Addr() noexcept = default;  // none
  // The kernel's form. An IPv4 address that is mapped into IPv6 becomes the IPv4 address.
  // `network` ("tcp", "udp", "unix", "unixgram", "unixpacket") must live for ever.
  Addr(const char* network, const sockaddr* address, socklen_t size) noexcept;

  explicit operator bool() const noexcept { return size_ != 0; }
  // "tcp", "udp", "unix", "unixgram", "unixpacket"; empty: none.
  const char* network() const noexcept { return network_; }
  // "127.0.0.1:80", "[fe80::1%eth0]:80", "/run/socket", "@abstract"; of an unnamed unix socket "@".
  std::string to_string() const;
  // The IP address alone, or to_string of a unix socket.
  std::string host() const;
  // 0 for unix sockets.
  uint16_t port() const noexcept;

  // The kernel's form.
  const sockaddr* data() const noexcept { return reinterpret_cast<const sockaddr*>(&storage_); }
  socklen_t size() const noexcept { return size_; }
  int family() const noexcept { return size_ ? storage_.ss_family : AF_UNSPEC; }

  // The same place; the network is not compared.
  friend bool operator==(const Addr& a, const Addr& b) noexcept;

 private:
  sockaddr_storage storage_ = {};
  socklen_t size_ = 0;
  const char* network_ = "";
};

}  // namespace weir::net
