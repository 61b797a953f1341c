// A frame description of libdw's -> Rule. The canonical frame address and the places of saved
// registers come as DWARF expressions; these are evaluated with sp and fp left symbolic, which
// covers what compilers and the hand-written parts of libc and the dynamic linker use:
//   sp + n, fp + n                                  nearly everything
//   [fp + n]                                        functions that realign their stack (gcc's DRAP)
//   sp + 8 + (((pc & 15) >= 11) << 3)               lazy entries of the procedure linkage table
//   [sp + n] for CFA, fp and return address         the kernel's signal frame
#include "cfi.h"

#include <dwarf.h>
#include <elfutils/libdw.h>

#include <array>
#include <cstdlib>
#include <optional>

namespace weir::profiler::cfi {

namespace {

#if defined(__x86_64__)
constexpr int kSpRegister = 7, kFpRegister = 6, kPcRegister = 16;
#elif defined(__aarch64__)
constexpr int kSpRegister = 31, kFpRegister = 29, kPcRegister = -1;
#endif

// base + offset, or the word at base + offset.
struct Value {
  enum Base : uint8_t { kConstant, kSp, kFp, kCfa } base = kConstant;
  bool loaded = false;
  int64_t offset = 0;
};

class Evaluator {
 public:
  explicit Evaluator(uintptr_t pc) : pc_(pc) {}

  // What the expression leaves; nothing: it has an operation or a shape that no rule can express.
  // `is_value`: it is the register's value, not the place where it was saved.
  std::optional<Value> run(const Dwarf_Op* ops, size_t count, bool& is_value) {
    is_value = false;
    for (size_t i = 0; i < count; ++i) {
      if (ops[i].atom == DW_OP_stack_value && i + 1 == count) {
        is_value = true;
      } else if (!step(ops[i])) {
        return std::nullopt;
      }
    }
    if (depth_ == 0) return std::nullopt;
    return stack_[depth_ - 1];
  }

 private:
  bool push(Value v) {
    if (depth_ == stack_.size()) return false;
    stack_[depth_++] = v;
    return true;
  }

  bool push_register(unsigned reg, int64_t offset) {
    if (static_cast<int>(reg) == kSpRegister) return push({Value::kSp, false, offset});
    if (static_cast<int>(reg) == kFpRegister) return push({Value::kFp, false, offset});
    if (static_cast<int>(reg) == kPcRegister) {
      return push({Value::kConstant, false, static_cast<int64_t>(pc_) + offset});
    }
    return false;
  }

  bool step(const Dwarf_Op& op) {
    if (op.atom >= DW_OP_lit0 && op.atom <= DW_OP_lit31) {
      return push({Value::kConstant, false, op.atom - DW_OP_lit0});
    }
    if (op.atom >= DW_OP_breg0 && op.atom <= DW_OP_breg31) {
      return push_register(op.atom - DW_OP_breg0, static_cast<int64_t>(op.number));
    }
    switch (op.atom) {
      case DW_OP_bregx:
        return push_register(static_cast<unsigned>(op.number), static_cast<int64_t>(op.number2));
      case DW_OP_const1u:
      case DW_OP_const1s:
      case DW_OP_const2u:
      case DW_OP_const2s:
      case DW_OP_const4u:
      case DW_OP_const4s:
      case DW_OP_const8u:
      case DW_OP_const8s:
      case DW_OP_constu:
      case DW_OP_consts:
        return push({Value::kConstant, false, static_cast<int64_t>(op.number)});
      case DW_OP_call_frame_cfa:
        return push({Value::kCfa, false, 0});
      case DW_OP_nop:
        return true;
      case DW_OP_plus_uconst:
        return depth_ > 0 && add(stack_[depth_ - 1], static_cast<int64_t>(op.number));
      case DW_OP_deref:
        if (depth_ == 0 || stack_[depth_ - 1].loaded ||
            stack_[depth_ - 1].base == Value::kConstant) {
          return false;
        }
        stack_[depth_ - 1].loaded = true;
        return true;
      default:
        return binary(op.atom);
    }
  }

  static bool add(Value& v, int64_t n) {
    if (v.loaded && n != 0) return false;
    return !__builtin_add_overflow(v.offset, n, &v.offset);
  }

