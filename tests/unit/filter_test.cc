// filter: who passes, what is counted of those, and that nothing else stays in the tables.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <weir/profiler/call_graph.h>
#include <weir/profiler/encode.h>
#include <weir/profiler/error.h>
#include <weir/profiler/filter.h>
#include <weir/profiler/wait_graph.h>

#include "reader_process.h"
#include "round_trip.h"
#include "snapshot_builder.h"

namespace weir::profiler {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using testing::SnapshotBuilder;
using ::testing::StartsWith;
using testing::written;

// Goroutines 1..3 receive in orders.cc, 4 and 5 lock in stock.cc, 6 runs there, 7 is a thread.
Snapshot shop() {
  SnapshotBuilder b;
  const uint32_t park = b.runtime_call(0x10, "weir::rt::gopark");
  const uint32_t price = b.call(0x20, "shop::price(int)", "/src/orders.cc", 11, 1);
  const uint32_t count = b.call(0x30, "shop::Stock::operator()", "/src/stock.cc", 7, 1);
  const uint32_t main = b.call(0x40, "main", "/src/main.cc", 50, 1);
  const uint32_t receiving = b.stack({park, price});
  const uint32_t locking = b.stack({park, count});

  Group& receivers = b.group(receiving, "chan receive", {1, 2, 3});
  receivers.created_by = main;
  receivers.labels = {{"tenant", "Blue"}};
  receivers.wait_ns = 60;
  receivers.oldest_ns = 30;
  for (Member& m : receivers.members) m.since_ns = static_cast<int64_t>(10 * m.goid);
  receivers.members[1].name = b.text("Courier");

  Group& lockers = b.group(locking, "sync.Mutex.Lock", {4, 5});
  lockers.labels = {{"tenant", "red"}, {"zone", "a,b"}};
  Object lock;
  lock.kind = "mutex";
  lock.address = 0xbeef;
  lock.made_at = count;
  lock.owner_goid = 6;
  lock.owner_alive = true;
  b.snapshot.objects = {lock, lock};
  for (uint32_t i = 0; i < 2; ++i) {
    lockers.members[i].first_object = i;
    lockers.members[i].object_count = lockers.members[i].objects_total = 1;
  }
  b.group(b.stack({count}), "", {6});
  b.group(locking, "sync.Mutex.Lock", {7}).thread = true;
  b.snapshot.total = 6;
  return b.snapshot;
}

std::vector<uint64_t> goids(const Snapshot& s) {
  std::vector<uint64_t> all;
  for (const Group& g : s.groups) {
    for (const Member& m : g.members) all.push_back(m.goid);
  }
  std::ranges::sort(all);
  return all;
}

std::vector<uint64_t> found(const std::string& query) {
  return goids(filter(shop(), {.query = query}));
}

TEST(Filter, QueryIsFoundInWhatDumpsShow) {
  EXPECT_THAT(found("price"), ElementsAre(1, 2, 3));
  EXPECT_THAT(found("stock.cc:7"), ElementsAre(4, 5, 6, 7));
  EXPECT_THAT(found("main.cc:50"), ElementsAre(1, 2, 3)) << "the creator";
  EXPECT_THAT(found("chan rec"), ElementsAre(1, 2, 3)) << "the wait reason";
  EXPECT_THAT(found("blue"), ElementsAre(1, 2, 3)) << "a label";
  EXPECT_THAT(found("tenant=red"), ElementsAre(4, 5));
  EXPECT_THAT(found("courier"), ElementsAre(2)) << "a name";
  EXPECT_THAT(found("gopark"), IsEmpty()) << "frames that are not shown";
  EXPECT_THAT(found("nobody"), IsEmpty());
}

TEST(Filter, QueryIsTextAndExpressionInAnyCase) {
  EXPECT_THAT(found("SHOP::PRICE(INT)"), ElementsAre(1, 2, 3)) << "as copied from a dump";
  EXPECT_THAT(found("operator("), ElementsAre(4, 5, 6, 7)) << "no expression";
  EXPECT_THAT(found("^shop::price|courier$"), ElementsAre(1, 2, 3));
  EXPECT_THAT(found("orders.*:1[0-9]$"), ElementsAre(1, 2, 3));
  EXPECT_THAT(found("\xff"), IsEmpty());
}

TEST(Filter, States) {
  const auto in = [](std::vector<std::string> states) {
    return goids(filter(shop(), {.states = std::move(states)}));
  };
  EXPECT_THAT(in({"running"}), ElementsAre(6));
  EXPECT_THAT(in({"waiting"}), ElementsAre(1, 2, 3, 4, 5, 7));
  EXPECT_THAT(in({"Chan Receive", "running"}), ElementsAre(1, 2, 3, 6));
  EXPECT_THAT(in({"chan"}), IsEmpty()) << "whole words";
}

TEST(Filter, Labels) {
  const auto with = [](std::vector<Filter::Label> labels) {
    return goids(filter(shop(), {.labels = std::move(labels)}));
  };
  EXPECT_THAT(with({{"tenant"}}), ElementsAre(1, 2, 3, 4, 5));
  EXPECT_THAT(with({{"tenant", "red"}}), ElementsAre(4, 5));
  EXPECT_THAT(with({{"tenant", "red"}, {"zone", "a,b"}}), ElementsAre(4, 5)) << "each of them";
  EXPECT_THAT(with({{"tenant", "Blue"}, {"zone"}}), IsEmpty());
  EXPECT_THAT(with({{"tenant", "blue"}}), IsEmpty()) << "values are exact";
}

TEST(Filter, AllThatIsGivenHasToHold) {
  const Snapshot s = filter(
      shop(), {.query = "stock", .states = {"waiting"}, .labels = {{"tenant", std::nullopt}}});
  EXPECT_THAT(goids(s), ElementsAre(4, 5));
}

TEST(Filter, CountsAndTimesAreOfWhatIsLeft) {
  const Snapshot named = filter(shop(), {.query = "courier"});
  ASSERT_EQ(named.groups.size(), 1u);
  EXPECT_EQ(named.groups[0].count, 1u);
  EXPECT_EQ(named.groups[0].wait_ns, 20);
  EXPECT_EQ(named.groups[0].oldest_ns, 20);
  EXPECT_EQ(named.total, 1u);
  EXPECT_EQ(named.left_out, 6u) << "the thread, too";
  EXPECT_EQ(filter(named, {.query = "nobody"}).left_out, 7u);

  const Snapshot whole = filter(shop(), {.query = "price"});
  EXPECT_EQ(whole.groups[0].count, 3u);
  EXPECT_EQ(whole.groups[0].wait_ns, 60);
}

TEST(Filter, AnEmptyOneChangesNothing) { EXPECT_EQ(filter(shop(), {}), shop()); }

TEST(Filter, WhatNobodyRefersToIsGone) {
  const Snapshot s = filter(shop(), {.query = "courier"});
  EXPECT_THAT(s.objects, IsEmpty());
  EXPECT_EQ(s.stacks.size(), 1u);
  EXPECT_EQ(s.locations.size(), 3u) << "park, price, main";
  EXPECT_EQ(s.frames.size(), 3u);
  EXPECT_THAT(s.strings, ElementsAre("", "Courier"));
  EXPECT_EQ(fuzz::broken(s), "");

  const Snapshot locks = filter(shop(), {.states = {"sync.Mutex.Lock"}, .labels = {{"tenant"}}});
  ASSERT_EQ(locks.objects.size(), 2u);
  const Object& second = locks.objects.at(locks.groups.at(0).members.at(1).first_object);
  EXPECT_EQ(locks.frames.at(locks.locations.at(second.made_at).frames.at(0)).line, 7);
  EXPECT_EQ(fuzz::broken(locks), "");
}

TEST(Filter, IndexesThatPointNowhereStillDo) {
  Snapshot s = shop();
  s.groups[0].stack = 1000;
  s.groups[0].created_by = 1000;
  s.groups[0].members[0].name = 1000;
  s.groups[0].members[1].first_object = 1000;
  s.groups[0].members[1].object_count = 3;
  s.stacks[1].locations.push_back(1000);
  s.locations[1].frames.push_back(1000);
  const Snapshot all = filter(s, {.query = "."});
  EXPECT_EQ(all.total, 6u);
  EXPECT_THAT(written(write_debug1, all), HasSubstr("[stack unavailable]"));
  EXPECT_THAT(written(write_json, all), StartsWith("{"));
}

TEST(Filter, OwnersStayWhereTheyAreWanted) {
  Filter f{.labels = {{"tenant", "red"}}, .owners = true};
  const Snapshot s = filter(shop(), f);
  EXPECT_THAT(goids(s), ElementsAre(4, 5, 6)) << "who holds the lock";
  const WaitGraph g = wait_graph(s);
  EXPECT_THAT(g.edges, Contains(Field(&WaitGraph::Edge::relation, WaitGraph::Relation::held_by)));
  EXPECT_THAT(g.filters, ElementsAre("left out by a filter: 4"));
}

TEST(Filter, OwnersOfOwnersStayToo) {
  Snapshot s = shop();
  // 6 waits for a lock that 1 holds.
  Object lock = s.objects[0];
  lock.owner_goid = 1;
  s.objects.push_back(lock);
  Group& g = s.groups[2];
  g.state = State::waiting;
  g.wait_reason = "sync.Mutex.Lock";
  g.members[0].first_object = 2;
  g.members[0].object_count = 1;
  EXPECT_THAT(goids(filter(s, {.labels = {{"zone"}}, .owners = true})), ElementsAre(1, 4, 5, 6));
}

TEST(Filter, DumpsTellHowManyAreLeftOut) {
  const Snapshot s = filter(shop(), {.query = "price"});
  EXPECT_THAT(written(write_debug1, s),
              StartsWith("goroutine profile: total 3\n# left out by a filter: 4\n3 @ "));
  EXPECT_THAT(written(write_json, s), HasSubstr(R"("left_out":4,)"));
  EXPECT_THAT(call_graph(s).filters, ElementsAre("left out by a filter: 4"));
  EXPECT_THAT(written(write_debug1, shop()), Not(HasSubstr("left out")));
  const Snapshot none = filter(shop(), {.query = "nobody"});
  EXPECT_THAT(written(write_debug1, none),
              StartsWith("goroutine profile: total 0\n# left out by a filter: 7\n"));
  EXPECT_EQ(fuzz::broken(none), "");
}

TEST(ParseFilter, TakesThePersonsWords) {
  const std::vector<std::string> labels{"tenant=red=1", "zone"};
  const Filter f = parse_filter("x", "Running, chan receive (nil chan)", labels);
  EXPECT_EQ(f.query, "x");
  EXPECT_THAT(f.states, ElementsAre("Running", "chan receive (nil chan)"));
  ASSERT_EQ(f.labels.size(), 2u);
  EXPECT_EQ(f.labels[0].key, "tenant");
  EXPECT_EQ(f.labels[0].value, "red=1");
  EXPECT_FALSE(f.labels[1].value);
  EXPECT_TRUE(parse_filter("", "", {}).is_empty());
}

TEST(ParseFilter, TellsWhatIsExpectedAndRepeatsNothing) {
  const auto refusal = [](std::string_view query, std::string_view states,
                          std::vector<std::string> labels) -> std::string {
    try {
      parse_filter(query, states, labels);
    } catch (const error& e) {
      return e.what();
    }
    return "none";
  };
  EXPECT_THAT(refusal("", "sleeping<b>", {}),
              AllOf(StartsWith("invalid value for \"state\": expected "), HasSubstr("chan send"),
                    HasSubstr("runnable"), Not(HasSubstr("<b>"))));
  EXPECT_THAT(refusal("", "running,", {}), "none") << "a comma too many";
  EXPECT_THAT(refusal("", ",running", {}), StartsWith("invalid value for \"state\""));
  EXPECT_EQ(refusal("", "", {"=red"}), "invalid value for \"label\": expected key or key=value");
  EXPECT_EQ(refusal("", "", {""}), "invalid value for \"label\": expected key or key=value");
  EXPECT_THAT(refusal(std::string(1001, 'x'), "", {}), StartsWith("invalid value for \"q\""));
  EXPECT_THROW(filter(shop(), {.query = std::string(1001, 'x')}), error);
}

}  // namespace
}  // namespace weir::profiler
