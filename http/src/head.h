// The head of an HTTP/1 message: where it ends, whether it is sound, and how long the body is that
// follows. Pure functions over bytes that a stranger sent.
//
// cpp-httplib reads a head after this has: in a form in which it can get nothing wrong. It takes
// each "%41" in a field's value for an "A", knows neither trailers nor bodies of HTTP's other
// status codes, and believes any length. So what it is given is written anew: percent signs are
// escaped, and Transfer-Encoding is gone, since the body that it gets (wire.h) ends by itself. It
// does not get to see at all what it would trip over: methods that it does not know, a second
// question mark or equals sign, and the fields of `aside`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::http {

// A head that is not sound.
struct BadHead : std::runtime_error {
  BadHead(int status_code, const char* why) : std::runtime_error(why), status(status_code) {}
  int status;  // what a server answers
};

enum class Framing : uint8_t {
  none,     // no body follows
  length,   // of a number of bytes
  chunked,  // in chunks, with an end of its own
  close,    // until the connection is closed (responses alone)
};

struct Head {
  std::string text;  // as cpp-httplib is to read it, with the empty line at its end
  // Fields that it would drop (empty ones), refuse (long ones), or match by a regular expression,
  // which takes stack for each character (Range).
  std::vector<std::pair<std::string, std::string>> aside{};
  std::string method{}, target{};  // a request; as they were sent
  Framing framing = Framing::none;
  uint64_t length = 0;      // of Framing::length; bytes
  bool keep_alive = false;  // as far as the other side is concerned
  bool http10 = false;
  bool expects_continue = false;  // a request: the body comes once it is asked for
  int status = 0;                 // a response
  std::string reason;             // a response: the words behind the status
};

// Bytes up to the end of the head's empty line, those of empty lines before it included; npos: it
// has not ended. `from`: bytes that were looked at before.
size_t head_size(std::string_view bytes, size_t from = 0) noexcept;

// Throw BadHead. `bytes` is all of a head.
Head parse_request_head(std::string_view bytes);
// `method`: of the request that is answered.
Head parse_response_head(std::string_view bytes, std::string_view method);

}  // namespace weir::http
