// libFuzzer: what a server may send to the client: heads, the chunked coding, redirects. What is
// read must not depend on how the bytes are cut, and what is accepted must be what it says.
#include <weir/http/error.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "chunked.h"
#include "head.h"
#include "text.h"
#include "url.h"

namespace {

using namespace weir::http;

[[noreturn]] void fail(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  std::abort();
}

void check_head(std::string_view bytes) {
  const size_t size = head_size(bytes);
  for (size_t from = 0; from < bytes.size(); from += 7) {
    const bool is_earlier = head_size(bytes.substr(0, from)) != bytes.npos;
    if (!is_earlier && head_size(bytes, from) != size) fail("the head's end depends on the cut");
  }
  if (size == bytes.npos) return;
  try {
    const Head head = parse_response_head(bytes.substr(0, size), "GET");
    if (head.status < 100 || head.status > 999) fail("no status");
    for (const auto& [name, value] : head.fields) {
      if (!is_token(name)) fail("no name of a field");
      for (const char c : value) {
        if (!is_text(c)) fail("no value of a field");
      }
    }
    const Url next = resolve(parse_url("http://host:81/a/b?c"), head.fields.get("Location"));
    if (parse_url(next.to_string()).to_string() != next.to_string())
      fail("a URL changes: " + next.to_string());
  } catch (const BadHead&) {
  } catch (const error&) {
  }
}

std::string unchunk(std::string_view bytes, size_t piece, size_t most) {
  ChunkDecoder chunks;
  std::string body, waiting;
  for (;;) {
    const size_t n = std::min(piece, bytes.size());
    waiting.append(bytes.substr(0, n));
    bytes.remove_prefix(n);
    std::string_view rest = waiting, data;
    ChunkDecoder::State state;
    while ((state = chunks.next(rest, most, data)) == ChunkDecoder::State::data) {
      if (data.empty() || data.size() > most) fail("a piece of a wrong size");
      body.append(data);
    }
    waiting = rest;
    if (state == ChunkDecoder::State::broken) return body + " broken";
    if (state == ChunkDecoder::State::end) return body + " and " + waiting.append(bytes);
    if (n == 0) return body + " more";
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check_head(bytes);
  const std::string whole = unchunk(bytes, bytes.size() + 1, bytes.size() + 1);
  if (unchunk(bytes, 1, 1) != whole) fail("chunks are read differently byte by byte");
  if (unchunk(bytes, 5, 3) != whole) fail("chunks are read differently in pieces");
  return 0;
}
