// This file is compiled without sanitizers: it reads the stacks of others.
#include "walk_memo.h"

#include <algorithm>

namespace weir::profiler {

namespace {

uint64_t mix(uint64_t hash, uint64_t word) {
  hash = (hash ^ word) * 0x9fb21c651e98df25U;
  return hash ^ hash >> 32;
}

}  // namespace

uint32_t WalkMemo::find(const introspect::Registers& regs, uintptr_t stack_hi) const noexcept {
  if (regs.sp >= stack_hi) return kNone;
  const uintptr_t bytes = stack_hi - regs.sp;
  for (uint32_t i = shape_heads_[bucket(regs.pc, bytes)]; i != kNone; i = shapes_[i].next) {
    const Shape& shape = shapes_[i];
    if (!has_form(shape, regs, bytes)) continue;
    uintptr_t words[kMaxWords];
    uint32_t n = 0;
    uint64_t hash = i;
    if (shape.fp_matters) hash = mix(hash, words[n++] = regs.fp - stack_hi);
    const Place* place = places_.data() + shape.first;
    for (; n < shape.words; ++n, ++place) {
      const uintptr_t word = *reinterpret_cast<const uintptr_t*>(stack_hi - place->below_hi);
      words[n] = place->relative ? word - stack_hi : word;
      hash = mix(hash, words[n]);
    }
    for (size_t at = hash % walks_.size(); walks_[at].shape != kNone;
         at = (at + 1) % walks_.size()) {
      const Walked& w = walks_[at];
      if (w.hash == hash && w.shape == i && std::equal(words, words + n, words_.data() + w.first))
        return w.number;
    }
  }
  return kNone;
}

void WalkMemo::remember(const introspect::Registers& regs, uintptr_t stack_hi,
                        const WalkTrace& trace, uint32_t number) {
  if (full() || trace.overflown || regs.sp >= stack_hi) return;
  // The words that matter.
  std::vector<Place> places;
  std::vector<uintptr_t> words;
  if (trace.fp_matters) words.push_back(regs.fp - stack_hi);
  for (uint32_t i = 0; i < trace.count; ++i) {
    const WalkTrace::Word& w = trace.words[i];
    if (!w.matters) continue;
    const uintptr_t below = stack_hi - w.at;
    places.push_back({static_cast<uint32_t>(below), w.relative});
    words.push_back(w.relative ? w.value - stack_hi : w.value);
    if (w.at < regs.sp || below > UINT32_MAX) return;  // in the red zone
  }
  const uintptr_t bytes = stack_hi - regs.sp;
  if (words.size() > kMaxWords || bytes > UINT32_MAX) return;

  uint32_t& head = shape_heads_[bucket(regs.pc, bytes)];
  uint32_t index = head;
  const auto same_places = [&](const Shape& s) {
    return has_form(s, regs, bytes) && s.fp_matters == trace.fp_matters &&
           s.words == words.size() &&
           std::equal(places.begin(), places.end(), places_.begin() + s.first,
                      [](const Place& a, const Place& b) {
                        return a.below_hi == b.below_hi && a.relative == b.relative;
                      });
  };
  int chain = 0;
  for (; index != kNone && !same_places(shapes_[index]); index = shapes_[index].next) chain++;
  if (index == kNone) {
    if (shapes_.size() == kShapes || chain >= kMaxChain) return;
    index = static_cast<uint32_t>(shapes_.size());
    shapes_.push_back({regs.pc, static_cast<uint32_t>(bytes), trace.fp_matters,
                       static_cast<uint32_t>(words.size()), static_cast<uint32_t>(places_.size()),
                       head});
    places_.insert(places_.end(), places.begin(), places.end());
    head = index;
  }
  uint64_t hash = index;
  for (const uintptr_t word : words) hash = mix(hash, word);
  size_t at = hash % walks_.size();
  while (walks_[at].shape != kNone) at = (at + 1) % walks_.size();
  walks_[at] = {hash, index, number, static_cast<uint32_t>(words_.size())};
  words_.insert(words_.end(), words.begin(), words.end());
  used_++;
}

}  // namespace weir::profiler
