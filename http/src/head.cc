#include "head.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "text.h"

namespace weir::http {

namespace {

// What the fields say about the connection and of the body.
struct Fields {
  std::optional<uint64_t> length;
  bool chunked = false, close = false, keep_alive = false, expects_continue = false;
  int hosts = 0;
};

std::string_view next_line(std::string_view& rest) {
  const size_t end = rest.find('\n');
  std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  if (!line.ends_with('\r')) throw BadHead(400, "a line of the head does not end with CR LF");
  line.remove_suffix(1);
  return line;
}

uint64_t parse_length(std::string_view value) {
  uint64_t n = 0;
  const auto [at, err] = std::from_chars(value.data(), value.data() + value.size(), n);
  if (err != std::errc() || at != value.data() + value.size() || n >> 63) {
    throw BadHead(400, "Content-Length is not a number of bytes");
  }
  return n;
}

// Adds the fields to the head's.
Fields parse_fields(std::string_view rest, bool response, Head& head) {
  Fields f;
  for (;;) {
    const std::string_view line = next_line(rest);
    if (line.empty()) break;
    if (line.front() == ' ' || line.front() == '\t') {
      throw BadHead(400, "a field that goes on in the next line");
    }
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) throw BadHead(400, "a field without a colon");
    const std::string_view name = line.substr(0, colon), value = trim(line.substr(colon + 1));
    if (!is_token(name)) throw BadHead(400, "a field whose name is none");
    for (const char c : value) {
      if (!is_text(c)) throw BadHead(400, "a field with a control character");
    }
    std::string_view list = value;
    if (same_word(name, "Content-Length")) {
      for (std::string_view one; next_element(list, one);) {
        const uint64_t n = parse_length(one);
        if (f.length && *f.length != n) throw BadHead(400, "two different Content-Lengths");
        f.length = n;
      }
      if (!f.length) throw BadHead(400, "Content-Length is not a number of bytes");
      continue;
    }
    if (same_word(name, "Transfer-Encoding")) {
      if (f.chunked || !same_word(value, "chunked")) {
        throw BadHead(501, "a Transfer-Encoding other than chunked");
      }
      f.chunked = true;
      continue;
    }
    if (same_word(name, "Connection")) {
      for (std::string_view one; next_element(list, one);) {
        f.close |= same_word(one, "close");
        f.keep_alive |= same_word(one, "keep-alive");
      }
    } else if (same_word(name, "Expect")) {
      if (!response && !same_word(value, "100-continue")) {
        throw BadHead(417, "an Expect other than 100-continue");
      }
      f.expects_continue = true;
    } else if (same_word(name, "Host")) {
      ++f.hosts;
    }
    head.fields.add(name, value);
  }
  if (f.length && !f.chunked) head.fields.add("Content-Length", std::to_string(*f.length));
  return f;
}

// "/path" of "http://host/path", as a proxy is asked (RFC 9112, 3.2.2).
std::string_view without_origin(std::string_view target) noexcept {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!same_word(target.substr(0, scheme.size()), scheme)) continue;
    target.remove_prefix(scheme.size());
    return target.substr(std::min(target.find_first_of("/?"), target.size()));
  }
  return target;
}

// A question mark within the query, or an equals sign within a value, is as good as any other
// character (RFC 3986, 3.4).
void append_target(std::string& to, std::string_view target) {
  const size_t size = target.size();
  target = without_origin(target);
  if (target.size() != size && !target.starts_with('/')) to.push_back('/');
  const size_t query = std::min(target.find('?'), target.size() - 1) + 1;
  to.append(target.substr(0, query));
  bool in_value = false;
  for (const char c : target.substr(query)) {
    if (c == '?') {
      to.append("%3F");
    } else if (c == '=' && in_value) {
      to.append("%3D");
    } else {
      to.push_back(c);
    }
    in_value = c == '=' || (in_value && c != '&');
  }
}

// "HTTP/1.0" or "HTTP/1.1"; true: 1.0.
bool is_http10(std::string_view version) {
  if (version == "HTTP/1.1") return false;
  if (version == "HTTP/1.0") return true;
  throw BadHead(version.starts_with("HTTP/") ? 505 : 400, "a version other than HTTP/1.0 and 1.1");
}

