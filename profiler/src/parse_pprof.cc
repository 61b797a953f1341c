// profile.proto of goroutines -> Snapshot.
//
// Two passes: fields may come in any order, and samples refer to all the others. Locations and
// mappings are kept one to one, in their order. Of a sample's labels, those that weir or
// CockroachDB's Go add tell about the goroutine; all other texts are the program's own.
#include <algorithm>
#include <array>
#include <climits>
#include <protozero/exception.hpp>
#include <protozero/pbf_reader.hpp>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "encode.h"
#include "go_frames.h"
#include "parse_debug2_header.h"
#include "parse_formats.h"
#include "parse_tables.h"
#include "parse_text.h"

namespace weir::profiler::parsing {
namespace {

using protozero::pbf_reader;
using protozero::pbf_wire_type;

constexpr std::string_view kFormat = "pprof";
constexpr size_t kRemembered = 64;  // bytes of an entry of a table of this file

// Field numbers of profile.proto are in encode_pprof.cc, too.
enum ProfileField : uint32_t {
  kSampleType = 1,
  kSample = 2,
  kMapping = 3,
  kLocation = 4,
  kFunction = 5,
  kStringTable = 6,
  kTimeNanos = 9,
  kLastField = 15
};

struct Function {
  uint64_t name = 0, system_name = 0, file = 0;  // numbers of texts
};
struct Line {
  uint64_t function = 0;
  int64_t line = 0;
};
struct RawLocation {
  uint64_t mapping = 0, address = 0;
  std::vector<Line> lines;
  uint32_t index = kNone;  // into Snapshot::locations, once it was met in a sample
};
struct RawMapping {
  uint64_t id = 0, start = 0, limit = 0, offset = 0, file = 0, build_id = 0;
};
struct RawLabel {
  std::string_view key;
  std::string_view text;
  int64_t number = 0;
  bool is_number = false;
};

class Reader {
 public:
  Reader(std::string_view bytes, const ParseOptions& options)
      : bytes_(bytes), tables_(kFormat, bytes.size(), options) {}

  Snapshot read() {
    for_each_field([this](pbf_reader& field) { read_table(field); });
    choose_values();
    read_mappings();
    for_each_field([this](pbf_reader& field) {
      if (field.tag() == kSample) {
        read_sample(message(field));
      } else {
        field.skip();
      }
    });
    // Ids that occur twice are of several processes, and tell nothing.
    if (!ids_are_unique_) {
      for (Group& g : tables_.snapshot.groups) g.members.clear();
    }
    return tables_.finish();
  }

 private:
  template <class F>
  void for_each_field(F read_field) {
    pbf_reader profile(bytes_.data(), bytes_.size());
    at_ = 0;
    try {
      while (profile.next()) {
        read_field(profile);
        at_ = bytes_.size() - profile.length();
      }
    } catch (const protozero::exception&) {
      fail("expected a field of profile.proto, found damaged data or their end");
    }
  }

  [[noreturn]] void fail(std::string_view what) const { fail_at_byte(kFormat, at_, what); }

  // The value of a field; protozero takes it for granted that it has the right type.
  uint64_t varint(pbf_reader& m) const {
    if (m.wire_type() != pbf_wire_type::varint) fail("expected a number");
    return m.get_uint64();
  }
  std::string_view bytes(pbf_reader& m) const {
    if (m.wire_type() != pbf_wire_type::length_delimited) fail("expected a text or a message");
    const auto view = m.get_view();
    return {view.data(), view.size()};
  }
  pbf_reader message(pbf_reader& m) const {
    const std::string_view view = bytes(m);
    return pbf_reader(view.data(), view.size());
  }

  void read_table(pbf_reader& field) {
    switch (field.tag()) {
      case kStringTable: {
        tables_.budget.charge(sizeof(std::string_view) * 2);
        strings_.push_back(bytes(field));
        break;
      }
      case kSampleType:
        sample_types_.push_back(numbers<1>(message(field))[1]);
        break;
      case kMapping:
        tables_.budget.charge(sizeof(RawMapping) + kRemembered);
        read_mapping(message(field));
        break;
      case kLocation:
        read_location(message(field));
        break;
      case kFunction:
        tables_.budget.charge(sizeof(Function) + kRemembered);
        read_function(message(field));
        break;
      case kTimeNanos:
        tables_.snapshot.taken_at_ns = static_cast<int64_t>(varint(field));
        break;
      default:
        if (field.tag() > kLastField)
          fail("expected a field of profile.proto, found an unknown one");
        field.skip();
    }
  }

