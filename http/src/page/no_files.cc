// In place of the page's files where it was not built.
#include "page.h"

namespace weir::http::page {

std::span<const File> files() noexcept { return {}; }

}  // namespace weir::http::page
