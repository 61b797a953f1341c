#include "stack_store.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <new>

namespace weir::profiler {

namespace {

uint64_t hash_of(std::span<const uintptr_t> pcs, bool truncated) {
  uint64_t hash = pcs.size() * 2 + (truncated ? 1 : 0);
  for (const uintptr_t pc : pcs) {
    hash = (hash ^ pc) * 0x9fb21c651e98df25U;
    hash ^= hash >> 32;
  }
  return hash;
}

}  // namespace

StackStore::StackStore(uint32_t max_stacks, size_t max_pcs)
    : max_stacks_(max_stacks), max_pcs_(max_pcs), mask_(std::bit_ceil(2 * max_stacks) - 1) {
  const size_t entries = (size_t{max_stacks} + 1) * sizeof(Entry);
  const size_t words = max_pcs * sizeof(uintptr_t);
  bytes_ = entries + words + (size_t{mask_} + 1) * sizeof *index_;
  void* at = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) throw std::bad_alloc();
  auto* bytes = static_cast<std::byte*>(at);  // zero, which is right for all of it
  entries_ = reinterpret_cast<Entry*>(bytes);
  pcs_ = reinterpret_cast<uintptr_t*>(bytes + entries);
  index_ = reinterpret_cast<std::atomic<uint32_t>*>(bytes + entries + words);
}

StackStore::~StackStore() { munmap(entries_, bytes_); }

bool StackStore::equal(const Entry& e, uint64_t hash, std::span<const uintptr_t> pcs,
                       bool truncated) const {
  return e.hash == hash && e.truncated == truncated &&
         std::ranges::equal(pcs, std::span<const uintptr_t>(pcs_ + e.first, e.depth));
}

// The number; 0: it is not there, and would go to *free.
uint32_t StackStore::find(uint64_t hash, std::span<const uintptr_t> pcs, bool truncated,
                          std::atomic<uint32_t>** free) const noexcept {
  for (size_t i = hash & mask_;; i = (i + 1) & mask_) {
    const uint32_t id = index_[i].load(std::memory_order_acquire);
    if (id == 0) {
      *free = &index_[i];
      return 0;
    }
    if (equal(entries_[id], hash, pcs, truncated)) return id;
  }
}

uint32_t StackStore::intern(const RawStack& stack, uint32_t skip) noexcept {
  const auto pcs =
      std::span<const uintptr_t>(stack.pcs, stack.depth).subspan(std::min(skip, stack.depth));
  const uint64_t hash = hash_of(pcs, stack.truncated);
  std::atomic<uint32_t>* free = nullptr;
  if (const uint32_t id = find(hash, pcs, stack.truncated, &free)) return id;

  const std::lock_guard lock(writer_);
  if (const uint32_t id = find(hash, pcs, stack.truncated, &free)) return id;
  const uint32_t id = size_.load(std::memory_order_relaxed) + 1;
  if (id > max_stacks_ || used_pcs_ + pcs.size() > max_pcs_) return 0;
  std::ranges::copy(pcs, pcs_ + used_pcs_);
  entries_[id] = {hash, used_pcs_, static_cast<uint32_t>(pcs.size()), stack.truncated};
  used_pcs_ += pcs.size();
  size_.store(id, std::memory_order_release);
  free->store(id, std::memory_order_release);
  return id;
}

}  // namespace weir::profiler
