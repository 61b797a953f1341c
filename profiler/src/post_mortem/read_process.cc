// read_process: a running process -> Snapshot.

#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <exception>
#include <string>
#include <thread>

#include <weir/profiler/error.h>
#include <weir/profiler/post_mortem.h>

#include "../roomy_stack.h"
#include "foreign_modules.h"
#include "process_image.h"
#include "process_memory.h"
#include "process_stop.h"
#include "reader.h"

namespace weir::profiler {

namespace {

using namespace post_mortem;

// Where a machine is busy, a thread may not get a processor to stop on within one stop's time.
constexpr int kStops = 8;
constexpr std::chrono::milliseconds kBetweenStops{20};

// On a thread of its own, with which all ends that the kernel keeps for who stops others. Returns
// how long the process was stopped, at most, in ns.
int64_t copy_while_stopped(pid_t pid, Reader& reader, int64_t longest_ns) {
  int64_t longest = 0;
  std::exception_ptr failure;
  std::thread([&] {
    try {
      for (int i = 1; i <= kStops; ++i) {
        const int64_t start = steady_ns();
        ProcessStop stop(pid, start + longest_ns / 4 * 3);
        const bool done = reader.copy_stopped(stop.threads(), start + longest_ns, i == kStops);
        longest = std::max(longest, stop.end() - start);
        if (done) break;
        std::this_thread::sleep_for(kBetweenStops);
      }
    } catch (...) {
      failure = std::current_exception();
    }
  }).join();
  if (failure) std::rethrow_exception(failure);
  return longest;
}

Snapshot read(pid_t pid, const ReadProcessOptions& options) {
  const auto wall = std::chrono::system_clock::now();
  const int64_t start = steady_ns();
  const Image image = process_image(pid);
  ProcessMemory memory(pid);
  errno = 0;
  if (!memory.get<uint64_t>(image.program_at)) throw error(why_unreadable(pid, errno));
  ForeignModules modules(image, memory, [&](const MappedFile& file, bool program) {
    return mapped_path(pid, file, program);
  });
  modules.report();
  Reader reader(modules, memory);
  int64_t stopped = 0;
  if (reader.read_running()) {
    stopped = copy_while_stopped(pid, reader, options.longest_stop_ns);
    reader.digest_copies();
  }
  reader.find_dead_owners();
  if (reader.incomplete() && kill(pid, 0) != 0 && errno == ESRCH) {
    throw error("the process ended while it was read");
  }
  const int64_t end = steady_ns();

  Snapshot s = reader.finish();
  s.taken_at_ns =
      std::chrono::duration_cast<std::chrono::nanoseconds>(wall.time_since_epoch()).count();
  s.duration_ns = end - start;
  s.longest_hold_ns = stopped;
  s.process = image.process;
  s.pid = pid;
  s.source = "weir";
  return s;
}

}  // namespace

Snapshot read_process(pid_t pid, const ReadProcessOptions& options) {
  try {
    return on_roomy_stack([&] { return read(pid, options); });
  } catch (const error& e) {
    throw error("process " + std::to_string(pid) + ": " + e.what());
  }
}

}  // namespace weir::profiler
