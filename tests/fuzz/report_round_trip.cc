#include "report_round_trip.h"

#include <nlohmann/json.hpp>
#include <vector>

#include <weir/profiler/parse.h>
#include <weir/profiler/report.h>

#include "texts.h"

namespace weir::profiler::fuzz {

namespace {

using Writer = bool(const Report&, const Sink&);

std::string written(Writer& write, const Report& r) {
  std::string all;
  write(r, [&all](std::string_view piece) {
    all.append(piece);
    return true;
  });
  return all;
}

std::string check_json(const Report& r) {
  const std::string text = written(write_report_json, r);
  if (!looks_like_report(text)) return "is taken for something else";
  try {
    const std::string then = written(write_report_json, parse_report(text));
    return then == text ? "" : "is written differently " + difference(text, then);
  } catch (const ParseError& e) {
    return std::string("cannot be read: ") + e.what() + "\n" + text.substr(0, 400);
  }
}

std::string check_text(const Report& r) { return unprintable(written(write_report_text, r)); }

std::string check_sarif(const Report& r) {
  const std::string text = written(write_report_sarif, r);
  return nlohmann::json::accept(text) ? "" : "is no JSON: " + text.substr(0, 400);
}

// Its elements end as they began, and no text of the report begins one: what an XML reader needs.
std::string check_junit(const Report& r) {
  const std::string text = written(write_report_junit, r);
  if (std::string why = unprintable(text); !why.empty()) return why;
  std::vector<std::string_view> open;
  for (std::string_view rest = text;;) {
    const size_t begin = rest.find('<');
    if (rest.substr(0, begin).find('>') != rest.npos) return "has a lonely >";
    if (begin == rest.npos) break;
    rest.remove_prefix(begin + 1);
    const size_t end = rest.find('>');
    if (end == rest.npos) return "has a tag without an end";
    const std::string_view tag = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    if (tag.find('<') != tag.npos) return "has a tag in a tag: " + std::string(tag);
    if (tag.starts_with('?') || tag.ends_with('/')) continue;
    if (!tag.starts_with('/')) {
      open.push_back(tag.substr(0, tag.find(' ')));
    } else if (open.empty() || open.back() != tag.substr(1)) {
      return "has an end without a beginning: " + std::string(tag);
    } else {
      open.pop_back();
    }
  }
  return open.empty() ? "" : "has an element without an end: " + std::string(open.back());
}

// No text of the report begins a line, which could be a command of its own.
std::string check_github(const Report& r) {
  const std::string text = written(write_report_github, r);
  if (std::string why = unprintable(text); !why.empty()) return why;
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    const bool is_ours = line.starts_with("::error ") || line.starts_with("::notice title=") ||
                         line.starts_with("weir: ");
    if (!is_ours) return "has a line that is not ours: " + std::string(line);
    rest.remove_prefix(line.size() + 1);
  }
  return {};
}

}  // namespace

std::string broken_report(std::string_view bytes) {
  Report r;
  try {
    r = parse_report(bytes);
  } catch (const ParseError& e) {
    return not_one_line(e.what());
  }
  r.root = "/src";
  r.version = "1.2.3";
  if (std::string why = check_json(r); !why.empty()) return "json " + why;
  if (std::string why = check_text(r); !why.empty()) return "text " + why;
  if (std::string why = check_junit(r); !why.empty()) return "junit " + why;
  if (std::string why = check_sarif(r); !why.empty()) return "sarif " + why;
  if (std::string why = check_github(r); !why.empty()) return "github " + why;
  return {};
}

}  // namespace weir::profiler::fuzz
