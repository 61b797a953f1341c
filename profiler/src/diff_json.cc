// Diff -> JSON, schema "weir.diff/1". Keys come in this order; readers pass over keys that they do
// not know. Times are ns; not known: left out.
//
//   schema               "weir.diff/1"
//   old, now             {process, [taken_at_ns], total, [left_out], [truncated]}: goroutines and
//                        threads, without ignored; left_out: by a filter; truncated: a dump that
//                        was cut off
//   same_process         goids mean the same goroutines on both sides
//   same_process_why     a sentence
//   told_apart_by        of "lines", "wait", "creator", "labels"
//   ignored              groups that were left out
//   entries              {change, before, after, [site "0x.."], [wait], thread, stack, truncated,
//                        [created_by], labels [[key, value], ..], [oldest_ns], stayed}, what grew
//                        most first:
//     change             "new", "gone", "grown", "shrunk", "unchanged"
//     site               of the goroutines of NOW, as in findings and trends, where all have one
//     stack              [{function, [file], [line]}, ..], innermost first
//     stayed             goids that are on both sides
#include <nlohmann/json.hpp>

#include "diff_words.h"
#include "encode.h"
#include "graph_json.h"

namespace weir::profiler {

namespace {

using Json = nlohmann::ordered_json;

Json side(const std::string& process, int64_t taken_at_ns, uint64_t total, uint64_t left_out,
          bool truncated) {
  Json j = {{"process", process}};
  if (taken_at_ns != 0) j["taken_at_ns"] = taken_at_ns;
  j["total"] = total;
  if (left_out != 0) j["left_out"] = left_out;
  if (truncated) j["truncated"] = true;
  return j;
}

Json entry(const Diff::Entry& e) {
  Json j = {{"change", change_name(e.change)}, {"before", e.before}, {"after", e.after}};
  if (e.site) {
    std::string site;
    encode::append_hex(site, *e.site);
    j["site"] = site;
  }
  if (!e.wait.empty()) j["wait"] = e.wait;
  j["thread"] = e.thread;
  j["stack"] = Json::array();
  for (const Frame& f : e.stack) j["stack"].push_back(frame_json(f));
  j["truncated"] = e.truncated;
  if (!e.created_by.function.empty()) j["created_by"] = frame_json(e.created_by);
  j["labels"] = Json::array();
  for (const auto& [key, value] : e.labels) j["labels"].push_back(Json::array({key, value}));
  if (e.oldest_ns >= 0) j["oldest_ns"] = e.oldest_ns;
  j["stayed"] = e.stayed;
  return j;
}

std::string text_of(const Json& j) {
  return j.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

bool write_diff_json(const Diff& d, const Sink& sink) {
  encode::Out out(sink);
  Json head = {{"schema", "weir.diff/1"}};
  head["old"] = side(d.old_process, d.old_taken_at_ns, d.before, d.old_left_out, d.old_truncated);
  head["now"] = side(d.now_process, d.now_taken_at_ns, d.after, d.now_left_out, d.now_truncated);
  head["same_process"] = d.same_process;
  head["same_process_why"] = d.same_process_why;
  Json by = Json::array();
  if (d.by_lines) by.push_back("lines");
  if (d.by_wait) by.push_back("wait");
  if (d.by_creator) by.push_back("creator");
  if (d.by_labels) by.push_back("labels");
  head["told_apart_by"] = by;
  head["ignored"] = d.ignored;
  std::string text = text_of(head);
  text.pop_back();  // the closing bracket: the entries come one by one
  out.write(text + ",\"entries\":[");
  const char* separator = "\n";
  for (const Diff::Entry& e : d.entries) {
    if (!out.ok()) break;
    out.write(separator + text_of(entry(e)));
    separator = ",\n";
  }
  out.write("]}\n");
  return out.finish();
}

}  // namespace weir::profiler
