// ChunkDecoder: the same body however the bytes come, and no mercy for what is malformed.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "chunked.h"

namespace {

using weir::http::ChunkDecoder;
using State = ChunkDecoder::State;

struct Result {
  std::string body;
  State state = State::more;
  size_t left = 0;  // bytes behind the end
  bool operator==(const Result&) const = default;
};

// Feeds the decoder with the parts of `text`, `step` bytes each.
Result decode(std::string_view text, size_t step, size_t most = 1 << 20) {
  ChunkDecoder d;
  Result r;
  while (!text.empty()) {
    std::string_view part = text.substr(0, step), piece;
    const size_t had = part.size();
    do {
      r.state = d.next(part, most, piece);
      if (r.state == State::data) {
        EXPECT_FALSE(piece.empty());
        EXPECT_LE(piece.size(), most);
        r.body.append(piece);
      }
    } while (r.state == State::data);
    text.remove_prefix(had - part.size());
    if (r.state == State::end || r.state == State::broken) break;
    EXPECT_TRUE(part.empty());
  }
  r.left = text.size();
  return r;
}

struct Case {
  const char* name;
  std::string text;
  State state;
  std::string body;
  size_t left = 0;
};

const Case kCases[] = {
    {"empty body", "0\r\n\r\n", State::end, ""},
    {"one chunk", "5\r\nhello\r\n0\r\n\r\n", State::end, "hello"},
    {"several", "1\r\na\r\n2\r\nbc\r\n3\r\ndef\r\n0\r\n\r\n", State::end, "abcdef"},
    {"hexadecimal", "A\r\n0123456789\r\nb\r\n0123456789a\r\n00\r\n\r\n", State::end,
     "01234567890123456789a"},
    {"leading zeroes", "0005\r\nhello\r\n000\r\n\r\n", State::end, "hello"},
    {"line ends in data", "4\r\n\r\n\r\n\r\n0\r\n\r\n", State::end, "\r\n\r\n"},
    {"extension", "5;a=b;c=\"d\"\r\nhello\r\n0;x\r\n\r\n", State::end, "hello"},
    {"spaces behind the size", "5  \r\nhello\r\n0\t\r\n\r\n", State::end, "hello"},
    {"trailers", "1\r\na\r\n0\r\nX: y\r\nZ: long\r\n\r\n", State::end, "a"},
    {"what follows stays", "1\r\na\r\n0\r\n\r\nGET / HTTP/1.1", State::end, "a", 14},
    {"unfinished size", "5", State::more, ""},
    {"unfinished data", "5\r\nhel", State::more, "hel"},
    {"unfinished end", "5\r\nhello\r\n0\r\n", State::more, "hello"},
    {"no digits", "\r\nhello", State::broken, "", 0},
    {"no digits but an extension", ";a\r\n", State::broken, ""},
    {"not a digit", "g\r\n", State::broken, ""},
    {"0x", "0x5\r\nhello\r\n0\r\n\r\n", State::broken, ""},
    {"a sign", "+5\r\nhello\r\n0\r\n\r\n", State::broken, ""},
    {"negative", "-5\r\nhello\r\n0\r\n\r\n", State::broken, ""},
    {"a space before", " 5\r\nhello\r\n0\r\n\r\n", State::broken, ""},
    {"LF behind the size", "5\nhello\r\n0\r\n\r\n", State::broken, ""},
    {"LF in an extension", "5;a\nhello\r\n0\r\n\r\n", State::broken, ""},
    {"CR without LF", "5\rhello", State::broken, ""},
    {"data too long", "5\r\nhelloo\r\n0\r\n\r\n", State::broken, "hello"},
    {"LF behind data", "5\r\nhello\n0\r\n\r\n", State::broken, "hello"},
    {"overflow", "10000000000000000\r\n", State::broken, ""},
    {"overflow by far", std::string(100, 'f') + "\r\n", State::broken, ""},
    {"LF in trailers", "0\r\nX: y\n\r\n", State::broken, ""},
    {"LF in place of the end", "0\r\n\n", State::broken, ""},
    {"CR within a trailer", "0\r\nX: \ry\r\n\r\n", State::broken, ""},
};

TEST(Chunked, AllSplitsAgree) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    for (const size_t step : {size_t{1}, size_t{2}, size_t{3}, size_t{7}, c.text.size()}) {
      for (const size_t most : {size_t{1}, size_t{3}, size_t{1000}}) {
        const Result r = decode(c.text, step, most);
        EXPECT_EQ(r.body, c.body) << step;
        EXPECT_EQ(r.state, c.state) << step;
        if (c.state == State::end) {
          EXPECT_EQ(r.left, c.left) << step;
        }
      }
    }
    // In two parts, wherever they are cut.
    for (size_t cut = 1; cut < c.text.size(); ++cut) EXPECT_EQ(decode(c.text, cut).body, c.body);
  }
}

TEST(Chunked, BrokenAndEndedStaySo) {
  ChunkDecoder bad;
  std::string_view bytes = "x", piece;
  EXPECT_EQ(bad.next(bytes, 10, piece), State::broken);
  bytes = "0\r\n\r\n";
  EXPECT_EQ(bad.next(bytes, 10, piece), State::broken);
  ChunkDecoder good;
  EXPECT_EQ(good.next(bytes, 10, piece), State::end);
  bytes = "more";
  EXPECT_EQ(good.next(bytes, 10, piece), State::end);
  EXPECT_EQ(bytes, "more");
}

TEST(Chunked, TheLargestSizeIsTakenAsItIs) {
  ChunkDecoder d;
  std::string_view bytes = "7fffffffffffffff\r\nabc", piece;
  EXPECT_EQ(d.next(bytes, 100, piece), State::data);
  EXPECT_EQ(piece, "abc");
  EXPECT_EQ(d.next(bytes, 100, piece), State::more);
}

TEST(Chunked, WhatIsNoDataIsBounded) {
  for (const char* start : {"5;", "0\r\nX: ", "000", "5  "}) {
    ChunkDecoder d;
    std::string_view bytes = start, piece;
    EXPECT_EQ(d.next(bytes, 10, piece), State::more) << start;
    const std::string flood(64 << 10, start[0] == '5' && start[1] == ' ' ? ' ' : '0');
    bytes = flood;
    EXPECT_EQ(d.next(bytes, 10, piece), State::broken) << start;
  }
  // Many short trailers, too.
  ChunkDecoder d;
  std::string text = "0\r\n";
  for (int i = 0; i < 10000; ++i) text += "a: b\r\n";
  std::string_view bytes = text, piece;
  EXPECT_EQ(d.next(bytes, 10, piece), State::broken);
}

TEST(Chunked, SomeOverheadIsGrantedToEachChunk) {
  std::string text, body;
  for (int i = 0; i < 20000; ++i) {
    text += "1;ext\r\nx\r\n";
    body += 'x';
  }
  EXPECT_EQ(decode(text + "0\r\n\r\n", 4096), (Result{body, State::end, 0}));
}

TEST(Chunked, ExtensionsWithoutEndAreRefused) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "1;" + std::string(100, 'e') + "\r\nx\r\n";
  EXPECT_EQ(decode(text + "0\r\n\r\n", 4096).state, State::broken);
}

}  // namespace
