#include "core_file.h"

#include <fcntl.h>
#include <sys/procfs.h>
#include <sys/stat.h>
#include <sys/user.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include <weir/profiler/error.h>

#include "../elf_notes.h"

namespace weir::profiler::post_mortem {

namespace {

#if defined(__x86_64__)
constexpr uint16_t kMachine = EM_X86_64;
constexpr const char* kMachineName = "x86-64";
#elif defined(__aarch64__)
constexpr uint16_t kMachine = EM_AARCH64;
constexpr const char* kMachineName = "aarch64";
#endif

constexpr uint64_t kMaxNotes = uint64_t{512} << 20;  // bytes: those of 10000 threads, and more
constexpr size_t kMaxSegments = size_t{1} << 23;
constexpr uint32_t kNtFile = 0x46494c45;

introspect::Registers registers_of(const elf_gregset_t& regs) {
  user_regs_struct user;
  static_assert(sizeof user == sizeof regs);
  std::memcpy(&user, &regs, sizeof user);
#if defined(__x86_64__)
  return {user.rip, user.rsp, user.rbp};
#elif defined(__aarch64__)
  return {user.pc, user.sp, user.regs[29]};
#endif
}

}  // namespace

CoreFile::CoreFile(const std::string& path) : fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
  const auto fail = [&](const std::string& why) {
    if (fd_ >= 0) close(fd_);
    throw error(why);
  };
  struct stat info {};
  if (fd_ < 0 || fstat(fd_, &info) != 0) fail(std::generic_category().message(errno));
  if (!S_ISREG(info.st_mode)) fail("not a core file: not even a regular file");
  size_ = static_cast<uint64_t>(info.st_size);
  written_at_ns_ = int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec;

  Elf64_Ehdr header{};
  const size_t got = from_file(fd_, 0, reinterpret_cast<std::byte*>(&header), sizeof header);
  if (got < SELFMAG || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) {
    fail("not a core file (no ELF header)");
  }
  if (got < sizeof header) fail("cut off within the ELF header");
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
      header.e_machine != kMachine) {
    fail(std::string("a core of another architecture: this weir reads 64-bit ") + kMachineName +
         " alone");
  }
  if (header.e_type != ET_CORE) fail("an ELF file, but not a core (a program? see --exe)");
  try {
    read_segments(header);
  } catch (...) {
    close(fd_);
    throw;
  }
}

CoreFile::~CoreFile() {
  close(fd_);
  for (const Backing& b : backings_) close(b.fd);
}

