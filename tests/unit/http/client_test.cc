// http::Client: what it sends, what it gives back, redirects, and errors before anything is sent.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "http_test_util.h"

namespace {

using namespace weir::testing;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using weir::http::Client;
using weir::http::ClientOptions;
using weir::http::Request;
using weir::http::Response;
using weir::http::ResponseWriter;
using weir::http::ServerRequest;

WEIR_NET_FOR_ALL_PROCS(HttpClient);

// A server that gives back each request as it came.
struct Mirror {
  Scripted server{[](Raw& raw, int) {
    for (;;) {
      const std::string request = raw.message();
      if (request.empty()) return;
      std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(request.size());
      answer += "\r\n\r\n";
      if (!request.starts_with("HEAD")) answer += request;
      raw.send(answer);
    }
  }};
};

TEST_P(HttpClient, WhatItSends) {
  run([] {
    Mirror m;
    Client client({.user_agent = "test/1"});
    const std::string host = "Host: " + m.server.address + "\r\n";
    EXPECT_EQ(client.get(m.server.url("/a?b=%20#c")).body.read_all(),
              "GET /a?b=%20 HTTP/1.1\r\nAccept: */*\r\nAccept-Encoding: gzip\r\n" + host +
                  "User-Agent: test/1\r\n\r\n");
    EXPECT_EQ(client.post(m.server.url(), "a/b", "body").body.read_all(),
              "POST / HTTP/1.1\r\nAccept: */*\r\nAccept-Encoding: gzip\r\nContent-Length: 4\r\n"
              "Content-Type: a/b\r\n" +
                  host + "User-Agent: test/1\r\n\r\nbody");
    EXPECT_THAT(client.post(m.server.url(), "a/b", "").body.read_all(),
                HasSubstr("\r\nContent-Length: 0\r\n"));
    EXPECT_THAT(client.send({.method = "PROPFIND", .url = m.server.url()}).body.read_all(),
                StartsWith("PROPFIND / HTTP/1.1\r\n"));
    const std::string own = client
                                .send({.url = m.server.url(),
                                       .headers = {{"Host", "other"},
                                                   {"X", "1"},
                                                   {"X", "2 %41"},
                                                   {"Content-Length", "7"},
                                                   {"Transfer-Encoding", "chunked"},
                                                   {"Accept", "x/y"},
                                                   {"User-Agent", "mine"}}})
                                .body.read_all();
    EXPECT_EQ(own,
              "GET / HTTP/1.1\r\nAccept: x/y\r\nAccept-Encoding: gzip\r\nHost: other\r\n"
              "User-Agent: mine\r\nX: 1\r\nX: 2 %41\r\n\r\n");
    const std::string auth = client.get("http://u:p%20w@" + m.server.address + "/").body.read_all();
    EXPECT_THAT(auth, HasSubstr("\r\nAuthorization: Basic dTpwIHc=\r\n"));
    EXPECT_THAT(auth, Not(HasSubstr("p%20w")));
    EXPECT_THAT(client.get("http://u@" + m.server.address + "/").body.read_all(),
                HasSubstr("\r\nAuthorization: Basic dTo=\r\n"))
        << "the colon stands there without a password, too";
  });
}

TEST_P(HttpClient, WhatItGivesBack) {
  run([] {
    Serving s([](ResponseWriter& w, ServerRequest& r) {
      w.headers().set("X-Method", r.method());
      w.headers().add("Set-Cookie", "a=%41");
      w.headers().add("Set-Cookie", "b");
      w.headers().set("Empty", "");
      w.headers().set("Long", std::string(20000, 'l'));
      w.write_header(r.path() == "/none" ? 404 : 200);
      w.write("<" + r.body() + ">");
    });
    Client client;
    Response r = client.get(s.url("/none"));
    EXPECT_EQ(r.status, 404);
    EXPECT_EQ(r.reason, "Not Found");
    EXPECT_EQ(r.url, s.url("/none"));
    EXPECT_EQ(r.content_length, 2);
    EXPECT_FALSE(r.uncompressed);
    EXPECT_EQ(r.headers.values("set-cookie"), (std::vector<std::string_view>{"a=%41", "b"}));
    EXPECT_TRUE(r.headers.has("Empty"));
    EXPECT_EQ(r.headers.get("Long").size(), 20000u);
    EXPECT_EQ(r.body.read_all(), "<>");
    EXPECT_EQ(r.body.read_all(), "") << "it has ended";
    r = client.head(s.url());
    EXPECT_EQ(r.headers.get("X-Method"), "HEAD");
    EXPECT_EQ(r.body.read_all(), "");
    EXPECT_EQ(client.send({.method = "PUT", .url = s.url(), .body = "x"}).body.read_all(), "<x>");
  });
}

TEST_P(HttpClient, ByTheDefaultClient) {
  run([] {
    Serving s([](ResponseWriter& w, ServerRequest& r) { w.write(r.method() + r.body()); });
    EXPECT_EQ(weir::http::get(s.url()).body.read_all(), "GET");
    EXPECT_EQ(weir::http::post(s.url(), "text/plain", "x").body.read_all(), "POSTx");
    weir::http::default_client().close_idle_connections();
  });
}

TEST_P(HttpClient, OverAUnixSocket) {
  run([] {
    weir::net::Listener l = weir::net::listen("unix", a_name("http"));
    Serving s([](ResponseWriter& w, ServerRequest& r) { w.write(r.header("Host") + r.target()); });
    weir::chan<bool> served = weir::make_chan<bool>();
    weir::go([&] {
      s.server.serve(l);
      served.close();
    });
    {
      Client client;
      EXPECT_EQ(client.get("unix:" + l.addr().to_string() + ":/a?b").body.read_all(),
                "localhost/a?b");
    }
    s.server.close();
    served.recv();
  });
}

TEST_P(HttpClient, RefusedBeforeAnythingIsSent) {
  run([] {
    Scripted s("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    Client client;
    const auto why = [&client](Request r) {
      return thrown([&] { (void)client.send(std::move(r)); });
    };
    const std::string secret = "http://u:secret@" + s.address + "/";
    for (const char* method : {"", "G T", "GET\r\nX: y", "GET /evil HTTP/1.1\r\n\r\n", "\xff"}) {
      const std::string text = why({.method = method, .url = secret});
      EXPECT_THAT(text, EndsWith("is no word"));
      EXPECT_THAT(text, Not(HasSubstr("secret")));
    }
    for (const weir::http::Headers::Field& field :
         std::vector<weir::http::Headers::Field>{{"", "x"},
                                                 {"a b", "x"},
                                                 {"a:", "x"},
                                                 {"a\r\nb", "x"},
                                                 {"X", "a\r\nb: c"},
                                                 {"X", "a\nb"},
                                                 {"X", std::string("a\0b", 3)}}) {
      const std::string text = why({.url = secret, .headers = {field}});
      EXPECT_THAT(text, HasSubstr("a character that it must not have")) << field.first;
      EXPECT_THAT(text, Not(HasSubstr("secret")));
    }
    EXPECT_THAT(why({.url = "nowhere"}), HasSubstr("there is no scheme"));
    EXPECT_THAT(why({.url = s.url("/a b")}), HasSubstr("a space"));
    EXPECT_EQ(s.accepted, 0);
  });
}

TEST_P(HttpClient, NobodyThere) {
  run([] {
    Client client;
    std::string address;
    {
      weir::net::Listener l = weir::net::listen("tcp", "127.0.0.1:0");
      address = l.addr().to_string();
    }
    auto e = error_of([&] { (void)client.get("http://" + address + "/"); });
    ASSERT_TRUE(e);
    EXPECT_EQ(e->code(), std::errc::connection_refused);
    EXPECT_THAT(e->what(), HasSubstr(address));
    EXPECT_TRUE(error_of([&] { (void)client.get("http://no-such-host.invalid/"); }));
    EXPECT_TRUE(error_of([&] { (void)client.get("unix:@weir-no-such-socket:/"); }));
  });
}

// --- redirects ---

void redirecting(ResponseWriter& w, ServerRequest& r) {
  if (r.path() == "/end" || r.path() == "/x/end") {
    return w.write(r.method() + " " + r.target() + " " + r.header("Content-Type") + " " + r.body() +
                   " " + r.header("Authorization") + r.header("Cookie"));
  }
  w.headers().set("Location", r.query("to"));
  w.write_header(std::stoi(r.query("status")));
  w.write(r.has_query("large") ? std::string(100'000, 'x') : "see there");
}

TEST_P(HttpClient, Redirects) {
  run([] {
    Serving s(redirecting);
    Client client;
    struct {
      const char *method, *status, *to, *answer;
    } const cases[] = {
        {"GET", "301", "/end", "GET /end t/t b"},  // a GET keeps nothing of its body
        {"GET", "302", "/end?a=b", "GET /end?a=b"},
        {"POST", "301", "/end", "GET /end"},
        {"POST", "302", "/end", "GET /end"},
        {"POST", "303", "/end", "GET /end"},
        {"PUT", "303", "/end", "GET /end"},
        {"POST", "307", "/end", "POST /end t/t body"},
        {"PUT", "308", "/end", "PUT /end t/t body"},
        {"POST", "307", "end", "POST /x/end t/t body"},
        {"POST", "307", "./y/../end", "POST /x/end t/t body"},
        {"GET", "302", "//{}/end", "GET /end"},
        {"GET", "302", "http://{}/end", "GET /end"},
        {"GET", "302", "/x/from?status=302%26to=/end", "GET /end"},
    };
    for (const auto& c : cases) {
      // No SCOPED_TRACE: it is the thread's, and a goroutine changes threads.
      const std::string what = std::string(c.method) + " " + c.status + " " + c.to;
      std::string to = c.to;
      if (const size_t at = to.find("{}"); at != to.npos) to.replace(at, 2, s.address);
      const bool body = std::string(c.method) != "GET";
      Response r = client.send(
          {.method = c.method,
           .url = s.url("/x/from?status=" + std::string(c.status) + "&to=" + to),
           .headers = body ? weir::http::Headers{{"Content-Type", "t/t"}} : weir::http::Headers{},
           .body = body ? "body" : ""});
      EXPECT_EQ(r.status, 200) << what;
      std::string answer = r.body.read_all();
      answer.erase(answer.find_last_not_of(' ') + 1);
      if (body) {
        EXPECT_EQ(answer, c.answer) << what;
      } else {
        EXPECT_THAT(c.answer, StartsWith(answer)) << what;
      }
      EXPECT_THAT(r.url, StartsWith(s.url("/").substr(0, s.url().size() - 1))) << what;
      EXPECT_THAT(r.url, HasSubstr("/end")) << what;
    }
  });
}

TEST_P(HttpClient, HeadStaysHead) {
  run([] {
    Serving s([](ResponseWriter& w, ServerRequest& r) {
      if (r.path() == "/") {
        w.headers().set("Location", "/end");
        w.write_header(303);
      }
      w.headers().set("X-Method", r.method());
    });
    Client client;
    EXPECT_EQ(client.head(s.url()).headers.get("X-Method"), "HEAD");
  });
}

TEST_P(HttpClient, StatusesThatAreNoRedirects) {
  run([] {
    Serving s(redirecting);
    Client client;
    for (const char* status : {"200", "201", "300", "304", "305", "306", "404"}) {
      Response r = client.get(s.url("/from?to=/end&status=" + std::string(status)));
      EXPECT_EQ(std::to_string(r.status), status);
    }
    EXPECT_EQ(client.get(s.url("/from?status=302&to=")).status, 302) << "no Location";
  });
}

TEST_P(HttpClient, SecretsStayWithTheirHost) {
  run([] {
    Serving a(redirecting), b(redirecting);
    Client client;
    const auto get = [&](const Serving& to) {
      return client
          .send({.url = a.url("/from?status=302&to=" + to.url("/end")),
                 .headers = {{"Authorization", "secret"}, {"Cookie", "c=1"}}})
          .body.read_all();
    };
    EXPECT_THAT(get(a), EndsWith(" secretc=1"));
    EXPECT_THAT(get(b), Not(HasSubstr("secret")));
    EXPECT_THAT(get(b), Not(HasSubstr("c=1")));
    // What stands in the URL, too.
    const std::string by_url =
        client.get("http://u:p@" + a.address + "/from?status=302&to=" + b.url("/end"))
            .body.read_all();
    EXPECT_THAT(by_url, Not(HasSubstr("Basic")));
    EXPECT_THAT(client.get("http://u:p@" + a.address + "/from?status=302&to=/end").body.read_all(),
                HasSubstr("Basic"));
  });
}

TEST_P(HttpClient, NotForEver) {
  run([] {
    std::atomic<int> asked = 0;
    Serving s([&asked](ResponseWriter& w, ServerRequest&) {
      ++asked;
      w.headers().set("Location", "/");
      w.write_header(302);
    });
    Client client({.max_redirects = 3});
    EXPECT_EQ(thrown([&] { (void)client.get("http://u:secret@" + s.address + "/"); }),
              "http: GET " + s.url() + ": stopped after 3 redirects");
    EXPECT_EQ(asked, 4);
    Client none({.max_redirects = 0});
    EXPECT_EQ(none.get(s.url()).status, 302);
  });
}

TEST_P(HttpClient, RedirectsWithBodiesThatAreLargeOrBroken) {
  run([] {
    Serving s(redirecting);
    Client client;
    EXPECT_EQ(client.get(s.url("/from?status=302&to=/end&large")).status, 200);
    Scripted broken("HTTP/1.1 302 Found\r\nContent-Length: 100\r\nLocation: " + s.url("/end") +
                    "\r\n\r\ncut");
    EXPECT_EQ(client.get(broken.url()).status, 200);
  });
}

TEST_P(HttpClient, RedirectsThatLeadNowhere) {
  run([] {
    Serving s(redirecting);
    Client client;
    for (const char* to : {"ftp://h/", "unix:/run/docker.sock:/", "http://", "/a%20b c"}) {
      Request r{.url = s.url("/from?status=302&to=")};
      std::string location(to);
      for (const char c : location) {
        if (c == ' ') {
          r.url += "%20";
        } else {
          r.url += c;
        }
      }
      EXPECT_THROW((void)client.send(std::move(r)), weir::http::error) << to;
    }
  });
}

}  // namespace
