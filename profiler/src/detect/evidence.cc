#include "evidence.h"

#include <algorithm>
#include <map>
#include <span>
#include <tuple>
#include <unordered_set>
#include <utility>
#include <vector>

#include <weir/profiler/sites.h>

#include "contexts.h"
#include "encode.h"
#include "frames.h"
#include "go_frames.h"
#include "kinds.h"
#include "wait_facts.h"
#include "wait_words.h"
#include "words.h"

namespace weir::profiler::causes {

namespace {

constexpr uint64_t kMaxForChildren = 100'000;  // goroutines; more take too long to look through
constexpr size_t kMaxRequests = 3;             // of those that left bodies open, told one by one

// All that a crowd waits for.
struct Tally {
  const Object* example = nullptr;     // of the one that has waited longest; null: not known
  std::span<const Object> examples{};  // all that this one waits for
  uint64_t distinct = 0;               // objects; 0: not known
  uint64_t sole = 0;                   // channels with one handle
  uint64_t timers = 0, armed = 0;      // waits on timers; on those that will fire
  uint64_t waits = 0;                  // goroutines with a record of an object
};

Tally tally_of(const Crowd& crowd) {
  const Snapshot& s = crowd.snapshot();
  Tally t;
  int64_t oldest = INT64_MIN;
  std::vector<std::pair<uint64_t, bool>> seen;  // address; has one handle
  crowd.for_each([&](const Group&, const Member& m) {
    if (m.object_count == 0 || size_t{m.first_object} + m.object_count > s.objects.size()) return;
    const std::span objects = std::span(s.objects).subspan(m.first_object, m.object_count);
    ++t.waits;
    bool has_timer = false, is_armed = false;
    for (const Object& o : objects) {
      seen.emplace_back(o.address, o.kind == "chan" && !o.timer && o.handles == 1);
      has_timer |= o.timer;
      is_armed |= o.timer && o.armed;
    }
    t.timers += has_timer;
    t.armed += is_armed;
    if (m.since_ns > oldest) {
      oldest = m.since_ns;
      t.examples = objects;
      t.example = objects.data();
    }
  });
  std::sort(seen.begin(), seen.end());
  seen.erase(std::unique(seen.begin(), seen.end(),
                         [](const auto& a, const auto& b) { return a.first == b.first; }),
             seen.end());
  t.distinct = seen.size();
  for (const auto& [address, is_sole] : seen) t.sole += is_sole;
  return t;
}

std::string made_at(const Snapshot& s, const Object& o) {
  const Frame at = frame_at(s, o.made_at);
  return at.function.empty() ? "" : ", made at " + where(at);
}

std::string last_at(const Snapshot& s, uint32_t location) {
  const Frame at = frame_at(s, location);
  return at.function.empty() ? "" : ", the last at " + where(at);
}

class Explainer {
 public:
  Explainer(const Crowd& crowd, Finding& f)
      : crowd_(crowd), s_(crowd.snapshot()), f_(f), t_(tally_of(crowd)) {}

  void explain() {
    explain_kind();
    if (all_contexts_forgotten(s_) && is_cancellable(s_, crowd_.group())) {
      add("A context can end the wait, too, but nobody can cancel any of those that are waited "
          "for, "
          "except by a parent.");
      for (std::string& sentence : forgotten_contexts(s_)) add(std::move(sentence));
    }
  }

