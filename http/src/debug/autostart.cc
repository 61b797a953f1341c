// WEIR_DEBUG_ADDR: the endpoint of a program that says nothing about it. Its runtime calls here
// when it starts to run; the library's link options pull this file in although nothing refers to it
// (see CMakeLists.txt).
//
// Invariant: whatever the variable says, the program goes on.

#include <weir/http/debug_server.h>
#include <weir/run_hook.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <mutex>

extern "C" {
// What the linker is told to look for.
extern const char weir_http_autostart;
const char weir_http_autostart = 1;
}

namespace weir::http {

namespace {

constexpr const char* kVariable = "WEIR_DEBUG_ADDR";

void start() noexcept {
  const char* const address = std::getenv(kVariable);
  if (!address || !*address) return;
  static std::once_flag once;
  std::call_once(once, [address] {
    try {
      // For the rest of the process, as serve_debug's, which may be another one.
      static const DebugServer* const server = new DebugServer(address);
      const std::string url = server->url();
      const bool is_unix = url.starts_with("unix:");
      std::fprintf(stderr, "weir: the debug endpoint listens on %s%s\n", url.c_str(),
                   is_unix ? "" : "/debug/");
    } catch (const std::exception& e) {
      std::fprintf(stderr, "weir: %s: %s\n", kVariable, e.what());
    }
  });
}

RunHooks hooks{.begin = &start};

[[maybe_unused]] const bool registered = [] {
  add_run_hooks(hooks);
  return true;
}();

}  // namespace

}  // namespace weir::http
