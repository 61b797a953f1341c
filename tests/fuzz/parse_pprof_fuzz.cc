// libFuzzer: weir::profiler::parse_pprof over any bytes.
#include "fuzz_target.h"

WEIR_FUZZ_TARGET(weir::profiler::parse_pprof)
