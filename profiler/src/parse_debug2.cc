// Go's debug=2 -> Snapshot. The grammar is in encode_debug2.cc.
//
// Goroutines of a dump are a few different ones many times over, so what a frame, a stack and a
// header mean is remembered by their texts (views into the input): the next time costs a look-up.
#include <algorithm>
#include <functional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "debug2_text.h"
#include "parse_debug2_header.h"
#include "parse_formats.h"
#include "parse_log.h"
#include "parse_tables.h"
#include "parse_text.h"

namespace weir::profiler::parsing {
namespace {

constexpr std::string_view kFormat = "debug=2", kCreatedBy = "created by ",
                           kAncestor = "[originating from goroutine ",
                           kForeign = "non-Go function at pc=";
constexpr size_t kGosLimit = size_t{64} * 1024 * 1024;  // bytes; Go cuts its dumps off there
constexpr size_t kRemembered = 128;                     // bytes of an entry of a cache

// The same for the same place in every dump. FNV-1a.
uint64_t made_address(const Snapshot& s, const std::vector<uint32_t>& frames) {
  constexpr uint64_t kPrime = 0x100000001b3U, kTop = uint64_t{1} << 63;
  uint64_t h = 0xcbf29ce484222325U;
  const auto add = [&h](std::string_view bytes) {
    for (const char c : bytes) h = (h ^ static_cast<unsigned char>(c)) * kPrime;
    h *= kPrime;  // as if by a NUL
  };
  for (const uint32_t i : frames) {
    add(s.frames[i].function);
    add(s.frames[i].file);
    add(std::to_string(s.frames[i].line));
    add(std::to_string(s.frames[i].offset));
  }
  return kTop | h >> 4;
}

// The lines of a frame. Without data: there is no such line.
struct FrameText {
  std::string_view function, place;
  bool operator==(const FrameText&) const = default;
};

// What they mean.
struct Entry {
  uint32_t frame = kNone;   // kNone: the address is all that is known
  uint64_t address = 0;     // 0: not told
  bool is_inlined = false;  // into the next one
};

// What makes a group.
struct GroupText {
  std::string_view status, labels;
  uint32_t stack = 0, created_by = kNone;
  bool locked = false, has_minutes = false, has_inner_labels = false, has_body = false;
  bool operator==(const GroupText&) const = default;
};

struct GroupOf {
  uint32_t group = 0;
  uint32_t name = 0;  // of its members
};

struct Hash {
  static size_t mix(size_t h, size_t n) {
    h = (h ^ n) * 0x9fb21c651e98df25U;
    return h ^ h >> 29;
  }
  size_t operator()(std::string_view s) const { return std::hash<std::string_view>{}(s); }
  size_t operator()(const FrameText& t) const { return mix((*this)(t.function), (*this)(t.place)); }
  size_t operator()(const std::vector<uint32_t>& v) const {
    size_t h = v.size();
    for (const uint32_t i : v) h = mix(h, i);
    return h;
  }
  size_t operator()(const GroupText& t) const {
    const size_t flags = size_t{t.locked} | size_t{t.has_minutes} << 1;
    const size_t h = mix((*this)(t.status), (*this)(t.labels));
    return mix(mix(h, t.stack), mix(t.created_by, flags));
  }
};

// The line of a place, without its tab; a log may have made blanks of it.
std::string_view trimmed(std::string_view s) {
  if (eat(s, "\t")) return s;
  s.remove_prefix(std::min(s.find_first_not_of(" \t"), s.size()));
  return s;
}

class Reader {
 public:
  Reader(std::string_view text, const ParseOptions& options)
      : lines_(text), tables_(kFormat, text.size(), options), size_(text.size()) {}

