// JSON "weir.snapshot/1" -> Snapshot. The schema is in encode_json.cc.
//
// The document is read as a stream of events: no tree of it is built, and nesting takes no stack.
// The tables below say which key is which member. Keys that are not known are passed over with
// their values; those that have no assumed value must be there. What refers to a row that does not
// exist is an error.
#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "encode.h"
#include "parse_formats.h"
#include "parse_tables.h"
#include "parse_text.h"

namespace weir::profiler::parsing {
namespace {

constexpr std::string_view kFormat = "JSON", kSchema = "weir.snapshot/1";

// Where in the document a value stands.
enum class At : uint8_t {
  document,
  root,
  strings,
  frames,
  frame,
  locations,
  location,
  location_frames,
  mappings,
  mapping,
  stacks,
  stack,
  stack_locations,
  objects,
  object,
  contexts,
  context,
  groups,
  group,
  labels,
  label,
  members,
  member
};

// Kinds of members beside plain ones.
template <class T>
struct Hex {  // "0x1f"
  uint64_t T::*member;
};
template <class T>
struct Row {  // number of a row, or null
  uint32_t T::*member;
};
struct Text {  // index of a text in the Snapshot, written as the text
  uint32_t Object::*member;
};
struct Direction {};  // "read" or "write"
struct SchemaName {};
struct StateName {};

template <class T>
using Target =
    std::variant<bool T::*, int T::*, uint32_t T::*, uint64_t T::*, int64_t T::*, std::string T::*,
                 Hex<T>, Row<T>, Text, Direction, SchemaName, StateName, At>;
template <class T>
struct Field {
  std::string_view key;
  Target<T> target;
  bool required = true;
};

constexpr Field<Snapshot> kRoot[] = {
    {"schema", SchemaName()},
    {"taken_at_ns", &Snapshot::taken_at_ns},
    {"duration_ns", &Snapshot::duration_ns},
    {"longest_hold_ns", &Snapshot::longest_hold_ns},
    {"total", &Snapshot::total},
    {"requester_goid", &Snapshot::requester_goid},
    {"process", &Snapshot::process},
    {"pid", &Snapshot::pid},
    {"source", &Snapshot::source},
    {"truncated", &Snapshot::truncated, false},
    {"left_out", &Snapshot::left_out, false},
    {"strings", At::strings},
    {"frames", At::frames},
    {"locations", At::locations},
    {"mappings", At::mappings},
    {"stacks", At::stacks},
    {"objects", At::objects},
    {"contexts", At::contexts},
    {"groups", At::groups},
};
constexpr Field<Frame> kFrame[] = {
    {"function", &Frame::function}, {"file", &Frame::file},       {"line", &Frame::line},
    {"offset", &Frame::offset},     {"runtime", &Frame::runtime},
};
constexpr Field<Location> kLocation[] = {
    {"address", Hex<Location>{&Location::address}},
    {"mapping", &Location::mapping},
    {"frames", At::location_frames},
};
constexpr Field<Mapping> kMapping[] = {
    {"start", Hex<Mapping>{&Mapping::start}},   {"limit", Hex<Mapping>{&Mapping::limit}},
    {"offset", Hex<Mapping>{&Mapping::offset}}, {"file", &Mapping::file},
    {"build_id", &Mapping::build_id},
};
constexpr Field<Stack> kStack[] = {
    {"locations", At::stack_locations},
    {"truncated", &Stack::truncated},
};
constexpr Field<Object> kObject[] = {
    {"kind", &Object::kind},
    {"address", Hex<Object>{&Object::address}},
    {"made_at", Row<Object>{&Object::made_at}, false},
    {"send", &Object::send, false},
    {"closed", &Object::closed, false},
    {"cap", &Object::cap, false},
    {"len", &Object::len, false},
    {"sends", &Object::sends, false},
    {"recvs", &Object::recvs, false},
    {"handles", &Object::handles, false},
    {"owner_goid", &Object::owner_goid, false},
    {"owner_alive", &Object::owner_alive, false},
    {"readers", &Object::readers, false},
    {"locked_at", Row<Object>{&Object::locked_at}, false},
    {"rlocked_at", Row<Object>{&Object::rlocked_at}, false},
    {"counter", &Object::counter, false},
    {"adds", &Object::adds, false},
    {"dones", &Object::dones, false},
    {"added_at", Row<Object>{&Object::added_at}, false},
    {"done_at", Row<Object>{&Object::done_at}, false},
    {"waiters", &Object::waiters, false},
    {"signals", &Object::signals, false},
    {"signalled_at", Row<Object>{&Object::signalled_at}, false},
    {"timer", &Object::timer, false},
    {"armed", &Object::armed, false},
    {"fd", &Object::fd, false},
    {"network", Text{&Object::network}, false},
    {"local", Text{&Object::local}, false},
    {"remote", Text{&Object::remote}, false},
    {"direction", Direction(), false},
    {"method", Text{&Object::method}, false},
    {"url", Text{&Object::url}, false},
    {"status", &Object::status, false},
};
constexpr Field<ContextGroup> kContext[] = {
    {"kind", &ContextGroup::kind},
    {"state", &ContextGroup::state},
    {"made_at", Row<ContextGroup>{&ContextGroup::made_at}},
    {"count", &ContextGroup::count},
    {"forgotten", &ContextGroup::forgotten},
    {"waiters", &ContextGroup::waiters},
    {"oldest_ns", &ContextGroup::oldest_ns},
    {"oldest_maker_goid", &ContextGroup::oldest_maker_goid},
};
constexpr Field<Group> kGroup[] = {
    {"stack", &Group::stack},
    {"state", StateName()},
    {"wait_reason", &Group::wait_reason},
    {"object_kind", &Group::object_kind},
    {"created_by", Row<Group>{&Group::created_by}},
    {"creation_stack", Row<Group>{&Group::creation_stack}, false},
    {"thread", &Group::thread},
    {"locked", &Group::locked, false},
    {"leaked", &Group::leaked, false},
    {"labels", At::labels},
    {"count", &Group::count},
    {"wait_ns", &Group::wait_ns, false},
    {"oldest_ns", &Group::oldest_ns, false},
    {"members", At::members},
};
constexpr Field<Member> kMember[] = {
    {"goid", &Member::goid},
    {"parent_goid", &Member::parent_goid},
    {"since_ns", &Member::since_ns},
    {"name", &Member::name, false},
    {"first_object", &Member::first_object, false},
    {"object_count", &Member::object_count, false},
    {"objects_total", &Member::objects_total, false},
    {"stack_bytes", &Member::stack_bytes, false},
    {"cpu_ns", &Member::cpu_ns, false},
};

using Value = std::variant<std::nullptr_t, bool, uint64_t, int64_t, std::string*>;

// Reads the bytes for nlohmann, and tells how far it is.
struct Cursor {
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  const char* at;
  const char** seen;
  reference operator*() const { return *at; }
  Cursor& operator++() {
    *seen = ++at;
    return *this;
  }
  Cursor operator++(int) {
    Cursor old = *this;
    ++*this;
    return old;
  }
  bool operator==(const Cursor& o) const { return at == o.at; }
  bool operator!=(const Cursor& o) const { return at != o.at; }
};

class Reader {
 public:
  Reader(std::string_view text, const ParseOptions& options)
      : text_(text),
        seen_(text.data()),
        max_depth_(options.max_depth),
        budget_(text.size(), options) {
    s_.strings.clear();
    path_.push_back({At::document});
  }

