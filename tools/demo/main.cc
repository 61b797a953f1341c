// weir-leakzoo: a service that leaks goroutines in every known way, for people and tools to look
// at.
//
// The leaks run as goroutines; the endpoint and the ticker run on OS threads, outside of the
// scheduler, so that they go on when every goroutine is stuck.

#include <weir/http/debug_server.h>
#include <weir/http/error.h>
#include <weir/profiler/capture.h>
#include <weir/weir.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "report.h"
#include "zoo.h"

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

std::atomic<bool> stop{false};
void on_stop(int) { stop = true; }

[[noreturn]] void usage_error(const std::string& what) {
  std::fprintf(stderr, "weir-leakzoo: %s\n", what.c_str());
  std::exit(2);
}

// The animals of --leak=LIST. `all` and `none` bring the healthy neighbours along.
std::vector<const zoo::Animal*> chosen(const std::vector<std::string>& names) {
  std::vector<const zoo::Animal*> result;
  for (const std::string& name : names) {
    bool found = false;
    for (const zoo::Animal& a : zoo::animals()) {
      bool neighbour = a.leak == nullptr;
      if (name != a.name && name != "all" && !(name == "none" && neighbour)) continue;
      found = true;
      if (std::find(result.begin(), result.end(), &a) == result.end()) result.push_back(&a);
    }
    if (found) continue;
    std::string known;
    for (const zoo::Animal& a : zoo::animals()) known += " " + std::string(a.name);
    usage_error("--leak=" + name + ": no such leak; there are: all none" + known);
  }
  return result;
}

// Leaks `rate` goroutines a second; in batches, so that high rates are met.
void leak_at_rate(const zoo::Animal& animal, double rate) {
  auto start = Clock::now();
  double leaked = 0;
  for (;;) {
    double due = std::chrono::duration<double>(Clock::now() - start).count() * rate + 1;
    for (; leaked < due; leaked++) animal.leak();
    auto next = std::chrono::duration<double>((leaked - 1) / rate);
    weir::sleep_until(
        std::max(start + std::chrono::duration_cast<Clock::duration>(next), Clock::now() + 1ms));
  }
}

// Every two seconds, until asked to end.
class Ticker {
 public:
  Ticker() : thread_([this] { run(); }) {}
  ~Ticker() {
    {
      std::scoped_lock hold(mu_);
      ended_ = true;
    }
    changed_.notify_one();
    thread_.join();
  }

 private:
  void run() {
    std::unique_lock hold(mu_);
    while (!changed_.wait_for(hold, 2s, [this] { return ended_; })) {
      hold.unlock();
      const weir::profiler::Snapshot s = weir::profiler::capture();
      const std::string news = findings_.news(s, Clock::now().time_since_epoch() / 1ns);
      std::printf("%s\n%s", zoo::summary(s).c_str(), news.c_str());
      std::fflush(stdout);
      hold.lock();
    }
  }

  std::mutex mu_;
  std::condition_variable changed_;
  bool ended_ = false;
  zoo::Findings findings_;
  std::thread thread_;
};

// Where the endpoint is, and how to ask it.
void introduce(const std::string& url) {
  const char* const u = url.c_str();
  constexpr std::string_view kUnix = "unix:";
  if (url.starts_with(kUnix)) {
    std::printf(
        "weir-leakzoo: %s\n  curl --unix-socket '%s' 'http://localhost/debug/goroutine?debug=2'\n",
        u, u + kUnix.size());
  } else {
    std::printf(
        "weir-leakzoo: %s/debug/\n  the page: %s/debug/ui/\n  curl '%s/debug/goroutine?debug=2'\n  "
        "go tool pprof "
        "-top %s/debug/pprof/goroutine\n",
        u, u, u, u);
  }
  std::fflush(stdout);
}

void list() {
  for (const zoo::Animal& a : zoo::animals()) {
    std::printf("%-24s %s\n", std::string(a.name).c_str(), std::string(a.what).c_str());
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("A service that leaks goroutines in every known way, to be looked at over HTTP.",
               "weir-leakzoo");
  std::string listen = "127.0.0.1:6060";
  std::vector<std::string> leaks = {"all"};
  double rate = 1, duration = 0;
  bool want_list = false;
  app.add_option("--listen", listen,
                 "address of the debug endpoint: HOST:PORT (port 0: any) or unix:PATH")
      ->capture_default_str();
  app.add_option("--leak", leaks,
                 "names of --list, separated by commas; all; none: healthy neighbours only")
      ->delimiter(',')
      ->capture_default_str();
  app.add_option("--rate", rate, "goroutines leaked per second, of each kind")
      ->check(CLI::Range(0.001, 1e6))
      ->capture_default_str();
  app.add_option("--duration", duration, "seconds to run; 0: until SIGINT or SIGTERM")
      ->check(CLI::Range(0.0, 1e9))
      ->capture_default_str();
  app.add_flag("--list", want_list, "list the leaks and the healthy neighbours");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);
    usage_error(std::string(e.what()) + " (see --help)");
  }
  if (want_list) {
    list();
    return 0;
  }
  auto animals = chosen(leaks);

  std::signal(SIGINT, on_stop);
  std::signal(SIGTERM, on_stop);
  try {
    weir::http::DebugServer server(listen);
    introduce(server.url());
    Ticker ticker;
    return weir::run([&] {
      for (const zoo::Animal* a : animals) {
        weir::with_labels({{"animal", a->name}}, [&] {  // and all that it starts
          if (a->live) {
            weir::go({.name = a->name}, [a] { a->live(); });
          } else {
            weir::go({.name = a->name}, [a, rate] { leak_at_rate(*a, rate); });
          }
        });
      }
      auto end = Clock::now() + std::chrono::duration<double>(duration);
      while (!stop && (duration == 0 || Clock::now() < end)) weir::sleep_for(50ms);
    });
  } catch (const weir::http::error& e) {
    usage_error(e.what());
  } catch (const std::invalid_argument& e) {  // the environment's settings
    usage_error(e.what());
  }
}
