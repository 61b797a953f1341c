// Sightings: goroutines of another process as they were seen at one instant each: everything that a
// dump shows of them, copied.
//
// Where the process stands still (a core, or all threads are stopped), the instant is one. Where it
// runs, a parked goroutine is read as by a seqlock: its record, its stack and what it waits for,
// then its record again: when that has not changed, it was parked all the while, since each park
// has a time of its own (G::since). One that waits for its turn to run has a time that is not
// exact: its stack is read again, too.
#pragma once

#include <weir/introspect.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "image.h"
#include "memory.h"
#include "offsets.h"
#include "slots.h"

namespace weir::profiler::post_mortem {

// Memory for the copies of one batch.
class Arena {
 public:
  std::span<std::byte> take(size_t bytes);
  void reset();
  size_t used() const { return used_; }

 private:
  struct Block {
    std::unique_ptr<std::byte[]> bytes;
    size_t size;
  };
  std::vector<Block> blocks_;
  size_t block_ = 0, at_ = 0, used_ = 0;
};

struct Sighting {
  enum Kind : uint8_t {
    kNobody,
    kBystander,  // a thread that does not wait in weir; only goid is known
    kSeen,
    kRestless,  // it ran, or did not stand still: it has to be stopped
    kUnknown,   // its record is in no memory
  };
  size_t slot = 0;
  uint64_t at = 0;  // of its G
  Kind kind = kNobody;
  uint64_t goid = 0;
  uint64_t since = 0;  // ticks
  bool has_stack = false;
  bool exact = false;  // regs.pc is no return address
  bool never_ran = false;
  introspect::Registers regs{};
  uint64_t stack_at = 0;      // where the copy is from
  size_t stack_wanted = 0;    // bytes that it has; more than were copied: it was cut
  Record g, again;            // its record; when the process runs, before and after all others
  Record object, body;        // that it waits for
  Record stack, stack_again;  // from stack_at on
  std::vector<std::byte> labels;
  struct Chan {
    uint64_t at;
    bool send;
    Record record;
    uint64_t timer_home;
  };
  std::vector<Chan> chans;
  uint64_t chans_total = 0;
};

class Sightings {
 public:
  Sightings(const Offsets& offsets, const Slots& slots, Memory& memory)
      : o_(offsets), slots_(slots), memory_(memory) {}

  // Everything in these slots, as of now. `still`: the threads, where all of them stand still;
  // null: the process runs. Of a stack at most so many bytes. What was seen before is forgotten.
  std::span<Sighting> look(std::span<const size_t> slots, const std::vector<Thread>* still,
                           size_t max_stack);

  // The records alone: (slot, goid) of everybody.
  void goids(std::span<const size_t> slots, std::vector<std::pair<size_t, uint64_t>>& out);

  // The latest G::since in these slots.
  uint64_t latest_since(std::span<const size_t> slots);

  // The fixed part and the wait of one that was seen, but the times.
  void describe(const Sighting& s, introspect::Goroutine& g) const;
  // Its labels, sorted by key.
  std::vector<std::pair<std::string, std::string>> labels(const Sighting& s) const;

  size_t bytes() const { return arena_.used(); }

 private:
  struct Wanted {
    Read read;
    Record* into;
  };

  uint64_t status(const Sighting& s) const;
  bool waits(const Sighting& s) const;
  introspect::WaitReason reason(const Sighting& s) const;
  void want(uint64_t at, size_t bytes, Record& into);
  void fetch();
  void judge(Sighting& s, const std::vector<Thread>* still);
  void place(Sighting& s, const std::vector<Thread>* still);
  void place_running(Sighting& s, const std::vector<Thread>& still);
  void want_stack(Sighting& s, size_t max_stack);
  void want_object(Sighting& s);
  void want_chans(Sighting& s);
  void read_labels(Sighting& s);
  void from_saved(Sighting& s);
  void confirm(Sighting& s);
  void describe_wait(const Sighting& s, introspect::Goroutine& g) const;

  const Offsets& o_;
  const Slots& slots_;
  Memory& memory_;
  Arena arena_;
  std::vector<Sighting> seen_;
  std::vector<Wanted> wanted_;
  std::vector<Read> reads_;
  std::vector<Thread> by_sp_;  // of `still`
  const std::vector<Thread>* sorted_ = nullptr;
};

}  // namespace weir::profiler::post_mortem
