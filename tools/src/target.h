// TARGET: where a command gets goroutines from. A URL (base or full), `unix:PATH` (a debug
// endpoint's socket), a file, or `-` for stdin.
#pragma once

#include <chrono>
#include <cstddef>
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
};

// Adds --token (WEIR_TOKEN) and --timeout to a command.
void add_fetch_options(CLI::App& command, FetchOptions& options);

// Does TARGET mean a debug endpoint (URL or unix:PATH), rather than a file or stdin?
bool is_endpoint(std::string_view target);

// GET of `path` (with its query: "/debug/leaks?format=json") at the endpoint TARGET. Returns the
// body. Throws Failure.
std::string get(const std::string& target, const std::string& path, const FetchOptions& options);

// All bytes of TARGET: a file's, stdin's, or the goroutine profile of an endpoint, in the richest
// format that it has. Throws Failure.
std::string fetch(const std::string& target, const FetchOptions& options);

// The goroutines of TARGET, whatever format they come in. Throws Failure.
profiler::Snapshot load(const std::string& target, const FetchOptions& options);

// Several at once, in the order of `targets`; throws the first one's Failure.
std::vector<profiler::Snapshot> load_all(const std::vector<std::string>& targets,
                                         const FetchOptions& options);

}  // namespace weir::tools
