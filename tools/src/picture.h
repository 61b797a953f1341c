// Graphs as files: DOT text, SVG, PNG.
#pragma once

#include <string>

namespace weir::tools {

// The format that was asked for; else what the file's name says (.png, .dot, .gv); else svg.
std::string picture_format(const std::string& asked, const std::string& file);

// Writes a graph's DOT text to `file` as svg, png or dot. Throws Failure, weir::profiler::error.
void write_picture(const std::string& dot, const std::string& format, const std::string& file);

}  // namespace weir::tools