 private:
  void explain_kind() {
    if (t_.example) {
      f_.object = object_of(s_, *t_.example);
      f_.object.count = t_.distinct;
    } else {
      f_.object.kind = crowd_.group().object_kind;
    }
    f_.fix = fix_of(f_.kind);
    switch (f_.kind) {
      case Kind::nil_channel:
        f_.cause = wait() +
                   (f_.wait.starts_with("chan send") ? " to send on" : " to receive from") +
                   " a nil channel, which never becomes ready" +
                   (is_cancellable(s_, crowd_.group()) ? ": a context alone can end it." : ".");
        return;
      case Kind::select_no_cases:
        f_.cause = wait() + " in a select without cases, which never ends.";
        return;
      case Kind::chan_send:
      case Kind::chan_receive:
      case Kind::select:
        return explain_channels();
      case Kind::mutex:
      case Kind::rwmutex:
        return explain_lock();
      case Kind::mutex_forgotten_unlock:
        f_.cause = wait() + " for " + several("a lock", "locks") +
                   " whose owner has exited without unlocking.";
        return;
      case Kind::deadlock:
        f_.cause = wait() + " for locks that are never given back.";
        return;
      case Kind::waitgroup:
        return explain_wait_group();
      case Kind::cond:
        f_.cause =
            wait() + " on " + several("a Cond that nobody signals.", "Conds that nobody signals.");
        return explain_signals("signalled", "signals");
      case Kind::semaphore:
        f_.cause = wait() + " for " +
                   several("a semaphore that nobody releases.", "semaphores that nobody releases.");
        return explain_signals("released", "releases");
      case Kind::http_body:
        return explain_bodies();
      case Kind::spinning:
        return explain_runners();
      case Kind::sleep:
        f_.cause = who("sleeps.", "sleep.");
        return;
      case Kind::io_wait:
        return explain_io();
      case Kind::syscall:
        f_.cause = who("is in a call that blocks its OS thread.",
                       "are in calls that block their OS threads.");
        return;
    }
  }

  void add(std::string sentence) { f_.evidence.push_back(std::move(sentence)); }
  std::string who(const std::string& one, const std::string& many) const {
    return causes::who(crowd_, f_.count, one, many);
  }
  std::string wait() const { return who("waits", "wait"); }
  std::string several(const char* one, const char* many) const {
    return t_.distinct > 1 ? many : one;
  }
  // "The channel: ..", "12 channels; that of the longest wait: ..".
  std::string which(const std::string& one, const std::string& many) const {
    return t_.distinct > 1
               ? std::to_string(t_.distinct) + " " + many + "; that of the longest wait: "
               : "The " + one + ": ";
  }

  void explain_channels() {
    const bool sends = f_.kind == Kind::chan_send;
    if (f_.kind == Kind::select && !f_.wait.starts_with("select")) {
      f_.cause = wait() + " for something that the source does not tell.";
      return;
    }
    if (t_.waits > 0 && t_.armed == t_.waits) {
      f_.cause = wait() + " for timers or tickers that will fire.";
    } else if (f_.kind == Kind::select) {
      f_.cause = wait() + " in a select none of whose cases becomes ready.";
    } else if (t_.waits > 0 && t_.timers == t_.waits) {
      f_.cause = wait() + " for the tick of a timer that is stopped.";
    } else if (sends) {
      f_.cause = wait() + several(" to send on a channel from which nobody receives.",
                                  " to send on channels from which nobody receives.");
    } else {
      f_.cause = wait() + several(" to receive from a channel on which nobody sends.",
                                  " to receive from channels on which nobody sends.");
    }
    if (f_.kind == Kind::select) {
      for (const Object& o : t_.examples) {
        add(std::string(o.send ? "A case sends on" : "A case receives from") +
            " a channel: " + profiler::describe(s_, o) + made_at(s_, o) + ".");
      }
    } else if (t_.example) {
      add(which("channel", "channels") + profiler::describe(s_, *t_.example) +
          made_at(s_, *t_.example) + ".");
    }
    if (t_.sole > 0) {
      add((t_.distinct == 1 ? std::string("The channel has")
                            : std::to_string(t_.sole) + " of the " + std::to_string(t_.distinct) +
                                  " channels have") +
          " a single handle left: nobody else has one, though somebody may refer to it.");
    }
  }

  void explain_lock() {
    const bool is_rw = f_.kind == Kind::rwmutex;
    const std::string lock = is_rw ? "an RWMutex" : "a mutex";
    const std::string locks = is_rw ? "RWMutexes" : "mutexes";
    const Object* o = t_.example;
    if (!o) {
      f_.cause =
          wait() + " for " + lock + (is_rw ? " that is held or asked for." : " that is held.");
    } else if (t_.distinct > 1) {
      f_.cause = wait() + " for " + locks + " that others hold.";
    } else if (o->owner_goid != 0) {
      f_.cause =
          wait() + " for " + lock + " that goroutine " + std::to_string(o->owner_goid) + " holds.";
    } else if (o->readers > 0) {
      f_.cause = wait() + " for " + lock + " that " + count_of(o->readers, "reader") +
                 (o->readers == 1 ? " holds." : " hold.");
    } else {
      f_.cause = wait() + " for " + lock + ".";
    }
    if (!o) return;
    std::string text = which(is_rw ? "RWMutex" : "mutex", locks);
    if (o->owner_goid != 0) {
      text.append("held by " + owner_now(s_, *o));
      if (const Frame at = frame_at(s_, o->locked_at); !at.function.empty()) {
        text.append("; locked at " + where(at));
      }
    } else if (o->readers > 0) {
      text.append("read-locked by " + count_of(o->readers, "reader") + last_at(s_, o->rlocked_at) +
                  "; which goroutines they are is not known");
    } else {
      text.append("nobody had it when it was looked at");
    }
    add(text + made_at(s_, *o) + ".");
  }