  // The fields of a message that are numbers, by their tags from 1 on; all others are passed over.
  template <size_t kTags>
  std::array<uint64_t, kTags + 1> numbers(pbf_reader m) const {
    std::array<uint64_t, kTags + 1> to{};
    while (m.next()) m.tag() <= kTags ? void(to[m.tag()] = varint(m)) : m.skip();
    return to;
  }

  void read_mapping(pbf_reader m) {
    const auto [none, id, start, limit, offset, file, build_id] = numbers<6>(m);
    mappings_.push_back({id, start, limit, offset, file, build_id});
  }

  void read_location(pbf_reader m) {
    uint64_t id = 0;
    RawLocation to;
    while (m.next()) {
      switch (m.tag()) {
        case 1:
          id = varint(m);
          break;
        case 2:
          to.mapping = varint(m);
          break;
        case 3:
          to.address = varint(m);
          break;
        case 4: {
          const auto [none, function, line] = numbers<2>(message(m));
          to.lines.push_back({function, static_cast<int64_t>(line)});
          break;
        }
        default:
          m.skip();
      }
    }
    tables_.budget.charge(sizeof to + kRemembered + to.lines.size() * sizeof(Line));
    add_unique(locations_, "location", id, std::move(to));
  }

  void read_function(pbf_reader m) {
    const auto [none, id, name, system_name, file] = numbers<4>(m);
    add_unique(functions_, "function", id, Function{name, system_name, file});
  }

  template <class T>
  void add_unique(std::unordered_map<uint64_t, T>& to, const std::string& what, uint64_t id,
                  T value) {
    if (id == 0) fail("expected a " + what + " with an id above 0");
    if (!to.try_emplace(id, std::move(value)).second) {
      fail("expected ids of " + what + "s to be unique, found " + std::to_string(id) + " again");
    }
  }

  std::string_view text(uint64_t i) const {
    if (i < strings_.size()) return strings_[i];
    if (i == 0) return {};
    fail("expected the number of a text below " + std::to_string(strings_.size()) + ", found " +
         std::to_string(i));
  }

  // Which value of a sample is the count of goroutines, and which their time.
  void choose_values() {
    std::string found;
    count_value_ = sample_types_.size();
    wait_value_ = sample_types_.size();
    for (size_t i = sample_types_.size(); i-- > 0;) {
      const std::string_view type = text(sample_types_[i]);
      if (type == "wait") wait_value_ = i;
      is_leak_profile_ |= type == "goroutineleak";
      is_thread_profile_ |= type == "threadcreate";
      if (type == "goroutine" || type == "goroutineleak" || type == "threadcreate") {
        count_value_ = i;
      }
      if (found.size() < 100) found.append(" ").append(excerpt(type));
    }
    if (count_value_ == sample_types_.size()) {
      throw ParseError(
          "pprof: not a profile of goroutines: expected a sample type `goroutine`, found" +
          (found.empty() ? std::string(" none") : found));
    }
  }

  void read_mappings() {
    Snapshot& s = tables_.snapshot;
    for (const RawMapping& m : mappings_) {
      const std::string_view file = text(m.file), build_id = text(m.build_id);
      tables_.budget.charge(sizeof(Mapping) + file.size() + build_id.size());
      s.mappings.push_back({m.start, m.limit, m.offset, std::string(file), std::string(build_id)});
      mapping_of_.try_emplace(m.id, static_cast<uint32_t>(s.mappings.size()));
    }
    if (!s.mappings.empty()) {
      const std::string& file = s.mappings.front().file;
      s.process = file.substr(file.rfind('/') + 1);
    }
  }

  uint32_t location(uint64_t id) {
    const auto known = locations_.find(id);
    if (known == locations_.end()) {
      fail("expected the id of a location, found " + std::to_string(id));
    }
    RawLocation& raw = known->second;
    if (raw.index != kNone) return raw.index;
    Location l{raw.address, 0, {}};
    if (const auto m = mapping_of_.find(raw.mapping); m != mapping_of_.end()) l.mapping = m->second;
    for (const Line& line : raw.lines) {
      const auto f = functions_.find(line.function);
      if (f == functions_.end()) {
        fail("expected the id of a function, found " + std::to_string(line.function));
      }
      const std::string_view name =
          text(f->second.name != 0 ? f->second.name : f->second.system_name);
      if (name.empty()) continue;
      tables_.budget.charge(name.size() + text(f->second.file).size());
      const auto number = static_cast<int>(std::clamp<int64_t>(line.line, 0, INT_MAX));
      l.frames.push_back(tables_.frame(name, text(f->second.file), number, 0));
    }
    tables_.budget.charge(sizeof l + l.frames.size() * sizeof(uint32_t));
    raw.index = static_cast<uint32_t>(tables_.snapshot.locations.size());
    tables_.snapshot.locations.push_back(std::move(l));
    return raw.index;
  }

