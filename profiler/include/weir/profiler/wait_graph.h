// WaitGraph: who waits for what, and who has it.
//
//   goroutines --wait for--> object (channel, lock, wait group ..) --held by--> goroutines
//
// Goroutines alike are one node: blocked in the same function, for the same reason, created at the
// same place. Objects alike are one node: same kind, made at the same place, of the same shape.
// What is drawn of a node is true of each of its members: those that can never go on (in a cycle of
// locks, on a lock whose owner has exited, on a nil channel) are never in one node with others.
//
// Pure functions over Snapshots; thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <weir/profiler/snapshot.h>

namespace weir::profiler {

// Goroutines each of which waits for a lock that the next one holds; the last one's is held by the
// first. One goroutine alone: it waits for a lock that it holds itself.
struct LockCycle {
  struct Link {
    uint64_t goid = 0;
    uint32_t group = 0;   // index into Snapshot::groups
    uint32_t member = 0;  // index into Group::members
    uint32_t object = 0;  // index into Snapshot::objects: what it waits for, held by the next
  };
  std::vector<Link> links;  // begins with the smallest goid
};

// All cycles. Each is a deadlock: goroutines are looked at one after the other, so a cycle counts
// only when each of its waits had begun before the capture began; then all of them lasted at one
// instant, and whoever waits for a lock cannot give another one back.
std::vector<LockCycle> lock_cycles(const Snapshot& s);

struct WaitGraphOptions {
  // Only goroutines with a frame that matches, and the owners of what they wait for; RE2, at most
  // 1000 bytes.
  std::string focus{};
  std::string ignore{};   // no goroutines with a frame that matches
  size_t nodecount = 80;  // nodes at most; 0: no bound. Stuck ones stay longest, then large ones
};

struct WaitGraph {
  // Why they can never go on: each is certain, from this one snapshot. behind: they wait for a lock
  // whose owner is stuck itself.
  enum class Stuck : uint8_t { no, lock_cycle, owner_gone, nil_channel, no_cases, behind };

  struct Goroutines {
    uint64_t count = 0;
    std::vector<uint64_t> goids;  // the smallest ones, at most 8; empty where the source has none
    std::string state;            // wait reason, or state when they do not wait
    Stuck stuck = Stuck::no;
    bool thread = false;       // plain OS threads
    Frame blocked_at;          // innermost shown frame; function empty: no stack
    Frame created_by;          // function empty: not known
    std::vector<Frame> stack;  // of one of them, innermost first, at most 12 frames
    int64_t oldest_ns = -1;    // -1: not known
  };
  struct Object {
    std::string kind;          // as Object::kind of snapshot.h
    uint64_t count = 0;        // distinct ones
    Stuck stuck = Stuck::no;   // lock_cycle, owner_gone, behind: why its waiters are stuck
    Frame made_at;             // function empty: not known
    profiler::Object example;  // one of them, for what is known of it: counters, sizes
    std::string detail;        // of that one, in words: "cap 0, 3 sent, 3 received"
    std::vector<std::pair<std::string, Frame>> places;  // "locked", "last Add" ..: where
  };
  // A goroutine that has exited and still owns a lock.
  struct Gone {
    uint64_t count = 0;           // distinct ones
    std::vector<uint64_t> goids;  // the smallest ones, at most 8
  };
  enum class Relation : uint8_t { waits_for, held_by, held_by_gone };
  struct Edge {
    Relation relation = Relation::waits_for;
    uint32_t from = 0;   // waits_for: index into goroutines; else into objects
    uint32_t to = 0;     // index into objects, goroutines or gone
    uint64_t count = 0;  // goroutines that wait, or objects that are held
    std::string what;    // "send", "receive", "read", "write", ""
    bool cycle = false;  // all of them are part of lock cycles
  };

  std::vector<Goroutines> goroutines;  // stuck ones first, then most goroutines first
  std::vector<Object> objects;
  std::vector<Gone> gone;
  std::vector<Edge> edges;
  uint64_t cycles = 0;                    // lock cycles in the snapshot
  uint64_t total = 0;                     // goroutines and threads in the snapshot
  uint64_t shown = 0;                     // of those: in `goroutines`
  uint64_t unrelated = 0;                 // of those: neither wait nor are waited for
  uint64_t dropped = 0;                   // of those: left out by focus, ignore
  uint64_t folded_nodes = 0, folded = 0;  // nodes beyond nodecount, and their goroutines
  std::vector<std::string> filters;       // "focus=.."; what filter.h left out
  std::string process;
  int64_t taken_at_ns = 0;  // wall clock, ns since 1970; 0: not known
};

// Throws weir::profiler::error when a regular expression is not one, naming the option.
WaitGraph wait_graph(const Snapshot& s, const WaitGraphOptions& options = {});

}  // namespace weir::profiler
