// One entry point of libFuzzer per reader. Fails with the words of round_trip.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "round_trip.h"

// NOLINTNEXTLINE: the name is libFuzzer's.
#define WEIR_FUZZ_TARGET(reader)                                                           \
  extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {                \
    const std::string why =                                                                \
        weir::profiler::fuzz::broken(reader, {reinterpret_cast<const char*>(data), size}); \
    if (!why.empty()) {                                                                    \
      std::fprintf(stderr, "%s\n", why.c_str());                                           \
      std::abort();                                                                        \
    }                                                                                      \
    return 0;                                                                              \
  }
