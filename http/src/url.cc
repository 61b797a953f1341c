#include "url.h"

#include <weir/http/error.h>

#include <algorithm>
#include <charconv>
#include <vector>

#include "text.h"

namespace weir::http {

namespace {

int default_port(std::string_view scheme) { return scheme == "https" ? 443 : 80; }

// What stands before the host may hold a password; what is no text would spoil a log.
std::string shown(std::string_view text) {
  std::string to(text);
  if (const size_t at = text.rfind('@'); at != text.npos) {
    const size_t slashes = text.find("//"), start = slashes < at ? slashes + 2 : 0;
    to.erase(start, at + 1 - start);
  }
  std::replace_if(
      to.begin(), to.end(), [](char c) { return !is_text(c); }, '?');
  return to;
}

error malformed(std::string_view text, const char* why) {
  return error("http: URL \"" + shown(text) + "\": " + why);
}

std::string decode(std::string_view s) {
  std::string to;
  for (size_t i = 0; i < s.size(); ++i) {
    unsigned value = 0;
    if (s[i] == '%' && i + 2 < s.size() &&
        std::from_chars(s.data() + i + 1, s.data() + i + 3, value, 16).ptr == s.data() + i + 3) {
      to.push_back(static_cast<char>(value));
      i += 2;
    } else {
      to.push_back(s[i]);
    }
  }
  return to;
}

// "host:port", "[::1]:port", and what may stand before.
void parse_authority(std::string_view authority, std::string_view text, Url& url) {
  if (const size_t at = authority.rfind('@'); at != authority.npos) {
    url.user_info = decode(authority.substr(0, at));
    authority.remove_prefix(at + 1);
  }
  std::string_view port;
  if (authority.starts_with('[')) {
    const size_t end = authority.find(']');
    if (end == authority.npos) throw malformed(text, "a bracket is not closed");
    url.host = authority.substr(1, end - 1);
    port = authority.substr(end + 1);
  } else {
    const size_t colon = std::min(authority.find(':'), authority.size());
    url.host = authority.substr(0, colon);
    port = authority.substr(colon);
  }
  if (url.host.empty()) throw malformed(text, "there is no host");
  url.port = default_port(url.scheme);
  if (port.empty() || port == ":") return;
  const auto [end, err] = std::from_chars(port.data() + 1, port.data() + port.size(), url.port);
  if (port.front() != ':' || err != std::errc() || end != port.data() + port.size() ||
      url.port < 1 || url.port > 65535) {
    throw malformed(text, "the port is not a number from 1 to 65535");
  }
}

// RFC 3986, 5.2.4.
std::string without_dots(std::string_view path) {
  std::vector<std::string_view> kept;
  bool slash = false;  // at the end
  while (!path.empty()) {
    path.remove_prefix(1);
    const size_t end = std::min(path.find('/'), path.size());
    const std::string_view segment = path.substr(0, end);
    path.remove_prefix(end);
    slash = segment == "." || segment == "..";
    if (segment == ".." && !kept.empty()) kept.pop_back();
    if (!slash) kept.push_back(segment);
  }
  std::string to;
  for (const std::string_view segment : kept) to.append("/").append(segment);
  return slash || to.empty() ? to + "/" : to;
}

}  // namespace

std::string Url::host_field() const {
  if (scheme == "unix") return "localhost";
  const std::string name = host.find(':') == host.npos ? host : "[" + host + "]";
  return port == default_port(scheme) ? name : name + ":" + std::to_string(port);
}

std::string Url::address() const {
  if (scheme == "unix") return host;
  const std::string name = host.find(':') == host.npos ? host : "[" + host + "]";
  return name + ":" + std::to_string(port);
}

std::string Url::to_string() const {
  return scheme == "unix" ? "unix:" + host + ":" + target : scheme + "://" + host_field() + target;
}

Url parse_url(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) <= ' ' || c == 0x7f) {
      throw malformed(text, "it has a space or a control character, which must be %-encoded");
    }
  }
  Url url;
  std::string_view rest = text.substr(0, text.find('#'));
  const size_t colon = rest.find(':');
  if (colon == rest.npos) throw malformed(text, "there is no scheme, like http://");
  for (const char c : rest.substr(0, colon)) url.scheme.push_back(lower(c));
  rest.remove_prefix(colon + 1);
  if (url.scheme == "unix") {
    const size_t end = rest.find(":/");
    url.host = rest.substr(0, end);
    if (url.host.empty()) throw malformed(text, "there is no path of a socket");
    url.target = end == rest.npos ? "/" : rest.substr(end + 1);
    return url;
  }
  if (url.scheme != "http" && url.scheme != "https") {
    throw malformed(text, "the scheme is none of http, https, unix");
  }
  if (!rest.starts_with("//")) throw malformed(text, "there is no // behind the scheme");
  rest.remove_prefix(2);
  const size_t end = std::min(rest.find_first_of("/?"), rest.size());
  parse_authority(rest.substr(0, end), text, url);
  url.target = rest.substr(end);
  if (!url.target.starts_with('/')) url.target.insert(0, "/");
  return url;
}

Url resolve(const Url& base, std::string_view reference) {
  reference = reference.substr(0, reference.find('#'));
  const size_t colon = reference.find(':');
  if (colon != reference.npos && colon < reference.find_first_of("/?")) return parse_url(reference);
  if (reference.starts_with("//") && base.scheme == "unix") {
    throw malformed(reference, "a unix socket has no other hosts");
  }
  if (reference.starts_with("//")) return parse_url(base.scheme + ":" + std::string(reference));
  Url url = base;
  const std::string_view path = std::string_view(base.target).substr(0, base.target.find('?'));
  const size_t mark = std::min(reference.find('?'), reference.size());
  const std::string_view query = reference.substr(mark);
  if (reference.starts_with('/')) {
    url.target = without_dots(reference.substr(0, mark));
  } else if (mark != 0) {
    const std::string_view folder = path.substr(0, path.rfind('/') + 1);
    url.target = without_dots(std::string(folder).append(reference.substr(0, mark)));
  } else {
    url.target = query.empty() ? base.target : std::string(path);
  }
  url.target.append(query);
  for (const char c : url.target) {
    if (static_cast<unsigned char>(c) <= ' ' || c == 0x7f) {
      throw malformed(reference, "it has a space or a control character");
    }
  }
  return url;
}

}  // namespace weir::http
