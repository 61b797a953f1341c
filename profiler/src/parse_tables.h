// The Snapshot under construction, for readers of formats that have no tables of their own: equal
// rows are stored once, goroutines alike are put into groups, and what is made is counted against
// the memory that the input is worth.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <unordered_set>
#include <vector>

#include <weir/profiler/parse.h>
#include <weir/profiler/snapshot.h>

namespace weir::profiler::parsing {

// Memory that may still be taken.
class Budget {
 public:
  Budget(size_t input_bytes, const ParseOptions& options);
  // Throws ParseError when there is no more.
  void charge(size_t bytes) {
    if (bytes > left_) fail();
    left_ -= bytes;
  }
  // Same, for a count that is bounded itself.
  void goroutine() {
    if (goroutines_ == 0) fail_goroutines();
    --goroutines_;
    charge(sizeof(Member));
  }

 private:
  [[noreturn]] void fail() const;
  [[noreturn]] void fail_goroutines() const;
  const ParseOptions options_;
  size_t left_, goroutines_;
};

class Tables {
 public:
  Tables(std::string_view format, size_t input_bytes, const ParseOptions& options);
  Tables(const Tables&) = delete;
  Tables& operator=(const Tables&) = delete;

  Budget budget;
  Snapshot snapshot;

  uint32_t frame(std::string_view function, std::string_view file, int line, uint64_t offset);
  uint32_t location(uint64_t address, std::vector<uint32_t> frames);
  uint32_t stack(std::vector<uint32_t> locations, bool truncated);
  uint32_t text(std::string_view s);
  // The group that is equal in all but what it counts. The index stays good, references do not.
  uint32_t group(const Group& like);
  void add(uint32_t group, const Member& m);

  // Functions of a stack, leaf first, as many as tell what it waits for. Valid until the next
  // frame.
  std::vector<std::string_view> functions(uint32_t stack) const;

  // Sets what follows from the rest (totals, sums, kinds of objects, order) and gives the Snapshot.
  Snapshot finish();

 private:
  // Indexes of equal rows are one.
  template <class T>
  struct ByRow {
    const std::vector<T>* table;
    size_t operator()(uint32_t i) const;
    bool operator()(uint32_t a, uint32_t b) const;
  };
  template <class T>
  using Index = std::unordered_set<uint32_t, ByRow<T>, ByRow<T>>;
  template <class T>
  uint32_t intern(std::vector<T>& table, Index<T>& index, T row, size_t bytes);

  const size_t max_depth_;
  Index<Frame> frames_;
  Index<Location> locations_;
  Index<Stack> stacks_;
  Index<std::string> texts_;
  Index<Group> groups_;
};

}  // namespace weir::profiler::parsing