size_t CoreFile::from_file(int fd, uint64_t offset, std::byte* to, size_t bytes) const {
  size_t done = 0;
  while (done < bytes && offset + done <= INT64_MAX) {
    const ssize_t n = pread(fd, to + done, bytes - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    done += static_cast<size_t>(n);
  }
  return done;
}

void CoreFile::read_segments(const Elf64_Ehdr& header) {
  uint64_t count = header.e_phnum;
  if (count == PN_XNUM) {  // more than fit there
    Elf64_Shdr first{};
    if (from_file(fd_, header.e_shoff, reinterpret_cast<std::byte*>(&first), sizeof first) ==
        sizeof first) {
      count = first.sh_info;
    }
  }
  if (header.e_phentsize != sizeof(Elf64_Phdr)) throw error("a damaged core: no segments");
  if (header.e_phoff > size_) count = 0;
  const uint64_t fit = count == 0 ? 0 : (size_ - header.e_phoff) / sizeof(Elf64_Phdr);
  if (count > std::min<uint64_t>(fit, kMaxSegments)) {
    count = std::min<uint64_t>(fit, kMaxSegments);
    cut_ = true;
  }
  std::vector<Elf64_Phdr> table(count);
  const size_t bytes = count * sizeof(Elf64_Phdr);
  const size_t got =
      from_file(fd_, header.e_phoff, reinterpret_cast<std::byte*>(table.data()), bytes);
  table.resize(got / sizeof(Elf64_Phdr));
  for (const Elf64_Phdr& p : table) {
    const uint64_t there = p.p_offset < size_ ? std::min(p.p_filesz, size_ - p.p_offset) : 0;
    if (there < p.p_filesz) cut_ = true;
    if (p.p_type == PT_NOTE) {
      Elf64_Phdr notes = p;
      notes.p_filesz = there;
      read_notes(notes);
    } else if (p.p_type == PT_LOAD && there != 0) {
      segments_.push_back({p.p_vaddr, std::min(there, UINT64_MAX - p.p_vaddr), p.p_offset});
    }
  }
  std::sort(segments_.begin(), segments_.end(),
            [](const Segment& a, const Segment& b) { return a.start < b.start; });
  std::sort(image_.files.begin(), image_.files.end(),
            [](const MappedFile& a, const MappedFile& b) { return a.start < b.start; });
  if (segments_.empty()) throw error("a core without any memory (cut off?)");
}

void CoreFile::read_notes(const Elf64_Phdr& segment) {
  std::vector<std::byte> bytes(std::min(segment.p_filesz, kMaxNotes));
  bytes.resize(from_file(fd_, segment.p_offset, bytes.data(), bytes.size()));
  for_each_note(
      bytes, segment.p_align,
      [this](std::string_view owner, uint32_t type, std::span<const std::byte> desc, size_t) {
        if (owner != "CORE") return false;
        const Record record(desc);
        switch (type) {
          case NT_PRSTATUS: {
            if (desc.size() < sizeof(prstatus_t)) break;
            const auto status = record.get<prstatus_t>(0);
            image_.threads.push_back({status.pr_pid, registers_of(status.pr_reg)});
            break;
          }
          case NT_PRPSINFO: {
            const auto info = record.get<prpsinfo_t>(0);
            image_.pid = info.pr_pid;
            image_.process.assign(info.pr_fname, strnlen(info.pr_fname, sizeof info.pr_fname));
            break;
          }
          case NT_AUXV:
            for (size_t at = 0; at + 16 <= desc.size(); at += 16) {
              const uint64_t key = record.word(at), value = record.word(at + 8);
              if (key == AT_PHDR) image_.program_at = value;
              if (key == AT_SYSINFO_EHDR) image_.vdso_at = value;
            }
            break;
          case kNtFile:
            read_files(desc);
            break;
          default:
            break;
        }
        return false;
      });
}

// count, page size, then {start, end, offset in pages} each, then the names.
void CoreFile::read_files(std::span<const std::byte> desc) {
  const Record record(desc);
  const uint64_t page = record.word(8);
  const uint64_t count = std::min<uint64_t>(record.word(0), desc.size() / 24);
  size_t name = 16 + count * 24;
  for (uint64_t i = 0; i < count && name < desc.size(); ++i) {
    const size_t at = 16 + i * 24;
    const auto* text = reinterpret_cast<const char*>(desc.data() + name);
    const size_t length = strnlen(text, desc.size() - name);
    image_.files.push_back(
        {record.word(at), record.word(at + 8), record.word(at + 16) * page, {text, length}});
    name += length + 1;
  }
}

void CoreFile::back_by_file(uint64_t start, uint64_t limit, uint64_t offset, int fd) {
  backings_.push_back({start, limit, offset, fd});
}

// As far as one segment, or one file, goes.
size_t CoreFile::read_some(uint64_t at, std::byte* to, size_t bytes) const {
  const auto within = [&](const Segment& s) { return at >= s.start && at - s.start < s.bytes; };
  if (last_ >= segments_.size() || !within(segments_[last_])) {
    const auto after = std::upper_bound(segments_.begin(), segments_.end(), at,
                                        [](uint64_t a, const Segment& s) { return a < s.start; });
    if (after != segments_.begin()) last_ = static_cast<size_t>(after - segments_.begin()) - 1;
  }
  if (last_ < segments_.size() && within(segments_[last_])) {
    const Segment& s = segments_[last_];
    const uint64_t skip = at - s.start;
    return from_file(fd_, s.offset + skip, to, std::min<uint64_t>(bytes, s.bytes - skip));
  }
  for (const Backing& b : backings_) {
    if (at < b.start || at >= b.limit) continue;
    return from_file(b.fd, b.offset + (at - b.start), to, std::min<uint64_t>(bytes, b.limit - at));
  }
  return 0;
}

void CoreFile::read(std::span<Read> reads) {
  for (Read& r : reads) {
    r.got = 0;
    while (r.got < r.bytes && r.at <= UINT64_MAX - r.got) {
      const size_t n = read_some(r.at + r.got, r.to + r.got, r.bytes - r.got);
      if (n == 0) break;
      r.got += n;
    }
  }
}

}  // namespace weir::profiler::post_mortem
