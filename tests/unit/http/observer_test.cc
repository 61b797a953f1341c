// The observer and what the endpoint tells of it, by a clock and a process of the test's.
#include "observe/observer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <utility>

#include <weir/http/debug_server.h>

#include "debug/respond.h"
#include "observe/observe_json.h"
#include "routes/routes.h"
#include "snapshot_builder.h"
#include "transport_test_util.h"

namespace weir::http::observe {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using profiler::testing::SnapshotBuilder;

constexpr int64_t kSecond = 1'000'000'000;

// A process that leaks one goroutine a second beside four workers that come and go.
class Process {
 public:
  profiler::Snapshot capture() {
    const auto second = now_s_.load();
    SnapshotBuilder b;
    b.snapshot.taken_at_ns += second * kSecond;
    const uint32_t made = b.call(0x900, "app::serve", "serve.cc", 7, 1);
    const uint32_t leaking = b.stack({b.call(0x100, leak_name, "leak.cc", 11, 1)});
    const uint32_t working = b.stack({b.call(0x200, "app::work", "work.cc", 22, 1)});
    std::vector<uint64_t> leaked;
    for (int64_t i = 0; i < second; i++) leaked.push_back(static_cast<uint64_t>(100 + i));
    auto& leak = b.group(leaking, "chan send", leaked);
    leak.object_kind = "chan";
    leak.created_by = made;
    leak.oldest_ns = second * kSecond;
    for (size_t i = 0; i < leak.members.size(); i++) {
      leak.members[i].since_ns = (second - static_cast<int64_t>(i)) * kSecond;
    }
    auto& work = b.group(working, "chan receive", {1, 2, 3, 4});
    work.object_kind = "chan";
    work.created_by = made;
    work.oldest_ns = 5'000'000;
    for (auto& m : work.members) m.since_ns = 5'000'000;
    return std::move(b.snapshot);
  }
  int64_t now_ns() const { return now_s_ * kSecond; }
  void pass(int64_t seconds) { now_s_ += seconds; }

  std::string leak_name = "app::leak";

