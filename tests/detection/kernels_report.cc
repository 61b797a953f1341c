// What the detectors made of the kernels (kernels_report.h).
#include "kernels_report.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>
#include <string_view>
#include <utility>

namespace kernels {

namespace {

using weir::profiler::to_string;

constexpr double kPrecision = 0.99;  // of what is at least likely

bool matches(const Told& t, const Stuck& s) {
  return t.kind == s.kind && t.place.find(s.function) != std::string::npos;
}

bool is_right(const Told& t, const Kernel& k) {
  return std::any_of(k.stuck.begin(), k.stuck.end(),
                     [&t](const Stuck& s) { return matches(t, s); });
}

bool is_found(const Round& r, const Kernel& k) {
  const Stuck& first = k.stuck.front();
  return std::any_of(r.told.begin(), r.told.end(), [&first](const Told& t) {
    return matches(t, first) && t.certainty >= first.at_least;
  });
}

// Each once, as certain as it ever was: by kind and place.
std::vector<Told> all_told(const Result& r) {
  std::map<std::pair<Kind, std::string>, Told> all;
  for (const Round& round : r.rounds) {
    for (const Told& t : round.told) {
      const auto [at, is_new] = all.try_emplace({t.kind, t.place}, t);
      if (!is_new && t.certainty >= at->second.certainty) at->second = t;
    }
  }
  std::vector<Told> told;
  for (auto& [key, t] : all) told.push_back(std::move(t));
  return told;
}

std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

std::string ratio(size_t part, size_t whole) {
  if (whole == 0) return "-";
  char text[16];
  std::snprintf(text, sizeof text, "%.3f", static_cast<double>(part) / static_cast<double>(whole));
  return text;
}

struct Sums {
  size_t kernels = 0, leaks = 0, found = 0, right = 0, wrong = 0;
  std::vector<size_t> rounds_to{};  // detection

  void add(const Sums& o) {
    kernels += o.kernels;
    leaks += o.leaks;
    found += o.found;
    right += o.right;
    wrong += o.wrong;
    rounds_to.insert(rounds_to.end(), o.rounds_to.begin(), o.rounds_to.end());
  }
  std::string row(const std::string& name) const {
    auto sorted = rounds_to;
    std::sort(sorted.begin(), sorted.end());
    const std::string delay = sorted.empty() ? "- | -"
                                             : std::to_string(sorted[sorted.size() / 2]) + " | " +
                                                   std::to_string(sorted.back());
    return "| " + name + " | " + std::to_string(kernels) + " | " + std::to_string(leaks) + " | " +
           std::to_string(found) + " | " + ratio(found, leaks) + " | " + std::to_string(right) +
           " | " + std::to_string(wrong) + " | " + ratio(right, right + wrong) + " | " + delay +
           " |\n";
  }
};

std::string in_words(const Told& t) {
  return std::string(to_string(t.kind)) + ", " + std::string(to_string(t.certainty)) + ", " +
         std::to_string(t.count) + " in " + t.place;
}

class Judge {
 public:
  void judge(const Result& r) {
    const Kernel& k = *r.kernel;
    Sums sums{.kernels = 1, .leaks = k.stuck.empty() ? 0U : 1U};
    const std::vector<Told> told = all_told(r);
    for (const Told& t : told) {
      if (is_right(t, k)) {
        if (t.certainty >= Certainty::likely) ++sums.right;
      } else if (t.certainty >= Certainty::likely) {
        ++sums.wrong;
        const bool proven = t.certainty == Certainty::certain;
        wrong_certain_ = wrong_certain_ || proven;
        wrong_ += row(k, t, proven ? "WRONG AND CERTAIN: " : "");
      } else {
        (k.stuck.empty() ? suspects_ : others_) += row(k, t, "");
      }
    }
    if (r.rounds.size() != static_cast<size_t>(kRounds)) {
      broken_ += "- " + std::string(k.name) + ": its process ended in round " +
                 std::to_string(r.rounds.size() + 1) + "\n";
    } else if (sums.leaks > 0) {
      find(r, told, sums);
    }
    total_.add(sums);
    if (families_.empty() || families_.back().first != r.family)
      families_.push_back({r.family, {}});
    families_.back().second.add(sums);
  }

