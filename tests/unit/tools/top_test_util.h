// Targets of weir top that are made up: what their endpoints answer.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "failure.h"
#include "top/model.h"
#include "top/source.h"
#include "top/view.h"

namespace weir::tools::top {

// Goroutines alike, as weir's debug=1 has them.
struct Alike {
  uint64_t count = 0;
  std::string state = "chan receive";
  std::string longest = "1m0s";  // of their waits
  std::string function = "worker";
  std::string creator = "main";
  std::string caller = "serve";  // of function
};

inline std::string debug1(const std::vector<Alike>& all) {
  uint64_t total = 0, address = 0x1000;
  for (const Alike& a : all) total += a.count;
  std::string text = "goroutine profile: total " + std::to_string(total) + "\n";
  for (const Alike& a : all) {
    const auto hex = [](uint64_t n) {
      char digits[32];
      std::snprintf(digits, sizeof digits, "0x%lx", static_cast<unsigned long>(n));
      return std::string(digits);
    };
    text += std::to_string(a.count) + " @ " + hex(address + 1) + " " + hex(address + 2) + "\n";
    text += "# state: " + std::to_string(a.count) + " " + a.state;
    if (!a.longest.empty()) {
      text += ", wait " + a.longest;
      if (a.count > 1) text += " (longest " + a.longest + ")";
    }
    text += ", created by " + a.creator + "\t/src/main.cc:50\n";
    text += "#\t" + hex(address) + "\t" + a.function + "+0x1a\t/src/work.cc:13\n";
    text += "#\t" + hex(address + 1) + "\t" + a.caller + "+0x2a\t/src/serve.cc:7\n\n";
    address += 16;
  }
  return text;
}

inline std::string no_findings() {
  return R"({"schema":"weir.findings/1","target":"zoo","goroutines":0,"notes":[],"findings":[]})";
}

// A weir program; what it has may be changed between samples.
struct Target {
  std::vector<Alike> goroutines;
  std::string findings = no_findings();
  std::string sched;  // empty: fails

  std::string get(const std::string& path) const {
    if (path.starts_with("/debug/pprof/goroutine?debug=1")) return debug1(goroutines);
    if (path.starts_with("/debug/leaks")) return findings;
    if (path.starts_with("/debug/pprof/cmdline")) return std::string("/bin/zoo\0--leak", 15);
    if (path.starts_with("/debug/sched") && !sched.empty()) return sched;
    throw Failure("http://zoo", "404 Not Found");
  }
};

inline constexpr int64_t kSecond = 1'000'000'000;

// Samples of a Target, two seconds apart, shown by a Model.
class Watch {
 public:
  explicit Watch(Size size = {80, 24}, Charset charset = Charset::ascii)
      : source([this](const std::string& path) { return target.get(path); }),
        model("http://zoo:6060", charset, size) {}

  void sample() {
    now += 2 * kSecond;
    model.take(std::make_shared<const Sample>(source.take(now)), now);
    model.take(FeedStatus{.failure = {}, .last_good_ns = now, .pause_ns = 2 * kSecond});
  }

  Model::Answer press(std::string_view keys) {
    Model::Answer last = Model::Answer::nothing;
    for (const char c : keys) last = model.press({Key::Code::text, std::string(1, c)}, now);
    return last;
  }
  Model::Answer press(Key::Code code) { return model.press({code}, now); }

  std::vector<std::string> lines() const {
    std::vector<std::string> all;
    for (const Line& line : render(model, now)) all.push_back(line.text());
    return all;
  }
  std::string text() const {
    std::string all;
    for (const std::string& line : lines()) all += line + "\n";
    return all;
  }
  // Of the rows in sight, from the top: what stands in a column.
  std::vector<std::string> stuck_at() const {
    std::vector<std::string> names;
    for (const Item& item : model.items()) names.push_back(item.row->blocked_at.function);
    return names;
  }
  // The line under the cursor.
  std::string selected() const {
    for (const Line& line : render(model, now)) {
      if (line.selected) return line.text();
    }
    return {};
  }

  Target target;
  Source source;
  int64_t now = 100 * kSecond;
  Model model;
};

}  // namespace weir::tools::top
