// Whether the runtime records what dumps and detectors show: creating places, wait records, times,
// counters of objects. Always, but in the build that measures what it costs (CMake option
// WEIR_RECORDING=OFF), whose dumps are empty of all that.
#pragma once

#ifndef WEIR_RECORDING
#define WEIR_RECORDING 1
#endif

namespace weir::detail {
inline constexpr bool kRecording = WEIR_RECORDING != 0;
}
