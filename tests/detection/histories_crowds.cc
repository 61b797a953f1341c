// Crowds (histories.h): how goroutines come and go.
#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "histories.h"

namespace weir::detection {

double uniform(Random& r, double low, double high) {
  return low + (high - low) * static_cast<double>(r() >> 11) * 0x1p-53;
}
double log_uniform(Random& r, double low, double high) {
  return std::exp(uniform(r, std::log(low), std::log(high)));
}
double exponential(Random& r, double mean) { return -mean * std::log1p(-uniform(r, 0, 1)); }
double normal(Random& r) {
  const double radius = std::sqrt(-2 * std::log1p(-uniform(r, 0, 1)));
  return radius * std::cos(2 * std::numbers::pi * uniform(r, 0, 1));
}
double log_normal(Random& r, double median, double sigma) {
  return median * std::exp(sigma * normal(r));
}
uint64_t poisson(Random& r, double mean) {
  if (mean > 50) {  // as good as normal
    return static_cast<uint64_t>(std::max(0.0, std::round(mean + std::sqrt(mean) * normal(r))));
  }
  uint64_t n = 0;
  for (double left = mean - exponential(r, 1); left > 0; left -= exponential(r, 1)) ++n;
  return n;
}
uint64_t integer(Random& r, uint64_t low, uint64_t high) {
  return low + static_cast<uint64_t>(uniform(r, 0, 1) * static_cast<double>(high - low + 1));
}

namespace {

// Those whose waits are drawn when they arrive.
class Waiters : public Crowd {
 public:
  void restart() override { all_.clear(); }
  void look(double now, std::vector<Goroutine>& to) const override {
    for (const Goroutine& g : all_) {
      if (g.since <= now) to.push_back(g);
    }
  }

 protected:
  void leave(double now) {
    std::erase_if(all_, [now](const Goroutine& g) { return g.end <= now; });
  }
  void arrive(Process& p, double at, double end, double now) {
    const uint64_t goid = p.next_goid++;
    if (end > now) all_.push_back({goid, at, end});
  }

  std::vector<Goroutine> all_;
};

class Requests : public Waiters {
 public:
  Requests(Rate rate, double peak, Duration duration)
      : rate_(std::move(rate)), peak_(peak), duration_(std::move(duration)) {}
  void advance(Process& p, double from, double to) override {
    leave(to);
    for (double t = from + exponential(p.random, 1 / peak_); t < to;
         t += exponential(p.random, 1 / peak_)) {
      if (uniform(p.random, 0, peak_) >= rate_(t)) continue;
      arrive(p, t, t + duration_(p.random), to);
    }
  }

 private:
  Rate rate_;
  double peak_;
  Duration duration_;
};

class Churn : public Waiters {
 public:
  Churn(double number, double mean) : number_(number), mean_(mean) {}
  void advance(Process& p, double from, double to) override {
    const double stays = std::exp(-(to - from) / mean_);
    std::erase_if(all_, [&](const Goroutine&) { return uniform(p.random, 0, 1) >= stays; });
    // Of those who have come since, who is still there; and a goid for each that is not.
    const uint64_t come = poisson(p.random, number_ * (1 - stays));
    for (uint64_t i = 0; i < come; ++i) {
      const double age = -mean_ * std::log1p(-uniform(p.random, 0, 1) * (1 - stays));
      arrive(p, to - age, HUGE_VAL, to);
    }
    p.next_goid += static_cast<uint64_t>(number_ * (to - from) / mean_);
  }

 private:
  double number_, mean_;
};

class Leak : public Waiters {
 public:
  Leak(Rate rate, double peak, double start) : rate_(std::move(rate)), peak_(peak), start_(start) {}
  void advance(Process& p, double from, double to) override {
    for (double t = std::max(from, start_) + exponential(p.random, 1 / peak_); t < to;
         t += exponential(p.random, 1 / peak_)) {
      if (uniform(p.random, 0, peak_) < rate_(t)) arrive(p, t, HUGE_VAL, to);
    }
  }

