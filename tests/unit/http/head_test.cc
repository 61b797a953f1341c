// Heads: which are sound, how their bodies are framed, and what the library gets to see.
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "head.h"

namespace {

using weir::http::BadHead;
using weir::http::Framing;
using weir::http::Head;
using weir::http::head_size;
using weir::http::parse_request_head;
using weir::http::parse_response_head;

// The status that a request is refused with; 0: it is sound. `fields` are added to its first line.
int refused(std::string_view line, std::string_view fields) {
  std::string text(line);
  text.append("\r\n").append(fields).append("\r\n");
  try {
    (void)parse_request_head(text);
    return 0;
  } catch (const BadHead& e) {
    return e.status;
  }
}
int get(std::string_view fields) { return refused("GET / HTTP/1.1", fields); }

Head request(std::string_view fields, std::string_view line = "POST / HTTP/1.1") {
  std::string text(line);
  return parse_request_head(text.append("\r\n").append(fields).append("\r\n"));
}
Head response(std::string_view status, std::string_view fields, std::string_view method = "GET") {
  std::string text(status);
  return parse_response_head(text.append("\r\n").append(fields).append("\r\n"), method);
}

TEST(HeadSize, EndsBehindTheEmptyLine) {
  EXPECT_EQ(head_size("GET / HTTP/1.1\r\n\r\n"), 18u);
  EXPECT_EQ(head_size("GET / HTTP/1.1\r\n\r\nmore"), 18u);
  EXPECT_EQ(head_size("\r\n\r\nGET / HTTP/1.1\r\n\r\n"), 22u) << "empty lines before it";
  EXPECT_EQ(head_size(""), std::string_view::npos);
  EXPECT_EQ(head_size("\r\n\r\n\r\n"), std::string_view::npos);
  EXPECT_EQ(head_size("GET / HTTP/1.1\r\n\r"), std::string_view::npos);
  EXPECT_EQ(head_size("GET / HTTP/1.1\n\n"), 15u) << "unsound: there is nothing to wait for";
}

TEST(HeadSize, GoesOnWhereItHasLookedBefore) {
  const std::string text = "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\nrest";
  const size_t end = head_size(text);
  for (size_t from = 0; from < end; ++from) {
    if (head_size(std::string_view(text).substr(0, from)) != std::string_view::npos) break;
    EXPECT_EQ(head_size(text, from), end) << from;
  }
}

TEST(RequestHead, FirstLines) {
  const std::string host = "Host: a\r\n";
  EXPECT_EQ(refused("GET / HTTP/1.1", host), 0);
  EXPECT_EQ(refused("GET /a?b=%20&c HTTP/1.0", host), 0);
  EXPECT_EQ(refused("OPTIONS * HTTP/1.1", host), 0);
  EXPECT_EQ(refused("PROPFIND / HTTP/1.1", host), 0);
  EXPECT_EQ(refused("GET http://h/x HTTP/1.1", host), 0);
  for (const char* bad :
       {"GET", "GET /", "GET  HTTP/1.1", "GET / ", " GET / HTTP/1.1", "GET  / HTTP/1.1",
        "GET /  HTTP/1.1", "GET /a b HTTP/1.1", "GET\t/ HTTP/1.1", "G{T / HTTP/1.1",
        "GET /\x01 HTTP/1.1", "GET /\x7f HTTP/1.1", "GET /\r HTTP/1.1", "GET / HTTP/1.1 ",
        "GET / http/1.1", "GET / XTTP/1.1", "/ HTTP/1.1"}) {
    EXPECT_EQ(refused(bad, host), 400) << bad;
  }
  EXPECT_EQ(refused({"GET /\0 HTTP/1.1", 15}, host), 400);
  for (const char* version : {"HTTP/2.0", "HTTP/1.2", "HTTP/0.9", "HTTP/1.10", "HTTP/1", "HTTP/"}) {
    EXPECT_EQ(refused(std::string("GET / ") + version, host), 505) << version;
  }
  EXPECT_THROW((void)parse_request_head("\r\n\r\n"), BadHead);
  EXPECT_THROW((void)parse_request_head(""), BadHead);
}

TEST(RequestHead, Fields) {
  struct {
    int status;
    std::string_view fields;
  } const cases[] = {
      {0, "Host: a\r\n"},
      {0, "Host:a\r\nX:\r\nY: \t z \t\r\n"},
      {0, "host: a\r\n"},
      {0, "Host:\r\n"},
      {0, "Host: a\r\nX: caf\xc3\xa9\r\n"},
      {400, ""},
      {400, "Host: a\r\nHost: a\r\n"},
      {400, "Host: a\r\nHOST: b\r\n"},
      {400, "Host: a\r\nX : y\r\n"},
      {400, "Host: a\r\n X: y\r\n"},
      {400, "Host: a\r\nX: y\r\n folded\r\n"},
      {400, "Host: a\r\nX: y\r\n\tfolded\r\n"},
      {400, "Host: a\r\nX\r\n"},
      {400, "Host: a\r\n: y\r\n"},
      {400, "Host: a\r\nX{: y\r\n"},
      {400, "Host: a\r\nX: y\nZ: z\r\n"},
      {400, "Host: a\nX: y\r\n"},
      {400, "Host: a\r\nX: a\rb\r\n"},
      {400, "Host: a\r\nX: a\x01\r\n"},
      {400, "Host: a\r\nX: a\x7f\r\n"},
      {400, {"Host: a\r\nX: a\0b\r\n", 17}},
      {400, {"Host: a\r\nX\0: ab\r\n", 17}},
      {417, "Host: a\r\nExpect: 200-ok\r\n"},
      {417, "Host: a\r\nExpect:\r\n"},
      {0, "Host: a\r\nExpect: 100-Continue\r\n"},
  };
  for (const auto& c : cases) EXPECT_EQ(get(c.fields), c.status) << c.fields;
  EXPECT_EQ(refused("GET / HTTP/1.0", ""), 0) << "HTTP/1.0 has no Host";
}

// What somebody between us and the client might have understood in another way.
TEST(RequestHead, Smuggling) {
  struct {
    int status;
    const char* fields;
  } const cases[] = {
      {400, "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"},
      {400, "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n"},
      {400, "Content-Length: 5\r\nContent-Length: 6\r\n"},
      {400, "Content-Length: 5, 6\r\n"},
      {0, "Content-Length: 5\r\nContent-Length: 5\r\n"},
      {0, "Content-Length: 5, 5\r\n"},
      {400, "Content-Length:\r\n"},
      {400, "Content-Length: ,\r\n"},
      {400, "Content-Length: +5\r\n"},
      {400, "Content-Length: -5\r\n"},
      {400, "Content-Length: 0x5\r\n"},
      {400, "Content-Length: 5 5\r\n"},
      {400, "Content-Length: 5.0\r\n"},
      {400, "Content-Length: 18446744073709551616\r\n"},
      {400, "Content-Length: 9223372036854775808\r\n"},
      {0, "Content-Length: 9223372036854775807\r\n"},
      {0, "Content-Length: 005\r\n"},
      {400, "Content-Length : 5\r\n"},
      {501, "Transfer-Encoding: gzip\r\n"},
      {501, "Transfer-Encoding: gzip, chunked\r\n"},
      {501, "Transfer-Encoding: chunked, chunked\r\n"},
      {501, "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"},
      {501, "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"},
      {501, "Transfer-Encoding: identity\r\n"},
      {501, "Transfer-Encoding: xchunked\r\n"},
      {501, "Transfer-Encoding:\r\n"},
      {400,
       "Transfer-Encoding: \x0b"
       "chunked\r\n"},
      {0, "transfer-encoding: \tChunked \r\n"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(get("Host: a\r\n" + std::string(c.fields)), c.status) << c.fields;
  }
  EXPECT_EQ(refused("POST / HTTP/1.0", "Transfer-Encoding: chunked\r\n"), 400);
}

TEST(RequestHead, FramingOfTheBody) {
  EXPECT_EQ(request("Host: a\r\n").framing, Framing::none);
  EXPECT_EQ(request("Host: a\r\nContent-Length: 0\r\n").framing, Framing::none);
  const Head length = request("Host: a\r\nContent-Length: 12\r\n");
  EXPECT_EQ(length.framing, Framing::length);
  EXPECT_EQ(length.length, 12u);
  EXPECT_EQ(request("Host: a\r\nTransfer-Encoding: chunked\r\n").framing, Framing::chunked);
  EXPECT_EQ(request("Host: a\r\nContent-Length: 12\r\n", "GET / HTTP/1.1").framing, Framing::length)
      << "a body has nothing to do with the method";
}

TEST(RequestHead, KeepAlive) {
  const auto kept = [](const char* version, const char* connection) {
    return request("Host: a\r\n" + std::string(connection), std::string("GET / ") + version)
        .keep_alive;
  };
  EXPECT_TRUE(kept("HTTP/1.1", ""));
  EXPECT_TRUE(kept("HTTP/1.1", "Connection: upgrade\r\n"));
  EXPECT_FALSE(kept("HTTP/1.1", "Connection: close\r\n"));
  EXPECT_FALSE(kept("HTTP/1.1", "Connection: Upgrade, CLOSE\r\n"));
  EXPECT_FALSE(kept("HTTP/1.1", "Connection: x\r\nConnection: close\r\n"));
  EXPECT_FALSE(kept("HTTP/1.0", ""));
  EXPECT_TRUE(kept("HTTP/1.0", "Connection: Keep-Alive\r\n"));
  EXPECT_FALSE(kept("HTTP/1.0", "Connection: keep-alive, close\r\n"));
}

TEST(RequestHead, ExpectIsForHttp11) {
  EXPECT_TRUE(request("Host: a\r\nExpect: 100-continue\r\n").expects_continue);
  EXPECT_FALSE(request("Expect: 100-continue\r\n", "POST / HTTP/1.0").expects_continue);
}

TEST(RequestHead, FieldsAreAsTheyWereSent) {
  const std::string longest(10000, 'x');
  const Head h = request(
      "Host: a\r\nX: 100%41\r\nTransfer-Encoding: chunked\r\nRange: bytes=5-2\r\nEmpty:\r\nY:  z "
      "\r\n"
      "Long: " +
          longest + "\r\n",
      "PROPFIND /a?b=c?d HTTP/1.1");
  EXPECT_EQ(h.method, "PROPFIND");
  EXPECT_EQ(h.target, "/a?b=c?d");
  EXPECT_EQ(std::vector(h.fields.begin(), h.fields.end()),
            (std::vector<weir::http::Headers::Field>{{"Host", "a"},
                                                     {"X", "100%41"},
                                                     {"Range", "bytes=5-2"},
                                                     {"Empty", ""},
                                                     {"Y", "z"},
                                                     {"Long", longest}}));
  EXPECT_EQ(request("Host: a\r\nContent-Length: 5, 5\r\n").fields.get("Content-Length"), "5");
}

TEST(RequestHead, TheLibrarySeesTheTargetAlone) {
  const Head h = request("Host: a\r\nRange: bytes=5-2\r\n", "PROPFIND /a?b=c?d=e&f==g HTTP/1.0");
  EXPECT_EQ(h.for_library, "GET /a?b=c%3Fd%3De&f=%3Dg HTTP/1.1\r\n\r\n");
}

TEST(ResponseHead, FirstLines) {
  const Head h = response("HTTP/1.1 404 Not Found here", "Content-Length: 0\r\n");
  EXPECT_EQ(h.status, 404);
  EXPECT_EQ(h.reason, "Not Found here");
  EXPECT_EQ(response("HTTP/1.1 200 ", "").reason, "");
  EXPECT_EQ(response("HTTP/1.1 200", "").status, 200);
  EXPECT_TRUE(response("HTTP/1.0 200 OK", "").http10);
  for (const char* bad :
       {"HTTP/1.1", "HTTP/1.1 ", "HTTP/1.1 20", "HTTP/1.1 2000 OK", "HTTP/1.1 099 OK",
        "HTTP/1.1 -12 OK", "HTTP/1.1  200 OK", "HTTP/1.1 200OK", "HTTP/1.1 abc OK", "HTTP/2 200 OK",
        "http/1.1 200 OK", "ICY 200 OK", "200 OK"}) {
    EXPECT_THROW((void)response(bad, ""), BadHead) << bad;
  }
}

TEST(ResponseHead, FramingOfTheBody) {
  struct {
    const char *status, *fields, *method;
    Framing framing;
    bool keep_alive;
  } const cases[] = {
      {"200", "Content-Length: 5\r\n", "GET", Framing::length, true},
      {"200", "Content-Length: 0\r\n", "GET", Framing::none, true},
      {"200", "Content-Length: 5\r\n", "HEAD", Framing::none, true},
      {"200", "", "HEAD", Framing::none, true},
      {"200", "Transfer-Encoding: chunked\r\n", "HEAD", Framing::none, true},
      {"204", "", "GET", Framing::none, true},
      {"204", "Content-Length: 5\r\n", "GET", Framing::none, true},
      {"304", "Content-Length: 5\r\n", "GET", Framing::none, true},
      {"304", "Transfer-Encoding: chunked\r\n", "GET", Framing::none, true},
      {"103", "Content-Length: 5\r\n", "GET", Framing::none, true},
      {"101", "Upgrade: x\r\n", "GET", Framing::none, false},
      {"200", "Transfer-Encoding: chunked\r\n", "GET", Framing::chunked, true},
      {"200", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "GET", Framing::chunked,
       false},
      {"200", "", "GET", Framing::close, false},
      {"200", "Connection: keep-alive\r\n", "GET", Framing::close, false},
      {"200", "Content-Length: 5\r\nConnection: close\r\n", "GET", Framing::length, false},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(std::string(c.status) + " to " + c.method + ": " + c.fields);
    const Head h = response(std::string("HTTP/1.1 ") + c.status + " X", c.fields, c.method);
    EXPECT_EQ(h.framing, c.framing);
    EXPECT_EQ(h.keep_alive, c.keep_alive);
  }
  EXPECT_FALSE(response("HTTP/1.0 200 OK", "Content-Length: 5\r\n").keep_alive);
  EXPECT_TRUE(
      response("HTTP/1.0 200 OK", "Content-Length: 5\r\nConnection: keep-alive\r\n").keep_alive);
}

TEST(ResponseHead, MalformedFields) {
  for (const char* fields : {"X\r\n", " X: y\r\n", "X : y\r\n", "X: y\r\n z\r\n", "X: a\nY: b\r\n",
                             "Content-Length: 5\r\nContent-Length: 6\r\n", "Content-Length: x\r\n",
                             "Transfer-Encoding: gzip\r\n", "X: \x01\r\n"}) {
    EXPECT_THROW((void)response("HTTP/1.1 200 OK", fields), BadHead) << fields;
  }
}

TEST(ResponseHead, TheLibrarySeesTheStatusAlone) {
  EXPECT_EQ(response("HTTP/1.0 304 Not Modified", "Content-Length: 5\r\n").for_library,
            "HTTP/1.1 304\r\n\r\n");
  const Head h = response("HTTP/1.1 200 OK", "Content-Encoding: GZip\r\nX: y\r\n");
  EXPECT_EQ(h.for_library, "HTTP/1.1 200\r\n\r\n");
  EXPECT_EQ(h.fields.get("content-encoding"), "GZip");
}

}  // namespace