  Snapshot read() {
    const char* end = text_.data() + text_.size();
    nlohmann::json::sax_parse(Cursor{text_.data(), &seen_}, Cursor{end, &seen_}, this);
    if (s_.strings.empty() || !s_.strings[0].empty()) {
      throw ParseError("JSON: strings: expected an empty text first");
    }
    check_tables();
    check_groups();
    return std::move(s_);
  }

  // nlohmann's events. All return true: what is wrong throws.
  bool null() { return set(nullptr); }
  bool boolean(bool v) { return set(v); }
  bool number_integer(int64_t v) { return set(v); }
  bool number_unsigned(uint64_t v) { return set(v); }
  bool number_float(double, const std::string&) {
    if (skipped_ == 0 && !is_unknown()) fail("expected a whole number of up to 64 bits");
    return true;
  }
  bool string(std::string& v) { return set(&v); }
  bool binary(std::vector<uint8_t>&) { return true; }

  bool start_object(size_t) {
    if (skipped_ > 0 || is_unknown()) return ++skipped_ > 0;
    switch (path_.back().at) {
      case At::document:
        return enter(At::root);
      case At::frames:
        return enter_row(s_.frames, At::frame);
      case At::locations:
        return enter_row(s_.locations, At::location);
      case At::mappings:
        return enter_row(s_.mappings, At::mapping);
      case At::stacks:
        return enter_row(s_.stacks, At::stack);
      case At::objects:
        return enter_row(s_.objects, At::object);
      case At::contexts:
        return enter_row(s_.contexts, At::context);
      case At::groups:
        return enter_row(s_.groups, At::group);
      case At::members:
        budget_.goroutine();
        return enter_row(s_.groups.back().members, At::member);
      default:
        fail("expected no object");
    }
  }

