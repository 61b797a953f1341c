#include "picture.h"

#include <string_view>

#include <weir/profiler/draw.h>

#include "output.h"
#include "progress.h"

namespace weir::tools {

namespace {

std::string drawn(const std::string& dot, profiler::Picture picture) {
  const Progress progress("drawing");
  return profiler::render(dot, picture);
}

}  // namespace

std::string picture_format(const std::string& asked, const std::string& file) {
  if (!asked.empty()) return asked;
  if (file.ends_with(".png")) return "png";
  return file.ends_with(".dot") || file.ends_with(".gv") ? "dot" : "svg";
}

void write_picture(const std::string& dot, const std::string& format, const std::string& file) {
  std::string bytes = dot;
  if (format == "png") bytes = drawn(dot, profiler::Picture::png);
  if (format == "svg") {
    // render()'s begins at its element, to stand within a page; this one is a file.
    bytes = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"no\"?>\n" +
            drawn(dot, profiler::Picture::svg);
  }
  write_output(file, [&bytes](const profiler::Sink& sink) { sink(bytes); });
}

}  // namespace weir::tools
