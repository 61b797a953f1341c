#include "process_image.h"

#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string_view>
#include <system_error>

#include <weir/profiler/error.h>

#include "memory.h"

namespace weir::profiler::post_mortem {

namespace {

std::string proc(pid_t pid, const char* what) {
  return "/proc/" + std::to_string(pid) + "/" + what;
}

std::string all_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string link_of(const std::string& path) {
  std::array<char, PATH_MAX> target;
  const ssize_t n = readlink(path.c_str(), target.data(), target.size());
  return n > 0 ? std::string(target.data(), static_cast<size_t>(n)) : std::string();
}

std::string_view base_of(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

// One line of maps: "start-limit perms offset dev inode   path".
bool parse_line(std::string_view line, MappedFile& file) {
  const char* at = line.data();
  const char* end = at + line.size();
  const auto number = [&](uint64_t& value) {
    const auto [next, failure] = std::from_chars(at, end, value, 16);
    at = next + (next != end ? 1 : 0);
    return failure == std::errc();
  };
  if (!number(file.start) || !number(file.limit)) return false;
  const size_t offset = line.find(' ', static_cast<size_t>(at - line.data()));
  if (offset == std::string_view::npos) return false;
  at = line.data() + offset + 1;
  if (!number(file.offset)) return false;
  const size_t path = line.find('/', static_cast<size_t>(at - line.data()));
  if (path == std::string_view::npos) return false;
  file.path = line.substr(path);
  constexpr std::string_view kDeleted = " (deleted)";
  if (file.path.ends_with(kDeleted)) file.path.resize(file.path.size() - kDeleted.size());
  return true;
}

void check_architecture(pid_t pid) {
  const int fd = open(proc(pid, "exe").c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    const int number = errno;
    if (number == EACCES || number == EPERM) throw error(why_unreadable(pid, EPERM));
    throw error(number == ENOENT ? "the process has ended, or is a kernel thread"
                                 : std::generic_category().message(number));
  }
  Elf64_Ehdr header{};
  const ssize_t n = pread(fd, &header, sizeof header, 0);
  close(fd);
#if defined(__x86_64__)
  constexpr uint16_t kMachine = EM_X86_64;
#elif defined(__aarch64__)
  constexpr uint16_t kMachine = EM_AARCH64;
#endif
  if (n != static_cast<ssize_t>(sizeof header) || header.e_ident[EI_CLASS] != ELFCLASS64 ||
      header.e_machine != kMachine) {
    throw error("a program of another architecture than this weir's");
  }
}

}  // namespace

Image process_image(pid_t pid) {
  if (pid <= 0 || (kill(pid, 0) != 0 && errno == ESRCH)) throw error("no such process");
  check_architecture(pid);
  Image image;
  image.pid = pid;
  const std::string command = all_of(proc(pid, "cmdline"));
  image.process = base_of(std::string_view(command).substr(0, command.find('\0')));
  if (image.process.empty()) image.process = base_of(link_of(proc(pid, "exe")));

  const std::string auxv = all_of(proc(pid, "auxv"));
  const Record record(std::as_bytes(std::span(auxv.data(), auxv.size())));
  for (size_t at = 0; at + 16 <= auxv.size(); at += 16) {
    if (record.word(at) == AT_PHDR) image.program_at = record.word(at + 8);
    if (record.word(at) == AT_SYSINFO_EHDR) image.vdso_at = record.word(at + 8);
  }
  std::ifstream maps(proc(pid, "maps"));
  std::string line;
  while (std::getline(maps, line)) {
    MappedFile file;
    if (parse_line(line, file)) image.files.push_back(std::move(file));
  }
  if (image.files.empty()) throw error(why_unreadable(pid, EPERM));
  return image;
}

std::string mapped_path(pid_t pid, const MappedFile& file, bool program) {
  if (program) return proc(pid, "exe");
  std::array<char, 64> range;
  std::snprintf(range.data(), range.size(), "map_files/%llx-%llx",
                static_cast<unsigned long long>(file.start),
                static_cast<unsigned long long>(file.limit));
  const std::string mapped = proc(pid, range.data());
  if (access(mapped.c_str(), R_OK) == 0) return mapped;  // for privileged readers alone
  return proc(pid, "root") + file.path;
}

std::string why_unreadable(pid_t pid, int number) {
  if (number == ESRCH) return "the process has ended";
  if (number != EPERM && number != EACCES) return std::generic_category().message(number);
  std::ifstream status(proc(pid, "status"));
  std::string line;
  constexpr std::string_view kTracer = "TracerPid:\t";
  while (std::getline(status, line)) {
    if (line.starts_with(kTracer) && line.substr(kTracer.size()) != "0") {
      return "another debugger (process " + line.substr(kTracer.size()) + ") is attached to it";
    }
  }
  return "permission denied: run weir as root or as the process's own user, where "
         "/proc/sys/kernel/yama/ptrace_scope allows it";
}

}  // namespace weir::profiler::post_mortem