  bool key(std::string& key) {
    if (skipped_ > 0) return true;
    Level& level = path_.back();
    with_fields([&](const auto& fields, auto&) {
      level.field = static_cast<int>(std::size(fields));
      for (size_t i = 0; i < std::size(fields); ++i) {
        if (fields[i].key == key) level.field = static_cast<int>(i);
      }
      level.is_unknown = level.field == static_cast<int>(std::size(fields));
      if (level.is_unknown) return;
      static_assert(std::extent_v<std::remove_cvref_t<decltype(fields)>> <= 64, "bits of `met`");
      const uint64_t bit = uint64_t{1} << level.field;
      if (level.met & bit) fail("found a second time");
      level.met |= bit;
    });
    return true;
  }

  bool end_object() {
    if (skipped_ > 0) return --skipped_ >= 0;
    Level& level = path_.back();
    level.field = -1;
    with_fields([&](const auto& fields, auto&) {
      for (size_t i = 0; i < std::size(fields); ++i) {
        if (fields[i].required && !(level.met >> i & 1)) {
          fail("expected the key " + std::string(fields[i].key));
        }
      }
    });
    path_.pop_back();
    return true;
  }

  bool start_array(size_t) {
    if (skipped_ > 0 || is_unknown()) return ++skipped_ > 0;
    if (path_.back().at == At::labels) {
      budget_.charge(sizeof(Labels::value_type));
      s_.groups.back().labels.emplace_back();
      return enter(At::label);
    }
    At next = At::document;
    with_fields([&](const auto& fields, auto&) {
      const At* child = std::get_if<At>(&fields[static_cast<size_t>(path_.back().field)].target);
      if (child) next = *child;
    });
    if (next == At::document) fail("expected no array");
    return enter(next);
  }

  bool end_array() {
    if (skipped_ > 0) return --skipped_ >= 0;
    if (path_.back().at == At::label && path_.back().met != 2) fail("expected [key, value]");
    path_.pop_back();
    return true;
  }

  bool parse_error(size_t position, const std::string&, const nlohmann::json::exception&) {
    fail_at_byte(kFormat, position, "expected more of the document: it is cut off, or not JSON");
  }

 private:
  struct Level {
    At at;
    int field = -1;           // of an object: the key that was read
    uint64_t met = 0;         // bits of the keys that were; of a label: texts
    bool is_unknown = false;  // the key is not known
  };

  [[noreturn]] void fail(const std::string& what) const {
    fail_at_byte(kFormat, static_cast<size_t>(seen_ - text_.data()), place() + what);
  }

  // "groups.members.goid: "
  std::string place() const {
    std::string to;
    for (const Level& level : path_) {
      if (level.field < 0) continue;
      const_cast<Reader*>(this)->with_fields_of(level.at, [&](const auto& fields, auto&) {
        if (static_cast<size_t>(level.field) >= std::size(fields)) return;
        to.append(to.empty() ? "" : ".").append(fields[static_cast<size_t>(level.field)].key);
      });
    }
    return to.empty() ? to : to + ": ";
  }

  bool is_unknown() const { return path_.back().is_unknown; }

  // f(fields, row) for the object that is read; nothing in an array.
  template <class F>
  void with_fields(F f) {
    with_fields_of(path_.back().at, f);
  }
  template <class F>
  void with_fields_of(At at, F f) {
    switch (at) {
      case At::root:
        return f(kRoot, s_);
      case At::frame:
        return f(kFrame, s_.frames.back());
      case At::location:
        return f(kLocation, s_.locations.back());
      case At::mapping:
        return f(kMapping, s_.mappings.back());
      case At::stack:
        return f(kStack, s_.stacks.back());
      case At::object:
        return f(kObject, s_.objects.back());
      case At::context:
        return f(kContext, s_.contexts.back());
      case At::group:
        return f(kGroup, s_.groups.back());
      case At::member:
        return f(kMember, s_.groups.back().members.back());
      default:
        return;
    }
  }

  bool enter(At at) {
    path_.push_back({at});
    return true;
  }

