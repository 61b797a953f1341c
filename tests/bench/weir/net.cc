// TCP echo over loopback, clients and servers in this process.

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

#include <weir/net.h>
#include <weir/weir.h>

#include "../bench.h"

namespace {

using bench::Clock;

constexpr int kConnections = 64;
using Message = std::array<char, 32>;
using Buffer = std::array<char, 4096>;  // as of a program that does not know how long messages are

void serve(weir::net::Conn conn) {
  Buffer buffer;
  while (size_t n = conn.read(buffer.data(), buffer.size())) conn.write(buffer.data(), n);
  conn.close();
}

// Sends a message and waits for all of it to come back, again and again.
void request(const std::string& address, const std::atomic<bool>& stop,
             std::atomic<int64_t>& answered) {
  weir::net::Conn conn = weir::net::dial("tcp", address);
  Message message{};
  Buffer answer;
  while (!stop.load(std::memory_order_relaxed)) {
    conn.write(message.data(), message.size());
    for (size_t got = 0; got < message.size();) {
      size_t n = conn.read(answer.data(), answer.size());
      bench::check(n > 0, "echo: the connection's end");
      got += n;
    }
    answered.fetch_add(1, std::memory_order_relaxed);
  }
  conn.close();
}

void bench_echo() {
  weir::gomaxprocs(2);
  weir::net::Listener listener = weir::net::listen("tcp", "127.0.0.1:0");
  const std::string address = listener.addr().to_string();
  std::atomic<bool> stop{false};
  std::atomic<int64_t> answered{0};
  weir::WaitGroup goroutines;
  goroutines.go([&] {
    for (int c = 0; c < kConnections; c++) {
      goroutines.go([conn = listener.accept()]() mutable { serve(std::move(conn)); });
    }
  });
  for (int c = 0; c < kConnections; c++) goroutines.go([&] { request(address, stop, answered); });

  weir::sleep_for(std::chrono::milliseconds(500));
  int64_t before = answered;
  auto start = Clock::now();
  weir::sleep_for(std::chrono::seconds(2));
  double requests = static_cast<double>(answered - before);
  bench::metric("echo", requests / bench::ns_since(start) * 1e9, "req/s");
  stop = true;
  goroutines.wait();
  listener.close();
}

const bench::Groups kGroups{{"echo", bench_echo}};

}  // namespace