  Report report(uint64_t seed) const {
    std::string out = "# Kernels\n\n" + std::to_string(total_.leaks) + " that leak and " +
                      std::to_string(total_.kernels - total_.leaks) +
                      " that do not, each in a process of its own for " + std::to_string(kRounds) +
                      " samples; `weir-detect-kernels --seed=" + std::to_string(seed) +
                      "`.\nFound: of the right kind, at the right place, and as certain as the "
                      "kernel wants it. Right and wrong: what was called likely or certain. Both "
                      "after any sample.\n\n"
                      "| family | kernels | leaks | found | recall | right | wrong | precision | "
                      "samples to detection: median | worst |\n"
                      "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n";
    for (const auto& [name, sums] : families_) out += sums.row(name);
    out += total_.row("all");
    section(out, "Broken: kernels that did not run as they should, and wrong counts", broken_, "");
    section(out, "Not found", missed_,
            "| kernel | the bug | expected | told of that place |\n|---|---|---|---|\n");
    section(out, "Found, and taken back before the last sample", taken_back_, "");
    static constexpr std::string_view kTold =
        "| kernel | what it does | told | cause |\n|---|---|---|---|\n";
    section(out, "Wrong", wrong_, kTold);
    section(out, "Suspects in healthy kernels", suspects_, kTold);
    section(out, "Suspects elsewhere in kernels that leak", others_, kTold);
    const auto all = static_cast<double>(total_.right + total_.wrong);
    return {out, broken_.empty() && !missed_one_ && !wrong_certain_ &&
                     static_cast<double>(total_.right) >= kPrecision * all};
  }

 private:
  void find(const Result& r, const std::vector<Told>& told, Sums& sums) {
    const Kernel& k = *r.kernel;
    if (r.rounds.back().stuck == 0) {
      broken_ += "- " + std::string(k.name) + ": nobody is stuck at the end\n";
    }
    uint64_t counted = 0;
    for (const Told& t : r.rounds.back().told) {
      if (is_right(t, k)) counted += t.count;
    }
    if (counted > r.rounds.back().stuck) {
      broken_ += "- " + std::string(k.name) + ": " + std::to_string(r.rounds.back().stuck) +
                 " are stuck, and " + std::to_string(counted) + " were told of\n";
    }
    const auto first = std::find_if(r.rounds.begin(), r.rounds.end(),
                                    [&k](const Round& round) { return is_found(round, k); });
    if (first != r.rounds.end()) {
      ++sums.found;
      sums.rounds_to.push_back(static_cast<size_t>(first - r.rounds.begin()) + 1);
      if (!is_found(r.rounds.back(), k)) {
        taken_back_ += "- " + std::string(k.name) + ": " + std::string(k.what) + "\n";
      }
      return;
    }
    missed_one_ = missed_one_ || !k.hard;
    const Stuck& s = k.stuck.front();
    std::string seen;
    for (const Told& t : told) {
      if (t.place.find(s.function) != std::string::npos) seen += in_words(t) + "; ";
    }
    missed_ += "| " + std::string(k.name) + " | " + cell(k.what) + " | " +
               std::string(to_string(s.kind)) + ", " + std::string(to_string(s.at_least)) + " in " +
               std::string(s.function) + " (" + std::to_string(r.rounds.back().stuck) +
               " stuck) | " + cell(seen.empty() ? "nothing" : seen) + " |\n";
  }
  static std::string row(const Kernel& k, const Told& t, std::string_view mark) {
    return "| " + std::string(k.name) + " | " + cell(k.what) + " | " + std::string(mark) +
           cell(in_words(t)) + " | " + cell(t.cause) + " |\n";
  }
  static void section(std::string& out, std::string_view title, const std::string& rows,
                      std::string_view head) {
    out += "\n## " + std::string(title) + "\n\n" +
           (rows.empty() ? "None.\n" : std::string(head) + rows);
  }

  std::vector<std::pair<std::string, Sums>> families_;
  Sums total_;
  bool wrong_certain_ = false, missed_one_ = false;  // that is not hard
  std::string missed_, taken_back_, wrong_, suspects_, others_, broken_;
};

}  // namespace

Report report(const std::vector<Result>& results, uint64_t seed) {
  Judge judge;
  for (const Result& r : results) judge.judge(r);
  return judge.report(seed);
}

}  // namespace kernels
