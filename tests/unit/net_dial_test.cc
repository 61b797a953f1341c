// dial, listen and accept: names and addresses, and failures in Go's words.

#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <string>
#include <vector>

#include "net_test_util.h"

namespace weir::testing {
namespace {

using namespace std::chrono_literals;
WEIR_NET_FOR_ALL_PROCS(NetDial);

TEST_P(NetDial, ListensOnEverything) {
  run([] {
    for (std::string address : {":0", "0.0.0.0:0"}) {
      net::Listener l = net::listen("tcp", address);
      std::string port = std::to_string(l.addr().port());
      net::Conn a = net::dial("tcp", "127.0.0.1:" + port);
      net::Conn b = l.accept();
      EXPECT_EQ(b.local_addr().to_string(), "127.0.0.1:" + port) << "also over an IPv6 socket";
      EXPECT_EQ(b.remote_addr(), a.local_addr());
      net::Conn here = net::dial("tcp", ":" + port);
      EXPECT_EQ(here.remote_addr().to_string(), "127.0.0.1:" + port);
      net::Conn accepted = l.accept();
      if (have_v6()) {
        net::Conn v6 = net::dial("tcp", "[::1]:" + port);
        EXPECT_EQ(l.accept().remote_addr(), v6.local_addr());
      }
    }
    net::Listener v4 = net::listen("tcp4", ":0");
    EXPECT_EQ(v4.addr().host(), "0.0.0.0");
  });
}

TEST_P(NetDial, ANameIsLookedUp) {
  run([] {
    net::Listener l = net::listen("tcp", "localhost:0");
    net::Conn a = net::dial("tcp", "localhost:" + std::to_string(l.addr().port()));
    EXPECT_EQ(l.accept().remote_addr(), a.local_addr());
    auto hosts = net::Resolver().lookup_host("localhost");
    EXPECT_TRUE(std::count(hosts.begin(), hosts.end(), "127.0.0.1") == 1);
    EXPECT_EQ(net::Resolver().lookup_host("::1"), std::vector<std::string>{"::1"});
  });
}

TEST_P(NetDial, ManyLookUpsTakeTurns) {
  run([] {
    std::atomic<int> right{0};
    WaitGroup wg;
    int count = scaled(300);
    for (int i = 0; i < count; i++) {
      wg.go([&] { right += net::Resolver().lookup_host("localhost").empty() ? 0 : 1; });
    }
    wg.wait();
    EXPECT_EQ(right, count);
  });
}

TEST_P(NetDial, ADialThatIsRefusedSaysSo) {
  run([] {
    std::string address;
    {
      net::Listener l = net::listen("tcp", "127.0.0.1:0");
      address = l.addr().to_string();
    }
    auto e = error_of([&] { (void)net::dial("tcp", address); });
    ASSERT_TRUE(e);
    EXPECT_EQ(std::string(e->what()), "dial tcp " + address + ": connect: connection refused");
    EXPECT_EQ(e->code(), std::errc::connection_refused);
    EXPECT_FALSE(e->timeout());
    EXPECT_FALSE(e->temporary());
  });
}

TEST_P(NetDial, ADialThatIsUnreachableSaysSo) {
  run([] {
    // Class E goes nowhere; no packet leaves this machine.
    auto e = error_of([] { (void)net::dial_timeout("tcp", "255.255.255.255:9", 1s); });
    ASSERT_TRUE(e);
    EXPECT_NE(std::string(e->what()).find("dial tcp 255.255.255.255:9: connect: "),
              std::string::npos)
        << e->what();
  });
}

TEST_P(NetDial, ADialThatNobodyAnswersTimesOut) {
  run([] {
    // A queue that is full: the kernel drops further requests to connect.
    net::Listener l = net::listen("tcp", "127.0.0.1:0");
    ASSERT_EQ(listen(l.native_handle(), 0), 0);
    std::vector<net::Conn> queued;
    std::optional<net::error> e;
    auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < 10 && !e; i++) {
      start = std::chrono::steady_clock::now();
      e = error_of(
          [&] { queued.push_back(net::dial_timeout("tcp", l.addr().to_string(), 100ms)); });
    }
    ASSERT_TRUE(e);
    EXPECT_EQ(std::string(e->what()), "dial tcp " + l.addr().to_string() + ": i/o timeout");
    EXPECT_TRUE(e->timeout());
    EXPECT_TRUE(e->temporary());
    EXPECT_EQ(e->code(), net::errc::timeout);
    EXPECT_EQ(e->code(), std::errc::timed_out);
    EXPECT_GE(std::chrono::steady_clock::now() - start, 100ms);
    EXPECT_TRUE(error_of([&] { (void)net::dial_timeout("tcp", l.addr().to_string(), 0s); }))
        << "no time at all";
  });
}

TEST_P(NetDial, AContextEndsADial) {
  run([] {
    net::Listener l = net::listen("tcp", "127.0.0.1:0");
    std::string address = l.addr().to_string();
    {  // One that is not done changes nothing, neither then nor when it is.
      auto [ctx, cancel] = with_timeout(background(), 1h);
      net::Conn a = net::dial(ctx, "tcp", address), b = l.accept();
      cancel();
      a.write("x");
      EXPECT_EQ(read_full(b, 1), "x");
      auto e = error_of([&, c = ctx] { (void)net::dial(c, "tcp", address); });
      ASSERT_TRUE(e);
      EXPECT_EQ(e->code(), ContextError::canceled);
      EXPECT_EQ(e->code(), std::errc::operation_canceled);
      EXPECT_EQ(std::string(e->what()), "dial tcp " + address + ": operation was canceled");
      EXPECT_EQ(text_of([&, c = ctx] { (void)net::dial(c, "tcp", "localhost:1"); }),
                "dial tcp: operation was canceled");
      EXPECT_EQ(text_of([&, c = ctx] { (void)net::Resolver().lookup_host(c, "localhost"); }),
                "lookup localhost: operation was canceled");
    }
    const std::vector<net::Conn> queued = fill_queue(l);
    auto [ctx, cancel] = with_cancel(background());
    WaitGroup wg;
    wg.add(1);
    uint64_t dialer = go_with_id([&, c = ctx] {
      EXPECT_EQ(text_of([&] { (void)net::dial(c, "tcp", address); }),
                "dial tcp " + address + ": operation was canceled");
      wg.done();
    });
    ASSERT_TRUE(waits(dialer, introspect::WaitReason::io_wait));
    cancel();
    wg.wait();
    auto [late, cancel_late] = with_timeout(background(), 30ms);
    auto e = error_of([&, c = late] { (void)net::dial(c, "tcp", address); });
    cancel_late();
    ASSERT_TRUE(e);
    EXPECT_EQ(e->code(), net::errc::timeout);
  });
}

TEST_P(NetDial, BadAddressesAreToldApart) {
  run([] {
    struct Case {
      const char *network, *address, *text;
    };
    for (Case c : {
             Case{"foo", "127.0.0.1:1", "dial foo: unknown network foo"},
             Case{"tcp", "", "dial tcp: missing address"},
             Case{"tcp", "127.0.0.1", "dial tcp: address 127.0.0.1: missing port in address"},
             Case{"tcp", "::1", "dial tcp: address ::1: too many colons in address"},
             Case{"tcp", "[::1]", "dial tcp: address [::1]: missing port in address"},
             Case{"tcp", "[::1:80", "dial tcp: address [::1:80: missing ']' in address"},
             Case{"tcp", "::1]:80", "dial tcp: address ::1]:80: too many colons in address"},
             Case{"tcp", "a[b:80", "dial tcp: address a[b:80: unexpected '[' in address"},
             Case{"tcp", "127.0.0.1:70000", "dial tcp: address 70000: invalid port"},
             Case{"tcp", "127.0.0.1:99999999999", "dial tcp: address 99999999999: invalid port"},
             Case{"tcp", "127.0.0.1:nosuch", "dial tcp: lookup tcp/nosuch: unknown port"},
             Case{"tcp4", "[::1]:80", "dial tcp4: address ::1: no suitable address found"},
             Case{"tcp6", "127.0.0.1:80",
                  "dial tcp6: address 127.0.0.1: no suitable address found"},
         }) {
      auto e = error_of([&] { (void)net::dial(c.network, c.address); });
      ASSERT_TRUE(e) << c.address;
      EXPECT_STREQ(e->what(), c.text);
      EXPECT_EQ(e->code(), net::errc::bad_address);
      EXPECT_EQ(e->code(), std::errc::invalid_argument);
    }
    EXPECT_EQ(text_of([] { (void)net::listen("udp", "127.0.0.1:0"); }),
              "listen udp: address 127.0.0.1:0: unexpected address type");
    EXPECT_EQ(text_of([] { (void)net::Resolver().lookup_host(""); }), "lookup: no such host");
  });
}

TEST_P(NetDial, AnAddressInUseSaysSo) {
  run([] {
    net::Listener l = net::listen("tcp", "127.0.0.1:0");
    std::string address = l.addr().to_string();
    auto e = error_of([&] { (void)net::listen("tcp", address); });
    ASSERT_TRUE(e);
    EXPECT_EQ(std::string(e->what()), "listen tcp " + address + ": bind: address already in use");
    EXPECT_EQ(e->code(), std::errc::address_in_use);
    net::Conn a = net::dial("tcp", address), b = l.accept();
    b.close();  // lingers in TIME_WAIT
    l.close();
    EXPECT_EQ(text_of([&] { l = net::listen("tcp", address); }), "") << "at once again";
  });
}

TEST_P(NetDial, AcceptWithoutDescriptorsIsATemporaryError) {
  run([] {
    net::Listener l = net::listen("tcp", "127.0.0.1:0");
    net::Conn a = net::dial("tcp", l.addr().to_string());
    rlimit limit{}, few{};
    getrlimit(RLIMIT_NOFILE, &limit);
    few = {3, limit.rlim_max};  // they are in use
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
    auto e = error_of([&] { (void)l.accept(); });
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ASSERT_TRUE(e);
    EXPECT_TRUE(e->temporary());
    EXPECT_FALSE(e->timeout());
    EXPECT_EQ(std::string(e->what()),
              "accept tcp " + l.addr().to_string() + ": accept4: too many open files");
    EXPECT_EQ(l.accept().remote_addr(), a.local_addr()) << "it stayed in the queue";
  });
}

}  // namespace
}  // namespace weir::testing
