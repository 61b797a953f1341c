// Addresses (net/addr.h).

#include "addr.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstring>

namespace weir::net {

namespace {

constexpr network_kind kNetworks[] = {
    {"tcp", "tcp", SOCK_STREAM, family::any},
    {"tcp4", "tcp", SOCK_STREAM, family::v4},
    {"tcp6", "tcp", SOCK_STREAM, family::v6},
    {"udp", "udp", SOCK_DGRAM, family::any},
    {"udp4", "udp", SOCK_DGRAM, family::v4},
    {"udp6", "udp", SOCK_DGRAM, family::v6},
    {"unix", "unix", SOCK_STREAM, family::unix},
    {"unixgram", "unixgram", SOCK_DGRAM, family::unix},
    {"unixpacket", "unixpacket", SOCK_SEQPACKET, family::unix},
};

constexpr socklen_t kPathAt = offsetof(sockaddr_un, sun_path);

const sockaddr_in& in4(const Addr& a) noexcept {
  return *reinterpret_cast<const sockaddr_in*>(a.data());
}
const sockaddr_in6& in6(const Addr& a) noexcept {
  return *reinterpret_cast<const sockaddr_in6*>(a.data());
}

Addr make4(const network_kind& net, in_addr ip, uint16_t port) noexcept {
  sockaddr_in sa = {};
  sa.sin_family = AF_INET;
  sa.sin_port = htons(port);
  sa.sin_addr = ip;
  return {net.base, reinterpret_cast<sockaddr*>(&sa), sizeof sa};
}

Addr make6(const char* base, in6_addr ip, uint16_t port, uint32_t scope) noexcept {
  sockaddr_in6 sa = {};
  sa.sin6_family = AF_INET6;
  sa.sin6_port = htons(port);
  sa.sin6_addr = ip;
  sa.sin6_scope_id = scope;
  return {base, reinterpret_cast<sockaddr*>(&sa), sizeof sa};
}

std::string unix_name(const Addr& a) {
  const char* path = reinterpret_cast<const sockaddr_un*>(a.data())->sun_path;
  size_t len = a.size() > kPathAt ? a.size() - kPathAt : 0;
  if (len == 0) return "@";
  if (path[0] != 0) return std::string(path, strnlen(path, len));
  std::string name(path, len);
  std::replace(name.begin(), name.end(), '\0', '@');
  return name;
}

}  // namespace

// ---- Addr ----

Addr::Addr(const char* network, const sockaddr* address, socklen_t size) noexcept
    : size_(std::min<socklen_t>(size, sizeof storage_)), network_(network) {
  auto* v6 = reinterpret_cast<const sockaddr_in6*>(address);
  if (size >= sizeof *v6 && address->sa_family == AF_INET6 &&
      IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
    sockaddr_in sa = {};
    sa.sin_family = AF_INET;
    sa.sin_port = v6->sin6_port;
    std::memcpy(&sa.sin_addr, v6->sin6_addr.s6_addr + 12, 4);
    std::memcpy(&storage_, &sa, sizeof sa);
    size_ = sizeof sa;
    return;
  }
  std::memcpy(&storage_, address, size_);
}

std::string Addr::host() const {
  switch (family()) {
    case AF_INET: {
      char text[INET_ADDRSTRLEN];
      return inet_ntop(AF_INET, &in4(*this).sin_addr, text, sizeof text);
    }
    case AF_INET6: {
      char text[INET6_ADDRSTRLEN];
      std::string ip = inet_ntop(AF_INET6, &in6(*this).sin6_addr, text, sizeof text);
      if (uint32_t scope = in6(*this).sin6_scope_id) {
        char name[IF_NAMESIZE];
        ip += "%";
        ip += if_indextoname(scope, name) ? std::string(name) : std::to_string(scope);
      }
      return ip;
    }
    case AF_UNIX:
      return unix_name(*this);
    default:
      return {};
  }
}

uint16_t Addr::port() const noexcept {
  switch (family()) {
    case AF_INET:
      return ntohs(in4(*this).sin_port);
    case AF_INET6:
      return ntohs(in6(*this).sin6_port);
    default:
      return 0;
  }
}

std::string Addr::to_string() const {
  return family() == AF_INET || family() == AF_INET6 ? join_host_port(host(), port()) : host();
}

bool operator==(const Addr& a, const Addr& b) noexcept {
  if (a.family() != b.family()) return false;
  switch (a.family()) {
    case AF_INET:
      return in4(a).sin_port == in4(b).sin_port && in4(a).sin_addr.s_addr == in4(b).sin_addr.s_addr;
    case AF_INET6:
      return in6(a).sin6_port == in6(b).sin6_port && in6(a).sin6_scope_id == in6(b).sin6_scope_id &&
             std::memcmp(&in6(a).sin6_addr, &in6(b).sin6_addr, sizeof(in6_addr)) == 0;
    default:
      return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size()) == 0;
  }
}

// ---- from text ----

