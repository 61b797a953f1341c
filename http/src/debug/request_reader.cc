// HTTP/1.1's framing (request_reader.h).

#include "request_reader.h"

#include <algorithm>
#include <charconv>

namespace weir::http::debug {

namespace {

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool is_token(std::string_view s) noexcept {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !s.empty() && std::all_of(s.begin(), s.end(), [kMarks](char c) {
    const char l = lower(c);
    return (l >= 'a' && l <= 'z') || (c >= '0' && c <= '9') || kMarks.find(c) != kMarks.npos;
  });
}

std::string_view trimmed(std::string_view s) noexcept {
  while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
  while (!s.empty() && (s.back() == ' ' || s.back() == '\t')) s.remove_suffix(1);
  return s;
}

// Whether a comma-separated list has the word.
bool lists(std::string_view list, std::string_view word) noexcept {
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    if (same_name(trimmed(list.substr(0, comma)), word)) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

}  // namespace

bool same_name(std::string_view a, std::string_view b) noexcept {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [](char x, char y) { return lower(x) == lower(y); });
}

const std::string* Request::find(std::string_view name) const noexcept {
  for (const Field& f : fields) {
    if (same_name(f.name, name)) return &f.value;
  }
  return nullptr;
}

std::string_view Request::field(std::string_view name) const noexcept {
  const std::string* value = find(name);
  return value ? std::string_view(*value) : std::string_view();
}

void RequestReader::fail(int status, const char* why) noexcept {
  state_ = State::failed;
  status_ = status;
  why_ = why;
}

size_t RequestReader::feed(std::string_view bytes) {
  switch (state_) {
    case State::head:
      return feed_head(bytes);
    case State::body:
      return chunked_ ? feed_chunks(bytes) : feed_body(bytes);
    case State::complete:
    case State::failed:
      break;
  }
  return 0;
}

size_t RequestReader::feed_head(std::string_view bytes) {
  size_t at = 0;
  // Empty lines that a client has put behind the body before (RFC 9112, 2.2).
  while (head_.empty() && at < bytes.size() && (bytes[at] == '\r' || bytes[at] == '\n')) {
    at++;
    if (++overhead_ > max_head_) {
      fail(400, "there is no request line");
      return at;
    }
  }
  if (at < bytes.size()) begun_ = true;
  while (at < bytes.size()) {
    // Line by line: the end of the head is an empty one.
    const size_t lf = bytes.find('\n', at);
    const size_t end = lf == bytes.npos ? bytes.size() : lf + 1;
    if (head_.size() + (end - at) > max_head_) {
      fail(431, "the head of the request is too large");
      return end;
    }
    head_.append(bytes, at, end - at);
    at = end;
    if (lf == bytes.npos) break;
    if (!head_.ends_with("\r\n")) {
      fail(400, "a line does not end in CR LF");
      break;
    }
    if (head_.ends_with("\r\n\r\n")) {
      parse_head();
      break;
    }
  }
  return at;
}

void RequestReader::parse_head() {
  std::string_view rest = head_;
  bool first = true;
  for (;;) {
    const size_t end = rest.find("\r\n");
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end + 2);
    if (line.empty()) break;
    // A CR or NUL within a line is somebody else's end of it.
    if (line.find_first_of(std::string_view("\r\0", 2)) != line.npos) {
      return fail(400, "a line holds a CR or NUL");
    }
    if (!(first ? parse_request_line(line) : parse_field(line))) return;
    first = false;
  }
  head_.clear();
  parse_framing();
}

bool RequestReader::parse_request_line(std::string_view line) {
  const auto bad = [this] {
    fail(400, "the request line is malformed");
    return false;
  };
  const size_t a = line.find(' '), b = line.rfind(' ');
  if (a == line.npos || a == b) return bad();
  const std::string_view method = line.substr(0, a), target = line.substr(a + 1, b - a - 1),
                         version = line.substr(b + 1);
  // In origin form or, for proxies, with the scheme; no space or control character within.
  if (!is_token(method) || target.empty()) return bad();
  for (const char c : target) {
    if (c <= ' ' || c == 0x7f) return bad();
  }
  if (!version.starts_with("HTTP/")) return bad();
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    fail(505, "only HTTP/1.1 and HTTP/1.0 are spoken here");
    return false;
  }
  request_.method = method;
  request_.target = target;
  request_.minor_version = version.back() - '0';
  return true;
}

bool RequestReader::parse_field(std::string_view line) {
  const size_t colon = line.find(':');
  // A line that begins with a space goes on with the one before, for some; it is no token.
  if (colon == line.npos || !is_token(line.substr(0, colon))) {
    fail(400, "a field is malformed");
    return false;
  }
  request_.fields.push_back(
      {std::string(line.substr(0, colon)), std::string(trimmed(line.substr(colon + 1)))});
  return true;
}

