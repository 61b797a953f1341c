// weir top: a live view of a target's goroutines.

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

#include "command.h"
#include "failure.h"
#include "number.h"
#include "output.h"
#include "target.h"
#include "top/feed.h"
#include "top/model.h"
#include "top/restore.h"
#include "top/screen.h"
#include "top/source.h"
#include "top/view.h"

namespace weir::tools {

namespace {

using namespace top;

constexpr double kLeastInterval = 0.5, kMostInterval = 3600;  // s
constexpr int64_t kSecondNs = 1'000'000'000;

struct Options {
  std::string target, view = "groups", filter;
  double interval = 2;  // s
  bool once = false;
  FetchOptions fetch;
};

const std::map<std::string, View> kViewNames = {{"groups", View::groups},
                                                {"growth", View::growth},
                                                {"findings", View::findings},
                                                {"scheduler", View::scheduler}};

// COLUMNS of the environment where stdout is no terminal.
size_t text_columns() {
  const char* columns = std::getenv("COLUMNS");
  const long n = columns == nullptr ? 0 : std::strtol(columns, nullptr, 10);
  return n <= 0 ? 80 : static_cast<size_t>(std::clamp<long>(n, kMinColumns, 1000));
}

int show_once(const Options& o) {
  const Charset charset = charset_of_locale();
  Source source(o.target, o.fetch);
  const int64_t now = steady_now_ns();
  auto sample = std::make_shared<const Sample>(source.take(now));
  // As many lines as there are.
  Model model(o.target, charset, {text_columns(), sample->rows.size() + 10'000});
  model.set_view(kViewNames.at(o.view));
  model.take(std::move(sample), now);
  model.set_filter(o.filter);
  const std::string text = render_text(model, now);
  write_output("", [&text](const profiler::Sink& sink) { return sink(text); });
  return kClean;
}

// The first answer decides whether there is anything to show.
void await_first(const Feed& feed) {
  const int64_t until = steady_now_ns() + kSecondNs;
  while (!feed.latest() && feed.status().failure.empty() && steady_now_ns() < until) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

// Throws what a target has failed with that has never answered.
void throw_first_failure(const Feed& feed) {
  const FeedStatus status = feed.status();
  if (status.last_good_ns == 0 && !status.failure.empty()) {
    throw std::runtime_error(status.failure);
  }
}

// Until a key or a signal ends it; the signal, 0: a key.
int run(const Options& o, Feed& feed) {
  Screen screen;
  Model model(o.target, screen.charset(), screen.size());
  model.set_view(kViewNames.at(o.view));
  model.set_filter(o.filter);
  for (;;) {
    int64_t now = steady_now_ns();
    throw_first_failure(feed);
    model.take(feed.latest(), now);
    model.take(feed.status());
    screen.draw(render(model, now));
    const Screen::Event event = screen.wait(kSecondNs);  // ages are told by the second
    if (event.end_by != 0) return event.end_by;
    if (event.resized || screen.size() != model.size()) model.resize(screen.size());
    now = steady_now_ns();
    for (const Key& key : event.keys) {
      switch (model.press(key, now)) {
        case Model::Answer::quit:
          return 0;
        case Model::Answer::ask_now:
          feed.ask_now();
          break;
        case Model::Answer::redraw:
          screen.draw_anew();
          break;
        case Model::Answer::nothing:
          break;
      }
    }
  }
}

int show_live(const Options& o) {
  if (const std::string why = Screen::missing(); !why.empty()) {
    throw Failure("top", why + "; weir top --once or weir dump write text");
  }
  const auto source = std::make_shared<Source>(o.target, o.fetch);
  const auto interval = std::chrono::nanoseconds(static_cast<int64_t>(o.interval * 1e9));
  Feed feed([source](int64_t at_ns) { return source->take(at_ns); }, interval, &Screen::wake);
  await_first(feed);
  throw_first_failure(feed);
  const int signal = run(o, feed);
  // Whoever sent a signal sees that it was what ended us.
  if (signal != 0) restore::die_of(signal);
  // An answer may be under way for as long as its time-out; nobody waits for it, and what is
  // destroyed at exit may not be while its thread runs.
  if (!feed.stop()) std::quick_exit(kClean);
  return kClean;
}

}  // namespace

void add_top(CLI::App& weir, Action& action) {
  CLI::App* command = weir.add_subcommand(
      "top", "Live view of a target: groups of goroutines, growth, findings, scheduler");
  auto options = std::make_shared<Options>();
  command->add_option("TARGET", options->target, "URL, unix:PATH, file, or - for stdin")
      ->required();
  command
      ->add_option("--interval", options->interval,
                   "Seconds between two samples; more where the target takes long to answer")
      ->check(number_from(kLeastInterval, kMostInterval))
      ->capture_default_str();
  command->add_option("--view", options->view, "What is shown first")
      ->check(CLI::IsMember({"groups", "growth", "findings", "scheduler"}))
      ->capture_default_str();
  command
      ->add_option("--filter", options->filter,
                   "Only what this text or regular expression is found in")
      ->check([](const std::string& text) {
        return text.size() <= 200 ? std::string() : std::string("at most 200 bytes");
      });
  command->add_flag("--once", options->once, "Write one frame as text and end");
  add_fetch_options(*command, options->fetch);
  command->callback([&action, options] {
    options->fetch.quiet = true;
    action = [options] { return options->once ? show_once(*options) : show_live(*options); };
  });
}

}  // namespace weir::tools
