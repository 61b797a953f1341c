// Snapshot -> profile.proto, gzip: as Go's debug=0, and with one sample per goroutine (debug=3).
//
// Two values: goroutines, and how long they have been blocked, together, in nanoseconds. Samples
// have the goroutine's own labels and ours, left out where the program uses the name itself:
//
//   debug=0  one sample per record (encode.h: make_records): state, wait_reason, created_by
//   debug=3  also name, and numbers: go::goroutine, go::goroutine_created_by (ids),
//            go::goroutine_state, go::goroutine_wait_minutes, as CockroachDB's Go has them, and
//            wait_ns, stack_bytes, cpu_ns. A group without members is one sample.
//
// The samples have the shown frames alone (encode.h: shown_frames), so that the function which
// blocks is the one with the flat count. A location of several inlined functions may be shown in
// part: each part is a location of its own.
//
// A profile is a sequence of fields in any order, so each one is compressed and handed on as soon
// as it is built; the string table comes last. In memory stand the strings' and locations' numbers
// only.
#include <zlib.h>

#include <algorithm>
#include <deque>
#include <map>
#include <new>
#include <protozero/pbf_writer.hpp>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "encode.h"

namespace weir::profiler {
namespace {

using namespace encode;
using protozero::pbf_writer;

// Field numbers of profile.proto.
namespace profile {
enum : protozero::pbf_tag_type {
  sample_type = 1,
  sample = 2,
  mapping = 3,
  location = 4,
  function = 5,
  string_table = 6,
  time_nanos = 9,
  period_type = 11,
  period = 12,
  default_sample_type = 14
};
}
namespace value_type {
enum : protozero::pbf_tag_type { type = 1, unit = 2 };
}
namespace sample {
enum : protozero::pbf_tag_type { location_id = 1, value = 2, label = 3 };
}
namespace label {
enum : protozero::pbf_tag_type { key = 1, str = 2, num = 3, num_unit = 4 };
}
namespace mapping {
enum : protozero::pbf_tag_type {
  id = 1,
  memory_start = 2,
  memory_limit = 3,
  file_offset = 4,
  filename = 5,
  build_id = 6,
  has_functions = 7,
  has_filenames = 8,
  has_line_numbers = 9,
  has_inline_frames = 10
};
}
namespace location {
enum : protozero::pbf_tag_type { id = 1, mapping_id = 2, address = 3, line = 4 };
}
namespace line {
enum : protozero::pbf_tag_type { function_id = 1, line = 2 };
}
namespace function {
enum : protozero::pbf_tag_type { id = 1, name = 2, system_name = 3, filename = 4 };
}

// Compresses what is written into `out`.
class Gzip {
 public:
  explicit Gzip(Out& out) : out_(out) {
    constexpr int kGzipHeader = 16, kMemory = 8;
    if (deflateInit2(&z_, Z_BEST_SPEED, Z_DEFLATED, MAX_WBITS + kGzipHeader, kMemory,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
      throw std::bad_alloc();  // the one way in which it fails with these arguments
    }
  }
  ~Gzip() { deflateEnd(&z_); }
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;

  void write(std::string_view bytes) {
    while (!bytes.empty()) {
      const std::string_view piece = bytes.substr(0, kPiece);
      bytes.remove_prefix(piece.size());
      run(piece, Z_NO_FLUSH);
    }
  }
  void finish() { run({}, Z_FINISH); }

 private:
  void run(std::string_view input, int flush) {
    // zlib's interface predates const; it does not write there.
    z_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(input.data()));
    z_.avail_in = static_cast<uInt>(input.size());
    char buffer[4096];
    do {
      z_.next_out = reinterpret_cast<Bytef*>(buffer);
      z_.avail_out = sizeof buffer;
      deflate(&z_, flush);
      out_.write({buffer, sizeof buffer - z_.avail_out});
    } while (z_.avail_out == 0);
  }

  Out& out_;
  z_stream z_{};
};

class Writer {
 public:
  Writer(const Snapshot& s, Gzip& gzip) : s_(s), gzip_(gzip) { string(""); }

  void write_head() {
    const auto add_type = [this](auto tag, std::string_view name, std::string_view unit) {
      pbf_writer type(top_, tag);
      type.add_int64(value_type::type, string(name));
      type.add_int64(value_type::unit, string(unit));
    };
    add_type(profile::sample_type, "goroutine", "count");
    add_type(profile::sample_type, "wait", "nanoseconds");
    add_type(profile::period_type, "goroutine", "count");
    top_.add_int64(profile::period, 1);
    top_.add_int64(profile::default_sample_type, string("goroutine"));  // else the last one
    top_.add_int64(profile::time_nanos, s_.taken_at_ns);
    hand_on();
    // A mapping has names for its locations unless one came without.
    std::vector<bool> is_named(s_.mappings.size(), true);
    for (const Location& l : s_.locations) {
      if (l.frames.empty() && mapping_id(l) != 0) is_named[l.mapping - 1] = false;
    }
    for (size_t i = 0; i < s_.mappings.size(); ++i) write_mapping(i, is_named[i]);
  }

