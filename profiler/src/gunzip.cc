#include "gunzip.h"

#include <zlib.h>

#include <algorithm>
#include <new>

#include "parse_text.h"

namespace weir::profiler::parsing {

namespace {

class Inflater {
 public:
  Inflater() {
    constexpr int kGzipOnly = 16;
    if (inflateInit2(&z, MAX_WBITS + kGzipOnly) != Z_OK) throw std::bad_alloc();
  }
  ~Inflater() { inflateEnd(&z); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  z_stream z{};
};

}  // namespace

bool is_gzip(std::string_view bytes) { return bytes.starts_with("\x1f\x8b"); }

Unzipped gunzip(std::string_view bytes, size_t max_bytes) {
  constexpr size_t kPiece = size_t{1} << 18;  // bytes
  Inflater inflater;
  z_stream& z = inflater.z;
  Unzipped out;
  std::string piece(kPiece, '\0');
  size_t at = 0;  // of the input, behind what zlib was given
  while (true) {
    if (z.avail_in == 0 && at < bytes.size()) {
      const size_t n = std::min(bytes.size() - at, kPiece);
      // zlib's interface predates const; it does not write there.
      z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data() + at));
      z.avail_in = static_cast<uInt>(n);
      at += n;
    }
    z.next_out = reinterpret_cast<Bytef*>(piece.data());
    z.avail_out = static_cast<uInt>(kPiece);
    const int result = inflate(&z, Z_NO_FLUSH);
    const size_t n = kPiece - z.avail_out;
    if (n > max_bytes - out.bytes.size()) {
      throw ParseLimit("gzip: more than " + std::to_string(max_bytes) +
                       " bytes when decompressed (ParseOptions::max_bytes)");
    }
    out.bytes.append(piece, 0, n);
    const size_t used = at - z.avail_in;
    if (result == Z_STREAM_END) {
      if (!is_gzip(bytes.substr(used))) return out;  // the end, or padding
      inflateReset(&z);
    } else if (result == Z_BUF_ERROR || (result == Z_OK && n == 0 && used == bytes.size())) {
      out.truncated = true;
      return out;
    } else if (result == Z_MEM_ERROR) {
      throw std::bad_alloc();
    } else if (result != Z_OK) {
      fail_at_byte("gzip", used, std::string("damaged: ") + (z.msg ? z.msg : "cannot be read"));
    }
  }
}

}  // namespace weir::profiler::parsing
