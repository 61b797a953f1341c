// CoreFile: what a core file has: memory, threads with their registers, and which files were mapped
// where. Nothing in it is believed: numbers are bounded by the file's size, and whatever lies
// beyond the end of a file that was cut is not there.
#pragma once

#include <weir/introspect.h>

#include <elf.h>

#include <cstdint>
#include <string>
#include <vector>

#include "image.h"
#include "memory.h"

namespace weir::profiler::post_mortem {

class CoreFile final : public Memory {
 public:
  // Throws profiler::error.
  explicit CoreFile(const std::string& path);
  ~CoreFile() override;
  CoreFile(const CoreFile&) = delete;
  CoreFile& operator=(const CoreFile&) = delete;

  using Memory::read;
  void read(std::span<Read> reads) override;

  // Where the core has left out [start, limit), which was mapped from a file: it is read from that
  // file's offset. The descriptor becomes the core's.
  void back_by_file(uint64_t start, uint64_t limit, uint64_t offset, int fd);

  const Image& image() const { return image_; }
  bool cut() const { return cut_; }  // the file ends before what it says that it has
  int64_t written_at_ns() const { return written_at_ns_; }

 private:
  struct Segment {
    uint64_t start, bytes, offset;  // that are in the file
  };
  struct Backing {
    uint64_t start, limit, offset;
    int fd;
  };

  void read_segments(const Elf64_Ehdr& header);
  void read_notes(const Elf64_Phdr& segment);
  void read_files(std::span<const std::byte> desc);
  size_t from_file(int fd, uint64_t offset, std::byte* to, size_t bytes) const;
  size_t read_some(uint64_t at, std::byte* to, size_t bytes) const;

  const int fd_;
  uint64_t size_ = 0;
  int64_t written_at_ns_ = 0;
  bool cut_ = false;
  Image image_;
  std::vector<Segment> segments_;  // by address
  mutable size_t last_ = 0;        // the segment that was read last
  std::vector<Backing> backings_;
};

}  // namespace weir::profiler::post_mortem
