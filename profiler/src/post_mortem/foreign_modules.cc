#include "foreign_modules.h"

#include <elf.h>
#include <fcntl.h>
#include <libelf.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <system_error>

#include <weir/profiler/error.h>

#include "../elf_files.h"

namespace weir::profiler::post_mortem {

namespace {

constexpr uint64_t kPage = 4096;
constexpr size_t kMaxHeaders = 256;       // program headers of one object
constexpr uint64_t kMaxNotes = 64 << 10;  // bytes of one note segment
constexpr uint64_t kMaxObject = uint64_t{1} << 40;
constexpr size_t kMaxVdso = 1 << 20;

uint64_t floor_of(uint64_t at) { return at & ~(kPage - 1); }
uint64_t ceil_of(uint64_t at) { return floor_of(at + kPage - 1); }

// A file, as a memory that begins at `base`: for objects whose headers a core has left out.
class FileAt final : public Memory {
 public:
  FileAt(const std::string& path, uint64_t base)
      : fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC)), base_(base) {}
  ~FileAt() override {
    if (fd_ >= 0) close(fd_);
  }
  FileAt(const FileAt&) = delete;
  FileAt& operator=(const FileAt&) = delete;
  using Memory::read;
  void read(std::span<Read> reads) override {
    for (Read& r : reads) {
      const ssize_t n =
          r.at < base_ ? -1 : pread(fd_, r.to, r.bytes, static_cast<off_t>(r.at - base_));
      r.got = n > 0 ? static_cast<size_t>(n) : 0;
    }
  }

 private:
  const int fd_;
  const uint64_t base_;
};

// The object whose first page is mapped at `start`. False: none is.
bool describe(Memory& memory, uint64_t start, ForeignModules::Object& o) {
  Elf64_Ehdr header;
  if (!memory.read(start, &header, sizeof header) ||
      std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
      header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum == 0 ||
      header.e_phnum > kMaxHeaders || header.e_phoff > kMaxNotes) {
    return false;
  }
  std::vector<Elf64_Phdr> table(header.e_phnum);
  if (!memory.read(start + header.e_phoff, table.data(), table.size() * sizeof(Elf64_Phdr))) {
    return false;
  }
  const auto first = std::find_if(table.begin(), table.end(),
                                  [](const Elf64_Phdr& p) { return p.p_type == PT_LOAD; });
  if (first == table.end()) return false;
  const uint64_t bias = start - floor_of(first->p_vaddr);
  o.start = start;
  o.limit = start;
  for (const Elf64_Phdr& p : table) {
    const uint64_t at = bias + p.p_vaddr;
    if (p.p_type == PT_LOAD) {
      if (at < start || p.p_memsz > kMaxObject || at - start > kMaxObject) return false;
      o.limit = std::max(o.limit, ceil_of(at + p.p_memsz));
      o.segments.push_back(
          {floor_of(at), ceil_of(at + p.p_memsz), floor_of(p.p_offset), (p.p_flags & PF_X) != 0});
    } else if (p.p_type == PT_NOTE) {
      o.notes.push_back({at, std::min<uint64_t>(p.p_memsz, kMaxNotes), p.p_align});
    }
  }
  return o.start < o.limit;
}

// Nothing: the notes are not in the memory.
std::optional<std::string> build_id_of(Memory& memory, const ForeignModules::Object& o) {
  std::optional<std::string> id;
  for (const auto& segment : o.notes) {
    std::vector<std::byte> notes(segment.bytes);
    if (!memory.read(segment.at, notes.data(), notes.size())) continue;
    id = build_id_in(notes, segment.align);
    if (!id->empty()) break;
  }
  return id;
}

// What the file says, where the memory says nothing: it is taken to be the right one.
std::string build_id_or_that_of_file(Memory& memory, const ForeignModules::Object& o) {
  if (auto id = build_id_of(memory, o)) return *id;
  try {
    return build_id_of_file(o.file);
  } catch (const error&) {
    return {};
  }
}

int find_elf(Dwfl_Module*, void** userdata, const char*, Dwarf_Addr, char** file_name, Elf** elf) {
  auto* object = static_cast<ForeignModules::Object*>(*userdata);
  if (!object) return -1;
  if (!object->vdso.empty()) {
    *elf = vdso_image(object->vdso.data(), object->vdso.size());
    return -1;
  }
  return open_elf(object->file, object->build_id, file_name, elf);
}

