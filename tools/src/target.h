// TARGET: where a command gets goroutines from. A URL (base or full), `unix:PATH` (a debug
// endpoint's socket), a file, or `-` for stdin.
//
// A full URL, with a path below /debug/ or with a query, is fetched as it is. A base URL
// (http://host:port, with a prefix where a proxy has one; also what a browser shows of the index or
// the page) is asked for the richest that is there:
//   1. weir's own JSON, /debug/goroutine?format=json;
//   2. else Go's /debug/pprof/goroutine?debug=1, which does not stop the program however large it
//      is, but has counts only;
//   3. and where that counts at most kMaxStopped goroutines, ?debug=2 in its place: ids, wait
//      reasons and times. Go stops the whole program for it (6 ms for 1000 goroutines, 60 ms for
//      10 000, 500 ms for 100 000), so that of larger ones it has to be asked for by a full URL;
//   4. else, where the URL has a path, what is just there: a dump on a web server.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <weir/profiler/snapshot.h>
#include <CLI/CLI.hpp>

namespace weir::tools {

struct FetchOptions {
  std::string token;                          // sent as a bearer token; empty: none
  std::chrono::milliseconds timeout{30'000};  // for one answer, from the connect on
  size_t max_bytes = size_t{4} << 30;         // of one answer or file
  // Write neither progress nor notes (a dump that was cut off) to stderr: for who draws on the
  // terminal.
  bool quiet = false;
};

// Of a Go program with more goroutines counts are asked for: see above.
inline constexpr uint64_t kMaxStopped = 10'000;

// Adds --token (WEIR_TOKEN) and --timeout to a command.
void add_fetch_options(CLI::App& command, FetchOptions& options);

// Does TARGET mean a debug endpoint (URL or unix:PATH), rather than a file or stdin?
bool is_endpoint(std::string_view target);

// GET of `path` (with its query: "/debug/leaks?format=json") at the endpoint TARGET; of a full URL,
// where its endpoint is. Returns the body. Throws Failure.
std::string get(const std::string& target, const std::string& path, const FetchOptions& options);

// All bytes of TARGET: a file's, stdin's, or the goroutine profile of an endpoint, in the richest
// format that it has. Not more than options.max_bytes. Throws Failure.
std::string fetch(const std::string& target, const FetchOptions& options);

// The goroutines in the bytes of TARGET, whatever format they are in. Text that was cut off is
// taken, with a note on stderr; gzip data that were are not: half of what they hold cannot be told.
// Throws Failure.
profiler::Snapshot parse_dump(const std::string& target, std::string_view bytes,
                              const FetchOptions& options);

// fetch, then parse_dump.
profiler::Snapshot load(const std::string& target, const FetchOptions& options);

// Several at once, in the order of `targets`, by few threads; throws the first one's Failure.
std::vector<profiler::Snapshot> load_all(const std::vector<std::string>& targets,
                                         const FetchOptions& options);

}  // namespace weir::tools
