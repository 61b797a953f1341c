// Contexts (context.h): the tree, its cancellation, callbacks.

#include "context.h"

#include <mutex>
#include <string>
#include <utility>

#include "backoff.h"
#include "clock.h"
#include "hchan.h"
#include "proc.h"
#include "scope.h"
#include "tls.h"
#include "waitq.h"

namespace weir {

namespace rt {

namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr uint32_t kMinusOne = ~uint32_t{0};

// ---- references ----

// Drops one. True: it was the last.
bool drop_reference(context* c) noexcept {
  uint32_t n = c->refs.load(kRelaxed);
  for (;;) {
    // Ours and one more. If that is the armed deadline's, nobody is left to see the context done.
    // Looked at before ours is dropped, while c is certain to exist.
    if (n == 2 && c->deadline_timer && deltimer(c->deadline_timer)) {
      n = c->refs.fetch_sub(1, std::memory_order_acq_rel) - 1;
      continue;
    }
    if (c->refs.compare_exchange_weak(n, n - 1, std::memory_order_acq_rel, kRelaxed)) return n == 1;
  }
}

// For one who found c in its parent's list, under the parent's lock: it may be on its way out.
bool try_reference(context* c) noexcept {
  uint32_t n = c->refs.load(kRelaxed);
  while (n != 0) {
    if (c->refs.compare_exchange_weak(n, n + 1, kRelaxed)) return true;
  }
  return false;
}

// ---- cancellation ----

// What a cancellation sets free.
struct aftermath {
  gqueue ready;                       // goroutines to be made ready
  context_callback* calls = nullptr;  // callbacks to be started, by `link`
  cancel_context* drops = nullptr;    // references to be dropped, by `link`
};

// c, if it is alive, is done from here on. Its children are put on *work, with a reference each.
bool end_one(cancel_context* c, int err, const std::exception_ptr& cause, cancel_context** work,
             aftermath& out) noexcept {
  {
    std::scoped_lock hold(c->lock);
    if (c->err.load(kRelaxed) != 0) return false;
    c->cause = cause;
    c->err.store(static_cast<uint8_t>(err), std::memory_order_release);
    if (c->children.alone()) c->settled.store(true, std::memory_order_release);
    while (!c->waiters.alone()) {
      auto* w = static_cast<cancel_waiter*>(c->waiters.prev);  // the first that came
      w->unlink();
      uint32_t not_won = 0;
      if (!w->g->select_done.compare_exchange_strong(not_won, 1)) continue;
      w->cancelled = true;
      out.ready.push_back(w->g);
    }
    while (!c->children.alone()) {
      cancel_context* child = static_cast<child_link*>(c->children.prev)->self;
      child->sibling.unlink();
      if (!try_reference(child)) continue;
      child->link = std::exchange(*work, child);
    }
    while (!c->callbacks.alone()) {
      auto* f = static_cast<context_callback*>(c->callbacks.prev);
      f->unlink();
      uint8_t pending = context_callback::kPending;
      if (!f->state.compare_exchange_strong(pending, context_callback::kStarted)) continue;
      f->link = std::exchange(out.calls, f);
    }
    c->nwaiters.store(0, kRelaxed);
    c->nchildren.store(0, kRelaxed);
    c->ncallbacks.store(0, kRelaxed);
    if (c->done) {
      std::scoped_lock hold_chan(c->done->lock);
      close_locked(c->done, out.ready);
    }
  }
  // The deadline's reference is not the last: whoever cancels has one.
  if (c->deadline_timer && deltimer(c->deadline_timer)) c->refs.fetch_sub(1, kRelaxed);
  return true;
}

// Somebody else ends c and what is below it: until he has. He holds no lock meanwhile, and waits,
// if at all, for who ends something further below.
void await_settled(const cancel_context* c) noexcept {
  for (backoff wait; !c->settled.load(std::memory_order_acquire); wait.pause()) {
  }
}

// Ends root and all below it: by a work list, since a chain of contexts may be longer than a stack.
// Afterwards all of them have ended, whoever did it.
void end_tree(cancel_context* root, int err, const std::exception_ptr& cause,
              aftermath& out) noexcept {
  cancel_context* work = nullptr;
  if (!end_one(root, err, cause, &work, out)) {
    await_settled(root);
    return;
  }
  while (cancel_context* c = work) {
    work = c->link;
    if (!end_one(c, err, cause, &work, out)) await_settled(c);
    c->link = std::exchange(out.drops, c);
  }
  // (For those that others have ended it is true already.)
  for (cancel_context* c = out.drops; c; c = c->link) {
    c->settled.store(true, std::memory_order_release);
  }
  root->settled.store(true, std::memory_order_release);
  if (!root->above) return;
  std::scoped_lock hold(root->above->lock);
  if (root->sibling.alone()) return;
  root->sibling.unlink();
  count(root->above->nchildren, kMinusOne);
}

// The goroutine of a callback. Takes over what the list had: a reference to it, and to its context.
struct CallbackRunner {
  context_callback* f;
  explicit CallbackRunner(context_callback* adopt) noexcept : f(adopt) {}
  CallbackRunner(CallbackRunner&& o) noexcept : f(std::exchange(o.f, nullptr)) {}
  CallbackRunner& operator=(CallbackRunner&&) = delete;
  ~CallbackRunner() {
    if (!f) return;
    context_unref(f->ctx);
    callback_unref(f);
  }
  void operator()() { f->f(); }
};

void start(context_callback* f, P* p) noexcept {
  CallbackRunner runner(f);
  newproc_from(p, detail::kFunc<CallbackRunner>, &runner, f->by);
}

// From a goroutine or a plain thread.
void start_here(context_callback* f) noexcept {
  M* m = getg()->m.load(kRelaxed);
  start(f, m ? enter_runtime(m) : nullptr);
  if (m) leave_runtime(m);
}

void finish(aftermath& a) {
  run_in_scopes([&a](P* p) {
    if (G* gp = a.ready.pop_front()) {
      ready_from(p, gp, true);
    } else if (context_callback* f = a.calls) {
      a.calls = f->link;
      start(f, p);
    } else {
      return false;
    }
    return true;
  });
  while (cancel_context* c = a.drops) {
    a.drops = c->link;
    context_unref(c);
  }
}

// Frees contexts that nobody refers to, and the values and causes in them, which are user code.
struct Burial {
  cancel_context* dead;  // by link
  explicit Burial(cancel_context* list) noexcept : dead(list) {}
  Burial(Burial&& o) noexcept : dead(std::exchange(o.dead, nullptr)) {}
  Burial& operator=(Burial&&) = delete;
  ~Burial() {
    while (cancel_context* c = dead) {
      dead = c->link;
      context* parent = c->parent;
      delete c;
      context_unref(parent);
    }
  }
  void operator()() const noexcept {}
};

// The same inside a scope or on g0, where no user code runs; and drops the caller's reference to
// root. (Not by way of a.drops: root->link may be in the hands of another canceller.)
void finish_from(P* self, aftermath& a, cancel_context* root) noexcept {
  while (G* gp = a.ready.pop_front()) ready_from(self, gp, false);
  while (context_callback* f = a.calls) {
    a.calls = f->link;
    start(f, self);
  }
  cancel_context* dead = nullptr;
  while (cancel_context* c = a.drops) {
    a.drops = c->link;
    if (drop_reference(c)) c->link = std::exchange(dead, c);
  }
  if (drop_reference(root)) root->link = std::exchange(dead, root);
  if (!dead) return;
  Burial burial(dead);
  newproc_from(self, detail::kFunc<Burial>, &burial, origin(dead->made_pc, dead->maker_goid));
}

// A deadline has passed: cancels straight from the scheduler.
void run_deadline(timer* t, uint64_t, P* self) noexcept {
  auto* c = static_cast<deadline_context*>(t);
  aftermath a;
  end_tree(c, static_cast<int>(ContextError::deadline_exceeded), nullptr, a);
  finish_from(self, a, c);  // with the timer's reference
}

// ---- making them ----

// Puts a new context under its parent's scope; it may be done at once.
void attach(cancel_context* c) {
  cancel_context* up = c->above;
  if (!up) return;
  up->lock.lock();
  int err = up->err.load(kRelaxed);
  std::exception_ptr cause;
  if (err == 0) {
    up->children.insert(&c->sibling);
    count(up->nchildren);
  } else {
    cause = up->cause;
  }
  up->lock.unlock();
  if (err == 0) return;
  aftermath a;
  end_tree(c, err, cause, a);
  finish(a);
}

void arm_deadline(deadline_context* c) {
  if (c->deadline <= nanotime()) {
    aftermath a;
    end_tree(c, static_cast<int>(ContextError::deadline_exceeded), nullptr, a);
    finish(a);
    return;
  }
  c->refs.fetch_add(1, kRelaxed);
  addtimer(c, c->deadline, 0);
  // Cancelled meanwhile, by way of its parent, it may not have been armed yet when its canceller
  // looked.
  c->lock.lock();
  bool alive = c->err.load(kRelaxed) == 0;
  c->lock.unlock();
  if (!alive && deltimer(c)) c->refs.fetch_sub(1, kRelaxed);
}

}  // namespace

cancel_context::cancel_context(context* up, introspect::ContextKind k, const void* pc)
    : context(up, this),
      kind(k),
      made_pc(pc),
      maker_goid(self_goid()),
      made_ticks(cputicks()),
      above(up ? up->scope : nullptr) {
  refs.store(2, kRelaxed);
  sibling.self = registered.self = this;
  if (above && above->has_deadline) {
    has_deadline = true;
    deadline = above->deadline;
  }
}

cancel_context::~cancel_context() {
  if (above) {
    std::scoped_lock hold(above->lock);
    if (!sibling.alone()) {
      sibling.unlink();
      count(above->nchildren, kMinusOne);
    }
  }
  registry_remove(this);
  if (done) chanunref(done);
}

context* new_cancel_context(context* parent, introspect::ContextKind kind, const void* pc) {
  auto* c = new cancel_context(parent, kind, pc);
  registry_add(c);
  attach(c);
  return c;
}

context* new_deadline_context(context* parent, int64_t when, const void* pc) {
  auto* c = new deadline_context(parent, introspect::ContextKind::deadline, pc);
  bool own = !c->has_deadline || when < c->deadline;
  if (own) {
    c->run = run_deadline;
    c->deadline_timer = c;
    c->has_deadline = true;
    c->deadline = when;
  }
  registry_add(c);
  attach(c);
  if (own) arm_deadline(c);
  return c;
}

context* new_timeout_context(context* parent, int64_t ns, const void* pc) {
  return new_deadline_context(parent, ns_from_now(ns), pc);
}

context* new_value_context(context* parent, const void* key, std::shared_ptr<const void> value) {
  return new value_context(parent, key, std::move(value));
}

context* new_detached_context(context* parent) { return new context(parent, nullptr); }

void context_ref(context* c) noexcept { c->refs.fetch_add(1, kRelaxed); }

// In a loop: the parent's last reference may be its child's, and so on up a long chain.
void context_unref(context* c) noexcept {
  while (c && drop_reference(c)) {
    context* parent = c->parent;
    delete c;
    c = parent;
  }
}

// ---- asking them ----

hchan* context_done(context* ctx) {
  cancel_context* c = ctx ? ctx->scope : nullptr;
  if (!c) return nullptr;
  {
    std::scoped_lock hold(c->lock);
    if (c->done) {
      chanref(c->done);
      return c->done;
    }
  }
  chan_ref made(makechan(kElemType<Context::Done>, 0));  // freed below, if it is not needed
  made.get()->made_pc = c->made_pc;
  std::scoped_lock hold(c->lock);
  if (!c->done) {
    c->done = made.get();
    if (c->err.load(kRelaxed) != 0) c->done->closed.store(true, std::memory_order_release);
    chanref(c->done);
  }
  chanref(c->done);
  return c->done;
}

int context_err(const context* c) noexcept {
  return c && c->scope ? c->scope->err.load(std::memory_order_acquire) : 0;
}

std::exception_ptr context_cause(const context* c) {
  int err = context_err(c);
  if (err == 0) return nullptr;
  if (c->scope->cause) return c->scope->cause;
  return std::make_exception_ptr(
      std::system_error(make_error_code(static_cast<ContextError>(err))));
}

bool context_deadline(const context* c, int64_t* when) noexcept {
  if (!c || !c->scope || !c->scope->has_deadline) return false;
  *when = c->scope->deadline;
  return true;
}

const void* context_value(const context* c, const void* key) noexcept {
  for (; c; c = c->parent) {
    if (c->key == key) return static_cast<const value_context*>(c)->value.get();
  }
  return nullptr;
}

// ---- cancel functions ----

void cancel_handle_ref(context* c) noexcept {
  c->scope->cancel_handles.fetch_add(1, kRelaxed);
  context_ref(c);
}

void cancel_handle_unref(context* c) noexcept {
  c->scope->cancel_handles.fetch_sub(1, kRelaxed);
  context_unref(c);
}

void cancel_context_for(context* c, const std::exception_ptr& cause) {
  // Who sees the context done may destroy the handle that calls this.
  context_ref(c);
  aftermath a;
  end_tree(c->scope, static_cast<int>(ContextError::canceled), cause, a);
  finish(a);
  context_unref(c);
}

// ---- callbacks ----

context_callback* new_callback(context* ctx, detail::callback f, const void* pc) {
  auto* call = new context_callback(std::move(f), pc);
  cancel_context* c = ctx ? ctx->scope : nullptr;
  if (!c) return call;  // for ever pending
  call->refs.store(2, kRelaxed);
  call->ctx = c;
  context_ref(c);
  c->lock.lock();
  bool alive = c->err.load(kRelaxed) == 0;
  if (alive) {
    c->callbacks.insert(call);
    count(c->ncallbacks);
  } else {
    call->state.store(context_callback::kStarted, kRelaxed);
  }
  c->lock.unlock();
  if (!alive) start_here(call);
  return call;
}

void callback_ref(context_callback* f) noexcept { f->refs.fetch_add(1, kRelaxed); }

void callback_unref(context_callback* f) noexcept {
  if (f->refs.fetch_sub(1, std::memory_order_acq_rel) == 1) delete f;
}

bool stop_callback(context_callback* f) {
  uint8_t pending = context_callback::kPending;
  if (!f->state.compare_exchange_strong(pending, context_callback::kStopped)) return false;
  cancel_context* c = f->ctx;
  if (!c) return true;
  c->lock.lock();
  if (!f->alone()) {
    f->unlink();
    count(c->ncallbacks, kMinusOne);
  }
  c->lock.unlock();
  context_unref(c);
  callback_unref(f);  // the list's; the caller has one
  return true;
}

}  // namespace rt

namespace {

class Category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "context"; }
  std::string message(int e) const override {
    switch (static_cast<ContextError>(e)) {
      case ContextError::canceled:
        return "context canceled";
      case ContextError::deadline_exceeded:
        return "context deadline exceeded";
    }
    return "unknown context error " + std::to_string(e);
  }
  std::error_condition default_error_condition(int e) const noexcept override {
    switch (static_cast<ContextError>(e)) {
      case ContextError::canceled:
        return std::errc::operation_canceled;
      case ContextError::deadline_exceeded:
        return std::errc::timed_out;
    }
    return {e, *this};
  }
};

}  // namespace

const std::error_category& context_category() noexcept {
  static const Category category;
  return category;
}

}  // namespace weir
