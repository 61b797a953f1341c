// The endpoint against clients that are slow, many, malformed or gone.
#include "transport_test_util.h"

#include <sys/resource.h>

#include <vector>

namespace weir::http::debug::testing {
namespace {

TEST_F(Transport, AnswersOneAfterAnotherOnOneConnection) {
  const Address& a = start();
  Client c(a);
  for (int i = 0; i < 3; i++) {
    c.ask("/body?" + std::to_string(i));
    const std::string got = c.answer();
    EXPECT_EQ(status_of(got), 200);
    EXPECT_TRUE(got.ends_with("<" + std::to_string(i) + ">")) << got;
  }
}

TEST_F(Transport, AnswersPipelinedRequestsInOrder) {
  const Address& a = start();
  Client c(a);
  std::string all;
  for (int i = 0; i < 200; i++) {
    all += "GET /body?" + std::to_string(i) + " HTTP/1.1\r\nHost: x.localhost\r\n\r\n";
    all += "GET /body?" + std::to_string(i) + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
  }
  c.send(all + "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  for (int i = 0; i < 200; i++) {
    EXPECT_EQ(status_of(c.answer()), 403);
    const std::string got = c.answer();
    ASSERT_TRUE(got.ends_with("<" + std::to_string(i) + ">")) << got;
  }
  EXPECT_EQ(status_of(c.answer()), 200);
  EXPECT_TRUE(c.closed());
}

TEST_F(Transport, TakesABodyForNoRequest) {
  const Address& a = start();
  const std::string inner = "GET /body?smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n";
  for (const bool chunks : {false, true}) {
    Client c(a);
    char size[16];
    std::snprintf(size, sizeof size, "%zx", inner.size());
    c.ask("/body?outer", chunks ? std::string("Transfer-Encoding: chunked\r\n")
                                : "Content-Length: " + std::to_string(inner.size()) + "\r\n");
    c.send(chunks ? size + ("\r\n" + inner) + "\r\n0\r\n\r\n" : inner);
    c.ask("/body?next", "Connection: close\r\n");
    EXPECT_TRUE(c.answer().ends_with("<outer>"));
    EXPECT_TRUE(c.answer().ends_with("<next>"));
    EXPECT_TRUE(c.closed());
  }
}

TEST_F(Transport, GivesThePostedBody) {
  const Address& a = start();
  const std::string post = "POST /debug/pprof/symbol HTTP/1.1\r\nHost: localhost\r\n";
  Client c(a);
  c.send(post + "Content-Length: 7\r\n\r\n0x1+0x2");
  EXPECT_TRUE(c.answer().ends_with("<0x1+0x2>"));
  c.send(post + "Transfer-Encoding: chunked\r\n\r\n3\r\n0x1\r\n4\r\n+0x2\r\n0\r\n\r\n");
  EXPECT_TRUE(c.answer().ends_with("<0x1+0x2>"));
  // What is compressed is not what it says; it is not unpacked, to whatever size.
  c.send(post +
         "Content-Encoding: gzip\r\nContent-Type: multipart/form-data\r\nContent-Length: "
         "3\r\n\r\nabc");
  EXPECT_TRUE(c.answer().ends_with("<abc>"));
  c.send(post + "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  EXPECT_EQ(c.answer(false), "HTTP/1.1 100 Continue\r\n\r\n");
  c.send("0x3");
  EXPECT_TRUE(c.answer().ends_with("<0x3>"));
}

TEST_F(Transport, RefusesWhatItCannotServe) {
  const Address& a = start();
  const std::string host = "Host: localhost\r\n";
  const std::string post = "POST /debug/pprof/symbol HTTP/1.1\r\n" + host;
  const struct {
    std::string bytes;
    int status;
  } cases[] = {
      {"nonsense\r\n\r\n", 400},
      {"GET /ok HTTP/1.1\n", 400},
      {"GET / HTTP/1.1\r\n\r\n", 400},
      {"GET /ok HTTP/3.0\r\n" + host + "\r\n", 505},
      {"GET /" + std::string(20'000, 'a'), 431},
      {"GET / HTTP/1.1\r\n" + host + "A: " + std::string(20'000, 'a'), 431},
      {post + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {post + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400},
      {post + "Transfer-Encoding: gzip\r\n\r\n", 501},
      {post + "Content-Length: 2000000\r\n\r\n", 413},
      {post + "Transfer-Encoding: chunked\r\n\r\nffffff\r\n", 413},
      {post + "Expect: nothing\r\n\r\n", 417},
      // Before its body is there, and without waiting for it.
      {"POST /ok HTTP/1.1\r\n" + host + "Content-Length: 5\r\n\r\n", 405},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.bytes.substr(0, 100));
    Client client(a);
    client.send(c.bytes);
    EXPECT_EQ(status_of(client.answer()), c.status);
    EXPECT_TRUE(client.closed());
  }
  EXPECT_EQ(ask_once(a, "/ok"), 200);
}

TEST_F(Transport, SaysWhatWentWrongAndGoesOn) {
  const Address& a = start();
  Client c(a);
  c.ask("/throw");
  EXPECT_EQ(status_of(c.answer()), 500);
  c.send("HEAD /ok HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(status_of(c.answer(false)), 200);
  c.send("HEAD /ok HTTP/1.1\r\nHost: elsewhere\r\n\r\n");
  EXPECT_EQ(status_of(c.answer(false)), 403);
  c.send("DELETE /ok HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const std::string got = c.answer();
  EXPECT_EQ(status_of(got), 405);
  EXPECT_NE(got.find("\r\nAllow: GET, HEAD\r\n"), std::string::npos);
  c.ask("/ok");
  EXPECT_EQ(status_of(c.answer()), 200);
}

TEST_F(Transport, TellsHttp10WhereTheAnswerEndsByClosing) {
  const Address& a = start();
  Client c(a);
  c.send("GET /large HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  const std::string got = c.rest();
  EXPECT_EQ(got.find("chunked"), std::string::npos);
  EXPECT_EQ(got.size() - got.find("\r\n\r\n") - 4, TestSite::kLarge);
}

TEST_F(Transport, SlowClientsKeepNobodyOut) {
  Limits limits;
  limits.connections = 100;
  const Address& a = start(limits);
  std::vector<Client> slow;
  for (int i = 0; i < 300; i++) {
    slow.emplace_back(a).push("GET /ok HTTP/1.1\r\nHost: local");
    if (i % 30 == 0) {
      for (Client& c : slow) c.push("h");
      EXPECT_EQ(ask_once(a, "/ok"), 200);
      EXPECT_EQ(ask_once(a, "/large"), 200);
    }
  }
}

TEST_F(Transport, NoByteOfASlowClientPutsTheEndOff) {
  Limits limits;
  limits.request = 300ms;
  const Address& a = start(limits);
  Client c(a);
  c.send("GET /ok HTTP/1.1\r\n");
  const auto end = Clock::now() + kDeadline;
  while (c.push("a") && Clock::now() < end) std::this_thread::sleep_for(5ms);
  EXPECT_LT(Clock::now(), end);

  Client silent(a);  // a connection without a request is closed without a word
  EXPECT_TRUE(silent.closed());
  Client half(a);
  half.send("GET /ok HTTP/1.1\r\n");
  EXPECT_EQ(status_of(half.answer()), 408);
  Client body(a);
  body.send("POST /debug/pprof/symbol HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n0x");
  EXPECT_EQ(status_of(body.answer()), 408);
}

TEST_F(Transport, IdleConnectionsEnd) {
  Limits limits;
  limits.idle = 100ms;
  limits.requests_each = 3;
  const Address& a = start(limits);
  Client c(a);
  c.ask("/ok");
  EXPECT_EQ(status_of(c.answer()), 200);
  EXPECT_TRUE(c.closed());
  Client often(a);
  for (int i = 0; i < 3; i++) often.ask("/ok");
  for (int i = 0; i < 3; i++) EXPECT_EQ(status_of(often.answer()), 200);
  EXPECT_TRUE(often.closed());
}

TEST_F(Transport, WhoConnectsPushesOutTheIdle) {
  Limits limits;
  limits.connections = 4;
  limits.idle = kDeadline;
  const Address& a = start(limits);
  std::vector<Client> idle;
  for (int i = 0; i < 20; i++) {
    Client& c = idle.emplace_back(a);
    c.ask("/ok");
    EXPECT_EQ(status_of(c.answer()), 200) << i;
  }
  EXPECT_TRUE(idle.front().closed());
  idle.back().ask("/ok");
  EXPECT_EQ(status_of(idle.back().answer()), 200);
}

TEST_F(Transport, FewOfAKindAtOnceAndTheRestAnswered) {
  Limits limits;
  limits.captures = 1;
  const Address& a = start(limits);
  TestSite::held = true;
  Client first(a);
  first.ask("/capture");
  ASSERT_TRUE(eventually([] { return TestSite::holding == 1; }));
  Client second(a);
  for (int i = 0; i < 100; i++) {
    second.ask("/large");
    const std::string got = second.answer();
    EXPECT_EQ(status_of(got), 503);
    EXPECT_NE(got.find("\r\nRetry-After: 1\r\n"), std::string::npos);
    EXPECT_EQ(ask_once(a, "/ok"), 200);
  }
  TestSite::held = false;
  EXPECT_EQ(status_of(first.answer()), 200);
  first.ask("/large");
  EXPECT_EQ(status_of(first.answer()), 200);
}

TEST_F(Transport, RequestsBeyondTheQueueAreToldSo) {
  Limits limits;
  limits.others = 1;
  limits.captures = limits.pictures = limits.slow = limits.streams = 0;
  limits.queued = 2;
  const Address& a = start(limits);
  TestSite::held = true;
  std::vector<Client> held;
  held.emplace_back(a).ask("/hold");
  ASSERT_TRUE(eventually([] { return TestSite::holding == 1; }));
  for (int i = 0; i < 2; i++) held.emplace_back(a).ask("/hold");
  Client one_more(a);
  std::string got;
  ASSERT_TRUE(eventually([&] {  // as soon as the two before are queued
    one_more.ask("/ok");
    got = one_more.answer();
    return true;
  }));
  EXPECT_EQ(status_of(got), 503);
  EXPECT_NE(got.find("\r\nRetry-After: 1\r\n"), std::string::npos);
  TestSite::held = false;
  for (Client& c : held) EXPECT_EQ(status_of(c.answer()), 200);
}

TEST_F(Transport, LetsGoOfAClientThatDoesNotRead) {
  Limits limits;
  limits.captures = 1;
  limits.patience.piece = 200ms;
  const Address& a = start(limits);
  Client lazy(a, 4096);
  lazy.ask("/large");
  EXPECT_TRUE(eventually([&] { return ask_once(a, "/large") == 503; }));  // it has the place
  EXPECT_EQ(ask_once(a, "/ok"), 200);
  EXPECT_TRUE(eventually([&] { return ask_once(a, "/large") == 200; }));
  const std::string got = lazy.rest();
  EXPECT_LT(got.size(), TestSite::kLarge);
  EXPECT_FALSE(got.ends_with("0\r\n\r\n")) << "a broken-off answer must not look whole";
}

TEST_F(Transport, LetsGoOfAClientThatReadsTooSlowly) {
  Limits limits;
  limits.patience = {.piece = kDeadline, .answer = 300ms, .slowest_reader = 1e12};
  const Address& a = start(limits);
  Client lazy(a, 4096);
  lazy.ask("/large");
  size_t got = 0;
  const auto end = Clock::now() + kDeadline;
  for (char byte[2048]; Clock::now() < end; std::this_thread::sleep_for(2ms)) {
    const ssize_t n = lazy.receive(byte, sizeof byte);
    if (n <= 0) break;
    got += static_cast<size_t>(n);
  }
  EXPECT_LT(Clock::now(), end);
  EXPECT_LT(got, TestSite::kLarge);
}

// Cheap answers wait for nobody on a worker: otherwise two clients would be enough to take all.
TEST_F(Transport, ClientsThatAskAndDoNotReadTakeNoWorker) {
  Limits limits;
  limits.buffered = 8 << 20;
  const Address& a = start(limits);
  std::vector<Client> lazy;
  for (int i = 0; i < 50; i++) {
    Client& c = lazy.emplace_back(a, 4096);
    for (int k = 0; k < 40; k++) c.push("GET /cheap HTTP/1.1\r\nHost: localhost\r\n\r\n");
    EXPECT_EQ(ask_once(a, "/ok"), 200);
  }
  EXPECT_EQ(ask_once(a, "/large"), 200);
}

TEST_F(Transport, BytesBeyondWhatIsHeldAreToldSo) {
  Limits limits;
  limits.request = 2 * kDeadline;
  limits.linger = 2 * kDeadline;
  limits.buffered = 1 << 20;
  const Address& a = start(limits);
  const std::string head =
      "POST /debug/pprof/symbol HTTP/1.1\r\nHost: localhost\r\nContent-Length: 800000\r\n\r\n";
  Client first(a), second(a);
  ASSERT_TRUE(first.send(head + std::string(600'000, 'x')));
  ASSERT_TRUE(second.send(head + std::string(600'000, 'x')));
  // One of the two is given up, which one is told, and reads it although it goes on to send.
  Client* refused = nullptr;
  ASSERT_TRUE(eventually([&] {
    for (Client* c : {&first, &second}) {
      if (c->has_more()) refused = c;
    }
    return refused != nullptr;
  }));
  refused->send(std::string(200'000, 'x'));
  const std::string told = refused->answer();
  EXPECT_EQ(status_of(told), 503);
  EXPECT_NE(told.find("Retry-After: 1\r\n"), told.npos) << told;
  Client& other = refused == &first ? second : first;
  other.send(std::string(200'000, 'x'));
  EXPECT_EQ(status_of(other.answer()), 200);
}

TEST_F(Transport, GivesUpWaitingForAClientThatIsGone) {
  const Address& a = start();
  {
    Client c(a);
    c.ask("/wait");
    ASSERT_TRUE(eventually([] { return TestSite::waiting == 1; }));
  }
  EXPECT_TRUE(eventually([] { return TestSite::given_up == 1; }));
}

TEST_F(Transport, StopsWithoutThoseWhoDoNotRead) {
  Limits limits;
  limits.patience.piece = 2 * kDeadline;
  limits.patience.farewell = 100ms;
  limits.idle = limits.linger = limits.request = 2 * kDeadline;
  const Address& a = start(limits);
  Client idle(a), half(a), lazy(a, 4096), waiting(a), cheap(a, 4096);
  idle.ask("/ok");
  EXPECT_EQ(status_of(idle.answer()), 200);
  half.send("GET /");
  lazy.ask("/large");
  waiting.ask("/wait");
  for (int k = 0; k < 40; k++) cheap.push("GET /cheap HTTP/1.1\r\nHost: localhost\r\n\r\n");
  ASSERT_TRUE(eventually([] { return TestSite::waiting == 1; }));
  const auto start = Clock::now();
  stop();
  EXPECT_LT(Clock::now() - start, kDeadline);
  EXPECT_EQ(TestSite::given_up, 1);
  EXPECT_TRUE(idle.closed());
  EXPECT_TRUE(half.closed());
}

TEST_F(Transport, StopsAfterTheRequestsUnderWay) {
  const Address& a = start();
  TestSite::held = true;
  Client c(a);
  c.ask("/capture");
  ASSERT_TRUE(eventually([] { return TestSite::holding == 1; }));
  std::thread stopping([this] { stop(); });
  Client late(a);  // nobody accepts it any more, or it is refused
  TestSite::held = false;
  stopping.join();
  EXPECT_EQ(status_of(c.answer()), 200);
  EXPECT_TRUE(c.closed());
}

// A program that leaks goroutines often leaks their files, too.
TEST_F(Transport, AnswersAProcessWithoutFileDescriptors) {
  Limits limits;
  limits.idle = kDeadline;
  const Address& a = start(limits);
  // Theirs are taken before: what is freed later the server may take, for its reserve.
  std::vector<Client> asking;
  for (int i = 0; i < 5; i++) asking.push_back(Client::unconnected(a));
  rlimit before;
  getrlimit(RLIMIT_NOFILE, &before);
  std::vector<int> leaked;
  const rlimit few{256, before.rlim_max};
  setrlimit(RLIMIT_NOFILE, &few);
  for (int fd; (fd = dup(0)) >= 0;) leaked.push_back(fd);
  std::vector<int> got;
  for (Client& c : asking) {
    c.connect(a);
    c.ask("/ok");
    got.push_back(status_of(c.answer()));
  }
  for (const int fd : leaked) close(fd);
  setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_EQ(got, std::vector<int>(5, 200));
}

}  // namespace
}  // namespace weir::http::debug::testing
