#include "gunzip.h"

#include <zlib.h>

#include <new>
#include <utility>

#include "wire.h"

namespace weir::http {

namespace {

constexpr int kGzipAlone = 16;       // of zlib's formats
constexpr size_t kPiece = 16 << 10;  // bytes

void end(z_stream* stream) {
  inflateEnd(stream);
  delete stream;
}

}  // namespace

Gunzip::Gunzip() : stream_(new z_stream{}, end) {
  if (inflateInit2(stream_.get(), MAX_WBITS + kGzipAlone) != Z_OK) throw std::bad_alloc();
}

bool Gunzip::write(std::string_view bytes, const std::function<bool(std::string)>& to) {
  z_stream& z = *stream_;
  // zlib's interface predates const; it does not write there.
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  z.avail_in = static_cast<uInt>(bytes.size());
  bool full = false;  // so there may be more than was given out
  while (z.avail_in != 0 || full) {
    if (at_end_) inflateReset(&z);
    at_end_ = false;
    std::string piece(kPiece, 0);
    z.next_out = reinterpret_cast<Bytef*>(piece.data());
    z.avail_out = kPiece;
    const int result = inflate(&z, Z_NO_FLUSH);
    if (result == Z_MEM_ERROR) throw std::bad_alloc();
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) {
      throw BadBody(std::string("gzip: ") + (z.msg ? z.msg : "damaged"));
    }
    at_end_ = result == Z_STREAM_END;
    full = z.avail_out == 0 && !at_end_;
    piece.resize(kPiece - z.avail_out);
    if (!piece.empty() && !to(std::move(piece))) return false;
  }
  return true;
}

}  // namespace weir::http
