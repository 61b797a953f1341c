// Snapshot -> JSON, schema "weir.snapshot/1": all that a Snapshot holds.
//
// The document mirrors snapshot.h: the same tables, referring to each other by index (from 0). Keys
// come in this order. Those in [brackets] are left out when they have the value given behind them;
// readers pass over keys that they do not know. Addresses are texts "0x..", everything else that
// counts is a number of up to 64 bits; times are ns.
//
//   schema            "weir.snapshot/1"
//   taken_at_ns       wall clock, since 1970
//   duration_ns, longest_hold_ns
//   total             goroutines, without threads
//   requester_goid    0: none
//   process, pid, source, [truncated false]
//   [left_out 0]      goroutines and threads that a filter has taken away
//   strings           texts; the first is empty
//   frames            {function, file, line, offset, runtime}: file "" and line 0: not known;
//   offset in
//                     bytes from the start of the outermost function
//   locations         {address, mapping, frames}: the call's pc; index + 1 into mappings, 0: none;
//   the
//                     innermost frame first
//   mappings          {start, limit, offset, file, build_id}: offset as address
//   stacks            {locations, truncated}: leaf first
//   objects           {kind, address, [made_at null], [send false], [closed false], [cap 0],
//                     [len 0], [sends 0], [recvs 0], [handles 0], [owner_goid 0],
//                     [owner_alive false], [readers 0], [locked_at null], [rlocked_at null],
//                     [counter 0], [adds 0], [dones 0], [added_at null], [done_at null],
//                     [waiters 0], [signals 0], [signalled_at null], [timer false],
//                     [armed false]}: *_at are indexes into locations. Of kind "io" without send,
//                     and with {fd, network, local, remote, direction}: direction "read" or
//                     "write"; network as in net::dial, addresses as texts, "" where not known. Of
//                     kind "http_body" with {method, url, status}: of the request and its response;
//                     made_at is where the request was made
//   contexts          {kind, state, made_at, count, forgotten, waiters, oldest_ns,
//                     oldest_maker_goid}: those that can be cancelled and still exist, by place and
//                     state; forgotten: nobody can cancel them any more
//   groups            {stack, state, wait_reason, object_kind, created_by, [creation_stack null],
//                     thread, [locked false], [leaked false], labels, count, [wait_ns -1],
//                     [oldest_ns -1], members}: created_by an index into locations or null;
//                     creation_stack one into stacks; labels [[key, value], ..]
//   groups[].members  {goid, parent_goid, since_ns, [name 0], [first_object 0], [object_count 0],
//                     [objects_total 0], [stack_bytes 0], [cpu_ns -1]}: name an index into strings
//
// Texts that are not UTF-8 get U+FFFD in place of what is not. The document is written element by
// element: what stands in memory at once is one group without its members.
#include <concepts>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "encode.h"

namespace weir::profiler {
namespace {

using namespace encode;

// Builds one element as text. Keys are ours and need no escapes.
class Element {
 public:
  explicit Element(std::string& to) : to_(to) {}

