// Dumps of goroutines -> Snapshot: what Go 1.19 to 1.27 and weir write, from whatever process.
// Pure functions: no files, no process is looked at. Safe to call from several threads at once.
//
// Input is not trusted. A file of any content gives a Snapshot or a ParseError, in time and memory
// that are proportional to its (decompressed) size: see ParseOptions. What comes out has no index
// that points nowhere, and all writers of encode.h write it.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string_view>

#include <weir/profiler/snapshot.h>

namespace weir::profiler {

struct ParseOptions {
  size_t max_bytes = size_t{1} << 30;  // of the input, once decompressed
  size_t max_goroutines = 16'000'000;  // that are told one by one
  size_t max_depth = 100'000;          // frames of one stack
  size_t max_expansion = 64;           // bytes of Snapshot for each byte of (decompressed) input;
                                       // 16 MiB are always granted
  bool cut_gzip = true;  // gzip data that end too early: take what is whole; false: refuse them
};

// One line that names the place in the input (a line, or a byte from 0) and what was expected.
class ParseError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The input may well be a dump, but is larger than ParseOptions allow.
class ParseLimit : public ParseError {
 public:
  using ParseError::ParseError;
};

// Tells the format by the content, whatever the file is called; gzip or not. What the input does
// not tell is left as snapshot.h says "not known". Text that was cut off in the middle, or gzip
// that was, gives what is whole, with Snapshot::truncated. Throws ParseError, std::bad_alloc.
Snapshot parse(std::string_view bytes, const ParseOptions& options = {});

// One format each, gzip or not.

// Go's debug=1: groups with counts. Its addresses that have no name, those of the runtime at the
// leaf and the root, become frames "[runtime]". State and wait reason are taken from the functions
// where these tell, else they are `waiting` for "". Also `goroutineleak` (groups are `leaked`) and
// `threadcreate` (groups are `thread`s).
Snapshot parse_debug1(std::string_view bytes, const ParseOptions& options = {});

// Go's debug=2, and what a panic, a fatal error or SIGQUIT prints: text before, between and after
// the goroutines is passed over, and so is a prefix that a log puts before every line. It has no
// program counters: a location's address is made from its functions and lines, the same for the
// same place in every dump, beyond all addresses of programs. Arguments are not kept. Times are
// whole minutes. A second dump in the same text is not read.
Snapshot parse_debug2(std::string_view bytes, const ParseOptions& options = {});

// profile.proto of goroutines: Go's and ours (debug=0 and debug=3), and CockroachDB's with one
// sample per goroutine. State and wait reason are taken from labels, else from the functions.
Snapshot parse_pprof(std::string_view bytes, const ParseOptions& options = {});

// JSON of the schema "weir.snapshot/1": the very Snapshot that was written.
Snapshot parse_json(std::string_view bytes, const ParseOptions& options = {});

}  // namespace weir::profiler
