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
#include <weir/profiler/sites.h>
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

std::vector<uint64_t> in_packages(const Snapshot& s, std::vector<std::string> packages) {
  return goids(filter(s, {.packages = std::move(packages)}));
}

TEST(Filter, PackagesAreWhereItIsBlockedOrMade) {
  EXPECT_THAT(in_packages(shop(), {"shop"}), ElementsAre(1, 2, 3, 4, 5, 6, 7));
  EXPECT_THAT(in_packages(shop(), {"shop::Stock"}), ElementsAre(4, 5, 6, 7));
  EXPECT_THAT(in_packages(shop(), {"main"}), ElementsAre(1, 2, 3)) << "the creator";
  EXPECT_THAT(in_packages(shop(), {"main", "shop::Stock::operator()"}),
              ElementsAre(1, 2, 3, 4, 5, 6, 7))
      << "any of them";
  EXPECT_THAT(in_packages(shop(), {"sho"}), IsEmpty()) << "whole names";
  EXPECT_THAT(in_packages(shop(), {"shop::pric", "Shop", "Stock"}), IsEmpty());
  EXPECT_THAT(in_packages(shop(), {"weir::rt"}), IsEmpty()) << "frames that are not shown";
  EXPECT_THAT(goids(filter(shop(), {.query = "courier", .packages = {"shop"}})), ElementsAre(2));

  SnapshotBuilder go;
  const auto at = [&](const char* function, uint64_t goid) {
    go.group(go.stack({go.call(goid, function, "a.go", 1, 1)}), "select", {goid});
  };
  at("net/http.(*conn).serve", 1);
  at("net/http/httptest.(*Server).goServe", 2);
  at("net.(*Resolver).lookup", 3);
  at("nethttp.Serve", 4);
  EXPECT_THAT(in_packages(go.snapshot, {"net/http"}), ElementsAre(1, 2));
  EXPECT_THAT(in_packages(go.snapshot, {"net"}), ElementsAre(1, 2, 3));
}

TEST(Filter, AgesAreThoseOfGroups) {
  const auto waited = [](int64_t ns) { return goids(filter(shop(), {.age_ns = ns})); };
  EXPECT_THAT(waited(30), ElementsAre(1, 2, 3)) << "one of them has, so all are shown";
  EXPECT_THAT(waited(31), IsEmpty());
  EXPECT_EQ(waited(0).size(), 7u);

  // Without the sums of a group its members tell; who runs does not wait.
  Snapshot s = shop();
  s.groups[1].members[1].since_ns = 50;
  s.groups[2].members[0].since_ns = 90;
  EXPECT_THAT(goids(filter(s, {.age_ns = 40})), ElementsAre(4, 5));
  // Two groups that look the same are one, for a person.
  Group twin = s.groups[1];
  twin.stack = static_cast<uint32_t>(s.stacks.size());
  s.stacks.push_back({{s.stacks[s.groups[1].stack].locations[1]}});  // as dumps show it
  twin.members = {twin.members[0]};
  twin.members[0].goid = 8;
  twin.members[0].since_ns = 1;
  s.groups.push_back(twin);
  EXPECT_THAT(goids(filter(s, {.age_ns = 40})), ElementsAre(4, 5, 8));
}

TEST(Filter, SitesAreThoseOfFindings) {
  const Snapshot s = shop();
  const uint64_t site = Sites(s).of_group(0).id;
  EXPECT_THAT(goids(filter(s, {.site = site})), ElementsAre(1, 2, 3));
  EXPECT_THAT(goids(filter(s, {.site = site + 1})), IsEmpty());
  EXPECT_THAT(goids(filter(s, {.packages = {"shop::Stock"}, .site = site})), IsEmpty())
      << "all that is given has to hold";
}

TEST(Filter, GroupsAreKeptByTheirIndex) {
  const Snapshot s = keep_groups(shop(), {false, true});
  EXPECT_THAT(goids(s), ElementsAre(4, 5));
  EXPECT_EQ(s.left_out, 5u);
  EXPECT_EQ(s.total, 2u);
  EXPECT_EQ(fuzz::broken(s), "");
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
  const Filter f = parse_filter({.query = "x",
                                 .states = "Running, chan receive (nil chan)",
                                 .labels = {"tenant=red=1", "zone"}});
  EXPECT_EQ(f.query, "x");
  EXPECT_THAT(f.states, ElementsAre("Running", "chan receive (nil chan)"));
  ASSERT_EQ(f.labels.size(), 2u);
  EXPECT_EQ(f.labels[0].key, "tenant");
  EXPECT_EQ(f.labels[0].value, "red=1");
  EXPECT_FALSE(f.labels[1].value);
  EXPECT_TRUE(parse_filter({}).is_empty());
}

TEST(ParseFilter, TakesPackagesAgeAndSite) {
  const Filter f = parse_filter({.packages = {"net/http", "shop"}, .age = "1.5", .site = "0x1F"});
  EXPECT_THAT(f.packages, ElementsAre("net/http", "shop"));
  EXPECT_EQ(f.age_ns, 1'500'000'000);
  EXPECT_EQ(f.site, 0x1fU);
  EXPECT_EQ(parse_filter({.site = "ffffffffffffffff"}).site, UINT64_MAX);
  EXPECT_EQ(parse_filter({.age = "1e300"}).age_ns, INT64_MAX);
  EXPECT_TRUE(parse_filter({.age = "0"}).is_empty());
  EXPECT_FALSE(parse_filter({.site = "0"}).is_empty());

  const auto refusal = [](const FilterWords& words) -> std::string {
    try {
      parse_filter(words);
    } catch (const error& e) {
      return e.what();
    }
    return "none";
  };
  for (const char* age : {"-1", "x", "1s", " 1", "nan", "inf", "1e999"}) {
    EXPECT_EQ(refusal({.age = age}),
              "invalid value for \"age\": expected a number of seconds, 0 or more");
  }
  for (const char* site : {"0x", "x", "-1", "0x1g", "0x10000000000000000"}) {
    EXPECT_EQ(refusal({.site = site}),
              "invalid value for \"site\": expected 0x and hexadecimal digits");
  }
  const auto with_packages = [&](size_t n, size_t bytes) {
    return refusal({.packages = std::vector<std::string>(n, std::string(bytes, 'p'))});
  };
  EXPECT_EQ(with_packages(16, 1000), "none");
  for (const std::string& why :
       {with_packages(17, 1), with_packages(1, 1001), with_packages(1, 0)}) {
    EXPECT_THAT(why, StartsWith("invalid value for \"package\": expected a Go import path or"));
  }
}

TEST(ParseFilter, TellsWhatIsExpectedAndRepeatsNothing) {
  const auto refusal = [](std::string query, std::string states,
                          std::vector<std::string> labels) -> std::string {
    try {
      parse_filter(
          {.query = std::move(query), .states = std::move(states), .labels = std::move(labels)});
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
