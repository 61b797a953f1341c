// dial: looks up, then tries one address after the other. Go's dial.go.

#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <exception>
#include <utility>
#include <vector>

#include <weir/net/conn.h>
#include <weir/net/packet_conn.h>
#include <weir/time.h>

#include "fd.h"
#include "lookup.h"
#include "socket.h"
#include "syscalls.h"

namespace weir::net {

namespace {

using clock = std::chrono::steady_clock;

// A share of the time that is left, for one of `n` addresses that are still to be tried; at least
// 2 s, if there are. Go: partialDeadline.
time_point partial_deadline(time_point deadline, size_t n) {
  if (deadline == kNoDeadline) return deadline;
  auto now = clock::now();
  auto left = deadline - now;
  auto share = std::max<clock::duration>(left / static_cast<int64_t>(n), std::chrono::seconds(2));
  return share < left ? now + share : deadline;
}

// A TCP connection to a local port that nobody listens on may get that very port for its own end,
// and meet itself.
bool met_itself(const network_kind& net, const Addr& local, const Addr& remote) {
  return net.is_tcp() && local == remote;
}

// Begins to connect. 0, EINPROGRESS or what went wrong.
int start_connect(int fd, const network_kind& net, const Addr& to, time_point deadline) {
  auto pause = std::chrono::milliseconds(1);
  for (;;) {
    int err = -sys_connect(fd, to.data(), to.size());
    if (err == EINTR) return EINPROGRESS;
    // A unix listener's queue is full: there is no event for when it is not.
    if (err != EAGAIN || net.family != family::unix || clock::now() >= deadline) return err;
    sleep_until(std::min<time_point>(clock::now() + pause, deadline));
    pause = std::min(pause * 2, std::chrono::milliseconds(20));
  }
}

netFD* dial_once(const network_kind& net, const Addr& to, time_point deadline, const void* pc) {
  op_context context{"dial", net.name, {}, to.to_string()};
  unique_fd fd = open_socket(net, to.family(), context);
  int err = start_connect(fd.get(), net, to, deadline);
  if (err == EAGAIN) throw make_error(context, errc::timeout);
  if (err != 0 && err != EINPROGRESS) throw make_sys_error(context, "connect", err);
  // Registered only now: a socket that has not begun to connect counts as hung up.
  int raw = fd.get();
  detail::fd_ref ref(new netFD(std::move(fd), net, {}, to, "dial", pc));
  if (err == EINPROGRESS) {
    ref.get().set_deadline(false, true, nanotime_of(deadline));
    netFD::connect_result r = ref.get().finish_connect();
    if (r.poll != rt::poll_result::ready) throw make_error(context, errc::timeout);
    if (r.err != 0) throw make_sys_error(context, "connect", r.err);
    ref.get().set_deadline(false, true, 0);
  }
  ref.get().set_addresses(socket_name(raw, net), to);
  return ref.release();
}

}  // namespace

namespace detail {

Conn dial(std::string_view network, std::string_view address, time_point deadline, const void* pc) {
  const network_kind& net = known_network("dial", network);
  std::vector<Addr> found = resolve("dial", net, address, deadline);
  std::exception_ptr first;
  for (size_t i = 0; i < found.size(); i++) {
    Addr to = is_wildcard(found[i]) ? loopback(net, found[i].port()) : found[i];
    try {
      time_point share = partial_deadline(deadline, found.size() - i);
      for (int tries = 0;; tries++) {
        Conn c(dial_once(net, to, share, pc));
        if (tries == 2 || !met_itself(net, c.local_addr(), to)) return c;
      }
    } catch (const error&) {
      if (!first) first = std::current_exception();
    }
  }
  std::rethrow_exception(first);
}

Addr resolve_addr(std::string_view network, std::string_view address) {
  const network_kind& net = known_network("resolve", network);
  return resolve("resolve", net, address, kNoDeadline).front();
}

}  // namespace detail

}  // namespace weir::net
