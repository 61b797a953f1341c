// Addresses and listening sockets (address.h).

#include "address.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <system_error>

#include <weir/http/error.h>

namespace weir::http::debug {

namespace {

constexpr int kBacklog = 1024;
constexpr int kType = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;

std::string shown(const Address& a) {
  if (a.is_unix()) return "unix:" + a.path;
  const bool v6 = a.host.find(':') != std::string::npos;
  return (v6 ? "[" + a.host + "]" : a.host) + ":" + std::to_string(a.port);
}

error cannot(const std::string& address, const std::string& why) {
  return error("cannot listen on \"" + address + "\": " + why);
}

error cannot(const Address& a, const std::string& why) { return cannot(shown(a), why); }

std::string reason(int code) { return std::generic_category().message(code); }

sockaddr_un unix_name(const Address& a) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  if (a.path.size() >= sizeof name.sun_path) {
    throw cannot(a,
                 "the path is longer than " + std::to_string(sizeof name.sun_path - 1) + " bytes");
  }
  std::memcpy(name.sun_path, a.path.data(), a.path.size());
  return name;
}

// Makes way for a socket at a path that is taken: removes what a dead process has left.
void remove_stale(const Address& a, const sockaddr_un& name) {
  struct stat there;
  if (lstat(a.path.c_str(), &there) != 0) {
    if (errno == ENOENT) return;
    throw cannot(a, reason(errno));
  }
  if (!S_ISSOCK(there.st_mode)) throw cannot(a, "there is a file that is not a socket");
  const int probe = socket(AF_UNIX, kType, 0);
  if (probe < 0) throw cannot(a, reason(errno));
  const bool connected = connect(probe, reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0;
  const int why = errno;
  ::close(probe);
  if (connected || why == EAGAIN) throw cannot(a, "another process listens there");
  if (why == ENOENT) return;
  if (why != ECONNREFUSED) throw cannot(a, "there is a socket already: " + reason(why));
  if (unlink(a.path.c_str()) != 0 && errno != ENOENT) throw cannot(a, reason(errno));
}

}  // namespace

std::string Address::url() const { return (is_unix() ? "" : "http://") + shown(*this); }

Address parse_address(std::string_view text) {
  const auto fail = [&](const char* why) {
    return cannot(std::string(text), std::string(why) + " (expected HOST:PORT or unix:PATH)");
  };
  Address a;
  constexpr std::string_view kUnix = "unix:";
  if (text.starts_with(kUnix)) {
    a.path = text.substr(kUnix.size());
    if (a.path.empty()) throw fail("there is no path");
    if (a.path.find('\0') != std::string::npos) throw fail("there is a NUL in the path");
    return a;
  }
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) throw fail("there is no port");
  std::string_view host = text.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != host.npos) {
    throw fail("an IPv6 address stands in brackets: [::1]:6060");
  }
  a.host = host.empty() ? "127.0.0.1" : host;
  const std::string_view port = text.substr(colon + 1);
  const char* const end = port.data() + port.size();
  const auto [at, err] = std::from_chars(port.data(), end, a.port);
  if (err != std::errc() || at != end || port.front() == '-' || a.port > 65535) {
    throw fail("the port is not a number from 0 to 65535");
  }
  return a;
}

Listener::Listener(const Address& address) : address_(address) {
  try {
    address_.is_unix() ? listen_unix() : listen_tcp();
  } catch (...) {
    close();
    throw;
  }
}

void Listener::listen_tcp() {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int failed =
      getaddrinfo(address_.host.c_str(), std::to_string(address_.port).c_str(), &hints, &found);
  if (failed != 0) {
    throw cannot(address_, std::string("the host is not known: ") + gai_strerror(failed));
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> all(found, freeaddrinfo);
  int why = EADDRNOTAVAIL;
  for (const addrinfo* i = found; i && fd_ < 0; i = i->ai_next) {
    const int fd = socket(i->ai_family, kType, 0);
    if (fd < 0) {
      why = errno;
      continue;
    }
    const int yes = 1, no = 0;
    // Without SO_REUSEPORT, which would let two programs share one port unknowingly.
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (i->ai_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no);
    if (bind(fd, i->ai_addr, i->ai_addrlen) == 0 && ::listen(fd, kBacklog) == 0) {
      fd_ = fd;
    } else {
      why = errno;
      ::close(fd);
    }
  }
  if (fd_ < 0) throw cannot(address_, reason(why));
  sockaddr_storage got{};
  socklen_t size = sizeof got;
  getsockname(fd_, reinterpret_cast<sockaddr*>(&got), &size);
  address_.port =
      ntohs(got.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(got).sin6_port
                                      : reinterpret_cast<const sockaddr_in&>(got).sin_port);
}

void Listener::listen_unix() {
  const sockaddr_un name = unix_name(address_);
  fd_ = socket(AF_UNIX, kType, 0);
  if (fd_ < 0) throw cannot(address_, reason(errno));
  // The mode that bind gives to the file: no moment passes in which others could connect, and no
  // other thread's umask is touched.
  fchmod(fd_, S_IRUSR | S_IWUSR);
  const auto* const at = reinterpret_cast<const sockaddr*>(&name);
  if (bind(fd_, at, sizeof name) != 0) {
    if (errno != EADDRINUSE) throw cannot(address_, reason(errno));
    remove_stale(address_, name);
    if (bind(fd_, at, sizeof name) != 0) throw cannot(address_, reason(errno));
  }
  if (lstat(address_.path.c_str(), &file_) != 0 || ::listen(fd_, kBacklog) != 0) {
    throw cannot(address_, reason(errno));
  }
}

void Listener::close() noexcept {
  if (fd_ < 0) return;
  ::close(fd_);
  fd_ = -1;
  struct stat there;
  if (file_.st_ino != 0 && lstat(address_.path.c_str(), &there) == 0 &&
      there.st_dev == file_.st_dev && there.st_ino == file_.st_ino) {
    unlink(address_.path.c_str());
  }
}

}  // namespace weir::http::debug