void RequestReader::parse_framing() {
  Request& r = request_;
  const std::string *length = nullptr, *host = nullptr;
  // HTTP/1.0's keep-alive is left out: an answer of unknown length ends with the connection there.
  r.keep_alive = r.minor_version == 1;
  bool close = false;
  for (const Field& f : r.fields) {
    if (same_name(f.name, "Content-Length")) {
      if (length && *length != f.value) return fail(400, "several lengths are given");
      length = &f.value;
    } else if (same_name(f.name, "Transfer-Encoding")) {
      if (chunked_ || !same_name(f.value, "chunked")) {
        return fail(501, "the only transfer coding that is known here is chunked");
      }
      chunked_ = true;
    } else if (same_name(f.name, "Host")) {
      if (host) return fail(400, "several Hosts are given");
      host = &f.value;
    } else if (same_name(f.name, "Connection")) {
      close = close || lists(f.value, "close");
    } else if (same_name(f.name, "Expect")) {
      if (!same_name(f.value, "100-continue")) return fail(417, "the expectation is not known");
      r.expects_continue = r.minor_version == 1;
    }
  }
  if (close) r.keep_alive = false;
  if (r.minor_version == 1 && !host) return fail(400, "there is no Host");
  if (chunked_ && length) return fail(400, "a length is given beside chunks");
  if (chunked_ && r.minor_version == 0) return fail(400, "chunks are HTTP/1.1's");
  if (length) {
    const char* const end = length->data() + length->size();
    const auto [at, err] = std::from_chars(length->data(), end, left_);
    if (err == std::errc::result_out_of_range) return fail(413, "the body is too large");
    if (err != std::errc() || at != end) return fail(400, "the length is not a number");
    if (left_ > max_body_) return fail(413, "the body is too large");
  }
  state_ = chunked_ || left_ > 0 ? State::body : State::complete;
}

void RequestReader::take(std::string_view bytes) {
  taken_ += bytes.size();
  left_ -= bytes.size();
  if (keep_body_) request_.body.append(bytes);
}

size_t RequestReader::feed_body(std::string_view bytes) {
  const size_t n = static_cast<size_t>(std::min<uint64_t>(bytes.size(), left_));
  take(bytes.substr(0, n));
  if (left_ == 0) state_ = State::complete;
  return n;
}

size_t RequestReader::feed_chunks(std::string_view bytes) {
  size_t at = 0;
  const auto bad = [this, &at] {
    fail(400, "a chunk is malformed");
    return at;
  };
  while (at < bytes.size() && state_ == State::body) {
    if (chunk_ == Chunk::data) {
      const size_t n = static_cast<size_t>(std::min<uint64_t>(bytes.size() - at, left_));
      take(bytes.substr(at, n));
      at += n;
      if (left_ == 0) chunk_ = Chunk::data_cr;
      continue;
    }
    const char c = bytes[at++];
    // What is not the body is bounded like a head; else chunks of one byte were endless work.
    if (chunk_ != Chunk::data_cr && chunk_ != Chunk::data_lf && ++overhead_ > max_head_) {
      fail(413, "there are too many chunks");
      break;
    }
    switch (chunk_) {
      case Chunk::size: {
        constexpr std::string_view kDigits = "0123456789abcdef";
        const size_t digit = kDigits.find(lower(c));
        if (digit != kDigits.npos) {
          if (++digits_ > 8) return bad();
          left_ = left_ * 16 + digit;
          if (taken_ + left_ > max_body_) {
            fail(413, "the body is too large");
            return at;
          }
        } else if (digits_ == 0) {
          return bad();
        } else if (c == ';') {
          chunk_ = Chunk::extension;
        } else if (c == '\r') {
          chunk_ = Chunk::size_lf;
        } else {
          return bad();
        }
        break;
      }
      case Chunk::extension:
        if (c == '\r') chunk_ = Chunk::size_lf;
        if (c == '\n') return bad();
        break;
      case Chunk::size_lf:
        if (c != '\n') return bad();
        digits_ = line_ = 0;
        chunk_ = left_ > 0 ? Chunk::data : Chunk::trailer;
        break;
      case Chunk::data:
        break;
      case Chunk::data_cr:
        if (c != '\r') return bad();
        chunk_ = Chunk::data_lf;
        break;
      case Chunk::data_lf:
        if (c != '\n') return bad();
        chunk_ = Chunk::size;
        break;
      case Chunk::trailer:  // fields behind the body are passed over
        if (c == '\n') return bad();
        if (c == '\r') {
          chunk_ = Chunk::trailer_lf;
        } else {
          line_++;
        }
        break;
      case Chunk::trailer_lf:
        if (c != '\n') return bad();
        if (line_ == 0) state_ = State::complete;
        line_ = 0;
        chunk_ = Chunk::trailer;
        break;
    }
  }
  return at;
}

}  // namespace weir::http::debug