  void write_sample(const Record& r) {
    Wait wait;
    for (const Group* g : r.groups) {
      const Wait its = wait_of(*g);
      wait.add(its.sum, its.longest);
    }
    begin_group(r.group());
    write_sample(r.group(), r.count, wait.sum, nullptr);
  }

  // Each goroutine.
  void write_samples(const Group& g, const Out& out) {
    begin_group(g);
    if (g.members.empty() && g.count > 0) write_sample(g, g.count, wait_of(g).sum, nullptr);
    for (const Member& m : g.members) {
      if (!out.ok()) return;
      write_sample(g, 1, is_blocked(g.state) ? m.since_ns : -1, &m);
    }
  }

  void write_strings() {
    for (const std::string_view text : strings_) {
      top_.add_string(profile::string_table, text.data(), text.size());
      hand_on();
    }
  }

 private:
  // What the samples of a group have in common.
  void begin_group(const Group& g) {
    location_ids_.clear();
    shown_frames(s_, stack_of(s_, g), shown_);
    for (const Shown& x : shown_) location_ids_.push_back(location(x));
    if (location_ids_.empty()) location_ids_.push_back(unavailable());
    texts_.clear();
    for (const auto& [key, value] : g.labels) texts_.emplace_back(string(key), string(value));
    own_texts_ = texts_.size();
    add_text("state", state_name(g.state));
    add_text("wait_reason", g.state == State::waiting ? g.wait_reason : std::string_view());
    const Frame* by = creator_frame(s_, g.created_by);
    add_text("created_by", by ? by->function : std::string_view());
  }

  void add_text(std::string_view key, std::string_view value) {
    if (value.empty()) return;
    const int64_t key_id = string(key);
    for (size_t i = 0; i < own_texts_; ++i) {
      if (texts_[i].first == key_id) return;
    }
    texts_.emplace_back(key_id, string(value));
  }

  void write_sample(const Group& g, uint64_t count, int64_t wait_ns, const Member* m) {
    {
      pbf_writer sample(top_, profile::sample);
      sample.add_packed_uint64(sample::location_id, location_ids_.begin(), location_ids_.end());
      const int64_t values[] = {static_cast<int64_t>(std::min<uint64_t>(count, INT64_MAX)),
                                std::max<int64_t>(wait_ns, 0)};
      sample.add_packed_int64(sample::value, std::begin(values), std::end(values));
      const size_t shared = texts_.size();
      if (m) {
        add_text("go::goroutine_state", status_text(g));
        add_text("name", text_of(s_, m->name));
      }
      for (const auto& [key, value] : texts_) {
        pbf_writer label(sample, sample::label);
        label.add_int64(label::key, key);
        label.add_int64(label::str, value);
      }
      texts_.resize(shared);
      if (m) write_numbers(sample, g, *m);
    }
    hand_on();
  }

  void write_numbers(pbf_writer& sample, const Group& g, const Member& m) {
    const auto add = [&](std::string_view key, uint64_t value, std::string_view unit) {
      pbf_writer label(sample, sample::label);
      label.add_int64(label::key, string(key));
      label.add_int64(label::num, static_cast<int64_t>(std::min<uint64_t>(value, INT64_MAX)));
      if (!unit.empty()) label.add_int64(label::num_unit, string(unit));
    };
    constexpr int64_t kMinute = 60'000'000'000;  // ns
    add("go::goroutine", m.goid, "id");
    if (m.parent_goid != 0) add("go::goroutine_created_by", m.parent_goid, "id");
    if (is_blocked(g.state) && m.since_ns >= 0) {
      add("wait_ns", static_cast<uint64_t>(m.since_ns), "nanoseconds");
      const int64_t minutes = m.since_ns / kMinute;
      if (minutes > 0) {
        add("go::goroutine_wait_minutes", static_cast<uint64_t>(minutes), "minutes");
      }
    }
    if (m.stack_bytes != 0) add("stack_bytes", m.stack_bytes, "bytes");
    if (m.cpu_ns >= 0) add("cpu_ns", static_cast<uint64_t>(m.cpu_ns), "nanoseconds");
  }

  void hand_on() {
    gzip_.write(buffer_);
    buffer_.clear();
  }

  // The number of a text in the string table. Texts of the snapshot are referred to, not copied,
  // unless they need cleaning: the format wants UTF-8, and pprof prints names and labels as they
  // are.
  int64_t string(std::string_view text) {
    const auto known = string_ids_.find(text);
    if (known != string_ids_.end()) return known->second;
    const auto id = static_cast<int64_t>(strings_.size());
    string_ids_.emplace(text, id);
    if (!is_plain_ascii(text)) {
      std::string& clean = cleaned_.emplace_back();
      append_clean(clean, text);
      text = clean;
    }
    strings_.push_back(text);
    return id;
  }