  void read_sample(pbf_reader m) {
    std::vector<uint32_t> stack;
    std::vector<int64_t> values;
    labels_.clear();
    while (m.next()) {
      const bool is_packed = m.wire_type() == pbf_wire_type::length_delimited;
      if (m.tag() == 1 && is_packed) {
        for (const uint64_t id : m.get_packed_uint64()) stack.push_back(location(id));
      } else if (m.tag() == 1) {
        stack.push_back(location(varint(m)));
      } else if (m.tag() == 2 && is_packed) {
        for (const int64_t v : m.get_packed_int64()) values.push_back(v);
      } else if (m.tag() == 2) {
        values.push_back(static_cast<int64_t>(varint(m)));
      } else if (m.tag() == 3) {
        read_label(message(m));
      } else {
        m.skip();
      }
    }
    if (values.size() != sample_types_.size()) {
      fail("expected a sample with " + std::to_string(sample_types_.size()) + " values, found " +
           std::to_string(values.size()));
    }
    const int64_t count = values[count_value_];
    if (count < 0) {
      fail("expected a count of goroutines, found " + std::to_string(count) +
           ": a difference of profiles is no snapshot");
    }
    if (count == 0) return;
    const int64_t wait_ns = wait_value_ < values.size() ? values[wait_value_] : -1;
    add(std::move(stack), static_cast<uint64_t>(count), wait_ns);
  }

  void read_label(pbf_reader m) {
    RawLabel to;
    bool has_number = false, has_text = false;
    while (m.next()) {
      switch (m.tag()) {
        case 1:
          to.key = text(varint(m));
          break;
        case 2:
          to.text = text(varint(m));
          has_text = true;
          break;
        case 3:
          to.number = static_cast<int64_t>(varint(m));
          has_number = true;
          break;
        default:
          m.skip();
      }
    }
    to.is_number = has_number && !has_text;
    labels_.push_back(to);
  }

  // What the labels tell of the goroutine.
  struct About {
    Member member;
    std::string_view status;  // as in debug=2
    std::string_view state, wait_reason, created_by, name;
    bool has_goid = false;
  };

  static bool is_state(std::string_view name) {
    for (int i = 0; i <= static_cast<int>(State::copystack); ++i) {
      if (encode::state_name(static_cast<State>(i)) == name) return true;
    }
    return false;
  }

  // Numbers, and names that no program uses.
  static bool take_marked(const RawLabel& l, About& to) {
    std::string_view key = l.key;
    const bool is_gos = eat(key, "go::goroutine");
    if (!is_gos && !l.is_number) return false;
    const int64_t number =
        l.is_number ? l.number : static_cast<int64_t>(decimal(l.text).value_or(0));
    const auto id = static_cast<uint64_t>(std::max<int64_t>(number, 0));
    if (is_gos && key == "_state") {
      to.status = l.text;
    } else if (is_gos && key == "_wait_minutes") {
      constexpr int64_t kMinute = 60'000'000'000;  // ns
      if (to.member.since_ns < 0) {
        to.member.since_ns = std::clamp<int64_t>(number, 0, INT64_MAX / kMinute) * kMinute;
      }
    } else if (is_gos ? key.empty() : key == "goid") {
      to.member.goid = id;
      to.has_goid = true;
    } else if (is_gos ? key == "_created_by" : key == "parent_goid") {
      if (l.is_number || decimal(l.text)) {
        to.member.parent_goid = id;
      } else {
        to.created_by = l.text;
      }
    } else if (!is_gos && key == "wait_ns") {
      to.member.since_ns = std::max<int64_t>(number, -1);
    } else if (!is_gos && key == "stack_bytes") {
      to.member.stack_bytes = static_cast<uint32_t>(std::min<uint64_t>(id, UINT32_MAX));
    } else if (!is_gos && key == "cpu_ns") {
      to.member.cpu_ns = std::max<int64_t>(number, -1);
    }
    return true;
  }

