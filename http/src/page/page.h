// The files of the page (web/), as they are linked into the library. Where the library was built
// without npm there are none.
#pragma once

#include <span>
#include <string_view>

namespace weir::http::page {

struct File {
  std::string_view path;  // below /debug/ui/; "" is the page itself
  std::string_view content_type;
  std::string_view etag;  // made of the content, with its quotes
  bool immutable;         // its name tells its content: another content has another name
  std::string_view gzip;
};

std::span<const File> files() noexcept;

}  // namespace weir::http::page
