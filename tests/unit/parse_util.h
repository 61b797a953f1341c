// For tests of the readers: fixtures, and what a ParseError says.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include <weir/profiler/parse.h>

#include "gzip_util.h"

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

}  // namespace weir::profiler::testing
