// What must hold of any input of parse_report: it is refused with a ParseError of one line, or what
// was read can be told in every format, each of them whole, and what was written as JSON is read
// again to the same. The fuzz target and the unit tests check it with this function.
#pragma once

#include <string>
#include <string_view>

namespace weir::profiler::fuzz {

// Empty: it holds; else what does not, in words.
std::string broken_report(std::string_view bytes);

}  // namespace weir::profiler::fuzz
