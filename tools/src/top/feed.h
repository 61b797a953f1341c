// Feed: the thread that takes samples, so that keys are answered while a target is slow, or does
// not answer at all. A target that takes long is asked less often (it is busy with us for a tenth
// of the time at most); one that fails is asked again with growing pauses.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "sample.h"

namespace weir::tools::top {

// How it goes; times are of the steady clock, in ns.
struct FeedStatus {
  bool asking = false;
  int64_t asking_since_ns = 0;
  std::string failure;       // of the last try, one line; empty: it went well
  int64_t last_good_ns = 0;  // when the last good sample came; 0: none yet
  int64_t next_ns = 0;       // when the target is asked next
  int64_t pause_ns = 0;      // between two samples, as it is now
};

int64_t steady_now_ns();

class Feed {
 public:
  using Take = std::function<Sample(int64_t at_ns)>;

  // `changed` is called, on the feed's thread, when there is news.
  Feed(Take take, std::chrono::nanoseconds interval, std::function<void()> changed);
  // Does not wait for an answer that is under way: the thread ends by itself after that.
  ~Feed();
  Feed(const Feed&) = delete;
  Feed& operator=(const Feed&) = delete;

  // Null: none yet.
  std::shared_ptr<const Sample> latest() const;
  FeedStatus status() const;
  void ask_now();
  // Tells the thread to end; false: it still waits for an answer.
  bool stop();

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

// The pause after a sample that took so long, and after so many failures in a row.
std::chrono::nanoseconds pause_after(std::chrono::nanoseconds interval,
                                     std::chrono::nanoseconds took);
std::chrono::nanoseconds pause_after_failures(std::chrono::nanoseconds interval, unsigned failures);

}  // namespace weir::tools::top
