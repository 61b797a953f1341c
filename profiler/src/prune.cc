// Which rows are in use is followed from the groups down (members and stacks, objects, locations,
// frames, texts); then each table is closed up, and whoever refers to it is told the new numbers.
#include "prune.h"

#include <cstdint>
#include <utility>
#include <vector>

namespace weir::profiler {

namespace {

// The rows of one table.
class Rows {
 public:
  template <class T>
  explicit Rows(const std::vector<T>& table) : to_(table.size(), kNone) {}

  void use(uint32_t row) {
    if (row < to_.size()) to_[row] = 0;
  }

  template <class T>
  void close_up(std::vector<T>& table) {
    uint32_t n = 0;
    for (uint32_t row = 0; row < to_.size(); ++row) {
      if (to_[row] == kNone) continue;
      if (n != row) table[n] = std::move(table[row]);
      to_[row] = n++;
    }
    table.erase(table.begin() + n, table.end());
  }

  void renumber(uint32_t& row) const { row = row < to_.size() ? to_[row] : kNone; }

 private:
  std::vector<uint32_t> to_;  // kNone: not in use
};

// The places of an object.
constexpr uint32_t Object::*kPlaces[] = {&Object::made_at,    &Object::locked_at,
                                         &Object::rlocked_at, &Object::added_at,
                                         &Object::done_at,    &Object::signalled_at};
constexpr uint32_t Object::*kTexts[] = {&Object::network, &Object::local, &Object::remote,
                                        &Object::method, &Object::url};

bool has_objects(const Snapshot& s, const Member& m) {
  return m.object_count > 0 && m.first_object < s.objects.size() &&
         m.object_count <= s.objects.size() - m.first_object;
}

}  // namespace

void prune(Snapshot& s) {
  Rows stacks(s.stacks), objects(s.objects), locations(s.locations), frames(s.frames),
      strings(s.strings);
  strings.use(0);
  for (Group& g : s.groups) {
    stacks.use(g.stack);
    stacks.use(g.creation_stack);
    locations.use(g.created_by);
    for (Member& m : g.members) {
      strings.use(m.name);
      if (!has_objects(s, m)) m.first_object = m.object_count = 0;
      for (uint32_t i = 0; i < m.object_count; ++i) objects.use(m.first_object + i);
    }
  }
  for (const ContextGroup& c : s.contexts) locations.use(c.made_at);
  stacks.close_up(s.stacks);
  objects.close_up(s.objects);
  for (const Object& o : s.objects) {
    for (const auto place : kPlaces) locations.use(o.*place);
    for (const auto text : kTexts) strings.use(o.*text);
  }
  for (const Stack& stack : s.stacks) {
    for (const uint32_t location : stack.locations) locations.use(location);
  }
  locations.close_up(s.locations);
  for (const Location& l : s.locations) {
    for (const uint32_t frame : l.frames) frames.use(frame);
  }
  frames.close_up(s.frames);
  strings.close_up(s.strings);

  for (Group& g : s.groups) {
    stacks.renumber(g.stack);
    stacks.renumber(g.creation_stack);
    locations.renumber(g.created_by);
    for (Member& m : g.members) {
      strings.renumber(m.name);
      if (m.object_count > 0) objects.renumber(m.first_object);
    }
  }
  for (ContextGroup& c : s.contexts) locations.renumber(c.made_at);
  for (Object& o : s.objects) {
    for (const auto place : kPlaces) locations.renumber(o.*place);
    for (const auto text : kTexts) strings.renumber(o.*text);
  }
  for (Stack& stack : s.stacks) {
    for (uint32_t& location : stack.locations) locations.renumber(location);
  }
  for (Location& l : s.locations) {
    for (uint32_t& frame : l.frames) frames.renumber(frame);
  }
}

}  // namespace weir::profiler
