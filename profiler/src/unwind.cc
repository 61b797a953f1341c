#include "unwind.h"

namespace weir::profiler {

namespace {

constexpr uint32_t kNowhere = UINT32_MAX, kRegisters = UINT32_MAX - 1;

// The words of a stack that stands still.
class Memory {
 public:
  Memory(uintptr_t lo, uintptr_t hi, ptrdiff_t displacement, WalkTrace* trace)
      : lo_(lo), hi_(hi), displacement_(displacement), trace_(trace) {}

  bool read(uintptr_t at, uintptr_t& value, bool relative, bool matters) const noexcept {
    if (at < lo_ || at > hi_ - sizeof value || at % sizeof value != 0) return false;
    value = *reinterpret_cast<const uintptr_t*>(at + static_cast<uintptr_t>(displacement_));
    if (!trace_) return true;
    if (trace_->count == WalkTrace::kMaxWords) {
      trace_->overflown = true;
    } else {
      trace_->words[trace_->count++] = {at, value, relative, matters};
    }
    return true;
  }

  // Where the word that was read last is in the trace.
  uint32_t last() const noexcept { return trace_ ? trace_->count - 1 : kNowhere; }

  // A frame address is computed from a frame pointer that was found there.
  void matters(uint32_t fp_at) const noexcept {
    if (!trace_ || fp_at == kNowhere) return;
    if (fp_at == kRegisters) {
      trace_->fp_matters = true;
    } else {
      trace_->words[fp_at].matters = true;
    }
  }

 private:
  uintptr_t lo_, hi_;
  ptrdiff_t displacement_;
  WalkTrace* trace_;
};

struct Frame {
  uintptr_t pc, sp, fp;
  uint32_t fp_at;  // in the trace, or kRegisters, kNowhere
};

uintptr_t plus(uintptr_t base, int64_t offset) { return base + static_cast<uintptr_t>(offset); }

// Where a saved word is.
uintptr_t address_of(const Memory& memory, Rule::Place place, const Frame& f,
                     uintptr_t cfa) noexcept {
  switch (place.base) {
    case Rule::kCfa:
      return plus(cfa, place.offset);
    case Rule::kSpBase:
      return plus(f.sp, place.offset);
    case Rule::kFpBase:
      memory.matters(f.fp_at);
      return plus(f.fp, place.offset);
    case Rule::kKept:
      break;
  }
  return 0;  // within no stack
}

// From a frame to its caller. False: the frame does not lie where the rule says.
bool step(const Memory& memory, Rule rule, uintptr_t stack_hi, Frame& f) noexcept {
  uintptr_t cfa = 0;
  const bool sp_based = rule.kind() == Rule::kSp || rule.kind() == Rule::kAtSp;
  if (!sp_based) memory.matters(f.fp_at);
  cfa = plus(sp_based ? f.sp : f.fp, rule.cfa());
  if ((rule.kind() == Rule::kAtSp || rule.kind() == Rule::kAtFp) &&
      !memory.read(cfa, cfa, true, true))
    return false;
  // A caller's frame lies above; a leaf of aarch64 may have none of its own.
  if (cfa < f.sp || cfa > stack_hi || cfa % sizeof(uintptr_t) != 0) return false;

  Frame caller{0, cfa, f.fp, f.fp_at};
  if (!memory.read(address_of(memory, rule.ra(), f, cfa), caller.pc, false, true)) return false;
  const Rule::Place fp = rule.fp();
  if (fp.base != Rule::kKept) {
    if (!memory.read(address_of(memory, fp, f, cfa), caller.fp, true, false)) return false;
    caller.fp_at = memory.last();
  } else if (fp.offset == Rule::kLost.offset) {
    caller.fp = 0;  // within no stack: a frame that needs it ends the walk
    caller.fp_at = kNowhere;
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
            RawStack& out, ptrdiff_t displacement, WalkTrace* trace,
            const RuleTable& rules) noexcept {
  const uintptr_t zone = exact ? kRedZone : 0;
  const Memory memory(regs.sp > stack_lo + zone ? regs.sp - zone : stack_lo, stack_hi, displacement,
                      trace);
  if (trace) trace->count = 0, trace->fp_matters = trace->overflown = false;
  Frame f{regs.pc, regs.sp, regs.fp, kRegisters};
  Walk walk{true, 0};
  out.depth = 0;
  out.truncated = regs.sp >= stack_hi;  // not a stack: the pc is all that is known
  for (;;) {
    if (out.depth == kMaxDepth) {
      out.truncated = true;
      break;
    }
    const uintptr_t at = exact ? f.pc : f.pc - 1;
    out.pcs[out.depth++] = at;
    if (out.truncated) break;
    const Rule rule = rules.find(at);
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
  rehash(out);
  return walk;
}

void rehash(RawStack& stack) noexcept {
  uint64_t hash = 0;
  for (uint32_t i = 0; i < stack.depth; ++i) hash = mix(hash, stack.pcs[i]);
  stack.hash = mix(hash, stack.depth * 2 + (stack.truncated ? 1 : 0));
}

}  // namespace weir::profiler
