#include "process_memory.h"

#include <sys/uio.h>

#include <algorithm>
#include <array>

namespace weir::profiler::post_mortem {

namespace {

constexpr size_t kAtOnce = 512;  // IOV_MAX is 1024

}  // namespace

void ProcessMemory::read(std::span<Read> reads) {
  std::array<iovec, kAtOnce> here, there;
  while (!reads.empty()) {
    const size_t n = std::min(reads.size(), kAtOnce);
    for (size_t i = 0; i < n; ++i) {
      here[i] = {reads[i].to, reads[i].bytes};
      there[i] = {reinterpret_cast<void*>(static_cast<uintptr_t>(reads[i].at)), reads[i].bytes};
    }
    const ssize_t got = process_vm_readv(pid_, here.data(), n, there.data(), n, 0);
    // It ends at the first byte that cannot be read: that read is cut, and the next ones go on.
    size_t left = got > 0 ? static_cast<size_t>(got) : 0, done = 0;
    while (done < n && left >= reads[done].bytes) {
      reads[done].got = reads[done].bytes;
      left -= reads[done++].bytes;
    }
    if (done < n) reads[done++].got = left;
    reads = reads.subspan(done);
  }
}

}  // namespace weir::profiler::post_mortem
