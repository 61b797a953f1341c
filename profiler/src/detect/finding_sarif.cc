// Findings -> SARIF 2.1.0 (OASIS), as code scanning services read it.
//
// One run has the results of all processes: services want one run of a tool. A rule for each kind
// that was found; a finding's level is `error` where it is certain, `warning` where it is likely,
// `note` where it is suspect. Files are named from the root of the sources (%SRCROOT%), so that a
// service finds them in the repository; those outside are full URIs. The fingerprint is made of the
// kind and the names of functions, so an alert stays the same when lines move. What a baseline has
// is `unchanged` and suppressed.
//
// Texts that are not UTF-8 get U+FFFD in place of what is not.
#include <weir/profiler/report.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "detect/finding_words.h"
#include "dot.h"
#include "encode.h"

namespace weir::profiler {

namespace {

using Json = nlohmann::ordered_json;
using finding_words::kMaxText;
using finding_words::Place;

constexpr const char* kRoot = "%SRCROOT%";
constexpr size_t kMaxMessage = 4000;  // bytes

struct Rule {
  const char *name, *summary, *help;
};
// In the order of Kind.
constexpr std::array<Rule, kKinds> kRules = {{
    {"NilChannel", "A goroutine waits on a nil channel, for ever.",
     "A nil channel never becomes ready. Make the channel (make_chan) before it is used, and do "
     "not "
     "use it after it was moved from."},
    {"ChanSend", "Goroutines wait to send on a channel from which nobody receives.",
     "Give the channel room for every value that is sent (make_chan(n)), receive until the sender "
     "is done, or let the sender give up: select over the send and a context's done()."},
    {"ChanReceive", "Goroutines wait to receive from a channel to which nobody sends.",
     "Close the channel when nothing more comes, on every path, errors too; or let the receiver "
     "give up: select over the receive and a context's done()."},
    {"Select", "Goroutines wait in a select of which no case becomes ready.",
     "Add a case for the end: a context's done(), or a channel that is closed when the work is "
     "over, and see to it that it is cancelled or closed on every path."},
    {"SelectNoCases", "A goroutine waits in a select without cases, for ever.",
     "A select without cases never ends. Wait for a context or a channel that can be closed."},
    {"MutexForgottenUnlock", "A goroutine waits for a lock whose owner has exited.",
     "The owner returned, or threw, without unlocking. Lock by scope: std::scoped_lock or "
     "std::shared_lock; in Go: defer mu.Unlock()."},
    {"Mutex", "Goroutines wait for a mutex that is not unlocked.",
     "Whoever holds it is stuck itself, or holds it for too long: look at the owner. Do not wait "
     "for channels or the network with a lock held."},
    {"RWMutex", "Goroutines wait for a read-write lock that is not unlocked.",
     "Whoever holds it is stuck itself, or reads without an end: a writer waits for all readers, "
     "and new readers wait for the writer."},
    {"WaitGroup", "Goroutines wait for a WaitGroup that does not reach zero.",
     "Done is called less often than Add has counted: some path returns early. Call done() by "
     "scope, or use WaitGroup::go or a TaskGroup."},
    {"Cond", "Goroutines wait for a condition that nobody signals.",
     "Signal after every change that can make the condition true, with the lock held; broadcast "
     "where several may wait, and at the end."},
    {"Semaphore", "Goroutines wait for a semaphore that is not released.",
     "A path that acquires does not release. Release by scope."},
    {"HttpBody", "The body of a response is neither read to its end nor closed.",
     "It keeps its connection and its goroutine. Read it to the end, or close it, on every path."},
    {"Spinning", "A goroutine runs without an end.",
     "It keeps a processor from all others. Let the loop end, wait instead of polling, or call "
     "gosched()."},
    {"Sleep", "Goroutines sleep that nobody needs any more.",
     "Wait for a timer and a context in one select, so that the sleep ends with the work."},
    {"IoWait", "Goroutines wait for a connection that does not get on.",
     "Set a deadline, and close connections and listeners when the work is over."},
    {"Syscall", "Goroutines are in a system call that does not return.",
     "Set a time limit for it, or close what it waits for."},
    {"Deadlock", "Goroutines wait for each other in a circle.",
     "Take locks in the same order everywhere, or all at once: std::scoped_lock(a, b)."},
}};

const char* level(Certainty c) {
  return c == Certainty::certain ? "error" : c == Certainty::likely ? "warning" : "note";
}

// A path as the part of a URI.
std::string percent_encoded(std::string_view path) {
  static constexpr std::string_view kPlain = "/-._~";
  std::string uri;
  for (const char c : path) {
    const bool is_alnum =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (is_alnum || kPlain.find(c) != kPlain.npos) {
      uri.push_back(c);
    } else {
      char text[4];
      std::snprintf(text, sizeof text, "%%%02X", static_cast<unsigned char>(c));
      uri.append(text);
    }
  }
  return uri;
}

std::string clean(std::string_view text, size_t bytes) {
  std::string result;
  encode::append_clean(result, dot_text::shortened(text, bytes));
  return result;
}

Json text_json(std::string_view text) { return {{"text", clean(text, kMaxMessage)}}; }

// Null: neither its file nor its name is known.
Json location(const Frame& frame, std::string_view root) {
  Json j = Json::object();
  if (const Place place = finding_words::place_of(frame, root); place.frame) {
    Json artifact;
    artifact["uri"] = (place.path.starts_with('/') ? "file://" : "") + percent_encoded(place.path);
    if (place.in_root) artifact["uriBaseId"] = kRoot;
    j["physicalLocation"]["artifactLocation"] = std::move(artifact);
    if (frame.line > 0) j["physicalLocation"]["region"] = {{"startLine", frame.line}};
  }
  if (!frame.function.empty()) {
    j["logicalLocations"] = Json::array(
        {{{"fullyQualifiedName", clean(frame.function, kMaxText)}, {"kind", "function"}}});
  }
  return j.empty() ? Json(nullptr) : j;
}

Json related(const Finding& f, std::string_view root) {
  Json all = Json::array();
  const auto add = [&](const Frame& frame, const std::string& words) {
    Json j = location(frame, root);
    if (j.is_null()) return;
    j["id"] = all.size() + 1;
    j["message"] = text_json(words);
    all.push_back(std::move(j));
  };
  add(f.created_by, "The goroutine was created here.");
  const std::string object = f.object.kind.empty() ? "object" : f.object.kind;
  add(f.object.made_at, "The " + object + " that it waits for was made here.");
  for (const auto& [what, at] : f.object.places) add(at, object + ": " + what);
  return all;
}

std::string message(const Finding& f) {
  std::string text = f.cause;
  text.append(" (").append(finding_words::numbers(f)).append(")");
  for (const std::string& sentence : f.evidence) text.append(" ").append(sentence);
  if (!f.fix.empty()) text.append(" Fix: ").append(f.fix);
  return text;
}

// 64-bit FNV-1a.
std::string fingerprint(const Finding& f) {
  const Identity id = identity_of(f);
  uint64_t hash = 0xcbf29ce484222325;
  for (const std::string* part : {&id.kind, &id.blocked_at, &id.created_by}) {
    for (const char c : *part) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    hash = (hash ^ 0xff) * 0x100000001b3;
  }
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash));
  return text;
}