  Snapshot read() {
    Header h;
    while (lines_.next_header(h)) {
      lines_.read_block(block_);
      drop_what_is_cut(h);
      read_block();
      if (!add(h)) break;
    }
    if (!lines_.found()) {
      fail_at_line(kFormat, lines_.number() + 1, "expected `goroutine N [state]:`, found none");
    }
    Snapshot s = tables_.finish();
    // Go puts first who asked.
    if (first_is_running_ || lowest_goid_ < first_goid_) s.requester_goid = first_goid_;
    s.truncated = is_cut_ || size_ == kGosLimit || lines_.ends_in_header();
    return s;
  }

 private:
  // The last goroutine of a text that ends too early keeps the frames that are whole.
  void drop_what_is_cut(const Header& h) {
    block_is_cut_ = false;
    if (!lines_.is_at_end()) return;
    if (block_.empty()) {
      block_is_cut_ = true;
    } else if (lines_.is_whole()) {
      // A function without its place.
      block_is_cut_ = block_.back().ends_with(')') || block_.back().starts_with(kCreatedBy);
      if (block_is_cut_) block_.pop_back();
      is_cut_ |= !block_.empty() && debug2::is_elided_middle(block_.back());
    } else {
      const auto place = to_place(trimmed(block_.back()));
      const bool is_place = block_.size() > 1 && block_.back() != trimmed(block_.back());
      const bool is_creators = is_place && block_[block_.size() - 2].starts_with(kCreatedBy);
      if (place && place->has_offset) {
        // Digits of the offset may be missing; or no more than the end of the line, as in what was
        // copied by hand.
        block_.back() = block_.back().substr(0, block_.back().rfind(" +0x"));
        block_is_cut_ = !is_creators && h.goid != 1;
      } else {
        block_is_cut_ = true;
        block_.resize(block_.size() - (is_place ? 2 : 1));
      }
    }
    is_cut_ |= block_is_cut_;
  }

  // Reads the lines behind the header: into stack_, created_by_, parent_.
  void read_block() {
    entries_.clear();
    created_by_ = kNone;
    parent_ = 0;
    bool is_elided = false;
    for (size_t i = 0; i < block_.size();) {
      const std::string_view line = block_[i];
      if (is_known_frame(i)) {
        i += 2;
      } else if (trimmed(line) == debug2::kUnavailable) {
        ++i;
      } else if (line == debug2::kElided) {
        is_elided = true;
        ++i;
      } else if (debug2::is_elided_middle(line)) {
        entries_.push_back(entry({line, {}}));
        ++i;
      } else if (is_ancestor(line)) {
        std::string_view rest = line.substr(kAncestor.size());
        if (parent_ == 0) parent_ = decimal(eat_digits(rest)).value_or(0);
        break;  // the stacks of creators are not kept
      } else if (const size_t n = frame_size(i); n == 0) {
        break;  // text behind the goroutine
      } else if (is_creator(line)) {
        read_creator({line.substr(kCreatedBy.size()), n > 1 ? block_[i + 1] : std::string_view()});
        i += n;
        // What comes now are its creator's creators, or text behind the goroutine.
        if (i < block_.size() && !is_ancestor(block_[i])) break;
      } else {
        entries_.push_back(entry({line, n > 1 ? block_[i + 1] : std::string_view()}));
        i += n;
      }
    }
    is_unavailable_ = entries_.empty();
    stack_ = stack(is_elided || (block_is_cut_ && created_by_ == kNone));
  }

  // How many lines the frame at block_[i] has; 0: it is none.
  size_t frame_size(size_t i) const {
    const std::string_view line = block_[i];
    const bool has_place = i + 1 < block_.size() && to_place(trimmed(block_[i + 1]));
    if (has_place) {
      const bool is_function = line.ends_with(')') || line.starts_with(kCreatedBy);
      if (is_function || block_[i + 1] != trimmed(block_[i + 1])) return 2;
    }
    const bool stands_alone = line.ends_with(')') && line.find('(') != line.npos;
    return stands_alone || line.starts_with(kForeign) || line.starts_with(kCreatedBy) ? 1 : 0;
  }

  static bool is_ancestor(std::string_view line) {
    return line.starts_with(kAncestor) && line.ends_with("]:");
  }

