// Where a request ends: HTTP/1.1's framing (RFC 9112), for a server that reads without blocking.
//
// Invariants: never looks beyond the end of its request, so that what follows is the next one's;
// what two readers may understand differently (two lengths, a length and chunks, a line that ends
// in a bare LF, a space before a colon, a folded line) is refused, never guessed; memory is bounded
// by the two limits. A pure function of the bytes: however they are cut into pieces, the result is
// the same.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::http::debug {

struct Field {
  std::string name, value;
};

struct Request {
  std::string method, target;
  int minor_version = 1;  // of HTTP/1
  std::vector<Field> fields;
  std::string body;  // decoded, where it came in chunks
  bool keep_alive = false;
  bool expects_continue = false;  // the client waits for "100 Continue" before it sends the body

  // The first field of that name, whatever the case of its letters; null: there is none.
  const std::string* find(std::string_view name) const noexcept;
  std::string_view field(std::string_view name) const noexcept;  // "" where there is none
};

bool same_name(std::string_view a, std::string_view b) noexcept;  // but for upper and lower case

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
  int status() const noexcept { return status_; }  // of the refusal: 400, 413, 431, 501, 505
  const char* why() const noexcept { return why_; }
  const Request& request() const noexcept { return request_; }
  Request& request() noexcept { return request_; }
  // From here on the body is counted, not kept.
  void pass_over_body() noexcept { keep_body_ = false; }
  size_t held() const noexcept { return head_.size() + request_.body.size(); }  // bytes

 private:
  enum class Chunk : uint8_t {
    size,
    extension,
    size_lf,
    data,
    data_cr,
    data_lf,
    trailer,
    trailer_lf
  };

  size_t feed_head(std::string_view bytes);
  size_t feed_body(std::string_view bytes);
  size_t feed_chunks(std::string_view bytes);
  void take(std::string_view bytes);
  void parse_head();
  bool parse_request_line(std::string_view line);
  bool parse_field(std::string_view line);
  void parse_framing();
  void fail(int status, const char* why) noexcept;

  const size_t max_head_, max_body_;
  State state_ = State::head;
  bool begun_ = false, keep_body_ = true;
  int status_ = 0;
  const char* why_ = "";
  std::string head_;
  Request request_;
  bool chunked_ = false;
  uint64_t left_ = 0;   // bytes of the body, or of the chunk
  uint64_t taken_ = 0;  // bytes of the body
  Chunk chunk_ = Chunk::size;
  size_t digits_ = 0, line_ = 0, overhead_ = 0;  // of a chunk's size; of a trailer line; of both
};

}  // namespace weir::http::debug
