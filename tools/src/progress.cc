#include "progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "printable.h"

namespace weir::tools {

namespace {

size_t columns() {
  winsize size{};
  const bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 80;
}

void write_stderr(const std::string& text) {
  [[maybe_unused]] const ssize_t n = ::write(STDERR_FILENO, text.data(), text.size());
}

}  // namespace

Progress::Progress(std::string_view what) : Progress(what, Options{}) {}

Progress::Progress(std::string_view what, Options options)
    : what_(printable(what)), options_(options) {
  if (options_.shown && isatty(STDERR_FILENO) == 1) {
    drawer_ = std::thread([this] { draw_until_done(); });
  }
}

Progress::~Progress() {
  if (!drawer_.joinable()) return;
  {
    std::scoped_lock hold(mu_);
    done_ = true;
  }
  wake_.notify_one();
  drawer_.join();
}

void Progress::say(std::string how_far) {
  std::scoped_lock hold(mu_);
  how_far_ = std::move(how_far);
}

void Progress::draw_until_done() {
  const auto start = std::chrono::steady_clock::now();
  std::unique_lock hold(mu_);
  const auto is_done = [this] { return done_; };
  if (wake_.wait_for(hold, options_.patience, is_done)) return;
  do {
    const auto passed =
        std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - start);
    std::string line = what_ + ": " + (how_far_.empty() ? "" : how_far_ + ", ") +
                       std::to_string(passed.count()) + " s";
    // A line that is too long would wrap, and could not be cleared.
    const size_t width = columns() - 1;
    if (line.size() > width) line = first_line(line, width > 2 ? width - 2 : 0);
    write_stderr("\r" + line + "\x1b[K");
  } while (!wake_.wait_for(hold, options_.interval, is_done));
  write_stderr("\r\x1b[K");
}

}  // namespace weir::tools