  uint32_t mapping_id(const Location& l) const {
    return l.mapping <= s_.mappings.size() ? l.mapping : 0;
  }

  void write_mapping(size_t i, bool is_named) {
    const Mapping& m = s_.mappings[i];
    {
      pbf_writer to(top_, profile::mapping);
      to.add_uint64(mapping::id, i + 1);
      to.add_uint64(mapping::memory_start, m.start);
      to.add_uint64(mapping::memory_limit, m.limit);
      to.add_uint64(mapping::file_offset, m.offset);
      to.add_int64(mapping::filename, string(m.file));
      to.add_int64(mapping::build_id, string(m.build_id));
      for (const auto tag : {mapping::has_functions, mapping::has_filenames,
                             mapping::has_line_numbers, mapping::has_inline_frames}) {
        to.add_bool(tag, is_named);
      }
    }
    hand_on();
  }

  uint64_t function(std::string_view name, std::string_view file) {
    const int64_t name_id = string(name), file_id = string(file);
    const auto [known, is_new] = functions_.try_emplace({name_id, file_id}, functions_.size() + 1);
    if (is_new) {
      {
        pbf_writer to(top_, profile::function);
        to.add_uint64(function::id, known->second);
        to.add_int64(function::name, name_id);
        to.add_int64(function::system_name, name_id);
        to.add_int64(function::filename, file_id);
      }
      hand_on();
    }
    return known->second;
  }

  uint64_t location(const Shown& x) {
    const auto [known, is_new] =
        locations_.try_emplace({x.location, x.first, x.end}, locations_.size() + 1);
    if (!is_new) return known->second;
    std::vector<std::pair<uint64_t, int>> lines;  // function, line
    for (uint32_t i = x.first; i < x.end; ++i) {
      if (x.location->frames[i] >= s_.frames.size()) continue;
      const Frame& f = s_.frames[x.location->frames[i]];
      if (f.function.empty()) continue;
      lines.emplace_back(function(f.function, f.file), std::max(f.line, 0));
    }
    write_location(known->second, mapping_id(*x.location), x.location->address, lines);
    return known->second;
  }

  // Stands for the stack of a goroutine that did not show one: pprof drops samples without
  // location.
  uint64_t unavailable() {
    const auto [known, is_new] = locations_.try_emplace({nullptr, 0, 0}, locations_.size() + 1);
    if (is_new) write_location(known->second, 0, 0, {{function("[stack unavailable]", ""), 0}});
    return known->second;
  }

  void write_location(uint64_t id, uint32_t mapping, uint64_t address,
                      const std::vector<std::pair<uint64_t, int>>& lines) {
    {
      pbf_writer to(top_, profile::location);
      to.add_uint64(location::id, id);
      to.add_uint64(location::mapping_id, mapping);
      to.add_uint64(location::address, address);
      for (const auto& [function_id, number] : lines) {
        pbf_writer line(to, location::line);
        line.add_uint64(line::function_id, function_id);
        line.add_int64(line::line, number);
      }
    }
    hand_on();
  }

  const Snapshot& s_;
  Gzip& gzip_;
  std::string buffer_;  // the field under construction
  pbf_writer top_{buffer_};
  std::vector<Shown> shown_;
  std::vector<uint64_t> location_ids_;              // of the current group's stack
  std::vector<std::pair<int64_t, int64_t>> texts_;  // its labels, keys and values
  size_t own_texts_ = 0;                            // of these, the goroutine's own
  std::unordered_map<std::string_view, int64_t> string_ids_;
  std::vector<std::string_view> strings_;  // by number
  std::deque<std::string> cleaned_;        // never moves what strings_ refers to
  std::map<std::pair<int64_t, int64_t>, uint64_t> functions_;  // by the numbers of name and file
  std::map<std::tuple<const Location*, uint32_t, uint32_t>, uint64_t> locations_;
};

}  // namespace

bool write_pprof(const Snapshot& s, const Sink& sink) {
  Out out(sink);
  Gzip gzip(out);
  Writer writer(s, gzip);
  writer.write_head();
  const Records all = make_records(s, true);
  for (const Record& r : all.records) {
    if (!out.ok()) return false;
    writer.write_sample(r);
  }
  writer.write_strings();
  gzip.finish();
  return out.finish();
}

bool write_pprof3(const Snapshot& s, const Sink& sink) {
  Out out(sink);
  Gzip gzip(out);
  Writer writer(s, gzip);
  writer.write_head();
  for (const Group& g : s.groups) {
    if (!out.ok()) return false;
    writer.write_samples(g, out);
  }
  writer.write_strings();
  gzip.finish();
  return out.finish();
}

}  // namespace weir::profiler
