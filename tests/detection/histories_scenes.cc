// Classes of scenes (histories.h): what healthy programs do, and how others leak. Parameters are
// drawn from what services have in practice, not from what the detector likes.
//
// Some cannot be told in principle: as long as nobody who came has gone, and more come, a healthy
// site is, sample by sample, what a leak is. Whoever names leaks within ten samples names those as
// well, for as long as that lasts. They stand in classes of their own ("beyond").
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numbers>
#include <utility>

#include "histories.h"

namespace weir::detection {

namespace {

constexpr double kDay = 86'400, kHour = 3600, kMinute = 60;

template <class... Args>
std::string words(const char* format, Args... args) {
  char text[160];
  std::snprintf(text, sizeof text, format, args...);
  return text;
}

double any_interval(Random& r) {
  constexpr double kIntervals[] = {5, 10, 15, 30, 60};
  return kIntervals[integer(r, 0, 4)];
}

Rate constant(double rate) {
  return [rate](double) { return rate; };
}
// The day's wave; `depth`: 1 is nobody at night.
Rate daily(double mean, double depth, double phase) {
  return [=](double t) {
    return mean * (1 + depth * std::sin(2 * std::numbers::pi * (t + phase) / kDay));
  };
}
Duration log_normally(double median, double sigma) {
  return [=](Random& r) { return log_normal(r, median, sigma); };
}
Duration uniformly(double low, double high) {
  return [=](Random& r) { return uniform(r, low, high); };
}

Place healthy(std::unique_ptr<Crowd> crowd) { return {std::move(crowd), nullptr}; }
Place leaking(std::unique_ptr<Crowd> leak, std::unique_ptr<Crowd> beside = nullptr) {
  return {std::move(beside), std::move(leak)};
}

// Requests of a service: 1 to 200 in flight, each for 20 ms to 5 s as a rule.
struct Traffic {
  double rate, median, sigma;
  explicit Traffic(Random& r) : median(log_uniform(r, 0.02, 5)), sigma(uniform(r, 0.3, 1.2)) {
    rate = std::min(log_uniform(r, 1, 200) / median, 100.0);
  }
  std::unique_ptr<Crowd> crowd() const {
    return requests(constant(rate), rate, log_normally(median, sigma));
  }
  std::string text() const {
    return words("requests %.3g/s, median %.3g s, sigma %.2g", rate, median, sigma);
  }
};

Scene steady_pool(Random& r) {
  Scene s;
  s.interval = any_interval(r);
  const double n = std::round(log_uniform(r, 2, 500)), wait = log_uniform(r, 0.01, 600),
               work = log_uniform(r, 0.001, 10);
  s.warm_up = kHour;
  s.places.push_back(healthy(pool(constant(n), wait, work)));
  s.parameters =
      words("every %g s; %g workers, wait %.3g s, work %.3g s", s.interval, n, wait, work);
  return s;
}

Scene diurnal_load(Random& r) {
  Scene s;
  s.interval = uniform(r, 0, 1) < 0.5 ? 60 : 120;
  s.samples = static_cast<uint64_t>(1.5 * kDay / s.interval);
  const double median = log_uniform(r, 0.1, 20), sigma = uniform(r, 0.3, 1.2),
               rate = std::min(log_uniform(r, 2, 100) / median, 5.0), depth = uniform(r, 0.5, 0.95);
  s.warm_up = 10 * kMinute;
  s.places.push_back(healthy(requests(daily(rate, depth, uniform(r, 0, kDay)), rate * (1 + depth),
                                      log_normally(median, sigma))));
  s.parameters = words("every %g s; %.3g/s, depth %.2g, median %.3g s, sigma %.2g", s.interval,
                       rate, depth, median, sigma);
  return s;
}

Scene diurnal_sessions(Random& r) {
  Scene s;
  s.interval = uniform(r, 0, 1) < 0.5 ? 60 : 120;
  s.samples = static_cast<uint64_t>(1.5 * kDay / s.interval);
  const double median = log_uniform(r, kMinute, kHour), sigma = uniform(r, 0.5, 1.2),
               number = log_uniform(r, 50, 500), depth = uniform(r, 0.5, 0.95),
               rate = number / median;
  s.warm_up = 12 * kHour;
  s.places.push_back(healthy(requests(daily(rate, depth, uniform(r, 0, kDay)), rate * (1 + depth),
                                      log_normally(median, sigma))));
  s.parameters = words("every %g s; %.3g/s, depth %.2g, median %.3g s, sigma %.2g", s.interval,
                       rate, depth, median, sigma);
  return s;
}

Scene sawtooth(Random& r, double shortest, double longest) {
  Scene s;
  s.interval = any_interval(r);
  const double period = log_uniform(r, shortest, longest), rate = log_uniform(r, 0.5, 20);
  s.warm_up = period * 5;
  s.places.push_back(healthy(batches(rate, period)));
  s.parameters = words("every %g s; %.3g/s, flushed each %.3g s", s.interval, rate, period);
  return s;
}

Scene load_bursts(Random& r) {
  Scene s;
  s.interval = any_interval(r);
  const double gap = log_uniform(r, kMinute, 30 * kMinute), number = log_uniform(r, 20, 1000),
               spread = log_uniform(r, 0.1, 20), median = log_uniform(r, 0.5, 20);
  s.places.push_back(healthy(bursts(gap, number, spread, log_normally(median, 0.7))));
  s.parameters = words("every %g s; each %.3g s %.0f within %.3g s, median %.3g s", s.interval, gap,
                       number, spread, median);
  return s;
}

// The pool grows as load finds it: fast at first, then ever more slowly.
Scene warm_up(Random& r, double wait) {
  Scene s;
  s.interval = any_interval(r);
  const double n = log_uniform(r, 8, 1000), half = log_uniform(r, 20, 30 * kMinute),
               work = log_uniform(r, 0.001, 5);
  const auto size = [=](double t) { return n * (1 - std::exp2(-std::max(t, 0.0) / half)); };
  s.places.push_back(healthy(pool(size, wait, work)));
  s.parameters =
      words("every %g s; up to %.0f workers, half of them after %.3g s, wait %.3g s, work %.3g s",
            s.interval, n, half, wait, work);
  return s;
}

Scene pool_resize(Random& r) {
  Scene s;
  s.interval = any_interval(r);
  const double n = std::round(log_uniform(r, 4, 200)), more = std::round(n * uniform(r, 1.2, 4)),
               last = std::round(n * uniform(r, 0.5, 6)), length = s.interval * 300,
               at = uniform(r, 0.1, 0.5) * length, again = uniform(r, 0.5, 0.9) * length,
               wait = log_uniform(r, 0.01, 3600), work = log_uniform(r, 0.001, 5);
  s.warm_up = kHour;
  s.places.push_back(
      healthy(pool([=](double t) { return t < at      ? n
                                          : t < again ? more
                                                      : last; }, wait, work)));
  s.parameters = words("every %g s; %g, %g, %g workers, wait %.3g s, work %.3g s", s.interval, n,
                       more, last, wait, work);
  return s;
}

Scene deploy_restarts(Random& r) {
  Scene s;
  s.interval = any_interval(r);
  const Traffic traffic(r);
  const double n = std::round(log_uniform(r, 4, 200)), wait = log_uniform(r, 0.01, 60);
  s.restart_every = s.interval * log_uniform(r, 15, 150);
  s.warm_up = uniform(r, 0, 1) * s.restart_every;
  s.places.push_back(healthy(traffic.crowd()));
  s.places.push_back(healthy(pool(constant(n), wait, 0.05)));
  s.parameters = words("every %g s; each %.3g s; %s; %g workers, wait %.3g s", s.interval,
                       s.restart_every, traffic.text().c_str(), n, wait);
  return s;
}

Scene sessions(Random& r, double age, double fewest) {
  Scene s;
  s.interval = any_interval(r);
  const double mean = log_uniform(r, 5 * kMinute, 4 * kHour), n = log_uniform(r, fewest, 1000),
               sigma = uniform(r, 0.5, 1.2);
  s.warm_up = age * mean;
  s.places.push_back(healthy(requests(constant(n / mean), n / mean, log_normally(mean, sigma))));
  s.parameters =
      words("every %g s; %.0f sessions, median %.3g s, sigma %.2g", s.interval, n, mean, sigma);
  return s;
}

Scene clock_jumps(Random& r) {
  Scene s = uniform(r, 0, 1) < 0.5 ? sessions(r, 5, 20) : load_bursts(r);
  s.clock_jumps = 0.05;
  return s;
}

Scene missing_scrapes(Random& r) {
  Scene s;
  s.interval = any_interval(r);
  const Traffic traffic(r);
  s.missing = uniform(r, 0.1, 0.5);
  s.outage_every = 60;
  s.warm_up = 10 * kMinute;
  s.places.push_back(healthy(traffic.crowd()));
  s.parameters =
      words("every %g s, %.0f %% missing; %s", s.interval, 100 * s.missing, traffic.text().c_str());
  return s;
}

Scene lock_convoys(Random& r) {
  Scene s;
  s.interval = any_interval(r);
  const double held = log_uniform(r, 0.01, 2), use = uniform(r, 0.5, 0.98),
               clump = log_uniform(r, 2, 100);
  s.warm_up = 10 * kMinute;
  s.places.push_back(healthy(convoy(use / held, clump, uniformly(0.5 * held, 1.5 * held))));
  s.parameters = words("every %g s; held for %.3g s, %.0f %% of the time, clumps of %.0f",
                       s.interval, held, 100 * use, clump);
  return s;
}

Scene backend_stalls(Random& r) {
  Scene s;
  s.interval = any_interval(r);
  const double rate = log_uniform(r, 1, 50), gap = log_uniform(r, 2 * kMinute, kHour),
               longest = log_uniform(r, 2, 300);
  s.warm_up = 10 * kMinute;
  s.places.push_back(healthy(stalls(rate, 0.1, gap, uniformly(0.5 * longest, longest), 30)));
  s.parameters = words("every %g s; %.3g/s, each %.3g s a stall of up to %.3g s, limit 30 s",
                       s.interval, rate, gap, longest);
  return s;
}

// Leaks.

double late(Random& r, const Scene& s) { return s.interval * uniform(r, 10, 150); }

Scene steady_leak(Random& r, double least, double most) {
  Scene s;
  s.interval = any_interval(r);
  const double each = log_uniform(r, least, most), start = late(r, s);
  s.places.push_back(leaking(leak(constant(each / s.interval), each / s.interval, start)));
  s.parameters = words("every %g s; %.3g a sample from %.0f s on", s.interval, each, start);
  return s;
}

Scene from_the_start(Random& r, const char* reason) {
  Scene s;
  s.interval = any_interval(r);
  const double each = log_uniform(r, 0.5, 50);
  s.places.push_back(leaking(leak(constant(each / s.interval), each / s.interval, 0)));
  s.places.back().reason = reason;
  s.parameters = words("every %g s; %.3g a sample from the first on, %s", s.interval, each, reason);
  return s;
}

// In waits in which nobody is idle.
Scene busy_from_the_start(Random& r) {
  constexpr const char* kReasons[] = {"chan send", "sync.Mutex.Lock", "sync.WaitGroup.Wait"};
  return from_the_start(r, kReasons[integer(r, 0, 2)]);
}

// In waits of workers that have nothing to do: as those of a program that fills its pools.
Scene idle_from_the_start(Random& r) {
  constexpr const char* kReasons[] = {"chan receive", "select", "sync.Cond.Wait"};
  Scene s = from_the_start(r, kReasons[integer(r, 0, 2)]);
  s.told_from = 10 * kMinute;
  return s;
}

Scene slow_under_churn(Random& r) {
  Scene s;
  s.interval = 120;
  s.samples = 13 * 30;
  const double mean = log_uniform(r, 5, 60), start = uniform(r, 0, kHour);
  s.warm_up = 20 * mean;
  s.places.push_back(leaking(leak(constant(1 / kHour), 1 / kHour, start), churn(10'000, mean)));
  s.parameters = words("every %g s; 1 an hour from %.0f s on, under 10000 that stay for %.3g s",
                       s.interval, start, mean);
  return s;
}

Scene starts_late(Random& r) {
  Scene s;
  s.interval = any_interval(r);
  const Traffic traffic(r);
  const double each = log_uniform(r, 2, 50), start = s.interval * uniform(r, 150, 250);
  s.warm_up = 10 * kMinute;
  s.places.push_back(
      leaking(leak(constant(each / s.interval), each / s.interval, start), traffic.crowd()));
  s.parameters = words("every %g s; %.3g a sample from %.0f s on; %s", s.interval, each, start,
                       traffic.text().c_str());
  return s;
}

Scene within_diurnal(Random& r) {
  Scene s;
  s.interval = 60;
  s.samples = static_cast<uint64_t>(kDay / s.interval);
  const double median = log_uniform(r, 0.1, 5),
               rate = std::min(log_uniform(r, 2, 50) / median, 5.0), depth = uniform(r, 0.3, 0.9),
               phase = uniform(r, 0, kDay), share = log_uniform(r, 1e-3, 1e-1),
               start = uniform(r, 0.1, 0.5) * kDay;
  s.warm_up = 10 * kMinute;
  const Rate load = daily(rate, depth, phase);
  s.places.push_back(
      leaking(leak([=](double t) { return share * load(t); }, share * rate * (1 + depth), start),
              requests(load, rate * (1 + depth), log_normally(median, 0.7))));
  s.parameters =
      words("every %g s; %.3g/s, depth %.2g, median %.3g s, of which %.2g leak from %.0f s on",
            s.interval, rate, depth, median, share, start);
  return s;
}

Scene several(Random& r) {
  Scene s;
  s.interval = any_interval(r);
  s.warm_up = 10 * kMinute;
  s.parameters = words("every %g s;", s.interval);
  for (int i = 0; i < 3; ++i) {
    const double each = log_uniform(r, 1, 50), start = late(r, s);
    s.places.push_back(leaking(leak(constant(each / s.interval), each / s.interval, start)));
    s.parameters += words(" %.3g a sample from %.0f s on;", each, start);
  }
  const Traffic traffic(r);
  s.places.push_back(healthy(traffic.crowd()));
  s.places.push_back(healthy(pool(constant(50), log_uniform(r, 0.01, 60), 0.1)));
  s.places.push_back(healthy(bursts(10 * kMinute, 200, 5, log_normally(5, 0.7))));
  s.parameters += " beside " + traffic.text() + ", 50 workers, bursts";
  return s;
}

Scene over_restarts(Random& r) {
  Scene s;
  s.interval = any_interval(r);
  const double each = log_uniform(r, 1, 50), start = late(r, s);
  s.restart_every = s.interval * log_uniform(r, 30, 150);
  s.places.push_back(leaking(leak(constant(each / s.interval), each / s.interval, start)));
  const Traffic traffic(r);
  s.places.push_back(healthy(traffic.crowd()));
  s.parameters = words("every %g s; %.3g a sample from %.0f s on, restart each %.3g s; beside %s",
                       s.interval, each, start, s.restart_every, traffic.text().c_str());
  return s;
}

Scene with_clock_jumps(Random& r) {
  Scene s = steady_leak(r, 1, 50);
  s.clock_jumps = 0.2;
  return s;
}

Scene with_missing(Random& r) {
  Scene s = steady_leak(r, 1, 50);
  s.missing = uniform(r, 0.1, 0.5);
  s.outage_every = 60;
  return s;
}

Scene sleep_loops(Random& r) {
  Scene s;
  s.interval = any_interval(r);
  const double each = log_uniform(r, 1, 20), start = late(r, s), first = log_uniform(r, 0.1, 10);
  s.places.push_back(leaking(sleepers(each / s.interval, start, first)));
  s.parameters = words("every %g s; %.3g a sample from %.0f s on, first sleep %.3g s", s.interval,
                       each, start, first);
  return s;
}

const char* fine(Source) { return ""; }
// Numbers cannot tell a few that stay from many that come and go.
const char* not_by_counts(Source source) {
  return source == Source::counts ? "a few that stay are less than the noise of those that go" : "";
}
const char* not_restarts_by_counts(Source source) {
  return source == Source::counts ? "a restart cannot be told from a flush" : "";
}
const char* looks_like_a_leak(Source) {
  return "more come and nobody goes, for more than six samples";
}
const char* idle_workers(Source source) {
  return source == Source::weir ? "" : "workers cannot be seen to work between two samples";
}

}  // namespace

const std::vector<SceneClass>& scene_classes() {
  static const std::vector<SceneClass> kClasses = {
      {"steady pool", false, steady_pool, 1, fine},
      {"diurnal load", false, diurnal_load, 0.25, fine},
      {"diurnal load, sessions", false, diurnal_sessions, 0.25, fine},
      {"sawtooth, up to 30 s", false, [](Random& r) { return sawtooth(r, 1, 30); }, 1, fine},
      {"bursts", false, load_bursts, 1, fine},
      {"warm-up, busy", false, [](Random& r) { return warm_up(r, log_uniform(r, 0.01, 2)); }, 1,
       idle_workers},
      {"pool resize", false, pool_resize, 1, fine},
      {"deploy restarts", false, deploy_restarts, 1, fine},
      {"long-lived sessions", false, [](Random& r) { return sessions(r, 5, 20); }, 1, fine},
      {"clock jumps", false, clock_jumps, 1, fine},
      {"missing scrapes", false, missing_scrapes, 1, fine},
      {"lock convoys", false, lock_convoys, 1, fine},
      {"backend stalls", false, backend_stalls, 1, fine},
      {"sawtooth, up to 15 min", false, [](Random& r) { return sawtooth(r, 30, 15 * kMinute); }, 1,
       looks_like_a_leak},
      {"sessions of a new program", false, [](Random& r) { return sessions(r, 0, 20); }, 1,
       looks_like_a_leak},
      {"warm-up, idle", false, [](Random& r) { return warm_up(r, log_uniform(r, 60, 3600)); }, 1,
       looks_like_a_leak},
      {"steady leak, 2 to 50 a sample", true, [](Random& r) { return steady_leak(r, 2, 50); }, 1,
       fine},
      {"slow leak, less than 1 a sample", true, [](Random& r) { return steady_leak(r, 0.1, 1); }, 1,
       fine},
      {"leak from the start", true, busy_from_the_start, 1, fine},
      {"leak from the start, as if idle", true, idle_from_the_start, 1, fine},
      {"1 an hour under 10000", true, slow_under_churn, 0.1, not_by_counts},
      {"starts late, within requests", true, starts_late, 1, not_by_counts},
      {"within diurnal load", true, within_diurnal, 0.25, not_by_counts},
      {"several at once", true, several, 1, fine},
      {"over deploy restarts", true, over_restarts, 1, not_restarts_by_counts},
      {"with clock jumps", true, with_clock_jumps, 1, fine},
      {"with missing scrapes", true, with_missing, 1, fine},
      {"sleep loops", true, sleep_loops, 1, fine},
  };
  return kClasses;
}

}  // namespace weir::detection
