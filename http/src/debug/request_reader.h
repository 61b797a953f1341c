// Whole requests, for a server that reads without blocking: the grammar is head.h's and
// chunked.h's.
//
// Invariants: never looks beyond the end of its request, so that what follows is the next one's;
// memory is bounded by the limits. A pure function of the bytes: however they are cut into
// pieces, the result is the same.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "chunked.h"
#include "head.h"

namespace weir::http::debug {

struct Request {
  std::string method, target;
  int minor_version = 1;  // of HTTP/1
  Headers fields;
  std::string body;  // decoded, where it came in chunks
  bool keep_alive = false;
  bool expects_continue = false;  // the client waits for "100 Continue" before it sends the body
};

class RequestReader {
 public:
  enum class State : uint8_t {
    head,  // within the request line and the fields, or before
    body,  // the head is known, the body is still to come
    complete,
    failed,  // refused, see status(); the rest of the connection means nothing
  };

  RequestReader(size_t max_head, size_t max_body) : max_head_(max_head), max_body_(max_body) {}

  // Takes what belongs to the request and is not yet there; the rest is left to the caller. Stops
  // where the head ends, too, so that it can be looked at before the body is taken.
  size_t feed(std::string_view bytes);

  State state() const noexcept { return state_; }
  bool begun() const noexcept { return begun_; }   // has seen a byte of it
  int status() const noexcept { return status_; }  // of the refusal: 400, 413, 417, 431, 501, 505
  const std::string& why() const noexcept { return why_; }
  const Request& request() const noexcept { return request_; }
  Request& request() noexcept { return request_; }
  // Of this request the body may be no longer than that; to be told once the head is known.
  void bound_body(size_t most);
  // From here on the body is counted, not kept.
  void pass_over_body() noexcept { keep_body_ = false; }
  size_t held() const noexcept { return head_.size() + request_.body.size(); }  // bytes

 private:
  size_t feed_head(std::string_view bytes);
  size_t feed_body(std::string_view bytes);
  size_t feed_chunks(std::string_view bytes);
  void parse_head();
  void take(std::string_view bytes);
  void fail(int status, std::string why);

  const size_t max_head_;
  size_t max_body_;
  State state_ = State::head;
  bool begun_ = false, keep_body_ = true;
  int status_ = 0;
  std::string why_;
  std::string head_;
  Request request_;
  bool chunked_ = false;
  ChunkDecoder chunks_;
  uint64_t left_ = 0;   // of a body with a length, bytes
  uint64_t taken_ = 0;  // of the body, bytes
};

}  // namespace weir::http::debug
