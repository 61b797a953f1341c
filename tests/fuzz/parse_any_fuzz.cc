// libFuzzer: weir::profiler::parse over any bytes.
#include "fuzz_target.h"

WEIR_FUZZ_TARGET(weir::profiler::parse)
