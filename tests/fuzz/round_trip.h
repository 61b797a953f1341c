// What must hold of any input of a reader: it is refused with a ParseError of one line, or what was
// read can be written in all four formats, and what was written is read again to the same, and the
// detectors find nothing in it that cannot be told. The fuzz
// targets and the unit tests check it with this function.
#pragma once

#include <string>
#include <string_view>

#include <weir/profiler/parse.h>

namespace weir::profiler::fuzz {

using Reader = Snapshot(std::string_view, const ParseOptions&);

// Empty: it holds; else what does not, in words. Fills `to`, if there is one, with what was read.
std::string broken(Reader& reader, std::string_view bytes, Snapshot* to = nullptr);

// Same, for a Snapshot from elsewhere.
std::string broken(const Snapshot& s);

}  // namespace weir::profiler::fuzz
