// Kinds: what a group of goroutines waits for, in the words of Finding.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include <weir/profiler/finding.h>
#include <weir/profiler/snapshot.h>

namespace weir::profiler::causes {

// By wait reason, kind of object and, where these do not tell, functions. What none of them tells
// counts as a select: it waits for something.
Kind kind_of(const Snapshot& s, const Group& g);

// The functions of its stack, innermost first, the runtime's among them.
std::vector<std::string_view> functions_of(const Snapshot& s, const Group& g);

// A context can end its wait on a channel, too: the runtime's frame tells. (Of other waits it does
// not: they come by the same way with and without a context.)
bool is_cancellable(const Snapshot& s, const Group& g);

// Goroutines that read for connections of Go's HTTP client, and of these, who wait for a body to be
// read or closed.
struct HttpReaders {
  uint64_t all = 0, with_body = 0;
};
HttpReaders http_readers(const Snapshot& s);

}  // namespace weir::profiler::causes
