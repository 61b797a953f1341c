#include "contexts.h"

#include <algorithm>

#include "frames.h"
#include "wait_words.h"
#include "words.h"

namespace weir::profiler::causes {

namespace {

constexpr size_t kMaxPlaces = 4;

bool is_forgotten(const ContextGroup& c) { return c.forgotten > 0 && c.waiters > 0; }

}  // namespace

bool all_contexts_forgotten(const Snapshot& s) {
  bool some = false;
  for (const ContextGroup& c : s.contexts) {
    if (c.waiters == 0) continue;
    if (c.forgotten < c.count) return false;
    some = true;
  }
  return some;
}

std::vector<std::string> forgotten_contexts(const Snapshot& s) {
  std::vector<std::string> all;
  size_t more = 0;
  for (const ContextGroup& c : s.contexts) {
    if (!is_forgotten(c)) continue;
    if (all.size() == kMaxPlaces) {
      ++more;
      continue;
    }
    std::string text = std::to_string(c.forgotten) + " of " + count_of(c.count, "context");
    if (const Frame at = frame_at(s, c.made_at); !at.function.empty()) {
      text.append(" made at " + where(at));
    }
    all.push_back(text + (c.forgotten == 1 ? " is" : " are") +
                  " forgotten (no deadline, and no handle to cancel is left), the oldest for " +
                  age(c.oldest_ns) + "; " + count_of(c.waiters, "goroutine") +
                  (c.waiters == 1 ? " is in a wait" : " are in waits") +
                  " that such a context can end.");
  }
  if (more > 0) all.push_back(count_of(more, "more place") + " made forgotten contexts.");
  return all;
}

}  // namespace weir::profiler::causes