 private:
  Rate rate_;
  double peak_, start_;
};

class Sleepers : public Waiters {
 public:
  Sleepers(double rate, double start, double first_sleep)
      : rate_(rate), start_(start), first_(first_sleep) {}
  bool sleeps() const override { return true; }
  void advance(Process& p, double from, double to) override {
    // Back-off: each sleep is one and a half times as long as the one before, up to five minutes;
    // with a hundredth of a second of work in between.
    for (Goroutine& g : all_) {
      while (g.end <= to) {
        const double slept = g.end - g.since;
        g.since = g.end + 0.01;
        g.end = g.since + std::min(slept * 1.5, 300.0);
      }
    }
    for (double t = std::max(from, start_) + exponential(p.random, 1 / rate_); t < to;
         t += exponential(p.random, 1 / rate_)) {
      Goroutine g{p.next_goid++, t, t + first_};
      while (g.end <= to) {
        const double slept = g.end - g.since;
        g.since = g.end + 0.01;
        g.end = g.since + std::min(slept * 1.5, 300.0);
      }
      all_.push_back(g);
    }
  }

 private:
  double rate_, start_, first_;
};

class Pool : public Crowd {
 public:
  Pool(std::function<double(double)> size, double wait, double work)
      : size_(std::move(size)), wait_(wait), work_(work) {}
  void restart() override { all_.clear(); }
  void advance(Process& p, double from, double to) override {
    const auto size = static_cast<size_t>(std::max(0.0, size_(to)));
    if (all_.size() > size) all_.resize(size);
    const size_t old = all_.size();
    while (all_.size() < size) {
      Worker w;
      w.goroutine.goid = p.next_goid++;
      w.goroutine.since = all_.empty() && old == 0 ? from : uniform(p.random, from, to);
      w.goroutine.end = w.goroutine.since + exponential(p.random, wait_);
      all_.push_back(w);
    }
    for (Worker& w : all_) step(p.random, w, to);
  }
  void look(double now, std::vector<Goroutine>& to) const override {
    for (const Worker& w : all_) {
      if (w.waits && w.goroutine.since <= now) to.push_back(w.goroutine);
    }
  }

 private:
  struct Worker {
    Goroutine goroutine;
    bool waits = true;
  };
  void step(Random& r, Worker& w, double to) const {
    // Where very many turns have passed, only where it is now matters.
    if (to - w.goroutine.end > 50 * (wait_ + work_)) {
      w.waits = uniform(r, 0, wait_ + work_) < wait_;
      const double mean = w.waits ? wait_ : work_;
      w.goroutine.since = to - exponential(r, mean);
      w.goroutine.end = to + exponential(r, mean);
      return;
    }
    while (w.goroutine.end <= to) {
      w.waits = !w.waits;
      w.goroutine.since = w.goroutine.end;
      w.goroutine.end += exponential(r, w.waits ? wait_ : work_);
    }
  }

  std::function<double(double)> size_;
  double wait_, work_;
  std::vector<Worker> all_;
};

class Batches : public Waiters {
 public:
  Batches(double rate, double period) : rate_(rate), period_(period) {}
  void restart() override {
    Waiters::restart();
    flush_ = -HUGE_VAL;
  }
  void advance(Process& p, double from, double to) override {
    leave(to);
    if (flush_ < from) flush_ = from + uniform(p.random, 0, period_);
    for (double t = from + exponential(p.random, 1 / rate_); t < to;
         t += exponential(p.random, 1 / rate_)) {
      while (flush_ < t) flush_ += period_ * uniform(p.random, 0.95, 1.05);
      arrive(p, t, flush_, to);
    }
  }

