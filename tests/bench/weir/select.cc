// select over 2, 4 and 8 channels: ready ones, and such that a partner wakes.

#include <array>
#include <cstddef>
#include <string>
#include <utility>

#include <weir/weir.h>

#include "../bench.h"

namespace {

using bench::Clock;

template <size_t N>
using Channels = std::array<weir::chan<int>, N>;

template <size_t N>
Channels<N> make_channels(size_t capacity) {
  Channels<N> channels;
  for (auto& ch : channels) ch = weir::make_chan<int>(capacity);
  return channels;
}

template <size_t N>
void receive_from_any(const Channels<N>& channels) {
  [&]<size_t... I>(std::index_sequence<I...>) { weir::select(weir::on_recv(channels[I])...); }
  (std::make_index_sequence<N>());
}

// All channels are ready all the time. Filling them is not measured: between two fillings each
// gives half of its values, more or less. ns of n selects.
template <size_t N>
double ready_round(int n) {
  constexpr size_t kCapacity = 1024;
  constexpr int kSelects = static_cast<int>(N * kCapacity / 2);  // between fillings
  auto channels = make_channels<N>(kCapacity);
  double took = 0;
  for (int done = 0; done < n; done += kSelects) {
    for (auto& ch : channels) {
      while (ch.try_send(0)) continue;
    }
    auto start = Clock::now();
    for (int i = 0; i < kSelects; i++) receive_from_any(channels);
    took += bench::ns_since(start);
    for (auto& ch : channels) bench::check(ch.len() > 0, "select: a channel was not ready");
  }
  return took;
}

template <size_t N>
void bench_ready() {
  constexpr int kTimes = 1 << 23;  // a multiple of the selects between fillings
  ready_round<N>(kTimes / 64);
  bench::metric("select_ready_" + std::to_string(N), ready_round<N>(kTimes) / kTimes, "ns/select");
}

// Ping-pong in which both sides wait by select: each select blocks until the partner sends to one
// of its channels, another one each time. ns of n selects on both sides together.
template <size_t N>
double blocking_round(int n) {
  auto ping = make_channels<N>(0), pong = make_channels<N>(0);
  weir::WaitGroup partner;
  partner.go([=] {
    for (size_t i = 0; i < static_cast<size_t>(n / 2); i++) {
      receive_from_any(ping);
      pong[i % N].send(0);
    }
  });
  auto start = Clock::now();
  for (size_t i = 0; i < static_cast<size_t>(n / 2); i++) {
    ping[i % N].send(0);
    receive_from_any(pong);
  }
  double took = bench::ns_since(start);
  partner.wait();
  return took;
}

template <size_t N>
void bench_blocking(int procs) {
  constexpr int kTimes = 3'000'000;
  blocking_round<N>(kTimes / 50);
  bench::metric(bench::at_procs("select_blocking_" + std::to_string(N), procs),
                blocking_round<N>(kTimes) / kTimes, "ns/select");
}

void bench_select_ready() {
  weir::gomaxprocs(1);
  bench_ready<2>();
  bench_ready<4>();
  bench_ready<8>();
}

void bench_select_blocking(int procs) {
  weir::gomaxprocs(procs);
  bench_blocking<2>(procs);
  bench_blocking<4>(procs);
  bench_blocking<8>(procs);
}

const bench::Groups kGroups{
    {"select_ready", bench_select_ready},
    {"select_blocking_p1", [] { bench_select_blocking(1); }},
    {"select_blocking_p2", [] { bench_select_blocking(2); }},
};

}  // namespace
