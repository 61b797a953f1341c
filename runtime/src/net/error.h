// Makes the errors of weir::net.
#pragma once

#include <weir/net/error.h>

#include <string>
#include <string_view>
#include <system_error>

namespace weir::net {

// Who did what to whom, for Go's text: "op network local->remote: ".
struct op_context {
  std::string_view op;
  std::string_view network;
  std::string local = {};   // empty: not told
  std::string remote = {};  // empty: not told
};

// "<context>: <reason>", or the code's own text where no reason is given.
error make_error(const op_context& context, std::error_code code, std::string_view reason = {});
// "<context>: <call>: <the kernel's text>"
error make_sys_error(const op_context& context, std::string_view call, int err);

}  // namespace weir::net
