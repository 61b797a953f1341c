// Death: Go-style messages, a dump of all goroutines, exit status 2.
#pragma once

#include <cstdint>

namespace weir::rt {

// Writes to stderr with write(2) only. Async-signal-safe. `%`-free: pieces, numbers by
// raw_print_u64.
void raw_print(const char* text) noexcept;
void raw_print_u64(uint64_t value) noexcept;
void raw_print_hex(uint64_t value) noexcept;

// "fatal error: <message>" and the dump. Go: fatal, throw. Also for contradictions inside the
// runtime.
[[noreturn]] void fatal_error(const char* message) noexcept;
// "panic: <message>" and the dump: a panic that nobody recovered.
[[noreturn]] void fatal_panic(const char* message) noexcept;
// The common end: when the caller has printed its lines by raw_print after begin_death, prints the
// dump (the calling goroutine first) and exits with status 2. Only the first thread to die gets
// past begin_death; others wait in it for the end of the process.
void begin_death() noexcept;
[[noreturn]] void dump_and_exit(bool all_goroutines = true) noexcept;
// Where the program would end otherwise: when a death is under way on another thread, its dump and
// its exit status come first. Then it does not return.
void await_death() noexcept;

// Async-signal-safe: the dump of all goroutines, then exit status 2, as Go does at SIGQUIT.
void request_quit_dump() noexcept;
// sysmon: prints the dump that was asked for.
void serve_dump_request() noexcept;

// std::set_terminate's handler while goroutines may run: an exception that nobody caught.
void install_terminate_handler() noexcept;

}  // namespace weir::rt