 private:
  std::atomic<int64_t> now_s_{0};
};

Observer::Options by_hand(Process& p) {
  return {.capture = [&p] { return p.capture(); },
          .now_ns = [&p] { return p.now_ns(); },
          .thread = false};
}

const profiler::Finding* find(const Observation& o, const std::string& function) {
  for (const auto& f : o.findings.findings) {
    if (f.blocked_at.function == function) return &f;
  }
  return nullptr;
}

TEST(Observer, FindsWhatGrowsAndNotWhatTurnsOver) {
  Process p;
  Observer o(by_hand(p));
  for (int i = 0; i < 15; i++) {
    p.pass(2);
    o.look();
  }
  const auto last = o.latest();
  EXPECT_EQ(last->looks, 15U);
  EXPECT_EQ(last->states.at("waiting"), 34U);
  EXPECT_EQ(last->waits.at("chan send"), 30U);
  const profiler::Finding* leak = find(*last, "app::leak");
  ASSERT_TRUE(leak);
  EXPECT_EQ(leak->kind, profiler::Kind::chan_send);
  EXPECT_EQ(leak->certainty, profiler::Certainty::likely);
  EXPECT_EQ(leak->count, 30U);
  EXPECT_NEAR(leak->growth_per_minute, 60, 6);
  EXPECT_FALSE(find(*last, "app::work"));
}

// Who asks often must not push out what is known of the time before.
TEST(Observer, LooksThatAreAskedForInBetweenAreKeptAndNoMore) {
  Process p;
  Observer o(by_hand(p));
  for (int i = 0; i < 15; i++) {
    p.pass(2);
    o.look();
  }
  const auto before = o.trend(10, std::nullopt).total.points.size();
  const uint64_t last = o.look();
  for (int i = 1; i <= 500; i++) EXPECT_EQ(o.look(), last + static_cast<uint64_t>(i));
  EXPECT_TRUE(o.snapshot(last + 500)) << "each is kept";
  EXPECT_EQ(o.latest()->looks, 15U);
  EXPECT_EQ(o.trend(10, std::nullopt).total.points.size(), before);
  EXPECT_EQ(find(*o.latest(), "app::leak")->certainty, profiler::Certainty::likely);
}

TEST(Observer, TellsTrendsBySite) {
  Process p;
  Observer o(by_hand(p));
  for (int i = 0; i < 15; i++) {
    p.pass(2);
    o.look();
  }
  const Trend t = o.trend(10, std::nullopt);
  EXPECT_EQ(t.sites, 2U);
  ASSERT_EQ(t.lines.size(), 2U);
  EXPECT_EQ(t.lines[0].names.blocked_at.function, "app::leak");
  EXPECT_EQ(t.lines[0].names.created_by.function, "app::serve");
  EXPECT_EQ(t.lines[0].series.points.back().last, 30U);
  EXPECT_EQ(t.total.points.back().last, 34U);
  const Trend one = o.trend(10, t.lines[1].growth.site);
  ASSERT_EQ(one.lines.size(), 1U);
  EXPECT_EQ(one.lines[0].names.wait, "chan receive");
  EXPECT_TRUE(o.trend(10, 12345).lines.empty());
  EXPECT_EQ(o.trend(1, std::nullopt).lines.size(), 1U);

  const json j = json::parse(trend_json(t));
  EXPECT_EQ(j["schema"], "weir.trend/1");
  EXPECT_EQ(j["series"][0]["site"], site_text(t.lines[0].growth.site));
  EXPECT_EQ(j["series"][0]["points"].back()[3], 30);
}

TEST(Observer, NamesThatAreNotUtf8StayJson) {
  Process p;
  p.leak_name = "bad\xff\n<script>";
  Observer o(by_hand(p));
  p.pass(3);
  o.look();
  EXPECT_TRUE(json::accept(trend_json(o.trend(10, std::nullopt))));
  EXPECT_TRUE(json::accept(findings_json(o.latest()->findings)));
  const auto e = o.next_event(0, 0ms);
  ASSERT_TRUE(e);
  EXPECT_EQ(e->data.find('\n'), std::string::npos) << "a line of a stream";
}

TEST(Observer, EventsComeInOrderAndOldOnesAreForgotten) {
  Process p;
  Observer o(by_hand(p));
  EXPECT_FALSE(o.next_event(0, 1ms));
  o.look();
  const auto first = o.next_event(0, 0ms);
  ASSERT_TRUE(first);
  std::vector<std::string> types;
  for (uint64_t after = 0;;) {
    const auto e = after == 0 ? first : o.next_event(after, 0ms);
    if (!e) break;
    after = e->number;
    types.push_back(e->type);
  }
  EXPECT_THAT(types, ::testing::Contains("snapshot"));
  for (int i = 0; i < 200; i++) {
    p.pass(1);
    o.look();
  }
  const auto later = o.next_event(1, 0ms);
  ASSERT_TRUE(later);
  EXPECT_GT(later->number, 100U) << "a slow reader goes on with what there is";
}

TEST(Observer, ALookOfItsThreadWakesThoseWhoWait) {
  Process p;
  auto options = by_hand(p);
  options.thread = true;
  options.interval = 1ms;
  Observer o(options);
  EXPECT_TRUE(o.next_event(0, 60s));
  EXPECT_GE(o.latest()->looks, 1U);
  EXPECT_GE(o.latest()->interval_ns, 1'000'000);
}

TEST(Observer, IsSharedWhileSomebodyHasIt) {
  EXPECT_FALSE(current());
  auto one = share(1h);
  const auto two = share(1ms);
  EXPECT_EQ(one, two);
  EXPECT_EQ(current(), one);
}

// ---- what the endpoint makes of it ----

class ObserverRoutes : public ::testing::Test {
 protected:
  Answer ask(const std::string& path, const std::string& behind = {}, bool post = false) {
    Query q =
        debug::query_of(path + (behind.empty() ? "" : "?" + behind), post ? "POST" : "GET", "");
    return answer(q);
  }
};

TEST_F(ObserverRoutes, WithoutAnObserverLeaksLooksAndTheOthersSayWhy) {
  ASSERT_FALSE(current());
  const json j = json::parse(debug::testing::body_of(ask("/debug/leaks", "format=json")));
  EXPECT_EQ(j["schema"], "weir.findings/1");
  EXPECT_FALSE(j["notes"].empty());
  for (const char* path : {"/debug/trend", "/debug/snapshots", "/debug/diff", "/debug/events"}) {
    EXPECT_EQ(ask(path).status, 404) << path;
  }
}

TEST_F(ObserverRoutes, SnapshotsAreTakenListedAndCompared) {
  const auto observer = share(1h);
  const Answer made = ask("/debug/snapshots", "", true);
  EXPECT_EQ(made.status, 201);
  const uint64_t id = json::parse(debug::testing::body_of(made))["id"];
  const json list = json::parse(debug::testing::body_of(ask("/debug/snapshots")));
  EXPECT_EQ(list["schema"], "weir.snapshots/1");
  // The observer's own first look may have come before or after.
  const auto mine =
      std::ranges::find_if(list["snapshots"], [&](const json& s) { return s["id"] == id; });
  ASSERT_NE(mine, list["snapshots"].end());
  EXPECT_TRUE((*mine)["asked"]);
  const std::string one =
      debug::testing::body_of(ask("/debug/snapshots", "id=" + std::to_string(id)));
  EXPECT_EQ(json::parse(one)["schema"], "weir.snapshot/1");
  EXPECT_EQ(ask("/debug/snapshots", "id=99999").status, 404);
  EXPECT_EQ(ask("/debug/snapshots", "id=x").status, 400);

  const std::string ids = "base=" + std::to_string(id) + "&to=" + std::to_string(id);
  EXPECT_EQ(
      json::parse(debug::testing::body_of(ask("/debug/diff", ids + "&format=json")))["schema"],
      "weir.diff/1");
  EXPECT_EQ(ask("/debug/diff", ids + "&format=markdown").status, 200);
  EXPECT_EQ(ask("/debug/diff").status, 200);
  EXPECT_EQ(ask("/debug/diff", "base=99999").status, 400);
  EXPECT_EQ(ask("/debug/diff", ids + "&ignore=(((").status, 400);
  EXPECT_EQ(ask("/debug/diff", ids + "&format=xml").status, 400);
}

TEST_F(ObserverRoutes, ParametersAreChecked) {
  const auto observer = share(1h);
  EXPECT_EQ(ask("/debug/leaks").status, 200);
  EXPECT_EQ(ask("/debug/leaks", "certainty=certain&kind=nil_channel&limit=3").status, 200);
  EXPECT_EQ(ask("/debug/leaks", "certainty=maybe").status, 400);
  EXPECT_EQ(ask("/debug/leaks", "kind=none").status, 400);
  EXPECT_EQ(ask("/debug/leaks", "limit=-1").status, 400);
  EXPECT_EQ(ask("/debug/leaks", "prove=1").status, 501);
  EXPECT_EQ(ask("/debug/trend", "site=xyz").status, 400);
  EXPECT_EQ(ask("/debug/trend", "site=1").status, 404);
  EXPECT_EQ(json::parse(debug::testing::body_of(ask("/debug/trend")))["schema"], "weir.trend/1");
}

TEST_F(ObserverRoutes, EventsStreamUntilTheClientGoes) {
  const DebugServer server({.address = "127.0.0.1:0", .observe = 5ms});
  debug::testing::Client client({"127.0.0.1", server.port(), ""});
  ASSERT_TRUE(client.ask("/debug/events"));
  std::string got;
  char piece[4096];
  while (got.find("event: observation") == std::string::npos ||
         got.find("weir.observation/1") == std::string::npos) {
    const ssize_t n = client.receive(piece, sizeof piece);
    ASSERT_GT(n, 0) << got;
    got.append(piece, static_cast<size_t>(n));
  }
  EXPECT_NE(got.find("text/event-stream"), std::string::npos);
}  // the client and then the server go: neither waits for the other

}  // namespace
}  // namespace weir::http::observe