  void explain_wait_group() {
    const Object* o = t_.example;
    if (!o) {
      f_.cause = wait() + " for a WaitGroup whose counter does not come to zero.";
      return;
    }
    f_.cause = wait() + (t_.distinct > 1
                             ? " for WaitGroups whose counters do not come to zero."
                             : " for a WaitGroup whose counter is " + std::to_string(o->counter) +
                                   ": Done has not come for all that Add has counted.");
    add(which("WaitGroup", "WaitGroups") + "Add has counted " + std::to_string(o->adds) +
        last_at(s_, o->added_at) + "; Done " + std::to_string(o->dones) + last_at(s_, o->done_at) +
        "; the counter is " + std::to_string(o->counter) + made_at(s_, *o) + ".");
    if (s_.left_out == 0 && s_.total <= kMaxForChildren && !has_children()) {
      add("No goroutine is left that the waiting ones have started.");
    }
  }

  // Does a goroutine live that one of these has started?
  bool has_children() const {
    std::unordered_set<uint64_t> goids;
    crowd_.for_each([&goids](const Group&, const Member& m) { goids.insert(m.goid); });
    for (const Group& g : s_.groups) {
      for (const Member& m : g.members) {
        if (goids.contains(m.parent_goid)) return true;
      }
    }
    return false;
  }

  void explain_signals(const char* done, const char* times) {
    const Object* o = t_.example;
    if (!o) return;
    std::string text =
        f_.kind == Kind::cond ? which("Cond", "Conds") : which("semaphore", "semaphores");
    if (f_.kind == Kind::semaphore) {
      text.append(std::to_string(o->len) + " of " + std::to_string(o->cap) + " taken, ");
    }
    text.append(std::to_string(o->waiters) + " waiting, ");
    text.append(o->signals == 0
                    ? std::string("never ") + done
                    : std::to_string(o->signals) + " " + times + last_at(s_, o->signalled_at));
    add(text + made_at(s_, *o) + ".");
  }

  void explain_bodies() {
    if (go_frames::writes_http(functions_of(s_, crowd_.group()))) {
      const HttpReaders readers = http_readers(s_);
      f_.cause = who("writes for a connection", "write for connections") +
                 " of an HTTP client, kept by responses whose bodies were not closed.";
      add("Of the " + count_of(readers.all, "goroutine") + " that read for such connections, " +
          std::to_string(readers.with_body) + " wait for a body to be read or closed.");
      return;
    }
    f_.cause = who("keeps a connection", "keep connections") +
               " of an HTTP client for the body of a response, which was neither read to the end "
               "nor closed.";
    // Most often asked first.
    std::map<std::tuple<std::string, std::string, int, uint32_t>, uint64_t> requests;
    crowd_.for_each([&](const Group&, const Member& m) {
      if (m.object_count == 0 || m.first_object >= s_.objects.size()) return;
      const Object& o = s_.objects[m.first_object];
      if (o.kind != "http_body") return;
      ++requests[{std::string(encode::text_of(s_, o.method)),
                  std::string(encode::text_of(s_, o.url)), o.status, o.made_at}];
    });
    std::vector<std::pair<uint64_t, const decltype(requests)::key_type*>> order;
    for (const auto& [request, count] : requests) order.emplace_back(count, &request);
    std::stable_sort(order.begin(), order.end(),
                     [](const auto& a, const auto& b) { return a.first > b.first; });
    for (size_t i = 0; i < std::min(order.size(), kMaxRequests); ++i) {
      const auto& [method, url, status, at] = *order[i].second;
      std::string text = count_of(order[i].first, "response") + " to " + method + " " +
                         dot_text::shortened(url, kMaxName);
      if (status != 0) text.append(", status " + std::to_string(status));
      if (const Frame f = frame_at(s_, at); !f.function.empty()) {
        text.append(", requested at " + where(f));
      }
      add(text + ".");
    }
    if (order.size() > kMaxRequests) {
      add(count_of(order.size() - kMaxRequests, "more request") + " left bodies open.");
    }
  }

