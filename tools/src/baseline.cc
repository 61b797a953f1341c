// The baseline (baseline.h).
#include "baseline.h"

#include <nlohmann/json.hpp>

#include "failure.h"
#include "output.h"
#include "target.h"

namespace weir::tools {

namespace {

using Json = nlohmann::ordered_json;
using profiler::Identity;

constexpr const char* kSchema = "weir.baseline/1";
constexpr size_t kMaxBytes = size_t{16} << 20;
constexpr int kMaxDepth = 8;

std::string text_of(const Json& j) {
  return j.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string member(const Json& leak, const char* key, const std::string& file) {
  const auto found = leak.find(key);
  if (found == leak.end() || !found->is_string()) {
    throw Failure(file, std::string("not a baseline: a leak has no text \"") + key + "\"");
  }
  return found->get<std::string>();
}

}  // namespace

Baseline Baseline::load(const std::string& file) {
  FetchOptions options;
  options.max_bytes = kMaxBytes;
  options.quiet = true;
  if (file == "-" || is_endpoint(file)) throw Failure(file, "a baseline is a file");
  return parse(file, fetch(file, options));
}

Baseline Baseline::parse(const std::string& file, std::string_view json) {
  const auto bound = [&file](int depth, Json::parse_event_t, const Json&) {
    if (depth > kMaxDepth) throw Failure(file, "not a baseline: nested too deeply");
    return true;
  };
  Json j;
  try {
    j = Json::parse(json.begin(), json.end(), bound);
  } catch (const Json::exception&) {
    throw Failure(file, "not a baseline: not JSON, or not whole");
  }
  if (!j.is_object() || j.value("schema", Json()) != Json(kSchema)) {
    throw Failure(file, std::string("not a baseline: its schema is not ") + kSchema);
  }
  const auto leaks = j.find("leaks");
  if (leaks == j.end() || !leaks->is_array()) {
    throw Failure(file, "not a baseline: it has no list \"leaks\"");
  }
  Baseline b;
  for (const Json& leak : *leaks) {
    if (!leak.is_object()) throw Failure(file, "not a baseline: a leak is no object");
    const std::string kind = member(leak, "kind", file);
    // A kind of a later version is kept, so that an older one does not report it as gone for good.
    b.add({kind, member(leak, "blocked_at", file), member(leak, "created_by", file)});
  }
  return b;
}

void Baseline::add(const Identity& leak) {
  if (!leak.empty()) leaks_.insert(leak);
}

std::vector<Identity> Baseline::mark(profiler::Report& report) const {
  std::set<Identity> gone = leaks_;
  for (profiler::Findings& f : report.all) {
    for (profiler::Finding& finding : f.findings) {
      const Identity leak = profiler::identity_of(finding);
      finding.known = has(leak);
      gone.erase(leak);
    }
  }
  report.baseline = true;
  return {gone.begin(), gone.end()};
}

std::string Baseline::text() const {
  std::string text = std::string("{\"schema\":\"") + kSchema + "\",\n \"leaks\":[";
  const char* separator = "\n  ";
  for (const Identity& leak : leaks_) {
    const Json j = {
        {"kind", leak.kind}, {"blocked_at", leak.blocked_at}, {"created_by", leak.created_by}};
    text.append(separator).append(text_of(j));
    separator = ",\n  ";
  }
  return text.append(leaks_.empty() ? "]}\n" : "\n]}\n");
}

void Baseline::save(const std::string& file) const {
  write_output(file, [this](const profiler::Sink& sink) { sink(text()); });
}

}  // namespace weir::tools
