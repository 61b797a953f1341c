// Synthetic histories: processes whose goroutines come, wait and go as programs' do, looked at from
// outside as weir, Go's dumps or profiles show them. What leaks is known, since it was put in.
//
// Everything is a function of a seed. Times are seconds; 0 is the first sample.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <weir/profiler/snapshot.h>

namespace weir::detection {

using Random = std::mt19937_64;

// Written out: the standard library's distributions differ from one to the other.
double uniform(Random& r, double low, double high);
double log_uniform(Random& r, double low, double high);
double exponential(Random& r, double mean);
double log_normal(Random& r, double median, double sigma);
uint64_t poisson(Random& r, double mean);
uint64_t integer(Random& r, uint64_t low, uint64_t high);  // both included

enum class Source : uint8_t {
  weir,    // exact ages
  go,      // ids; whole minutes, once a garbage collection has seen the wait
  counts,  // numbers
};
inline constexpr Source kSources[] = {Source::weir, Source::go, Source::counts};
const char* name_of(Source s);

// What all goroutines of a process have in common.
struct Process {
  Random random;
  uint64_t next_goid = 1;
  double started = 0;
};

struct Goroutine {
  uint64_t goid = 0;
  double since = 0;  // its wait
  double end = 0;    // when the wait ends
};

// The goroutines of one site over time.
class Crowd {
 public:
  virtual ~Crowd() = default;
  // To the time `to`, from where it was. The first call: from `from`, with nobody there.
  virtual void advance(Process& p, double from, double to) = 0;
  virtual void restart() = 0;  // all are gone
  virtual void look(double now, std::vector<Goroutine>& to) const = 0;
  virtual bool sleeps() const { return false; }
};
using Crowds = std::vector<std::unique_ptr<Crowd>>;

using Rate = std::function<double(double t)>;     // a second
using Duration = std::function<double(Random&)>;  // seconds

// They arrive at random, wait each for a time of its own and leave. `peak`: no rate is higher.
std::unique_ptr<Crowd> requests(Rate rate, double peak, Duration duration);
// So many, each of whom leaves at any time with equal probability: as requests, for large numbers.
std::unique_ptr<Crowd> churn(double number, double mean);
// Workers: `size` of them, who wait for work and do it (elsewhere) in turns.
std::unique_ptr<Crowd> pool(std::function<double(double t)> size, double wait, double work);
// All that have arrived go on together, each `period` (with some jitter).
std::unique_ptr<Crowd> batches(double rate, double period);
// `number` at once, within `spread`; each `gap` on average; each waits for a time of its own.
std::unique_ptr<Crowd> bursts(double gap, double number, double spread, Duration duration);
// A lock that is handed over in order; arrivals in clumps, so that they queue.
std::unique_ptr<Crowd> convoy(double rate, double clump, Duration held);
// Requests whose backend stalls each `gap` on average for `stall`: all wait until it goes on, or
// until their time limit.
std::unique_ptr<Crowd> stalls(double rate, double usual, double gap, Duration stall, double limit);
// Never leave. From `start` on.
std::unique_ptr<Crowd> leak(Rate rate, double peak, double start);
// Never leave, but wake up in between, at ever longer intervals.
std::unique_ptr<Crowd> sleepers(double rate, double start, double first_sleep);

// One site of a scene: those that are healthy, and those that leak; null: none.
struct Place {
  std::unique_ptr<Crowd> healthy, leaking;
  const char* reason = "chan receive";  // of the waits, but of sleepers'
};

struct Scene {
  double interval = 10;
  uint64_t samples = 300;
  double warm_up = 0;        // it runs for so long before the first sample
  double restart_every = 0;  // 0: never
  double missing = 0;        // this share of the samples fails
  double outage_every = 0;   // samples between stretches in which all fail; 0: none
  double clock_jumps = 0;    // of the wall clock, for each sample
  double told_from = 0;      // before that time a leak cannot be told from what is healthy
  std::vector<Place> places;
  std::string parameters;  // in words
};

struct SceneClass {
  const char* name;
  bool leaks;
  std::function<Scene(Random&)> make;
  double share;  // of the usual number of histories: expensive ones are fewer
  // Why it cannot be told in principle from such a source; empty: it can.
  const char* (*beyond)(Source);
};
const std::vector<SceneClass>& scene_classes();

// Steps through a scene.
class Player {
 public:
  Player(Scene scene, Source source, uint64_t seed);
  // False: it is over. A sample that failed gives none.
  bool next(std::optional<profiler::Snapshot>& snapshot);
  double now() const { return now_; }
  int64_t at_ns() const { return at_ns_; }
  const Scene& scene() const { return scene_; }
  // How many goroutines have leaked at a place, in this process and those before.
  uint64_t leaked(size_t place) const { return leaked_before_[place] + leaked_[place]; }

 private:
  void restart();
  profiler::Snapshot build();

  Scene scene_;
  Source source_;
  Process process_;
  profiler::Snapshot base_;  // tables, without groups
  double now_ = 0, advanced_to_ = 0, next_restart_ = 0, clock_off_ = 0;
  uint64_t sample_ = 0, pid_ = 100, outage_ = 0;
  int64_t at_ns_ = 0;
  double collection_period_ = 60;
  std::vector<uint64_t> leaked_, leaked_before_;
};

}  // namespace weir::detection
