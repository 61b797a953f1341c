#include "go_frames.h"

#include <algorithm>

#include "names.h"

namespace weir::profiler::go_frames {

namespace {

struct Rule {
  std::string_view function;
  State state;
  std::string_view reason;
};

// Functions that a goroutine is in only while it is in this state.
constexpr Rule kRules[] = {
    {"runtime.chanrecv", State::waiting, "chan receive"},
    {"runtime.chanrecv1", State::waiting, "chan receive"},
    {"runtime.chanrecv2", State::waiting, "chan receive"},
    {"runtime.chansend", State::waiting, "chan send"},
    {"runtime.chansend1", State::waiting, "chan send"},
    {"runtime.selectgo", State::waiting, "select"},
    {"runtime.block", State::waiting, "select (no cases)"},
    {"runtime.netpollblock", State::waiting, "IO wait"},
    {"internal/poll.runtime_pollWait", State::waiting, "IO wait"},
    {"time.Sleep", State::waiting, "sleep"},
    {"sync.runtime_notifyListWait", State::waiting, "sync.Cond.Wait"},
    {"sync.(*RWMutex).RLock", State::waiting, "sync.RWMutex.RLock"},
    {"sync.(*RWMutex).Lock", State::waiting, "sync.RWMutex.Lock"},
    {"sync.(*WaitGroup).Wait", State::waiting, "sync.WaitGroup.Wait"},
    {"runtime.gcBgMarkWorker", State::waiting, "GC worker (idle)"},
    {"runtime.bgsweep", State::waiting, "GC sweep wait"},
    {"runtime.bgscavenge", State::waiting, "GC scavenge wait"},
    {"runtime.forcegchelper", State::waiting, "force gc (idle)"},
    {"runtime.runfinq", State::waiting, "finalizer wait"},
    {"runtime.runFinalizers", State::waiting, "finalizer wait"},
    {"runtime.goroutineProfileWithLabels", State::running, ""},
    {"runtime.notetsleepg", State::syscall, ""},
    {"os/signal.signal_recv", State::syscall, ""},
    {"runtime.cgocall", State::syscall, ""},
    {"runtime/internal/syscall.Syscall6", State::syscall, ""},
    {"internal/runtime/syscall.Syscall6", State::syscall, ""},
    {"syscall.Syscall", State::syscall, ""},
    {"syscall.Syscall6", State::syscall, ""},
};

// Where the innards of waiting are: a user's function ends them.
bool is_inner(std::string_view f) {
  return is_runtime(f) || f.starts_with("sync.") || f.starts_with("internal/sync.") ||
         f.starts_with("internal/poll.runtime_") || f.starts_with("runtime/internal/") ||
         f.starts_with("syscall.") || f.starts_with("os/signal.signal_recv") || f == "time.Sleep";
}

std::span<const std::string_view> inner_of(std::span<const std::string_view> functions) {
  const auto end = std::find_if_not(functions.begin(), functions.end(), is_inner);
  return {functions.begin(), end};
}

bool has(std::span<const std::string_view> functions, std::string_view part) {
  return std::any_of(functions.begin(), functions.end(),
                     [part](std::string_view f) { return f.find(part) != f.npos; });
}

bool has_prefix(std::span<const std::string_view> functions, std::string_view prefix) {
  return std::any_of(functions.begin(), functions.end(),
                     [prefix](std::string_view f) { return f.starts_with(prefix); });
}

}  // namespace

bool is_runtime(std::string_view function) {
  return function == kHidden || function.starts_with("runtime.") ||
         function.starts_with("internal/runtime/") || names::is_runtime(function);
}

Wait infer(std::span<const std::string_view> functions) {
  const auto inner = inner_of(functions);
  for (const std::string_view f : inner) {
    const auto rule = std::find_if(std::begin(kRules), std::end(kRules),
                                   [f](const Rule& r) { return r.function == f; });
    if (rule != std::end(kRules)) return {rule->state, rule->reason};
  }
  if (has(inner, "runtime_SemacquireMutex")) return {State::waiting, "sync.Mutex.Lock"};
  if (has(inner, "runtime_Semacquire") || has(inner, "runtime.semacquire")) {
    return {State::waiting, "semacquire"};
  }
  return {};
}

std::string_view object_kind(std::string_view reason, std::span<const std::string_view> functions) {
  if (reason.find("(nil chan)") != reason.npos || reason == "select (no cases)") return "";
  if (reason.starts_with("chan ") || reason.starts_with("select")) return "chan";
  if (reason.starts_with("sync.Mutex.")) return "mutex";
  if (reason.starts_with("sync.RWMutex.")) return "rwmutex";
  if (reason.starts_with("sync.WaitGroup.")) return "waitgroup";
  if (reason.starts_with("sync.Cond.")) return "cond";
  if (reason == "IO wait") return "io";
  if (reason != "semacquire") return "";
  const auto inner = inner_of(functions);
  if (has(inner, "sync.(*RWMutex).")) return "rwmutex";  // its writers queue at a Mutex
  if (has(inner, "sync.(*WaitGroup).")) return "waitgroup";
  if (has(inner, "sync.(*Mutex).")) return "mutex";
  return "semaphore";
}

bool is_system(std::string_view reason, std::span<const std::string_view> functions) {
  static constexpr std::string_view kReasons[] = {"finalizer wait", "cleanup wait",
                                                  "force gc (idle)", "GOMAXPROCS updater (idle)",
                                                  "trace reader (blocked)"};
  if (reason.starts_with("GC ") ||
      std::find(std::begin(kReasons), std::end(kReasons), reason) != std::end(kReasons)) {
    return true;
  }
  static constexpr std::string_view kFunctions[] = {"os/signal.signal_recv", "os/signal.loop",
                                                    "runtime.ensureSigM", "runtime.ReadTrace"};
  return std::any_of(std::begin(kFunctions), std::end(kFunctions),
                     [functions](std::string_view f) { return has_prefix(functions, f); });
}

bool accepts(std::span<const std::string_view> functions) {
  return has(functions, "internal/poll.(*FD).Accept") || has(functions, "Listener).Accept");
}

bool reads_http(std::span<const std::string_view> functions) {
  return has_prefix(functions, "net/http.(*persistConn).readLoop");
}

bool writes_http(std::span<const std::string_view> functions) {
  return has_prefix(functions, "net/http.(*persistConn).writeLoop");
}

}  // namespace weir::profiler::go_frames