  template <class T>
  bool enter_row(std::vector<T>& table, At at) {
    budget_.charge(sizeof(T));
    if constexpr (std::is_same_v<T, Member>) {
      table.emplace_back();
    } else {
      table.emplace_back();
    }
    return enter(at);
  }

  // A value that is neither an array nor an object.
  bool set(Value v) {
    if (skipped_ > 0 || is_unknown()) return true;
    Level& level = path_.back();
    switch (level.at) {
      case At::document:
        fail("expected an object with the schema " + std::string(kSchema));
      case At::strings: {
        budget_.charge(sizeof(std::string));
        s_.strings.push_back(take_text(v));
        return true;
      }
      case At::location_frames:
        return push_row(s_.locations.back().frames, v);
      case At::stack_locations:
        return push_row(s_.stacks.back().locations, v);
      case At::label: {
        auto& [key, value] = s_.groups.back().labels.back();
        if (level.met == 2) fail("expected [key, value]");
        (level.met++ == 0 ? key : value) = take_text(v);
        return true;
      }
      case At::frames:
      case At::locations:
      case At::mappings:
      case At::stacks:
      case At::objects:
      case At::contexts:
      case At::groups:
      case At::members:
        fail("expected an object");
      case At::labels:
        fail("expected [key, value]");
      default:
        break;
    }
    with_fields([&](const auto& fields, auto& row) {
      std::visit([&](const auto& target) { assign(row, target, v); },
                 fields[static_cast<size_t>(level.field)].target);
    });
    return true;
  }

  std::string take_text(Value& v) {
    std::string* const* text = std::get_if<std::string*>(&v);
    if (!text) fail("expected a text");
    budget_.charge((*text)->size());
    return std::move(**text);
  }

  template <class N>
  N take_number(const Value& v) {
    if (const auto* n = std::get_if<uint64_t>(&v); n && std::in_range<N>(*n)) {
      return static_cast<N>(*n);
    }
    if (const auto* n = std::get_if<int64_t>(&v); n && std::in_range<N>(*n)) {
      return static_cast<N>(*n);
    }
    fail("expected a number from " + std::to_string(std::numeric_limits<N>::min()) + " to " +
         std::to_string(std::numeric_limits<N>::max()));
  }

  bool push_row(std::vector<uint32_t>& rows, const Value& v) {
    if (rows.size() >= max_depth_) fail("expected fewer frames (ParseOptions::max_depth)");
    budget_.charge(sizeof(uint32_t));
    rows.push_back(take_number<uint32_t>(v));
    return true;
  }

  template <class T>
  void assign(T& row, bool T::*member, Value& v) {
    const bool* b = std::get_if<bool>(&v);
    if (!b) fail("expected true or false");
    row.*member = *b;
  }
  template <class T>
  void assign(T& row, std::string T::*member, Value& v) {
    row.*member = take_text(v);
  }
  template <class T, class N>
  requires std::is_integral_v<N>
  void assign(T& row, N T::*member, Value& v) { row.*member = take_number<N>(v); }
  template <class T>
  void assign(T& row, const Hex<T>& target, Value& v) {
    const auto n = hex(take_text(v));
    if (!n) fail("expected a text \"0x..\"");
    row.*target.member = *n;
  }
  template <class T>
  void assign(T& row, const Row<T>& target, Value& v) {
    row.*target.member =
        std::holds_alternative<std::nullptr_t>(v) ? kNone : take_number<uint32_t>(v);
    if (row.*target.member == kNone && !std::holds_alternative<std::nullptr_t>(v)) {
      fail("expected a row of locations");
    }
  }
  void assign(Object& row, const Text& target, Value& v) {
    row.*target.member = index_of(take_text(v));
  }
  void assign(Object& row, const Direction&, Value& v) {
    const std::string text = take_text(v);
    if (text != "read" && text != "write") fail("expected \"read\" or \"write\"");
    row.send = text == "write";
  }
  void assign(Snapshot&, const SchemaName&, Value& v) {
    if (const std::string text = take_text(v); text != kSchema) {
      fail("expected " + std::string(kSchema) + ", found " + excerpt(text));
    }
  }
  void assign(Group& row, const StateName&, Value& v) {
    const std::string text = take_text(v);
    for (int i = 0; i <= static_cast<int>(State::copystack); ++i) {
      row.state = static_cast<State>(i);
      if (encode::state_name(row.state) == text) return;
    }
    fail("expected a state such as \"waiting\", found " + excerpt(text));
  }
  // The kinds of targets that other tables have.
  template <class T, class U>
  void assign(T&, const U&, Value&) {
    fail("expected an array");
  }

