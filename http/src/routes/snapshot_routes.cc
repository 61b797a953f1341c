#include "snapshot_routes.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <weir/profiler/call_graph.h>
#include <weir/profiler/diff.h>
#include <weir/profiler/draw.h>
#include <weir/profiler/encode.h>
#include <weir/profiler/error.h>
#include <weir/profiler/filter.h>
#include <weir/profiler/groups.h>
#include <weir/profiler/parse.h>
#include <weir/profiler/snapshot.h>

#include "answers.h"
#include "apart.h"
#include "filter_params.h"
#include "graph_routes.h"
#include "observe/observe_json.h"
#include "observe/observer.h"
#include "params.h"

namespace weir::http::routes {

namespace {

using observe::Kept;

constexpr size_t kMiB = size_t{1} << 20;  // bytes
constexpr size_t kMostStacks = 64 * kMiB;

constexpr const char* kId = "the id of a kept snapshot: /debug/snapshots lists them";

Answer nobody_keeps() {
  return text(404, "no snapshots are kept here: DebugOptions::observe is 0\n");
}

std::optional<uint64_t> id_of(const Query& q, const char* name) {
  const std::string value = q.param(name);
  if (value.empty()) return std::nullopt;
  return number<uint64_t>(q, name, 0, UINT64_MAX, kId);
}

// The kept one that a parameter names; `otherwise` where it is not given.
Kept named(const observe::Observer& observer, const Query& q, const char* name,
           const Kept& otherwise) {
  const auto id = id_of(q, name);
  if (!id) return otherwise;
  if (auto kept = observer.snapshot(*id)) return *std::move(kept);
  throw BadParameter{name, kId};
}

// A dump that somebody has sent. Throws profiler::ParseError.
profiler::Snapshot sent(const std::string& dump) {
  // 2 bytes of Snapshot for each byte, and 16 MiB: 80 MiB at most. What is cut off is no dump to
  // compare with: all that is missing would be new.
  return profiler::parse(dump, {.max_bytes = 32 * kMiB,
                                .max_goroutines = 1'000'000,
                                .max_depth = 10'000,
                                .max_expansion = 2,
                                .cut_gzip = false});
}

Answer too_large() {
  return text(
      413,
      "the dump is too large to be compared here: it may have 8 MiB, 32 MiB unpacked, "
      "1000000 goroutines, and names and stacks of 64 MiB where each group has its own (twice its "
      "unpacked size and 16 MiB as it is read); the weir command compares larger ones\n");
}

Answer one(const Kept& k, bool groups) {
  Answer a;
  a.content_type = "application/json";
  a.write = [snapshot = k.snapshot, groups](const profiler::Sink& sink) {
    return groups ? profiler::write_groups_json(*snapshot, sink)
                  : profiler::write_json(*snapshot, sink);
  };
  return a;
}

// What is asked of two snapshots.
struct Question {
  std::string format;
  profiler::Filter filter;
  profiler::DiffOptions options;
};

Answer compare(const profiler::Snapshot& old, const profiler::Snapshot& now, const Question& q) {
  if (q.format == "dot" || q.format == "svg" || q.format == "png") {
    profiler::CallGraph g = profiler::call_graph_difference(old, now, {});
    if (old.truncated) g.filters.push_back("the old side was cut off");
    return picture(std::move(g), q.format);
  }
  auto d = std::make_shared<const profiler::Diff>(profiler::diff(old, now, q.options));
  Answer a;
  a.content_type = q.format == "json"       ? "application/json"
                   : q.format == "markdown" ? "text/markdown; charset=utf-8"
                                            : kText;
  a.write = [d, format = q.format](const profiler::Sink& sink) {
    return format == "json"       ? profiler::write_diff_json(*d, sink)
           : format == "markdown" ? profiler::write_diff_markdown(*d, sink)
                                  : profiler::write_diff_text(*d, sink);
  };
  return a;
}

Answer compare(const profiler::Sides& chosen, const Question& q) {
  return compare(chosen.old, chosen.now, q);
}

Answer compare_dump(const std::string& dump, const profiler::Snapshot& now, Question q) {
  profiler::Snapshot old = sent(dump);
  if (profiler::diff_bytes(old) > kMostStacks) return too_large();
  const profiler::SameProcess same = profiler::same_process(old, now);
  q.options.same_process = same.is;
  q.options.same_process_why = same.why;
  if (q.filter.is_empty()) return compare(old, now, q);
  return compare(profiler::filter_sides(std::move(old), now, q.filter, q.options), q);
}

Answer compare_dump_apart(const std::string& dump, const profiler::Snapshot& now,
                          const Question& q) {
  static Apart& apart = *new Apart;  // never destroyed: who asks may outlive all others
  return apart.run([&] { return compare_dump(dump, now, q); });
}

}  // namespace

Cost snapshots_cost(const Query& q) {
  return q.post || !q.param("id").empty() ? Cost::capture : Cost::cheap;
}

Answer snapshots(const Query& q) {
  const auto observer = observe::current();
  if (!observer) return nobody_keeps();
  Answer a;
  a.content_type = "application/json";
  if (q.post) {
    const uint64_t id = observer->look();
    const auto kept = observer->snapshot(id);
    a.status = 201;
    a.body = kept ? observe::snapshot_json(*kept) : "{}";
    return a;
  }
  observer->latest();
  const bool groups = choice(q, "format", {"json", "groups"}) == "groups";
  if (const auto id = id_of(q, "id")) {
    const auto kept = observer->snapshot(*id);
    return kept ? one(*kept, groups) : text(404, "no such snapshot is kept (any more)\n");
  }
  a.body = observe::snapshots_json(observer->snapshots());
  return a;
}

Cost difference_cost(const Query& q) {
  const std::string format = q.param("format");
  return format == "svg" || format == "png" ? Cost::picture : Cost::capture;
}

Answer difference(const Query& q) try {
  Question question{
      choice(q, "format", {"text", "json", "markdown", "dot", "svg", "png"}), filter_of(q), {}};
  const auto observer = observe::current();
  if (!observer) return nobody_keeps();
  question.options.threshold =
      number<uint64_t>(q, "threshold", 1, UINT64_MAX, "a number of goroutines");
  question.options.labels = choice(q, "labels", {"0", "1"}) == "1";
  question.options.ignore = repeated(q, "ignore");
  observer->latest();
  const std::vector<Kept> all = observer->snapshots();
  const Kept to = named(*observer, q, "to", all.back());
  if (q.post) {
    if (!q.param("base").empty()) throw BadParameter{"base", "nothing: the dump is the base"};
    return compare_dump_apart(q.data, *to.snapshot, question);
  }
  question.options.same_process = true;
  const Kept base = named(*observer, q, "base", all.front());
  const profiler::Snapshot &old = *base.snapshot, &now = *to.snapshot;
  if (question.filter.is_empty()) return compare(old, now, question);
  return compare(profiler::filter_sides(old, now, question.filter, question.options), question);
} catch (const profiler::ParseLimit&) {
  return too_large();
} catch (const profiler::ParseError& e) {  // of the dump: where, and what was expected
  return text(400, std::string(e.what()) + "\n");
}

}  // namespace weir::http::routes