 private:
  double rate_, period_, flush_ = -HUGE_VAL;
};

class Bursts : public Waiters {
 public:
  Bursts(double gap, double number, double spread, Duration duration)
      : gap_(gap), number_(number), spread_(spread), duration_(std::move(duration)) {}
  void advance(Process& p, double from, double to) override {
    leave(to);
    for (double t = from + exponential(p.random, gap_); t < to; t += exponential(p.random, gap_)) {
      const uint64_t n = poisson(p.random, number_);
      for (uint64_t i = 0; i < n; ++i) {
        const double at = t + uniform(p.random, 0, spread_);
        arrive(p, at, at + duration_(p.random), to);
      }
    }
  }

 private:
  double gap_, number_, spread_;
  Duration duration_;
};

class Convoy : public Waiters {
 public:
  Convoy(double rate, double clump, Duration held)
      : rate_(rate), clump_(clump), held_(std::move(held)) {}
  void restart() override {
    Waiters::restart();
    free_ = -HUGE_VAL;
  }
  void advance(Process& p, double from, double to) override {
    leave(to);
    const double gap = clump_ / rate_;
    for (double t = from + exponential(p.random, gap); t < to; t += exponential(p.random, gap)) {
      const uint64_t n = 1 + poisson(p.random, clump_ - 1);
      for (uint64_t i = 0; i < n; ++i) {
        const double turn = std::max(free_, t);
        arrive(p, t, turn, to);
        free_ = turn + held_(p.random);
      }
    }
  }

 private:
  double rate_, clump_;
  Duration held_;
  double free_ = -HUGE_VAL;
};

class Stalls : public Waiters {
 public:
  Stalls(double rate, double usual, double gap, Duration stall, double limit)
      : rate_(rate), usual_(usual), gap_(gap), stall_(std::move(stall)), limit_(limit) {}
  void advance(Process& p, double from, double to) override {
    leave(to);
    for (double t = from + exponential(p.random, 1 / rate_); t < to;
         t += exponential(p.random, 1 / rate_)) {
      while (over_ < t) {  // the next stall
        begins_ = over_ == -HUGE_VAL ? from + exponential(p.random, gap_)
                                     : over_ + exponential(p.random, gap_);
        over_ = begins_ + stall_(p.random);
      }
      const double usual = exponential(p.random, usual_);
      const double end = t < begins_ ? t + usual : over_ + usual;
      arrive(p, t, std::min(end, t + limit_), to);
    }
  }

 private:
  double rate_, usual_, gap_;
  Duration stall_;
  double limit_, begins_ = -HUGE_VAL, over_ = -HUGE_VAL;
};

}  // namespace

std::unique_ptr<Crowd> requests(Rate rate, double peak, Duration duration) {
  return std::make_unique<Requests>(std::move(rate), peak, std::move(duration));
}
std::unique_ptr<Crowd> churn(double number, double mean) {
  return std::make_unique<Churn>(number, mean);
}
std::unique_ptr<Crowd> pool(std::function<double(double)> size, double wait, double work) {
  return std::make_unique<Pool>(std::move(size), wait, work);
}
std::unique_ptr<Crowd> batches(double rate, double period) {
  return std::make_unique<Batches>(rate, period);
}
std::unique_ptr<Crowd> bursts(double gap, double number, double spread, Duration duration) {
  return std::make_unique<Bursts>(gap, number, spread, std::move(duration));
}
std::unique_ptr<Crowd> convoy(double rate, double clump, Duration held) {
  return std::make_unique<Convoy>(rate, clump, std::move(held));
}
std::unique_ptr<Crowd> stalls(double rate, double usual, double gap, Duration stall, double limit) {
  return std::make_unique<Stalls>(rate, usual, gap, std::move(stall), limit);
}
std::unique_ptr<Crowd> leak(Rate rate, double peak, double start) {
  return std::make_unique<Leak>(std::move(rate), peak, start);
}
std::unique_ptr<Crowd> sleepers(double rate, double start, double first_sleep) {
  return std::make_unique<Sleepers>(rate, start, first_sleep);
}

}  // namespace weir::detection
