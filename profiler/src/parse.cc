// Which format a dump has, and its way to the reader of that format.
#include <weir/profiler/parse.h>

#include <algorithm>
#include <string>

#include "gunzip.h"
#include "parse_formats.h"
#include "parse_text.h"

namespace weir::profiler {

namespace {

using namespace parsing;
using Reader = Snapshot(std::string_view, const ParseOptions&);

Snapshot detect(std::string_view bytes, const ParseOptions& options) {
  const size_t start = bytes.find_first_not_of(" \t\r\n");
  if (start == bytes.npos) fail_at_byte("dump", 0, "expected goroutines, found an empty input");
  if (bytes[start] == '{') return read_json(bytes, options);
  if (is_debug1(bytes)) return read_debug1(bytes, options);
  if (is_pprof(bytes)) return read_pprof(bytes, options);
  if (is_debug2(bytes)) return read_debug2(bytes, options);
  // Not text: a profile that is damaged. Its reader tells where.
  const auto is_binary = [](char c) {
    return static_cast<unsigned char>(c) < ' ' && c != '\t' && c != '\r' && c != '\n';
  };
  const std::string_view head = bytes.substr(0, 4096);
  if (std::any_of(head.begin(), head.end(), is_binary)) return read_pprof(bytes, options);
  fail_at_byte("dump", start,
               "expected profile.proto, `goroutine profile: total N`, `goroutine N [state]:` or "
               "weir's JSON, found " +
                   excerpt(bytes.substr(start)));
}

// A profile may be compressed once by who wrote it and once more on its way.
Snapshot unpack(std::string_view bytes, const ParseOptions& options, Reader& read) {
  constexpr int kLayers = 2;
  Unzipped unzipped;
  bool truncated = false;
  for (int i = 0; i < kLayers && is_gzip(bytes); ++i) {
    unzipped = gunzip(bytes, options.max_bytes);
    truncated |= unzipped.truncated;
    if (truncated && !options.cut_gzip) {
      throw ParseError("gzip: the data end too early: cut off, or still being written");
    }
    bytes = unzipped.bytes;
  }
  if (bytes.size() > options.max_bytes) {
    throw ParseLimit("the input has more than " + std::to_string(options.max_bytes) +
                     " bytes (ParseOptions::max_bytes)");
  }
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  eat(bytes, kByteOrderMark);
  try {
    Snapshot s = read(bytes, options);
    s.truncated |= truncated;
    return s;
  } catch (const ParseLimit&) {
    throw;
  } catch (const ParseError& e) {
    if (!truncated) throw;
    throw ParseError(std::string(e.what()) + " (the gzip data end too early)");
  }
}

}  // namespace

Snapshot parse(std::string_view bytes, const ParseOptions& options) {
  return unpack(bytes, options, detect);
}
Snapshot parse_debug1(std::string_view bytes, const ParseOptions& options) {
  return unpack(bytes, options, read_debug1);
}
Snapshot parse_debug2(std::string_view bytes, const ParseOptions& options) {
  return unpack(bytes, options, read_debug2);
}
Snapshot parse_pprof(std::string_view bytes, const ParseOptions& options) {
  return unpack(bytes, options, read_pprof);
}
Snapshot parse_json(std::string_view bytes, const ParseOptions& options) {
  return unpack(bytes, options, read_json);
}

}  // namespace weir::profiler
