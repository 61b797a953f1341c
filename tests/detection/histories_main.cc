// weir-detect-histories: how good the Detector is on synthetic histories, as Markdown.
//
//   weir-detect-histories [--seed=N] [--histories=N] [--class=TEXT]    same seed, same output;
//                                                      exit status 1 if the targets are missed
//   weir-detect-histories --cost                                       time and memory
//
// A site counts as found when it is called `likely`. In time: within ten samples of the leak's
// start, or within twice the samples that a perfect observer needs, who sees each leaked goroutine
// at once and waits for five rises of their number (1/5! < 1 %).
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <weir/profiler/detector.h>
#include <weir/profiler/finding.h>
#include <weir/profiler/sites.h>

#include "histories.h"
#include "histories_cost.h"

namespace weir::detection {

namespace {

using profiler::Certainty;
using profiler::Detector;
using profiler::Finding;
using profiler::Sites;
using profiler::Snapshot;

constexpr uint64_t kOrdinary = 10, kRises = 5;
// Targets: exit status 1 if they are missed.
constexpr double kPrecision = 0.99, kRecall = 0.95;

struct Options {
  uint64_t seed = 1;
  uint64_t histories = 40;
  std::string only;
};

// What became of one site of one history.
struct Outcome {
  bool leaks = false;
  bool found = false;      // called likely, at any time; of leaks: after the start
  bool suspected = false;  // called suspect, at any time
  bool too_early = false;  // a leak: called likely before it began
  bool observed = false;   // the perfect observer has found it
  uint64_t took = 0;       // samples from the start to the verdict
  uint64_t allowed = 0;
  uint64_t called = 0;  // samples in which it was called likely,
  uint64_t after = 0;   // of so many from the first verdict on
  bool in_time() const { return found && took <= allowed; }
};

struct Tally {
  uint64_t histories = 0, sites = 0, leaks = 0, in_time = 0, found_late = 0, false_alarms = 0;
  uint64_t unobserved = 0, called = 0, after = 0, suspected = 0;
  std::vector<uint64_t> took;
  void add(const Outcome& o) {
    ++sites;
    if (!o.leaks) {
      false_alarms += o.found;
      suspected += o.suspected;
      called += o.called;
      after += o.after;
      return;
    }
    false_alarms += o.too_early;
    if (!o.observed) {
      ++unobserved;
      return;
    }
    ++leaks;
    in_time += o.in_time();
    found_late += o.found && !o.in_time();
    if (o.found) took.push_back(o.took);
    called += o.called;
    after += o.after;
  }
  void add(const Tally& t) {
    histories += t.histories;
    sites += t.sites;
    leaks += t.leaks;
    in_time += t.in_time;
    found_late += t.found_late;
    false_alarms += t.false_alarms;
    unobserved += t.unobserved;
    called += t.called;
    suspected += t.suspected;
    after += t.after;
    took.insert(took.end(), t.took.begin(), t.took.end());
  }
};

// Site ids by the place's line.
uint64_t site_of(const Snapshot& s, const Sites& sites, size_t place) {
  for (uint32_t g = 0; g < s.groups.size(); ++g) {
    if (s.groups[g].stack == place + 1) return sites.of_group(g).id;
  }
  return 0;
}

std::vector<Outcome> play(Player& player) {
  const size_t places = player.scene().places.size();
  std::vector<Outcome> outcomes(places);
  std::vector<uint64_t> ids(places), since(places), rises(places), leaked(places), untold(places);
  Detector detector;
  std::optional<Snapshot> snapshot;
  while (player.next(snapshot)) {
    if (!snapshot) continue;
    const Sites sites(*snapshot);
    detector.observe(*snapshot, player.at_ns());
    const std::vector<Finding>& findings = detector.findings().findings;
    for (size_t i = 0; i < places; ++i) {
      Outcome& o = outcomes[i];
      o.leaks = player.scene().places[i].leaking != nullptr;
      if (ids[i] == 0) ids[i] = site_of(*snapshot, sites, i);
      const uint64_t now = player.leaked(i);
      if (now > 0) ++since[i];
      if (player.now() < player.scene().told_from) untold[i] = since[i];
      if (now > leaked[i] && ++rises[i] == kRises) {
        o.observed = true;
        o.allowed = std::max(kOrdinary, 2 * since[i]);
      }
      leaked[i] = now;
      const auto finding = std::find_if(findings.begin(), findings.end(),
                                        [&](const Finding& f) { return f.site == ids[i]; });
      const bool likely = finding != findings.end() && finding->certainty != Certainty::suspect;
      o.suspected |= finding != findings.end() && !likely;
      o.after += o.found || likely;
      if (!likely) continue;
      ++o.called;
      if (o.leaks && since[i] == 0) o.too_early = true;
      if (!o.found && (!o.leaks || since[i] > 0)) {
        o.found = true;
        o.took = since[i];
      }
    }
  }
  for (size_t i = 0; i < places; ++i) {
    if (untold[i] > 0) outcomes[i].allowed = std::max(outcomes[i].allowed, untold[i] + kOrdinary);
  }
  // A verdict before the perfect observer's own is in time by any measure.
  for (Outcome& o : outcomes) {
    if (o.found && !o.observed) o.observed = true, o.allowed = kOrdinary;
  }
  return outcomes;
}

using Cells = std::vector<std::string>;

void print(const Cells& cells) {
  for (const std::string& cell : cells) std::printf("| %s ", cell.c_str());
  std::printf("|\n");
}
// Columns of numbers stand to the right.
void print_head(const Cells& cells, size_t texts, size_t numbers) {
  print(cells);
  for (size_t i = 0; i < cells.size(); ++i) {
    std::printf(i >= texts && i < texts + numbers ? "|--:" : "|---");
  }
  std::printf("|\n");
}

std::string share(uint64_t part, uint64_t of) {
  if (of == 0) return "-";
  char text[32];
  std::snprintf(text, sizeof text, "%.3f", static_cast<double>(part) / static_cast<double>(of));
  return text;
}
double precision(const Tally& t) {
  const uint64_t found = t.in_time + t.found_late, called = found + t.false_alarms;
  return called == 0 ? 1 : static_cast<double>(found) / static_cast<double>(called);
}
double recall(const Tally& t) {
  return t.leaks == 0 ? 1 : static_cast<double>(t.in_time) / static_cast<double>(t.leaks);
}

std::string median(std::vector<uint64_t> took) {
  if (took.empty()) return "-";
  std::sort(took.begin(), took.end());
  return std::to_string(took[took.size() / 2]);
}
std::string worst(const std::vector<uint64_t>& took) {
  return took.empty() ? "-" : std::to_string(*std::max_element(took.begin(), took.end()));
}

struct Row {
  const SceneClass* what;
  Source source;
  Tally tally;
};

const Cells kHead = {"class", "source",         "histories",  "sites",  "false alarms", "suspects",
                     "leaks", "recall in time", "found late", "median", "worst",        "kept"};

void print_rows(const std::vector<Row>& rows, bool beyond) {
  for (const Row& row : rows) {
    const std::string why = row.what->beyond(row.source);
    if (why.empty() == beyond) continue;
    const Tally& t = row.tally;
    Cells cells = {row.what->name,
                   name_of(row.source),
                   std::to_string(t.histories),
                   std::to_string(t.sites),
                   std::to_string(t.false_alarms),
                   std::to_string(t.suspected),
                   std::to_string(t.leaks),
                   share(t.in_time, t.leaks),
                   std::to_string(t.found_late),
                   median(t.took),
                   worst(t.took),
                   share(t.called, t.after)};
    if (beyond) cells.push_back(why);
    print(cells);
  }
}

void print_total(const char* name, const Tally& t) {
  char precise[32], recalled[32];
  std::snprintf(precise, sizeof precise, "%.4f", precision(t));
  std::snprintf(recalled, sizeof recalled, "%.4f", recall(t));
  print({name, std::to_string(t.sites), std::to_string(t.false_alarms), precise,
         std::to_string(t.leaks), recalled, median(t.took), worst(t.took)});
}

// What was wrong with the verdicts on one site; empty: nothing.
std::string confusion(const Outcome& o) {
  std::string text;
  if (o.leaks ? o.too_early : o.found) {
    text = "false, for " + std::to_string(o.called) + " samples";
  }
  if (!o.leaks || !o.observed || o.in_time()) return text;
  if (!text.empty()) text += "; ";
  text += o.found ? "late: " + std::to_string(o.took) : "missed";
  return text + ", allowed " + std::to_string(o.allowed);
}

int run(const Options& options) {
  std::vector<Row> rows;
  std::vector<Cells> confusions;
  std::map<Source, Tally> totals;
  uint64_t class_number = 0;
  for (const SceneClass& what : scene_classes()) {
    ++class_number;
    if (std::string_view(what.name).find(options.only) == std::string_view::npos) continue;
    const auto histories =
        static_cast<uint64_t>(std::max(1.0, what.share * static_cast<double>(options.histories)));
    for (const Source source : kSources) {
      Row row{&what, source, {}};
      const bool is_beyond = *what.beyond(source) != 0;
      for (uint64_t i = 0; i < histories; ++i) {
        // The same scenes for all sources.
        const uint64_t seed = options.seed * 1'000'000 + class_number * 1000 + i;
        Random random(seed);
        Scene scene = what.make(random);
        const std::string parameters = scene.parameters;
        Player player(std::move(scene), source, seed);
        const std::vector<Outcome> outcomes = play(player);
        ++row.tally.histories;
        for (size_t place = 0; place < outcomes.size(); ++place) {
          row.tally.add(outcomes[place]);
          const std::string wrong = confusion(outcomes[place]);
          if (wrong.empty() || is_beyond) continue;
          confusions.push_back({what.name, name_of(source), std::to_string(seed),
                                std::to_string(place + 1), wrong, parameters});
        }
      }
      if (!is_beyond) totals[source].add(row.tally);
      rows.push_back(std::move(row));
    }
  }

  std::printf(
      "Seed %llu. A false alarm is a healthy site that was called likely at any time, or a leak "
      "that was before it began; suspects are healthy sites that were called suspect. Times to "
      "detection are in samples from the first leaked goroutine on; kept: the share of the samples "
      "after that in which the verdict stood.\n\n",
      static_cast<unsigned long long>(options.seed));
  print_head(kHead, 2, kHead.size() - 2);
  print_rows(rows, false);
  std::printf("\n");
  print_head({"source", "sites", "false alarms", "precision", "leaks", "recall in time", "median",
              "worst"},
             1, 7);
  Tally all;
  for (const auto& [source, tally] : totals) {
    print_total(name_of(source), tally);
    all.add(tally);
  }
  print_total("all", all);
  std::printf("\nWhat cannot be told in principle, not in the totals:\n\n");
  Cells head = kHead;
  head.push_back("why");
  print_head(head, 2, kHead.size() - 2);
  print_rows(rows, true);
  std::printf("\nConfusions (%zu):\n\n", confusions.size());
  print_head({"class", "source", "seed", "place", "what", "parameters"}, 2, 2);
  for (const Cells& cells : confusions) print(cells);
  return precision(all) >= kPrecision && recall(all) >= kRecall ? 0 : 1;
}

bool number_after(std::string_view argument, std::string_view name, uint64_t& to) {
  if (!argument.starts_with(name)) return false;
  argument.remove_prefix(name.size());
  const auto [end, error] = std::from_chars(argument.data(), argument.data() + argument.size(), to);
  return error == std::errc() && end == argument.data() + argument.size();
}

}  // namespace

}  // namespace weir::detection

int main(int argc, char** argv) {
  using namespace weir::detection;
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--cost") return print_cost();
    if (argument.starts_with("--class=")) {
      options.only = argument.substr(8);
    } else if (!number_after(argument, "--seed=", options.seed) &&
               !number_after(argument, "--histories=", options.histories)) {
      std::fprintf(stderr, "usage: %s [--seed=N] [--histories=N] [--class=TEXT] | --cost\n",
                   argv[0]);
      return 2;
    }
  }
  return run(options);
}
