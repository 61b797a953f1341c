// libFuzzer: weir::profiler::parse_report over any bytes, and every writer of reports over what it
// takes.
#include "fuzz_target.h"
#include "report_round_trip.h"

WEIR_FUZZ_PROPERTY(weir::profiler::fuzz::broken_report)
