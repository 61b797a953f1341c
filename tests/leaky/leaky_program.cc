// A program without a test framework, for tests/integration/testing_test.py: what WEIR_LEAKCHECK
// and a LeakGuard do to it. Its argument says what it does:
//
//   clean        nothing is left at the end of run
//   leak         one goroutine is left, which waits to receive
//   leak-again   the same, and after it a run that leaves nothing behind
//   mended       the first of two runs leaves a goroutine that the second lets end
//   fail         leak, and the program fails with status 3
//   late         leak, and what is done at exit is written to stdout
//   guard        a LeakGuard finds a leak
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string_view>

#include <weir/testing.h>
#include <weir/weir.h>

namespace leaky {

[[gnu::noinline]] void receive(weir::chan<int> c) { c.recv(); }

void leave_one() {
  auto c = weir::make_chan<int>();
  weir::go([c] { receive(c); });
}

int program(std::string_view what) {
  if (what == "clean") return weir::run([] {});
  if (what == "leak") return weir::run(leave_one);
  if (what == "leak-again") return weir::run(leave_one), weir::run([] {});
  if (what == "mended") {
    auto c = weir::make_chan<int>();
    weir::run([c] { weir::go([c] { receive(c); }); });
    return weir::run([c]() mutable { c.close(); });
  }
  if (what == "fail") return weir::run(leave_one), 3;
  if (what == "late") {
    std::atexit([] { std::puts("done at exit"); });
    return weir::run(leave_one);
  }
  if (what == "guard") {
    const weir::testing::LeakGuard guard({.name = "the scope"});
    return weir::run(leave_one);
  }
  return 2;
}

}  // namespace leaky

int main(int argc, char** argv) {
  try {
    return leaky::program(argc > 1 ? argv[1] : "");
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 2;
  }
}