  bool binary(unsigned atom) {
    if (depth_ < 2) return false;
    const Value b = stack_[--depth_];
    Value& a = stack_[depth_ - 1];
    if (atom == DW_OP_plus && a.base == Value::kConstant) {
      const int64_t n = a.offset;
      a = b;
      return add(a, n);
    }
    if (b.base != Value::kConstant) return false;
    if (atom == DW_OP_plus) return add(a, b.offset);
    if (atom == DW_OP_minus) return b.offset != INT64_MIN && add(a, -b.offset);
    if (a.base != Value::kConstant) return false;
    const auto ua = static_cast<uint64_t>(a.offset), ub = static_cast<uint64_t>(b.offset);
    switch (atom) {
      case DW_OP_and:
        a.offset &= b.offset;
        return true;
      case DW_OP_or:
        a.offset |= b.offset;
        return true;
      case DW_OP_shl:
        a.offset = ub < 64 ? static_cast<int64_t>(ua << ub) : 0;
        return true;
      case DW_OP_shr:
        a.offset = ub < 64 ? static_cast<int64_t>(ua >> ub) : 0;
        return true;
      case DW_OP_eq:
        a.offset = a.offset == b.offset;
        return true;
      case DW_OP_ne:
        a.offset = a.offset != b.offset;
        return true;
      case DW_OP_ge:
        a.offset = a.offset >= b.offset;
        return true;
      case DW_OP_gt:
        a.offset = a.offset > b.offset;
        return true;
      case DW_OP_le:
        a.offset = a.offset <= b.offset;
        return true;
      case DW_OP_lt:
        a.offset = a.offset < b.offset;
        return true;
      default:
        return false;
    }
  }

  uintptr_t pc_;
  std::array<Value, 16> stack_;
  size_t depth_ = 0;
};

struct Saved {
  enum { kPlace, kKept, kUndefined, kUnsupported } what = kUnsupported;
  Rule::Place place;
};

Saved saved_register(Dwarf_Frame* frame, int reg, uintptr_t pc) {
  Dwarf_Op memory[3];
  Dwarf_Op* ops = nullptr;
  size_t count = 0;
  if (dwarf_frame_register(frame, reg, memory, &ops, &count) != 0) return {};
  if (count == 0) return {ops == nullptr ? Saved::kKept : Saved::kUndefined, {}};
  bool is_value = false;
  const std::optional<Value> v = Evaluator(pc).run(ops, count, is_value);
  if (!v || is_value || v->loaded) return {};
  switch (v->base) {
    case Value::kCfa:
      return {Saved::kPlace, {Rule::kCfa, v->offset}};
    case Value::kSp:
      return {Saved::kPlace, {Rule::kSpBase, v->offset}};
    case Value::kFp:
      return {Saved::kPlace, {Rule::kFpBase, v->offset}};
    case Value::kConstant:
      break;
  }
  return {};
}

Rule rule_of(Dwarf_Frame* frame, uintptr_t pc) {
  bool signal = false;
  Dwarf_Addr start = 0, end = 0;
  const int ra_register = dwarf_frame_info(frame, &start, &end, &signal);
  if (ra_register < 0) return Rule::cannot();
  const Saved ra = saved_register(frame, ra_register, pc);
  if (ra.what == Saved::kUndefined) return Rule::end();
  if (ra.what == Saved::kUnsupported) return Rule::cannot();

  Dwarf_Op* ops = nullptr;
  size_t count = 0;
  if (dwarf_frame_cfa(frame, &ops, &count) != 0 || count == 0) return Rule::cannot();
  bool is_value = false;
  const std::optional<Value> cfa = Evaluator(pc).run(ops, count, is_value);
  if (!cfa || (cfa->base != Value::kSp && cfa->base != Value::kFp)) return Rule::cannot();
  const bool sp = cfa->base == Value::kSp;
  const Rule::Kind kind =
      cfa->loaded ? (sp ? Rule::kAtSp : Rule::kAtFp) : (sp ? Rule::kSp : Rule::kFp);

  // Where the caller's fp cannot be told, the walk goes on until a frame needs it.
  const Saved fp = saved_register(frame, kFpRegister, pc);
  const Rule::Place fp_place = fp.what == Saved::kPlace  ? fp.place
                               : fp.what == Saved::kKept ? Rule::Place{}
                                                         : Rule::kLost;
  return Rule::make(kind, cfa->offset, fp_place, ra.place, signal);
}

std::optional<Rule> rule_from(Dwarf_CFI* cfi, Dwarf_Addr bias, uintptr_t pc) {
  Dwarf_Frame* frame = nullptr;
  if (!cfi || dwarf_cfi_addrframe(cfi, pc - bias, &frame) != 0) return std::nullopt;
  const Rule rule = rule_of(frame, pc);
  std::free(frame);
  return rule;
}

}  // namespace

Rule read_rule(ModuleSet& modules, uintptr_t pc, bool& unloaded) {
  Dwfl_Module* module = modules.find(pc);
  if (!module) {
    unloaded = modules.refresh();
    module = modules.find(pc);
  }
  if (!module) return Rule::cannot();
  Dwarf_Addr bias = 0;
  Dwarf_CFI* eh_frame = dwfl_module_eh_cfi(module, &bias);
  if (const auto rule = rule_from(eh_frame, bias, pc)) return *rule;
  // Hand-written code may come with .debug_frame alone.
  Dwarf_CFI* debug_frame = dwfl_module_dwarf_cfi(module, &bias);
  if (const auto rule = rule_from(debug_frame, bias, pc)) return *rule;
  return Rule::cannot();
}

}  // namespace weir::profiler::cfi
