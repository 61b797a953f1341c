// Progress: one line on stderr for what takes longer than a second, gone when it is done. Nothing
// is written when stderr is no terminal.
//
//   Progress progress("fetching http://127.0.0.1:6060");
//   progress.say("12.3 MiB");      // from any thread; the line is drawn a few times a second
//
// Invariant: at most one line, and no line is left when the object is gone. Work that ends within
// the first second writes nothing.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace weir::tools {

class Progress {
 public:
  struct Options {
    bool shown = true;                          // false: write nothing
    std::chrono::milliseconds patience{1'000};  // before the line is drawn for the first time
    std::chrono::milliseconds interval{200};    // between two drawings
  };
  explicit Progress(std::string_view what);
  Progress(std::string_view what, Options options);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // How far it has come. Thread-safe, cheap.
  void say(std::string how_far);

 private:
  void draw_until_done();

  const std::string what_;
  const Options options_;
  std::mutex mu_;
  std::condition_variable wake_;
  std::string how_far_;
  bool done_ = false;
  std::thread drawer_;  // not started where nothing is shown
};

}  // namespace weir::tools
