// How a program that has leaked ends, and what it says.
#pragma once

#include <cstdint>
#include <string_view>

namespace weir::testing {

// All of it, to stderr.
void print(std::string_view text) noexcept;

// Who has found leaks: guards, or the end of a run.
enum class Watcher : uint8_t { guard, run };

// Does this process exit with status kLeakStatus where it would exit with 0? Each watcher has a say
// of its own, and any of them suffices. Children by fork(2) do not inherit it. Thread-safe.
void fail_at_exit(Watcher who, bool fails) noexcept;

}  // namespace weir::testing
