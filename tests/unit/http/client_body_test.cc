// The bodies of responses and requests in http::Client: how they end, how they break, and that both
// may be under way at once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include "http_test_util.h"

namespace {

using namespace weir::testing;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using weir::http::Client;
using weir::http::ClientOptions;
using weir::http::Request;
using weir::http::Response;
using weir::http::ResponseWriter;
using weir::http::ServerRequest;

WEIR_NET_FOR_ALL_PROCS(HttpClientBody);

// What a client makes of an answer: "status:body", or what it throws.
std::string made_of(const std::string& answer, Request request = {}, ClientOptions options = {}) {
  Scripted s(answer);
  Client client(std::move(options));
  request.url = s.url();
  try {
    Response r = client.send(std::move(request));
    const std::string status = std::to_string(r.status) + ":";
    try {
      return status + r.body.read_all();
    } catch (const std::exception& e) {
      return status + e.what();
    }
  } catch (const std::exception& e) {
    return e.what();
  }
}

const std::string kStart = "HTTP/1.1 200 OK\r\n";
const std::string kChunked = kStart + "Transfer-Encoding: chunked\r\n\r\n";

TEST_P(HttpClientBody, HowItEnds) {
  run([] {
    EXPECT_EQ(made_of(kStart + "Content-Length: 3\r\n\r\nabc"), "200:abc");
    EXPECT_EQ(made_of(kStart + "Content-Length: 3\r\n\r\nabcdef"), "200:abc");
    EXPECT_EQ(made_of(kStart + "Content-Length: 0\r\n\r\n"), "200:");
    EXPECT_EQ(made_of(kStart + "\r\nuntil it closes"), "200:until it closes");
    EXPECT_EQ(made_of(kStart + "\r\n"), "200:");
    EXPECT_EQ(made_of("HTTP/1.0 200 OK\r\n\r\nx"), "200:x");
    EXPECT_EQ(made_of("\r\n\r\n" + kStart + "\r\nx"), "200:x");
    EXPECT_EQ(made_of(kChunked + "1\r\na\r\n2;x=y\r\nbc\r\n0\r\nT: x\r\n\r\n"), "200:abc");
    EXPECT_EQ(made_of("HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\nabc"), "204:");
    EXPECT_EQ(made_of("HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n"), "304:");
    EXPECT_EQ(made_of("HTTP/1.1 205 Reset\r\nContent-Length: 1\r\n\r\nx"), "205:x");
    EXPECT_EQ(made_of(kStart + "Content-Length: 3\r\n\r\n", {.method = "HEAD"}), "200:");
    EXPECT_EQ(made_of(kStart + "Transfer-Encoding: chunked\r\n\r\n", {.method = "HEAD"}), "200:");
    EXPECT_EQ(made_of("HTTP/1.1 999\r\nContent-Length: 1\r\n\r\nx"), "999:x");
  });
}

TEST_P(HttpClientBody, HowItBreaks) {
  run([] {
    EXPECT_THAT(made_of(kStart + "Content-Length: 5\r\n\r\nabc"),
                ::testing::AllOf(StartsWith("200:http: "), HasSubstr("unexpected EOF")));
    EXPECT_THAT(made_of(kChunked + "5\r\nabc"), HasSubstr("unexpected EOF"));
    EXPECT_THAT(made_of(kChunked + "3\r\nabc\r\n"), HasSubstr("unexpected EOF"));
    EXPECT_THAT(made_of(kChunked + "3\r\nabc\r\n0\r\n"), HasSubstr("unexpected EOF"));
    EXPECT_THAT(made_of(kChunked + "x\r\n"), HasSubstr("malformed chunked encoding"));
    EXPECT_THAT(made_of(kChunked + "3\r\nabcd\r\n0\r\n\r\n"),
                HasSubstr("malformed chunked encoding"));
  });
}

TEST_P(HttpClientBody, HeadsThatAreMalformed) {
  run([] {
    for (const char* bad :
         {"hello\r\n\r\n", "HTTP/3 200 OK\r\n\r\n", "HTTP/1.1 OK\r\n\r\n",
          "HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "HTTP/1.1 200 OK\r\nX: y\r\n folded\r\n\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n"}) {
      EXPECT_THAT(made_of(bad), HasSubstr("malformed response: ")) << bad;
    }
    EXPECT_THAT(made_of("HTTP/1.1 200 OK\r\nX: y"), HasSubstr("closed within a head"));
    EXPECT_THAT(made_of(kStart + "X: " + std::string(5000, 'x') + "\r\n\r\n", {},
                        {.max_header_bytes = 1000}),
                HasSubstr("the head is too large"));
  });
}

TEST_P(HttpClientBody, WhatComesBeforeTheAnswer) {
  run([] {
    const std::string hint = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
    EXPECT_EQ(made_of("HTTP/1.1 100 Continue\r\n\r\n" + hint + hint + kStart +
                      "Content-Length: 1\r\n\r\nx"),
              "200:x");
    std::string endless;
    for (int i = 0; i < 1000; ++i) endless += hint;
    EXPECT_THAT(made_of(endless), HasSubstr("too many answers before the answer"));
  });
}

// --- compression ---

constexpr std::string_view kPacked{
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xcb\x48\xcd\xc9\xc9\xd7\x51\x48\xaf\xca"
    "\x2c\x00\x00\x4a\x9b\xb1\x5c\x0b\x00\x00\x00",
    31};
constexpr const char* kUnpacked = "hello, gzip";

std::string packed_answer(std::string_view body) {
  return kStart + "Content-Encoding: gzip\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + std::string(body);
}

TEST_P(HttpClientBody, IsUnpacked) {
  run([] {
    Scripted s(packed_answer(kPacked));
    Client client;
    Response r = client.get(s.url());
    EXPECT_TRUE(r.uncompressed);
    EXPECT_EQ(r.content_length, -1);
    EXPECT_FALSE(r.headers.has("Content-Encoding"));
    EXPECT_FALSE(r.headers.has("Content-Length"));
    EXPECT_EQ(r.body.read_all(), kUnpacked);
    std::string chunked = kStart + "Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (const char c : kPacked) chunked.append("1\r\n").append(1, c).append("\r\n");
    EXPECT_EQ(made_of(chunked + "0\r\n\r\n"), std::string("200:") + kUnpacked);
    EXPECT_EQ(made_of(kStart + "Content-Encoding: gzip\r\n\r\n" + std::string(kPacked)),
              std::string("200:") + kUnpacked);
  });
}

TEST_P(HttpClientBody, IsNotUnpackedForWhoAsksByItself) {
  run([] {
    const std::string packed = "200:" + std::string(kPacked), answer = packed_answer(kPacked);
    EXPECT_EQ(made_of(answer, {.headers = {{"Accept-Encoding", "gzip"}}}), packed);
    EXPECT_EQ(made_of(answer, {.headers = {{"Range", "bytes=0-"}}}), packed);
    EXPECT_EQ(made_of(answer, {}, {.decompress = false}), packed);
    EXPECT_EQ(made_of(answer, {.method = "HEAD"}), "200:");
    EXPECT_EQ(made_of(kStart + "Content-Encoding: other\r\nContent-Length: 1\r\n\r\nx"), "200:x");
  });
}

TEST_P(HttpClientBody, ThatIsPackedBadly) {
  run([] {
    const auto cannot = HasSubstr("cannot be decompressed");
    EXPECT_THAT(made_of(packed_answer("this is no gzip at all")), cannot);
    std::string flipped(kPacked);
    flipped[24] = static_cast<char>(flipped[24] ^ 1);
    EXPECT_THAT(made_of(packed_answer(flipped)), cannot);
    EXPECT_THAT(made_of(packed_answer(std::string(kPacked) + "more")), cannot);
    for (size_t size = 1; size < kPacked.size(); ++size) {
      EXPECT_THAT(made_of(packed_answer(kPacked.substr(0, size))), cannot) << size;
    }
    EXPECT_EQ(made_of(packed_answer("")), "200:");
  });
}

// --- reading ---

TEST_P(HttpClientBody, ReadByPiecesAndClosed) {
  run([] {
    Serving s([](ResponseWriter& w, ServerRequest&) { w.write("abcde"); });
    Client client;
    Response r = client.get(s.url());
    char c[2];
    EXPECT_EQ(r.body.read(c, 0), 0u);
    std::string got;
    while (const size_t n = r.body.read(c, sizeof c)) got.append(c, n).append("|");
    EXPECT_EQ(got, "ab|cd|e|");
    EXPECT_EQ(r.body.read(c, sizeof c), 0u);
    r.body.close();
    r.body.close();
    EXPECT_THROW((void)r.body.read(c, sizeof c), std::logic_error);
    EXPECT_EQ(weir::http::Body().read_all(), "");
  });
}

TEST_P(HttpClientBody, BeyondTheLimit) {
  run([] {
    Serving s([](ResponseWriter& w, ServerRequest&) { w.write(std::string(100'000, 'x')); });
    Client client;
    EXPECT_EQ(client.get(s.url()).body.read_all(100'000).size(), 100'000u);
    EXPECT_THAT(thrown([&] { (void)client.get(s.url()).body.read_all(99'999); }),
                HasSubstr("larger than the limit of 99999 bytes"));
  });
}

TEST_P(HttpClientBody, MovedBodiesCloseWhatTheyHad) {
  run([] {
    Serving s([](ResponseWriter& w, ServerRequest&) {
      (void)error_of([&w] { w.write(std::string(10'000'000, 'x')); });
    });
    Client client;
    Response a = client.get(s.url()), b = client.get(s.url());
    a = std::move(b);
    EXPECT_TRUE(eventually([&s] { return s.server.connections() == 1; }));
    a = Response();
    EXPECT_TRUE(eventually([&s] { return s.server.connections() == 0; }));
  });
}

// --- requests ---

// Pieces of `size` bytes, `count` of them.
std::function<std::optional<std::string>()> pieces(int count, size_t size) {
  return [left = std::make_shared<int>(count), size]() -> std::optional<std::string> {
    if (*left == 0) return std::nullopt;
    return std::string(size, static_cast<char>('a' + --*left % 26));
  };
}

void count_body(ResponseWriter& w, ServerRequest& r) {
  const int64_t length = r.content_length();
  w.write(std::to_string(length) + ":" + std::to_string(r.body(100 << 20).size()));
}

TEST_P(HttpClientBody, SentByPieces) {
  run([] {
    Serving s(count_body);
    Client client;
    for (int i = 0; i < 2; ++i) {
      EXPECT_EQ(client.send({.method = "POST", .url = s.url(), .body_pieces = pieces(5, 1000)})
                    .body.read_all(),
                "-1:5000");
      EXPECT_EQ(client
                    .send({.method = "PUT",
                           .url = s.url(),
                           .body_pieces = pieces(100, 50'000),
                           .body_length = 5'000'000})
                    .body.read_all(),
                "5000000:5000000");
      EXPECT_EQ(client.send({.method = "POST", .url = s.url(), .body_pieces = pieces(0, 0)})
                    .body.read_all(),
                "-1:0");
      EXPECT_EQ(client.send({.method = "POST", .url = s.url(), .body_pieces = pieces(5, 0)})
                    .body.read_all(),
                "-1:0")
          << "an empty piece is not the end";
      EXPECT_EQ(
          client
              .send(
                  {.method = "POST", .url = s.url(), .body_pieces = pieces(0, 0), .body_length = 0})
              .body.read_all(),
          "0:0");
      EXPECT_EQ(client.post(s.url(), "x/y", std::string(1 << 20, 'x')).body.read_all(),
                "1048576:1048576");
    }
  });
}

TEST_P(HttpClientBody, PiecesThatAreNotWhatWasPromised) {
  run([] {
    Serving s(count_body);
    Client client;
    const auto why = [&](Request r) {
      r.method = "POST";
      r.url = s.url();
      return thrown([&] { (void)client.send(std::move(r)); });
    };
    for (int i = 0; i < scaled(50); ++i) {
      EXPECT_THAT(why({.body_pieces = pieces(2, 10), .body_length = 19}),
                  HasSubstr("more than its length"));
      EXPECT_THAT(why({.body_pieces = pieces(2, 10), .body_length = 21}),
                  HasSubstr("fewer bytes than its length"));
      EXPECT_EQ(why({.body_pieces = []() -> std::optional<std::string> {
                  throw std::runtime_error("no more paper");
                }}),
                "no more paper");
    }
    EXPECT_THROW(
        (void)client.send({.method = "POST",
                           .url = s.url(),
                           .body_pieces = []() -> std::optional<std::string> { throw 5; }}),
        int);
  });
}

TEST_P(HttpClientBody, BothWaysAtOnce) {
  run([] {
    Serving s([](ResponseWriter& w, ServerRequest& r) {
      std::string buffer(8192, 0);
      while (const size_t n = r.read(buffer.data(), buffer.size())) w.write({buffer.data(), n});
    });
    Client client;
    Response r = client.send({.method = "POST",
                              .url = s.url(),
                              .body_pieces = pieces(100, 50'000),
                              .body_length = 5'000'000});
    EXPECT_EQ(r.body.read_all().size(), 5'000'000u);
  });
}

TEST_P(HttpClientBody, AnsweredBeforeItIsSent) {
  run([] {
    Serving s([](ResponseWriter& w, ServerRequest&) {
      w.write_header(413);
      w.write("too much");
    });
    Client client;
    for (int i = 0; i < 5; ++i) {
      Response r = client.post(s.url(), "x/y", std::string(5 << 20, 'x'));
      EXPECT_EQ(r.status, 413);
      EXPECT_EQ(r.body.read_all(), "too much");
    }
    // Pieces are asked for no longer than the connection lives.
    std::atomic<int> asked = 0;
    Response r = client.send(
        {.method = "POST", .url = s.url(), .body_pieces = [&asked]() -> std::optional<std::string> {
           ++asked;
           return std::string(10'000, 'x');
         }});
    EXPECT_EQ(r.status, 413);
    EXPECT_EQ(r.body.read_all(), "too much");
    EXPECT_TRUE(eventually([&asked] {
      const int before = asked;
      weir::sleep_for(20ms);
      return asked == before;
    }));
  });
}

TEST_P(HttpClientBody, TheServerGoesAwayWhileItIsSent) {
  run([] {
    Scripted s([](Raw& raw, int) { (void)raw.until("\r\n\r\n"); });
    Client client;
    EXPECT_THROW((void)client.post(s.url(), "x/y", std::string(20 << 20, 'x')), std::exception);
    EXPECT_EQ(s.accepted, 1);
  });
}

}  // namespace
