// Player (histories.h): a scene as a source shows it.
#include <algorithm>
#include <cmath>
#include <utility>

#include "histories.h"
#include "snapshot_builder.h"

namespace weir::detection {

using profiler::Group;
using profiler::Member;
using profiler::Snapshot;

const char* name_of(Source s) {
  return s == Source::weir ? "weir" : s == Source::go ? "Go debug=2" : "counts";
}

Player::Player(Scene scene, Source source, uint64_t seed)
    : scene_(std::move(scene)),
      source_(source),
      leaked_(scene_.places.size()),
      leaked_before_(scene_.places.size()) {
  process_.random.seed(seed);
  profiler::testing::SnapshotBuilder b;
  b.snapshot.process = "svc";
  const uint32_t creator = b.call(0x1000, "svc::serve", "serve.cc", 10, 0x10);
  b.stack({b.call(0x2000, "svc::main", "main.cc", 5, 0x10)});
  for (size_t i = 0; i < scene_.places.size(); ++i) {
    const int line = 100 + static_cast<int>(i);
    b.stack({b.call(0x3000 + 0x10 * i, "svc::handle", "handle.cc", line, 0x10), creator});
  }
  base_ = std::move(b.snapshot);
  base_.source = source == Source::weir ? "weir" : source == Source::go ? "debug=2" : "pprof";
  collection_period_ = log_uniform(process_.random, 1, 120);
  process_.started = advanced_to_ = -scene_.warm_up;
  process_.next_goid = 2;  // after main
  next_restart_ =
      scene_.restart_every > 0 ? uniform(process_.random, 0.5, 1) * scene_.restart_every : HUGE_VAL;
}

void Player::restart() {
  for (size_t i = 0; i < scene_.places.size(); ++i) {
    Place& place = scene_.places[i];
    leaked_before_[i] += leaked_[i];
    leaked_[i] = 0;
    if (place.healthy) place.healthy->restart();
    if (place.leaking) place.leaking->restart();
  }
  ++pid_;
  process_.next_goid = 2;
  process_.started = next_restart_;
  next_restart_ += uniform(process_.random, 0.5, 1.5) * scene_.restart_every;
}

bool Player::next(std::optional<Snapshot>& snapshot) {
  snapshot.reset();
  if (sample_ >= scene_.samples) return false;
  Random& r = process_.random;
  // Schedulers are late by a little.
  now_ = scene_.interval * (static_cast<double>(sample_) + uniform(r, 0, 0.03));
  ++sample_;
  const auto advance = [this](double to) {
    for (Place& place : scene_.places) {
      if (place.healthy) place.healthy->advance(process_, advanced_to_, to);
      if (place.leaking) place.leaking->advance(process_, advanced_to_, to);
    }
    advanced_to_ = to;
  };
  while (next_restart_ <= now_) {
    advance(next_restart_);
    restart();
  }
  advance(now_);
  if (scene_.clock_jumps > 0 && uniform(r, 0, 1) < scene_.clock_jumps) {
    clock_off_ += uniform(r, -7200, 7200);
  }
  if (scene_.outage_every > 0 && uniform(r, 0, scene_.outage_every) < 1)
    outage_ = integer(r, 5, 40);
  Snapshot s = build();
  if (outage_ > 0) {
    --outage_;
  } else if (sample_ == 1 || uniform(r, 0, 1) >= scene_.missing) {
    snapshot = std::move(s);
  }
  return true;
}

Snapshot Player::build() {
  Snapshot s = base_;
  // The time of a sample is that of the answer: up to 0.1 s late.
  at_ns_ = static_cast<int64_t>((now_ + uniform(process_.random, 0, 0.1)) * 1e9) + 1'000'000'000;
  s.taken_at_ns += static_cast<int64_t>((now_ + clock_off_) * 1e9);
  s.duration_ns = 1'000'000;
  s.pid = source_ == Source::weir ? static_cast<int64_t>(pid_) : 0;
  std::vector<Goroutine> all;
  const auto add = [&](uint32_t stack, const char* reason) {
    if (all.empty()) return;
    std::sort(all.begin(), all.end(),
              [](const Goroutine& a, const Goroutine& b) { return a.goid < b.goid; });
    Group& g = s.groups.emplace_back();
    g.stack = stack;
    g.wait_reason = reason;
    g.count = all.size();
    g.created_by = 0;
    s.total += g.count;
    if (source_ == Source::counts) return;
    for (const Goroutine& goroutine : all) {
      Member& m = g.members.emplace_back();
      m.goid = goroutine.goid;
      if (source_ == Source::weir) {
        m.since_ns = static_cast<int64_t>(std::max(now_ - goroutine.since, 0.0) * 1e9);
      } else {
        // The first collection after the wait's start starts its clock.
        const double seen = std::ceil(goroutine.since / collection_period_) * collection_period_;
        const double minutes = std::floor((now_ - seen) / 60);
        m.since_ns = minutes >= 1 ? static_cast<int64_t>(minutes * 60e9) : -1;
      }
      g.oldest_ns = std::max(g.oldest_ns, m.since_ns);
    }
  };
  all.push_back({1, process_.started, HUGE_VAL});
  add(0, "select");
  for (size_t i = 0; i < scene_.places.size(); ++i) {
    const Place& place = scene_.places[i];
    all.clear();
    if (place.leaking) {
      // Who is awake stands elsewhere, but has leaked all the same.
      place.leaking->look(HUGE_VAL, all);
      leaked_[i] = all.size();
      std::erase_if(all, [this](const Goroutine& g) { return g.since > now_; });
    }
    if (place.healthy) place.healthy->look(now_, all);
    const bool sleeps = place.leaking && place.leaking->sleeps();
    add(static_cast<uint32_t>(1 + i), sleeps ? "sleep" : place.reason);
  }
  return s;
}

}  // namespace weir::detection