  // The writer sees to it that no creator's line reads like a frame's.
  static bool is_creator(std::string_view line) {
    return line.starts_with(kCreatedBy) && !line.ends_with("(...)");
  }

  void read_creator(FrameText text) {
    constexpr std::string_view kIn = " in goroutine ";
    if (const size_t at = text.function.rfind(kIn); at != text.function.npos) {
      if (const auto goid = decimal(text.function.substr(at + kIn.size()))) {
        parent_ = *goid;
        text.function = text.function.substr(0, at);
      }
    }
    if (text.function.empty()) return;
    const auto [at, is_new] = creators_.try_emplace(text, kNone);
    if (is_new) {
      tables_.budget.charge(kRemembered);
      at->second = location(meaning(text.function, text.place));
    }
    created_by_ = at->second;
  }

  // Arguments differ from goroutine to goroutine: "main.f(".
  static std::string_view without_arguments(std::string_view line) {
    if (!line.ends_with(')') || line.ends_with("(...)")) return line;
    return line.substr(0, line.rfind('(') + 1);
  }

  // The short way for nearly all frames: the one at block_[i] was met before.
  bool is_known_frame(size_t i) {
    if (i + 1 >= block_.size() || block_[i].starts_with(kCreatedBy)) return false;
    const auto known = entry_of_.find({without_arguments(block_[i]), block_[i + 1]});
    if (known == entry_of_.end()) return false;
    entries_.push_back(known->second);
    return true;
  }

  uint32_t entry(FrameText text) {
    text.function = without_arguments(text.function);
    const auto [at, is_new] = entry_of_.try_emplace(text, 0);
    if (is_new) {
      tables_.budget.charge(kRemembered);
      at->second = static_cast<uint32_t>(entry_table_.size());
      entry_table_.push_back(to_entry(text));
    }
    return at->second;
  }

  // "main.f(" or "main.f(...)", and its place.
  Entry to_entry(const FrameText& text) {
    std::string_view name = text.function;
    if (std::string_view pc = name; eat(pc, kForeign)) {
      eat(pc, "0x");
      if (const auto address = number<uint64_t>(pc, 16)) return {kNone, *address, false};
    }
    const bool hides_arguments = eat_end(name, "(...)");
    if (!hides_arguments) eat_end(name, "(");
    Entry e = meaning(name, text.place);
    const auto place = to_place(trimmed(text.place));
    e.is_inlined =
        e.frame != kNone && hides_arguments && place && !place->has_offset && place->pc == 0;
    return e;
  }

  // Of a function's name and its place.
  Entry meaning(std::string_view function, std::string_view place_line) {
    const Place place = to_place(trimmed(place_line)).value_or(Place());
    if (place.file.empty() && place.line == 0 && !place.has_offset) {
      if (const auto address = hex(function)) return {kNone, *address, false};
    }
    std::string name(function);
    if (!debug2::is_go_file(place.file)) {
      replace_all(name, debug2::kDivisionSlash, '/');
      replace_all(name, debug2::kFullwidthPercent, '%');
    }
    const uint64_t call = place.pc == 0 ? 0 : place.pc - 1;
    return {tables_.frame(name, place.file, place.line, place.offset), call, false};
  }

  static void replace_all(std::string& s, std::string_view from, char to) {
    for (size_t at = s.find(from); at != s.npos; at = s.find(from, at + 1)) {
      s.replace(at, from.size(), 1, to);
    }
  }

  uint32_t location(const Entry& e) {
    if (e.frame == kNone) return tables_.location(e.address, {});
    return location(std::vector<uint32_t>{e.frame}, e.address);
  }
  uint32_t location(std::vector<uint32_t> frames, uint64_t address) {
    if (address == 0) address = made_address(tables_.snapshot, frames);
    return tables_.location(address, std::move(frames));
  }

