// Who waits for the network shows for what; many who do cost nothing.

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <vector>

#include "net_test_util.h"

namespace weir::testing {
namespace {

using namespace std::chrono_literals;
using introspect::Object;
using introspect::ObjectKind;
using introspect::WaitReason;
WEIR_NET_FOR_ALL_PROCS(NetIntrospect);

// What goroutine `id`, which waits for IO, shows.
introspect::Goroutine waiting(uint64_t id) {
  EXPECT_TRUE(waits(id, WaitReason::io_wait));
  introspect::Goroutine g = look_at(id)->g;
  EXPECT_EQ(g.objects_total, 1u);
  EXPECT_EQ(g.objects[0].kind, ObjectKind::io);
  EXPECT_NE(g.objects[0].made_pc, nullptr);
  return g;
}

TEST_P(NetIntrospect, AReaderAWriterAndAnAccepter) {
  run([] {
    Pair p = connected();
    fill(p.a);
    net::Listener l = net::listen("unix", a_name("shown"));
    WaitGroup wg;
    wg.add(3);
    uint64_t reader = go_with_id([&] {
      char c;
      error_of([&] { p.a.read(&c, 1); });
      wg.done();
    });
    uint64_t writer = go_with_id([&] {
      error_of([&] { p.a.write(std::string(1 << 20, 'x')); });
      wg.done();
    });
    uint64_t accepter = go_with_id([&] {
      error_of([&] { (void)l.accept(); });
      wg.done();
    });
    introspect::Goroutine g = waiting(reader);
    EXPECT_FALSE(g.objects[0].send);
    EXPECT_EQ(g.objects[0].fd, p.a.native_handle());
    EXPECT_STREQ(g.io_network, "tcp");
    EXPECT_EQ(g.io_local, p.a.local_addr().to_string());
    EXPECT_EQ(g.io_remote, p.a.remote_addr().to_string());
    const void* object = g.objects[0].address;

    g = waiting(writer);
    EXPECT_TRUE(g.objects[0].send);
    EXPECT_EQ(g.objects[0].fd, p.a.native_handle());
    EXPECT_EQ(g.objects[0].address, object) << "the same connection";

    g = waiting(accepter);
    EXPECT_FALSE(g.objects[0].send);
    EXPECT_EQ(g.objects[0].fd, l.native_handle());
    EXPECT_STREQ(g.io_network, "unix");
    EXPECT_EQ(g.io_local, l.addr().to_string());
    EXPECT_STREQ(g.io_remote, "");
    p.a.close();
    l.close();
    wg.wait();
  });
}

TEST_P(NetIntrospect, ADialThatIsUnderWay) {
  run([] {
    net::Listener l = net::listen("tcp", "127.0.0.1:0");
    std::string address = l.addr().to_string();
    const std::vector<net::Conn> queued = fill_queue(l);
    auto [ctx, cancel] = with_cancel(background());
    WaitGroup wg;
    wg.add(1);
    uint64_t dialer = go_with_id([&, ctx = ctx] {
      EXPECT_TRUE(error_of([&] { (void)net::dial(ctx, "tcp", address); }));
      wg.done();
    });
    introspect::Goroutine g = waiting(dialer);
    EXPECT_TRUE(g.objects[0].send);
    EXPECT_EQ(g.io_remote, address);
    cancel();
    wg.wait();
  });
}

TEST_P(NetIntrospect, ALongNameIsCut) {
  run([] {
    net::Listener l = net::listen("unix", a_name("long") + std::string(70, 'n'));
    WaitGroup wg;
    wg.add(1);
    uint64_t accepter = go_with_id([&] {
      error_of([&] { (void)l.accept(); });
      wg.done();
    });
    introspect::Goroutine g = waiting(accepter);
    EXPECT_EQ(std::string(g.io_local), l.addr().to_string().substr(0, introspect::kMaxAddress));
    l.close();
    wg.wait();
  });
}

double cpu_seconds() {
  rusage u;
  getrusage(RUSAGE_SELF, &u);
  auto seconds = [](const timeval& t) { return double(t.tv_sec) + double(t.tv_usec) * 1e-6; };
  return seconds(u.ru_utime) + seconds(u.ru_stime);
}

TEST_P(NetIntrospect, ManyIdleConnectionsCostNothing) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  run([&] {
    auto count = std::min<size_t>(static_cast<size_t>(scaled(2000)), limit.rlim_cur / 2 - 100);
    net::Listener l = net::listen("tcp", "127.0.0.1:0");
    std::vector<net::Conn> clients, served;
    WaitGroup wg;
    std::set<int> fds;
    for (size_t i = 0; i < count; i++) {
      clients.push_back(net::dial("tcp", l.addr().to_string()));
      served.push_back(l.accept());
      fds.insert(served.back().native_handle());
      wg.go([c = served.back()] { EXPECT_EQ(read_full(c, 100), "x"); });
    }
    auto shown = [&] {
      std::set<int> seen;
      for_each_goroutine([&](const Look& look) {
        const Object& o = look.g.objects[0];
        if (look.g.object_count == 1 && o.kind == ObjectKind::io && !o.send) seen.insert(o.fd);
      });
      return seen;
    };
    ASSERT_TRUE(eventually([&] { return shown() == fds; }));
    double before = cpu_seconds();
    sleep_for(500ms);
    double used = cpu_seconds() - before;
    EXPECT_LT(used, 0.05) << "CPU seconds in 0.5 s";
    for (net::Conn& c : clients) {
      c.write("x");
      c.close();
    }
    wg.wait();
  });
}

}  // namespace
}  // namespace weir::testing
