// Errors (net/error.h).

#include "error.h"

#include <cctype>
#include <cerrno>

namespace weir::net {

namespace {

class category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "weir.net"; }
  std::string message(int value) const override {
    switch (static_cast<errc>(value)) {
      case errc::closed:
        return "use of closed network connection";
      case errc::timeout:
        return "i/o timeout";
      case errc::no_such_host:
        return "no such host";
      case errc::lookup_failed:
        return "lookup failed";
      case errc::bad_address:
        return "bad address";
    }
    return "unknown error";
  }
  std::error_condition default_error_condition(int value) const noexcept override {
    switch (static_cast<errc>(value)) {
      case errc::timeout:
        return std::errc::timed_out;
      case errc::bad_address:
        return std::errc::invalid_argument;
      default:
        return {value, *this};
    }
  }
};

std::string begin_text(const op_context& c) {
  std::string text(c.op);
  if (!c.network.empty()) text.append(" ").append(c.network);
  if (!c.local.empty()) text.append(" ").append(c.local);
  if (!c.remote.empty()) text.append(c.local.empty() ? " " : "->").append(c.remote);
  return text.append(": ");
}

// The C library's text in Go's spelling: no capital at the beginning, unless of an abbreviation.
std::string kernel_text(int err) {
  std::string text = std::system_category().message(err);
  if (text.size() > 1 && std::islower(static_cast<unsigned char>(text[1]))) {
    text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  }
  return text;
}

}  // namespace

const std::error_category& net_category() noexcept {
  static const category instance;
  return instance;
}

bool error::timeout() const noexcept {
  return code() == std::errc::timed_out || code() == std::errc::resource_unavailable_try_again;
}

bool error::temporary() const noexcept {
  return timeout() || code() == errc::lookup_failed || code() == std::errc::interrupted ||
         code() == std::errc::too_many_files_open ||
         code() == std::errc::too_many_files_open_in_system;
}

error make_error(const op_context& context, std::error_code code, std::string_view reason) {
  std::string text = begin_text(context);
  if (reason.empty()) {
    text += code.message();
  } else {
    text += reason;
  }
  return error(code, text);
}

error make_sys_error(const op_context& context, std::string_view call, int err) {
  return error(std::error_code(err, std::system_category()),
               begin_text(context).append(call).append(": ") + kernel_text(err));
}

}  // namespace weir::net