  // Of entries_.
  uint32_t stack(bool is_truncated) {
    entries_.push_back(is_truncated);
    const auto known = stacks_.find(entries_);
    if (known != stacks_.end()) return known->second;
    tables_.budget.charge(kRemembered + entries_.size() * sizeof(uint32_t));
    std::vector<uint32_t> locations, frames;
    for (size_t i = 0; i + 1 < entries_.size(); ++i) {
      const Entry& e = entry_table_[entries_[i]];
      if (e.frame == kNone) {
        if (!frames.empty()) locations.push_back(location(std::exchange(frames, {}), 0));
        locations.push_back(location(e));
        continue;
      }
      frames.push_back(e.frame);
      if (!e.is_inlined) locations.push_back(location(std::exchange(frames, {}), e.address));
    }
    if (!frames.empty()) locations.push_back(location(std::move(frames), 0));
    const uint32_t made = tables_.stack(std::move(locations), is_truncated);
    stacks_.emplace(entries_, made);
    return made;
  }

  // The goroutine whose block was read. False: it was there before, so another dump begins.
  bool add(const Header& h) {
    const GroupOf of = group_of(h);
    if (h.count != 0) {
      uint64_t& count = tables_.snapshot.groups[of.group].count;
      count = h.count;
      return true;
    }
    if (!is_new(h.goid)) return h.goid == 0;  // each thread of Go has a 0 of its own
    Member m;
    m.goid = h.goid;
    m.parent_goid = parent_;
    m.since_ns = h.since_ns;
    m.name = of.name;
    if (!h.connection.empty()) {
      m.first_object = connection(h.connection);
      m.object_count = m.objects_total = 1;
    } else if (h.has_body) {
      m.first_object = body(h);
      m.object_count = m.objects_total = 1;
    }
    if (goids_.size() == 1) {
      first_goid_ = lowest_goid_ = h.goid;
      first_is_running_ = h.status == "running";
    }
    lowest_goid_ = std::min(lowest_goid_, h.goid);
    tables_.add(of.group, m);
    if (is_unavailable_) unavailable_[h.goid] = of.group;
    note_creator(h);
    return true;
  }

  // A goroutine that another thread runs is shown a second time when that thread dies.
  bool is_new(uint64_t goid) {
    if (goids_.insert(goid).second) return true;
    const auto known = unavailable_.find(goid);
    if (known == unavailable_.end() || is_unavailable_) return false;
    Group& g = tables_.snapshot.groups[known->second];
    std::erase_if(g.members, [goid](const Member& m) { return m.goid == goid; });
    g.count = g.members.size();
    unavailable_.erase(known);
    return true;
  }

  // Where all others tell who made them, a last one that does not was cut off between two lines.
  void note_creator(const Header& h) {
    const bool needs_one = h.goid > 1 && !h.locked;
    if (created_by_ != kNone) {
      ++with_creator_;
    } else if (needs_one) {
      constexpr size_t kEnoughToTell = 3;
      const bool is_odd = without_creator_++ == 0 && with_creator_ >= kEnoughToTell;
      is_cut_ |= is_odd && lines_.is_at_end() && !is_unavailable_;
    }
  }

  GroupOf group_of(const Header& h) {
    const GroupText text{h.status,      h.labels,           stack_,    created_by_, h.locked,
                         h.has_minutes, h.has_inner_labels, h.has_body};
    // Counted ones stay apart, as they were.
    const auto known = h.count != 0 ? groups_.end() : groups_.find(text);
    if (known != groups_.end()) return known->second;
    tables_.budget.charge(kRemembered);
    Group g;
    set_status(h, g);
    if (h.has_body) g.object_kind = "http_body";
    g.stack = stack_;
    g.created_by = created_by_;
    std::string_view labels = h.labels;
    GroupOf of;
    if (eat_labels(labels, g.labels)) {
      // Ours puts the name of the goroutine before the labels.
      const bool has_name = h.count == 0 && h.has_inner_labels && !g.labels.empty() &&
                            g.labels.front().first == "name" && !g.labels.front().second.empty();
      if (has_name) {
        of.name = tables_.text(g.labels.front().second);
        g.labels.erase(g.labels.begin());
      }
      sort_labels(g.labels);
    } else {
      g.labels.clear();
    }
    if (h.count != 0) {
      tables_.budget.charge(sizeof(Group));
      of.group = static_cast<uint32_t>(tables_.snapshot.groups.size());
      tables_.snapshot.groups.push_back(std::move(g));
      return of;
    }
    of.group = tables_.group(g);
    groups_.emplace(text, of);
    return of;
  }

