// weir top without a terminal: keys in, lines of text out.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <clocale>
#include <ctime>

#include "top_test_util.h"

namespace weir::tools::top {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

std::vector<Alike> three() {
  return {{300, "chan receive", "10m0s", "alpha", "zed"},
          {200, "select", "30m0s", "beta", "yankee"},
          {100, "chan send", "20m0s", "gamma", "xray"}};
}

TEST(TopModel, ShowsGroupsMostFirstInAlignedColumns) {
  Watch w;
  w.target.goroutines = three();
  w.sample();
  const auto lines = w.lines();
  ASSERT_EQ(lines.size(), 24U);
  EXPECT_THAT(lines[0], HasSubstr("weir top  zoo  http://zoo:6060"));
  EXPECT_THAT(lines[0], HasSubstr("live, every 2s"));
  EXPECT_THAT(lines[1], HasSubstr("600 goroutines"));
  EXPECT_THAT(lines[1], HasSubstr("600 waiting"));
  EXPECT_THAT(lines[2], HasSubstr("no leaks found"));
  EXPECT_THAT(lines[2], HasSubstr("longest wait 30m"));
  EXPECT_THAT(lines[3], HasSubstr("[1 Groups]"));
  EXPECT_EQ(lines[4].substr(0, 40), "GOROUTINESv     GROWTH  OLDEST  REASON  ");
  EXPECT_EQ(lines[5].substr(0, 44), "        300          -     10m  chan receive");
  EXPECT_EQ(lines[6].substr(0, 44), "        200          -     30m  select      ");
  for (const std::string& line : lines) EXPECT_LE(line.size(), 80U) << line;
  const size_t column = lines[4].find("STUCK AT");
  EXPECT_EQ(lines[5].find("alpha"), column);
  EXPECT_EQ(lines[5].find("zed"), lines[4].find("CREATED BY"));
  EXPECT_THAT(lines[23], HasSubstr("q quit"));
}

TEST(TopModel, KeysSortByEachColumnAndBack) {
  Watch w;
  w.target.goroutines = three();
  w.sample();
  EXPECT_THAT(w.stuck_at(), ElementsAre("alpha", "beta", "gamma"));
  w.press("r");
  EXPECT_THAT(w.stuck_at(), ElementsAre("gamma", "beta", "alpha"));
  w.press("ss");  // growth, oldest
  EXPECT_THAT(w.stuck_at(), ElementsAre("beta", "gamma", "alpha"));
  EXPECT_THAT(w.lines()[4], HasSubstr("OLDESTv"));
  w.press("s");  // reason
  EXPECT_THAT(w.stuck_at(), ElementsAre("alpha", "gamma", "beta"));
  w.press("s");  // stuck at
  EXPECT_THAT(w.stuck_at(), ElementsAre("alpha", "beta", "gamma"));
  w.press("s");  // creator
  EXPECT_THAT(w.stuck_at(), ElementsAre("gamma", "beta", "alpha"));
  EXPECT_THAT(w.lines()[4], HasSubstr("CREATED BY^"));
  w.press("S");
  EXPECT_THAT(w.lines()[4], HasSubstr("STUCK AT^"));
}

TEST(TopModel, GrowthIsPerMinuteOverTheWindow) {
  Watch w;
  w.target.goroutines = three();
  for (int i = 0; i < 4; ++i) {
    w.sample();
    w.target.goroutines[2].count += 4;  // each two seconds
  }
  w.press("s");
  EXPECT_THAT(w.stuck_at(), ElementsAre("gamma", "alpha", "beta"));
  EXPECT_THAT(w.lines()[5], HasSubstr("+120/min"));
  EXPECT_THAT(w.lines()[6], HasSubstr("  0/min"));
  EXPECT_THAT(w.lines()[1], HasSubstr("+120/min"));
  EXPECT_THAT(w.lines()[3], HasSubstr("growth over 6s"));
  w.press("2");
  EXPECT_THAT(w.stuck_at(), ElementsAre("gamma", "alpha", "beta"));
  EXPECT_THAT(w.text(), HasSubstr("all goroutines, the last 6s"));
}

TEST(TopModel, FiltersByTextAndExpressionAsItIsTyped) {
  Watch w;
  w.target.goroutines = three();
  w.sample();
  w.press("/be");
  EXPECT_THAT(w.stuck_at(), ElementsAre("beta"));
  EXPECT_THAT(w.lines()[23], HasSubstr("filter: be_"));
  w.press(Key::Code::enter);
  EXPECT_THAT(w.lines()[3], HasSubstr("/be/  1 of 3 groups"));
  w.press("/");
  w.press(Key::Code::clear_line);
  w.press("^(alpha|gamma)$");
  EXPECT_THAT(w.stuck_at(), ElementsAre("alpha", "gamma"));
  w.press(Key::Code::escape);  // as before
  EXPECT_THAT(w.stuck_at(), ElementsAre("beta"));
  w.press(Key::Code::escape);  // none
  EXPECT_THAT(w.stuck_at(), ElementsAre("alpha", "beta", "gamma"));
  w.press("/chan (");  // no expression: taken as it stands
  EXPECT_THAT(w.stuck_at(), ElementsAre());
  EXPECT_THAT(w.text(), HasSubstr("nothing has /chan (/ in it"));
  w.press(Key::Code::backspace);
  EXPECT_THAT(w.stuck_at(), ElementsAre("alpha", "gamma"));  // by the reason
}

TEST(TopModel, LettersOfAPromptAreNoCommands) {
  Watch w;
  w.target.goroutines = three();
  w.sample();
  EXPECT_EQ(w.press("/q"), Model::Answer::nothing);
  w.press(Key::Code::enter);
  EXPECT_EQ(w.press("q"), Model::Answer::quit);
}

TEST(TopModel, ExpandsTheStackUnderTheCursor) {
  Watch w;
  w.target.goroutines = three();
  w.sample();
  w.press("j");
  w.press(Key::Code::enter);
  const std::string text = w.text();
  EXPECT_THAT(text, HasSubstr("200 goroutines, longest 30m"));
  EXPECT_THAT(text, HasSubstr("      beta   /src/work.cc:13"));
  EXPECT_THAT(text, HasSubstr("      serve  /src/serve.cc:7"));
  EXPECT_THAT(text, HasSubstr("created   yankee  main.cc:50"));
  EXPECT_LT(text.find("/src/work.cc"), text.find("gamma"));  // between its line and the next
  w.press("jjj");
  w.press(" ");  // from within
  EXPECT_THAT(w.text(), Not(HasSubstr("/src/work.cc:13")));
  EXPECT_THAT(w.selected(), HasSubstr("beta"));
}

TEST(TopModel, CursorStaysOnItsGroupAndAtTheTopAtTheTop) {
  Watch w;
  w.target.goroutines = three();
  w.sample();
  w.target.goroutines[1].count = 400;
  w.sample();
  EXPECT_THAT(w.selected(), HasSubstr("beta"));
  w.press("j");
  EXPECT_THAT(w.selected(), HasSubstr("alpha"));
  w.target.goroutines[2].count = 500;
  w.sample();
  EXPECT_THAT(w.stuck_at(), ElementsAre("gamma", "beta", "alpha"));
  EXPECT_THAT(w.selected(), HasSubstr("alpha"));
}

TEST(TopModel, MovesThroughMoreThanAScreen) {
  Watch w;
  for (int i = 0; i < 100; ++i) {
    w.target.goroutines.push_back(
        {static_cast<uint64_t>(1000 - i), "select", "1s", "f" + std::to_string(i) + "_", "main"});
  }
  w.sample();
  EXPECT_THAT(w.selected(), HasSubstr("f0_"));
  w.press(Key::Code::page_down);
  EXPECT_THAT(w.selected(), HasSubstr("f17_"));
  w.press("G");
  EXPECT_THAT(w.selected(), HasSubstr("f99_"));
  EXPECT_THAT(w.lines()[22], HasSubstr("f99_"));
  w.press(Key::Code::page_up);
  EXPECT_THAT(w.selected(), HasSubstr("f82_"));
  w.press("g");
  w.press("k");  // nowhere to go
  EXPECT_THAT(w.selected(), HasSubstr("f0_"));
  w.press(Key::Code::end);
  w.press(Key::Code::home);
  w.press(Key::Code::down);
  w.press(Key::Code::up);
  w.press("jjk");
  EXPECT_THAT(w.selected(), HasSubstr("f1_"));
}

TEST(TopModel, FreezesWhatIsShownWhileSamplesAreTaken) {
  Watch w;
  w.target.goroutines = three();
  w.sample();
  w.press("f");
  w.target.goroutines[0].count = 777;
  w.sample();
  EXPECT_THAT(w.lines()[0], HasSubstr("FROZEN 2s"));
  EXPECT_THAT(w.text(), Not(HasSubstr("777")));
  w.press("f");
  EXPECT_THAT(w.text(), HasSubstr("777"));
  EXPECT_THAT(w.lines()[0], HasSubstr("live"));
}

TEST(TopModel, TellsWhatHasChangedSinceTheMark) {
  Watch w;
  w.target.goroutines = three();
  w.sample();
  w.press("d");
  EXPECT_THAT(w.lines()[23], HasSubstr("no mark yet"));
  w.press("m");
  EXPECT_THAT(w.lines()[23], HasSubstr("marked"));
  w.press("d");
  EXPECT_THAT(w.text(), HasSubstr("nothing has changed since the mark"));
  w.target.goroutines = {{350, "chan receive", "10m0s", "alpha", "zed"},
                         {200, "select", "30m0s", "beta", "yankee"},
                         {80, "IO wait", "1s", "delta", "whiskey"}};
  w.sample();
  EXPECT_THAT(w.stuck_at(), ElementsAre("delta", "alpha", "gamma"));
  const auto lines = w.lines();
  EXPECT_THAT(lines[3], HasSubstr("since mark 2s ago"));
  EXPECT_THAT(lines[4], HasSubstr("CHANGEv"));
  EXPECT_THAT(lines[5], HasSubstr("80        +80"));
  EXPECT_THAT(lines[6], HasSubstr("350        +50"));
  EXPECT_THAT(lines[7], HasSubstr("0       -100"));  // gone
  w.press("jj");
  w.press(Key::Code::enter);
  EXPECT_THAT(w.text(), HasSubstr("gamma  /src/work.cc:13"));  // as it was at the mark
  w.press("d");
  EXPECT_THAT(w.stuck_at(), ElementsAre("alpha", "beta", "delta"));
}

TEST(TopModel, ShowsFindingsWithCauseAndMarksTheirGroups) {
  Watch w;
  w.target.goroutines = three();
  w.target.findings = R"({"schema":"weir.findings/1","findings":[
    {"kind":"mutex_forgotten_unlock","certainty":"certain","count":100,"growth_per_minute":60,
     "oldest_wait_seconds":1200,"created_by":{"function":"xray","file":"/src/main.cc","line":50},
     "blocked_at":{"function":"gamma","file":"/src/work.cc","line":13},"wait":"chan send",
     "object":{"kind":"mutex","made_at":{"function":"make","file":"m.cc","line":3}},
     "cause":"The owner has exited without unlocking.","evidence":["100 wait.","For 20 minutes."],
     "fix":"Use std::lock_guard.","stack":[{"function":"gamma","file":"/src/work.cc","line":13}],
     "goids":[4,7],"site":"0x12"},
    {"kind":"chan_send","certainty":"suspect","count":3,"wait":"chan send","site":"0x13"}]})";
  w.sample();
  EXPECT_THAT(w.lines()[2], HasSubstr("leaks: 1 certain 1 suspect"));
  EXPECT_EQ(w.lines()[7].substr(0, 11), "!       100");
  w.press("3");
  EXPECT_THAT(w.lines()[3], HasSubstr("[3 Findings 2]"));
  EXPECT_THAT(w.lines()[5], HasSubstr("certain mutex forgotten~"));
  EXPECT_THAT(w.lines()[5], HasSubstr("+60/min     20m  gamma work.cc:13"));
  w.press(Key::Code::enter);
  const std::string text = w.text();
  EXPECT_THAT(text, HasSubstr("cause     The owner has exited without unlocking."));
  EXPECT_THAT(text, HasSubstr("evidence  100 wait."));
  EXPECT_THAT(text, HasSubstr("try       Use std::lock_guard."));
  EXPECT_THAT(text, HasSubstr("made at make  m.cc:3"));
  EXPECT_THAT(text, HasSubstr("ids       4, 7 .."));
  w.press("/suspect");
  EXPECT_THAT(w.text(), Not(HasSubstr("certain mutex")));
}

