// One entry point of libFuzzer per reader. Fails with the words of the property that does not hold
// (round_trip.h, report_round_trip.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "round_trip.h"

// `property`: text -> what does not hold of it; empty: it holds.
// NOLINTNEXTLINE: the name is libFuzzer's.
#define WEIR_FUZZ_PROPERTY(property)                                                               \
  extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {                        \
    const std::string why = property(std::string_view(reinterpret_cast<const char*>(data), size)); \
    if (!why.empty()) {                                                                            \
      std::fprintf(stderr, "%s\n", why.c_str());                                                   \
      std::abort();                                                                                \
    }                                                                                              \
    return 0;                                                                                      \
  }

#define WEIR_FUZZ_TARGET(reader) \
  WEIR_FUZZ_PROPERTY(            \
      [](std::string_view bytes) { return weir::profiler::fuzz::broken(reader, bytes); })
