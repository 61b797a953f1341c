#include "slots.h"

#include <algorithm>
#include <utility>

namespace weir::profiler::post_mortem {

namespace {

constexpr size_t kMaxChunkSlots = 1 << 16, kMaxChunks = 1 << 16, kMaxChunkSize = 1 << 16;

}  // namespace

Slots::Slots(const RuntimeLayout& layout, Memory& memory)
    : per_chunk_(std::min(layout["kChunkSlots"], kMaxChunkSlots)),
      g_size_(layout["G.size"]),
      spread_bytes_(layout["kSpreadBytes"]),
      spreads_(std::max<size_t>(layout["kSpreads"], 1)) {
  const size_t size = std::min(layout["Chunk.size"], kMaxChunkSize);
  const size_t base = layout["Chunk.base"], stride = layout["Chunk.stride"],
               size_class = layout["Chunk.size_class"], used = layout["Chunk.used"],
               cold = layout["Chunk.cold"], thread_class = layout["kThreadClass"];
  const auto said = memory.get<uint32_t>(layout.address("nchunks"));
  const size_t n = std::min({size_t{said.value_or(0)}, layout["kMaxChunks"], kMaxChunks});
  incomplete_ = !said;
  std::vector<std::byte> bytes(size);
  for (size_t i = 0; i < n; ++i) {
    if (!memory.read(layout.address("chunks") + i * size, bytes.data(), bytes.size())) {
      incomplete_ = true;
      break;
    }
    const Record record(bytes);
    Chunk c{record.word(base), record.word(stride), record.word(size_class) == thread_class, 0, {}};
    c.used = std::min(record.get<uint32_t>(used), static_cast<uint32_t>(per_chunk_));
    for (size_t word = 0; word < (per_chunk_ + 63) / 64; ++word) {
      c.cold.push_back(record.word(cold + word * 8));
    }
    if (!c.of_threads && c.stride != 0 && c.stride <= UINT64_MAX / (per_chunk_ + 1)) {
      ranges_.push_back({c.base, c.base + c.stride * per_chunk_, i});
    }
    chunks_.push_back(std::move(c));
  }
  std::sort(ranges_.begin(), ranges_.end(),
            [](const Range& a, const Range& b) { return a.start < b.start; });
}

uint64_t Slots::g(size_t slot) const {
  const Chunk& c = chunks_[slot / per_chunk_];
  const size_t i = slot % per_chunk_;
  if (i >= c.used || (c.cold[i / 64] >> (i % 64) & 1) != 0) return 0;
  if (c.of_threads) return c.base + i * c.stride;
  return c.base + (i + 1) * c.stride - g_size_ - spread_bytes_ * (i % spreads_);
}

uint64_t Slots::g_by_stack(uint64_t address) const {
  const auto after = std::upper_bound(ranges_.begin(), ranges_.end(), address,
                                      [](uint64_t at, const Range& r) { return at < r.start; });
  if (after == ranges_.begin()) return 0;
  const Range& r = *std::prev(after);
  if (address >= r.limit) return 0;
  return g(r.chunk * per_chunk_ + (address - r.start) / chunks_[r.chunk].stride);
}

}  // namespace weir::profiler::post_mortem