  void explain_runners() {
    const State state = crowd_.group().state;
    if (state != State::running) {
      f_.cause = who("is ready to run and has", "are ready to run and have") + " no processor yet.";
      return;
    }
    if (f_.oldest_wait_ns < 0) {
      f_.cause = who("runs.", "run.");
      return;
    }
    f_.cause = who("has run", "have run") + " for up to " + age(f_.oldest_wait_ns) +
               " without a call into the runtime.";
    add("Who runs uses a processor, or blocks an OS thread by a call that is not wrapped in "
        "weir::blocking.");
  }

  void explain_io() {
    const Object* o = t_.example;
    if (o && o->kind == "http_body") {
      f_.cause = wait() + " for the next part of an HTTP response's body.";
    } else if (o && o->send) {
      f_.cause = wait() + " until the other side of a connection reads what was sent.";
    } else {
      f_.cause = wait() + " for input or output.";
    }
    if (!o) return;
    const std::string detail = profiler::describe(s_, *o);
    if (detail.empty()) return;
    add((t_.distinct > 1 ? count_of(t_.distinct, "different one") + "; that of the longest wait: "
                         : std::string("For: ")) +
        detail + ".");
  }

  const Crowd& crowd_;
  const Snapshot& s_;
  Finding& f_;
  const Tally t_;
};

}  // namespace

void explain(const Crowd& crowd, Finding& f) { Explainer(crowd, f).explain(); }

std::string who(const Crowd& crowd, uint64_t n, const std::string& one, const std::string& many) {
  return count_of(n, crowd.group().thread ? "thread" : "goroutine") + " " + (n == 1 ? one : many);
}

void add_times(const Crowd& crowd, Finding& f) {
  if (crowd.oldest_ns() >= 0 && f.kind != Kind::spinning) {
    f.evidence.push_back("The longest " + std::string(f.kind == Kind::sleep ? "sleep" : "wait") +
                         " has lasted " + age(crowd.oldest_ns()) + ".");
  }
  if (!crowd.has_members()) {
    f.evidence.push_back(
        crowd.oldest_ns() >= 0
            ? "The source has counts only: goroutine ids are not known."
            : "The source has counts only: goroutine ids and times are not known.");
  } else if (crowd.oldest_ns() < 0) {
    f.evidence.push_back("The source does not tell for how long.");
  }
}

Finding::Object object_of(const Snapshot& s, const Object& o) {
  Finding::Object out;
  out.kind = o.kind;
  out.detail = profiler::describe(s, o);
  out.made_at = frame_at(s, o.made_at);
  out.owner = o.owner_goid;
  out.method = encode::text_of(s, o.method);
  out.url = encode::text_of(s, o.url);
  out.status = o.status;
  out.places = places_of(s, o);
  return out;
}

std::string owner_now(const Snapshot& s, const Object& lock) {
  const uint64_t goid = lock.owner_goid;
  std::string text = "goroutine " + std::to_string(goid);
  if (!lock.owner_alive) return text + ", which has exited";
  for (const Group& g : s.groups) {
    const auto at = std::lower_bound(g.members.begin(), g.members.end(), goid,
                                     [](const Member& m, uint64_t id) { return m.goid < id; });
    if (at == g.members.end() || at->goid != goid) continue;
    const bool waits = g.state == State::waiting;
    text.append(waits ? ", which waits" : ", which is");
    if (const Frame f = blocked_at(s, g); !f.function.empty()) text.append(" at " + where(f));
    text.append(" [").append(encode::status_text(g)).append("]");
    if (at->since_ns >= 0) text.append(" for " + age(at->since_ns));
    return text;
  }
  return text + ", which is not in the snapshot";
}

}  // namespace weir::profiler::causes
