#include "pprof_builder.h"

#include <new>

namespace weir::profiler::encode {

namespace {

using protozero::pbf_writer;

// Field numbers of profile.proto.
namespace field {
enum : protozero::pbf_tag_type {
  sample_type = 1,
  sample = 2,
  mapping = 3,
  location = 4,
  function = 5,
  string_table = 6,
  time_nanos = 9,
  duration_nanos = 10,
  period_type = 11,
  period = 12,
  comment = 13,
  default_sample_type = 14
};
}
namespace of_value_type {
enum : protozero::pbf_tag_type { type = 1, unit = 2 };
}
namespace of_sample {
enum : protozero::pbf_tag_type { location_id = 1, value = 2, label = 3 };
}
namespace of_label {
enum : protozero::pbf_tag_type { key = 1, str = 2, num = 3, num_unit = 4 };
}
namespace of_mapping {
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
namespace of_location {
enum : protozero::pbf_tag_type { id = 1, mapping_id = 2, address = 3, line = 4 };
}
namespace of_line {
enum : protozero::pbf_tag_type { function_id = 1, line = 2 };
}
namespace of_function {
enum : protozero::pbf_tag_type { id = 1, name = 2, system_name = 3, filename = 4 };
}

}  // namespace

PprofBuilder::PprofBuilder(const Sink& sink) : out_(sink) {
  constexpr int kGzipHeader = 16, kMemory = 8;
  if (deflateInit2(&z_, Z_BEST_SPEED, Z_DEFLATED, MAX_WBITS + kGzipHeader, kMemory,
                   Z_DEFAULT_STRATEGY) != Z_OK) {
    throw std::bad_alloc();  // the one way in which it fails with these arguments
  }
  string("");
}

PprofBuilder::~PprofBuilder() { deflateEnd(&z_); }

void PprofBuilder::compress(std::string_view bytes, int flush) {
  // zlib's interface predates const; it does not write there.
  z_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  z_.avail_in = static_cast<uInt>(bytes.size());
  char buffer[4096];
  do {
    z_.next_out = reinterpret_cast<Bytef*>(buffer);
    z_.avail_out = sizeof buffer;
    deflate(&z_, flush);
    out_.write({buffer, sizeof buffer - z_.avail_out});
  } while (z_.avail_out == 0);
}

void PprofBuilder::hand_on() {
  for (std::string_view rest = buffer_; !rest.empty();) {
    const std::string_view piece = rest.substr(0, kPiece);
    rest.remove_prefix(piece.size());
    compress(piece, Z_NO_FLUSH);
  }
  buffer_.clear();
}

int64_t PprofBuilder::string(std::string_view text) {
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

void PprofBuilder::value_type(protozero::pbf_tag_type tag, std::string_view type,
                              std::string_view unit) {
  {
    pbf_writer to(top_, tag);
    to.add_int64(of_value_type::type, string(type));
    to.add_int64(of_value_type::unit, string(unit));
  }
  hand_on();
}

void PprofBuilder::sample_type(std::string_view type, std::string_view unit) {
  value_type(field::sample_type, type, unit);
}

void PprofBuilder::default_sample_type(std::string_view type) {
  top_.add_int64(field::default_sample_type, string(type));
  hand_on();
}

void PprofBuilder::period(std::string_view type, std::string_view unit, int64_t period) {
  value_type(field::period_type, type, unit);
  top_.add_int64(field::period, period);
  hand_on();
}

void PprofBuilder::times(int64_t time_ns, int64_t duration_ns) {
  if (time_ns != 0) top_.add_int64(field::time_nanos, time_ns);
  if (duration_ns != 0) top_.add_int64(field::duration_nanos, duration_ns);
  hand_on();
}

void PprofBuilder::comment(std::string_view text) {
  top_.add_int64(field::comment, string(text));
  hand_on();
}

void PprofBuilder::mapping(uint64_t id, const Mapping& m, bool is_named) {
  {
    pbf_writer to(top_, field::mapping);
    to.add_uint64(of_mapping::id, id);
    to.add_uint64(of_mapping::memory_start, m.start);
    to.add_uint64(of_mapping::memory_limit, m.limit);
    to.add_uint64(of_mapping::file_offset, m.offset);
    to.add_int64(of_mapping::filename, string(m.file));
    to.add_int64(of_mapping::build_id, string(m.build_id));
    for (const auto tag : {of_mapping::has_functions, of_mapping::has_filenames,
                           of_mapping::has_line_numbers, of_mapping::has_inline_frames}) {
      to.add_bool(tag, is_named);
    }
  }
  hand_on();
}

uint64_t PprofBuilder::function(std::string_view name, std::string_view file) {
  const int64_t name_id = string(name), file_id = string(file);
  const auto [known, is_new] = functions_.try_emplace({name_id, file_id}, functions_.size() + 1);
  if (is_new) {
    {
      pbf_writer to(top_, field::function);
      to.add_uint64(of_function::id, known->second);
      to.add_int64(of_function::name, name_id);
      to.add_int64(of_function::system_name, name_id);
      to.add_int64(of_function::filename, file_id);
    }
    hand_on();
  }
  return known->second;
}

uint64_t PprofBuilder::location(uint64_t mapping_id, uint64_t address,
                                std::span<const Line> lines) {
  const uint64_t id = ++locations_;
  {
    pbf_writer to(top_, field::location);
    to.add_uint64(of_location::id, id);
    to.add_uint64(of_location::mapping_id, mapping_id);
    to.add_uint64(of_location::address, address);
    for (const Line& l : lines) {
      pbf_writer line(to, of_location::line);
      line.add_uint64(of_line::function_id, l.function);
      line.add_int64(of_line::line, l.line);
    }
  }
  hand_on();
  return id;
}

void PprofBuilder::sample(std::span<const uint64_t> locations, std::span<const int64_t> values,
                          std::span<const Label> labels) {
  {
    pbf_writer to(top_, field::sample);
    to.add_packed_uint64(of_sample::location_id, locations.begin(), locations.end());
    to.add_packed_int64(of_sample::value, values.begin(), values.end());
    for (const Label& l : labels) {
      pbf_writer label(to, of_sample::label);
      label.add_int64(of_label::key, l.key);
      label.add_int64(l.is_number ? of_label::num : of_label::str, l.value);
      if (l.unit != 0) label.add_int64(of_label::num_unit, l.unit);
    }
  }
  hand_on();
}

bool PprofBuilder::finish() {
  for (const std::string_view text : strings_) {
    top_.add_string(field::string_table, text.data(), text.size());
    hand_on();
  }
  compress({}, Z_FINISH);
  return out_.finish();
}

}  // namespace weir::profiler::encode
