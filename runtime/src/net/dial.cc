// dial: looks up, then tries one address after the other. Go's dial.go.

#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <exception>
#include <utility>
#include <vector>

#include <weir/context.h>
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
  if (deadline <= now) return deadline;
  auto left = deadline - now;
  auto share = std::max<clock::duration>(left / static_cast<int64_t>(n), std::chrono::seconds(2));
  return share < left ? now + share : deadline;
}

// A TCP connection to a local port that nobody listens on may get that very port for its own end,
// and meet itself.
bool met_itself(const network_kind& net, const Addr& local, const Addr& remote) {
  return net.is_tcp() && local == remote;
}

// Begins to connect. 0, EINPROGRESS, EAGAIN when the patience is spent, or what went wrong.
int start_connect(int fd, const network_kind& net, const Addr& to, const patience& wait) {
  auto pause = std::chrono::milliseconds(1);
  for (;;) {
    int err = -sys_connect(fd, to.data(), to.size());
    if (err == EINTR) return EINPROGRESS;
    if (err != EAGAIN || net.family != family::unix) return err;
    // A unix listener's queue is full: there is no event for when it is not.
    auto left = wait.deadline - clock::now();
    if (left.count() <= 0) return EAGAIN;
    if (!sleep_for(wait.ctx, std::min<clock::duration>(pause, left))) return EAGAIN;
    pause = std::min(pause * 2, std::chrono::milliseconds(20));
  }
}

// A connect is under way.
void await_connect(const op_context& context, const detail::fd_ref& ref, const patience& wait) {
  netFD& fd = ref.get();
  fd.set_deadline(false, true, nanotime_of(wait.deadline));
  StopFunc stop = after_func(wait.ctx, [ref] { ref.get().set_deadline(false, true, 1); });
  netFD::connect_result r = fd.finish_connect();
  // Where that function has begun, it may set its deadline at any time: the socket is not for use.
  bool canceled = wait.ctx.core() && !stop();
  if (canceled || r.poll != rt::poll_result::ready) throw wait.spent(context);
  if (r.err != 0) throw make_sys_error(context, "connect", r.err);
  fd.set_deadline(false, true, 0);
}

Conn dial_once(const network_kind& net, const Addr& to, const patience& wait, const void* pc) {
  op_context context{"dial", net.name, {}, to.to_string()};
  wait.check(context);
  unique_fd fd = open_socket(net, to.family(), context);
  int err = start_connect(fd.get(), net, to, wait);
  if (err == EAGAIN && net.family == family::unix) throw wait.spent(context);
  if (err != 0 && err != EINPROGRESS) throw make_sys_error(context, "connect", err);
  // Registered only now: a socket that has not begun to connect counts as hung up.
  int raw = fd.get();
  detail::fd_ref ref(new netFD(std::move(fd), net, {}, to, "dial", pc));
  if (err == EINPROGRESS) await_connect(context, ref, wait);
  ref.get().set_addresses(socket_name(raw, net), to);
  return Conn(ref.release());
}

}  // namespace

namespace detail {

Conn dial(std::string_view network, std::string_view address, const Context& ctx,
          time_point deadline, const void* pc) {
  const network_kind& net = known_network("dial", network);
  patience wait(ctx, deadline);
  std::vector<Addr> found = resolve("dial", net, address, wait);
  std::exception_ptr first;
  for (size_t i = 0; i < found.size(); i++) {
    Addr to = is_wildcard(found[i]) ? loopback(net, found[i].port()) : found[i];
    try {
      patience share(ctx, partial_deadline(wait.deadline, found.size() - i));
      for (int tries = 0;; tries++) {
        Conn c = dial_once(net, to, share, pc);
        if (tries == 2 || !met_itself(net, c.local_addr(), to)) return c;
      }
    } catch (const error&) {
      if (wait.ctx.err()) throw;
      if (!first) first = std::current_exception();
    }
  }
  std::rethrow_exception(first);
}

Addr resolve_addr(std::string_view network, std::string_view address) {
  const network_kind& net = known_network("resolve", network);
  return resolve("resolve", net, address, {{}, kNoDeadline}).front();
}

}  // namespace detail

}  // namespace weir::net
