// A program without a test framework, for tests/integration/testing_test.py and check_test.py: what
// WEIR_LEAKCHECK and a LeakGuard do to it. Its argument says what it does:
//
//   clean        nothing is left at the end of run
//   leak         one goroutine is left, which waits to receive
//   leak-again   the same, and after it a run that leaves nothing behind
//   mended       the first of two runs leaves a goroutine that the second lets end
//   fail         leak, and the program fails with status 3
//   late         leak, and what is done at exit is written to stdout
//   guard        a LeakGuard finds a leak
//   send         one goroutine is left, which waits to send
//   crash        leak, and before the end of run the program dies of SIGABRT
//   become       leak, and after it the process becomes another program: this one, with send
//   hold         says that it runs, and runs until its standard input ends; then leak
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string_view>

#include <weir/testing.h>
#include <weir/weir.h>

namespace leaky {

[[gnu::noinline]] void receive(weir::chan<int> c) { c.recv(); }

[[gnu::noinline]] void send(weir::chan<int> c) { c.send(1); }

void leave_one() {
  auto c = weir::make_chan<int>();
  weir::go([c] { receive(c); });
}

void leave_a_sender() {
  auto c = weir::make_chan<int>();
  weir::go([c] { send(c); });
}

// Until the standard input ends.
void hold() {
  std::puts("holding");
  std::fflush(stdout);
  weir::blocking([] {
    char c = 0;
    while (read(STDIN_FILENO, &c, 1) > 0) {
    }
  });
  leave_one();
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
  if (what == "send") return weir::run(leave_a_sender);
  if (what == "crash") return weir::run([] { leave_one(), std::abort(); });
  if (what == "become") {
    weir::run(leave_one);
    execl("/proc/self/exe", "weir-leaky-program", "send", nullptr);
    return 2;
  }
  if (what == "hold") return weir::run(hold);
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
