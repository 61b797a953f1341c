// The hooks by which the runtime tells what happens (introspect::ProfileHooks): contention and
// creation. Here is what both are kept in; what is made of it: contention.cc, creation.h.
//
// Walks are made on the stack of the goroutine concerned, into a buffer of its thread: a goroutine
// does not change threads in here.
#include "hooks.h"

#include <weir/introspect.h>

#include <exception>

#include "creation.h"
#include "thread_timers.h"
#include "walk_self.h"

extern "C" {
// What the linker is told to look for.
extern const char weir_profiler_hooks;
const char weir_profiler_hooks = 1;
}

namespace weir::profiler {

namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr uint32_t kHook = 1;  // frames at the leaf that are ours

// Memory is a few MiB at most, and only what is used of it.
constexpr uint32_t kMaxCreations = UINT16_MAX;
constexpr size_t kMaxCreationPcs = size_t{1} << 21;

struct Creations {
  StackStore stacks{kMaxCreations, kMaxCreationPcs};
};

constinit thread_local RawStack scratch{};

// Made at the first use, never destroyed: goroutines may still run when the process ends.
template <class T>
T* made_once() noexcept {
  static T* const made = []() -> T* {
    try {
      return new T;
    } catch (const std::exception&) {
      return nullptr;
    }
  }();
  return made;
}

[[gnu::noinline]] void on_contention(const introspect::Contention& c) noexcept {
  const introspect::Registers here = registers_here();
  const bool mutex = c.kind == introspect::Contention::mutex;
  Contentions* to = contentions(mutex);
  if (!to) return;
  const bool walked = walk_self(here, c.stack_lo, c.stack_hi, scratch);
  const uint32_t id = walked ? to->stacks.intern(scratch, kHook) : 0;
  Contentions::Sum& sum = to->sums[id];  // [0]: what could not be kept
  sum.count.fetch_add(c.count, kRelaxed);
  sum.delay_ns.fetch_add(c.delay_ns, kRelaxed);
}

[[gnu::noinline]] uint16_t on_creation(uintptr_t stack_lo, uintptr_t stack_hi) noexcept {
  const introspect::Registers here = registers_here();
  auto* to = made_once<Creations>();
  if (!to) return 0;
  uint32_t id = 0;
  if (walk_self(here, stack_lo, stack_hi, scratch)) id = to->stacks.intern(scratch, kHook);
  return static_cast<uint16_t>(id);
}

void on_prepare() noexcept {
  try {
    teacher::start();
  } catch (const std::exception&) {
    // Out of memory: stacks will be cut where a rule is missing.
  }
  (void)contentions(false);
  (void)contentions(true);
  (void)made_once<Creations>();
}

constexpr introspect::ProfileHooks kHooks = {on_contention, on_creation, on_prepare,
                                             ThreadTimers::add_self};

[[maybe_unused]] const bool registered = [] {
  introspect::set_profile_hooks(&kHooks);
  return true;
}();

}  // namespace

Contentions* contentions(bool mutex) noexcept {
  struct Block : Contentions {};
  struct Mutex : Contentions {};
  return mutex ? static_cast<Contentions*>(made_once<Mutex>()) : made_once<Block>();
}

namespace creation {

Stack stack(uint32_t id) noexcept {
  const auto* from = made_once<Creations>();
  if (!from || id == 0 || id > from->stacks.size()) return {};
  return {from->stacks.pcs(id), from->stacks.truncated(id)};
}

}  // namespace creation

}  // namespace weir::profiler
