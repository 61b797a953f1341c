// Findings -> text for a person: a paragraph for each, the most certain first.
//
//   zoo: 2 findings in 120 goroutines, Nov 24, 2026 at 17:31:05 (UTC)
//
//   certain: 3 goroutines wait to send on a nil channel, which never becomes ready.
//     nil_channel, 3 goroutines, growing by 2.0 per minute, oldest 5m2s
//     stuck at    zoo::nil_chan_send  zoo.cc:18
//     created by  zoo::start  zoo.cc:20
//     waits for   3 channels, made at zoo::start  zoo.cc:19
//     because     The longest wait has lasted 5m2s.
//     fix         Make the channel (make_chan) before it is used ..
//     goroutines 7, 8, 9
//       zoo::nil_chan_send  zoo.cc:18
//       zoo::start  zoo.cc:20
//
// Whatever the names hold: one line each, without control characters.
#include <weir/profiler/finding.h>
#include <weir/profiler/report.h>

#include <utility>

#include "detect/finding_words.h"
#include "dot.h"
#include "encode.h"
#include "wait_words.h"

namespace weir::profiler {

namespace {

using finding_words::kMaxText;

constexpr size_t kMaxStack = 8;  // frames shown from the leaf
constexpr size_t kColumn = 12;   // where the second column begins

void line(encode::Out& out, std::string_view indent, std::string_view text) {
  std::string clean(indent);
  encode::append_clean(clean, text);
  out.write(clean.append("\n"));
}

// "  stuck at    text"
void row(encode::Out& out, std::string_view name, std::string_view text) {
  if (text.empty()) return;
  std::string indent = "  " + std::string(name);
  indent.append(kColumn > name.size() ? kColumn - name.size() : 1, ' ');
  line(out, indent, text);
}

using finding_words::where;

std::string object_words(const std::string& kind, uint64_t count) {
  struct Words {
    std::string_view kind, one, many;
  };
  static constexpr Words kWords[] = {
      {"chan", "channel", "channels"},     {"mutex", "mutex", "mutexes"},
      {"rwmutex", "RWMutex", "RWMutexes"}, {"waitgroup", "WaitGroup", "WaitGroups"},
      {"cond", "Cond", "Conds"},           {"semaphore", "semaphore", "semaphores"},
      {"io", "connection", "connections"}, {"http_body", "response body", "response bodies"}};
  for (const Words& w : kWords) {
    if (w.kind != kind) continue;
    return count == 1 ? "one " + std::string(w.one)
                      : std::to_string(count) + " " + std::string(w.many);
  }
  return std::to_string(count) + " of kind " + dot_text::shortened(kind, kMaxText);
}

// What else is known of it is in the evidence.
std::string object(const Finding::Object& o) {
  if (o.kind.empty() || o.count == 0) return {};
  const std::string made = where(o.made_at);
  return object_words(o.kind, o.count) + (made.empty() ? "" : ", made at " + made);
}

void write(encode::Out& out, const Finding& f) {
  line(out, f.known ? "known, " : "", std::string(to_string(f.certainty)) + ": " + f.cause);
  line(out, "  ", finding_words::numbers(f));
  row(out, "test", dot_text::shortened(f.test, kMaxText));
  row(out, "stuck at", where(f.blocked_at));
  row(out, "created by", where(f.created_by));
  row(out, "waits for", object(f.object));
  std::string_view name = "because";
  for (const std::string& sentence : f.evidence) row(out, std::exchange(name, ""), sentence);
  row(out, "fix", f.fix);
  if (!f.goids.empty()) line(out, "  ", goids_text(f.goids, f.count));
  const size_t shown = f.stack.size() <= kMaxStack + 1 ? f.stack.size() : kMaxStack;
  for (size_t i = 0; i < shown; ++i) line(out, "    ", where(f.stack[i]));
  if (shown < f.stack.size()) {
    line(out, "    ", ".. " + std::to_string(f.stack.size() - shown) + " more ..");
  }
}

void write(encode::Out& out, const Findings& f) {
  std::string head = dot_text::shortened(f.target, kMaxText);
  if (!head.empty()) head.append(": ");
  head.append(f.findings.empty() ? "no findings" : count_of(f.findings.size(), "finding"));
  head.append(" in " + count_of(f.goroutines, "goroutine"));
  if (f.taken_at_ns > 0) head.append(", " + dot_text::wall_clock(f.taken_at_ns));
  line(out, "", head);
  for (const std::string& note : f.notes) line(out, "note: ", note);
  for (const Finding& finding : f.findings) {
    if (!out.ok()) break;
    out.write("\n");
    write(out, finding);
  }
}

}  // namespace

namespace finding_words {

std::string text_of(const Finding& f) {
  std::string text;
  const Sink sink = [&text](std::string_view piece) {
    text.append(piece);
    return true;
  };
  encode::Out out(sink);
  write(out, f);
  out.finish();
  return text;
}

}  // namespace finding_words

bool write_findings_text(const Findings& f, const Sink& sink) {
  encode::Out out(sink);
  write(out, f);
  return out.finish();
}

bool write_report_text(const Report& r, const Sink& sink) {
  encode::Out out(sink);
  const char* separator = "";
  for (const Findings& f : r.all) {
    if (!out.ok()) break;
    out.write(std::exchange(separator, "\n"));
    write(out, f);
  }
  if (!r.notes.empty()) out.write(separator);
  for (const std::string& note : r.notes) line(out, "note: ", note);
  return out.finish();
}

}  // namespace weir::profiler
