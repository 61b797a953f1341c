// Values over channels: ping-pong, buffered, ring, prime sieve.

#include <memory>
#include <vector>

#include "../bench.h"
#include "fibers.h"

namespace {

using bench::Clock;
namespace fibers = boost::fibers;

// Shared by the fibers that use it: a push still looks at the channel after the value was popped.
using Channel = std::shared_ptr<fibers::unbuffered_channel<int>>;
Channel make_channel() { return std::make_shared<fibers::unbuffered_channel<int>>(); }

// Unbuffered: a value there, a value back. ns of all n round trips.
double ping_pong_round(int n) {
  fibers::unbuffered_channel<int> ping, pong;
  auto echo = bench::start([&] {
    for (int v : ping) pong.push(v);
  });
  auto start = Clock::now();
  int v = 0;
  for (int i = 0; i < n; i++) {
    ping.push(i);
    pong.pop(v);
  }
  double took = bench::ns_since(start);
  ping.close();
  echo.join();
  return took;
}

void bench_ping_pong(int procs) {
  bench::with_procs(procs, [procs] {
    ping_pong_round(20'000);
    constexpr int kTimes = 2'000'000;
    bench::metric(bench::at_procs("pingpong", procs), ping_pong_round(kTimes) / kTimes,
                  "ns/roundtrip");
  });
}

// `pairs` senders and as many receivers share a channel that buffers 127 (a ring of 128 with a free
// slot). ns of all n values.
double buffered_round(int pairs, int n) {
  fibers::buffered_channel<int> ch(128);
  std::vector<fibers::fiber> senders, receivers;
  std::vector<int> counts(static_cast<size_t>(pairs));
  auto start = Clock::now();
  for (int& received : counts) {
    senders.push_back(bench::start([&ch, pairs, n] {
      for (int i = 0; i < n / pairs; i++) ch.push(i);
    }));
    receivers.push_back(bench::start([&ch, &received] {
      int v, count = 0;
      while (ch.pop(v) == fibers::channel_op_status::success) count++;
      received = count;
    }));
  }
  for (auto& f : senders) f.join();
  ch.close();
  for (auto& f : receivers) f.join();
  double took = bench::ns_since(start);
  int received = 0;
  for (int count : counts) received += count;
  bench::check(received == n, "buffered: values received");
  return took;
}

void bench_buffered(int procs) {
  bench::with_procs(procs, [procs] {
    constexpr int kTimes = 16'000'000;
    for (int pairs : {1, 4}) {
      buffered_round(pairs, kTimes / 20);
      bench::metric(bench::at_procs(pairs == 1 ? "buffered_1to1" : "buffered_4to4", procs),
                    buffered_round(pairs, kTimes) / kTimes, "ns/value");
    }
  });
}

// A token passes `laps` times through a ring of n fibers; each adds one. ns of it all.
double ring_round(int n, int laps) {
  Channel first = make_channel(), last = first;
  std::vector<fibers::fiber> ring;
  for (int g = 0; g < n; g++) {
    Channel next = make_channel();
    ring.push_back(bench::start([in = last, out = next] {
      for (int token : *in) out->push(token + 1);
      out->close();
    }));
    last = next;
  }
  auto lap = [&] {
    first->push(0);
    bench::check(last->value_pop() == n, "ring: the token's value after a lap");
  };
  lap();  // all fibers have started
  auto start = Clock::now();
  for (int i = 0; i < laps; i++) lap();
  double took = bench::ns_since(start);
  first->close();
  for (auto& f : ring) f.join();
  return took;
}

void bench_ring() {
  constexpr int kFibers = 10'000;
  ring_round(kFibers, 10);
  constexpr int kTimes = 3;  // of 100 laps
  bench::metric("ring", ring_round(kFibers, kTimes * 100) / kTimes / 1e6, "ms");
}

// The prime sieve up to `limit`: a chain of filters, one for each prime. ns of it all.
double sieve_round(int limit, int primes) {
  auto start = Clock::now();
  Channel numbers = make_channel();
  std::vector<fibers::fiber> chain;
  chain.push_back(bench::start([numbers, limit] {
    for (int n = 2; n <= limit; n++) numbers->push(n);
    numbers->close();
  }));
  int found = 0, prime = 0;
  while (numbers->pop(prime) == fibers::channel_op_status::success) {
    found++;
    Channel rest = make_channel();
    chain.push_back(bench::start([numbers, rest, prime] {
      for (int n : *numbers) {
        if (n % prime != 0) rest->push(n);
      }
      rest->close();
    }));
    numbers = rest;
  }
  double took = bench::ns_since(start);
  for (auto& f : chain) f.join();
  bench::check(found == primes, "sieve: primes found");
  return took;
}

void bench_sieve(int procs) {
  bench::with_procs(procs, [procs] {
    constexpr int kPrimes = 3000, kLast = 27449;  // the 3000th prime
    sieve_round(kLast, kPrimes);
    bench::metric(bench::at_procs("sieve", procs), sieve_round(kLast, kPrimes) / 1e6, "ms");
  });
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
