// The head of an HTTP/1 message: where it ends, whether it is sound, and how long the body is that
// follows. Pure functions over bytes that a stranger sent.
//
// cpp-httplib reads a head after this has: one that was written anew, with the little that it is
// asked to do. As sent it would get things wrong: it takes each "%41" in a field's value for an
// "A", drops empty fields and refuses long ones, knows neither all methods nor which answers have
// no body, and matches ranges and reasons by regular expressions, which take stack for each
// character.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

#include <weir/http/headers.h>

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
  // All, in their order, as they were sent; but not Transfer-Encoding, which is done with here.
  // Content-Length stands there once.
  Headers fields;
  std::string method, target;  // a request; as they were sent
  Framing framing = Framing::none;
  uint64_t length = 0;      // bytes: of Framing::length, and what the answer to HEAD tells
  bool keep_alive = false;  // as far as the other side is concerned
  bool http10 = false;
  bool expects_continue = false;  // a request: the body comes once it is asked for
  int status = 0;                 // a response
  std::string reason;             // a response: the words behind the status
  std::string for_library;        // what cpp-httplib is to read: a request's path and query, a
                                  // response's status
};

// Bytes up to the end of the head's empty line, those of empty lines before it included, or of the
// first line that makes it unsound (a bare LF); npos: it has not ended. `from`: bytes that were
// looked at before.
size_t head_size(std::string_view bytes, size_t from = 0) noexcept;

// Throw BadHead. `bytes` is all of a head.
Head parse_request_head(std::string_view bytes);
// `method`: of the request that is answered.
Head parse_response_head(std::string_view bytes, std::string_view method);

}  // namespace weir::http
