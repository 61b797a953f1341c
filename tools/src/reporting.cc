// What `weir leaks` and `weir check` share (reporting.h).
#include "reporting.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <map>
#include <system_error>
#include <tuple>
#include <utility>

#include "failure.h"
#include "filter_options.h"
#include "output.h"

namespace weir::tools {

namespace {

using profiler::Certainty;
using profiler::Finding;
using profiler::Findings;
using profiler::Identity;
using profiler::Report;

constexpr size_t kMaxTold = 20;    // leaks of the baseline that are gone, one by one
constexpr size_t kMaxNotes = 100;  // of one target

std::string counted(size_t n, std::string_view one, std::string_view many) {
  return std::to_string(n) + " " + std::string(n == 1 ? one : many);
}

std::string words_of(const Identity& leak) {
  std::string text = leak.kind;
  if (!leak.blocked_at.empty()) text.append(" in ").append(leak.blocked_at);
  if (!leak.created_by.empty()) text.append(", created by ").append(leak.created_by);
  return text;
}

std::string root_of_sources(const std::string& given) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (!given.empty()) {
    const fs::path root = fs::canonical(given, error);
    if (error) throw Failure("--root=" + given, error.message());
    return root.string();
  }
  const fs::path here = fs::current_path(error);
  for (fs::path at = here; !at.empty(); at = at.parent_path()) {
    if (fs::exists(at / ".git", error)) return at.string();
    if (at == at.root_path()) break;
  }
  return here.string();
}

// What is written at the end of a long run had better be writable at its beginning.
void check_writable(const std::string& file) {
  if (file.empty() || file == "-") return;
  std::error_code error;
  const auto status = std::filesystem::status(file, error);
  if (exists(status) && !is_regular_file(status)) return;  // a device, a pipe: written to as it is
  const std::filesystem::path parent = std::filesystem::path(file).parent_path();
  if (access(parent.empty() ? "." : parent.c_str(), W_OK) != 0) {
    throw Failure(file, std::generic_category().message(errno));
  }
}

}  // namespace

void add_report_options(CLI::App& command, ReportOptions& options) {
  command.add_option("--format", options.format, "How to report")
      ->check(CLI::IsMember({"text", "json", "junit", "sarif", "github"}))
      ->capture_default_str();
  command.add_option("-o,--output", options.output, "Write the report to FILE, not to stdout")
      ->type_name("FILE");
  command
      .add_option("--ignore", options.ignore,
                  "Leave out leaks with a function or file that matches")
      ->type_name("REGEX")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false);  // or it would eat a "--" behind it, and the brackets of "[ab]"
  command
      .add_option("--min-certainty", options.min_certainty, "Leave out leaks that are less certain")
      ->check(CLI::IsMember({"suspect", "likely", "certain"}))
      ->capture_default_str();
  CLI::Option* baseline =
      command
          .add_option("--baseline", options.baseline,
                      "Known leaks, by kind and functions: they are shown, but only others count")
          ->type_name("FILE");
  command
      .add_flag("--update-baseline", options.update_baseline,
                "Write the leaks that are found to the baseline: all are known then")
      ->needs(baseline);
  command
      .add_option("--root", options.root,
                  "Directory that files are named from; default: the repository's")
      ->type_name("DIR");
}

std::string Verdict::text() const {
  std::string text = fresh == 0 ? "no" : std::to_string(fresh);
  if (with_baseline) text.append(" new");
  text.append(fresh == 1 ? " leak" : " leaks");
  if (known > 0) text.append(", ").append(std::to_string(known)).append(" known");
  return text;
}

Reporting::Reporting(const ReportOptions& options) : options_(options), least_(Certainty::suspect) {
  for (size_t c = 0; c < profiler::kCertainties; ++c) {
    if (profiler::to_string(static_cast<Certainty>(c)) == options_.min_certainty) {
      least_ = static_cast<Certainty>(c);
    }
  }
  options_.root = root_of_sources(options_.root);
  check_writable(options_.output);
  if (options_.update_baseline) check_writable(options_.baseline);
  name_options([this] {
    std::vector<Finding> none;
    profiler::leave_out(none, options_.ignore);
  });
  if (!options_.baseline.empty() && !options_.update_baseline) {
    std::error_code error;
    if (!std::filesystem::exists(options_.baseline, error)) {
      throw Failure(options_.baseline, "there is no such baseline: --update-baseline makes one");
    }
    baseline_ = Baseline::load(options_.baseline);
  }
}

