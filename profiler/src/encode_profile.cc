// Profile -> profile.proto, and Go's debug=1.
//
// What of a stack is shown: of a profile of events (waits, wakes, creations) what a goroutine
// profile shows of it (encode.h: shown_frames); of others all but the runtime's frames at the root,
// by which a goroutine was started: time that is spent in the runtime is shown there. Addresses in
// text are return addresses, as Go's.
#include <weir/profiler/profile.h>

#include <algorithm>
#include <string>
#include <vector>

#include "encode.h"
#include "pprof_builder.h"
#include "pprof_stacks.h"

namespace weir::profiler {

namespace {

using namespace encode;

// The stack of a sample; null: it has none.
const Stack* stack_of(const Profile& p, const Profile::Sample& sample) {
  const auto& stacks = p.symbols.stacks;
  return sample.stack < stacks.size() ? &stacks[sample.stack] : nullptr;
}

void shown_of(const Profile& p, const Stack& stack, std::vector<Shown>& shown) {
  const Snapshot& s = p.symbols;
  shown_frames(s, stack, shown);
  if (p.events || shown.empty()) return;
  // Back to the leaf, as far as it was taken away.
  const Shown first = shown.front();
  std::vector<Shown> leaf;
  for (const uint32_t i : stack.locations) {
    if (i >= s.locations.size()) continue;
    const Location& l = s.locations[i];
    if (&l == first.location) break;
    leaf.push_back({&l, 0, static_cast<uint32_t>(l.frames.size())});
  }
  shown.front().first = 0;
  shown.insert(shown.begin(), leaf.begin(), leaf.end());
}

class Writer {
 public:
  Writer(const Profile& p, const Sink& sink) : p_(p), to_(sink), stacks_(p.symbols, to_) {}

  bool write() {
    for (const ValueType& t : p_.sample_types) to_.sample_type(t.type, t.unit);
    to_.period(p_.period_type.type, p_.period_type.unit, p_.period);
    to_.times(p_.time_ns, p_.duration_ns);
    for (const std::string& text : p_.comments) to_.comment(text);
    stacks_.write_mappings();
    for (const Profile::Sample& sample : p_.samples) {
      if (!to_.ok()) return false;
      write_sample(sample);
    }
    return to_.finish();
  }

 private:
  void write_sample(const Profile::Sample& sample) {
    shown_.clear();
    if (const Stack* stack = stack_of(p_, sample)) shown_of(p_, *stack, shown_);
    stacks_.locations(shown_, locations_);
    labels_.clear();
    for (const auto& [key, value] : sample.labels) {
      labels_.push_back({to_.string(key), to_.string(value)});
    }
    to_.sample(locations_, sample.values, labels_);
  }

  const Profile& p_;
  PprofBuilder to_;
  PprofStacks stacks_;
  std::vector<Shown> shown_;  // of the sample that is written, as the next two
  std::vector<uint64_t> locations_;
  std::vector<PprofBuilder::Label> labels_;
};

bool is_contention(const Profile& p) {
  return p.sample_types.size() == 2 && p.sample_types[1].type == "delay";
}

void append_frames(std::string& to, const Profile& p, const std::vector<Shown>& shown) {
  for (const Shown& x : shown) {
    if (x.first == x.end) {
      append_hex(to.append("#\t"), x.location->address);
      to.push_back('\n');
    }
    for (uint32_t i = x.first; i < x.end; ++i) {
      append_hex(to.append("#\t"), x.location->address);
      if (x.location->frames[i] < p.symbols.frames.size()) {
        const Frame& f = p.symbols.frames[x.location->frames[i]];
        append_clean(to.append("\t"), f.function);
        append_hex(to.append("+"), f.offset);
        append_clean(to.append("\t"), f.file.empty() ? "??" : f.file);
        append_dec(to.append(":"), std::max(f.line, 0));
      }
      to.push_back('\n');
    }
  }
}

}  // namespace

bool write_pprof(const Profile& p, const Sink& sink) { return Writer(p, sink).write(); }

bool write_debug1(const Profile& p, const Sink& sink) {
  Out out(sink);
  std::string text;
  const bool contention = is_contention(p);
  if (contention) {
    // Go counts in cycles; ours are nanoseconds. Sampling is accounted for already.
    text = p.name == "mutex" ? "--- mutex:\ncycles/second=1000000000\nsampling period=1\n"
                             : "--- contention:\ncycles/second=1000000000\n";
  } else {
    int64_t total = 0;
    for (const Profile::Sample& sample : p.samples) total += sample.values.at(0);
    append_dec(text.append(p.name).append(" profile: total "), total);
    text.push_back('\n');
  }
  for (const std::string& comment : p.comments) {
    append_clean(text.append("# "), comment);
    text.push_back('\n');
  }
  std::vector<Shown> shown;
  for (const Profile::Sample& sample : p.samples) {
    if (!out.ok()) break;
    if (contention) {
      append_dec(text, sample.values.at(1));
      text.push_back(' ');
    }
    append_dec(text, sample.values.at(0));
    text.append(" @");
    shown.clear();
    const Stack* stack = stack_of(p, sample);
    if (stack) shown_of(p, *stack, shown);
    for (const Shown& x : shown) append_hex(text.append(" "), x.location->address + 1);
    if (shown.empty()) text.append(" 0x1");  // the grammar wants an address; readers take one off
    text.push_back('\n');
    const std::string labels = labels_text(sample.labels);
    if (!labels.empty()) text.append("# labels: ").append(labels).push_back('\n');
    append_frames(text, p, shown);
    if (shown.empty()) text.append("#\t0x0\t").append(kStackUnavailable).push_back('\n');
    if (stack && stack->truncated) text.append("# ...additional frames elided...\n");
    text.push_back('\n');
    out.write(text);
    text.clear();
  }
  out.write(text);
  return out.finish();
}

}  // namespace weir::profiler
