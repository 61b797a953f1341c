// From what a user writes to addresses: literals, and names by the C library's resolver.
#pragma once

#include <weir/context.h>
#include <weir/net/addr.h>
#include <weir/net/conn.h>

#include <string_view>
#include <vector>

#include "addr.h"
#include "error.h"

namespace weir::net {

// For how long a caller waits.
struct patience {
  Context ctx;
  time_point deadline = kNoDeadline;

  // No later than ctx's.
  patience(const Context& c, time_point d);
  // Throws when it has come to its end.
  void check(const op_context& context) const;
  // What an operation throws that it ended.
  error spent(const op_context& context, std::string_view prefix = {}) const;
};

// All addresses that `address` names in this network, at least one; without a host the wildcard.
// Blocks for names only. Throws with the text of `op`.
std::vector<Addr> resolve(std::string_view op, const network_kind& net, std::string_view address,
                          const patience& wait);

}  // namespace weir::net
