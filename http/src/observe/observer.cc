// The observer (observer.h).
#include "observer.h"

#include <time.h>
#include <weir/go.h>
#include <weir/introspect.h>

#include <algorithm>
#include <utility>

#include <weir/profiler/capture.h>

#include "observe_json.h"

namespace weir::http::observe {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

// Looks, and what is made of them, take no more than this share of one processor's time. Of the
// last two the cheaper one counts: who is new has to be named once, which takes as long as many
// looks.
constexpr int64_t kOneIn = 100;
// Looks at more goroutines leave out what each waits for: that would take 300 bytes for each.
constexpr size_t kMostWithObjects = 200'000;
constexpr size_t kMaxEvents = 64;

// Time of a processor that the calling thread has had.
int64_t cpu_now_ns() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

int64_t steady_now_ns() {
  return std::chrono::duration_cast<nanoseconds>(Clock::now().time_since_epoch()).count();
}

profiler::Snapshot capture_bounded() {
  const bool few = weir::num_goroutine() <= kMostWithObjects;
  return profiler::capture({few ? profiler::Detail::objects : profiler::Detail::members});
}

Observer::Options completed(Observer::Options o) {
  if (!o.capture) o.capture = capture_bounded;
  if (!o.now_ns) o.now_ns = steady_now_ns;
  return o;
}

void count(const profiler::Snapshot& s, Observation& o) {
  for (const profiler::Group& g : s.groups) {
    if (g.thread) continue;
    o.states[introspect::to_string(static_cast<introspect::State>(g.state))] += g.count;
    if (g.state == profiler::State::waiting) o.waits[g.wait_reason] += g.count;
  }
}

}  // namespace

Observer::Observer(const Options& options) : options_(completed(options)) {
  if (options_.thread) thread_ = std::thread([this] { run(); });
}