  Element& open(char bracket) {
    separate();
    to_.push_back(bracket);
    is_first_ = true;
    return *this;
  }
  Element& close(char bracket) {
    to_.push_back(bracket);
    is_first_ = false;
    return *this;
  }
  Element& key(std::string_view key) {
    separate();
    to_.append("\"").append(key).append("\":");
    is_first_ = true;
    return *this;
  }
  Element& value(std::string_view text) {
    separate();
    to_.append(nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    return *this;
  }
  Element& value(std::integral auto v) {
    separate();
    if constexpr (std::same_as<decltype(v), bool>) {
      to_.append(v ? "true" : "false");
    } else {
      append_dec(to_, v);
    }
    return *this;
  }
  Element& address(uint64_t n) {
    separate();
    to_.push_back('"');
    append_hex(to_, n);
    to_.push_back('"');
    return *this;
  }
  Element& index_or_null(uint32_t i) {
    if (i != kNone) return value(i);
    separate();
    to_.append("null");
    return *this;
  }
  Element& indexes(const std::vector<uint32_t>& all) {
    open('[');
    for (const uint32_t i : all) value(i);
    return close(']');
  }
  // The key with its value unless that is the one that readers assume.
  template <class T>
  Element& optional(std::string_view name, T v, T assumed = {}) {
    if (v != assumed) key(name).value(v);
    return *this;
  }

 private:
  // A comma before all elements but the first.
  void separate() {
    if (!is_first_) to_.push_back(',');
    is_first_ = false;
  }

  std::string& to_;
  bool is_first_ = true;
};

void describe(Element& e, const std::string& text) { e.value(text); }

void describe(Element& e, const Frame& f) {
  e.open('{').key("function").value(f.function);
  e.key("file").value(f.file).key("line").value(f.line);
  e.key("offset").value(f.offset).key("runtime").value(f.runtime).close('}');
}

void describe(Element& e, const Location& l) {
  e.open('{').key("address").address(l.address).key("mapping").value(l.mapping);
  e.key("frames").indexes(l.frames).close('}');
}

void describe(Element& e, const Mapping& m) {
  e.open('{').key("start").address(m.start).key("limit").address(m.limit);
  e.key("offset").address(m.offset).key("file").value(m.file);
  e.key("build_id").value(m.build_id).close('}');
}

void describe(Element& e, const Stack& s) {
  e.open('{').key("locations").indexes(s.locations);
  e.key("truncated").value(s.truncated).close('}');
}

void describe(Element& e, const Snapshot& s, const Object& o) {
  const bool is_io = o.kind == "io";
  e.open('{').key("kind").value(o.kind).key("address").address(o.address);
  e.optional("made_at", o.made_at, kNone).optional("send", o.send && !is_io);
  e.optional("closed", o.closed);
  e.optional("cap", o.cap).optional("len", o.len).optional("sends", o.sends);
  e.optional("recvs", o.recvs).optional("handles", o.handles).optional("owner_goid", o.owner_goid);
  e.optional("owner_alive", o.owner_alive).optional("readers", o.readers);
  e.optional("locked_at", o.locked_at, kNone).optional("rlocked_at", o.rlocked_at, kNone);
  e.optional("counter", o.counter).optional("adds", o.adds).optional("dones", o.dones);
  e.optional("added_at", o.added_at, kNone).optional("done_at", o.done_at, kNone);
  e.optional("waiters", o.waiters).optional("signals", o.signals);
  e.optional("signalled_at", o.signalled_at, kNone);
  e.optional("timer", o.timer).optional("armed", o.armed);
  if (is_io) {
    e.key("fd").value(o.fd).key("network").value(text_of(s, o.network));
    e.key("local").value(text_of(s, o.local)).key("remote").value(text_of(s, o.remote));
    e.key("direction").value(std::string_view(o.send ? "write" : "read"));
  } else if (o.kind == "http_body") {
    e.key("method").value(text_of(s, o.method)).key("url").value(text_of(s, o.url));
    e.key("status").value(o.status);
  }
  e.close('}');
}

void describe(Element& e, const ContextGroup& c) {
  e.open('{').key("kind").value(c.kind).key("state").value(c.state);
  e.key("made_at").index_or_null(c.made_at).key("count").value(c.count);
  e.key("forgotten").value(c.forgotten).key("waiters").value(c.waiters);
  e.key("oldest_ns").value(c.oldest_ns);
  e.key("oldest_maker_goid").value(c.oldest_maker_goid).close('}');
}

void describe(Element& e, const Member& m) {
  e.open('{').key("goid").value(m.goid).key("parent_goid").value(m.parent_goid);
  e.key("since_ns").value(m.since_ns).optional("name", m.name);
  e.optional("first_object", m.first_object).optional("object_count", m.object_count);
  e.optional("objects_total", m.objects_total).optional("stack_bytes", m.stack_bytes);
  e.optional("cpu_ns", m.cpu_ns, int64_t{-1}).close('}');
}

template <class T>
void describe(Element& e, const Snapshot&, const T& row) {
  describe(e, row);
}

// Everything of a group but its members; left open for them.
void describe_open(Element& e, const Group& g) {
  e.open('{').key("stack").value(g.stack).key("state").value(state_name(g.state));
  e.key("wait_reason").value(g.wait_reason);
  e.key("object_kind").value(g.object_kind);
  e.key("created_by").index_or_null(g.created_by);
  e.optional("creation_stack", g.creation_stack, kNone).key("thread").value(g.thread);
  e.optional("locked", g.locked).optional("leaked", g.leaked);
  e.key("labels").open('[');
  for (const auto& [key, value] : g.labels) {
    e.open('[').value(key).value(value).close(']');
  }
  e.close(']').key("count").value(g.count);
  e.optional("wait_ns", g.wait_ns, int64_t{-1}).optional("oldest_ns", g.oldest_ns, int64_t{-1});
}

void describe_head(Element& e, const Snapshot& s) {
  e.open('{').key("schema").value("weir.snapshot/1");
  e.key("taken_at_ns").value(s.taken_at_ns).key("duration_ns").value(s.duration_ns);
  e.key("longest_hold_ns").value(s.longest_hold_ns).key("total").value(s.total);
  e.key("requester_goid").value(s.requester_goid);
  e.key("process").value(s.process).key("pid").value(s.pid);
  e.key("source").value(s.source).optional("truncated", s.truncated);
  e.optional("left_out", s.left_out);
}

class Writer {
 public:
  Writer(const Snapshot& s, Out& out) : s_(s), out_(out) {}

  // ,"key":[element,element,..]
  template <class T>
  void write_table(std::string_view key, const std::vector<T>& table) {
    text_.append(",\n\"").append(key).append("\":");
    write_array(table);
  }

  void write_groups(const std::vector<Group>& groups) {
    text_.append(",\n\"groups\":[");
    std::string_view separator = "\n";
    for (const Group& g : groups) {
      if (!out_.ok()) return;
      text_.append(std::exchange(separator, ",\n"));
      Element e(text_);
      describe_open(e, g);
      text_.append(",\"members\":");
      write_array(g.members);
      text_.push_back('}');
    }
    text_.append("]");
    hand_on();
  }

  void write_head() {
    Element e(text_);
    describe_head(e, s_);
    hand_on();
  }

  void write_end() {
    text_.append("}\n");
    hand_on();
  }

 private:
  template <class T>
  void write_array(const std::vector<T>& table) {
    text_.push_back('[');
    std::string_view separator = "\n";
    for (const T& row : table) {
      if (!out_.ok()) return;
      text_.append(std::exchange(separator, ",\n"));
      Element e(text_);
      describe(e, s_, row);
      hand_on();
    }
    text_.push_back(']');
    hand_on();
  }

  void hand_on() {
    out_.write(text_);
    text_.clear();
  }

  const Snapshot& s_;
  Out& out_;
  std::string text_;  // the element under construction
};

}  // namespace

bool write_json(const Snapshot& s, const Sink& sink) {
  Out out(sink);
  Writer writer(s, out);
  writer.write_head();
  writer.write_table("strings", s.strings);
  writer.write_table("frames", s.frames);
  writer.write_table("locations", s.locations);
  writer.write_table("mappings", s.mappings);
  writer.write_table("stacks", s.stacks);
  writer.write_table("objects", s.objects);
  writer.write_table("contexts", s.contexts);
  writer.write_groups(s.groups);
  writer.write_end();
  return out.finish();
}

}  // namespace weir::profiler
