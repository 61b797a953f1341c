// The bodies of requests: however they are framed, read or not, the next request is not taken from
// them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "http_test_util.h"

namespace {

using namespace weir::testing;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using weir::http::ResponseWriter;
using weir::http::ServerOptions;
using weir::http::ServerRequest;

WEIR_NET_FOR_ALL_PROCS(HttpServerBody);

const std::string kNext = "GET /next HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

std::string post(const std::string& fields, const std::string& body) {
  return "POST /post HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n" + body;
}
std::string sized(const std::string& body, const std::string& fields = "") {
  return post("Content-Length: " + std::to_string(body.size()) + "\r\n" + fields, body);
}

// Tells what it has got.
void tell(ResponseWriter& w, ServerRequest& r) {
  const std::string length = std::to_string(r.content_length());
  w.write("<" + r.path() + " " + length + " " + r.body() + ">");
}
// Reads nothing.
void ignore(ResponseWriter& w, ServerRequest& r) { w.write("<" + r.path() + ">"); }

TEST_P(HttpServerBody, OfALengthAndInChunks) {
  run([] {
    Serving s(tell);
    EXPECT_THAT(ask(s, sized("abc") + kNext), HasSubstr("</post 3 abc>"));
    EXPECT_THAT(ask(s, sized("") + kNext), HasSubstr("</post 0 >"));
    EXPECT_THAT(ask(s, post("", "") + kNext), HasSubstr("</post 0 >"));
    const std::string chunked =
        ask(s, post("Transfer-Encoding: chunked\r\n",
                    "2;x=y\r\nab\r\n1\r\nc\r\n0\r\nTrailer: x\r\nContent-Length: 100\r\n\r\n") +
                   kNext);
    EXPECT_THAT(chunked, HasSubstr("</post -1 abc>"));
    EXPECT_THAT(chunked, EndsWith("</next 0 >"));
  });
}

TEST_P(HttpServerBody, TheBodyOfAGetIsNotTheNextRequest) {
  run([] {
    Serving s(ignore);
    for (const char* method : {"GET", "HEAD", "DELETE", "OPTIONS", "ANY"}) {
      const std::string evil = "GET /evil HTTP/1.1\r\nHost: x\r\n\r\n";
      const std::string answer =
          ask(s, std::string(method) + " /first HTTP/1.1\r\nHost: x\r\nContent-Length: " +
                     std::to_string(evil.size()) + "\r\n\r\n" + evil + kNext);
      EXPECT_THAT(answer, Not(HasSubstr("evil"))) << method;
      EXPECT_THAT(answer, EndsWith("</next>")) << method;
    }
  });
}

TEST_P(HttpServerBody, WhatIsSmallAndNotReadIsPassedOver) {
  run([] {
    Serving s(ignore);
    for (const size_t size : {size_t{1}, size_t{5000}, size_t{200'000}}) {
      EXPECT_THAT(ask(s, sized(std::string(size, 'x')) + kNext), EndsWith("</next>")) << size;
    }
    EXPECT_THAT(ask(s, post("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n") + kNext),
                EndsWith("</next>"));
  });
}

TEST_P(HttpServerBody, WhatIsLargeAndNotReadClosesTheConnection) {
  run([] {
    Serving s(ignore);
    const std::string large(2 << 20, 'x');
    for (const bool chunked : {false, true}) {
      Raw raw(s.address);
      weir::WaitGroup sent;
      sent.add(1);
      weir::go([&] {  // it is not all taken
        (void)error_of([&] {
          raw.send(chunked ? post("Transfer-Encoding: chunked\r\n", "200000\r\n" + large)
                           : sized(large) + kNext);
        });
        sent.done();
      });
      const std::string answer = raw.message();
      EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n")) << "it is seen for all that";
      EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
      EXPECT_EQ(raw.rest(), "");
      sent.wait();
    }
  });
}

TEST_P(HttpServerBody, ReadByPieces) {
  run([] {
    Serving s([](ResponseWriter& w, ServerRequest& r) {
      char c[2];
      std::string got;
      while (const size_t n = r.read(c, sizeof c)) got.append(c, n).append("|");
      EXPECT_EQ(r.read(c, sizeof c), 0u) << "it stays at its end";
      w.write(got);
    });
    EXPECT_THAT(ask(s, sized("abcde", "Connection: close\r\n")), EndsWith("\r\n\r\nab|cd|e|"));
  });
}

TEST_P(HttpServerBody, ContinueIsSaidWhenTheBodyIsRead) {
  run([] {
    weir::chan<bool> on = weir::make_chan<bool>();
    Serving s([on](ResponseWriter& w, ServerRequest& r) {
      on.recv();
      w.write(r.body());
    });
    Raw raw(s.address);
    raw.send(post("Content-Length: 3\r\nExpect: 100-continue\r\n", ""));
    on.send(true);
    EXPECT_EQ(raw.until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    raw.send("abc");
    EXPECT_THAT(raw.message(), EndsWith("\r\n\r\nabc"));
    // Asked once, though it reads on; and on the next request again.
    raw.send(post("Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n", ""));
    on.send(true);
    EXPECT_EQ(raw.until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    raw.send("1\r\nx\r\n").send("1\r\ny\r\n0\r\n\r\n");
    EXPECT_THAT(raw.message(), EndsWith("\r\n\r\nxy"));
  });
}

TEST_P(HttpServerBody, WhoIsNotAskedIsAnsweredAtOnce) {
  run([] {
    Serving s([](ResponseWriter& w, ServerRequest& r) {
      if (r.path() == "/post") return w.write_header(403);
      w.write("x");
      w.flush();
      // Too late to ask for it: it would be in the middle of the answer.
      EXPECT_THAT(thrown([&r] { (void)r.body(); }), HasSubstr("is gone"));
    });
    const std::string expects = "Content-Length: 3\r\nExpect: 100-continue\r\n";
    EXPECT_EQ(ask(s, post(expects, "")),
              "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    for (const char* more : {"", "Connection: close\r\n"}) {
      EXPECT_THAT(ask(s, "PUT / HTTP/1.1\r\nHost: x\r\n" + expects + more + "\r\n"),
                  EndsWith("\r\n\r\n1\r\nx\r\n0\r\n\r\n"));
    }
  });
}

TEST_P(HttpServerBody, BeyondTheLimit) {
  run([] {
    Serving s([](ResponseWriter& w, ServerRequest& r) {
      try {
        w.write(r.body(5));
      } catch (const weir::http::error& e) {
        if (!r.has_query("own")) throw;
        w.write_header(400);
        w.write(e.what());
      }
    });
    const auto chunks = [](const char* n, const std::string& body) {
      return post("Transfer-Encoding: chunked\r\n", n + ("\r\n" + body + "\r\n0\r\n\r\n"));
    };
    EXPECT_THAT(ask(s, sized("12345") + kNext), HasSubstr("\r\n\r\n12345"));
    EXPECT_THAT(ask(s, chunks("5", "12345") + kNext), HasSubstr("\r\n\r\n12345"));
    for (const std::string& request : {sized("123456"), chunks("6", "123456")}) {
      const std::string answer = ask(s, request + kNext);
      EXPECT_THAT(answer, StartsWith("HTTP/1.1 413 Request Entity Too Large\r\n"));
      EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
    }
    // Refused before it is sent.
    EXPECT_THAT(ask(s, post("Content-Length: 6\r\nExpect: 100-continue\r\n", "")),
                StartsWith("HTTP/1.1 413 Request Entity Too Large\r\n"));
    EXPECT_THAT(ask(s, "POST /?own HTTP/1.0\r\nContent-Length: 6\r\n\r\n123456"),
                EndsWith("\r\n\r\nhttp: request body too large"));
  });
}

TEST_P(HttpServerBody, MalformedOrCutShort) {
  run([] {
    weir::chan<std::string> why = weir::make_chan<std::string>(1);
    Serving s([why](ResponseWriter& w, ServerRequest& r) {
      why.send(thrown([&r] { (void)r.body(); }));
      w.write("<answer>");
    });
    const std::string bad =
        ask(s, post("Transfer-Encoding: chunked\r\n", "x\r\nabc\r\n0\r\n\r\n") + kNext);
    EXPECT_EQ(*why.recv(), "http: request body: malformed chunked encoding");
    EXPECT_THAT(bad, HasSubstr("Connection: close\r\n"));
    EXPECT_THAT(bad, EndsWith("<answer>")) << "and nothing after it";
    for (const std::string& cut :
         {post("Content-Length: 5\r\n", "abc"), post("Transfer-Encoding: chunked\r\n", "5\r\nabc"),
          post("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n")}) {
      Raw raw(s.address);
      raw.send(cut).conn.close_write();
      EXPECT_THAT(raw.rest(), EndsWith("<answer>"));
      EXPECT_EQ(*why.recv(), "http: request body: unexpected EOF");
    }
  });
}

TEST_P(HttpServerBody, WhatWasDroppedForTheAnswerIsNotTakenForTheEnd) {
  run([] {
    weir::chan<std::string> why = weir::make_chan<std::string>(1);
    Serving s([why](ResponseWriter& w, ServerRequest& r) {
      char c = 0;
      EXPECT_EQ(r.read(&c, 1), 1u);
      w.write("begun");
      w.flush();
      why.send(thrown([&r] { (void)r.body(); }));
    });
    Raw raw(s.address);
    EXPECT_THAT(raw.send(sized("abc")).message(), EndsWith("5\r\nbegun\r\n0\r\n\r\n"));
    EXPECT_EQ(*why.recv(), "http: request body: what was not read when the answer began is gone");
  });
}

TEST_P(HttpServerBody, ReadTimeout) {
  run([] {
    weir::chan<bool> timeout = weir::make_chan<bool>(2);
    Serving s(
        [timeout](ResponseWriter& w, ServerRequest& r) {
          auto e = error_of([&r] { (void)r.body(); });
          timeout.send(e && e->timeout());
          w.write("too slow");
        },
        ServerOptions{.read_timeout = 30ms});
    Raw raw(s.address);
    raw.send(post("Content-Length: 5\r\n", "abc"));
    const std::string answer = raw.rest();
    EXPECT_TRUE(*timeout.recv());
    EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
    EXPECT_THAT(answer, EndsWith("too slow"));
  });
}

TEST_P(HttpServerBody, ATimeoutThatTheHandlerDoesNotCatch) {
  run([] {
    Serving s([](ResponseWriter& w, ServerRequest& r) { w.write(r.body()); },
              ServerOptions{.read_timeout = 30ms});
    Raw raw(s.address);
    raw.send(post("Content-Length: 5\r\n", "abc"));
    EXPECT_THAT(raw.rest(), StartsWith("HTTP/1.1 500 "));
  });
}

TEST_P(HttpServerBody, BothWaysAtOnce) {
  run([] {
    Serving s([](ResponseWriter& w, ServerRequest& r) {
      std::string buffer(8192, 0);
      while (const size_t n = r.read(buffer.data(), buffer.size())) w.write({buffer.data(), n});
    });
    const std::string large(3 << 20, 'z');
    weir::http::Client client;
    weir::http::Response r = client.post(s.url(), "text/plain", large);
    EXPECT_EQ(r.body.read_all(), large);
  });
}

}  // namespace
