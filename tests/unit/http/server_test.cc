// http::Server on the wire: requests one after the other, how answers are framed, and what a
// handler may get wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include "http_test_util.h"

namespace {

using namespace weir::testing;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using weir::http::ResponseWriter;
using weir::http::ServerRequest;

WEIR_NET_FOR_ALL_PROCS(HttpServer);

constexpr const char* kPlain = "Content-Type: text/plain; charset=utf-8\r\n";

void say_path(ResponseWriter& w, ServerRequest& r) { w.write(r.method() + " " + r.target()); }

TEST_P(HttpServer, AnswersAndKeepsTheConnection) {
  run([] {
    Serving s(say_path);
    Raw raw(s.address);
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(undated(raw.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n").message()),
                std::string("HTTP/1.1 200 OK\r\n") + kPlain + "Content-Length: 6\r\n\r\nGET /a");
    }
    EXPECT_EQ(undated(raw.send("GET /b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").rest()),
              std::string("HTTP/1.1 200 OK\r\n") + kPlain +
                  "Content-Length: 6\r\nConnection: close\r\n\r\nGET /b");
  });
}

TEST_P(HttpServer, AnswersInTheOrderOfAPipeline) {
  run([] {
    Serving s(
        [](ResponseWriter& w, ServerRequest& r) { w.write("[" + r.target() + r.body() + "]"); });
    const std::string answer =
        ask(s,
            "GET /1 HTTP/1.1\r\nHost: x\r\n\r\n"
            "POST /2 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
            "POST /3 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"
            "\r\n"  // some clients
            "GET /4 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    size_t at = 0;
    for (const char* body : {"[/1]", "[/2abc]", "[/3x]", "[/4]"}) {
      at = answer.find(body, at);
      ASSERT_NE(at, answer.npos) << body << " in " << answer;
    }
  });
}

TEST_P(HttpServer, RequestsThatComeByteByByte) {
  run([] {
    Serving s([](ResponseWriter& w, ServerRequest& r) { w.write(r.target() + r.body()); });
    Raw raw(s.address);
    const std::string text =
        "POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        "3;e\r\nabc\r\n0\r\nT: x\r\n\r\n";
    for (const char c : text) {
      raw.send({&c, 1});
      weir::gosched();
    }
    EXPECT_EQ(body_of(raw.rest()), "/xabc");
  });
}

TEST_P(HttpServer, Http10ClosesUnlessAskedNotTo) {
  run([] {
    Serving s(say_path);
    EXPECT_EQ(ask(s, "GET /a HTTP/1.0\r\n\r\n"),
              std::string("HTTP/1.1 200 OK\r\n") + kPlain +
                  "Content-Length: 6\r\nConnection: close\r\n\r\nGET /a");
    Raw raw(s.address);
    for (int i = 0; i < 2; ++i) {
      EXPECT_THAT(raw.send("GET /a HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").message(),
                  HasSubstr("Connection: keep-alive\r\n"));
    }
  });
}

TEST_P(HttpServer, Http10GetsNoChunks) {
  run([] {
    Serving s([](ResponseWriter& w, ServerRequest&) {
      w.write("a");
      w.flush();
      w.write("b");
    });
    const std::string answer = ask(s, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_EQ(answer, std::string("HTTP/1.1 200 OK\r\n") + kPlain + "Connection: close\r\n\r\nab");
  });
}

TEST_P(HttpServer, WhatIsFlushedComesInChunks) {
  run([] {
    weir::chan<bool> on = weir::make_chan<bool>();
    Serving s([on](ResponseWriter& w, ServerRequest&) {
      w.write("first");
      w.flush();
      on.recv();
      w.write("second");
      w.write("");
      w.write("x");
    });
    Raw raw(s.address);
    raw.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(undated(raw.until("first\r\n")),
              std::string("HTTP/1.1 200 OK\r\n") + kPlain +
                  "Transfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n");
    on.send(true);  // so it had come before the handler went on
    EXPECT_EQ(raw.until("0\r\n\r\n"), "6\r\nsecond\r\n1\r\nx\r\n0\r\n\r\n");
    on.close();
    EXPECT_THAT(raw.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").message(),
                StartsWith("HTTP/1.1 200"));
  });
}

TEST_P(HttpServer, LargeAnswersComeInChunks) {
  run([] {
    const std::string large(300'000, 'x');
    Serving s([&large](ResponseWriter& w, ServerRequest& r) {
      if (r.path() == "/pieces") {
        for (size_t i = 0; i < large.size(); i += 1000) w.write(large.substr(i, 1000));
      } else {
        w.write(large);
      }
    });
    weir::http::Client client;
    for (const char* path : {"/whole", "/pieces", "/whole"}) {
      weir::http::Response r = client.get(s.url(path));
      EXPECT_EQ(r.content_length, -1);
      EXPECT_EQ(r.body.read_all(), large);
    }
  });
}

TEST_P(HttpServer, HeadGetsTheHeadAlone) {
  run([] {
    Serving s([](ResponseWriter& w, ServerRequest& r) {
      if (r.path() == "/length") w.headers().set("Content-Length", "1000000");
      w.write("body");
      if (r.path() == "/flushed") w.flush();
      if (r.path() == "/flushed") w.write("more");
    });
    const auto head = [&s](const char* path) {
      return ask(s, std::string("HEAD ") + path +
                        " HTTP/1.1\r\nHost: x\r\n\r\nGET /next HTTP/1.1\r\nHost: x\r\nConnection: "
                        "close\r\n\r\n");
    };
    const std::string next = std::string("HTTP/1.1 200 OK\r\n") + kPlain +
                             "Content-Length: 4\r\nConnection: close\r\n\r\nbody";
    const std::string start = std::string("HTTP/1.1 200 OK\r\n") + kPlain;
    EXPECT_EQ(head("/"), start + "Content-Length: 4\r\n\r\n" + next);
    EXPECT_EQ(head("/length"), start + "Content-Length: 1000000\r\n\r\n" + next);
    EXPECT_EQ(head("/flushed"), start + "\r\n" + next);
  });
}

TEST_P(HttpServer, NoContentAndNotModifiedHaveNoBody) {
  run([] {
    Serving s([](ResponseWriter& w, ServerRequest& r) {
      w.write_header(std::stoi(r.query("status")));
      if (r.has_query("length")) w.headers().set("Content-Length", "4");
      w.write("body");
      if (r.has_query("flush")) w.flush();
    });
    for (const char* query : {"204", "304", "204&flush", "304&flush", "204&length", "304&length"}) {
      const std::string answer =
          ask(s, "GET /?status=" + std::string(query) +
                     " HTTP/1.1\r\nHost: x\r\n\r\n"
                     "GET /?status=404 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
      SCOPED_TRACE(answer);
      const std::string first = answer.substr(0, answer.find("\r\n\r\n"));
      EXPECT_THAT(first, Not(HasSubstr("Transfer-Encoding")));
      EXPECT_THAT(first, Not(HasSubstr("Content-Type")));
      EXPECT_EQ(first.find("Content-Length") != first.npos, std::string(query) == "304&length");
      EXPECT_THAT(body_of(answer), StartsWith("HTTP/1.1 404 Not Found\r\n"));
    }
  });
}

TEST_P(HttpServer, ContentLengthOfTheHandler) {
  run([] {
    Serving s([](ResponseWriter& w, ServerRequest& r) {
      w.headers().set("Content-Length", r.query("length"));
      w.write("01234");
      if (r.has_query("flush")) w.flush();
      w.write("56789");
    });
    const auto get = [&s](const char* query) {
      return ask(s, std::string("GET /?") + query +
                        " HTTP/1.1\r\nHost: x\r\n\r\n"
                        "GET /?length=10 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    };
    const std::string ten =
        std::string("HTTP/1.1 200 OK\r\n") + kPlain + "Content-Length: 10\r\n\r\n0123456789";
    EXPECT_THAT(get("length=10"), StartsWith(ten + "HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(get("length=10&flush"), StartsWith(ten + "HTTP/1.1 200 OK\r\n"));
    // Fewer: closed, so nobody takes the next answer for the rest.
    EXPECT_EQ(body_of(get("length=11")), "0123456789");
    EXPECT_EQ(body_of(get("length=11&flush")), "0123456789");
    // More: what does not fit is never sent.
    EXPECT_EQ(body_of(get("length=7&flush")), "01234");
    EXPECT_THAT(get("length=7"), StartsWith("HTTP/1.1 500 Internal Server Error\r\n"));
    // No number: as if it were not there.
    EXPECT_THAT(get("length=ten"), StartsWith(ten));
  });
}

TEST_P(HttpServer, AStatusOfTheHandlerCountsOnce) {
  run([] {
    Serving s([](ResponseWriter& w, ServerRequest& r) {
      if (r.path() == "/bad") {
        for (const int bad : {-1, 0, 100, 199, 1000}) {
          EXPECT_THROW(w.write_header(bad), std::invalid_argument) << bad;
        }
      }
      w.write_header(201);
      w.write_header(500);
      w.write("x");
      w.write_header(404);
    });
    EXPECT_THAT(ask(s, "GET /bad HTTP/1.0\r\n\r\n"), StartsWith("HTTP/1.1 201 Created\r\n"));
  });
}

TEST_P(HttpServer, FieldsOfTheHandler) {
  run([] {
    Serving s([](ResponseWriter& w, ServerRequest&) {
      w.headers().set("Content-Type", "text/html");
      w.headers().add("Set-Cookie", "a=1");
      w.headers().add("Set-Cookie", "b=2");
      w.headers().set("X", "a\r\nInjected: yes\r\n\r\n<html>");
      w.headers().set("Bad Name\r\nInjected", "x");
      w.headers().set("", "x");
      w.headers().set("Transfer-Encoding", "chunked");
      w.headers().set("Date", "never");
      w.headers().set("Nothing", "");
      w.write("x");
    });
    EXPECT_EQ(ask(s,
                  "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
                  "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
              "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n"
              "X: a  Injected: yes    <html>\r\nNothing: \r\nContent-Length: 1\r\n"
              "Connection: keep-alive\r\n\r\nx"
              "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n"
              "X: a  Injected: yes    <html>\r\nNothing: \r\nContent-Length: 1\r\n"
              "Connection: close\r\n\r\nx");
  });
}

TEST_P(HttpServer, AHandlerMayAskForTheEnd) {
  run([] {
    Serving s([](ResponseWriter& w, ServerRequest&) { w.headers().set("Connection", "Close"); });
    EXPECT_EQ(ask(s, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
              "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  });
}

TEST_P(HttpServer, WhatAHandlerSeesOfARequest) {
  run([] {
    Serving s([](ResponseWriter& w, ServerRequest& r) {
      std::string fields;
      for (const auto& [name, value] : r.headers()) {
        if (name != "Long") fields += name + "=" + value + ";";
      }
      w.write(r.method() + "|" + r.target() + "|" + r.path() + "|" + r.query("q") + "|" +
              r.query("r") + "|" + (r.has_query("none") ? "y" : "n") + "|" + r.header("x") + "|" +
              r.header("none") + "|" + std::to_string(r.header("long").size()) + "|" + fields +
              "|" + std::to_string(r.content_length()) + "\n");
      EXPECT_THAT(r.remote_addr(), StartsWith("127.0.0.1:"));
    });
    EXPECT_EQ(body_of(ask(s,
                          "PROPFIND /a%20b/%2e%2e?q=1%2B1+1&r=a?b=c&q=2 HTTP/1.1\r\nHost: x\r\n"
                          "X: 100%41 %\r\nEmpty:\r\nRange: bytes=9-1\r\nLong: " +
                              std::string(20000, 'y') + "\r\nConnection: close\r\n\r\n")),
              "PROPFIND|/a%20b/%2e%2e?q=1%2B1+1&r=a?b=c&q=2|/a b/..|1+1 1|a?b=c|n|100%41 %||20000|"
              "Host=x;X=100%41 %;Empty=;Range=bytes=9-1;Connection=close;|0\n");
  });
}

// The library's regular expression for it would take more stack than a goroutine has.
TEST_P(HttpServer, ARangeOfAnyLength) {
  run([] {
    Serving s([](ResponseWriter& w, ServerRequest& r) {
      w.write(std::to_string(r.header("Range").size()));
    });
    std::string range = "bytes=0-1";
    for (int i = 0; i < 1000; ++i) range += ",000000000000000-111111111111111";
    EXPECT_EQ(body_of(ask(s, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nRange: " + range +
                                 "\r\n\r\n")),
              std::to_string(range.size()));
  });
}

TEST_P(HttpServer, RequestsThatAreRefused) {
  run([] {
    Serving s([](ResponseWriter&, ServerRequest&) { ADD_FAILURE() << "it reached the handler"; });
    const std::string large(70'000, 'x');
    struct {
      int status;
      std::string bytes;
    } const cases[] = {
        {400, "hello\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\n\r\n"},
        {400,
         "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n"},
        {414, "GET /" + large.substr(0, 9000) + " HTTP/1.1\r\nHost: x\r\n\r\n"},
        {417, "GET / HTTP/1.1\r\nHost: x\r\nExpect: nothing\r\n\r\n"},
        {431, "GET / HTTP/1.1\r\nHost: x\r\nX: " + large + "\r\n\r\n"},
        {431, "GET / HTTP/1.1\r\nHost: x\r\nX: " + large + large},  // which does not end
        {431, large + large + large},
        {501, "GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n"},
        {505, "GET / HTTP/3.0\r\nHost: x\r\n\r\n"},
        {505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
    };
    for (const auto& c : cases) {
      // And nothing that comes then is a request.
      const std::string answer =
          ask(s, c.bytes + "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
      EXPECT_THAT(answer, StartsWith("HTTP/1.1 " + std::to_string(c.status) + " "))
          << c.bytes.substr(0, 100);
      EXPECT_THAT(answer, HasSubstr("\r\nConnection: close\r\n"));
      EXPECT_EQ(answer.find("HTTP/1.1 ", 1), answer.npos) << answer;
    }
  });
}

TEST_P(HttpServer, AHandlerThatThrows) {
  run([] {
    auto logged = weir::make_chan<std::string>(10);
    const auto log = [logged](std::string_view line) mutable { logged.send(std::string(line)); };
    const auto handler = [](ResponseWriter& w, ServerRequest& r) {
      w.headers().set("X", "y");
      w.write_header(201);
      w.write("begun");
      if (r.has_query("flush")) w.flush();
      if (r.path() == "/std") throw std::runtime_error("expected by a test");
      if (r.path() == "/int") throw 5;
      if (r.path() == "/exit") weir::goexit();
    };
    Serving s(handler, {.log = log});
    const auto get = [&s](const char* target) {
      return ask(s, std::string("GET ") + target + " HTTP/1.1\r\nHost: x\r\n\r\n");
    };
    for (const char* target : {"/std", "/int"}) {
      const std::string answer = get(target);
      EXPECT_THAT(answer, StartsWith("HTTP/1.1 500 Internal Server Error\r\n"));
      EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
      EXPECT_THAT(answer, Not(HasSubstr("X: y")));
      EXPECT_EQ(body_of(answer), "internal server error\n");
    }
    // Begun: it cannot be taken back, but it is seen that it is not all.
    EXPECT_THAT(get("/std?flush"), ::testing::EndsWith("\r\n\r\n5\r\nbegun\r\n"));
    EXPECT_EQ(get("/exit"), "");
    EXPECT_THAT(get("/exit?flush"), ::testing::EndsWith("\r\n\r\n5\r\nbegun\r\n"));
    for (const auto& [target, what] : {std::pair("/std", "expected by a test"),
                                       {"/int", "an exception that is no std::exception"},
                                       {"/std?flush", "expected by a test"}}) {
      const std::string line = *logged.recv();
      EXPECT_THAT(line, StartsWith(std::string("http: the handler of GET ") + target +
                                   ", asked by 127.0.0.1:"));
      EXPECT_THAT(line, ::testing::EndsWith(std::string(", threw: ") + what));
    }
  });
}

TEST_P(HttpServer, ThousandsOfConnectionsLeaveNothing) {
  run([] {
    Serving s(say_path);
    for (int i = 0; i < scaled(2000); ++i) {
      Raw raw(s.address);
      if (i % 4 == 0) continue;
      raw.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
      if (i % 4 == 1) continue;
      EXPECT_THAT(raw.message(), StartsWith("HTTP/1.1 200"));
      if (i % 4 == 2) raw.send("GET / HT");
    }
    EXPECT_TRUE(eventually([&s] { return s.server.connections() == 0; }));
  });
}

TEST_P(HttpServer, ManyConnectionsAtOnce) {
  run([] {
    Serving s(say_path);
    weir::WaitGroup all;
    for (int i = 0; i < scaled(200); ++i) {
      all.add(1);
      weir::go([&] {
        Raw raw(s.address);
        for (int k = 0; k < 5; ++k) {
          EXPECT_THAT(raw.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n").message(),
                      ::testing::EndsWith("GET /a"));
        }
        all.done();
      });
    }
    all.wait();
  });
}

TEST(HttpStatus, Texts) {
  EXPECT_EQ(weir::http::status_text(200), "OK");
  EXPECT_EQ(weir::http::status_text(431), "Request Header Fields Too Large");
  EXPECT_EQ(weir::http::status_text(299), "");
  EXPECT_EQ(weir::http::status_text(-1), "");
}

}  // namespace