Observer::~Observer() {
  {
    const std::scoped_lock hold(mu_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Observer::run() {
  std::unique_lock hold(mu_);
  while (!stopping_) {
    hold.unlock();
    try {
      look_once(false);
    } catch (const std::bad_alloc&) {
      // A look that finds no memory is one that is missing.
    }
    hold.lock();
    const auto pause = nanoseconds(latest_ ? latest_->interval_ns : 0);
    changed_.wait_for(hold, std::max<nanoseconds>(pause, options_.interval),
                      [this] { return stopping_; });
  }
}

uint64_t Observer::look() { return look_once(true); }

uint64_t Observer::look_once(bool asked) {
  const std::scoped_lock one(looking_);
  const auto start = Clock::now();
  const int64_t cpu_start = cpu_now_ns();
  profiler::Snapshot s = options_.capture();
  const int64_t at_ns = options_.now_ns();
  auto now = std::make_shared<Observation>();
  count(s, *now);

  const std::scoped_lock hold(mu_);
  if (asked && latest_ && at_ns - fed_ns_ < latest_->interval_ns / 2) {
    const uint64_t id = store_.add(std::move(s), at_ns, asked);
    if (const auto kept = store_.find(id)) add_event("snapshot", snapshot_json(*kept));
    changed_.notify_all();
    return id;
  }
  fed_ns_ = at_ns;
  detector_.observe(s, at_ns);
  now->findings = detector_.findings();
  if (s.source == "weir" && s.objects.empty() && s.total > kMostWithObjects) {
    now->findings.notes.push_back("There are more than " + std::to_string(kMostWithObjects) +
                                  " goroutines: what each waits for is not looked at.");
  }
  learn_names(s);
  const uint64_t id = store_.add(std::move(s), at_ns, asked);
  now->looks = latest_ ? latest_->looks + 1 : 1;
  now->first_look_ns = latest_ ? latest_->first_look_ns : at_ns;
  now->history_sites = detector_.history().sites().size();
  now->history_bytes = detector_.history().bytes();
  now->snapshots = store_.all().size();
  now->snapshot_bytes = store_.bytes();
  now->duration_ns = std::chrono::duration_cast<nanoseconds>(Clock::now() - start).count();
  const int64_t cost = cpu_now_ns() - cpu_start;
  now->interval_ns = std::max<int64_t>(nanoseconds(options_.interval).count(),
                                       std::min(cost, last_cost_ns_) * kOneIn);
  last_cost_ns_ = cost;
  publish(std::move(now), id, asked);
  return id;
}

// The history knows sites by their ids.
void Observer::learn_names(const profiler::Snapshot& s) {
  const profiler::Sites sites(s);
  for (const profiler::Site& site : sites.all()) {
    if (names_.contains(site.id)) continue;
    names_.emplace(site.id, profiler::names_of(s, site));
  }
  const std::vector<uint64_t> known = detector_.history().sites();
  if (names_.size() <= 2 * known.size() + sites.all().size()) return;
  std::unordered_map<uint64_t, profiler::SiteNames> kept;
  for (const uint64_t id : known) {
    if (auto name = names_.extract(id)) kept.insert(std::move(name));
  }
  names_ = std::move(kept);
}

void Observer::publish(std::shared_ptr<const Observation> now, uint64_t snapshot, bool asked) {
  latest_ = std::move(now);
  add_event("observation", observation_json(*latest_));
  if (std::string findings = findings_json(latest_->findings); findings != last_findings_) {
    last_findings_ = findings;
    add_event("findings", std::move(findings));
  }
  if (asked) {
    if (const auto kept = store_.find(snapshot)) add_event("snapshot", snapshot_json(*kept));
  }
  changed_.notify_all();
}

void Observer::add_event(const char* type, std::string data) {
  events_.push_back({++last_event_, type, std::move(data)});
  if (events_.size() > kMaxEvents) events_.pop_front();
}

std::shared_ptr<const Observation> Observer::latest() {
  {
    const std::scoped_lock hold(mu_);
    if (latest_) return latest_;
  }
  look_once(false);
  const std::scoped_lock hold(mu_);
  return latest_;
}

std::vector<Kept> Observer::snapshots() const {
  const std::scoped_lock hold(mu_);
  return store_.all();
}

std::optional<Kept> Observer::snapshot(uint64_t id) const {
  const std::scoped_lock hold(mu_);
  return store_.find(id);
}

Trend Observer::trend(size_t limit, std::optional<uint64_t> site) const {
  const std::scoped_lock hold(mu_);
  const profiler::History& history = detector_.history();
  Trend t;
  t.taken_at_ns = latest_ ? latest_->findings.taken_at_ns : 0;
  t.total = history.total();
  std::vector<profiler::Growth> growths;
  const std::vector<uint64_t> known = history.sites();
  t.sites = known.size();
  if (site) {
    growths.push_back(history.growth(*site));
  } else {
    growths = history.growths();
    std::stable_sort(growths.begin(), growths.end(),
                     [](const auto& a, const auto& b) { return a.per_minute > b.per_minute; });
    if (growths.size() > limit) growths.resize(limit);
    for (size_t i = 0; i < known.size() && growths.size() < limit; ++i) {
      const auto is_same = [&](const profiler::Growth& g) { return g.site == known[i]; };
      if (std::none_of(growths.begin(), growths.end(), is_same)) {
        growths.push_back(history.growth(known[i]));
      }
    }
  }
  for (profiler::Growth& g : growths) {
    Trend::Line line{history.series(g.site), std::move(g), {}};
    if (line.series.points.empty()) continue;
    if (const auto names = names_.find(line.growth.site); names != names_.end()) {
      line.names = names->second;
    }
    t.lines.push_back(std::move(line));
  }
  return t;
}

std::optional<Event> Observer::next_event(uint64_t after, milliseconds patience) const {
  std::unique_lock hold(mu_);
  const auto is_there = [&] { return stopping_ || last_event_ > after; };
  if (!changed_.wait_for(hold, patience, is_there) || stopping_) return std::nullopt;
  if (after == 0) return events_.back();
  for (const Event& e : events_) {
    if (e.number > after) return e;
  }
  return std::nullopt;
}

namespace {

std::mutex sharing;
std::weak_ptr<Observer> shared;

}  // namespace

std::shared_ptr<Observer> share(milliseconds interval) {
  const std::scoped_lock hold(sharing);
  std::shared_ptr<Observer> observer = shared.lock();
  if (!observer && interval > milliseconds(0)) {
    observer = std::make_shared<Observer>(Observer::Options{.interval = interval});
    shared = observer;
  }
  return observer;
}

std::shared_ptr<Observer> current() { return share(milliseconds(0)); }

}  // namespace weir::http::observe