TEST(TopModel, ShowsTheSchedulerOrWhyThereIsNone) {
  Watch w;
  w.target.goroutines = three();
  w.sample();
  w.press("4");
  EXPECT_THAT(w.text(), HasSubstr("No report of the scheduler: http://zoo: 404 Not Found."));
  EXPECT_THAT(w.text(), HasSubstr("States of 600 goroutines"));
  EXPECT_THAT(w.text(), HasSubstr("chan receive"));
  w.target.sched = R"({"schema":"weir.sched/1","taken_at_ns":1000000000,
    "goroutines":{"total":600,"created":1000},"procs":{"gomaxprocs":2,"idle":1,"global_queue":3,
    "local_queues":1,"each":[{"idle":false,"queue":1,"ticks":5},{"idle":true}]},
    "totals":{"switches":100}})";
  w.sample();
  w.target.sched.replace(w.target.sched.find(":1000000000"), 11, ":3000000000");
  w.target.sched.replace(w.target.sched.find("\"created\":1000"), 14, "\"created\":1400");
  w.sample();
  EXPECT_THAT(w.lines()[2], HasSubstr("1 of 2 Ps busy"));
  EXPECT_THAT(w.text(), HasSubstr("Ps                             2  1 busy, 1 idle"));
  EXPECT_THAT(w.text(), HasSubstr("created                    200/s  goroutines"));
  w.press("G");
  EXPECT_THAT(w.text(), HasSubstr("contexts"));
}

