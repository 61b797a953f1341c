// What goroutines wait for, from copies of it: introspect.cc of the runtime, from outside.
#pragma once

#include <weir/introspect.h>

#include "memory.h"
#include "runtime_layout.h"

namespace weir::profiler::post_mortem {

// Bytes to be copied of it; 0: nothing.
size_t object_size(const RuntimeLayout& layout, introspect::ObjectKind kind);

// All kinds but channels; g has o's texts (addresses, URL).
void read_object(const RuntimeLayout& layout, introspect::ObjectKind kind, const Record& from,
                 introspect::Object& o, introspect::Goroutine& g);

}  // namespace weir::profiler::post_mortem
