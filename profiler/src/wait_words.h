// Words for a wait graph that its picture, its text and its JSON share.
#pragma once

#include <algorithm>
#include <string>

#include <weir/profiler/wait_graph.h>

namespace weir::profiler {

inline std::string count_of(uint64_t n, const std::string& what, const std::string& plural = {}) {
  return std::to_string(n) + " " + (n == 1 ? what : plural.empty() ? what + "s" : plural);
}

inline const char* stuck_name(WaitGraph::Stuck s) {
  switch (s) {
    case WaitGraph::Stuck::no:
      return "";
    case WaitGraph::Stuck::lock_cycle:
      return "lock_cycle";
    case WaitGraph::Stuck::owner_gone:
      return "owner_gone";
    case WaitGraph::Stuck::nil_channel:
      return "nil_channel";
    case WaitGraph::Stuck::no_cases:
      return "no_cases";
    case WaitGraph::Stuck::behind:
      return "behind";
  }
  return "";
}

// Why goroutines can never go on; empty: they may.
inline const char* stuck_words(WaitGraph::Stuck s) {
  switch (s) {
    case WaitGraph::Stuck::no:
      return "";
    case WaitGraph::Stuck::lock_cycle:
      return "deadlock: in a cycle of locks";
    case WaitGraph::Stuck::owner_gone:
      return "for ever: the lock's owner has exited";
    case WaitGraph::Stuck::nil_channel:
      return "for ever: nil channel";
    case WaitGraph::Stuck::no_cases:
      return "for ever: select has no cases";
    case WaitGraph::Stuck::behind:
      return "for ever: the lock's owner is stuck";
  }
  return "";
}

// "goroutines 4, 7, 9 .."
inline std::string goids_text(const std::vector<uint64_t>& goids, uint64_t count) {
  std::string text = count == 1 ? "goroutine" : "goroutines";
  for (size_t i = 0; i < goids.size(); ++i) {
    text.append(i == 0 ? " " : ", ").append(std::to_string(goids[i]));
  }
  return count > goids.size() ? text + " .." : text;
}

// "channel", "mutex" .., for people.
inline std::string kind_words(const std::string& kind) {
  return kind == "chan" ? "channel" : kind == "waitgroup" ? "wait group" : kind;
}

inline std::string kinds_words(const std::string& kind) {
  return kind_words(kind) + (kind.ends_with("mutex") ? "es" : "s");
}

}  // namespace weir::profiler
