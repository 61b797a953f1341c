// Values over channels: ping-pong, buffered, ring, prime sieve.

#include <vector>

#include <weir/weir.h>

#include "../bench.h"

namespace {

using bench::Clock;

// Unbuffered: a value there, a value back. ns of all n round trips.
double ping_pong_round(int n) {
  auto ping = weir::make_chan<int>(), pong = weir::make_chan<int>();
  weir::go([=] {
    for (int v : ping) pong.send(v);
    pong.close();
  });
  auto start = Clock::now();
  for (int i = 0; i < n; i++) {
    ping.send(i);
    pong.recv();
  }
  double took = bench::ns_since(start);
  ping.close();
  pong.recv();
  return took;
}

void bench_ping_pong(int procs) {
  weir::gomaxprocs(procs);
  ping_pong_round(50'000);
  constexpr int kTimes = 3'000'000;
  bench::metric(bench::at_procs("pingpong", procs), ping_pong_round(kTimes) / kTimes,
                "ns/roundtrip");
}

// `pairs` senders and as many receivers share a channel that buffers 128. ns of all n values.
double buffered_round(int pairs, int n) {
  auto ch = weir::make_chan<int>(128);
  auto counts = weir::make_chan<int>(static_cast<size_t>(pairs));
  weir::WaitGroup senders;
  auto start = Clock::now();
  for (int g = 0; g < pairs; g++) {
    senders.go([=] {
      for (int i = 0; i < n / pairs; i++) ch.send(i);
    });
    weir::go([=] {
      int count = 0;
      while (ch.recv()) count++;
      counts.send(count);
    });
  }
  senders.wait();
  ch.close();
  int received = 0;
  for (int g = 0; g < pairs; g++) received += *counts.recv();
  double took = bench::ns_since(start);
  bench::check(received == n, "buffered: values received");
  return took;
}

void bench_buffered(int procs) {
  weir::gomaxprocs(procs);
  constexpr int kTimes = 16'000'000;
  for (int pairs : {1, 4}) {
    buffered_round(pairs, kTimes / 20);
    bench::metric(bench::at_procs(pairs == 1 ? "buffered_1to1" : "buffered_4to4", procs),
                  buffered_round(pairs, kTimes) / kTimes, "ns/value");
  }
}

// A token passes `laps` times through a ring of n goroutines; each adds one. ns of it all.
double ring_round(int n, int laps) {
  auto first = weir::make_chan<int>(), last = first;
  for (int g = 0; g < n; g++) {
    auto next = weir::make_chan<int>();
    weir::go([in = last, out = next] {
      for (int token : in) out.send(token + 1);
      out.close();
    });
    last = next;
  }
  auto lap = [&] {
    first.send(0);
    bench::check(last.recv() == n, "ring: the token's value after a lap");
  };
  lap();  // all goroutines have started
  auto start = Clock::now();
  for (int i = 0; i < laps; i++) lap();
  double took = bench::ns_since(start);
  first.close();
  last.recv();
  return took;
}

void bench_ring() {
  weir::gomaxprocs(1);
  constexpr int kGoroutines = 10'000;
  ring_round(kGoroutines, 10);
  constexpr int kTimes = 3;  // of 100 laps
  bench::metric("ring", ring_round(kGoroutines, kTimes * 100) / kTimes / 1e6, "ms");
}

// The prime sieve up to `limit`: a chain of filters, one for each prime. ns of it all.
double sieve_round(int limit, int primes) {
  auto start = Clock::now();
  auto numbers = weir::make_chan<int>();
  weir::go([=] {
    for (int n = 2; n <= limit; n++) numbers.send(n);
    numbers.close();
  });
  int found = 0;
  while (auto prime = numbers.recv()) {
    found++;
    auto rest = weir::make_chan<int>();
    weir::go([=, prime = *prime] {
      for (int n : numbers) {
        if (n % prime != 0) rest.send(n);
      }
      rest.close();
    });
    numbers = rest;
  }
  double took = bench::ns_since(start);
  bench::check(found == primes, "sieve: primes found");
  return took;
}

void bench_sieve(int procs) {
  weir::gomaxprocs(procs);
  constexpr int kPrimes = 3000, kLast = 27449;  // the 3000th prime
  sieve_round(kLast, kPrimes);
  bench::metric(bench::at_procs("sieve", procs), sieve_round(kLast, kPrimes) / 1e6, "ms");
}

const bench::Groups kGroups{
    {"pingpong_p1", [] { bench_ping_pong(1); }},
    {"pingpong_p2", [] { bench_ping_pong(2); }},
    {"buffered_p1", [] { bench_buffered(1); }},
    {"buffered_p2", [] { bench_buffered(2); }},
    {"ring", bench_ring},
    {"sieve_p1", [] { bench_sieve(1); }},
    {"sieve_p2", [] { bench_sieve(2); }},
};

}  // namespace
