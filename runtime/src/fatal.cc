// Death (fatal.h).

#include "fatal.h"

#include <cxxabi.h>
#include <string.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <exception>
#include <typeinfo>

#include <weir/introspect.h>
#include <weir/panic.h>

#include "futex.h"
#include "proc.h"
#include "sysmon.h"
#include "tls.h"

namespace weir::rt {

namespace {

std::atomic<introspect::DumpWriter> dump_writer{nullptr};
std::atomic<int> dying_tid{0};

// A dump is asked for: 1 by a dying thread, 2 by SIGQUIT; 3: printed.
enum : uint32_t { kNone, kDeath, kQuit, kDone };
std::atomic<uint32_t> request{kNone};
uint64_t request_goid;
bool request_all;

std::terminate_handler former_terminate;

// WEIR_TRACEBACK, as GOTRACEBACK: none, single, all (default), crash.
enum class Traceback { none, single, all, crash };
Traceback traceback_level() noexcept {
  const char* level = getenv("WEIR_TRACEBACK");
  if (!level) return Traceback::all;
  if (!strcmp(level, "none") || !strcmp(level, "0")) return Traceback::none;
  if (!strcmp(level, "single")) return Traceback::single;
  if (!strcmp(level, "crash")) return Traceback::crash;
  return Traceback::all;
}

// What can be said without the profiler: who waits for what, raw addresses.
void write_raw_dump(uint64_t first_goid, bool all) noexcept {
  for (int pass = 0; pass < 2; pass++) {
    if (pass == 1 && !all) return;
    for (size_t slot = 0; slot < introspect::slot_count(); slot++) {
      introspect::Goroutine g;
      introspect::Registers regs{};
      introspect::Scan scan = introspect::hold(slot, g, regs);
      if (scan == introspect::Scan::empty) continue;
      if (scan == introspect::Scan::held) introspect::release(slot);
      if ((g.goid == first_goid) != (pass == 0)) continue;
      raw_print("goroutine ");
      raw_print_u64(g.goid);
      raw_print(" [");
      raw_print(g.state == introspect::State::waiting ? introspect::to_string(g.wait_reason)
                                                      : introspect::to_string(g.state));
      raw_print(g.thread ? ", locked to thread]:\n" : "]:\n");
      if (g.gopc) {
        raw_print("\tfunction at 0x");
        raw_print_hex(reinterpret_cast<uintptr_t>(g.start_pc));
        raw_print("\ncreated by 0x");
        raw_print_hex(reinterpret_cast<uintptr_t>(g.gopc));
        raw_print(" in goroutine ");
        raw_print_u64(g.parent_goid);
        raw_print("\n");
      }
      raw_print("\n");
    }
  }
  raw_print("(link weir::profiler for stacks with functions and lines)\n");
}

void write_dump(uint64_t first_goid, bool all) noexcept {
  if (auto writer = dump_writer.load()) {
    writer(STDERR_FILENO, first_goid, all);
  } else {
    write_raw_dump(first_goid, all);
  }
}

[[noreturn]] void leave() noexcept {
  if (traceback_level() == Traceback::crash) {
    std::set_terminate(nullptr);
    abort();
  }
  _exit(2);
}

void print_exception() noexcept {
  const std::type_info* type = abi::__cxa_current_exception_type();
  if (!type) {
    raw_print("std::terminate was called without an exception");
    return;
  }
  int status = 0;
  char* name = abi::__cxa_demangle(type->name(), nullptr, nullptr, &status);
  const char* readable = status == 0 ? name : type->name();
  try {
    throw;
  } catch (const panic_error& e) {
    raw_print(e.what());  // Go's text says it all
  } catch (const std::exception& e) {
    raw_print(readable);
    raw_print(": ");
    raw_print(e.what());
  } catch (...) {
    raw_print("exception of type ");
    raw_print(readable);
  }
}

[[noreturn]] void on_terminate() {
  G* gp = tls_getg();
  if (!gp || gp->is_thread || gp->m.load(std::memory_order_relaxed) == nullptr) {
    // A plain thread's exception is its program's business.
    if (former_terminate) former_terminate();
    abort();
  }
  begin_death();
  raw_print("panic: ");
  print_exception();
  raw_print("\n\n");
  dump_and_exit();
}

}  // namespace

void raw_print(const char* text) noexcept {
  size_t left = strlen(text);
  while (left > 0) {
    ssize_t n = write(STDERR_FILENO, text, left);
    if (n <= 0) return;
    text += n;
    left -= static_cast<size_t>(n);
  }
}

void raw_print_u64(uint64_t value) noexcept {
  char buf[24];
  char* at = buf + sizeof buf;
  *--at = 0;
  do {
    *--at = static_cast<char>('0' + value % 10);
  } while (value /= 10);
  raw_print(at);
}

void raw_print_hex(uint64_t value) noexcept {
  char buf[24];
  char* at = buf + sizeof buf;
  *--at = 0;
  do {
    *--at = "0123456789abcdef"[value % 16];
  } while (value /= 16);
  raw_print(at);
}

void begin_death() noexcept {
  int me = gettid(), nobody = 0;
  if (dying_tid.compare_exchange_strong(nobody, me)) return;
  if (dying_tid.load() == me || on_sysmon()) _exit(2);  // died again while dying: enough was said
  for (;;) pause();
}

void await_death() noexcept {
  int who = dying_tid.load();
  if (who == gettid() || (who == 0 && request.load() != kQuit)) return;
  for (;;) pause();
}

void dump_and_exit(bool all_goroutines) noexcept {
  Traceback level = traceback_level();
  if (level == Traceback::none) leave();
  bool all = all_goroutines && level != Traceback::single;
  G* gp = tls_getg();
  uint64_t goid = gp ? gp->goid.load() : 0;
  // Within a blocking call it would be shown from where that began.
  if (gp && (gp->status.load() & ~Gscan) == Gsyscall) casgstatus(gp, Gsyscall, Grunning);
  if (!have_sysmon() || on_sysmon()) {
    write_dump(goid, all);
    leave();
  }
  request_goid = goid;
  request_all = all;
  request.store(kDeath);
  wake_sysmon(true);
  // The dying thread may hold malloc's lock or another one that the dump needs: it is not waited
  // for for ever.
  constexpr int64_t kPatience = 60;  // s
  for (int i = 0; i < kPatience && request.load() != kDone; i++) {
    futex_wait(&request, kDeath, 1'000'000'000);
  }
  if (request.load() != kDone) {
    raw_print("weir: the dump did not finish within 60 s, raw one follows\n\n");
    write_raw_dump(goid, all);
  }
  leave();
}

void serve_dump_request() noexcept {
  switch (request.load()) {
    case kDeath:
      write_dump(request_goid, request_all);
      request.store(kDone);
      futex_wake(&request, INT_MAX);
      break;
    case kQuit: {
      int nobody = 0;
      if (!dying_tid.compare_exchange_strong(nobody, gettid())) break;  // its own dump comes
      raw_print("SIGQUIT: quit\n\n");
      dump_and_exit();
    }
    default:
      break;
  }
}

void request_quit_dump() noexcept {
  uint32_t none = kNone;
  if (request.compare_exchange_strong(none, kQuit)) wake_sysmon(true);
}

void fatal_error(const char* message) noexcept {
  begin_death();
  raw_print("fatal error: ");
  raw_print(message);
  raw_print("\n\n");
  dump_and_exit();
}

void fatal_panic(const char* message) noexcept {
  begin_death();
  raw_print("panic: ");
  raw_print(message);
  raw_print("\n\n");
  dump_and_exit();
}

void install_terminate_handler() noexcept {
  static std::atomic<bool> done{false};
  if (done.exchange(true)) return;
  former_terminate = std::set_terminate(on_terminate);
  std::atexit(await_death);  // main may return, or somebody call exit, meanwhile
}

}  // namespace weir::rt

void weir::introspect::set_dump_writer(DumpWriter writer) noexcept {
  rt::dump_writer.store(writer);
}