TEST(TopModel, SaysWhenWhatIsShownIsStale) {
  Watch w;
  w.target.goroutines = three();
  w.sample();
  FeedStatus status;
  status.failure = "http://zoo:6060: connection refused";
  status.next_ns = w.now + 13'500'000'000;
  w.model.take(status);
  w.now += 12 * kSecond;
  EXPECT_THAT(w.lines()[0], HasSubstr("STALE 12s"));
  EXPECT_THAT(w.lines()[23], HasSubstr("stale 12s: connection refused"));
  EXPECT_THAT(w.lines()[23], HasSubstr("again in 2s"));
  EXPECT_THAT(w.text(), HasSubstr("alpha"));  // still there
}

TEST(TopModel, WaitsForAFirstAnswer) {
  Watch w;
  FeedStatus status;
  status.asking = true;
  status.asking_since_ns = w.now - 3 * kSecond;
  w.model.take(status);
  EXPECT_THAT(w.text(), HasSubstr("asking http://zoo:6060 for 3s"));
  w.press("jkGg m/x");
  w.press(Key::Code::enter);
  w.press("234sf?");
  EXPECT_THAT(w.text(), HasSubstr("any key goes back"));
}

TEST(TopModel, HelpHasEveryKeyAndGoesAway) {
  Watch w;
  w.target.goroutines = three();
  w.sample();
  w.press("?");
  const auto lines = w.lines();
  EXPECT_EQ(lines.size(), 24U);
  for (const char* key : {"1 2 3 4", "j k", "Enter", "/ ", "s S, r", "f ", "m, d", "R, ", "q, "}) {
    EXPECT_THAT(w.text(), HasSubstr(key));
  }
  EXPECT_EQ(w.press("q"), Model::Answer::nothing);  // closes the help
  EXPECT_THAT(w.text(), HasSubstr("alpha"));
}

