// Who may ask what: Host, token, method. Pure functions of a request's head.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace weir::http::debug {

// What is answered in place of the request.
struct Refusal {
  int status = 400;
  std::string text;    // a line for a person to read; nothing of the request is in it
  std::string header;  // one more field, "Name: value"; empty: none
};

// As an answer of HTTP/1.1.
std::string as_answer(const Refusal& why, bool with_body, bool close);

struct Access {
  // Against DNS rebinding: a page of another site may make a browser on this machine connect to us,
  // but under its own name. Off where names are not known: a server that listens beyond loopback
  // is reached under any.
  bool check_host = false;
  std::string host;   // what is listened on, allowed beside the names of loopback
  std::string token;  // empty: none is asked for

  // `path` without percent signs; `host`, `authorization` and `origin` are the fields. A page of
  // another origin may have a browser POST without being able to read the answer: 403.
  std::optional<Refusal> refuse(std::string_view method, std::string_view path,
                                std::string_view host_field, std::string_view authorization,
                                std::string_view origin = {}) const;
};

inline constexpr const char* kTokenVariable = "WEIR_DEBUG_TOKEN";
// Its value; "" where it is not set. Throws weir::http::error where it is set, but empty: who sets
// it wants authentication, and the secret is not there.
std::string token_of_environment();
// Throws weir::http::error where the token cannot be used. Does not name it.
void check_token(const std::string& token);
// Whether a token can stand behind "Bearer" (RFC 6750: letters, digits, -._~+/ and = at the end).
bool is_bearer_token(std::string_view token) noexcept;
bool is_loopback(const std::string& host) noexcept;

}  // namespace weir::http::debug
