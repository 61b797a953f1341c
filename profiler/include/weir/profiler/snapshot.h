// Snapshot: all goroutines of a process at one time, as a value.
//
// Frames, locations and stacks are stored once and referred to by index. Everything downstream of
// capture (text, pprof, JSON, graphs, diffs, detectors) is a pure function over this type; dumps of
// other processes are parsed into the same type. No pointers into the observed process: addresses
// are plain numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace weir::profiler {

// One function at one place in the source. Inlined calls are frames of their own.
struct Frame {
  std::string function;  // readable: no template noise, lambdas as "f()::lambda"; never empty
  std::string file;      // as the debug information has it; empty: not known
  int line = 0;          // 0: not known
  uint64_t offset = 0;   // bytes from the start of the (outermost) function
  bool runtime = false;  // one of weir's own: hidden where the user's code is meant
  bool operator==(const Frame&) const = default;
};

// A program counter and what it means.
struct Location {
  uint64_t address = 0;  // the call's pc: return address - 1; exact for a leaf of a running one
  uint32_t mapping = 0;  // index + 1 into Snapshot::mappings; 0: none
  // Indexes into Snapshot::frames, innermost (inlined) first; empty: the address is all that is
  // known.
  std::vector<uint32_t> frames;
  bool operator==(const Location&) const = default;
};

// A loaded object (executable or library).
struct Mapping {
  uint64_t start = 0, limit = 0, offset = 0;
  std::string file;
  std::string build_id;  // hex
  bool operator==(const Mapping&) const = default;
};

struct Stack {
  std::vector<uint32_t> locations;  // indexes into Snapshot::locations, leaf first
  bool truncated = false;           // deeper than what was recorded, or the walk could not go on
  bool operator==(const Stack&) const = default;
};

inline constexpr uint32_t kNone = UINT32_MAX;

enum class State : uint8_t { idle, runnable, running, syscall, waiting, dead, copystack };

// What a goroutine waits for. The `_at`s are indexes into Snapshot::locations, kNone: not known.
struct Object {
  std::string
      kind;  // "chan", "mutex", "rwmutex", "waitgroup", "cond", "semaphore", "io", "http_body"
  uint64_t address = 0;
  uint32_t made_at = kNone;
  bool send = false;  // chan: the wait is for sending; io: for writing
  bool closed = false;
  uint64_t cap = 0, len = 0;  // chan; semaphore: its size, and how much of it is taken
  uint64_t sends = 0, recvs = 0, handles = 0;
  uint64_t owner_goid = 0;
  bool owner_alive = false;  // the owner was met in the same snapshot
  uint64_t readers = 0;
  uint32_t locked_at = kNone, rlocked_at = kNone;
  int64_t counter = 0;
  uint64_t adds = 0, dones = 0;
  uint32_t added_at = kNone, done_at = kNone;
  uint64_t waiters = 0;  // cond, semaphore
  uint64_t signals = 0;  // cond: calls of signal and broadcast; semaphore: of release
  uint32_t signalled_at = kNone;
  bool timer = false;                           // chan: a Timer's, a Ticker's or after()'s
  bool armed = false;                           // and it will fire
  int fd = -1;                                  // io
  uint32_t network = 0, local = 0, remote = 0;  // io: indexes into Snapshot::strings; 0: not known
  uint32_t method = 0, url = 0;                 // http_body: of the request; likewise
  int status = 0;                               // http_body: of the response; 0: not known
  bool operator==(const Object&) const = default;
};

// One goroutine.
struct Member {
  uint64_t goid = 0;
  uint64_t parent_goid = 0;                     // 0: not known
  int64_t since_ns = 0;                         // time in this state; -1: not known
  uint32_t name = 0;                            // index into Snapshot::strings; 0: none
  uint32_t first_object = 0, object_count = 0;  // a range of Snapshot::objects
  uint32_t objects_total = 0;  // larger than object_count when not all were recorded
  uint32_t stack_bytes = 0;    // of its stack in use; 0: not known
  int64_t cpu_ns = -1;         // time that it has run; -1: not counted
  bool operator==(const Member&) const = default;
};

// Goroutines alike: same stack, state, wait reason, kind of object, creator, labels and marks.
struct Group {
  uint32_t stack = 0;  // index into Snapshot::stacks
  State state = State::waiting;
  std::string wait_reason;      // Go's text; empty when not waiting
  std::string object_kind;      // of what it waits for; empty: nothing
  uint32_t created_by = kNone;  // index into Snapshot::locations
  // The whole stack of the `go` that created them, where it was recorded (<weir/profiling.h>):
  // index into Snapshot::stacks.
  uint32_t creation_stack = kNone;
  bool thread = false;  // plain OS threads that use weir
  bool locked = false;  // locked to their OS threads
  bool leaked = false;  // the source has proved that they never go on: Go's "(leaked)"
  std::vector<std::pair<std::string, std::string>> labels;  // sorted by key
  uint64_t count = 0;           // goroutines; members.size() where the source has members
  int64_t wait_ns = -1;         // sum of the times in this state; -1: not known
  int64_t oldest_ns = -1;       // the longest of them; -1: not known
  std::vector<Member> members;  // sorted by goid; empty where the source has counts only
  bool operator==(const Group&) const = default;
};

// Contexts that can be cancelled and still exist, alike: made at the same place, in the same state.
struct ContextGroup {
  std::string kind;   // "cancel" (with_cancel), "deadline" (with_timeout), "group" (TaskGroup)
  std::string state;  // "active", "cancelled", "deadline exceeded"
  uint32_t made_at = kNone;  // index into Snapshot::locations
  uint64_t count = 0;
  uint64_t forgotten = 0;  // active ones without a deadline that nobody can cancel any more
  uint64_t waiters = 0;    // goroutines in waits that these contexts can end
  int64_t oldest_ns = 0;   // age of the oldest
  uint64_t oldest_maker_goid = 0;
  bool operator==(const ContextGroup&) const = default;
};

struct Snapshot {
  int64_t taken_at_ns = 0;      // wall clock, ns since 1970
  int64_t duration_ns = 0;      // of the capture, symbolization not included
  int64_t longest_hold_ns = 0;  // the longest that one goroutine was held still
  uint64_t total = 0;           // goroutines, without threads
  uint64_t left_out = 0;        // goroutines and threads that a filter (filter.h) has taken away
  uint64_t requester_goid = 0;  // to be shown first; 0: none
  std::string process;          // name of the program
  int64_t pid = 0;
  std::string source;      // "weir", or the format it was parsed from: "debug=1", "pprof", ..
  bool truncated = false;  // parsed from a text that was cut off: there were more goroutines
  std::vector<std::string> strings{""};
  std::vector<Frame> frames;
  std::vector<Location> locations;
  std::vector<Mapping> mappings;
  std::vector<Stack> stacks;
  std::vector<Object> objects;
  std::vector<ContextGroup> contexts;  // most forgotten first, then most contexts
  std::vector<Group> groups;           // most goroutines first, then by stack
  bool operator==(const Snapshot&) const = default;
};

}  // namespace weir::profiler
