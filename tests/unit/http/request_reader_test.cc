// Where a request ends, and what is refused rather than guessed.
#include "debug/request_reader.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace weir::http::debug {
namespace {

using State = RequestReader::State;

constexpr size_t kHead = 16 << 10, kBody = 1 << 20;

// Gives `bytes` in pieces of `piece`; what is left over.
std::string feed(RequestReader& reader, std::string_view bytes, size_t piece) {
  std::string waiting;
  while (!bytes.empty() || !waiting.empty()) {
    const size_t n = std::min(piece, bytes.size());
    waiting.append(bytes.substr(0, n));
    bytes.remove_prefix(n);
    for (;;) {
      const State before = reader.state();
      waiting.erase(0, reader.feed(waiting));
      if (reader.state() == before || waiting.empty()) break;
    }
    const bool over = reader.state() == State::complete || reader.state() == State::failed;
    if (over) return waiting + std::string(bytes);
    if (bytes.empty()) break;
  }
  return waiting;
}

struct Case {
  const char* what;
  std::string bytes;
  State state;
  int status = 0;
  std::string body = {};
  std::string left = {};
};

const std::string kNext = "GET /next HTTP/1.1\r\n";

const Case kCases[] = {
    {"a GET", "GET /a HTTP/1.1\r\nHost: x\r\n\r\n", State::complete},
    {"pipelined", "GET /a HTTP/1.1\r\nHost: x\r\n\r\n" + kNext, State::complete, 0, "", kNext},
    {"empty lines before", "\r\n\r\nGET /a HTTP/1.1\r\nHost: x\r\n\r\n", State::complete},
    {"HTTP/1.0", "GET /a HTTP/1.0\r\n\r\n", State::complete},
    {"not all of the head", "GET /a HTTP/1.1\r\nHost: x\r\n", State::head},
    {"a body", "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc" + kNext,
     State::complete, 0, "abc", kNext},
    {"a body with GET", "GET /a HTTP/1.1\r\nHost: x\r\ncontent-length: 3\r\n\r\nabc" + kNext,
     State::complete, 0, "abc", kNext},
    {"not all of the body", "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nab",
     State::body, 0, "ab"},
    {"the same length twice",
     "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nz",
     State::complete, 0, "z"},
    {"chunks",
     "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
     "3\r\nabc\r\n0A;name=value\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n" +
         kNext,
     State::complete, 0, "abc0123456789", kNext},
    {"several lengths",
     "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", State::failed,
     400},
    {"a list of one length", "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 1\r\n\r\nz",
     State::complete, 0, "z"},
    {"a list of lengths", "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 2\r\n\r\n",
     State::failed, 400},
    {"a length and chunks",
     "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
     State::failed, 400},
    {"another transfer coding",
     "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", State::failed, 501},
    {"chunked twice",
     "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
     "chunked\r\n\r\n",
     State::failed, 501},
    {"chunks in HTTP/1.0", "POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", State::failed,
     400},
    {"a negative length", "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
     State::failed, 400},
    {"a length with a sign", "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\n",
     State::failed, 400},
    {"no length", "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\n", State::failed, 400},
    {"a large body", "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\n\r\n",
     State::failed, 413},
    {"a length beyond numbers",
     "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n",
     State::failed, 400},
    {"a large chunk",
     "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n7fffffff\r\n", State::failed,
     413},
    {"a large chunk behind a small one, and some of it",
     "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n7fffffff\r\nde",
     State::failed, 413, "abc"},
    {"a chunk's size of none",
     "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n\r\n", State::failed, 400},
    {"a chunk's size beyond numbers",
     "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1ffffffffffffffff\r\n",
     State::failed, 400},
    {"a chunk longer than its size",
     "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
     State::failed, 400, "a"},
    {"a bare LF", "GET /a HTTP/1.1\nHost: x\n\n", State::failed, 400},
    {"a bare CR", "GET /a HTTP/1.1\r\nHost: x\rContent-Length: 3\r\n\r\n", State::failed, 400},
    {"NUL", "GET /a HTTP/1.1\r\nHost: x" + std::string(1, '\0') + "\r\n\r\n", State::failed, 400},
    {"a folded line", "GET /a HTTP/1.1\r\nHost: x\r\n y\r\n\r\n", State::failed, 400},
    {"a space before the colon", "GET /a HTTP/1.1\r\nHost : x\r\n\r\n", State::failed, 400},
    {"a field without a colon", "GET /a HTTP/1.1\r\nHost: x\r\nnothing\r\n\r\n", State::failed,
     400},
    {"no Host", "GET /a HTTP/1.1\r\n\r\n", State::failed, 400},
    {"several Hosts", "GET /a HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", State::failed, 400},
    {"no version", "GET /a\r\n\r\n", State::failed, 400},
    {"spaces in the target", "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", State::failed, 400},
    {"another version", "GET /a HTTP/2.0\r\nHost: x\r\n\r\n", State::failed, 505},
    {"HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", State::failed, 505},
    {"TLS", "\x16\x03\x01\x02\x01\x01\xfc\x03\x03\n", State::failed, 400},
    {"another expectation", "GET /a HTTP/1.1\r\nHost: x\r\nExpect: a miracle\r\n\r\n",
     State::failed, 417},
    {"a large line", "GET /" + std::string(kHead, 'a'), State::failed, 431},
    {"a large field", "GET / HTTP/1.1\r\nHost: x\r\nX: " + std::string(kHead, 'a'), State::failed,
     431},
    {"nothing but empty lines", std::string(kHead + 2, '\n'), State::failed, 400},
};

TEST(RequestReader, EndsWhereTheRequestEnds) {
  for (const Case& c : kCases) {
    for (const size_t piece : {size_t{1}, size_t{2}, size_t{7}, c.bytes.size()}) {
      SCOPED_TRACE(std::string(c.what) + ", in pieces of " + std::to_string(piece));
      RequestReader reader(kHead, kBody);
      const std::string left = feed(reader, c.bytes, piece);
      EXPECT_EQ(reader.state(), c.state) << reader.why();
      EXPECT_EQ(reader.status(), c.status) << reader.why();
      EXPECT_EQ(reader.request().body, c.body);
      if (c.state != State::failed) {
        EXPECT_EQ(left, c.left);
      }
    }
  }
}

TEST(RequestReader, GivesWhatStandsInTheHead) {
  RequestReader reader(kHead, kBody);
  feed(reader, "HEAD /a?b=c HTTP/1.1\r\nhOST:  x:1 \r\nEmpty:\r\n\r\n", 3);
  const Request& r = reader.request();
  EXPECT_EQ(r.method, "HEAD");
  EXPECT_EQ(r.target, "/a?b=c");
  EXPECT_EQ(r.fields.get("Host"), "x:1");
  EXPECT_TRUE(r.fields.has("empty"));
  EXPECT_FALSE(r.fields.has("none"));
}

TEST(RequestReader, KeepsAliveAsTheVersionAndConnectionSay) {
  const auto keeps_alive = [](const std::string& version, const std::string& field) {
    RequestReader reader(kHead, kBody);
    feed(reader, "GET / " + version + "\r\nHost: x\r\n" + field + "\r\n", 100);
    EXPECT_EQ(reader.state(), State::complete);
    return reader.request().keep_alive;
  };
  EXPECT_TRUE(keeps_alive("HTTP/1.1", ""));
  EXPECT_FALSE(keeps_alive("HTTP/1.1", "Connection: Close\r\n"));
  EXPECT_FALSE(keeps_alive("HTTP/1.1", "Connection: keep-alive, close\r\n"));
  EXPECT_FALSE(keeps_alive("HTTP/1.0", ""));
  EXPECT_FALSE(keeps_alive("HTTP/1.0", "Connection: keep-alive\r\n"));
}

TEST(RequestReader, HoldsNoBodyThatIsPassedOver) {
  RequestReader reader(kHead, kBody);
  feed(reader, "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n", 1000);
  ASSERT_EQ(reader.state(), State::body);
  reader.pass_over_body();
  EXPECT_EQ(feed(reader, std::string(1'000'000, 'a') + kNext, 5000), kNext);
  EXPECT_EQ(reader.state(), State::complete);
  EXPECT_EQ(reader.held(), 0u);
}

// A server learns from the head how long the body may be.
TEST(RequestReader, ABodyMayBeBoundedOnceTheHeadIsKnown) {
  const std::string head = "POST / HTTP/1.1\r\nHost: x\r\n";
  RequestReader of_length(kHead, kBody);
  feed(of_length, head + "Content-Length: 1000\r\n\r\n", 1000);
  of_length.bound_body(1000);
  EXPECT_EQ(of_length.state(), State::body);
  of_length.bound_body(999);
  EXPECT_EQ(of_length.state(), State::failed);
  EXPECT_EQ(of_length.status(), 413);

  RequestReader chunked(kHead, kBody);
  feed(chunked, head + "Transfer-Encoding: chunked\r\n\r\n", 1000);
  chunked.bound_body(5);
  feed(chunked, "3\r\nabc\r\n3\r\nabc\r\n", 4);
  EXPECT_EQ(chunked.status(), 413);

  RequestReader raised(kHead, 10);
  feed(raised, head + "Content-Length: 11\r\n\r\n", 1000);
  raised.bound_body(100);
  EXPECT_EQ(raised.status(), 413) << "it only makes it less";
}

// Extensions may be long, and mean nothing.
TEST(RequestReader, RefusesChunksOfExtensions) {
  RequestReader reader(kHead, kBody);
  std::string bytes = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 1'000; i++) bytes += "1;" + std::string(100, 'x') + "\r\na\r\n";
  feed(reader, bytes, 1000);
  EXPECT_EQ(reader.state(), State::failed);
  EXPECT_EQ(reader.status(), 400);
}

}  // namespace
}  // namespace weir::http::debug
