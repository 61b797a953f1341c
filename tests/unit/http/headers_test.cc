// Headers: names without regard to case, order kept, set replaces.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include <weir/http/headers.h>

namespace {

using weir::http::Headers;

std::string all(const Headers& h) {
  std::string text;
  for (const auto& [name, value] : h) text += name + "=" + value + ";";
  return text;
}

TEST(Headers, NamesAreTheSameInAnyCase) {
  const Headers h{{"Content-Type", "a"}, {"X", "1"}, {"x", "2"}};
  EXPECT_EQ(h.get("content-TYPE"), "a");
  EXPECT_EQ(h.get("X"), "1");
  EXPECT_EQ(h.values("x"), (std::vector<std::string_view>{"1", "2"}));
  EXPECT_TRUE(h.has("CONTENT-type"));
  EXPECT_FALSE(h.has("Content"));
  EXPECT_EQ(h.get("Content"), "");
  EXPECT_TRUE(h.values("Content").empty());
}

TEST(Headers, SetReplacesAllOfThatNameInPlace) {
  Headers h{{"A", "1"}, {"B", "2"}, {"a", "3"}, {"C", "4"}};
  h.set("a", "new");
  EXPECT_EQ(all(h), "A=new;B=2;C=4;");
  EXPECT_EQ(h.size(), 3u);
}

TEST(Headers, SetAddsWhatIsNotThere) {
  Headers h;
  EXPECT_TRUE(h.empty());
  h.set("A", "1");
  EXPECT_EQ(all(h), "A=1;");
}

TEST(Headers, SetToAPartOfAFieldThatGoes) {
  Headers h{{"A", "first value, longer than what a string holds in itself"},
            {"A", "second value, longer than what a string holds in itself"}};
  h.set("A", h.values("A")[1].substr(0, 12));
  EXPECT_EQ(all(h), "A=second value;");
}

TEST(Headers, AddKeepsWhatIsThereAndRemoveTakesAll) {
  Headers h;
  h.add("Set-Cookie", "a=1");
  h.add("set-cookie", "b=2");
  h.add("Other", "x");
  EXPECT_EQ(all(h), "Set-Cookie=a=1;set-cookie=b=2;Other=x;");
  h.remove("SET-COOKIE");
  EXPECT_EQ(all(h), "Other=x;");
  h.remove("none");
  EXPECT_EQ(all(h), "Other=x;");
}

}  // namespace
