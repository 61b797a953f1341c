// One GET over HTTP(S), by TCP or a unix socket: bounded in time and size.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>

namespace weir::tools {

struct HttpRequest {
  std::string url;          // http:// or https://
  std::string unix_socket;  // connect there instead of the URL's host; empty: do not
  // Sent as a bearer token, but to no other host that an answer leads to.
  std::string token;
  std::chrono::milliseconds timeout{30'000};   // from looking up the name to the last byte
  std::chrono::milliseconds whole{30'000};     // of all requests of which this is one: what is told
  size_t max_bytes = size_t{4} << 30;          // of the decoded body
  std::function<void(size_t bytes)> received;  // called with the bytes so far; may be empty
};

struct HttpAnswer {
  long status = 0;
  std::string body;  // content coding taken off
  std::string content_type, retry_after;
};

// Throws Failure(target, why) when there is no answer, or none that is whole. A status of 400 or
// more is an answer.
HttpAnswer http_get(const std::string& target, const HttpRequest& request);

// Why an answer that is none of 200 is not what was wanted: "401: the token is wrong .."
std::string refusal_text(const HttpAnswer& answer, bool had_token);

}  // namespace weir::tools
