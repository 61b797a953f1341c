// Networks by name, and addresses from text.
#pragma once

#include <weir/net/addr.h>

#include <optional>
#include <string>
#include <string_view>

namespace weir::net {

enum class family : uint8_t { any, v4, v6, unix };

struct network_kind {
  const char* name;  // as the user said it: "tcp4"
  const char* base;  // as an Addr has it: "tcp"
  int socktype;
  net::family family;

  bool is_tcp() const noexcept { return socktype == SOCK_STREAM && family != family::unix; }
};

// Null: unknown.
const network_kind* find_network(std::string_view name) noexcept;

struct host_port {
  std::string host, port;
};
// Splits "host:port", "[v6]:port", ":port". On failure *why tells, in Go's words.
std::optional<host_port> split_host_port(std::string_view address, const char** why);
// Joins them, with brackets around an IPv6 address.
std::string join_host_port(std::string_view host, uint16_t port);

// A literal address ("10.0.0.1", "fe80::1%eth0"); nothing is looked up. None: `host` is a name, or
// not of this family.
std::optional<Addr> parse_ip(const network_kind& net, std::string_view host, uint16_t port);
bool is_ip_literal(std::string_view host);
// 0.0.0.0 or ::, for a listener on everything.
Addr wildcard(const network_kind& net, int af, uint16_t port) noexcept;
bool is_wildcard(const Addr& a) noexcept;
// 127.0.0.1 or ::1: what a dial of the wildcard means.
Addr loopback(const network_kind& net, uint16_t port) noexcept;
// An address as an IPv6 socket wants it: IPv4 mapped, others as they are.
struct mapped_addr {
  sockaddr_storage storage;
  socklen_t size;
};
mapped_addr map_to_v6(const Addr& a) noexcept;
// A path, or "@name" in the abstract name space. None: too long.
std::optional<Addr> unix_addr(const network_kind& net, std::string_view path) noexcept;

}  // namespace weir::net
