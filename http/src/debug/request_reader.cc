// Whole requests (request_reader.h).

#include "request_reader.h"

#include <algorithm>
#include <utility>

namespace weir::http::debug {

void RequestReader::fail(int status, std::string why) {
  state_ = State::failed;
  status_ = status;
  why_ = std::move(why);
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
  const size_t had = head_.size();
  bytes = bytes.substr(0, max_head_ + 1 - had);
  head_.append(bytes);
  // Empty lines that a client has put behind the body before (RFC 9112, 2.2).
  begun_ = begun_ || bytes.find_first_not_of("\r\n") != bytes.npos;
  const size_t size = head_size(head_, had);
  if (std::min(size, head_.size()) > max_head_) {
    fail(begun_ ? 431 : 400, begun_ ? "the head is too large" : "there is no request line");
    return bytes.size();
  }
  if (size == std::string::npos) return bytes.size();
  head_.resize(size);
  parse_head();
  head_.clear();
  return size - had;
}

void RequestReader::parse_head() try {
  Head head = parse_request_head(head_);
  request_.method = std::move(head.method);
  request_.target = std::move(head.target);
  request_.fields = std::move(head.fields);
  request_.minor_version = head.http10 ? 0 : 1;
  // HTTP/1.0's keep-alive is left out: an answer of unknown length ends with the connection there.
  request_.keep_alive = head.keep_alive && !head.http10;
  request_.expects_continue = head.expects_continue;
  chunked_ = head.framing == Framing::chunked;
  left_ = head.length;
  if (left_ > max_body_) return fail(413, "the body is too large");
  state_ = chunked_ || left_ > 0 ? State::body : State::complete;
} catch (const BadHead& bad) {
  fail(bad.status, bad.what());
}

void RequestReader::bound_body(size_t most) {
  max_body_ = std::min(max_body_, most);
  if (state_ == State::body && left_ > max_body_) fail(413, "the body is too large");
}

void RequestReader::take(std::string_view bytes) {
  taken_ += bytes.size();
  if (keep_body_) request_.body.append(bytes);
}

size_t RequestReader::feed_body(std::string_view bytes) {
  const size_t n = static_cast<size_t>(std::min<uint64_t>(bytes.size(), left_));
  take(bytes.substr(0, n));
  left_ -= n;
  if (left_ == 0) state_ = State::complete;
  return n;
}

size_t RequestReader::feed_chunks(std::string_view bytes) {
  std::string_view rest = bytes, piece;
  for (;;) {
    const ChunkDecoder::State found = chunks_.next(rest, rest.size(), piece);
    if (found != ChunkDecoder::State::data) piece = {};
    if (found == ChunkDecoder::State::broken) {
      fail(400, "malformed chunked encoding");
    } else if (taken_ + piece.size() + chunks_.left() > max_body_) {
      fail(413, "the body is too large");
    } else {
      take(piece);
      if (found == ChunkDecoder::State::data) continue;
      if (found == ChunkDecoder::State::end) state_ = State::complete;
    }
    return bytes.size() - rest.size();
  }
}

}  // namespace weir::http::debug
