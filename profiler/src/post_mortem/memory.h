// Memory: that of another process, by address: from a core file, or of one that runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <type_traits>

namespace weir::profiler::post_mortem {

struct Read {
  uint64_t at = 0;
  std::byte* to = nullptr;
  size_t bytes = 0;
  size_t got = 0;  // from the start on; the rest could not be had
};

class Memory {
 public:
  virtual ~Memory() = default;

  // In this order, as many at a time as can be.
  virtual void read(std::span<Read> reads) = 0;

  // All bytes, or false.
  bool read(uint64_t at, void* to, size_t bytes) {
    Read r{at, static_cast<std::byte*>(to), bytes};
    read({&r, 1});
    return r.got == bytes;
  }
  template <class T>
  std::optional<T> get(uint64_t at) {
    static_assert(std::is_trivially_copyable_v<T>);
    T value;
    if (!read(at, &value, sizeof value)) return std::nullopt;
    return value;
  }
};

// Bytes of it, that were copied. What is beyond their end reads as zero: the offsets are told by
// somebody who is not trusted.
class Record {
 public:
  Record() = default;
  explicit Record(std::span<const std::byte> bytes) : bytes_(bytes) {}

  template <class T>
  T get(size_t offset) const {
    static_assert(std::is_trivially_copyable_v<T>);
    T value{};
    if (offset <= bytes_.size() && bytes_.size() - offset >= sizeof value) {
      std::memcpy(&value, bytes_.data() + offset, sizeof value);
    }
    return value;
  }
  uint64_t word(size_t offset) const { return get<uint64_t>(offset); }
  bool flag(size_t offset) const { return get<uint8_t>(offset) != 0; }
  const void* pointer(size_t offset) const {
    return reinterpret_cast<const void*>(static_cast<uintptr_t>(word(offset)));
  }
  // Text of at most `bytes`, up to its end.
  template <size_t N>
  void text(size_t offset, size_t bytes, char (&to)[N]) const {
    size_t n = 0;
    for (; n < bytes && n + 1 < N; ++n) {
      to[n] = get<char>(offset + n);
      if (to[n] == '\0') return;
    }
    to[n] = '\0';
  }
  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::span<const std::byte> bytes_;
};

}  // namespace weir::profiler::post_mortem
