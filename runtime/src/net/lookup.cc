// Looking up (net/lookup.h, <weir/net/resolver.h>).

#include "lookup.h"

#include <weir/net/resolver.h>

#include <netdb.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include <weir/blocking.h>
#include <weir/chan.h>
#include <weir/go.h>
#include <weir/select.h>
#include <weir/timer.h>

#include "../sema.h"
#include "../tls.h"
#include "error.h"

namespace weir::net {

namespace {

constexpr size_t kLookupStack = 1 << 20;  // of the C library's resolver and its plug-ins, bytes
constexpr uint32_t kMaxLookups = 64;      // at once

// What getaddrinfo said: to a host (addresses with port 0) or to the name of a service (one address
// with its port).
struct answer {
  int gai_error = 0;
  int sys_error = 0;  // of EAI_SYSTEM
  std::vector<Addr> found;
};

struct question {
  std::string host, service;  // one of them is empty
  const network_kind* net;
};

answer ask_libc(const question& q) {
  addrinfo hints = {};
  hints.ai_socktype = q.net->socktype;
  addrinfo* list = nullptr;
  answer a;
  a.gai_error = getaddrinfo(q.host.empty() ? nullptr : q.host.c_str(),
                            q.service.empty() ? nullptr : q.service.c_str(), &hints, &list);
  if (a.gai_error == EAI_SYSTEM) a.sys_error = errno;
  if (a.gai_error != 0) return a;
  for (addrinfo* i = list; i; i = i->ai_next) {
    if (i->ai_family != AF_INET && i->ai_family != AF_INET6) continue;
    Addr addr(q.net->base, i->ai_addr, i->ai_addrlen);
    if (std::find(a.found.begin(), a.found.end(), addr) == a.found.end()) a.found.push_back(addr);
  }
  freeaddrinfo(list);
  return a;
}

// A permit for each lookup that may begin.
constinit rt::sema places{.lock{}, .permits{kMaxLookups}};

answer ask_in_turn(const question& q) {
  rt::semacquire(places, false, introspect::WaitReason::semacquire, nullptr);
  struct Guard {
    ~Guard() { rt::semrelease(places, false); }
  } guard;
  return blocking([&] { return ask_libc(q); });
}

// The answer, or null when the caller's patience is spent. A goroutine with room asks, so that the
// caller needs little stack and can go away.
std::shared_ptr<const answer> ask(question q, const patience& wait) {
  if (rt::getg()->is_thread) return std::make_shared<answer>(ask_libc(q));
  auto answers = make_chan<std::shared_ptr<const answer>>(1);
  go({.name = "net lookup", .stack_size = kLookupStack},
     [answers, q = std::move(q)] { answers.send(std::make_shared<answer>(ask_in_turn(q))); });
  recv_chan<time_point> late;
  if (wait.deadline != kNoDeadline) {
    time_point now = std::chrono::steady_clock::now();
    late = after(std::max(wait.deadline, now) - now);
  }
  std::shared_ptr<const answer> got;
  select(on_recv(answers, [&](auto a) { got = std::move(*a); }), on_recv(late),
         on_recv(wait.ctx.done()));
  return got;
}

// Throws unless something was found.
std::shared_ptr<const answer> must_ask(const op_context& context, const std::string& lookup,
                                       question q, const patience& wait) {
  wait.check(context);
  auto a = ask(std::move(q), wait);
  if (!a) throw wait.spent(context, lookup);
  switch (a->gai_error) {
    case 0:
      return a;
    case EAI_NONAME:
    case EAI_NODATA:
    case EAI_ADDRFAMILY:
      throw make_error(context, errc::no_such_host, lookup + "no such host");
    case EAI_SERVICE:
      throw make_error(context, errc::bad_address, lookup + "unknown port");
    case EAI_SYSTEM:
      throw make_sys_error(context, lookup + "getaddrinfo", a->sys_error);
    default:
      throw make_error(context, errc::lookup_failed, lookup + gai_strerror(a->gai_error));
  }
}

uint16_t parse_port(const op_context& context, const network_kind& net, const std::string& port,
                    const patience& wait) {
  if (port.empty()) return 0;
  unsigned value = 0;
  auto [end, err] = std::from_chars(port.data(), port.data() + port.size(), value);
  if (end == port.data() + port.size() && err != std::errc::invalid_argument) {
    if (err == std::errc() && value <= UINT16_MAX) return static_cast<uint16_t>(value);
    throw make_error(context, errc::bad_address, "address " + port + ": invalid port");
  }
  std::string lookup = std::string("lookup ") + net.name + "/" + port + ": ";
  return must_ask(context, lookup, {"", port, &net}, wait)->found.front().port();
}

bool fits(const network_kind& net, const Addr& a) {
  return net.family == family::any || (net.family == family::v4) == (a.family() == AF_INET);
}

Addr with_port(const network_kind& net, const Addr& a, uint16_t port) {
  sockaddr_storage storage = {};
  std::copy_n(reinterpret_cast<const char*>(a.data()), a.size(), reinterpret_cast<char*>(&storage));
  // At the same place for both families.
  reinterpret_cast<sockaddr_in*>(&storage)->sin_port = htons(port);
  return {net.base, reinterpret_cast<sockaddr*>(&storage), a.size()};
}

}  // namespace

patience::patience(const Context& c, time_point d) : ctx(c), deadline(d) {
  if (auto t = c.deadline()) deadline = std::min(deadline, *t);
}

void patience::check(const op_context& context) const {
  if (ctx.err() || deadline <= std::chrono::steady_clock::now()) throw spent(context);
}

error patience::spent(const op_context& context, std::string_view prefix) const {
  if (ctx.err() == ContextError::canceled) {
    return make_error(context, ContextError::canceled,
                      std::string(prefix).append("operation was canceled"));
  }
  return make_error(context, errc::timeout, std::string(prefix).append("i/o timeout"));
}

std::vector<Addr> resolve(std::string_view op, const network_kind& net, std::string_view address,
                          const patience& wait) {
  op_context context{op, net.name};
  auto bad = [&](std::string_view what, std::string_view why) {
    return make_error(context, errc::bad_address,
                      std::string("address ").append(what).append(": ").append(why));
  };
  if (net.family == family::unix) {
    if (auto a = unix_addr(net, address)) return {*a};
    throw bad(address, "name too long");
  }
  if (address.empty()) throw make_error(context, errc::bad_address, "missing address");
  const char* why = "";
  auto parts = split_host_port(address, &why);
  if (!parts) throw bad(address, why);
  uint16_t port = parse_port(context, net, parts->port, wait);
  if (parts->host.empty()) {
    return {wildcard(net, net.family == family::v6 ? AF_INET6 : AF_INET, port)};
  }
  if (auto a = parse_ip(net, parts->host, port)) return {*a};
  if (is_ip_literal(parts->host)) throw bad(parts->host, "no suitable address found");
  auto a = must_ask(context, "lookup " + parts->host + ": ", {parts->host, "", &net}, wait);
  std::vector<Addr> found;
  for (const Addr& candidate : a->found) {
    if (fits(net, candidate)) found.push_back(with_port(net, candidate, port));
  }
  if (found.empty()) throw bad(parts->host, "no suitable address found");
  return found;
}

std::vector<std::string> Resolver::lookup(const Context& ctx, std::string_view host) {
  if (is_ip_literal(host)) return {std::string(host)};
  op_context context{"lookup", host};
  // An empty name would mean this machine to getaddrinfo.
  if (host.empty()) throw make_error(context, errc::no_such_host);
  auto a = must_ask(context, "", {std::string(host), "", find_network("tcp")}, {ctx, kNoDeadline});
  std::vector<std::string> hosts;
  for (const Addr& found : a->found) hosts.push_back(found.host());
  return hosts;
}

}  // namespace weir::net
