#include "wait_facts.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "encode.h"
#include "frames.h"

namespace weir::profiler {

using Stuck = WaitGraph::Stuck;

namespace {

bool is_lock(std::string_view kind) { return kind == "mutex" || kind == "rwmutex"; }

}  // namespace

WaitFacts::WaitFacts(const Snapshot& s, Scope scope) : s_(s) {
  choose_records(scope);
  const std::vector<LockCycle> cycles = lock_cycles(s);
  cycles_ = cycles.size();
  std::map<std::vector<uint32_t>, uint32_t> classes;
  for (const LockCycle& cycle : cycles) {
    std::vector<uint32_t> groups;
    for (const LockCycle::Link& link : cycle.links) groups.push_back(link.group);
    std::rotate(groups.begin(), std::min_element(groups.begin(), groups.end()), groups.end());
    const auto id = static_cast<uint32_t>(classes.size() + 1);
    const uint32_t alike = classes.try_emplace(std::move(groups), id).first->second;
    for (const LockCycle::Link& link : cycle.links) {
      in_cycle_.emplace(link.goid, alike);
      cycle_objects_.emplace(canonical(link.object), alike);
    }
  }
  find_stuck_owners();
}

void WaitFacts::choose_records(Scope scope) {
  canonical_.resize(s_.objects.size());
  std::iota(canonical_.begin(), canonical_.end(), 0U);
  std::vector<uint32_t> by_address;
  if (scope == Scope::all) {
    by_address = canonical_;
  } else {
    for (const Group& g : s_.groups) {
      if (!is_lock(g.object_kind)) continue;
      for (const Member& m : g.members) {
        if (!objects_of(m).empty()) by_address.push_back(m.first_object);
      }
    }
  }
  std::sort(by_address.begin(), by_address.end(), [this](uint32_t l, uint32_t r) {
    const Object &a = s_.objects[l], &b = s_.objects[r];
    if (a.address != b.address) return a.address < b.address;
    if (const bool oa = a.owner_goid != 0, ob = b.owner_goid != 0; oa != ob) return oa;
    return l < r;
  });
  for (size_t i = 0; i < by_address.size(); ++i) {
    const uint32_t object = by_address[i];
    const bool is_same = i > 0 && s_.objects[object].address != 0 &&
                         s_.objects[object].address == s_.objects[by_address[i - 1]].address &&
                         s_.objects[object].kind == s_.objects[by_address[i - 1]].kind;
    canonical_[object] = is_same ? canonical_[by_address[i - 1]] : object;
  }
}

// An owner counts as stuck when it was so before the capture began: then it cannot have given the
// lock back after one of the waiters was looked at.
void WaitFacts::find_stuck_owners() {
  std::unordered_set<uint64_t> owners;
  for (const Group& g : s_.groups) {
    if (!is_lock(g.object_kind)) continue;
    for (const Member& m : g.members) {
      const Object* lock = lock_of(m);
      if (lock && lock->owner_goid != 0 && lock->owner_alive) owners.insert(lock->owner_goid);
    }
  }
  if (owners.empty()) return;
  std::unordered_map<uint64_t, std::vector<uint64_t>> behind;  // owner -> owners that wait for it
  std::vector<std::pair<uint64_t, Stuck>> todo;
  for (const Group& g : s_.groups) {
    if (!is_lock(g.object_kind) && stuck_by_reason(g) == Stuck::no) continue;
    for (const Member& m : g.members) {
      if (!owners.contains(m.goid)) continue;
      const Object* lock = lock_of(m);
      if (lock && lock->owner_goid != 0 && lock->owner_alive) next_[m.goid] = lock->owner_goid;
      if (m.since_ns < 0 || m.since_ns < s_.duration_ns) continue;
      if (const Stuck why = stuck(g, m); why != Stuck::no) {
        todo.emplace_back(m.goid, why);
      } else if (const auto next = next_.find(m.goid); next != next_.end()) {
        behind[next->second].push_back(m.goid);
      }
    }
  }
  stuck_owners_.insert(todo.begin(), todo.end());
  while (!todo.empty()) {
    const auto [owner, why] = todo.back();
    todo.pop_back();
    for (const uint64_t goid : behind[owner]) {
      if (stuck_owners_.emplace(goid, why).second) todo.emplace_back(goid, why);
    }
  }
}

std::span<const Object> WaitFacts::objects_of(const Member& m) const {
  if (size_t{m.first_object} + m.object_count > s_.objects.size()) return {};
  return std::span(s_.objects).subspan(m.first_object, m.object_count);
}

const Object* WaitFacts::lock_of(const Member& m) const {
  const auto objects = objects_of(m);
  if (objects.size() != 1) return nullptr;
  if (!is_lock(objects[0].kind)) return nullptr;
  return &s_.objects[canonical(m.first_object)];
}

uint64_t WaitFacts::waits_for_owner(uint64_t goid) const {
  const auto next = next_.find(goid);
  return next == next_.end() ? 0 : next->second;
}

Stuck WaitFacts::stuck_by_reason(const Group& g) const {
  if (g.state != State::waiting) return Stuck::no;
  const std::string_view reason = g.wait_reason;
  const bool is_nil = reason.ends_with("(nil chan)");
  if (!is_nil && reason != "select (no cases)") return Stuck::no;
  for (const uint32_t l : encode::stack_of(s_, g).locations) {
    if (l >= s_.locations.size()) continue;
    for (const uint32_t f : s_.locations[l].frames) {
      if (f >= s_.frames.size() || !s_.frames[f].runtime) continue;
      if (s_.frames[f].function.find("cancellable_park") != std::string::npos) return Stuck::no;
    }
  }
  return is_nil ? Stuck::nil_channel : Stuck::no_cases;
}

uint32_t WaitFacts::cycle_class(const Member& m) const {
  const auto found = in_cycle_.find(m.goid);
  return found == in_cycle_.end() ? 0 : found->second;
}

uint32_t WaitFacts::cycle_class(uint32_t object) const {
  const auto found = cycle_objects_.find(canonical(object));
  return found == cycle_objects_.end() ? 0 : found->second;
}

Stuck WaitFacts::stuck(uint32_t object) const {
  const Object& o = s_.objects[object];
  if (cycle_objects_.contains(canonical(object))) return Stuck::lock_cycle;
  if (o.owner_goid == 0) return Stuck::no;
  if (!o.owner_alive) return Stuck::owner_gone;
  return stuck_owners_.contains(o.owner_goid) ? Stuck::behind : Stuck::no;
}

Stuck WaitFacts::stuck(const Group& g, const Member& m) const {
  if (const Stuck by_reason = stuck_by_reason(g); by_reason != Stuck::no) return by_reason;
  if (in_cycle_.contains(m.goid)) return Stuck::lock_cycle;
  if (!lock_of(m)) return Stuck::no;
  const Stuck why = stuck(canonical(m.first_object));
  return why == Stuck::lock_cycle ? Stuck::behind : why;
}

Stuck WaitFacts::root(const Member& m) const {
  const Object* lock = lock_of(m);
  const auto owner = lock ? stuck_owners_.find(lock->owner_goid) : stuck_owners_.end();
  return owner == stuck_owners_.end() ? Stuck::no : owner->second;
}

std::string describe(const Snapshot& s, const Object& o) {
  std::string text;
  const auto add = [&text](std::string_view before, uint64_t n, std::string_view after = {}) {
    if (!text.empty()) text.append(", ");
    text.append(before);
    encode::append_dec(text, n);
    text.append(after);
  };
  if (o.kind == "chan") {
    if (o.timer) return o.armed ? "a timer's, will fire" : "a timer's, stopped";
    add("cap ", o.cap);
    if (o.cap > 0) add("", o.len, " queued");
    add("", o.sends, " sent");
    add("", o.recvs, " received");
    if (o.closed) text.append(", closed");
  } else if (o.kind == "mutex" || o.kind == "rwmutex") {
    if (o.owner_goid != 0) {
      add("held by goroutine ", o.owner_goid, o.owner_alive ? "" : ", which has exited");
    }
    if (o.readers > 0) add("", o.readers, " readers");
  } else if (o.kind == "waitgroup") {
    text = "counter " + std::to_string(o.counter);
    add("", o.adds, " added");
    add("", o.dones, " done");
  } else if (o.kind == "semaphore") {
    add("", o.len, " of ");
    text.append(std::to_string(o.cap)).append(" taken");
    add("", o.waiters, " waiting");
    add("", o.signals, " releases");
  } else if (o.kind == "cond") {
    add("", o.waiters, " waiting");
    add("", o.signals, " signals");
  } else if (o.kind == "io") {
    text = encode::text_of(s, o.network);
    if (o.fd >= 0) add("fd ", static_cast<uint64_t>(o.fd));
    for (const auto& [word, i] : {std::pair("local ", o.local), {"remote ", o.remote}}) {
      const std::string_view address = encode::text_of(s, i);
      if (!address.empty()) text.append(text.empty() ? "" : ", ").append(word).append(address);
    }
  } else if (o.kind == "http_body") {
    text.append(encode::text_of(s, o.method)).append(" ").append(encode::text_of(s, o.url));
    if (o.status != 0) add("status ", static_cast<uint64_t>(o.status));
  }
  return text;
}

std::vector<std::pair<std::string, Frame>> places_of(const Snapshot& s, const Object& o) {
  std::vector<std::pair<std::string, Frame>> places;
  for (const auto& [what, at] :
       {std::pair("locked", o.locked_at),
        {"last read-locked", o.rlocked_at},
        {"last Add", o.added_at},
        {"last Done", o.done_at},
        {o.kind == "semaphore" ? "last release" : "last signal", o.signalled_at}}) {
    if (Frame f = frame_at(s, at); !f.function.empty()) places.emplace_back(what, std::move(f));
  }
  return places;
}

}  // namespace weir::profiler
