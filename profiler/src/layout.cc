// The process in which Graphviz runs (layout.h): becomes active before main, as the first of the
// executable's constructors, when the process was started by render(). It never gets to main.
//
// Invariants: one thread; the process ends by _exit, by its alarm, or by the limits that it has set
// itself, also when its parent is gone. Nothing of the program has run: no constructor of its own
// C++ objects, no scheduler.
#include "layout.h"

#include <gvc.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <system_error>

namespace weir::profiler::layout {

namespace {

bool write_all(const char* data, size_t n) {
  while (n > 0) {
    const ssize_t written = ::write(STDOUT_FILENO, data, n);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    data += written;
    n -= static_cast<size_t>(written);
  }
  return true;
}

[[noreturn]] void answer(const char* status, const char* data, size_t n) {
  const std::string head = std::string(status) + " " + std::to_string(n) + "\n";
  ::_exit(write_all(head.data(), head.size()) && write_all(data, n) ? 0 : 1);
}

[[noreturn]] void fail(const std::string& why) { answer("error", why.data(), why.size()); }

void limit(int resource, rlim_t n) {
  const rlimit both{n, n};
  (void)::setrlimit(static_cast<__rlimit_resource>(resource), &both);
}

// Beyond what the executable and its libraries take. Sanitizers reserve most of the address space.
void limit_memory([[maybe_unused]] size_t mib) {
#ifndef WEIR_SANITIZED
  size_t pages = 0;
  if (FILE* const statm = std::fopen("/proc/self/statm", "re")) {
    if (std::fscanf(statm, "%zu", &pages) != 1) pages = 0;
    std::fclose(statm);
  }
  limit(RLIMIT_AS, pages * static_cast<size_t>(::sysconf(_SC_PAGESIZE)) + (mib << 20));
#endif
}

std::string read_all() {
  std::string text;
  char buffer[65536];
  for (;;) {
    const ssize_t n = ::read(STDIN_FILENO, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail(std::string("reading the graph: ") + std::generic_category().message(errno));
    if (n == 0) return text;
    text.append(buffer, static_cast<size_t>(n));
  }
}

[[noreturn]] void draw(const char* format) {
  const std::string text = read_all();
  agseterr(AGMAX);  // what it has to say comes by the status; stderr is the program's
  GVC_t* const context = gvContext();
  if (!context) fail("Graphviz cannot start");
  Agraph_t* const graph = agmemread(text.c_str());
  if (!graph) fail("Graphviz does not accept the text as a graph");
  if (gvLayout(context, graph, "dot") != 0) fail("Graphviz finds no layout for the graph");
  char* picture = nullptr;
  unsigned size = 0;
  if (gvRenderData(context, graph, format, &picture, &size) != 0 || !picture) {
    fail(std::string("Graphviz cannot write ") + format + ": a plugin is missing");
  }
  answer("ok", picture, size);
}

// 101 is the first priority that programs may use.
[[gnu::constructor(101)]] void draw_if_started_for_it(int argc, char** argv, char**) {
  if (argc != kArguments || std::strcmp(argv[0], kName) != 0) return;
  (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
  (void)::prctl(PR_SET_NAME, "weir-draw");
  limit(RLIMIT_CORE, 0);
  const long ms = std::strtol(argv[2], nullptr, 10);
  const itimerval alarm{{0, 0}, {ms / 1000, ms % 1000 * 1000}};
  (void)::setitimer(ITIMER_REAL, &alarm, nullptr);
  limit_memory(std::strtoul(argv[3], nullptr, 10));
  draw(argv[1]);
}

}  // namespace

void link() noexcept {}

}  // namespace weir::profiler::layout