  // "read tcp (::1):80->(::1):4711"
  uint32_t connection(std::string_view text) {
    const auto [at, is_new] = connections_.try_emplace(text, 0);
    if (!is_new) return at->second;
    tables_.budget.charge(sizeof(Object) + kRemembered);
    Object o;
    o.kind = "io";
    o.send = eat(text, "write ");
    eat(text, "read ");
    const size_t space = text.find(' ');
    const bool has_more = space != text.npos && space + 1 < text.size();
    const std::string_view network = has_more ? text.substr(0, space) : text;
    std::string_view local = has_more ? text.substr(space + 1) : std::string_view(), remote;
    if (const size_t arrow = local.find("->"); arrow != local.npos && arrow + 2 < local.size()) {
      remote = local.substr(arrow + 2);
      local = local.substr(0, arrow);
    }
    const bool is_ip = network.starts_with("tcp") || network.starts_with("udp");
    o.network = tables_.text(network);
    o.local = address(local, is_ip);
    o.remote = address(remote, is_ip);
    at->second = static_cast<uint32_t>(tables_.snapshot.objects.size());
    tables_.snapshot.objects.push_back(std::move(o));
    return at->second;
  }

  uint32_t body(const Header& h) {
    tables_.budget.charge(sizeof(Object) + kRemembered);
    Object o;
    o.kind = "http_body";
    o.method = tables_.text(h.body.method);
    o.url = tables_.text(h.body.url);
    o.status = h.body.status;
    tables_.snapshot.objects.push_back(std::move(o));
    return static_cast<uint32_t>(tables_.snapshot.objects.size() - 1);
  }

  uint32_t address(std::string_view s, bool is_ip) {
    std::string text(s);
    if (is_ip) {
      std::replace(text.begin(), text.end(), '(', '[');
      std::replace(text.begin(), text.end(), ')', ']');
    }
    return tables_.text(text);
  }

  LogLines lines_;
  Tables tables_;
  const size_t size_;  // of the text, bytes

  // The goroutine that is read.
  std::vector<std::string_view> block_;  // its lines behind the header
  bool block_is_cut_ = false;
  std::vector<uint32_t> entries_;  // indexes into entry_table_; then, whether it is truncated
  bool is_unavailable_ = false;
  uint32_t stack_ = 0, created_by_ = kNone;
  uint64_t parent_ = 0;

  std::vector<Entry> entry_table_;
  std::unordered_map<FrameText, uint32_t, Hash> entry_of_, creators_;
  std::unordered_map<std::vector<uint32_t>, uint32_t, Hash> stacks_;
  std::unordered_map<GroupText, GroupOf, Hash> groups_;
  std::unordered_map<std::string_view, uint32_t, Hash> connections_;
  std::unordered_set<uint64_t> goids_;
  std::unordered_map<uint64_t, uint32_t> unavailable_;  // goid -> group

  bool is_cut_ = false, first_is_running_ = false;
  uint64_t first_goid_ = 0, lowest_goid_ = 0;
  size_t with_creator_ = 0, without_creator_ = 0;
};

}  // namespace

bool is_debug2(std::string_view text) {
  LogLines lines(text);
  Header h;
  return lines.next_header(h);
}

Snapshot read_debug2(std::string_view text, const ParseOptions& options) {
  return Reader(text, options).read();
}

}  // namespace weir::profiler::parsing
