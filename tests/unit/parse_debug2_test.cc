// parse_debug2: what Go 1.19 to 1.27 and weir print.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include <weir/profiler/encode.h>
#include <weir/profiler/parse.h>

#include "parse_util.h"
#include "reader_process.h"
#include "snapshot_builder.h"

namespace {

using namespace weir::profiler;
using weir::profiler::testing::fixture;
using weir::profiler::testing::SnapshotBuilder;
using weir::profiler::testing::written;

constexpr int64_t kMinute = 60'000'000'000;  // ns

struct Found {
  const Group* group = nullptr;
  const Member* member = nullptr;
  std::vector<std::string> functions;  // leaf first
  std::string creator;
};

Found find(const Snapshot& s, uint64_t goid) {
  Found f;
  for (const Group& g : s.groups) {
    for (const Member& m : g.members) {
      if (m.goid != goid) continue;
      EXPECT_EQ(f.group, nullptr) << "goroutine " << goid << " is there twice";
      f.group = &g;
      f.member = &m;
    }
  }
  if (!f.group) {
    ADD_FAILURE() << "no goroutine " << goid;
    static const Group none_group;
    static const Member none_member;
    return {&none_group, &none_member, {}, {}};
  }
  for (const uint32_t l : s.stacks[f.group->stack].locations) {
    for (const uint32_t i : s.locations[l].frames) f.functions.push_back(s.frames[i].function);
  }
  if (f.group->created_by != kNone) {
    f.creator = s.frames[s.locations[f.group->created_by].frames[0]].function;
  }
  return f;
}

// The one group that waits for `reason`, leaf function `leaf`.
const Group& waiting_in(const Snapshot& s, const std::string& reason, const std::string& part) {
  for (const Group& g : s.groups) {
    if (g.wait_reason != reason) continue;
    for (const uint32_t l : s.stacks[g.stack].locations) {
      for (const uint32_t i : s.locations[l].frames) {
        if (s.frames[i].function.find(part) != std::string::npos) return g;
      }
    }
  }
  ADD_FAILURE() << "nobody waits for " << reason << " in " << part;
  static const Group none;
  return none;
}

TEST(ParseDebug2, Go119HasEveryGoroutineWithReasonKindAndCreator) {
  const std::string text = fixture("go1.19-debug2.txt");
  const Snapshot s = parse_debug2(text);
  size_t headers = 0;
  for (size_t at = text.find("goroutine "); at != text.npos;
       at = text.find("\ngoroutine ", at + 1)) {
    ++headers;
  }
  EXPECT_EQ(s.total, headers);
  EXPECT_EQ(s.source, "debug=2");
  EXPECT_FALSE(s.truncated);
  EXPECT_EQ(s.requester_goid, 1U);
  EXPECT_EQ(waiting_in(s, "chan receive (nil chan)", "main.block.func1").object_kind, "");
  EXPECT_EQ(waiting_in(s, "chan receive", "main.receive[...]").count, 3U);
  EXPECT_EQ(waiting_in(s, "chan receive", "main.receive[...]").object_kind, "chan");
  EXPECT_EQ(waiting_in(s, "select (no cases)", "main.block").object_kind, "");
  EXPECT_EQ(waiting_in(s, "select", "main.block").object_kind, "chan");
  EXPECT_EQ(waiting_in(s, "semacquire", "main.(*server).lock").object_kind, "mutex");
  EXPECT_EQ(waiting_in(s, "semacquire", "sync.(*WaitGroup).Wait").object_kind, "waitgroup");
  EXPECT_EQ(waiting_in(s, "semacquire", "sync.(*RWMutex).RLock").object_kind, "rwmutex");
  EXPECT_EQ(waiting_in(s, "semacquire", "sync.(*RWMutex).Lock").object_kind, "rwmutex");
  EXPECT_EQ(waiting_in(s, "semacquire", "sync.(*Once).Do").object_kind, "mutex");
  EXPECT_EQ(waiting_in(s, "sync.Cond.Wait", "main.block").object_kind, "cond");
  EXPECT_EQ(waiting_in(s, "IO wait", "net.(*TCPListener).Accept").object_kind, "io");
  const Group& receivers = waiting_in(s, "chan receive", "main.receive[...]");
  EXPECT_EQ(receivers.oldest_ns, -1);
  EXPECT_EQ(s.frames[s.locations[receivers.created_by].frames[0]].function, "main.block");
  EXPECT_TRUE(
      std::any_of(s.groups.begin(), s.groups.end(), [](const Group& g) { return g.locked; }));
}

TEST(ParseDebug2, GosOwnTextIsWrittenLetterByLetterButForArguments) {
  const std::string text =
      "goroutine 1 [chan send, 2 minutes, locked to thread]:\n"
      "main.(*T[...]).send(...)\n\t/a/b.go:3\n"
      "golang.org/x/net%2ev2.F(...)\n\t/a/c.go:9 +0x1d\n"
      "...17 frames elided...\n"
      "main.main(...)\n\t/a/b.go:20 +0x2f\n"
      "\n"
      "goroutine 7 [select (durable)]:\n"
      "main.loop(...)\n\t/a/b.go:30 +0x1\n"
      "...additional frames elided...\n"
      "created by main.main in goroutine 1\n\t/a/b.go:19 +0x5b\n";
  EXPECT_EQ(written(write_debug2, parse_debug2(text)), text);
  // An inlined call is no location of its own.
  const Snapshot s = parse_debug2(text);
  const auto& stack = s.stacks[find(s, 1).group->stack];
  ASSERT_EQ(stack.locations.size(), 3U);
  EXPECT_EQ(s.locations[stack.locations[0]].frames.size(), 2U);
  EXPECT_FALSE(stack.truncated);
  EXPECT_TRUE(s.stacks[find(s, 7).group->stack].truncated);
}

TEST(ParseDebug2, Go121TellsTheParentAndElidesTheMiddle) {
  const Snapshot s = parse(fixture("handmade-go1.21-debug2.txt"));
  EXPECT_EQ(find(s, 18).group->object_kind, "mutex");
  EXPECT_EQ(find(s, 18).member->parent_goid, 1U);
  EXPECT_EQ(find(s, 18).member->since_ns, 2 * kMinute);
  EXPECT_EQ(find(s, 19).group->object_kind, "rwmutex");
  EXPECT_TRUE(find(s, 19).group->locked);
  EXPECT_EQ(find(s, 19).functions[2], "gopkg.in/yaml%2ev3.read");
  EXPECT_EQ(find(s, 20).functions,
            (std::vector<std::string>{"main.deep", "main.deep", "...23 frames elided...",
                                      "main.deep", "main.start"}));
  EXPECT_EQ(find(s, 21).group->state, State::syscall);
  EXPECT_TRUE(find(s, 22).functions.empty());
  EXPECT_EQ(find(s, 22).creator, "main.main");
  for (const Frame& f : s.frames)
    EXPECT_EQ(f.runtime, f.function.starts_with("runtime.")) << f.function;
}

TEST(ParseDebug2, Go127HasLabelsLeaksBubblesAndAncestors) {
  const Snapshot s = parse(fixture("handmade-go1.27-debug2.txt"));
  using Labels = std::vector<std::pair<std::string, std::string>>;
  EXPECT_EQ(find(s, 7).group->labels, (Labels{{"pool", "a"}, {"step", "quoted \"2\", [x] {y}"}}));
  EXPECT_EQ(s.requester_goid, 7U);
  EXPECT_EQ(find(s, 1).group->object_kind, "waitgroup");
  EXPECT_TRUE(find(s, 20).group->leaked);
  EXPECT_EQ(find(s, 20).group->wait_reason, "chan send");
  EXPECT_TRUE(find(s, 21).group->leaked);
  EXPECT_EQ(find(s, 21).group->object_kind, "mutex");
  EXPECT_EQ(find(s, 22).group->wait_reason, "chan receive (durable)");
  EXPECT_EQ(find(s, 22).group->object_kind, "chan");
  EXPECT_EQ(find(s, 23).group->wait_reason, "select");
  EXPECT_EQ(find(s, 23).member->since_ns, 4 * kMinute);
  EXPECT_TRUE(find(s, 23).group->locked);
  EXPECT_EQ(find(s, 23).functions, (std::vector<std::string>{"main.loop"}));
  EXPECT_EQ(find(s, 24).group->labels, (Labels{{"k", "v, w"}}));
  const auto& callback = s.stacks[find(s, 24).group->stack].locations;
  ASSERT_EQ(callback.size(), 3U);
  EXPECT_EQ(s.locations[callback[0]].address, 0x7f00deadbeefU);
  EXPECT_TRUE(s.locations[callback[0]].frames.empty());
  EXPECT_EQ(find(s, 24).functions, (std::vector<std::string>{"crosscall2", "main.callback"}));
  EXPECT_EQ(s.locations[callback[2]].address, 0x43829aU - 1);
}

TEST(ParseDebug2, APanicsTextAroundTheGoroutinesIsPassedOver) {
  const Snapshot panic = parse(fixture("go1.19-panic.txt"));
  EXPECT_EQ(find(panic, 1).functions[0], "panic");
  EXPECT_FALSE(panic.truncated);
  const Snapshot quit = parse(fixture("go1.19-sigquit.txt"));
  // The goroutine that another thread ran is told once, with the stack that came later.
  for (const Group& g : quit.groups) {
    for (const Member& m : g.members) find(quit, m.goid);
  }
  EXPECT_GE(quit.total, 30U);
}

TEST(ParseDebug2, APrefixThatALogPutsBeforeEveryLineIsTakenOff) {
  std::string text = fixture("handmade-go1.26-panic-in-log.txt");
  for (int round = 0; round < 2; ++round) {
    const Snapshot s = parse(text);
    EXPECT_EQ(s.total, 2U);
    EXPECT_EQ(find(s, 1).functions, (std::vector<std::string>{"panic", "main.main"}));
    EXPECT_EQ(find(s, 18).group->wait_reason, "select (no cases)");
    EXPECT_EQ(find(s, 18).member->since_ns, 3 * kMinute);
    EXPECT_EQ(find(s, 18).creator, "main.main");
    // The same from Windows.
    for (size_t at = text.find('\n'); at != text.npos; at = text.find('\n', at + 2)) {
      text.insert(at, "\r");
    }
  }
}

TEST(ParseDebug2, APrefixMayChangeItsShape) {
  // Days of one digit and of two, times with a fraction and without one, another program's name.
  const std::string prefixes[] = {
      "Jan  9 03:04:05.12Z host app[1]: ", "Jan 10 03:04:05Z host app[1]: ",
      "Jan 10 03:04:05.1234Z host app[22]: ", "Jan 11 03:04:05Z elsewhere: "};
  std::string text;
  for (int i = 1; const std::string& p : prefixes) {
    const std::string n = std::to_string(i++);
    text += p + "goroutine " + n + " [select]:\n" + p + "main.f(...)\n" + p + "\t/main.go:" + n +
            "\n" + p + "\n";
  }
  const Snapshot s = parse(text);
  EXPECT_EQ(s.total, 4U);
  EXPECT_FALSE(s.truncated);
  for (uint64_t i = 1; i <= 4; ++i) {
    EXPECT_EQ(find(s, i).functions, std::vector<std::string>{"main.f"}) << i;
  }
}

TEST(ParseDebug2, MoreMinutesThanThereIsRoomForAreMany) {
  const Snapshot s =
      parse("goroutine 1 [IO wait, 99999999999999999999 minutes]:\nmain.f()\n\t/m.go:1 +0x1\n");
  EXPECT_EQ(s.groups.at(0).wait_reason, "IO wait");
  EXPECT_GT(s.groups.at(0).members.at(0).since_ns, INT64_MAX / 2);
}

TEST(ParseDebug2, ATextThatIsCutAnywhereGivesWhatIsWhole) {
  const std::string text = fixture("handmade-go1.21-debug2.txt");
  const Snapshot whole = parse(text);
  const size_t first_end = text.find('\n') + 1;
  for (size_t cut = first_end; cut < text.size(); ++cut) {
    SCOPED_TRACE(cut);
    const Snapshot s = parse_debug2(text.substr(0, cut));
    size_t headers = 0;
    for (size_t at = 0; at < cut; at = text.find("\ngoroutine ", at + 1)) {
      const size_t end = text.find("]:\n", at);
      headers += end != text.npos && end + 2 <= cut;
    }
    ASSERT_EQ(s.total, headers);
    // Every frame is one of the whole dump: none was cut short.
    for (const Frame& f : s.frames) {
      const bool is_known =
          std::any_of(whole.frames.begin(), whole.frames.end(), [&f](const Frame& w) {
            return f.function == w.function && f.file == w.file && f.line == w.line &&
                   (f.offset == w.offset || f.offset == 0);
          });
      ASSERT_TRUE(is_known) << f.function << " " << f.file << ":" << f.line << " +" << f.offset;
    }
    // Cut between two frames, or behind a goroutine, nothing shows that more was to come.
    const std::string_view kept = std::string_view(text).substr(0, cut);
    const std::string_view last = kept.substr(kept.rfind('\n', cut - 2) + 1);
    const bool may_be_whole = last == "\n" || last.starts_with('\t');
    ASSERT_TRUE(s.truncated || may_be_whole) << last;
  }
  EXPECT_FALSE(whole.truncated);
}

TEST(ParseDebug2, LinesThatEndADumpTooEarlyAreTold) {
  const std::string text = fixture("go1.19-debug2.txt");
  size_t lines = 0, told = 0;
  for (size_t at = text.find('\n', text.size() / 2); at != text.npos;
       at = text.find('\n', at + 1)) {
    if (text[at - 1] == '\n' || text.compare(at + 1, 1, "\n") == 0) continue;  // between goroutines
    ++lines;
    told += parse_debug2(text.substr(0, at + 1)).truncated;
  }
  EXPECT_EQ(told, lines - 1);  // the last one is the end
}

TEST(ParseDebug2, ASecondDumpInTheTextIsNotMixedIn) {
  const std::string one =
      "goroutine 1 [running]:\nmain.main(...)\n\t/a.go:1 +0x1\n\n"
      "goroutine 2 [select]:\nmain.f(...)\n\t/a.go:2 +0x1\n\n";
  const std::string two =
      "later\ngoroutine 1 [running]:\nmain.main(...)\n\t/a.go:1 +0x1\n\n"
      "goroutine 3 [select]:\nmain.g(...)\n\t/a.go:2 +0x1\n";
  EXPECT_EQ(parse_debug2(one + two), parse_debug2(one));
}

TEST(ParseDebug2, ThatTheStackCameLaterReplacesTheGoroutine) {
  const Snapshot s = parse_debug2(
      "goroutine 1 [running]:\n\tgoroutine running on other thread; stack unavailable\n\n"
      "goroutine 2 [select]:\nmain.f(...)\n\t/a.go:2 +0x1\n\n-----\n\n"
      "goroutine 1 [running]:\nmain.spin(...)\n\t/a.go:5 +0x1\n");
  EXPECT_EQ(s.total, 2U);
  EXPECT_EQ(find(s, 1).functions, (std::vector<std::string>{"main.spin"}));
}

TEST(ParseDebug2, OursComesBackWithNamesTimesConnectionsAndMarks) {
  SnapshotBuilder b;
  const uint32_t stack =
      b.stack({b.location(0x10, {b.frame("operator/(A, B)", "/src/a b.h", 8, 0x1b),
                                 b.frame("zoo::run%", "/src/zoo.cc", 41, 0x1b)})});
  b.snapshot.requester_goid = 9;
  b.group(stack, "", {9}).members[0].since_ns = 12'000'000'000;
  Group& io = b.group(stack, "IO wait", {3});
  io.labels = {{"a", "x, y]"}, {"name", "mine"}};
  const auto labels = io.labels;
  io.locked = true;
  io.members[0].name = b.text("reader");
  io.members[0].since_ns = 5 * kMinute;
  Object o;
  o.kind = "io";
  o.network = b.text("tcp");
  o.local = b.text("[::1]:80");
  o.remote = b.text("[::2]:4711");
  o.send = true;
  b.snapshot.objects.push_back(o);
  io.members[0].object_count = io.members[0].objects_total = 1;
  b.group(stack, "chan send", {4}).leaked = true;
  b.counted(stack, "chan receive", 12);
  const Snapshot s = parse_debug2(written(write_debug2, b.snapshot));
  EXPECT_EQ(s.requester_goid, 9U);
  EXPECT_EQ(find(s, 9).group->state, State::running);
  EXPECT_EQ(find(s, 9).member->since_ns, 12'000'000'000);
  EXPECT_EQ(find(s, 9).functions, (std::vector<std::string>{"operator/(A, B)", "zoo::run%"}));
  EXPECT_EQ(s.frames[0].file, "/src/a b.h");
  const Found reader = find(s, 3);
  EXPECT_EQ(reader.group->labels, labels);
  EXPECT_TRUE(reader.group->locked);
  EXPECT_EQ(s.strings[reader.member->name], "reader");
  EXPECT_EQ(reader.member->since_ns, 5 * kMinute);
  const Object& back = s.objects.at(reader.member->first_object);
  EXPECT_EQ(s.strings[back.network], "tcp");
  EXPECT_EQ(s.strings[back.local], "[::1]:80");
  EXPECT_EQ(s.strings[back.remote], "[::2]:4711");
  EXPECT_TRUE(back.send);
  EXPECT_TRUE(find(s, 4).group->leaked);
  const Group& counted = s.groups.front();
  EXPECT_EQ(counted.count, 12U);
  EXPECT_TRUE(counted.members.empty());
}

TEST(ParseDebug2, APlaceHasTheSameAddressInEveryDump) {
  const std::string f = "main.f(0x1)\n\t/a.go:1 +0x1\n", g = "main.g(0x2)\n\t/a.go:2 +0x1\n";
  const Snapshot a = parse_debug2("goroutine 1 [select]:\n" + f + g),
                 b = parse_debug2("goroutine 5 [select]:\n" + g + f);
  EXPECT_EQ(a.locations[0].address, b.locations[1].address);
  EXPECT_EQ(a.locations[1].address, b.locations[0].address);
  EXPECT_NE(a.locations[0].address, a.locations[1].address);
}

TEST(ParseDebug2, BoundsAreKept) {
  std::string text;
  for (int i = 1; i <= 100; ++i) {
    text += "goroutine " + std::to_string(i) +
            " [select]:\nmain.f()\n\t/a.go:1 +0x1\nmain.g()\n\t/a.go:2 +0x1\n\n";
  }
  EXPECT_EQ(parse(text, {.max_goroutines = 100}).total, 100U);
  EXPECT_THROW(parse(text, {.max_goroutines = 99}), ParseError);
  EXPECT_THROW(parse(text, {.max_depth = 1}), ParseError);
  EXPECT_THROW(parse(text, {.max_bytes = text.size() - 1}), ParseError);
  EXPECT_EQ(parse(text, {.max_bytes = text.size()}).total, 100U);
}

TEST(ParseDebug2, TextWithoutGoroutinesIsRefusedByLine) {
  try {
    parse_debug2("panic: no\ngoroutine x [running]:\n");
    FAIL();
  } catch (const ParseError& e) {
    EXPECT_STREQ(e.what(), "debug=2: line 3: expected `goroutine N [state]:`, found none");
  }
}

}  // namespace
