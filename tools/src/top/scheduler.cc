#include "scheduler.h"

#include <algorithm>
#include <string>
#include <unordered_map>
#include <utility>

namespace weir::tools::top {

namespace {

constexpr size_t kLabel = 22, kNumber = 12, kMaxProcs = 64;

constexpr std::string_view kStateNames[Sample::kStates] = {
    "idle", "runnable", "running", "syscall", "waiting", "dead", "copystack"};

class Page {
 public:
  Page(size_t columns, Charset charset) : columns_(columns), charset_(charset) {}

  LineWriter begin() const { return LineWriter(columns_, charset_); }
  void end(LineWriter& line) { lines_.push_back(line.take()); }

  void heading(std::string_view text) {
    if (!lines_.empty()) lines_.emplace_back();
    LineWriter line = begin();
    end(line.gap().add(text, Style::strong));
  }

  // "  waiting                  12,330  ██████████"
  void share(std::string_view name, uint64_t n, uint64_t all, size_t indent = 2) {
    LineWriter line = begin();
    line.gap(indent).left(name, kLabel - indent).right(count_text(n), kNumber).gap(2);
    const double part = all == 0 ? 0 : static_cast<double>(n) / static_cast<double>(all);
    const size_t room = line.room() > 1 ? std::min<size_t>(line.room() - 1, 40) : 0;
    end(line.add(bar(part, room, charset_), Style::accent));
  }

  void fact(std::string_view name, std::string_view value, std::string_view what) {
    LineWriter line = begin();
    end(line.gap(2).left(name, kLabel - 2).right(value, kNumber).gap(2).add(what, Style::dim));
  }

  std::vector<Line> take() { return std::move(lines_); }

 private:
  const size_t columns_;
  const Charset charset_;
  std::vector<Line> lines_;
};

std::string below(const std::optional<int64_t>& ns) {
  return ns ? "< " + duration_text(*ns) : std::string("beyond");
}

void processors(Page& page, const Sched& s) {
  page.heading("Processors");
  page.fact("Ps", count_text(s.gomaxprocs),
            count_text(s.gomaxprocs - std::min(s.idle_procs, s.gomaxprocs)) + " busy, " +
                count_text(s.idle_procs) + " idle");
  page.fact("runnable", count_text(s.global_queue + s.local_queues),
            "goroutines in queues: " + count_text(s.global_queue) + " in the global one, " +
                count_text(s.local_queues) + " in the Ps' own");
  page.fact("threads (Ms)", count_text(s.threads),
            count_text(s.idle_threads) + " idle, " + count_text(s.spinning) + " looking for work");
  page.fact("blocking calls", count_text(s.blocking),
            "now; " + count_text(s.blocking_waiting) + " wait for their turn");
  for (size_t i = 0; i < std::min(s.procs.size(), kMaxProcs); ++i) {
    const Sched::Proc& p = s.procs[i];
    page.fact("P " + std::to_string(i),
              p.idle      ? "idle"
              : p.syscall ? "in a call"
                          : "busy",
              counted(p.queue, "goroutine") + " queued, " + count_text(p.slices) + " time slices");
  }
  if (s.procs.size() > kMaxProcs)
    page.fact("..", count_text(s.procs.size() - kMaxProcs), "more Ps");
}

void rates(Page& page, const SchedRates& r) {
  page.heading("Rates, since the sample before");
  page.fact("created", per_second_text(r.created), "goroutines");
  page.fact("switches", per_second_text(r.switches), "a goroutine began to run");
  page.fact("parks", per_second_text(r.parks), "a goroutine blocked");
  page.fact("steals", per_second_text(r.steals), "work taken from another P");
  page.fact("retakes", per_second_text(r.retakes), "a P taken from who ran for too long");
  page.fact("polls", per_second_text(r.polls), "of the network");
}

void latency(Page& page, const Sched& s) {
  page.heading("Wait in the queue, from runnable to running, since the start");
  if (s.measured == 0) return page.fact("measured", "0", "waits: nothing to tell yet");
  page.fact("half", below(s.p50_ns), "of " + count_text(s.measured) + " waits measured");
  page.fact("9 of 10", below(s.p90_ns), "");
  page.fact("99 of 100", below(s.p99_ns), "");
  for (const Sched::Bucket& b : s.latency) {
    if (b.count > 0) page.share(below(b.below_ns), b.count, s.measured, 4);
  }
}

// From the goroutines themselves: any target has them.
void states(Page& page, const Sample& sample) {
  page.heading("States of " + counted(sample.total, "goroutine"));
  std::unordered_map<std::string, uint64_t> by_reason;
  for (const profiler::Group& g : sample.snapshot->groups) {
    if (g.state == profiler::State::waiting) by_reason[g.wait_reason] += g.count;
  }
  std::vector<std::pair<std::string, uint64_t>> reasons(by_reason.begin(), by_reason.end());
  std::ranges::sort(reasons, [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  std::vector<size_t> order(Sample::kStates);
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::stable_sort(order, std::ranges::greater{},
                           [&](size_t i) { return sample.states[i]; });
  for (const size_t i : order) {
    if (sample.states[i] == 0) continue;
    page.share(kStateNames[i], sample.states[i], sample.total);
    if (static_cast<profiler::State>(i) != profiler::State::waiting) continue;
    for (const auto& [reason, n] : reasons) {
      page.share(reason.empty() ? "(not told)" : reason, n, sample.total, 4);
    }
  }
}

}  // namespace

std::vector<Line> scheduler_lines(const Sample& sample, size_t columns, Charset charset) {
  Page page(columns, charset);
  if (sample.sched) {
    processors(page, *sample.sched);
    if (sample.sched_rates) rates(page, *sample.sched_rates);
  } else {
    LineWriter line = page.begin();
    page.end(
        line.gap().add("No report of the scheduler: " + sample.sched_missing + ".", Style::dim));
  }
  states(page, sample);
  if (sample.sched) {
    latency(page, *sample.sched);
    page.heading("Memory");
    page.fact("stacks", bytes_text(sample.sched->stack_bytes), "committed");
    page.fact("contexts", count_text(sample.sched->contexts),
              "active, " + count_text(sample.sched->forgotten_contexts) + " of them forgotten");
  }
  return page.take();
}

}  // namespace weir::tools::top
