// What the names of Go's functions tell: which are the runtime's, what a goroutine waits for when
// its dump has only its stack, and which kind of object is behind a wait reason.
#pragma once

#include <span>
#include <string_view>

#include <weir/profiler/snapshot.h>

namespace weir::profiler::go_frames {

// The readers' name for frames of a runtime that a dump has addresses of, but no names.
inline constexpr std::string_view kHidden = "[runtime]";

// One of weir's or of Go's runtime; as Go's tools tell it, by the name.
bool is_runtime(std::string_view function);

struct Wait {
  State state = State::waiting;
  std::string_view reason;  // Go's text, as of Go 1.24; empty: not known
};

// Where a goroutine with this stack (functions, leaf first) is. What does not tell is `waiting` for
// "": most goroutines wait.
Wait infer(std::span<const std::string_view> functions);

// "chan", "mutex", ..; empty where there is no object, as for a nil channel. A `semacquire` is told
// by the functions (leaf first): Go before 1.20 says it for all locks.
std::string_view object_kind(std::string_view reason, std::span<const std::string_view> functions);

// One of the goroutines that Go's runtime keeps for itself: its garbage collector's, who waits for
// finalizers or signals.
bool is_system(std::string_view reason, std::span<const std::string_view> functions);

// Waits for somebody to connect.
bool accepts(std::span<const std::string_view> functions);

// The two goroutines of a connection of net/http's client. While it is idle its reader is in IO
// wait; in a select, it waits for the body of a response to be read or closed. Its writer is in a
// select at all times.
bool reads_http(std::span<const std::string_view> functions);
bool writes_http(std::span<const std::string_view> functions);

}  // namespace weir::profiler::go_frames