TEST(TopModel, FitsAnySizeFromTinyToHuge) {
  Watch w;
  w.target.goroutines = three();
  w.target.goroutines[0].function = std::string(3000, 'x');
  w.sample();
  w.press(Key::Code::enter);
  for (const Size size :
       {Size{1, 1}, Size{10, 3}, Size{39, 24}, Size{80, 7}, Size{40, 8}, Size{50, 12}, Size{79, 14},
        Size{80, 24}, Size{132, 43}, Size{500, 200}}) {
    w.model.resize(size);
    for (const char* view : {"1", "2", "3", "4", "?"}) {
      w.press(view);
      const auto lines = w.lines();
      EXPECT_EQ(lines.size(), size.lines);
      for (const std::string& line : lines) EXPECT_LE(line.size(), size.columns) << line;
      if (size.columns >= 39 && size.lines < 8) {
        EXPECT_THAT(lines[0], HasSubstr("too small: 40x8"));
      }
    }
    w.press("1");  // closes the help
  }
}

TEST(TopModel, HeadingsStandOverTheirColumnsAtAnySize) {
  Watch w;
  w.target.goroutines = three();
  w.sample();
  for (size_t columns = kMinColumns; columns <= 160; ++columns) {
    w.model.resize({columns, 24});
    for (const char* view : {"1", "2"}) {
      w.press(view);
      std::string head, row;
      for (const std::string& line : w.lines()) {
        if (line.find("STUCK AT") != line.npos) head = line;
        if (line.find("alpha") != line.npos) row = line;
      }
      EXPECT_EQ(head.find("STUCK AT"), row.find("alpha")) << columns << "\n" << w.text();
      if (head.find("CREATED BY") != head.npos) {
        EXPECT_EQ(head.find("CREATED BY"), row.find("zed")) << columns;
      }
    }
  }
}

