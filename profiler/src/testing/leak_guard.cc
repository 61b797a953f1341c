// LeakGuard and what goes with it (testing.h).
#include <weir/testing.h>

#include <unistd.h>

#include <atomic>
#include <exception>
#include <string>
#include <string_view>
#include <utility>

#include "exit_status.h"
#include "present.h"
#include "settle.h"

namespace weir::testing {

namespace {

uint64_t next_mark() noexcept {
  static std::atomic<uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

void print_and_fail(const Leaks& leaks) {
  if (report_leaks(leaks)) return;
  print(leaks.text());
  fail_at_exit(Watcher::guard, true);
}

std::atomic<LeakHandler> handler{nullptr};

}  // namespace

std::vector<uint64_t> current_goroutines() {
  std::vector<uint64_t> goids;
  for (const Present& p : present(0)) goids.push_back(p.goid);
  return goids;
}

std::string Leaks::text() const {
  std::string text;
  if (empty()) return text;
  text.append(std::to_string(findings.goroutines));
  text.append(findings.goroutines == 1 ? " goroutine was" : " goroutines were");
  text.append(" left behind.\n");
  profiler::write_findings_text(findings, [&text](std::string_view piece) {
    text.append(piece);
    return true;
  });
  return text;
}

Leaks find_leaks(const LeakOptions& options) {
  return settle_in_run({weir::detail::mark(), options});
}

LeakHandler set_leak_handler(LeakHandler next) noexcept { return handler.exchange(next); }

LeakGuard::LeakGuard(LeakOptions options)
    : options_(std::move(options)), mark_(next_mark()), process_(getpid()), scope_({}, mark_) {}

LeakGuard::~LeakGuard() {
  if (checked_) return;
  try {
    const Leaks leaks = check();
    if (leaks.empty()) return;
    const LeakHandler tell = handler.load();
    tell ? tell(leaks) : print_and_fail(leaks);
  } catch (const std::exception& e) {
    print(std::string("weir: no look for leaks: ") + e.what() + "\n");
    fail_at_exit(Watcher::guard, true);
  }
}

Leaks LeakGuard::check() {
  checked_ = true;
  if (getpid() != process_) return {};
  return settle_in_run({mark_, options_});
}

}  // namespace weir::testing
