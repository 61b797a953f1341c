// All contexts that can be cancelled, for those who look (introspect::for_each_context).
//
// A list per shard, with a lock of its own: making and freeing a context touches one of them. A
// reader walks with a marker of his own in the list, a few contexts at a time, and calls back under
// no lock. New contexts are put in front, markers move to the back: so a context that is there
// throughout is met once.

#include <mutex>

#include "clock.h"
#include "context.h"
#include "tls.h"
#include "words.h"

namespace weir {

namespace rt {

context_shard* context_shards = nullptr;

namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr int kBatch = 16;  // contexts read while the lock is held

// Made at the first use, which may be in a global's constructor.
context_shard* shards() noexcept {
  static context_shard* const all = [] {
    static context_shard made[kContextShards];
    return context_shards = made;
  }();
  return all;
}

// By the address: half of it is the allocator's noise.
context_shard& shard_of(const cancel_context* c) noexcept {
  return shards()[reinterpret_cast<uintptr_t>(c) * 0x9e3779b97f4a7c15u >> 58];
}

introspect::Context describe(const cancel_context* c, int64_t now) noexcept {
  introspect::Context out{};
  uint8_t err = c->err.load(kRelaxed);
  out.address = c;
  out.parent = c->above;
  out.kind = c->kind;
  out.cancelled = err != 0;
  out.deadline_exceeded = err == static_cast<uint8_t>(ContextError::deadline_exceeded);
  out.has_deadline = c->has_deadline;
  out.deadline_in_ns = c->has_deadline ? c->deadline - now : 0;
  out.age_ns = ns_since(c->made_ticks);
  out.made_pc = c->made_pc;
  out.maker_goid = c->maker_goid;
  out.cancel_handles = c->cancel_handles.load(kRelaxed);
  out.children = c->nchildren.load(kRelaxed);
  out.waiters = c->nwaiters.load(kRelaxed);
  out.callbacks = c->ncallbacks.load(kRelaxed);
  out.forgotten = !out.cancelled && !out.has_deadline && out.cancel_handles == 0;
  return out;
}

}  // namespace

void registry_add(cancel_context* c) noexcept {
  context_shard& shard = shard_of(c);
  std::scoped_lock hold(shard.lock);
  shard.live.insert(&c->registered);
}

void registry_remove(cancel_context* c) noexcept {
  std::scoped_lock hold(shard_of(c).lock);
  c->registered.unlink();
}

}  // namespace rt

namespace introspect {

const char* to_string(ContextKind k) noexcept { return kContextKindWords[static_cast<size_t>(k)]; }

void for_each_context(void (*fn)(const Context& c, void* arg), void* arg) noexcept {
  int64_t now = rt::nanotime();
  for (size_t i = 0; i < rt::kContextShards; i++) {
    rt::context_shard& shard = rt::shards()[i];
    rt::child_link marker;
    bool more = true;
    {
      std::scoped_lock hold(shard.lock);
      shard.live.insert(&marker);
    }
    while (more) {
      Context batch[rt::kBatch];
      int n = 0;
      {
        std::scoped_lock hold(shard.lock);
        rt::ring* at = marker.next;
        for (int seen = 0; seen < rt::kBatch && at != &shard.live; seen++, at = at->next) {
          const rt::cancel_context* c = static_cast<rt::child_link*>(at)->self;
          // One without references waits for our lock, to leave.
          if (c && c->refs.load(std::memory_order_relaxed) != 0) batch[n++] = rt::describe(c, now);
        }
        more = at != &shard.live;
        marker.unlink();
        if (more) at->prev->insert(&marker);
      }
      for (int k = 0; k < n; k++) fn(batch[k], arg);
    }
  }
}

}  // namespace introspect

}  // namespace weir
