// The texts that dumps show for states, wait reasons and kinds, by value.
#pragma once

#include <weir/introspect.h>

#include <iterator>

namespace weir::introspect {

inline constexpr const char* kStateWords[] = {"idle",    "runnable", "running",  "syscall",
                                              "waiting", "dead",     "copystack"};
static_assert(std::size(kStateWords) == kStates);

inline constexpr const char* kWaitReasonWords[] = {"",
                                                   "chan receive (nil chan)",
                                                   "chan send (nil chan)",
                                                   "select (no cases)",
                                                   "select",
                                                   "chan receive",
                                                   "chan send",
                                                   "sync.Mutex.Lock",
                                                   "sync.RWMutex.RLock",
                                                   "sync.RWMutex.Lock",
                                                   "sync.WaitGroup.Wait",
                                                   "sleep",
                                                   "IO wait",
                                                   "sync.Cond.Wait",
                                                   "semacquire"};
static_assert(std::size(kWaitReasonWords) == kWaitReasons);

inline constexpr const char* kObjectKindWords[] = {
    "", "chan", "mutex", "rwmutex", "waitgroup", "cond", "semaphore", "io", "http_body"};
static_assert(std::size(kObjectKindWords) == static_cast<size_t>(ObjectKind::http_body) + 1);

inline constexpr const char* kContextKindWords[] = {"cancel", "deadline", "group"};
static_assert(std::size(kContextKindWords) == static_cast<size_t>(ContextKind::group) + 1);

}  // namespace weir::introspect
