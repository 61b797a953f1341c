// Finding: one leak, in the words of a person and in numbers: who is stuck, why, since when, how
// sure that is, and what shows it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weir/profiler/encode.h>
#include <weir/profiler/snapshot.h>

namespace weir::profiler {

enum class Kind : uint8_t {
  nil_channel,
  chan_send,
  chan_receive,
  select,
  select_no_cases,
  mutex_forgotten_unlock,  // of a Mutex or RWMutex: its owner has exited
  mutex,
  rwmutex,
  waitgroup,
  cond,
  semaphore,
  http_body,
  spinning,
  sleep,
  io_wait,
  syscall,
  deadlock,  // a cycle of locks, or everything is asleep
};
inline constexpr size_t kKinds = 17;
std::string_view to_string(Kind k) noexcept;  // "nil_channel" ..
std::optional<Kind> kind_named(std::string_view name) noexcept;

// How sure it is. certain: a rule proves it from the wait records; it is never taken back. likely:
// the pattern is one that leaks, and growth says so, too. suspect: growth or age alone.
enum class Certainty : uint8_t { suspect, likely, certain };
inline constexpr size_t kCertainties = 3;
std::string_view to_string(Certainty c) noexcept;

struct Finding {
  // What they wait for; of one of them, where each waits for its own.
  struct Object {
    std::string kind;         // as Object::kind of snapshot.h; empty: nothing
    std::string detail;       // in words: "cap 0, 3 sent, 3 received"
    Frame made_at;            // function empty: not known
    uint64_t count = 0;       // distinct ones; 0: not known
    uint64_t owner = 0;       // goid of a lock's owner; 0: none
    std::string method, url;  // http_body
    int status = 0;           // http_body; 0: not known
    std::vector<std::pair<std::string, Frame>> places;  // "locked", "last Add" ..: where
  };

  Kind kind = Kind::chan_receive;
  Certainty certainty = Certainty::suspect;
  uint64_t site = 0;  // whose (sites.h); the same in all snapshots of a program
  // deadlock: the other sites that its cycles lead through. Their goroutines are counted here.
  std::vector<uint64_t> other_sites;
  uint64_t count = 0;            // goroutines, now
  double growth_per_minute = 0;  // of their number; 0: not known, or none
  int64_t oldest_wait_ns = -1;   // -1: not known
  std::string wait;              // wait reason, else the state
  Frame created_by, blocked_at;  // function empty: not known
  Object object;
  std::string cause;                  // one sentence
  std::vector<std::string> evidence;  // sentences, with numbers and units
  std::string fix;                    // what usually helps, a sentence
  std::vector<Frame> stack;           // of one of them: shown frames, innermost first, at most 64
  std::vector<uint64_t> goids;        // the smallest ones, at most kMaxGoids; empty: not known
  // Over time (Detector); wall clock, ns since 1970.
  int64_t first_seen_ns = 0, last_seen_ns = 0;
  uint64_t peak = 0;
  std::string test;    // that left them behind; empty: none is known
  bool known = false;  // accepted by a baseline: it is shown, and makes nothing fail

  static constexpr size_t kMaxGoids = 16, kMaxFrames = 64;
};

// The findings of one process at one time.
struct Findings {
  std::string target;       // what was looked at: a program's name, a URL, a file
  int64_t taken_at_ns = 0;  // wall clock
  uint64_t goroutines = 0;  // that were looked at
  // At most kMost; a note tells when there were more.
  std::vector<Finding> findings;  // most certain first, then fastest growing, then most goroutines
  // What a reader should know of how they came about: counts only, too few samples ..; sentences.
  std::vector<std::string> notes;

  static constexpr size_t kMost = 1000;
};

// The order of Findings::findings; equal ones stay as they are.
void sort_findings(std::vector<Finding>& findings);

// Leaves out the findings that have a frame or creator in whose function or file one of these is
// found: RE2, at most 1000 bytes each. Throws weir::profiler::error where one is no expression.
void leave_out(std::vector<Finding>& findings, const std::vector<std::string>& ignore);

// For a person at 3 a.m.
bool write_findings_text(const Findings& f, const Sink& sink);
// JSON, schema "weir.findings/1": src/detect/finding_json.cc describes it.
bool write_findings_json(const Findings& f, const Sink& sink);

}  // namespace weir::profiler
