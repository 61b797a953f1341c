// 64-bit FNV-1a over texts and numbers, in words where they are whole: for ids that are the same in
// all processes of a program.
#pragma once

#include <cstdint>
#include <string_view>

#include <weir/profiler/snapshot.h>

namespace weir::profiler {

class Fnv {
 public:
  void add(std::string_view text) {
    for (const char c : text) step(static_cast<unsigned char>(c));
    step(0xff);
  }
  void add(uint64_t n) { step(n); }
  // Null: not known.
  void add(const Frame* f) {
    if (!f) return add(uint64_t{0});
    add(f->function);
    add(f->file);
    add(static_cast<uint64_t>(f->line));
  }
  uint64_t value() const { return value_; }

 private:
  void step(uint64_t word) { value_ = (value_ ^ word) * 0x100000001b3; }
  uint64_t value_ = 0xcbf29ce484222325;
};

}  // namespace weir::profiler
