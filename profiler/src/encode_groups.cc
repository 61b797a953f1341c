// Snapshot -> JSON, schema "weir.groups/1": how many goroutines are where (groups.h).
//
// Keys come in this order; those in [brackets] are left out where they are not known, none or
// false. Readers pass over keys that they do not know.
//
//   schema       "weir.groups/1"
//   taken_at_ns  wall clock, since 1970
//   total        goroutines, without threads
//   [left_out]   goroutines and threads that a filter has taken away
//   process, pid, source, [truncated]
//   frames       {function, [file], [line]}
//   stacks       [[frame, ..], ..], innermost first: what dumps show; empty: not known
//   groups       {id "0x..", site "0x..", stack, state, [wait], [object_kind], [created_by],
//                [blocked_at], [thread], [locked], [leaked], [labels [[key, value], ..]], count,
//                [wait_ns], [oldest_ns]}, most goroutines first. site: as in findings and trends;
//                wait: the wait reason; created_by, blocked_at: frames; wait_ns: of all together
//
// Texts that are not UTF-8 get U+FFFD in place of what is not. The document is written element by
// element.
#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <weir/profiler/groups.h>
#include <weir/profiler/sites.h>

#include "encode.h"
#include "fnv.h"

namespace weir::profiler {

namespace {

using Json = nlohmann::ordered_json;

std::string text_of(const Json& j) {
  return j.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// A location without a frame is shown as its address.
Frame address_frame(const Location& l) {
  Frame f;
  encode::append_hex(f.function, l.address);
  return f;
}

void add_shown(const Snapshot& s, const Group& g, std::vector<encode::Shown>& shown, Fnv& to) {
  encode::shown_frames(s, encode::stack_of(s, g), shown);
  for (const encode::Shown& x : shown) {
    if (x.location->frames.empty()) to.add(x.location->address);
    for (uint32_t i = x.first; i < x.end; ++i) {
      const uint32_t f = x.location->frames[i];
      to.add(f < s.frames.size() ? &s.frames[f] : nullptr);
    }
  }
}

// Rows of a table, each written the first time that it is met.
class Frames {
 public:
  uint32_t of(const Frame& f) {
    Fnv key;
    key.add(&f);
    const auto [at, is_new] = rows_.try_emplace(key.value(), static_cast<uint32_t>(rows_.size()));
    if (is_new) {
      Json j = {{"function", f.function}};
      if (!f.file.empty()) j["file"] = f.file;
      if (f.line != 0) j["line"] = f.line;
      text_.append(text_.empty() ? "\n" : ",\n").append(text_of(j));
    }
    return at->second;
  }
  const std::string& text() const { return text_; }

 private:
  std::unordered_map<uint64_t, uint32_t> rows_;
  std::string text_;
};

// A group as it is written: those with one id together.
struct Row {
  uint32_t group = 0;  // the first of them
  uint64_t id = 0, count = 0;
  encode::Wait wait;
};

std::vector<Row> rows_of(const Snapshot& s) {
  const std::vector<uint64_t> ids = group_ids(s);
  std::vector<Row> rows;
  std::unordered_map<uint64_t, size_t> by_id;
  for (uint32_t i = 0; i < s.groups.size(); ++i) {
    const auto [at, is_new] = by_id.try_emplace(ids[i], rows.size());
    if (is_new) rows.push_back({i, ids[i], 0, {}});
    Row& row = rows[at->second];
    row.count = encode::saturating_add(row.count, s.groups[i].count);
    const encode::Wait wait = encode::wait_of(s.groups[i]);
    row.wait.add(wait.sum, wait.longest);
  }
  std::ranges::stable_sort(rows, std::ranges::greater(), &Row::count);
  return rows;
}

class Writer {
 public:
  explicit Writer(const Snapshot& s) : s_(s), sites_(s) {}

  bool write(const Sink& sink) {
    const std::vector<Row> rows = rows_of(s_);
    encode::Out out(sink);
    std::string stacks, groups;
    for (const Row& row : rows) {
      const Group& g = s_.groups[row.group];
      stacks.append(stacks.empty() ? "\n" : ",\n").append(text_of(stack(g)));
      groups.append(groups.empty() ? "\n" : ",\n").append(text_of(group(row, g)));
    }
    std::string head = text_of(this->head());
    head.pop_back();
    out.write(head + ",\n\"frames\":[");
    out.write(frames_.text());
    out.write("],\n\"stacks\":[");
    out.write(stacks);
    out.write("],\n\"groups\":[");
    out.write(groups);
    out.write("]}\n");
    return out.finish();
  }

 private:
  Json head() const {
    Json j = {{"schema", "weir.groups/1"}, {"taken_at_ns", s_.taken_at_ns}, {"total", s_.total}};
    if (s_.left_out != 0) j["left_out"] = s_.left_out;
    j["process"] = s_.process;
    j["pid"] = s_.pid;
    j["source"] = s_.source;
    if (s_.truncated) j["truncated"] = true;
    return j;
  }

  Json stack(const Group& g) {
    Json frames = Json::array();
    encode::shown_frames(s_, encode::stack_of(s_, g), shown_);
    for (const encode::Shown& x : shown_) {
      if (x.location->frames.empty()) frames.push_back(frames_.of(address_frame(*x.location)));
      for (uint32_t i = x.first; i < x.end; ++i) {
        const uint32_t f = x.location->frames[i];
        if (f < s_.frames.size()) frames.push_back(frames_.of(s_.frames[f]));
      }
    }
    return frames;
  }

  Json group(const Row& row, const Group& g) {
    Json j;
    std::string id, site;
    encode::append_hex(id, row.id);
    encode::append_hex(site, sites_.of_group(row.group).id);
    j["id"] = id;
    j["site"] = site;
    j["stack"] = next_stack_++;
    j["state"] = encode::state_name(g.state);
    if (!g.wait_reason.empty()) j["wait"] = g.wait_reason;
    if (!g.object_kind.empty()) j["object_kind"] = g.object_kind;
    if (const Frame* const f = encode::creator_frame(s_, g.created_by)) {
      j["created_by"] = frames_.of(*f);
    }
    if (const Frame f = blocked_at(s_, g); !f.function.empty()) j["blocked_at"] = frames_.of(f);
    if (g.thread) j["thread"] = true;
    if (g.locked) j["locked"] = true;
    if (g.leaked) j["leaked"] = true;
    if (!g.labels.empty()) {
      j["labels"] = Json::array();
      for (const auto& [key, value] : g.labels) j["labels"].push_back({key, value});
    }
    j["count"] = row.count;
    if (row.wait.sum >= 0) j["wait_ns"] = row.wait.sum;
    if (row.wait.longest >= 0) j["oldest_ns"] = row.wait.longest;
    return j;
  }

  const Snapshot& s_;
  const Sites sites_;
  Frames frames_;
  uint64_t next_stack_ = 0;
  std::vector<encode::Shown> shown_;
};

}  // namespace

std::vector<uint64_t> group_ids(const Snapshot& s) {
  std::vector<uint64_t> ids;
  ids.reserve(s.groups.size());
  std::vector<encode::Shown> shown;
  for (const Group& g : s.groups) {
    Fnv id;
    add_shown(s, g, shown, id);
    id.add(encode::creator_frame(s, g.created_by));
    id.add(encode::status_text(g));
    id.add(g.object_kind);
    id.add(uint64_t{g.thread} | uint64_t{g.locked} << 1 | uint64_t{g.leaked} << 2);
    for (const auto& [key, value] : g.labels) {
      id.add(key);
      id.add(value);
    }
    ids.push_back(id.value());
  }
  return ids;
}

bool write_groups_json(const Snapshot& s, const Sink& sink) { return Writer(s).write(sink); }

}  // namespace weir::profiler
