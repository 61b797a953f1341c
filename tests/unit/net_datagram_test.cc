// UDP and unixgram: datagrams keep their borders and tell where they come from.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <set>
#include <vector>

#include "net_test_util.h"

namespace weir::testing {
namespace {

using namespace std::chrono_literals;
WEIR_NET_FOR_ALL_PROCS(NetDatagram);

TEST_P(NetDatagram, UdpEchoesToWhoeverAsks) {
  run([] {
    net::PacketConn server = net::listen_packet("udp", "127.0.0.1:0");
    std::string address = server.local_addr().to_string();
    WaitGroup serving, asking;
    serving.go([&] {
      char buffer[2048];
      auto e = error_of([&] {
        for (;;) {
          auto [n, from] = server.read_from(buffer, sizeof buffer);
          EXPECT_STREQ(from.network(), "udp");
          server.write_to(buffer, n, from);
        }
      });
      EXPECT_EQ(e->code(), net::errc::closed);
    });
    for (int i = 0; i < 8; i++) {
      asking.go([&, i] {
        net::Conn c = net::dial("udp", address);
        EXPECT_EQ(c.remote_addr(), server.local_addr());
        for (int round = 0; round < 50; round++) {
          std::string text(static_cast<size_t>(1 + (i * 131 + round * 17) % 1400), char('a' + i));
          EXPECT_EQ(c.write(text), text.size());
          char buffer[2048];
          size_t n = c.read(buffer, sizeof buffer);
          EXPECT_EQ(std::string(buffer, n), text);
        }
      });
    }
    asking.wait();
    server.close();
    serving.wait();
  });
}

TEST_P(NetDatagram, BordersAreKeptAndWhatDoesNotFitIsCut) {
  run([] {
    net::PacketConn to = net::listen_packet("udp", "127.0.0.1:0");
    net::Conn from = net::dial("udp4", to.local_addr().to_string());
    from.write("one");
    from.write("");
    from.write("three");
    iovec parts[2] = {{const_cast<char*>("fo"), 2}, {const_cast<char*>("ur"), 2}};
    from.writev(parts);
    char buffer[4];
    EXPECT_EQ(to.read_from(buffer, 4).size, 3u);
    EXPECT_EQ(to.read_from(buffer, 4).size, 0u) << "empty, not the end";
    EXPECT_EQ(to.read_from(buffer, 4).size, 4u);
    EXPECT_EQ(std::string(buffer, 4), "thre");
    net::Packet last = to.read_from(buffer, 4);
    EXPECT_EQ(std::string(buffer, last.size), "four");
    EXPECT_EQ(last.from, from.local_addr());
  });
}

TEST_P(NetDatagram, UdpOnEverythingTalksBothFamilies) {
  run([] {
    net::PacketConn all = net::listen_packet("udp", ":0");
    std::string port = std::to_string(all.local_addr().port());
    std::set<std::string> places = {"127.0.0.1:"};
    if (have_v6()) places.insert("[::1]:");
    for (const std::string& place : places) {
      net::Conn c = net::dial("udp", place + port);
      c.write("question");
      char buffer[100];
      net::Packet p = all.read_from(buffer, sizeof buffer);
      EXPECT_EQ(p.from.to_string(), c.local_addr().to_string());
      all.write_to("answer", p.from);
      EXPECT_EQ(c.read(buffer, sizeof buffer), 6u);
      all.write_to("more", net::resolve_addr("udp", c.local_addr().to_string()));
      EXPECT_EQ(c.read(buffer, sizeof buffer), 4u);
    }
  });
}

TEST_P(NetDatagram, ATooLongOneIsAnError) {
  run([] {
    net::PacketConn u = net::listen_packet("udp", "127.0.0.1:0");
    std::string to = u.local_addr().to_string();
    auto e = error_of([&] { u.write_to(std::string(70'000, 'x'), u.local_addr()); });
    ASSERT_TRUE(e);
    EXPECT_EQ(e->code(), std::errc::message_size);
    EXPECT_EQ(std::string(e->what()), "write udp " + to + "->" + to + ": sendto: message too long");
  });
}

TEST_P(NetDatagram, NobodyThereIsAnErrorOfTheNextRead) {
  run([] {
    net::Conn c = [] {
      net::PacketConn gone = net::listen_packet("udp", "127.0.0.1:0");
      return net::dial("udp", gone.local_addr().to_string());
    }();
    c.write("anybody?");
    char buffer[10];
    auto e = error_of([&] { c.read(buffer, sizeof buffer); });
    ASSERT_TRUE(e);
    EXPECT_EQ(e->code(), std::errc::connection_refused);
  });
}

// Goroutines that never have to wait lose their P after their time slice, and get in line for it:
// they do not all run at once on threads of their own.
TEST_P(NetDatagram, WhoNeverWaitsStillGivesWay) {
  run([this] {
    net::PacketConn sink = net::listen_packet("udp", "127.0.0.1:0");
    std::atomic<bool> stop{false};
    std::vector<uint64_t> ids;
    WaitGroup wg;
    for (int i = 0; i < 8; i++) {
      wg.add(1);
      ids.push_back(go_with_id([&] {
        net::Conn c = net::dial("udp", sink.local_addr().to_string());
        while (!stop) c.write("x");
        wg.done();
      }));
    }
    auto running = [&] {
      return std::count_if(ids.begin(), ids.end(), [](uint64_t id) {
        auto look = look_at(id);
        return look && look->g.state == introspect::State::running;
      });
    };
    sleep_for(300ms);  // several time slices
    // Not at each moment: on a busy machine some have lost their P and not noticed yet.
    EXPECT_TRUE(eventually([&] { return running() <= procs(); }));
    stop = true;
    wg.wait();
  });
}

TEST_P(NetDatagram, UnixgramByPathAndByAbstractName) {
  run([] {
    std::string path =
        std::filesystem::temp_directory_path() / ("weir-gram-" + std::to_string(getpid()));
    std::filesystem::remove(path);
    for (const std::string& name : {path, a_name("gram")}) {
      net::PacketConn server = net::listen_packet("unixgram", name);
      EXPECT_EQ(server.local_addr().to_string(), name);
      net::PacketConn client = net::listen_packet("unixgram", a_name("gram"));
      client.write_to("ping", server.local_addr());
      char buffer[100];
      net::Packet p = server.read_from(buffer, sizeof buffer);
      EXPECT_EQ(std::string(buffer, p.size), "ping");
      EXPECT_EQ(p.from, client.local_addr());
      server.write_to("pong", p.from);
      EXPECT_EQ(client.read_from(buffer, sizeof buffer).size, 4u);
      net::Conn c = net::dial("unixgram", name);
      c.write("from nobody");
      p = server.read_from(buffer, sizeof buffer);
      EXPECT_EQ(p.size, 11u);
      EXPECT_EQ(p.from.to_string(), p.from ? "@" : "");
    }
    std::filesystem::remove(path);
  });
}

// A full queue makes the sender wait for the reader.
TEST_P(NetDatagram, UnixgramSendersWait) {
  run([] {
    net::PacketConn server = net::listen_packet("unixgram", a_name("full"));
    net::Conn c = net::dial("unixgram", server.local_addr().to_string());
    WaitGroup wg;
    constexpr int kCount = 5000;
    wg.go([&] {
      for (int i = 0; i < kCount; i++) c.write(&i, sizeof i);
    });
    for (int i = 0; i < kCount; i++) {
      int value = -1;
      ASSERT_EQ(server.read_from(&value, sizeof value).size, sizeof value);
      ASSERT_EQ(value, i);
    }
    wg.wait();
  });
}

}  // namespace
}  // namespace weir::testing
