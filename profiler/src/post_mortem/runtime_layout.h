// RuntimeLayout: what a program says about its own weir runtime (<weir/post_mortem.h>): where
// things are, by name.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "foreign_modules.h"
#include "memory.h"

namespace weir::profiler::post_mortem {

class RuntimeLayout {
 public:
  // The first object that has a weir runtime. Throws profiler::error: none has.
  RuntimeLayout(const ForeignModules& modules, Memory& memory);

  // Throw profiler::error, which names what is missing.
  size_t operator[](const std::string& name) const;
  uint64_t address(const std::string& name) const;

  // The number in our own enumeration whose text is that of `value` in theirs; 0: none.
  size_t ours(std::string_view of, uint64_t value) const;

 private:
  bool read(Memory& memory, uint64_t at);
  void learn_word(const Record& word);

  std::unordered_map<std::string, uint64_t> entries_, globals_;
  struct Known {
    std::string of;
    uint64_t theirs;
    size_t ours;
  };
  std::vector<Known> words_;
};

}  // namespace weir::profiler::post_mortem