const Dwfl_Callbacks kCallbacks = {
    .find_elf = &find_elf,
    .find_debuginfo = dwfl_build_id_find_debuginfo,  // never by the network
    .section_address = nullptr,
    .debuginfo_path = nullptr,
};

}  // namespace

ForeignModules::ForeignModules(const Image& image, Memory& memory, const Locate& locate)
    : dwfl_(dwfl_begin(&kCallbacks)) {
  elf_version(EV_CURRENT);
  uint64_t covered = 0;
  for (const MappedFile& file : image.files) {
    if (file.offset != 0 || file.start < covered) continue;
    auto object = std::make_unique<Object>();
    if (!describe(memory, file.start, *object)) {
      *object = {};
      FileAt on_disk(locate(file, false), file.start);
      if (!describe(on_disk, file.start, *object)) continue;
    }
    object->path = file.path;
    object->program = image.program_at >= object->start && image.program_at < object->limit;
    object->file = locate(file, object->program);
    object->build_id = build_id_or_that_of_file(memory, *object);
    covered = object->limit;
    objects_.push_back(std::move(object));
  }
  add_vdso(image, memory);
}

ForeignModules::~ForeignModules() {
  if (dwfl_) dwfl_end(dwfl_);
}

void ForeignModules::add_vdso(const Image& image, Memory& memory) {
  auto object = std::make_unique<Object>();
  if (image.vdso_at == 0 || !describe(memory, image.vdso_at, *object)) return;
  // As much of it as is mapped: its sections stand behind what its program headers tell.
  for (std::vector<char>& bytes = object->vdso; bytes.size() < kMaxVdso;) {
    const size_t had = bytes.size();
    bytes.resize(had + kPage);
    if (memory.read(image.vdso_at + had, bytes.data() + had, kPage)) continue;
    bytes.resize(had);
    break;
  }
  if (object->vdso.empty()) return;
  object->path = "[vdso]";
  object->build_id = build_id_of(memory, *object).value_or("");
  object->limit = std::max(object->limit, object->start + object->vdso.size());
  const auto at = std::find_if(objects_.begin(), objects_.end(),
                               [&](const auto& o) { return o->start > object->start; });
  if (at != objects_.end()) object->limit = std::min(object->limit, (*at)->start);
  objects_.insert(at, std::move(object));
}

const ForeignModules::Object* ForeignModules::program() const {
  for (const auto& o : objects_) {
    if (o->program) return o.get();
  }
  return nullptr;
}

void ForeignModules::report() {
  if (!dwfl_) throw error("no memory for the debug information");
  dwfl_report_begin(dwfl_);
  for (const auto& o : objects_) {
    Dwfl_Module* module = dwfl_report_module(dwfl_, o->path.c_str(), o->start, o->limit);
    void** userdata = nullptr;
    if (module &&
        dwfl_module_info(module, &userdata, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr)) {
      *userdata = o.get();
    }
  }
  dwfl_report_end(dwfl_, nullptr, nullptr);
}

Dwfl_Module* ForeignModules::find(uintptr_t address) { return dwfl_addrmodule(dwfl_, address); }

std::vector<Mapping> ForeignModules::mappings() {
  std::vector<Mapping> all;
  for (const bool program : {true, false}) {
    for (const auto& o : objects_) {
      if (o->program != program) continue;
      for (const Segment& s : o->segments) {
        if (s.executable) all.push_back({s.start, s.limit, s.offset, o->path, to_hex(o->build_id)});
      }
    }
  }
  return all;
}

std::string build_id_of_file(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) throw error(path + ": " + std::generic_category().message(errno));
  elf_version(EV_CURRENT);
  Elf* elf = elf_begin(fd, ELF_C_READ_MMAP_PRIVATE, nullptr);
  const bool is_elf = elf && elf_kind(elf) == ELF_K_ELF;
  std::string id = is_elf ? profiler::build_id_of(elf) : std::string();
  elf_end(elf);
  close(fd);
  if (!is_elf) throw error(path + ": not a program (no ELF file)");
  return id;
}

}  // namespace weir::profiler::post_mortem
