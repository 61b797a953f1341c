// libFuzzer: weir::profiler::parse_debug1 over any bytes.
#include "fuzz_target.h"

WEIR_FUZZ_TARGET(weir::profiler::parse_debug1)