bool has_body(int status, std::string_view method) noexcept {
  return method != "HEAD" && status != 204 && status != 304;
}

}  // namespace

size_t head_size(std::string_view bytes, size_t from) noexcept {
  size_t line = bytes.find_first_not_of("\r\n");  // RFC 9112, 2.2
  if (line == bytes.npos) return bytes.npos;
  if (from > line) {
    const size_t before = bytes.rfind('\n', from - 1);
    if (before != bytes.npos && before > line) line = before + 1;
  }
  for (;;) {
    const size_t lf = bytes.find('\n', line);
    if (lf == bytes.npos) return lf;
    const bool sound = lf > line && bytes[lf - 1] == '\r';
    if (!sound || lf - line == 1) return lf + 1;
    line = lf + 1;
  }
}

Head parse_request_head(std::string_view bytes) {
  bytes.remove_prefix(std::min(bytes.find_first_not_of("\r\n"), bytes.size()));
  if (bytes.empty()) throw BadHead(400, "an empty head");
  Head head;
  const std::string_view line = next_line(bytes);
  const size_t first = line.find(' '), last = line.rfind(' ');
  if (last - first < 2 || !is_token(line.substr(0, first))) {
    throw BadHead(400, "the first line is not METHOD TARGET VERSION");
  }
  head.method = line.substr(0, first);
  head.target = line.substr(first + 1, last - first - 1);
  for (const char c : head.target) {
    if (static_cast<unsigned char>(c) <= ' ' || c == 0x7f) {
      throw BadHead(400, "the target has a space or a control character");
    }
  }
  head.http10 = is_http10(line.substr(last + 1));
  head.for_library = "GET ";
  append_target(head.for_library, head.target);
  head.for_library.append(" HTTP/1.1\r\n\r\n");
  const Fields f = parse_fields(bytes, false, head);
  if (f.hosts > 1 || (f.hosts == 0 && !head.http10)) {
    throw BadHead(400, "there must be one Host");
  }
  // Whoever is between us and the client may have believed the other one (RFC 9112, 6.3).
  if (f.chunked && (f.length || head.http10)) {
    throw BadHead(400, "Transfer-Encoding with Content-Length or HTTP/1.0");
  }
  head.keep_alive = !f.close && (!head.http10 || f.keep_alive);
  head.expects_continue = f.expects_continue && !head.http10;
  if (f.chunked) {
    head.framing = Framing::chunked;
  } else if (f.length.value_or(0) != 0) {
    head.framing = Framing::length;
    head.length = *f.length;
  }
  return head;
}

Head parse_response_head(std::string_view bytes, std::string_view method) {
  bytes.remove_prefix(std::min(bytes.find_first_not_of("\r\n"), bytes.size()));
  if (bytes.empty()) throw BadHead(502, "an empty head");
  Head head;
  const std::string_view line = next_line(bytes);
  const size_t space = std::min(line.find(' '), line.size());
  head.http10 = is_http10(line.substr(0, space));
  const std::string_view rest = line.substr(std::min(space + 1, line.size()));
  const auto [at, err] = std::from_chars(rest.data(), rest.data() + rest.size(), head.status);
  if (err != std::errc() || at != rest.data() + 3 || head.status < 100 ||
      (rest.size() > 3 && rest[3] != ' ')) {
    throw BadHead(502, "the first line is not VERSION STATUS REASON");
  }
  head.reason = rest.substr(std::min<size_t>(4, rest.size()));
  const Fields f = parse_fields(bytes, true, head);
  // After 101 it is no HTTP any more.
  head.keep_alive = !f.close && (!head.http10 || f.keep_alive) && head.status != 101;
  const bool body = head.status >= 200 && has_body(head.status, method);
  if (body && f.chunked) {
    head.framing = Framing::chunked;
    if (f.length) head.keep_alive = false;  // RFC 9112, 6.3: an error, or an attack
  } else if (body && f.length) {
    head.framing = *f.length == 0 ? Framing::none : Framing::length;
    head.length = *f.length;
  } else if (body) {
    head.framing = Framing::close;
    head.keep_alive = false;
  }
  if (method == "HEAD") head.length = f.length.value_or(0);  // as GET's answer would have it
  head.for_library.append("HTTP/1.1 ").append(rest.substr(0, 3)).append("\r\n\r\n");
  return head;
}

}  // namespace weir::http
