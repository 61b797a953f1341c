// A program with very many goroutines that stand still in very many groups, for those who measure
// what looks at them (page.mjs):
//
//   weir-bench-crowd [GOROUTINES [GROUPS]]
//
// Groups differ in their stacks, 5 to 12 frames deep; what they wait for, who has created them and
// their labels are spread over them. As in a real program few groups are large: the n-th has a
// share of 1/n. When all are where they stay it prints the URL of its endpoint, and lives until its
// standard input ends.
#include <weir/http/debug_server.h>
#include <weir/introspect.h>
#include <weir/weir.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace crowd {

namespace {

using namespace std::chrono_literals;

// Functions by level: a service, one of its requests, a part that all share, and below that what
// parts share, each level its own.
constexpr size_t kServices = 8, kRequests = 32, kParts = 64, kShared = 8, kDeepest = 10;
constexpr size_t kFirstRequest = kServices, kFirstPart = kFirstRequest + kServices * kRequests;
constexpr size_t kFirstShared = kFirstPart + kParts;
constexpr size_t kFunctions = kFirstShared + kShared * (kDeepest - 3);
constexpr size_t kMostGroups = kServices * kRequests * kParts;
constexpr size_t kCreators = 40;
constexpr size_t kTenants = 50;

// What the goroutines of one group wait for; never given.
struct Place {
  size_t group = 0;
  weir::chan<int> never = weir::make_chan<int>(), done = weir::make_chan<int>();
  weir::Mutex mu;
  weir::WaitGroup wg;
  weir::Semaphore sem{1};
};

[[gnu::noinline]] int receive_order(Place& p, size_t) { return p.never.recv().value_or(0); }
[[gnu::noinline]] int send_result(Place& p, size_t) { return p.never.send(1), 1; }
[[gnu::noinline]] int update_account(Place& p, size_t) { return p.mu.lock(), 1; }
[[gnu::noinline]] int wait_for_workers(Place& p, size_t) { return p.wg.wait(), 1; }
[[gnu::noinline]] int take_connection(Place& p, size_t) { return p.sem.acquire(), 1; }
[[gnu::noinline]] int back_off(Place&, size_t) { return weir::sleep_for(100'000h), 1; }
[[gnu::noinline]] int order_or_shutdown(Place& p, size_t) {
  weir::select(weir::on_recv(p.never, [](auto) {}), weir::on_recv(p.done, [](auto) {}));
  return 1;
}

using Function = int (*)(Place&, size_t level);
constexpr std::array<Function, 7> kWaits = {receive_order,    send_result,     update_account,
                                            wait_for_workers, take_connection, back_off,
                                            order_or_shutdown};

// Calls go down a way that is the group's own: which function is called at each level.
size_t function_at(size_t group, size_t level) {
  const size_t service = group % kServices, request = group / kServices % kRequests;
  const size_t part = group / (kServices * kRequests) % kParts;
  if (level == 0) return service;
  if (level == 1) return kFirstRequest + service * kRequests + request;
  if (level == 2) return kFirstPart + part;
  return kFirstShared + kShared * (level - 3) + (part * 7 + request + level) % kShared;
}

Function next(const Place& p, size_t level);

// Its work is not over when what it calls returns: it has a frame.
template <size_t N>
[[gnu::noinline]] int handle(Place& p, size_t level) {
  return next(p, level + 1)(p, level + 1) + static_cast<int>(N) + 1;
}

template <size_t... N>
constexpr std::array<Function, sizeof...(N)> handlers(std::index_sequence<N...>) {
  return {&handle<N>...};
}

Function next(const Place& p, size_t level) {
  static constexpr auto kHandlers = handlers(std::make_index_sequence<kFunctions>());
  const size_t depth = 3 + p.group / 7 % (kDeepest - 2);
  if (level < depth) return kHandlers[function_at(p.group, level)];
  return kWaits[p.group / 3 % kWaits.size()];
}

template <size_t N>
[[gnu::noinline]] void accept(Place& p, size_t count) {
  for (size_t i = 0; i < count; i++) {
    weir::go([&p] {
      volatile int result = next(p, 0)(p, 0);
      static_cast<void>(result);
    });
  }
}

template <size_t... N>
constexpr auto creators(std::index_sequence<N...>) {
  return std::array{&accept<N>...};
}

void start(Place& p, size_t count) {
  static constexpr auto kAccept = creators(std::make_index_sequence<kCreators>());
  const auto create = [&] { kAccept[p.group % kCreators](p, count); };
  if (p.group % 2 == 0) return create();
  const std::string tenant = "tenant-" + std::to_string(p.group % kTenants);
  weir::with_labels({{"tenant", tenant}, {"tier", p.group % 3 == 0 ? "gold" : "free"}}, create);
}

// How many goroutines each group has: one, and its share of the rest.
std::vector<size_t> sizes(size_t goroutines, size_t groups) {
  double all = 0;
  for (size_t i = 0; i < groups; i++) all += 1.0 / static_cast<double>(i + 1);
  const size_t rest = goroutines - groups;
  std::vector<size_t> of(groups, 1);
  size_t given = 0;
  for (size_t i = 0; i < groups; i++) {
    const auto share =
        static_cast<size_t>(static_cast<double>(rest) / all / static_cast<double>(i + 1));
    of[i] += share;
    given += share;
  }
  of[0] += rest - given;
  return of;
}

size_t count_waiting() {
  size_t waiting = 0;
  for (size_t slot = 0; slot < weir::introspect::slot_count(); slot++) {
    weir::introspect::Glimpse g{};
    if (!weir::introspect::glimpse(slot, g)) continue;
    waiting += g.state == weir::introspect::State::waiting;
  }
  return waiting;
}

void run(size_t goroutines, size_t groups) {
  static std::vector<std::unique_ptr<Place>> places;
  const std::vector<size_t> of = sizes(goroutines, groups);
  for (size_t i = 0; i < groups; i++) {
    Place& p = *places.emplace_back(std::make_unique<Place>());
    p.group = i;
    p.mu.lock();
    p.wg.add(1);
    p.sem.acquire();
    start(p, of[i]);
  }
  while (count_waiting() < goroutines) weir::sleep_for(10ms);
  std::printf("%s\n", weir::http::serve_debug("127.0.0.1:0").url().c_str());
  std::fflush(stdout);
  weir::blocking([] {
    while (std::getchar() != EOF) {
    }
  });
  std::_Exit(0);  // nobody unlocks what a million wait for
}

size_t number(const char* text) {
  return static_cast<size_t>(std::max(0LL, std::strtoll(text, nullptr, 10)));
}

}  // namespace

}  // namespace crowd

int main(int argc, char** argv) {
  const size_t goroutines = argc > 1 ? crowd::number(argv[1]) : 1'000'000;
  const size_t groups = argc > 2 ? crowd::number(argv[2]) : 5'000;
  if (argc > 3 || groups == 0 || groups > crowd::kMostGroups || goroutines < groups) {
    std::fprintf(stderr, "usage: weir-bench-crowd [GOROUTINES [GROUPS]], at most %zu groups\n",
                 crowd::kMostGroups);
    return 2;
  }
  return weir::run([=] { crowd::run(goroutines, groups); });
}
