#include "gather.h"

#include <weir/introspect.h>

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <memory>
#include <system_error>
#include <thread>
#include <vector>

namespace weir::profiler {

namespace {

constexpr size_t kAhead = 8;   // slots; a walk takes about a tenth of a microsecond, memory as long
constexpr size_t kRun = 4096;  // slots that a thread takes at a time: about half a millisecond
constexpr size_t kWorthIt = 65536;  // slots from which on a second thread pays
constexpr int kMaxHelpers = 3;

introspect::Detail detail_of(Detail detail) {
  switch (detail) {
    case Detail::groups:
      return introspect::Detail::group;
    case Detail::members:
      return introspect::Detail::member;
    case Detail::objects:
      break;
  }
  return introspect::Detail::objects;
}

void look(size_t slot, SnapshotBuilder& builder, ProbeContext& context, Probe& buffer) {
  introspect::prefetch_record(slot + 2 * kAhead);
  introspect::prefetch_stack(slot + kAhead);
  switch (probe(slot, context, buffer)) {
    case Seen::nobody:
      break;
    case Seen::goroutine: {
      const uint32_t stack = builder.add(slot, buffer);
      if (context.traced) {
        context.memo.remember(context.regs, buffer.g.stack_hi, context.trace, stack);
      }
      break;
    }
    case Seen::bystander:
      builder.add_bystander(buffer.g.goid);
      break;
  }
}

// Processors that nobody uses, as far as weir knows, beside the one that this thread runs on.
int idle_processors() {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 0;
  const introspect::Sched s = introspect::sched();
  return CPU_COUNT(&allowed) - 1 - (s.gomaxprocs - s.idle_ps);
}

// Takes runs of slots from a common counter, on a thread of its own, as long as there are idle
// processors for all helpers: whoever has work to do shall not wait for a profile of it.
struct Helper {
  explicit Helper(Detail detail) : builder(detail) { context.detail = detail_of(detail); }
  SnapshotBuilder builder;
  ProbeContext context;
  Probe buffer;
  std::exception_ptr failure;
  std::thread thread;

  void run(std::atomic<size_t>& next, size_t slots, int number) {
    try {
      while (idle_processors() >= number) {
        const size_t first = next.fetch_add(kRun);
        if (first >= slots) break;
        for (size_t slot = first; slot < std::min(first + kRun, slots); ++slot) {
          look(slot, builder, context, buffer);
        }
      }
    } catch (...) {
      failure = std::current_exception();
    }
  }
};

}  // namespace

void gather(SnapshotBuilder& builder, ProbeContext& context, Probe& buffer, Detail detail) {
  context.detail = detail_of(detail);
  const size_t slots = introspect::slot_count();
  std::atomic<size_t> next{0};
  std::vector<std::unique_ptr<Helper>> helpers;
  if (detail == Detail::groups && slots >= kWorthIt) {
    const int n = std::min(idle_processors(), kMaxHelpers);
    for (int i = 1; i <= n; ++i) {
      auto helper = std::make_unique<Helper>(detail);
      try {
        helper->thread =
            std::thread([&next, slots, i, h = helper.get()] { h->run(next, slots, i); });
      } catch (const std::system_error&) {
        break;  // no more threads to be had: it goes without
      }
      helpers.push_back(std::move(helper));
    }
  }
  std::exception_ptr failure;
  try {
    for (size_t first; (first = next.fetch_add(kRun)) < slots;) {
      for (size_t slot = first; slot < std::min(first + kRun, slots); ++slot) {
        look(slot, builder, context, buffer);
      }
    }
  } catch (...) {
    failure = std::current_exception();
    next = slots;
  }
  for (const auto& helper : helpers) {
    helper->thread.join();
    if (!failure) failure = helper->failure;
  }
  if (failure) std::rethrow_exception(failure);
  for (const auto& helper : helpers) {
    builder.absorb(helper->builder);
    context.longest_hold = std::max(context.longest_hold, helper->context.longest_hold);
  }
}

}  // namespace weir::profiler
