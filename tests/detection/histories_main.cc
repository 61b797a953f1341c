// weir-detect-histories: how good History is on synthetic histories, as Markdown.
//
//   weir-detect-histories [--seed=N] [--histories=N] [--class=TEXT]    same seed, same output
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

#include <weir/profiler/history.h>
#include <weir/profiler/sites.h>

#include "histories.h"
#include "histories_cost.h"

namespace weir::detection {

namespace {

using profiler::Certainty;
using profiler::Growth;
using profiler::History;
using profiler::Sites;
using profiler::Snapshot;

constexpr uint64_t kOrdinary = 10, kRises = 5;

struct Options {
  uint64_t seed = 1;
  uint64_t histories = 40;
  std::string only;
};

// What became of one site of one history.
struct Outcome {
  bool leaks = false;
  bool found = false;      // called likely, at any time; of leaks: after the start
  bool too_early = false;  // a leak: called likely before it began
  bool observed = false;   // the perfect observer has found it
  uint64_t took = 0;       // samples from the start to the verdict
  uint64_t allowed = 0;
  uint64_t called = 0;  // samples in which it was called likely
  bool in_time() const { return found && took <= allowed; }
};

struct Tally {
  uint64_t histories = 0, sites = 0, leaks = 0, in_time = 0, found_late = 0, false_alarms = 0;
  uint64_t unobserved = 0;
  std::vector<uint64_t> took;
  void add(const Outcome& o) {
    ++sites;
    if (!o.leaks) {
      false_alarms += o.found;
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
  }
  void add(const Tally& t) {
    histories += t.histories;
    sites += t.sites;
    leaks += t.leaks;
    in_time += t.in_time;
    found_late += t.found_late;
    false_alarms += t.false_alarms;
    unobserved += t.unobserved;
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
  std::vector<uint64_t> ids(places), since(places), rises(places), leaked(places);
  History history;
  std::optional<Snapshot> snapshot;
  while (player.next(snapshot)) {
    if (!snapshot) continue;
    const Sites sites(*snapshot);
    history.add(*snapshot, sites, player.at_ns());
    const std::vector<Growth> growths = history.growths();
    for (size_t i = 0; i < places; ++i) {
      Outcome& o = outcomes[i];
      o.leaks = player.scene().places[i].leaking != nullptr;
      if (ids[i] == 0) ids[i] = site_of(*snapshot, sites, i);
      const uint64_t now = player.leaked(i);
      if (now > 0) ++since[i];
      if (now > leaked[i] && ++rises[i] == kRises) {
        o.observed = true;
        o.allowed = std::max(kOrdinary, 2 * since[i]);
      }
      leaked[i] = now;
      const bool likely = std::any_of(growths.begin(), growths.end(), [&](const Growth& g) {
        return g.site == ids[i] && g.verdict == Certainty::likely;
      });
      if (!likely) continue;
      ++o.called;
      if (o.leaks && since[i] == 0) o.too_early = true;
      if (!o.found && (!o.leaks || since[i] > 0)) {
        o.found = true;
        o.took = since[i];
      }
    }
  }
  // A verdict before the perfect observer's own is in time by any measure.
  for (Outcome& o : outcomes) {
    if (o.found && !o.observed) o.observed = true, o.allowed = kOrdinary;
  }
  return outcomes;
}

std::string percent(uint64_t part, uint64_t of) {
  if (of == 0) return "-";
  char text[32];
  std::snprintf(text, sizeof text, "%.3f", static_cast<double>(part) / static_cast<double>(of));
  return text;
}

std::string times(std::vector<uint64_t> took) {
  if (took.empty()) return "- | -";
  std::sort(took.begin(), took.end());
  return std::to_string(took[took.size() / 2]) + " | " + std::to_string(took.back());
}

struct Row {
  const SceneClass* what;
  Source source;
  Tally tally;
};

void print_rows(const std::vector<Row>& rows, bool beyond) {
  for (const Row& row : rows) {
    const char* why = row.what->beyond(row.source);
    if ((*why != 0) != beyond) continue;
    const Tally& t = row.tally;
    const std::string recall = row.what->leaks ? percent(t.in_time, t.leaks) : "-";
    std::printf("| %s | %s | %llu | %llu | %llu | %s | %llu | %s |%s%s\n", row.what->name,
                name_of(row.source), static_cast<unsigned long long>(t.histories),
                static_cast<unsigned long long>(t.sites),
                static_cast<unsigned long long>(t.false_alarms), recall.c_str(),
                static_cast<unsigned long long>(t.found_late), times(t.took).c_str(),
                beyond ? " " : "", beyond ? (std::string(why) + " |").c_str() : "");
  }
}

int run(const Options& options) {
  std::vector<Row> rows;
  std::vector<std::string> confusions;
  std::map<Source, Tally> totals;
  uint64_t class_number = 0;
  for (const SceneClass& what : scene_classes()) {
    ++class_number;
    if (std::string_view(what.name).find(options.only) == std::string_view::npos) continue;
    const auto histories =
        static_cast<uint64_t>(std::max(1.0, what.share * static_cast<double>(options.histories)));
    for (const Source source : kSources) {
      Row row{&what, source, {}};
      for (uint64_t i = 0; i < histories; ++i) {
        // The same scenes for all sources.
        const uint64_t seed = options.seed * 1'000'000 + class_number * 1000 + i;
        Random random(seed);
        Scene scene = what.make(random);
        const std::string parameters = scene.parameters;
        Player player(std::move(scene), source, seed);
        ++row.tally.histories;
        const std::vector<Outcome> outcomes = play(player);
        for (size_t place = 0; place < outcomes.size(); ++place) {
          const Outcome& o = outcomes[place];
          row.tally.add(o);
          const bool is_false = o.leaks ? o.too_early : o.found;
          const bool is_missed = o.leaks && o.observed && !o.in_time();
          if ((!is_false && !is_missed) || *what.beyond(source) != 0) continue;
          std::string line = "| ";
          line.append(what.name).append(" | ").append(name_of(source)).append(" | ");
          line += std::to_string(seed) + " | " + std::to_string(place + 1) + " | ";
          if (is_false) line += "false, for " + std::to_string(o.called) + " samples";
          if (is_false && is_missed) line += "; ";
          if (is_missed && o.found) line += "late: " + std::to_string(o.took);
          if (is_missed && !o.found) line += "missed";
          if (is_missed) line += ", allowed " + std::to_string(o.allowed);
          confusions.push_back(line + " | " + parameters + " |");
        }
      }
      if (*what.beyond(source) == 0) totals[source].add(row.tally);
      rows.push_back(std::move(row));
    }
  }
  std::printf("Seed %llu. Time to detection is in samples from the first leaked goroutine on.\n\n",
              static_cast<unsigned long long>(options.seed));
  constexpr const char* kHead =
      "| class | source | histories | sites | false alarms | recall in time | found late | median "
      "| "
      "worst |";
  std::printf("%s\n|---|---|--:|--:|--:|--:|--:|--:|--:|\n", kHead);
  print_rows(rows, false);
  std::printf(
      "\n| source | precision | recall in time | leaks | false alarms | median | worst |\n"
      "|---|--:|--:|--:|--:|--:|--:|\n");
  Tally all;
  const auto print_total = [](const char* name, const Tally& t) {
    const uint64_t found = t.in_time + t.found_late;
    std::printf("| %s | %s | %s | %llu | %llu | %s |\n", name,
                percent(found, found + t.false_alarms).c_str(), percent(t.in_time, t.leaks).c_str(),
                static_cast<unsigned long long>(t.leaks),
                static_cast<unsigned long long>(t.false_alarms), times(t.took).c_str());
  };
  for (const auto& [source, tally] : totals) {
    print_total(name_of(source), tally);
    all.add(tally);
  }
  print_total("all", all);
  std::printf(
      "\nWhat cannot be told in principle, not in the totals:\n\n%s why |\n"
      "|---|---|--:|--:|--:|--:|--:|--:|--:|---|\n",
      kHead);
  print_rows(rows, true);
  std::printf(
      "\nConfusions (%zu):\n\n| class | source | seed | place | what | parameters |\n"
      "|---|---|--:|--:|---|---|\n",
      confusions.size());
  for (const std::string& line : confusions) std::printf("%s\n", line.c_str());
  return 0;
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
