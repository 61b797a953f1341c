#include "head.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "text.h"

namespace weir::http {

namespace {

// The library refuses heads with longer lines. Bytes, with what is escaped.
constexpr size_t kMaxLine = 8000;

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

void append_escaped(std::string& to, std::string_view value) {
  for (const char c : value) {
    if (c == '%') {
      to.append("%25");
    } else {
      to.push_back(c);
    }
  }
}

// Appends the fields that the library is to see to `text`.
Fields parse_fields(std::string_view rest, bool response, Head& head) {
  std::string& text = head.text;
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
      continue;  // the wire answers it
    } else if (same_word(name, "Host")) {
      ++f.hosts;
    }
    const size_t escapes = static_cast<size_t>(std::count(value.begin(), value.end(), '%'));
    if (value.empty() || name.size() + value.size() + 2 * escapes > kMaxLine ||
        same_word(name, "Range")) {
      head.aside.emplace_back(name, value);
      continue;
    }
    text.append(name).append(": ");
    append_escaped(text, value);
    text.append("\r\n");
  }
  return f;
}

// Methods that the library knows; to it all others are malformed.
bool knows(std::string_view method) noexcept {
  for (const char* known :
       {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}) {
    if (method == known) return true;
  }
  return false;
}

// A question mark within the query, or an equals sign within a value, is as good as any other
// character (RFC 3986, 3.4).
void append_target(std::string& to, std::string_view target) {
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

void end_text(Head& head, const std::optional<uint64_t>& length) {
  if (length) head.text.append("Content-Length: ").append(std::to_string(*length)).append("\r\n");
  head.text.append("\r\n");
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
  size_t start = bytes.find_first_not_of("\r\n");  // RFC 9112, 2.2
  if (start == bytes.npos) return bytes.npos;
  start = std::max(start, from < 3 ? 0 : from - 3);
  const size_t end = bytes.find("\r\n\r\n", start);
  return end == bytes.npos ? end : end + 4;
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
  head.text.reserve(line.size() + bytes.size() + 64);
  head.text.append(knows(head.method) ? head.method : "GET").append(" ");
  append_target(head.text, head.target);
  head.text.append(line.substr(last)).append("\r\n");
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
  end_text(head, f.length);
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
  // The library matches the line by a regular expression, which takes stack for each character.
  head.text.append(head.http10 ? "HTTP/1.0 " : "HTTP/1.1 ").append(rest.substr(0, 3));
  head.text.append("\r\n");
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
  // Where there is none, the library would wait for a body of that length.
  const bool shown = f.length && !f.chunked && head.status != 304 && head.status != 204;
  end_text(head, shown ? f.length : std::nullopt);
  return head;
}

}  // namespace weir::http
