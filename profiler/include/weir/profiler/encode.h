// Snapshot -> the formats that Go's tools and ours read. Pure functions; output is streamed to the
// sink in pieces of bounded size, so that a million goroutines need no text in memory.
#pragma once

#include <functional>
#include <string_view>

#include <weir/profiler/snapshot.h>

namespace weir::profiler {

// Takes the next bytes; false: the reader is gone, stop. The encoders then return false too.
using Sink = std::function<bool(std::string_view)>;

// Go's debug=1: groups with counts. go tool pprof reads it. Threads count like goroutines. States,
// times and creators stand in `# state:` lines, which Go's readers pass over.
bool write_debug1(const Snapshot& s, const Sink& sink);
// Go's debug=2, as a panic prints it: every goroutine with its stack. panicparse reads it: for its
// sake a place in a C++ file ends in a mark (`file.cc:41 +0x1b .c:41`), and labels stand within the
// brackets.
bool write_debug2(const Snapshot& s, const Sink& sink);
// profile.proto, gzip: go tool pprof reads it. weir's own frames are left out at the leaf and the
// root, so that the function which blocks is the one with the flat count. Each sample has the
// labels `state`, `wait_reason` and `created_by` beside its own, and a second value: how long its
// goroutines have been blocked, together, in nanoseconds (go tool pprof -sample_index=wait).
bool write_pprof(const Snapshot& s, const Sink& sink);
// The same with one sample per goroutine, as debug=3 of CockroachDB's Go: its id and its creator's,
// state, minutes, and also name, wait_ns, stack_bytes, cpu_ns (src/encode_pprof.cc has the list).
bool write_pprof3(const Snapshot& s, const Sink& sink);
// JSON, schema "weir.snapshot/1": all that the Snapshot holds. src/encode_json.cc describes it.
bool write_json(const Snapshot& s, const Sink& sink);

}  // namespace weir::profiler
