// The chunked coding of bodies (RFC 9112, 7.1), taken apart as its bytes come. Trailers are passed
// over. A pure state machine over bytes that a stranger sent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weir::http {

class ChunkDecoder {
 public:
  enum class State : uint8_t {
    more,    // wants bytes
    data,    // a piece of the body was found
    end,     // the body has ended
    broken,  // not the chunked coding, or lines of absurd length
  };

  // Takes from the front of `bytes` what it has read, and for State::data sets `piece` to a part of
  // them, `most` bytes at the most.
  State next(std::string_view& bytes, size_t most, std::string_view& piece) noexcept;
  // Bytes of the chunk that is being read, as far as its size is known.
  uint64_t left() const noexcept { return left_; }

 private:
  enum class At : uint8_t { size, extension, size_lf, data, data_cr, data_lf, trailer, done, bad };

  State fail() noexcept;
  // Takes one byte of what is not data.
  bool step(char c) noexcept;

  At at_ = At::size;
  bool digits_ = false;    // of the size there were some
  uint64_t left_ = 0;      // bytes of the chunk
  uint64_t overhead_ = 0;  // bytes of size lines and trailers beyond what was granted
  uint32_t line_ = 0;      // bytes of the trailer's line
  bool cr_ = false;        // its last one was CR
};

}  // namespace weir::http
