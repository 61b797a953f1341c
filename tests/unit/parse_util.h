// For tests of the readers: fixtures, and what a ParseError says.
#pragma once

#include <gtest/gtest.h>
#include <zlib.h>

#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include <weir/profiler/parse.h>

namespace weir::profiler::testing {

inline std::string fixture(const std::string& name) {
  std::ifstream in(std::string(WEIR_FIXTURES) + "/" + name, std::ios::binary);
  std::string bytes(std::istreambuf_iterator<char>(in), {});
  EXPECT_FALSE(bytes.empty()) << name;
  return bytes;
}

// What the reader says; empty: it reads it.
template <class Reader>
std::string refusal(Reader read, std::string_view bytes, const ParseOptions& options = {}) {
  try {
    read(bytes, options);
    return {};
  } catch (const ParseError& e) {
    return e.what();
  }
}

inline std::string gzip(std::string_view bytes) {
  z_stream z{};
  EXPECT_EQ(deflateInit2(&z, 9, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&z, bytes.size()) + 64, '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  z.avail_in = static_cast<uInt>(bytes.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&z, Z_FINISH), Z_STREAM_END);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

}  // namespace weir::profiler::testing
