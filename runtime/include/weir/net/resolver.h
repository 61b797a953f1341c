// Host names to addresses.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <weir/context.h>
#include <weir/detail/pc.h>
#include <weir/net/error.h>

namespace weir::net {

// The C library's resolver (getaddrinfo: /etc/hosts, DNS, ... as /etc/nsswitch.conf says), for
// goroutines: it works on a goroutine and an OS thread of its own, at most 64 at once in the
// process; who asks waits as for a channel. On a plain thread it works there. Go: net.Resolver.
class Resolver {
 public:
  // The addresses of a host, best first, without duplicates. A literal address is not looked up,
  // but returned. Throws errc::no_such_host, errc::lookup_failed; with a context also as dial does
  // when it is done. Go: LookupHost.
  [[gnu::always_inline]] std::vector<std::string> lookup_host(std::string_view host) const {
    std::vector<std::string> found = lookup({}, host);
    weir::detail::keep_frame();
    return found;
  }
  [[gnu::always_inline]] std::vector<std::string> lookup_host(const Context& ctx,
                                                              std::string_view host) const {
    std::vector<std::string> found = lookup(ctx, host);
    weir::detail::keep_frame();
    return found;
  }

 private:
  static std::vector<std::string> lookup(const Context& ctx, std::string_view host);
};

}  // namespace weir::net
