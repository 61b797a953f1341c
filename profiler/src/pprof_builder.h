// PprofBuilder: writes profile.proto, gzip, field by field. Knows the format, not what is profiled.
//
// A profile is a sequence of fields in any order, so each one is compressed and handed on as soon
// as it is built; the string table comes last, in finish(). In memory stand the strings, and
// numbers. Texts are made clean (UTF-8, no control characters): pprof prints them as they are.
#pragma once

#include <zlib.h>

#include <cstdint>
#include <deque>
#include <map>
#include <protozero/pbf_writer.hpp>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <weir/profiler/snapshot.h>

#include "encode.h"

namespace weir::profiler::encode {

class PprofBuilder {
 public:
  // Texts that are handed over here must live until finish().
  explicit PprofBuilder(const Sink& sink);
  ~PprofBuilder();
  PprofBuilder(const PprofBuilder&) = delete;
  PprofBuilder& operator=(const PprofBuilder&) = delete;

  // False: the reader is gone.
  bool ok() const { return out_.ok(); }

  void sample_type(std::string_view type, std::string_view unit);
  void default_sample_type(std::string_view type);  // that pprof shows first; else the last one
  void period(std::string_view type, std::string_view unit, int64_t period);
  void times(int64_t time_ns, int64_t duration_ns);  // 0: not told
  void comment(std::string_view text);
  void mapping(uint64_t id, const Mapping& m, bool is_named);

  // The function's number, from 1; the same for the same name and file.
  uint64_t function(std::string_view name, std::string_view file);
  struct Line {
    uint64_t function;
    int64_t line;
  };
  // A new location, its lines innermost first. Returns its number, from 1.
  uint64_t location(uint64_t mapping_id, uint64_t address, std::span<const Line> lines);

  // The number of a text in the string table.
  int64_t string(std::string_view text);
  struct Label {
    int64_t key;    // number of a text
    int64_t value;  // likewise
    bool is_number = false;
    int64_t unit = 0;  // of a number: number of a text; 0: none
  };
  void sample(std::span<const uint64_t> locations, std::span<const int64_t> values,
              std::span<const Label> labels);

  // The strings, and the end. True: the sink took everything.
  bool finish();

 private:
  void value_type(protozero::pbf_tag_type tag, std::string_view type, std::string_view unit);
  void hand_on();
  void compress(std::string_view bytes, int flush);

  Out out_;
  z_stream z_{};
  std::string buffer_;  // the field under construction
  protozero::pbf_writer top_{buffer_};
  std::unordered_map<std::string_view, int64_t> string_ids_;
  std::vector<std::string_view> strings_;  // by number
  std::deque<std::string> cleaned_;        // never moves what strings_ refers to
  std::map<std::pair<int64_t, int64_t>, uint64_t> functions_;  // by the numbers of name and file
  uint64_t locations_ = 0;
};

}  // namespace weir::profiler::encode
