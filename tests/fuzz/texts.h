// What the properties of fuzz targets ask of texts, whatever they are made of.
#pragma once

#include <string>
#include <string_view>

namespace weir::profiler::fuzz {

// Where two texts part, in words.
std::string difference(const std::string& a, const std::string& b);

// Is it valid UTF-8 whose lines have nothing that is not to be shown? Empty: yes; else what, where.
std::string unprintable(const std::string& text);

// What is thrown at a user; empty: it is one line, not too long.
std::string not_one_line(std::string_view message);

}  // namespace weir::profiler::fuzz
