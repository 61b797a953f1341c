#include "target.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <weir/profiler/parse.h>

#include "failure.h"

namespace weir::tools {

void add_fetch_options(CLI::App& command, FetchOptions& options) {
  command.add_option("--token", options.token, "Bearer token of the endpoint")
      ->envname("WEIR_TOKEN");
}

bool is_endpoint(std::string_view target) {
  return target.starts_with("http://") || target.starts_with("https://") ||
         target.starts_with("unix:");
}

std::string get(const std::string& target, const std::string&, const FetchOptions&) {
  throw Failure(target, "endpoints cannot be asked yet");
}

std::string fetch(const std::string& target, const FetchOptions& options) {
  if (is_endpoint(target)) return get(target, "/debug/goroutine?format=json", options);
  const int fd = target == "-" ? STDIN_FILENO : open(target.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) throw Failure(target, std::strerror(errno));
  std::string bytes;
  char piece[65536];
  for (ssize_t n; (n = read(fd, piece, sizeof piece)) != 0;) {
    if (n < 0) throw Failure(target, std::strerror(errno));
    bytes.append(piece, static_cast<size_t>(n));
  }
  if (fd != STDIN_FILENO) close(fd);
  return bytes;
}

profiler::Snapshot load(const std::string& target, const FetchOptions& options) {
  try {
    return profiler::parse(fetch(target, options));
  } catch (const profiler::ParseError& e) {
    throw Failure(target, e.what());
  }
}

std::vector<profiler::Snapshot> load_all(const std::vector<std::string>& targets,
                                         const FetchOptions& options) {
  std::vector<profiler::Snapshot> all;
  for (const std::string& target : targets) all.push_back(load(target, options));
  return all;
}

}  // namespace weir::tools
