// Contexts (<weir/context.h>): a tree, by references from child to parent.
//
// Only some contexts can be cancelled; the others (values) point to the nearest that can, their
// `scope`, and share its fate. A cancel_context lists who is to hear of its end: child scopes,
// goroutines that wait (cancel.h), callbacks. The lists hold no references, but for callbacks.
//
// Lifetime. Handles and children count as references; so does a pending callback, and so does an
// armed deadline: whoever disarms the timer, or its run, drops that one. A context whose only
// reference is its deadline is of interest to nobody and is disarmed (drop_reference).
//
// Locks. cancel_context::lock protects the lists, `cause` and `done`, and the step from alive to
// done. No two of them are ever held at once. While it is held, the lock of a primitive, of a
// channel, or a P's timers_lock may be taken, never the other way round. As everywhere, nobody is
// woken and no user code runs under it: what a cancellation sets free is put into an `aftermath`,
// and dealt with when no lock is held.
#pragma once

#include <weir/context.h>

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>

#include "origin.h"
#include "ring.h"
#include "runtime2.h"
#include "timer.h"

namespace weir::rt {

struct cancel_context;

struct context {
  context(context* up, cancel_context* nearest) noexcept : parent(up), scope(nearest) {
    if (parent) context_ref(parent);
  }
  context(const context&) = delete;
  context& operator=(const context&) = delete;
  virtual ~context() = default;  // lets go of all but the parent, which context_unref sees to

  std::atomic<uint32_t> refs{1};  // a cancel_context begins with two: see <weir/context.h>
  context* const parent;          // counted; null: the background
  cancel_context* const scope;    // this, or an ancestor; null: it is never cancelled
  timer* deadline_timer = nullptr;
  const void* key = nullptr;  // a value_context's
};

struct value_context final : context {
  value_context(context* up, const void* k, std::shared_ptr<const void> v) noexcept
      : context(up, up ? up->scope : nullptr), value(std::move(v)) {
    key = k;
  }
  const std::shared_ptr<const void> value;
};

// A goroutine in a wait that the context may end. On its stack (cancel.h).
struct cancel_waiter : ring {
  G* g = nullptr;
  bool cancelled = false;  // the context won
};

// A function to be started at the end.
struct context_callback : ring {
  context_callback(detail::callback g, const void* pc) noexcept : f(std::move(g)), by(pc) {}
  enum : uint8_t { kPending, kStarted, kStopped };
  std::atomic<uint8_t> state{kPending};  // who changes it owns the list's reference, and `ctx`
  std::atomic<uint32_t> refs{1};         // handles, and the list or, later, the goroutine
  cancel_context* ctx = nullptr;         // counted, while pending
  detail::callback f;
  const origin by;
  context_callback* link = nullptr;  // in an aftermath
};

struct child_link : ring {
  cancel_context* self = nullptr;
};

struct cancel_context : context {
  cancel_context(context* up, introspect::ContextKind kind_, const void* pc);
  ~cancel_context() override;

  introspect::ContextKind kind;
  const void* made_pc;
  uint64_t maker_goid;
  uint64_t made_ticks;
  cancel_context* above;  // the parent's scope
  bool has_deadline = false;
  int64_t deadline = 0;  // nanotime; its own, or an ancestor's earlier one

  spin_lock lock;
  std::atomic<uint8_t> err{0};       // a ContextError, 0: alive; changed once
  std::exception_ptr cause;          // set before err; null: none was given
  std::atomic<bool> settled{false};  // all below has ended, too
  hchan* done = nullptr;             // made when somebody asks
  ring children;                     // child_link
  ring waiters;                      // cancel_waiter
  ring callbacks;                    // context_callback
  // Lengths of the lists, for those who look.
  std::atomic<uint32_t> nchildren{0}, nwaiters{0}, ncallbacks{0};

  child_link sibling;                       // in above->children, under above->lock
  cancel_context* link = nullptr;           // in the work list or aftermath of above's canceller
  std::atomic<uint32_t> cancel_handles{1};  // CancelFuncs
  child_link registered;                    // context_registry.cc's
};

struct deadline_context final : cancel_context, timer {
  using cancel_context::cancel_context;
};

// All cancel_contexts, for introspection: lists by address (context_registry.cc).
inline constexpr size_t kContextShards = 64;
struct alignas(64) context_shard {
  spin_lock lock;
  ring live;  // child_link; a reader's marker has no `self`
};
extern context_shard* context_shards;  // kContextShards of them; null: there was no context yet

void registry_add(cancel_context* c) noexcept;
void registry_remove(cancel_context* c) noexcept;

}  // namespace weir::rt
