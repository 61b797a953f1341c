// Text for the terminal: nothing from outside controls it, and columns hold whatever is in them.

#include "top/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <clocale>

#include "top/line.h"

namespace weir::tools::top {
namespace {

class TopText : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(std::setlocale(LC_CTYPE, "C.UTF-8"), nullptr); }
  void TearDown() override { std::setlocale(LC_CTYPE, "C"); }
};

TEST_F(TopText, NoControlCharacterPasses) {
  std::string all;
  for (int c = 0; c < 256; ++c) all.push_back(static_cast<char>(c));
  all += "\u0080\u009b\u202e\u2066\u200b\ufeff\u00ad";
  for (const Charset charset : {Charset::ascii, Charset::utf8}) {
    for (const char c : clean(all, charset)) {
      EXPECT_TRUE(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
    }
  }
  EXPECT_EQ(clean("a\x1b[2J\x07"
                  "b",
                  Charset::utf8),
            "a?[2J?b");
  EXPECT_EQ(clean("a\u009b2Jb", Charset::utf8), "a?2Jb");
  EXPECT_EQ(clean("user\u202egpj.exe", Charset::utf8), "user?gpj.exe");
  EXPECT_EQ(clean("one\ttwo\nthree", Charset::utf8), "one two three");
}

TEST_F(TopText, WhatIsNoUtf8IsShownAsMissing) {
  EXPECT_EQ(clean("a\xff\xc3(", Charset::utf8),
            "a?"
            "?(");
  EXPECT_EQ(clean("\xed\xa0\x80", Charset::utf8),
            "?"
            "?"
            "?");  // half of a pair
  EXPECT_EQ(clean("na\u00efve", Charset::ascii), "na?ve");
}

TEST_F(TopText, WideCharactersTakeTwoColumnsAndMarksNone) {
  EXPECT_EQ(width("abc"), 3U);
  EXPECT_EQ(width("日本"), 4U);
  EXPECT_EQ(width("e\u0301"), 1U);
  EXPECT_EQ(left("日本", 6, Charset::utf8), "日本  ");
  EXPECT_EQ(right("e\u0301", 3, Charset::utf8), "  e\u0301");
}

TEST_F(TopText, MarksDoNotPileUpAndNeverBegin) {
  std::string pile = "\u0301\u0301z";
  for (int i = 0; i < 50; ++i) pile += "\u0301";
  EXPECT_EQ(clean(pile, Charset::utf8), "z\u0301\u0301\u0301");
}

TEST_F(TopText, CutsAtColumnsAndSaysSo) {
  EXPECT_EQ(cut("abcdef", 4, Charset::utf8), "abc…");
  EXPECT_EQ(cut("abcdef", 4, Charset::ascii), "abc~");
  EXPECT_EQ(cut("abcd", 4, Charset::utf8), "abcd");
  EXPECT_EQ(cut("日本語", 4, Charset::utf8), "日…");  // half of a character is none
  EXPECT_EQ(left("日本語", 4, Charset::utf8), "日… ");
  EXPECT_EQ(cut("abc", 0, Charset::utf8), "");
}

TEST_F(TopText, NamesLoseWhatTellsLeast) {
  EXPECT_EQ(short_name("zoo::double_send(int, std::string)::lambda", 30),
            "zoo::double_send::lambda");
  EXPECT_EQ(short_name("zoo::double_send()::lambda", 20), "double_send::lambda");
  EXPECT_EQ(short_name("github.com/acme/shop/pkg.(*Server).Serve.func1", 40),
            "pkg.(*Server).Serve.func1");
  EXPECT_EQ(short_name("std::vector<a::b>::push", 10), "vector<a::b>::push");
  EXPECT_EQ(short_name("main.main", 40), "main.main");
  EXPECT_EQ(short_name("", 40), "");
}

TEST(TopNumbers, HaveUnitsAndSeparators) {
  EXPECT_EQ(count_text(0), "0");
  EXPECT_EQ(count_text(999), "999");
  EXPECT_EQ(count_text(1'234'567), "1,234,567");
  EXPECT_EQ(count_text(UINT64_MAX), "18,446,744,073,709,551,615");
  EXPECT_EQ(change_text(1200), "+1,200");
  EXPECT_EQ(change_text(-3), "-3");
  EXPECT_EQ(change_text(INT64_MIN), "-9,223,372,036,854,775,808");
  EXPECT_EQ(rate_text(0.01), "0/min");
  EXPECT_EQ(rate_text(2.5), "+2.5/min");
  EXPECT_EQ(rate_text(-600.2), "-600/min");
  EXPECT_EQ(rate_text(2'500'000), "+2.5M/min");
  EXPECT_EQ(per_second_text(1234.4), "1,234/s");
  EXPECT_EQ(duration_text(-1), "-");
  EXPECT_EQ(duration_text(850'000'000), "850ms");
  EXPECT_EQ(duration_text(150'000'000'000), "2m30s");
  EXPECT_EQ(duration_text(120'000'000'000), "2m");
  EXPECT_EQ(duration_text(int64_t{100} * 3600 * 1'000'000'000), "4d4h");
  EXPECT_EQ(bytes_text(1536), "1.5 KiB");
  EXPECT_EQ(counted(1, "finding"), "1 finding");
  EXPECT_EQ(counted(2000, "finding"), "2,000 findings");
}

TEST(TopNumbers, CurvesAndBarsShowWhatIsThere) {
  const std::vector<uint32_t> counts = {0, 1, 2, 3, 4, 5, 6, 7};
  EXPECT_EQ(sparkline(counts, 8, Charset::utf8), "▁▂▃▄▅▆▇█");
  EXPECT_EQ(sparkline(counts, 4, Charset::ascii), ".-+#");  // each the largest of two
  EXPECT_EQ(sparkline(std::vector<uint32_t>{1000, 1001}, 8, Charset::ascii), "_#");
  EXPECT_EQ(sparkline(std::vector<uint32_t>{9, 9, 9}, 8, Charset::ascii), "___");
  EXPECT_EQ(sparkline({}, 4, Charset::ascii), "");
  EXPECT_EQ(bar(0.5, 10, Charset::ascii), "#####");
  EXPECT_EQ(bar(0.0001, 10, Charset::ascii), "#");
  EXPECT_EQ(bar(0, 10, Charset::ascii), "");
}

TEST(TopLine, NeverGoesBeyondItsColumns) {
  LineWriter line(10, Charset::ascii);
  line.add("abcdefgh").right("12345", 6).add("more").at_edge("edge");
  EXPECT_EQ(line.room(), 0U);
  EXPECT_EQ(line.take().text(), "abcdefgh1~");
}

TEST(TopLine, WrapsAtBlanksAndCutsWhatHasNone) {
  EXPECT_THAT(wrapped("one two three", 8, Charset::ascii),
              testing::ElementsAre("one two", "three"));
  EXPECT_THAT(wrapped("a incomprehensibilities b", 6, Charset::ascii),
              testing::ElementsAre("a", "incom~", "b"));
  EXPECT_THAT(wrapped("", 6, Charset::ascii), testing::ElementsAre(""));
}

}  // namespace
}  // namespace weir::tools::top
