// What the endpoint allows, in one place. The values here are what programs get; tests make their
// own, so that they need not wait for a minute.
#pragma once

#include <chrono>
#include <cstddef>

namespace weir::http::debug {

// What a client may take for reading an answer.
struct Patience {
  std::chrono::milliseconds piece{30'000};    // for each piece, in which nothing else is done,
  std::chrono::milliseconds answer{60'000};   // and for all of them,
  double slowest_reader = 1e6;                // and, bytes/s, more for what is large
  std::chrono::milliseconds farewell{1'000};  // for a piece, instead, once the server stops

  // For `bytes`, besides the time that they get anyway.
  std::chrono::milliseconds for_bytes(size_t bytes) const noexcept {
    return std::chrono::milliseconds(
        static_cast<long long>(1e3 * static_cast<double>(bytes) / slowest_reader));
  }
};

struct Limits {
  size_t connections = 1024;    // at once; beyond it the one that is of least use is closed
  size_t head = 16 << 10;       // bytes of a request line and its fields
  size_t body = 1 << 20;        // bytes: addresses of a large program
  size_t dump = 8 << 20;        // bytes of a body instead, where it is a dump (takes_dump)
  size_t buffered = 32 << 20;   // bytes of requests and answers, over all connections
  size_t queued = 128;          // complete requests that no worker has taken yet; more get 503
  size_t requests_each = 1000;  // on one connection
  std::chrono::milliseconds request{10'000};  // from the first byte of a request to its last
  std::chrono::milliseconds idle{5'000};      // without a request
  std::chrono::milliseconds linger{1'000};    // for the client to read the last answer, and close
  Patience patience;
  // Requests of a kind that are under way at once; more get 503. Each has a worker.
  int captures = 2;
  int pictures = 2;
  int slow = 3;
  int streams = 8;
  int others = 2;  // workers for all the rest, which wait for nobody

  size_t most_body() const noexcept { return body > dump ? body : dump; }
  int workers() const noexcept { return captures + pictures + slow + streams + others; }
};

}  // namespace weir::http::debug
