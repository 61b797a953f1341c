#include "kinds.h"

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <utility>

#include "causes.h"
#include "contexts.h"
#include "encode.h"
#include "go_frames.h"

namespace weir::profiler::causes {

namespace {

constexpr int64_t kLongRun_ns = 5'000'000'000;  // without a call into the runtime
// Members that are looked at of a site: suspicion is asked for all sites of each sample. For the
// same reason no stack of ours is looked through for Go's functions.
constexpr size_t kLooks = 16;
constexpr size_t kReaderGroups = 200;
// So many who accept connections at one place are more than a service has addresses, and more than
// it has processors for one of them, as a rule: listeners that nobody closes, when they get more.
constexpr uint64_t kListeners = 16;

bool may_be_go(const Snapshot& s) { return s.source != "weir"; }

// The longest waiting one of a few members: the one whose wait its age would be held against.
struct Oldest {
  const Group* group = nullptr;
  const Member* member = nullptr;  // null: the source has counts only
};
Oldest oldest_of(const Snapshot& s, const Site& site) {
  Oldest oldest;
  size_t looks = 0;
  for (const uint32_t g : site.groups) {
    const Group& group = s.groups[g];
    if (!oldest.group) oldest.group = &group;
    for (const Member& m : group.members) {
      if (++looks > kLooks) return oldest;
      if (!oldest.member || m.since_ns > oldest.member->since_ns) oldest = {&group, &m};
    }
  }
  return oldest;
}

std::span<const Object> objects_of(const Snapshot& s, const Member& m) {
  if (size_t{m.first_object} + m.object_count > s.objects.size()) return {};
  return std::span(s.objects).subspan(m.first_object, m.object_count);
}

// Does one of the looked at, other than `m`, wait for the same channel?
bool is_shared(const Snapshot& s, const Site& site, const Member& m, const Object& o) {
  size_t looks = 0;
  for (const uint32_t g : site.groups) {
    for (const Member& other : s.groups[g].members) {
      if (++looks > kLooks) return false;
      if (other.goid == m.goid) continue;
      const auto objects = objects_of(s, other);
      if (std::any_of(objects.begin(), objects.end(),
                      [&o](const Object& x) { return x.address == o.address; })) {
        return true;
      }
    }
  }
  return false;
}

// A wait on channels that nobody else seems to be able to end: a stopped timer, or the one handle
// that is left, which the waiting goroutine itself needs. (Who captured that handle by reference
// has none of its own: so it proves nothing, and several who wait on one handle share it like that.
// The first goroutine waits for the program's end as a rule.)
bool is_forsaken(const Snapshot& s, const Site& site, const Member& m) {
  const auto objects = objects_of(s, m);
  if (m.goid == 1 || objects.empty() || m.objects_total > objects.size()) return false;
  return std::all_of(objects.begin(), objects.end(), [&](const Object& o) {
    if (o.kind != "chan" || o.closed) return false;
    if (o.timer) return !o.armed && !o.send;
    return o.handles == 1 && !is_shared(s, site, m, o);
  });
}

bool accepts(const Snapshot& s, const Group& g, const Member* m) {
  const std::vector<std::string_view> functions = functions_of(s, g);
  if (go_frames::accepts(functions)) return true;
  if (std::any_of(functions.begin(), functions.end(), [](std::string_view f) {
        return f.starts_with("weir::net::") && f.find("accept") != f.npos;
      })) {
    return true;
  }
  if (!m) return false;
  const auto objects = objects_of(s, *m);
  return objects.size() == 1 && !objects[0].send && objects[0].local != 0 &&
         encode::text_of(s, objects[0].network).starts_with("tcp") &&
         encode::text_of(s, objects[0].remote).empty();
}

Suspicion of_runner(const Group& g) {
  // A plain thread counts as running while it is anywhere but in a wait of weir's.
  if (g.thread || g.state == State::idle || g.state == State::dead || g.state == State::copystack) {
    return Suspicion::healthy;
  }
  if (g.oldest_ns < 0) return Suspicion::weak;  // not known for how long
  if (g.oldest_ns < kLongRun_ns) return Suspicion::healthy;
  return g.state == State::running ? Suspicion::strong : Suspicion::weak;
}

}  // namespace

std::vector<std::string_view> functions_of(const Snapshot& s, const Group& g) {
  std::vector<std::string_view> functions;
  for (const uint32_t l : encode::stack_of(s, g).locations) {
    if (l >= s.locations.size()) continue;
    for (const uint32_t f : s.locations[l].frames) {
      if (f < s.frames.size()) functions.emplace_back(s.frames[f].function);
    }
  }
  return functions;
}

bool is_cancellable(const Snapshot& s, const Group& g) {
  if (g.state != State::waiting || !g.wait_reason.starts_with("chan ")) return false;
  const std::vector<std::string_view> functions = functions_of(s, g);
  return std::any_of(functions.begin(), functions.end(),
                     [](std::string_view f) { return f.find("cancellable_park") != f.npos; });
}

HttpReaders http_readers(const Snapshot& s) {
  HttpReaders readers;
  // The largest ones: it is asked for each group of writers.
  for (const Group& g : std::span(s.groups).first(std::min(s.groups.size(), kReaderGroups))) {
    if (!go_frames::reads_http(functions_of(s, g))) continue;
    readers.all = encode::saturating_add(readers.all, g.count);
    if (!g.wait_reason.starts_with("select")) continue;
    readers.with_body = encode::saturating_add(readers.with_body, g.count);
  }
  return readers;
}

Kind kind_of(const Snapshot& s, const Group& g) {
  if (g.state == State::syscall) return Kind::syscall;
  if (g.state != State::waiting) return Kind::spinning;
  const std::string_view reason = g.wait_reason, object = g.object_kind;
  if (reason.ends_with("(nil chan)")) return Kind::nil_channel;
  if (reason == "select (no cases)") return Kind::select_no_cases;
  // Who reads a body waits for what the server sends; who has read ahead, for the reader.
  if (object == "http_body") return reason == "chan receive" ? Kind::io_wait : Kind::http_body;
  if (reason.starts_with("chan send")) return Kind::chan_send;
  if (reason.starts_with("chan receive")) return Kind::chan_receive;
  if (reason.starts_with("select")) {
    if (!may_be_go(s)) return Kind::select;
    const std::vector<std::string_view> functions = functions_of(s, g);
    if (go_frames::reads_http(functions)) return Kind::http_body;
    if (!go_frames::writes_http(functions)) return Kind::select;
    const HttpReaders readers = http_readers(s);
    return readers.with_body >= readers.all - readers.with_body ? Kind::http_body : Kind::select;
  }
  // A writer waits for other writers at the mutex within the RWMutex.
  if (object == "mutex") {
    const std::vector<std::string_view> functions = functions_of(s, g);
    if (std::any_of(functions.begin(), functions.end(), [](std::string_view f) {
          return f.starts_with("weir::RWMutex::") || f.starts_with("sync.(*RWMutex)");
        })) {
      return Kind::rwmutex;
    }
  }
  static constexpr std::array<std::pair<std::string_view, Kind>, 6> kObjects = {
      {{"mutex", Kind::mutex},
       {"rwmutex", Kind::rwmutex},
       {"waitgroup", Kind::waitgroup},
       {"cond", Kind::cond},
       {"semaphore", Kind::semaphore},
       {"io", Kind::io_wait}}};
  for (const auto& [name, kind] : kObjects) {
    if (object == name) return kind;
  }
  static constexpr std::array<std::pair<std::string_view, Kind>, 7> kReasons = {
      {{"sleep", Kind::sleep},
       {"IO wait", Kind::io_wait},
       {"semacquire", Kind::semaphore},
       {"sync.Mutex.", Kind::mutex},
       {"sync.RWMutex.", Kind::rwmutex},
       {"sync.WaitGroup.", Kind::waitgroup},
       {"sync.Cond.", Kind::cond}}};
  for (const auto& [text, kind] : kReasons) {
    if (reason.starts_with(text)) return kind;
  }
  return Kind::select;
}

bool may_idle(Kind kind) {
  switch (kind) {
    case Kind::chan_receive:
    case Kind::select:
    case Kind::cond:
    case Kind::sleep:
    case Kind::io_wait:
      return true;
    default:
      return false;
  }
}

Suspicion suspicion(const Snapshot& s, const Site& site) {
  const Oldest oldest = oldest_of(s, site);
  if (!oldest.group) return Suspicion::healthy;
  const Group& g = *oldest.group;
  if (may_be_go(s)) {
    const std::vector<std::string_view> functions = functions_of(s, g);
    if (go_frames::is_system(g.wait_reason, functions)) return Suspicion::healthy;
    // An idle connection's writer looks like that of one whose body was not closed.
    if (go_frames::writes_http(functions)) return Suspicion::plain;
  }
  switch (kind_of(s, g)) {
    case Kind::spinning:
      return of_runner(g);
    case Kind::io_wait:
      return site.count < kListeners && accepts(s, g, oldest.member) ? Suspicion::healthy
                                                                     : Suspicion::weak;
    case Kind::syscall:
      return Suspicion::weak;
    case Kind::http_body:
      return Suspicion::strong;
    case Kind::select:
      if (!g.wait_reason.starts_with("select")) return Suspicion::weak;  // for what is not known
      [[fallthrough]];
    case Kind::chan_send:
    case Kind::chan_receive:
      if (oldest.member && is_forsaken(s, site, *oldest.member)) return Suspicion::strong;
      break;
    default:
      break;
  }
  const bool is_forgotten = all_contexts_forgotten(s) && is_cancellable(s, g);
  return is_forgotten ? Suspicion::strong : Suspicion::plain;
}

}  // namespace weir::profiler::causes
