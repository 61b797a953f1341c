// WaitGraph -> words: a paragraph for each group of goroutines, the stuck ones first.
//
//   3 goroutines, sync.Mutex.Lock, up to 5m2s: for ever: the lock's owner has exited
//     at bank::transfer bank.cc:31
//     created by main bank.cc:80
//     goroutines 7, 8, 9
//     wait for a mutex made by bank::Account bank.cc:12 (held by goroutine 5, which has exited)
//       locked at bank::audit bank.cc:44
//       was held by goroutine 5, exited
#include <weir/profiler/draw.h>

#include "dot.h"
#include "encode.h"
#include "wait_words.h"

namespace weir::profiler {

namespace {

using Stuck = WaitGraph::Stuck;
constexpr size_t kMaxText = 500;  // bytes of a name

std::string where(const Frame& f) {
  std::string name = dot_text::shortened(f.function, kMaxText);
  const std::string place = dot_text::place_text(f.file, f.line);
  return place.empty() ? name : name + " " + dot_text::shortened(place, kMaxText);
}

// One line; names come from anywhere.
void line(encode::Out& out, std::string_view indent, std::string_view text) {
  std::string clean(indent);
  encode::append_clean(clean, text);
  out.write(clean.append("\n"));
}

void write_object(encode::Out& out, const WaitGraph& g, uint32_t index, const std::string& what) {
  const WaitGraph::Object& o = g.objects[index];
  std::string text = "wait ";
  if (!what.empty()) text.append("to " + what + " ");
  text.append(what.empty() ? "for " : "on ");
  const std::string kind = kind_words(o.kind);
  text.append(o.count == 1 ? "one " + kind
                           : std::to_string(o.count) + " " + kinds_words(o.kind) + " alike");
  if (!o.made_at.function.empty()) text.append(" made by " + where(o.made_at));
  if (!o.detail.empty()) text.append(o.count == 1 ? " (" : " (one: ").append(o.detail).append(")");
  line(out, "  ", text);
  for (const auto& [name, at] : o.places) line(out, "    ", name + " at " + where(at));
  for (const WaitGraph::Edge& e : g.edges) {
    if (e.relation == WaitGraph::Relation::waits_for || e.from != index) continue;
    if (e.relation == WaitGraph::Relation::held_by_gone) {
      const WaitGraph::Gone& gone = g.gone[e.to];
      line(out, "    ", "was held by " + goids_text(gone.goids, gone.count) + ", exited");
    } else {
      const WaitGraph::Goroutines& owner = g.goroutines[e.to];
      line(out, "    ",
           std::string("held by ") +
               (owner.count == 1 ? goids_text(owner.goids, 1)
                                 : "one of " + goids_text(owner.goids, owner.count)) +
               (e.cycle ? ", of the same cycle," : "") + " at " + where(owner.blocked_at) + " [" +
               owner.state + "]");
    }
  }
}

}  // namespace

bool write_text(const WaitGraph& g, const Sink& sink) {
  encode::Out out(sink);
  line(out, "",
       (g.process.empty() ? "" : g.process + ": ") + count_of(g.total, "goroutine") + ", " +
           std::to_string(g.shown) + " shown");
  if (g.cycles > 0) line(out, "", "deadlock: " + count_of(g.cycles, "cycle") + " of locks");
  for (const std::string& f : g.filters) line(out, "", dot_text::shortened(f, kMaxText));
  for (uint32_t i = 0; i < g.goroutines.size(); ++i) {
    if (!out.ok()) break;
    const WaitGraph::Goroutines& n = g.goroutines[i];
    std::string head = count_of(n.count, n.thread ? "thread" : "goroutine") + ", " + n.state;
    if (n.oldest_ns >= 0) {
      head.append((n.count > 1 ? ", up to " : ", ") + dot_text::duration(n.oldest_ns));
    }
    if (n.stuck != Stuck::no) head.append(": ").append(stuck_words(n.stuck));
    out.write("\n");
    line(out, "", head);
    if (!n.blocked_at.function.empty()) line(out, "  at ", where(n.blocked_at));
    if (!n.created_by.function.empty()) line(out, "  created by ", where(n.created_by));
    if (!n.goids.empty()) line(out, "  ", goids_text(n.goids, n.count));
    for (const WaitGraph::Edge& e : g.edges) {
      if (e.relation == WaitGraph::Relation::waits_for && e.from == i) {
        write_object(out, g, e.to, e.what);
      }
    }
  }
  if (g.unrelated > 0) {
    out.write("\n" + std::to_string(g.unrelated) + " more run, sleep or wait for nobody\n");
  }
  if (g.folded > 0) {
    out.write("\n" + std::to_string(g.folded) + " more in " + count_of(g.folded_nodes, "group") +
              " are not shown: ask for more nodes\n");
  }
  return out.finish();
}

}  // namespace weir::profiler
