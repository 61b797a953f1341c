// Unix sockets: streams and packets, by path and by abstract name.

#include <sys/stat.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <vector>

#include "net_test_util.h"

namespace weir::testing {
namespace {

using namespace std::chrono_literals;
WEIR_NET_FOR_ALL_PROCS(NetUnix);

std::string a_path() {
  static std::atomic<int> number{0};
  return std::filesystem::temp_directory_path() /
         ("weir-unix-" + std::to_string(getpid()) + "-" + std::to_string(number++));
}

TEST_P(NetUnix, EchoesByPathAndAbstractName) {
  run([] {
    for (const std::string& name : {a_path(), a_name("echo")}) {
      net::Listener l = net::listen("unix", name);
      EXPECT_EQ(l.addr().to_string(), name);
      EXPECT_STREQ(l.addr().network(), "unix");
      EXPECT_EQ(l.addr().port(), 0);
      WaitGroup wg;
      wg.go([&] { echo(l.accept()); });
      net::Conn c = net::dial("unix", name);
      EXPECT_EQ(c.remote_addr(), l.addr());
      for (int i = 0; i < 100; i++) {
        c.write("hello");
        EXPECT_EQ(read_full(c, 5), "hello");
      }
      c.close();
      wg.wait();
    }
  });
}

TEST_P(NetUnix, TheFileGoesWithTheListener) {
  run([] {
    std::string path = a_path();
    net::Listener l = net::listen("unix", path);
    EXPECT_TRUE(std::filesystem::exists(path));
    EXPECT_EQ(text_of([&] { (void)net::listen("unix", path); }),
              "listen unix " + path + ": bind: address already in use");
    l.close();
    EXPECT_FALSE(std::filesystem::exists(path));
    { net::Listener dropped = net::listen("unix", path); }
    EXPECT_FALSE(std::filesystem::exists(path)) << "also when the last handle is gone";
    EXPECT_EQ(text_of([&] { (void)net::dial("unix", path); }),
              "dial unix " + path + ": connect: no such file or directory");
  });
}

TEST_P(NetUnix, ANameThatIsTooLongSaysSo) {
  run([] {
    std::string longest(107, 'x'), abstract = "@" + longest;
    longest[0] = '/';
    EXPECT_EQ(text_of([&] { (void)net::dial("unix", longest); }),
              "dial unix " + longest + ": connect: no such file or directory");
    EXPECT_EQ(text_of([&] { (void)net::dial("unix", abstract); }),
              "dial unix " + abstract + ": connect: connection refused");
    EXPECT_EQ(text_of([&] { (void)net::dial("unix", longest + "x"); }),
              "dial unix: address " + longest + "x: name too long");
  });
}

TEST_P(NetUnix, PacketsKeepTheirBorders) {
  run([] {
    Pair p = connected("unixpacket");
    p.a.write("one");
    p.a.write("two!");
    char buffer[100];
    EXPECT_EQ(p.b.read(buffer, sizeof buffer), 3u);
    EXPECT_EQ(p.b.read(buffer, sizeof buffer), 4u);
    p.a.close();
    EXPECT_EQ(p.b.read(buffer, sizeof buffer), 0u);
  });
}

// The queue of a listener is full: there is no event for when it is not, the dialer asks again.
TEST_P(NetUnix, DialsWaitForAFullQueue) {
  run([] {
    std::string name = a_name("queue");
    net::Listener l = net::listen("unix", name);
    ASSERT_EQ(listen(l.native_handle(), 1), 0);
    constexpr int kDials = 20;
    WaitGroup wg;
    for (int i = 0; i < kDials; i++) {
      wg.go([&] { EXPECT_EQ(read_full(net::dial("unix", name), 1), "x"); });
    }
    for (int i = 0; i < kDials; i++) l.accept().write("x");
    wg.wait();
    std::vector<net::Conn> queued;
    auto e = error_of([&] {
      for (int i = 0; i < 10; i++) queued.push_back(net::dial_timeout("unix", name, 30ms));
    });
    ASSERT_TRUE(e);
    EXPECT_EQ(std::string(e->what()), "dial unix " + name + ": i/o timeout");
  });
}

// A reader of a unix socket stops short where a descriptor was passed: what follows is not
// forgotten.
TEST_P(NetUnix, PassedDescriptorsDoNotStallAReader) {
  run([] {
    Pair p = connected("unix");
    auto pass = [&](const char* text) {
      iovec part = {const_cast<char*>(text), strlen(text)};
      alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
      msghdr m = {};
      m.msg_iov = &part;
      m.msg_iovlen = 1;
      m.msg_control = control;
      m.msg_controllen = sizeof control;
      cmsghdr* c = CMSG_FIRSTHDR(&m);
      c->cmsg_level = SOL_SOCKET;
      c->cmsg_type = SCM_RIGHTS;
      c->cmsg_len = CMSG_LEN(sizeof(int));
      int fd = STDIN_FILENO;
      std::memcpy(CMSG_DATA(c), &fd, sizeof fd);
      ASSERT_EQ(sendmsg(p.a.native_handle(), &m, 0), static_cast<ssize_t>(strlen(text)));
    };
    for (int i = 0; i < 20; i++) {
      pass("with");
      p.a.write("without");
      if (i % 4 == 0) let_poll();
      p.b.set_read_deadline(std::chrono::steady_clock::now() + 10s);
      EXPECT_EQ(read_full(p.b, 11), "withwithout");
    }
  });
}

}  // namespace
}  // namespace weir::testing