  // The first text like this; a new one where the table has none.
  uint32_t index_of(const std::string& text) {
    if (s_.strings.empty()) fail("expected the key strings before objects");
    for (; texts_known_ < s_.strings.size(); ++texts_known_) {
      budget_.charge(sizeof(std::string) * 2 + s_.strings[texts_known_].size());
      texts_.try_emplace(s_.strings[texts_known_], static_cast<uint32_t>(texts_known_));
    }
    const auto known = texts_.find(text);
    if (known != texts_.end()) return known->second;
    s_.strings.push_back(text);
    return index_of(text);
  }

  static void check(bool ok, std::string_view table, size_t row, std::string_view what) {
    if (ok) return;
    throw ParseError("JSON: " + std::string(table) + "[" + std::to_string(row) +
                     "]: " + std::string(what));
  }

  void check_tables() const {
    const auto is_location = [this](uint32_t i) { return i == kNone || i < s_.locations.size(); };
    for (size_t i = 0; i < s_.locations.size(); ++i) {
      const Location& l = s_.locations[i];
      const bool ok = std::all_of(l.frames.begin(), l.frames.end(),
                                  [this](uint32_t f) { return f < s_.frames.size(); });
      check(ok, "locations", i, "expected frames to be rows of `frames`");
      check(l.mapping <= s_.mappings.size(), "locations", i,
            "expected mapping to be a row of `mappings`, plus 1");
    }
    for (size_t i = 0; i < s_.stacks.size(); ++i) {
      const auto& all = s_.stacks[i].locations;
      const bool ok = std::all_of(all.begin(), all.end(),
                                  [this](uint32_t l) { return l < s_.locations.size(); });
      check(ok, "stacks", i, "expected rows of `locations`");
    }
    for (size_t i = 0; i < s_.objects.size(); ++i) {
      const Object& o = s_.objects[i];
      for (const uint32_t l :
           {o.made_at, o.locked_at, o.rlocked_at, o.added_at, o.done_at, o.signalled_at}) {
        check(is_location(l), "objects", i, "expected places to be rows of `locations`");
      }
    }
    for (size_t i = 0; i < s_.contexts.size(); ++i) {
      check(is_location(s_.contexts[i].made_at), "contexts", i,
            "expected made_at to be a row of `locations`");
    }
  }

  void check_groups() {
    std::vector<uint64_t> goids;
    for (size_t i = 0; i < s_.groups.size(); ++i) {
      Group& g = s_.groups[i];
      check(g.stack < s_.stacks.size(), "groups", i, "expected stack to be a row of `stacks`");
      check(g.created_by == kNone || g.created_by < s_.locations.size(), "groups", i,
            "expected created_by to be a row of `locations`");
      check(g.creation_stack == kNone || g.creation_stack < s_.stacks.size(), "groups", i,
            "expected creation_stack to be a row of `stacks`");
      check(g.members.empty() || g.members.size() == g.count, "groups", i,
            "expected count to be the number of members");
      sort_labels(g.labels);
      std::stable_sort(g.members.begin(), g.members.end(),
                       [](const Member& a, const Member& b) { return a.goid < b.goid; });
      for (const Member& m : g.members) {
        check(m.name < s_.strings.size(), "groups", i, "expected names to be rows of `strings`");
        check(m.object_count == 0 || uint64_t{m.first_object} + m.object_count <= s_.objects.size(),
              "groups", i, "expected objects to be rows of `objects`");
        goids.push_back(m.goid);
      }
    }
    std::sort(goids.begin(), goids.end());
    const auto twice = std::adjacent_find(goids.begin(), goids.end());
    if (twice != goids.end()) {
      throw ParseError("JSON: groups: goroutine " + std::to_string(*twice) + " is there twice");
    }
  }

  const std::string_view text_;
  const char* seen_;  // how far nlohmann is
  const size_t max_depth_;
  Budget budget_;
  Snapshot s_;
  std::vector<Level> path_;
  int64_t skipped_ = 0;  // arrays and objects around what is passed over
  std::unordered_map<std::string, uint32_t> texts_;
  size_t texts_known_ = 0;
};

}  // namespace

Snapshot read_json(std::string_view text, const ParseOptions& options) {
  return Reader(text, options).read();
}

}  // namespace weir::profiler::parsing
