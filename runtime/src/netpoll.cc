#include "netpoll.h"
#include "futex.h"
namespace weir::rt {
static std::atomic<uint32_t> word;
gqueue netpoll(int64_t delay) noexcept {
  uint32_t w = word.exchange(0);
  if (delay && !w) {
    futex_wait(&word, 0, delay);
  }
  return {};
}
void netpollbreak() noexcept {
  word.store(1);
  futex_wake(&word);
}
bool netpollanywaiters() noexcept { return false; }
}  // namespace weir::rt