  // Takes what is ours off labels_; the program's own remain.
  About take_ours() {
    About to;
    to.member.since_ns = -1;
    std::erase_if(labels_, [&to](const RawLabel& l) { return take_marked(l, to); });
    // Ours stand behind the program's, which may have the same names.
    const auto take = [&](std::string_view key, std::string_view& value) {
      if (labels_.empty() || labels_.back().key != key || value.data()) return false;
      if (key == "state" && !is_state(labels_.back().text)) return false;
      value = labels_.back().text;
      labels_.pop_back();
      return true;
    };
    while (take("created_by", to.created_by) || take("wait_reason", to.wait_reason) ||
           take("state", to.state) || (to.has_goid && take("name", to.name))) {
    }
    return to;
  }

  void add(std::vector<uint32_t> locations, uint64_t count, int64_t wait_ns) {
    About about = take_ours();
    if (locations.size() == 1 && is_missing(locations[0])) locations.clear();
    Group g;
    g.stack = tables_.stack(std::move(locations), false);
    set_state(about, g);
    g.leaked |= is_leak_profile_;
    g.thread = is_thread_profile_;
    for (const RawLabel& l : labels_) {
      // Each copy counts: a short sample may refer to long texts.
      tables_.budget.charge(l.key.size() + l.text.size());
      g.labels.emplace_back(l.key, l.text);
    }
    sort_labels(g.labels);
    if (!about.created_by.empty()) g.created_by = creator(about.created_by);
    const uint32_t group = tables_.group(g);
    if (about.has_goid && count == 1) {
      ids_are_unique_ &= goids_.insert(about.member.goid).second;
      tables_.budget.charge(about.name.size());
      about.member.name = tables_.text(about.name);
      tables_.add(group, about.member);
    } else {
      uint64_t& sum = tables_.snapshot.groups[group].count;
      sum = encode::saturating_add(sum, count);
      ids_are_unique_ &= tables_.snapshot.groups[group].members.empty();
    }
    if (wait_ns < 0) return;
    int64_t& sum = tables_.snapshot.groups[group].wait_ns;
    sum = std::max<int64_t>(sum, 0);
    sum = sum > INT64_MAX - wait_ns ? INT64_MAX : sum + wait_ns;
  }

  void set_state(const About& about, Group& g) {
    if (about.state.data() || about.status.data()) {
      Header h;
      h.status = about.state.data() ? about.state : about.status;
      set_status(h, g);
      if (g.state == State::waiting && about.wait_reason.data()) g.wait_reason = about.wait_reason;
    } else {
      const go_frames::Wait wait = go_frames::infer(tables_.functions(g.stack));
      g.state = wait.state;
      g.wait_reason = about.wait_reason.data() ? about.wait_reason : wait.reason;
    }
  }

  uint32_t creator(std::string_view function) {
    return tables_.location(0, {tables_.frame(function, {}, 0, 0)});
  }

  bool is_missing(uint32_t location) const {
    const Location& l = tables_.snapshot.locations[location];
    return l.address == 0 && l.frames.size() == 1 &&
           tables_.snapshot.frames[l.frames[0]].function == encode::kStackUnavailable;
  }

  const std::string_view bytes_;
  Tables tables_;
  size_t at_ = 0;  // byte of the field that is read
  std::vector<std::string_view> strings_;
  std::vector<uint64_t> sample_types_;  // numbers of their texts
  size_t count_value_ = 0, wait_value_ = 0;
  bool is_leak_profile_ = false, is_thread_profile_ = false;
  std::vector<RawMapping> mappings_;
  std::unordered_map<uint64_t, uint32_t> mapping_of_;  // id -> Location::mapping
  std::unordered_map<uint64_t, Function> functions_;
  std::unordered_map<uint64_t, RawLocation> locations_;
  std::vector<RawLabel> labels_;  // of the sample that is read
  std::unordered_set<uint64_t> goids_;
  bool ids_are_unique_ = true;
};

}  // namespace

bool is_pprof(std::string_view bytes) {
  try {
    pbf_reader profile(bytes.data(), bytes.size());
    bool has_type = false;
    while (profile.next()) {
      if (profile.tag() > kLastField) return false;
      has_type |= profile.tag() == kSampleType;
      profile.skip();
    }
    return has_type;
  } catch (const protozero::exception&) {
    return false;
  }
}

Snapshot read_pprof(std::string_view bytes, const ParseOptions& options) {
  return Reader(bytes, options).read();
}

}  // namespace weir::profiler::parsing
