// ForeignModules: the objects that another process has loaded, by what it has mapped: their headers
// and notes are read from its memory, their code and debug information from files, each only if its
// build id is that of the loaded one.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "../module_set.h"
#include "image.h"
#include "memory.h"

namespace weir::profiler::post_mortem {

class ForeignModules final : public ModuleSet {
 public:
  // One segment of an object that was loaded.
  struct Segment {
    uint64_t start, limit;  // in whole pages
    uint64_t offset;        // in the file
    bool executable;
  };
  struct NoteSegment {
    uint64_t at, bytes, align;
  };
  struct Object {
    std::string path;      // as the process has it
    std::string file;      // by which it can be opened here
    std::string build_id;  // raw bytes; empty: not known, or it has none
    uint64_t start = 0, limit = 0;
    bool program = false;  // the executable itself
    std::vector<Segment> segments;
    std::vector<NoteSegment> notes;
    std::vector<char> vdso;  // its image; empty: it is a file's
  };
  // How a mapped file is opened here: a path.
  using Locate = std::function<std::string(const MappedFile& file, bool program)>;

  ForeignModules(const Image& image, Memory& memory, const Locate& locate);
  ~ForeignModules() override;
  ForeignModules(const ForeignModules&) = delete;
  ForeignModules& operator=(const ForeignModules&) = delete;

  const std::vector<std::unique_ptr<Object>>& objects() const { return objects_; }
  const Object* program() const;

  // After this, find() finds; each object's file is the right one or is not used.
  void report();

  bool refresh() override { return false; }
  Dwfl_Module* find(uintptr_t address) override;
  std::vector<Mapping> mappings() override;

 private:
  void add_vdso(const Image& image, Memory& memory);

  Dwfl* dwfl_;
  std::vector<std::unique_ptr<Object>> objects_;  // by address
};

// The build id of a file, raw. Throws profiler::error where it is no ELF file or cannot be read.
std::string build_id_of_file(const std::string& path);

}  // namespace weir::profiler::post_mortem
