// The handler of SIGPROF (cpu_signal.h). This file is compiled without sanitizers.
#include "cpu_signal.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <stdexcept>

namespace weir::profiler::cpu_signal {

namespace {

constexpr uint32_t kMaxWeight = 100;
constexpr size_t kProbes = 16;     // places that a handler looks at
constexpr uintptr_t kBelow = 128;  // bytes below the stack pointer that a walk may read

Place* all = nullptr;
int memory = -1;  // /proc/self/mem
std::atomic<bool> enabled{false};
std::atomic<uint32_t> profile{0};
std::atomic<uint32_t> handlers{0};  // under way
std::atomic<size_t> turn{0};        // spreads the handlers over the places
std::atomic<uint64_t> lost{0};
const char mark = 0;

Place* claim() noexcept {
  const size_t first = turn.fetch_add(1, std::memory_order_relaxed);
  for (size_t i = 0; i < kProbes; ++i) {
    Place& place = all[(first + i) % kPlaces];
    uint32_t free = Place::kFree;
    if (place.state.compare_exchange_strong(free, Place::kWriting, std::memory_order_acquire)) {
      return &place;
    }
  }
  return nullptr;
}

// Word by word: a call of memcpy would be the sanitizers'.
void copy_words(void* to, uintptr_t from, size_t bytes) noexcept {
  auto* words = static_cast<volatile uintptr_t*>(to);
  for (size_t i = 0; i < bytes / sizeof(uintptr_t); ++i) {
    words[i] = reinterpret_cast<const volatile uintptr_t*>(from)[i];
  }
}

void fill(Place& place, const void* context) noexcept {
  introspect::Interrupted what;
  introspect::interrupted(context, what);
  place.regs = what.regs;
  place.labels = what.labels;
  if (what.labels) introspect::ref_labels(what.labels);
  place.copied = 0;
  place.stack.depth = 0;
  const bool known = what.stack_hi != 0;
  if (known && unwind(what.regs, what.stack_lo, what.stack_hi, true, place.stack).complete) return;
  uintptr_t from = (what.regs.sp - kBelow) & ~(sizeof(uintptr_t) - 1);
  if (known) {
    from = std::max(from, what.stack_lo);
    place.copied = std::min<size_t>(kCopy, what.stack_hi - from);
    copy_words(place.copy, from, place.copied);
  } else if (memory >= 0) {
    const long n = syscall(SYS_pread64, memory, place.copy, kCopy, from);
    place.copied = n > 0 ? static_cast<size_t>(n) & ~(sizeof(uintptr_t) - 1) : 0;
  }
  place.copied_from = from;
}

void on_sigprof(int, siginfo_t* info, void* context) {
  const int saved = errno;
  handlers.fetch_add(1);
  const bool ours = info->si_code == SI_TIMER && info->si_value.sival_ptr == &mark;
  if (ours && enabled.load()) {
    if (Place* place = claim()) {
      place->profile = profile.load(std::memory_order_relaxed);
      place->weight =
          1 + std::min(static_cast<uint32_t>(std::max(info->si_overrun, 0)), kMaxWeight);
      fill(*place, context);
      place->state.store(Place::kFull, std::memory_order_release);
    } else {
      lost.fetch_add(1, std::memory_order_relaxed);
    }
  }
  handlers.fetch_sub(1);
  errno = saved;
}

}  // namespace

void install() {
  struct sigaction now = {};
  sigaction(SIGPROF, nullptr, &now);
  const bool ours = (now.sa_flags & SA_SIGINFO) && now.sa_sigaction == &on_sigprof;
  if (!ours &&
      ((now.sa_flags & SA_SIGINFO) || (now.sa_handler != SIG_DFL && now.sa_handler != SIG_IGN))) {
    throw std::runtime_error("SIGPROF has a handler already: another profiler is at work");
  }
  if (!all) {
    void* at = mmap(nullptr, kPlaces * sizeof(Place), PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) throw std::bad_alloc();
    all = static_cast<Place*>(at);  // zero: all free
    memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
  }
  introspect::install_handler(SIGPROF, &on_sigprof);
}

void begin() {
  profile.fetch_add(1);
  lost.store(0);
  enabled.store(true);
}

void end() noexcept {
  enabled.store(false);
  while (handlers.load() != 0) sched_yield();
}

uint64_t dropped() noexcept { return lost.load(std::memory_order_relaxed); }
const void* timer_mark() noexcept { return &mark; }
Place* places() noexcept { return all; }
uint32_t current_profile() noexcept { return profile.load(std::memory_order_relaxed); }

}  // namespace weir::profiler::cpu_signal
