// From what a user writes to addresses: literals, and names by the C library's resolver.
#pragma once

#include <weir/net/addr.h>
#include <weir/net/conn.h>

#include <string_view>
#include <vector>

#include "addr.h"

namespace weir::net {

// All addresses that `address` names in this network, at least one; without a host the wildcard.
// Blocks for names only. Throws with the text of `op`.
std::vector<Addr> resolve(std::string_view op, const network_kind& net, std::string_view address,
                          time_point deadline);

}  // namespace weir::net