Json result(const Finding& f, const Findings& of, size_t rule, const Report& r) {
  Json j = {{"ruleId", to_string(f.kind)}, {"ruleIndex", rule}, {"level", level(f.certainty)}};
  j["message"] = text_json(message(f));
  const Place shown = finding_words::place_to_show(f, r.root);
  Json where = location(shown.frame ? *shown.frame : f.blocked_at, r.root);
  j["locations"] = where.is_null() ? Json::array() : Json::array({std::move(where)});
  if (Json all = related(f, r.root); !all.empty()) j["relatedLocations"] = std::move(all);
  if (!f.stack.empty()) {
    Json frames = Json::array();
    for (const Frame& frame : f.stack) {
      Json at = location(frame, r.root);
      if (!at.is_null()) frames.push_back({{"location", std::move(at)}});
    }
    j["stacks"] = Json::array(
        {{{"message", text_json("The stack of one of them.")}, {"frames", std::move(frames)}}});
  }
  j["partialFingerprints"] = {{"goroutineLeak/v1", fingerprint(f)}};
  if (r.baseline) j["baselineState"] = f.known ? "unchanged" : "new";
  if (f.known) {
    j["suppressions"] =
        Json::array({{{"kind", "external"}, {"justification", "The baseline has this leak."}}});
  }
  Json& more = j["properties"];
  more = {{"certainty", to_string(f.certainty)}, {"goroutines", f.count}};
  if (!of.target.empty()) more["process"] = clean(of.target, kMaxText);
  if (!f.test.empty()) more["test"] = clean(f.test, kMaxText);
  if (f.growth_per_minute != 0 && std::isfinite(f.growth_per_minute)) {
    more["growthPerMinute"] = f.growth_per_minute;
  }
  if (f.oldest_wait_ns >= 0) {
    more["oldestWaitSeconds"] = static_cast<double>(f.oldest_wait_ns) / 1e9;
  }
  return j;
}