TEST(TopModel, MillionGoroutinesInTenThousandGroupsAnswerKeysAtOnce) {
  Watch w;
  for (int i = 0; i < 10'000; ++i) {
    const std::string n = std::to_string(i);
    w.target.goroutines.push_back({100, i % 2 == 0 ? "select" : "chan send", "1m0s",
                                   "service::handler" + n, "service::start" + n, "caller" + n});
  }
  w.sample();
  w.sample();
  EXPECT_EQ(w.model.shown()->total, 1'000'000U);
  // Of this thread's processor time, whatever else the machine does; sanitizers included.
  constexpr int64_t kMost = kSecond;
  const auto cpu_ns = [] {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * kSecond + now.tv_nsec;
  };
  const std::vector<std::string> keys = {"j", "G", "g", "s", "r", "2", "1",
                                         " ", "f", "m", "d", "d", "/", "9"};
  for (size_t i = 0; i < keys.size(); ++i) {
    const int64_t began = cpu_ns();
    w.press(keys[i]);
    EXPECT_EQ(w.lines().size(), 24U);
    const int64_t took = cpu_ns() - began;
    EXPECT_LT(took, kMost) << keys[i];
    RecordProperty("key_" + std::to_string(i), keys[i] + " us " + std::to_string(took / 1000));
  }
}

TEST(TopModel, HostileNamesStayText) {
  std::setlocale(LC_CTYPE, "C.UTF-8");
  for (const Charset charset : {Charset::ascii, Charset::utf8}) {
    Watch w({80, 24}, charset);
    w.target.goroutines = {
        {9, "chan \x1b[2Jsend", "1s", "evil\x1b]0;owned\x07\u202e::f", "日本語::作る\u0301\u0301"},
        {8, "select", "1s", "\u009b31mred\x7f", "\xff\xfe"}};
    w.target.findings = R"({"schema":"weir.findings/1","findings":[{"kind":"chan_send",
      "certainty":"certain","cause":"\u001b[31mboo\n","stack":[{"function":"\u001bc"}]}]})";
    w.sample();
    std::string all;
    for (const char* keys : {"1 ", "2 ", "3 ", "4", "1/\x1b[A"}) {
      w.press(keys);
      for (const std::string& line : w.lines()) {
        EXPECT_LE(width(line), 80U) << line;
        all += line;
      }
    }
    EXPECT_TRUE(std::ranges::none_of(
        all, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }));
    for (const char* bad : {"\u009b", "\u202e", "\xff"}) EXPECT_THAT(all, Not(HasSubstr(bad)));
  }
  std::setlocale(LC_CTYPE, "C");
}

}  // namespace
}  // namespace weir::tools::top
