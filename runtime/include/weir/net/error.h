// What the functions of weir::net throw. Go: net.OpError, and the errors inside it.
#pragma once

#include <stdexcept>
#include <string>
#include <system_error>
#include <type_traits>

namespace weir::net {

// Errors that are not the kernel's (those have std::system_category and errno's value).
enum class errc {
  closed = 1,     // the connection was closed on this side. Go: net.ErrClosed
  timeout,        // a deadline passed; equals std::errc::timed_out. Go: os.ErrDeadlineExceeded
  no_such_host,   // the resolver does not know the name
  lookup_failed,  // the resolver could not be asked
  bad_address,    // malformed; equals std::errc::invalid_argument. Go: net.AddrError
};
const std::error_category& net_category() noexcept;
inline std::error_code make_error_code(errc e) noexcept {
  return {static_cast<int>(e), net_category()};
}

// what() reads as in Go: "dial tcp 127.0.0.1:1: connect: connection refused",
// "read tcp 127.0.0.1:4000->127.0.0.1:5000: i/o timeout". To tell errors apart, compare code():
//   e.code() == std::errc::connection_refused, e.code() == net::errc::closed
class error : public std::system_error {
 public:
  // text: all of what().
  error(std::error_code code, const std::string& text) : std::system_error(code), text_(text) {}

  const char* what() const noexcept override { return text_.what(); }
  // A deadline passed, or the kernel gave up waiting for the other side. Go: Timeout.
  bool timeout() const noexcept;
  // The same call may work later: too many open files, the resolver out of reach, a timeout. Go:
  // Temporary.
  bool temporary() const noexcept;

 private:
  std::runtime_error text_;  // a string whose copies cannot throw
};

}  // namespace weir::net

template <>
struct std::is_error_code_enum<weir::net::errc> : std::true_type {};