Json rule_json(Kind kind) {
  const Rule& rule = kRules[static_cast<size_t>(kind)];
  Json j = {{"id", to_string(kind)}, {"name", rule.name}};
  j["shortDescription"] = {{"text", rule.summary}};
  j["fullDescription"] = {{"text", rule.summary}};
  j["help"] = {{"text", rule.help}};
  j["defaultConfiguration"] = {{"level", "warning"}};
  j["properties"] = {{"tags", {"concurrency", "goroutine-leak", "reliability"}}};
  return j;
}

Json notifications(const Report& r) {
  Json all = Json::array();
  const auto add = [&all](const std::string& text, const char* level) {
    all.push_back({{"level", level}, {"message", text_json(text)}});
  };
  for (const std::string& note : r.notes) add(note, r.complete ? "note" : "warning");
  for (const Findings& f : r.all) {
    for (const std::string& note : f.notes) {
      add(f.target.empty() ? note : f.target + ": " + note, "note");
    }
  }
  return all;
}

std::string text_of(const Json& j) {
  return j.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

bool write_report_sarif(const Report& r, const Sink& sink) {
  std::array<size_t, kKinds> rule_of{};
  std::array<bool, kKinds> found{};
  for (const Findings& f : r.all) {
    for (const Finding& finding : f.findings) found[static_cast<size_t>(finding.kind)] = true;
  }
  Json rules = Json::array();
  for (size_t i = 0; i < kKinds; ++i) {
    rule_of[i] = rules.size();
    if (found[i]) rules.push_back(rule_json(static_cast<Kind>(i)));
  }
  Json driver = {{"name", "weir"}};
  driver["fullName"] = "weir: leaks of goroutines";
  if (!r.version.empty()) driver["version"] = r.version;
  driver["rules"] = std::move(rules);

  encode::Out out(sink);
  out.write(
      "{\"$schema\":\"https://json.schemastore.org/sarif-2.1.0.json\",\"version\":\"2.1.0\","
      "\"runs\":[\n");
  Json run = {{"tool", {{"driver", std::move(driver)}}}};
  run["invocations"] = Json::array(
      {{{"executionSuccessful", r.complete}, {"toolExecutionNotifications", notifications(r)}}});
  if (!r.root.empty()) {
    const bool has_slash = r.root.ends_with('/');
    run["originalUriBaseIds"][kRoot] = {
        {"uri", "file://" + percent_encoded(r.root) + (has_slash ? "" : "/")}};
  }
  run["columnKind"] = "utf16CodeUnits";
  std::string text = text_of(run);
  text.pop_back();  // the closing bracket: the results come one by one
  out.write(text + ",\"results\":[");
  const char* separator = "\n";
  for (const Findings& f : r.all) {
    for (const Finding& finding : f.findings) {
      if (!out.ok()) return false;
      out.write(separator +
                text_of(result(finding, f, rule_of[static_cast<size_t>(finding.kind)], r)));
      separator = ",\n";
    }
  }
  out.write("]}]}\n");
  return out.finish();
}

}  // namespace weir::profiler
