#include "unwind.h"

#include "rules.h"

namespace weir::profiler {

namespace {

// The words of a stack that stands still.
class Memory {
 public:
  Memory(uintptr_t lo, uintptr_t hi, ptrdiff_t displacement)
      : lo_(lo), hi_(hi), displacement_(displacement) {}

  bool read(uintptr_t at, uintptr_t& value) const noexcept {
    if (at < lo_ || at > hi_ - sizeof value || at % sizeof value != 0) return false;
    value = *reinterpret_cast<const uintptr_t*>(at + static_cast<uintptr_t>(displacement_));
    return true;
  }

 private:
  uintptr_t lo_, hi_;
  ptrdiff_t displacement_;
};

struct Frame {
  uintptr_t pc, sp, fp;
};

uintptr_t plus(uintptr_t base, int64_t offset) { return base + static_cast<uintptr_t>(offset); }

bool read_saved(const Memory& memory, Rule::Place place, const Frame& f, uintptr_t cfa,
                uintptr_t& value) noexcept {
  switch (place.base) {
    case Rule::kCfa:
      return memory.read(plus(cfa, place.offset), value);
    case Rule::kSpBase:
      return memory.read(plus(f.sp, place.offset), value);
    case Rule::kFpBase:
      return memory.read(plus(f.fp, place.offset), value);
    case Rule::kKept:
      break;
  }
  return false;
}

// From a frame to its caller. False: the frame does not lie where the rule says.
bool step(const Memory& memory, Rule rule, uintptr_t stack_hi, Frame& f) noexcept {
  uintptr_t cfa = 0;
  const bool sp_based = rule.kind() == Rule::kSp || rule.kind() == Rule::kAtSp;
  cfa = plus(sp_based ? f.sp : f.fp, rule.cfa());
  if ((rule.kind() == Rule::kAtSp || rule.kind() == Rule::kAtFp) && !memory.read(cfa, cfa))
    return false;
  // A caller's frame lies above; a leaf of aarch64 may have none of its own.
  if (cfa < f.sp || cfa > stack_hi || cfa % sizeof(uintptr_t) != 0) return false;

  Frame caller{0, cfa, f.fp};
  if (!read_saved(memory, rule.ra(), f, cfa, caller.pc)) return false;
  const Rule::Place fp = rule.fp();
  if (fp.base != Rule::kKept) {
    if (!read_saved(memory, fp, f, cfa, caller.fp)) return false;
  } else if (fp.offset == Rule::kLost.offset) {
    caller.fp = 0;  // within no stack: a frame that needs it ends the walk
  }
  f = caller;
  return true;
}

uint64_t mix(uint64_t hash, uint64_t word) {
  hash = (hash ^ word) * 0x9fb21c651e98df25U;
  return hash ^ hash >> 32;
}

// Below the stack pointer, yet safe from signal handlers. Code that takes its frame down has popped
// what it saved, while its rules may go on to say where that was.
#if defined(__x86_64__)
constexpr uintptr_t kRedZone = 128;
#else
constexpr uintptr_t kRedZone = 0;
#endif

}  // namespace

Walk unwind(const introspect::Registers& regs, uintptr_t stack_lo, uintptr_t stack_hi, bool exact,
            RawStack& out, ptrdiff_t displacement) noexcept {
  const uintptr_t zone = exact ? kRedZone : 0;
  const Memory memory(regs.sp > stack_lo + zone ? regs.sp - zone : stack_lo, stack_hi,
                      displacement);
  Frame f{regs.pc, regs.sp, regs.fp};
  Walk walk{true, 0};
  uint64_t hash = 0;
  out.depth = 0;
  out.truncated = regs.sp >= stack_hi;  // not a stack: the pc is all that is known
  for (;;) {
    if (out.depth == kMaxDepth) {
      out.truncated = true;
      break;
    }
    const uintptr_t at = exact ? f.pc : f.pc - 1;
    out.pcs[out.depth++] = at;
    hash = mix(hash, at);
    if (out.truncated) break;
    const Rule rule = rules::find(at);
    if (rule.kind() == Rule::kEnd) break;
    if (rule.kind() == Rule::kUnknown) {
      walk = {false, at};
      out.truncated = true;
      break;
    }
    if (rule.kind() == Rule::kCannot || !step(memory, rule, stack_hi, f)) {
      out.truncated = true;
      break;
    }
    if (f.pc == 0) break;  // the ABI's own mark of the outermost frame
    exact = rule.signal();
  }
  out.hash = mix(hash, out.depth * 2 + (out.truncated ? 1 : 0));
  return walk;
}

}  // namespace weir::profiler
