// The pages of stacks (stack_pages.h).

#include "stack_pages.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "fatal.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23  // Linux 5.14
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102  // Linux 6.13
#endif

namespace weir::rt {

namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr int kPidfdSelf = -10000;  // PIDFD_SELF, Linux 6.14: no file descriptor is needed

std::atomic<bool> has_batches{true};

// madvise for all of the ranges, by one call where the kernel has it: a third less time per guard
// and per page. Returns how many ranges were advised before one failed.
size_t advise(const iovec* ranges, size_t n, int advice) noexcept {
  size_t i = 0;
  if (n > 1 && has_batches.load(kRelaxed)) {
    long done = syscall(SYS_process_madvise, kPidfdSelf, ranges, n, advice, 0);
    if (done < 0 && (errno == EBADF || errno == EPERM || errno == ENOSYS)) {
      has_batches.store(false, kRelaxed);
    }
    for (auto left = static_cast<size_t>(std::max(done, 0L)); i < n && left >= ranges[i].iov_len;) {
      left -= ranges[i++].iov_len;
    }
  }
  while (i < n && madvise(ranges[i].iov_base, ranges[i].iov_len, advice) == 0) i++;
  return i;
}

std::atomic<bool> has_light_guards{true}, has_guards{true};
std::atomic<int> mprotect_budget{16000};  // each splits a mapping; vm.max_map_count is 65530

bool spend_mprotect() noexcept {
  return mprotect_budget.load(kRelaxed) > 0 && mprotect_budget.fetch_sub(1, kRelaxed) > 0;
}

}  // namespace

void install_guards(const iovec* pages, size_t n) noexcept {
  size_t i = 0;
  if (has_light_guards.load(kRelaxed)) {
    i = advise(pages, n, MADV_GUARD_INSTALL);
    if (i == n) return;
    has_light_guards.store(false, kRelaxed);
  }
  for (; i < n && has_guards.load(kRelaxed); i++) {
    if (spend_mprotect() && mprotect(pages[i].iov_base, pages[i].iov_len, PROT_NONE) == 0) continue;
    if (has_guards.exchange(false, kRelaxed)) {
      raw_print(
          "weir: this kernel has no light guard pages (Linux 6.13): further goroutine stacks have "
          "no guard, an overflow there is not detected\n");
    }
  }
}

void populate(const iovec* ranges, size_t n) noexcept { advise(ranges, n, MADV_POPULATE_WRITE); }

bool release_pages(const iovec* ranges, size_t n) noexcept {
  return advise(ranges, n, MADV_DONTNEED) == n;
}

}  // namespace weir::rt
