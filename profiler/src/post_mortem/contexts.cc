#include "contexts.h"

#include <algorithm>

namespace weir::profiler::post_mortem {

namespace {

constexpr size_t kMaxShards = 4096, kMaxRecord = 64 << 10;
constexpr size_t kMaxContexts = size_t{1} << 25;
constexpr int kTries = 8;

}  // namespace

Contexts::Contexts(const RuntimeLayout& layout, Memory& memory)
    : l_(layout),
      memory_(memory),
      buffer_(std::min(layout["cancel_context.size"], kMaxRecord)),
      ring_next_(layout["ring.next"]),
      self_(layout["child_link.self"]),
      registered_(layout["cancel_context.registered"]) {
  const uint64_t shards = memory.get<uint64_t>(layout.address("context_shards")).value_or(0);
  if (shards == 0) return;
  const size_t n = std::min(layout["kContextShards"], kMaxShards);
  for (size_t i = 0; i < n; ++i) {
    todo_.push_back(shards + i * layout["context_shard.size"] + layout["context_shard.live"]);
  }
}

bool Contexts::walk(bool still) {
  std::erase_if(todo_, [&](uint64_t head) {
    for (int i = 0; i < (still ? 1 : kTries); ++i) {
      if (walk_list(head, still)) return true;
    }
    return still;
  });
  return todo_.empty();
}

// False: it changed meanwhile (or is damaged). A member that was taken out links to itself, or is
// memory that has become something else; one that is in the list is the link of its own context.
bool Contexts::walk_list(uint64_t head, bool still) {
  uint64_t at = head, mark = head;
  for (size_t steps = 1; steps < kMaxContexts; ++steps) {
    const auto next = memory_.get<uint64_t>(at + ring_next_);
    if (!next) return false;
    if (*next == head) return true;
    if (*next == at || *next == mark) return false;
    if ((steps & (steps - 1)) == 0) mark = at;  // a loop that leaves the head out is noticed
    at = *next;
    const auto self = memory_.get<uint64_t>(at + self_);
    if (!self) return false;
    if (*self == 0) continue;  // the marker of another reader
    if (*self + registered_ != at) return false;
    introspect::Context c{};
    bool dead = false;
    if (!read_context(*self, c, dead)) return false;
    if (!still && memory_.get<uint64_t>(at + self_) != self) return false;
    if (!dead && known_.insert(*self).second) met_.push_back(c);
  }
  return false;
}

bool Contexts::read_context(uint64_t at, introspect::Context& c, bool& dead) {
  if (!memory_.read(at, buffer_.data(), buffer_.size())) return false;
  const Record r(buffer_);
  dead = r.get<uint32_t>(l_["cancel_context.refs"]) == 0;
  const uint8_t err = r.get<uint8_t>(l_["cancel_context.err"]);
  c.address = reinterpret_cast<const void*>(at);
  c.parent = r.pointer(l_["cancel_context.above"]);
  c.kind = static_cast<introspect::ContextKind>(
      l_.ours("ContextKind", r.get<uint8_t>(l_["cancel_context.kind"])));
  c.cancelled = err != 0;
  c.deadline_exceeded = err == l_["ContextError.deadline_exceeded"];
  c.has_deadline = r.flag(l_["cancel_context.has_deadline"]);
  c.age_ns = static_cast<int64_t>(r.word(l_["cancel_context.made_ticks"]));
  c.made_pc = r.pointer(l_["cancel_context.made_pc"]);
  c.maker_goid = r.word(l_["cancel_context.maker_goid"]);
  c.cancel_handles = r.get<uint32_t>(l_["cancel_context.cancel_handles"]);
  c.children = r.get<uint32_t>(l_["cancel_context.nchildren"]);
  c.waiters = r.get<uint32_t>(l_["cancel_context.nwaiters"]);
  c.callbacks = r.get<uint32_t>(l_["cancel_context.ncallbacks"]);
  c.forgotten = !c.cancelled && !c.has_deadline && c.cancel_handles == 0;
  return true;
}

}  // namespace weir::profiler::post_mortem
