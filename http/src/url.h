// URLs, as far as an HTTP client needs them (RFC 3986).
#pragma once

#include <string>
#include <string_view>

namespace weir::http {

struct Url {
  std::string scheme;     // "http", "https", "unix"
  std::string user_info;  // "user:password", decoded; a secret
  std::string host;       // without brackets; of unix: the socket's path
  int port = 0;           // of unix: 0
  std::string target;     // path and query: "/a%20b?x=1"

  bool tls() const noexcept { return scheme == "https"; }
  // Without user_info.
  std::string to_string() const;
  // What a Host field says: with the port where it is not the scheme's.
  std::string host_field() const;
  // For net::dial.
  std::string address() const;
};

// Throws http::error naming the text (without a password).
Url parse_url(std::string_view text);
// What `reference`, a Location field's value, means in an answer of `base`. Throws http::error.
Url resolve(const Url& base, std::string_view reference);

}  // namespace weir::http
