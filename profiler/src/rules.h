// Rules: how to go from a frame to its caller, one small word per program counter, learned once
// from the call frame information (.eh_frame) of the loaded objects and kept: those of this process
// for as long as it lives.
//
// Goroutines share few distinct program counters, so nearly every frame of a walk is one look-up
// here. find() is async-signal-safe and never waits; the unwinder (unwind.h) calls it while a
// goroutine is held and in signal handlers. learn() reads ELF files and takes locks: never while a
// goroutine is held.
//
// The table: open addressing over pairs of atomics (pc, rule). A pc is written once, after its
// rule, and never changes its place; a rule may go back to "unknown" when the object that it came
// from is unloaded. A larger table is published whole; the old ones stay, since readers may still
// be in them, and as sizes double they are together no larger than the newest. One lock for all
// writers.
//
// rules.cc and unwind.cc are compiled without sanitizers: they read stacks that are not theirs and
// run in signal handlers.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>

namespace weir::profiler {

// One packed rule. Offsets are multiples of 8. All addresses are of the frame that the pc is in.
class Rule {
 public:
  // What the canonical frame address (CFA: the caller's stack pointer) is.
  enum Kind : uint8_t {
    kUnknown,  // not learned yet
    kSp,       // sp + offset
    kFp,       // fp + offset
    kAtSp,     // the word at sp + offset
    kAtFp,     // the word at fp + offset
    kEnd,      // there is no caller
    kCannot,   // the pc is in no known object, or its frame cannot be expressed here
  };
  // What a word that was saved is found relative to.
  enum Base : uint8_t {
    kKept,  // not saved: it is in its register still
    kCfa,
    kSpBase,
    kFpBase,
  };
  struct Place {
    Base base = kKept;
    int64_t offset = 0;
  };
  static constexpr Place kLost = {kKept, 8};  // nobody knows where the caller's fp is

  constexpr Rule() = default;
  static constexpr Rule from_word(uint64_t word) { return Rule(word); }
  static constexpr Rule end() { return Rule(uint64_t{kEnd}); }
  static constexpr Rule cannot() { return Rule(uint64_t{kCannot}); }

  // kCannot where an offset does not fit.
  static constexpr Rule make(Kind kind, int64_t cfa, Place fp, Place ra, bool signal) {
    if (!fits(cfa, kCfaBits) || !fits(fp.offset, kPlaceBits) || !fits(ra.offset, kPlaceBits)) {
      return cannot();
    }
    return Rule(uint64_t{kind} | uint64_t{signal} << 3 | pack(cfa, kCfaBits) << 4 |
                uint64_t{fp.base} << 28 | pack(fp.offset, kPlaceBits) << 30 |
                uint64_t{ra.base} << 46 | pack(ra.offset, kPlaceBits) << 48);
  }

  constexpr uint64_t word() const { return word_; }
  constexpr Kind kind() const { return static_cast<Kind>(word_ & 7); }
  // The frame was made by the kernel for a signal handler: its caller's pc is exact.
  constexpr bool signal() const { return (word_ & 8) != 0; }
  constexpr int64_t cfa() const { return unpack(4, kCfaBits); }
  constexpr Place fp() const {
    return {static_cast<Base>(word_ >> 28 & 3), unpack(30, kPlaceBits)};
  }
  constexpr Place ra() const {
    return {static_cast<Base>(word_ >> 46 & 3), unpack(48, kPlaceBits)};
  }
  constexpr bool operator==(const Rule&) const = default;

 private:
  static constexpr int kCfaBits = 24, kPlaceBits = 16;  // 64 MiB, 256 KiB either way

  constexpr explicit Rule(uint64_t word) : word_(word) {}
  static constexpr bool fits(int64_t offset, int bits) {
    const int64_t limit = int64_t{1} << (bits - 1);
    return offset % 8 == 0 && offset / 8 >= -limit && offset / 8 < limit;
  }
  static constexpr uint64_t pack(int64_t offset, int bits) {
    return static_cast<uint64_t>(offset / 8) & ((uint64_t{1} << bits) - 1);
  }
  constexpr int64_t unpack(int shift, int bits) const {
    return static_cast<int64_t>(word_ << (64 - shift - bits)) >> (64 - bits) << 3;
  }

  uint64_t word_ = 0;
};

class ModuleSet;

// The rules of one process.
class RuleTable {
 public:
  // Null: of this process, whose objects are looked at when the first rule is learned.
  explicit constexpr RuleTable(ModuleSet* modules) : modules_(modules) {}
  ~RuleTable();
  RuleTable(const RuleTable&) = delete;
  RuleTable& operator=(const RuleTable&) = delete;

  // The rule for `pc`: that of the instruction which executes or calls (for a caller: return
  // address - 1).
  Rule find(uintptr_t pc) const noexcept;

  // Learns the rule for `pc`. When this returns, find(pc) is not unknown, unless memory is short or
  // the table is full (2^20 rules): false.
  bool learn(uintptr_t pc);

  // Forgets what was learned from objects that have been unloaded since the last call.
  void refresh();

  // For tests: the bytes of all tables.
  size_t bytes() const noexcept { return all_bytes_.load(std::memory_order_relaxed); }

 private:
  struct Entry;
  struct Table;

  ModuleSet& modules();
  Table* make_table(size_t entries);
  Table* table_with_room();
  void forget_all();
  static void put(Table& table, uintptr_t pc, Rule rule);

  std::mutex writer_;  // protects all but find
  ModuleSet* modules_;
  std::atomic<Table*> current_{nullptr};
  std::atomic<size_t> all_bytes_{0};
};

// Those of this process.
namespace rules {

RuleTable& own() noexcept;
inline Rule find(uintptr_t pc) noexcept { return own().find(pc); }
inline bool learn(uintptr_t pc) { return own().learn(pc); }
inline void refresh() { own().refresh(); }
inline size_t table_bytes() noexcept { return own().bytes(); }

}  // namespace rules

}  // namespace weir::profiler
