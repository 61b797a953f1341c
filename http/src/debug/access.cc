// Host, token, method (access.h).

#include "access.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstddef>
#include <cstdlib>

#include <weir/http/error.h>

#include "routes/routes.h"
#include "text.h"

namespace weir::http::debug {

namespace {

// Takes as long whatever `given` begins with, and however long `token` is.
bool equal_in_constant_time(std::string_view given, std::string_view token) noexcept {
  volatile unsigned char difference = given.size() == token.size() ? 0 : 1;
  for (size_t i = 0; i < given.size(); i++) {
    const auto x = static_cast<unsigned char>(given[i] ^ token[i % token.size()]);
    difference = difference | x;
  }
  return difference == 0;
}

bool has_token(std::string_view authorization, std::string_view token) noexcept {
  constexpr std::string_view kScheme = "Bearer ";
  if (authorization.size() < kScheme.size()) return false;
  if (!same_word(authorization.substr(0, kScheme.size()), kScheme)) return false;
  authorization.remove_prefix(kScheme.size());
  while (authorization.starts_with(' ')) authorization.remove_prefix(1);
  return equal_in_constant_time(authorization, token);
}

struct Reason {
  int status;
  const char* words;
};
constexpr Reason kReasons[] = {
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {413, "Content Too Large"},
    {417, "Expectation Failed"},
    {431, "Request Header Fields Too Large"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {505, "HTTP Version Not Supported"},
};

std::string name_of(std::string_view host_field) {
  if (host_field.starts_with('[')) {
    const size_t end = host_field.find(']');
    return std::string(end == host_field.npos ? host_field : host_field.substr(1, end - 1));
  }
  return std::string(host_field.substr(0, host_field.find(':')));
}

// "null" stands for a page that hides where it comes from.
bool is_same_origin(std::string_view origin, std::string_view host_field) {
  const size_t scheme = origin.find("://");
  return scheme != origin.npos && origin.substr(scheme + 3) == host_field;
}

}  // namespace

std::string as_answer(const Refusal& why, bool with_body, bool close) {
  std::string out = "HTTP/1.1 " + std::to_string(why.status) + " ";
  for (const Reason& r : kReasons) {
    if (r.status == why.status) out += r.words;
  }
  out += "\r\nContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n";
  out += "Content-Length: " + std::to_string(why.text.size()) + "\r\n";
  if (!why.header.empty()) out += why.header + "\r\n";
  if (close) out += "Connection: close\r\n";
  out += "\r\n";
  return with_body ? out + why.text : out;
}

std::string token_of_environment() {
  const char* const token = std::getenv(kTokenVariable);
  if (!token) return {};
  if (!*token) {
    throw error(std::string(kTokenVariable) + " is set, but empty: give it a value, or unset it");
  }
  return token;
}

void check_token(const std::string& token) {
  if (token.empty() || is_bearer_token(token)) return;
  throw error(
      "the token of the debug endpoint cannot be used: it may have letters, digits and -._~+/ "
      "only, and = at its end");
}

bool is_bearer_token(std::string_view token) noexcept {
  constexpr std::string_view kMarks = "-._~+/";
  while (token.ends_with('=')) token.remove_suffix(1);
  for (const char c : token) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!letter && !(c >= '0' && c <= '9') && kMarks.find(c) == kMarks.npos) return false;
  }
  return !token.empty();
}

bool is_loopback(const std::string& host) noexcept {
  in_addr v4;
  in6_addr v6;
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return ntohl(v4.s_addr) >> 24 == 127;
  if (inet_pton(AF_INET6, host.c_str(), &v6) == 1) return IN6_IS_ADDR_LOOPBACK(&v6);
  return same_word(host, "localhost");
}

std::optional<Refusal> Access::refuse(std::string_view method, std::string_view path,
                                      std::string_view host_field, std::string_view authorization,
                                      std::string_view origin) const {
  if (check_host && !host_field.empty()) {
    const std::string name = name_of(host_field);
    if (name != host && !is_loopback(name)) {
      return Refusal{
          403, "forbidden: this Host is not served here; use localhost or 127.0.0.1\n", {}};
    }
  }
  if (!token.empty() && !is_public(path) && !has_token(authorization, token)) {
    return Refusal{401, "unauthorized: ask with \"Authorization: Bearer TOKEN\"\n",
                   "WWW-Authenticate: Bearer"};
  }
  if (method == "POST" && !origin.empty() && !is_same_origin(origin, host_field)) {
    return Refusal{403, "forbidden: a page of another origin asks\n", {}};
  }
  if (method == "GET" || method == "HEAD" || (method == "POST" && takes_post(path))) return {};
  return Refusal{405, "method not allowed: use GET\n",
                 takes_post(path) ? "Allow: GET, HEAD, POST" : "Allow: GET, HEAD"};
}

}  // namespace weir::http::debug