Verdict Reporting::judge(Report& report, bool is_whole) const {
  report.root = options_.root;
  report.version = WEIR_VERSION;
  size_t uncertain = 0;
  for (Findings& f : report.all) {
    profiler::leave_out(f.findings, options_.ignore);
    uncertain +=
        std::erase_if(f.findings, [this](const Finding& x) { return x.certainty < least_; });
  }
  if (uncertain > 0) {
    report.notes.push_back(counted(uncertain, "finding is", "findings are") + " less than " +
                           options_.min_certainty + ", and left out.");
  }
  if (options_.update_baseline) {
    update(report, is_whole);
  } else if (!options_.baseline.empty()) {
    const std::vector<Identity> gone = baseline_.mark(report);
    for (size_t i = 0; i < gone.size() && i < kMaxTold; ++i) {
      report.notes.push_back(
          "Did not show, and can be removed from the baseline if it is mended: " +
          words_of(gone[i]) + ".");
    }
    if (gone.size() > kMaxTold) {
      report.notes.push_back(counted(gone.size() - kMaxTold, "more leak", "more leaks") +
                             " of the baseline did not show.");
    }
  }
  Verdict verdict;
  verdict.with_baseline = report.baseline;
  for (const Findings& f : report.all) {
    for (const Finding& finding : f.findings) ++(finding.known ? verdict.known : verdict.fresh);
  }
  return verdict;
}

void Reporting::update(Report& report, bool is_whole) const {
  std::error_code error;
  const bool exists = std::filesystem::exists(options_.baseline, error);
  const Baseline old = exists ? Baseline::load(options_.baseline) : Baseline();
  Baseline now = is_whole ? Baseline() : old;
  for (const Findings& f : report.all) {
    for (const Finding& finding : f.findings) now.add(profiler::identity_of(finding));
  }
  now.mark(report);
  size_t added = 0, removed = 0;
  for (const Identity& leak : now.leaks()) added += old.has(leak) ? 0 : 1;
  for (const Identity& leak : old.leaks()) removed += now.has(leak) ? 0 : 1;
  now.save(options_.baseline);
  std::string note = "The baseline has " + counted(now.leaks().size(), "leak", "leaks") +
                     " now: " + std::to_string(added) + " added, " + std::to_string(removed) +
                     " removed.";
  if (!is_whole) note.append(" Not everything was seen, so nothing was removed from it.");
  report.notes.push_back(std::move(note));
}

void Reporting::write(const Report& report) const {
  write_output(options_.output,
               [&](const profiler::Sink& sink) { write_report(report, options_.format, sink); });
}

bool write_report(const Report& report, std::string_view format, const profiler::Sink& sink) {
  if (format == "json") return profiler::write_report_json(report, sink);
  if (format == "junit") return profiler::write_report_junit(report, sink);
  if (format == "sarif") return profiler::write_report_sarif(report, sink);
  if (format == "github") return profiler::write_report_github(report, sink);
  return profiler::write_report_text(report, sink);
}

namespace {

using Key = std::tuple<uint64_t, Identity, std::string>;  // site, leak, test
Key key_of(const Finding& f) { return {f.site, profiler::identity_of(f), f.test}; }

void add(Finding& to, Finding&& f) {
  const uint64_t count = to.count + f.count, peak = to.peak + f.peak;
  const int64_t oldest = std::max(to.oldest_wait_ns, f.oldest_wait_ns);
  if (f.certainty > to.certainty) to = std::move(f);
  to.count = count;
  to.peak = peak;
  to.oldest_wait_ns = oldest;
  to.goids.clear();  // they are of several processes
}

}  // namespace

void merge(std::vector<Findings>& all) {
  struct Target {
    Findings findings;
    std::map<Key, size_t> rows;
    size_t processes = 0;
  };
  std::map<std::string, Target> targets;
  for (Findings& f : all) {
    Target& t = targets[f.target];
    ++t.processes;
    Findings& to = t.findings;
    to.target = f.target;
    to.taken_at_ns = std::max(to.taken_at_ns, f.taken_at_ns);
    to.goroutines += f.goroutines;
    for (std::string& note : f.notes) {
      if (to.notes.size() < kMaxNotes && std::ranges::count(to.notes, note) == 0) {
        to.notes.push_back(std::move(note));
      }
    }
    for (Finding& finding : f.findings) {
      const auto [row, is_new] = t.rows.emplace(key_of(finding), to.findings.size());
      if (is_new) {
        to.findings.push_back(std::move(finding));
      } else {
        add(to.findings[row->second], std::move(finding));
      }
    }
  }
  all.clear();
  for (auto& [name, t] : targets) {
    Findings& f = t.findings;
    if (t.processes > 1) f.notes.push_back("Of " + std::to_string(t.processes) + " processes.");
    profiler::sort_findings(f.findings);
    if (f.findings.size() > Findings::kMost) {
      f.notes.push_back(std::to_string(f.findings.size() - Findings::kMost) +
                        " more findings are left out.");
      f.findings.resize(Findings::kMost);
    }
    all.push_back(std::move(f));
  }
}

}  // namespace weir::tools
