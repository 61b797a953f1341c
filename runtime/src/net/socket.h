// Making sockets: what dial, listen and listen_packet share.
#pragma once

#include <weir/net/addr.h>
#include <weir/net/conn.h>

#include <cstdint>
#include <string_view>

#include "addr.h"
#include "error.h"
#include "fd.h"

namespace weir::net {

// Throws "op name: unknown network name".
const network_kind& known_network(std::string_view op, std::string_view name);

// A socket with Go's default options. Throws with the context.
unique_fd open_socket(const network_kind& net, int family, const op_context& context);

// The address that a socket is bound to; none where the kernel does not say.
Addr socket_name(int fd, const network_kind& net) noexcept;

// A deadline as the poller has it (0: none). steady_clock is CLOCK_MONOTONIC, as nanotime is; what
// lies before the clock's beginning is past.
int64_t nanotime_of(time_point t) noexcept;

}  // namespace weir::net