const network_kind* find_network(std::string_view name) noexcept {
  for (const network_kind& net : kNetworks) {
    if (name == net.name) return &net;
  }
  return nullptr;
}

std::optional<host_port> split_host_port(std::string_view address, const char** why) {
  size_t colon = address.rfind(':');
  if (colon == std::string_view::npos) {
    *why = "missing port in address";
    return std::nullopt;
  }
  std::string_view host = address.substr(0, colon);
  if (!address.empty() && address[0] == '[') {
    size_t end = address.find(']');
    if (end == std::string_view::npos) {
      *why = "missing ']' in address";
      return std::nullopt;
    }
    if (end + 1 != colon) {
      *why = end + 1 == address.size() || colon < end ? "missing port in address"
                                                      : "too many colons in address";
      return std::nullopt;
    }
    host = address.substr(1, end - 1);
  } else if (host.find(':') != std::string_view::npos) {
    *why = "too many colons in address";
    return std::nullopt;
  }
  if (host.find('[') != std::string_view::npos) {
    *why = "unexpected '[' in address";
    return std::nullopt;
  }
  if (host.find(']') != std::string_view::npos) {
    *why = "unexpected ']' in address";
    return std::nullopt;
  }
  return host_port{std::string(host), std::string(address.substr(colon + 1))};
}

std::string join_host_port(std::string_view host, uint16_t port) {
  std::string text;
  if (host.find(':') == std::string_view::npos) {
    text.append(host);
  } else {
    text.append("[").append(host).append("]");
  }
  return text.append(":").append(std::to_string(port));
}

std::optional<Addr> parse_ip(const network_kind& net, std::string_view host, uint16_t port) {
  std::string text(host);
  in_addr v4;
  if (net.family != family::v6 && inet_pton(AF_INET, text.c_str(), &v4) == 1) {
    return make4(net, v4, port);
  }
  uint32_t scope = 0;
  if (size_t percent = text.find('%'); percent != std::string::npos) {
    std::string zone = text.substr(percent + 1);
    text.resize(percent);
    scope = if_nametoindex(zone.c_str());
    if (scope == 0) {
      auto [end, err] = std::from_chars(zone.data(), zone.data() + zone.size(), scope);
      if (err != std::errc() || end != zone.data() + zone.size()) return std::nullopt;
    }
  }
  in6_addr v6;
  if (inet_pton(AF_INET6, text.c_str(), &v6) != 1) return std::nullopt;
  bool mapped = IN6_IS_ADDR_V4MAPPED(&v6);
  if (net.family == (mapped ? family::v6 : family::v4)) return std::nullopt;
  return make6(net.base, v6, port, scope);
}

bool is_ip_literal(std::string_view host) {
  return parse_ip({"", "", 0, family::any}, host, 0).has_value();
}

Addr wildcard(const network_kind& net, int af, uint16_t port) noexcept {
  return af == AF_INET ? make4(net, {htonl(INADDR_ANY)}, port)
                       : make6(net.base, in6addr_any, port, 0);
}

bool is_wildcard(const Addr& a) noexcept {
  if (a.family() == AF_INET) return in4(a).sin_addr.s_addr == htonl(INADDR_ANY);
  return a.family() == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&in6(a).sin6_addr);
}

Addr loopback(const network_kind& net, uint16_t port) noexcept {
  return net.family == family::v6 ? make6(net.base, in6addr_loopback, port, 0)
                                  : make4(net, {htonl(INADDR_LOOPBACK)}, port);
}

// Not by Addr's constructor, which would map it back.
mapped_addr map_to_v6(const Addr& a) noexcept {
  mapped_addr m = {};
  if (a.family() != AF_INET) {
    std::memcpy(&m.storage, a.data(), a.size());
    m.size = a.size();
    return m;
  }
  sockaddr_in6 sa = {};
  sa.sin6_family = AF_INET6;
  sa.sin6_port = in4(a).sin_port;
  sa.sin6_addr.s6_addr[10] = sa.sin6_addr.s6_addr[11] = 0xff;
  std::memcpy(sa.sin6_addr.s6_addr + 12, &in4(a).sin_addr, 4);
  std::memcpy(&m.storage, &sa, sizeof sa);
  m.size = sizeof sa;
  return m;
}

std::optional<Addr> unix_addr(const network_kind& net, std::string_view path) noexcept {
  sockaddr_un sa = {};
  sa.sun_family = AF_UNIX;
  bool abstract = !path.empty() && path[0] == '@';
  // The kernel's limit: a path has a zero at its end, an abstract name has not.
  if (path.size() > sizeof sa.sun_path - (abstract ? 0 : 1)) return std::nullopt;
  std::memcpy(sa.sun_path, path.data(), path.size());
  if (abstract) sa.sun_path[0] = 0;
  auto size = kPathAt + static_cast<socklen_t>(path.size());
  if (!abstract && !path.empty()) size++;
  return Addr(net.base, reinterpret_cast<sockaddr*>(&sa), size);
}

}  // namespace weir::net
