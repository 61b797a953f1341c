// Mann-Kendall and Theil-Sen against values worked out by hand.
#include "detect/trend.h"

#include <gtest/gtest.h>

#include <vector>

namespace weir::profiler::trend {
namespace {

TEST(Trend, MannKendallOfARise) {
  const MannKendall rise = mann_kendall(std::vector<double>{1, 2, 3, 4, 5});
  EXPECT_EQ(rise.s, 10);
  EXPECT_NEAR(rise.z, 9 / 4.08248, 1e-4);  // (s - 1) / sqrt(5 * 4 * 15 / 18)
  EXPECT_NEAR(rise.p, 0.01374, 1e-4);
  const MannKendall fall = mann_kendall(std::vector<double>{5, 4, 3, 2, 1});
  EXPECT_EQ(fall.s, -10);
  EXPECT_NEAR(fall.p, 1 - 0.01374, 1e-4);
}

TEST(Trend, MannKendallAllowsForTies) {
  const MannKendall t = mann_kendall(std::vector<double>{1, 2, 2, 3});
  EXPECT_EQ(t.s, 5);
  EXPECT_NEAR(t.z, 4 / 2.76887, 1e-4);  // (4 * 3 * 13 - 2 * 1 * 9) / 18 = 7.667
  EXPECT_NEAR(t.p, 0.07428, 1e-4);
}

TEST(Trend, MannKendallWithoutATrend) {
  EXPECT_EQ(mann_kendall(std::vector<double>{}).p, 1);
  EXPECT_EQ(mann_kendall(std::vector<double>{7}).p, 1);
  EXPECT_EQ(mann_kendall(std::vector<double>{7, 7, 7, 7}).p, 1);
  const MannKendall wave = mann_kendall(std::vector<double>{1, 3, 1, 3, 1, 3, 1, 3});
  EXPECT_GT(wave.p, 0.1);
}

TEST(Trend, TheilSenIsTheMedianSlope) {
  const std::vector<double> at{0, 1, 2, 3, 4};
  EXPECT_DOUBLE_EQ(theil_sen(at, std::vector<double>{1, 3, 5, 7, 9}), 2);
  EXPECT_DOUBLE_EQ(theil_sen(at, std::vector<double>{1, 3, 5, 7, 100}), 2);  // an outlier
  EXPECT_DOUBLE_EQ(theil_sen(at, std::vector<double>{9, 7, 5, 3, 1}), -2);
  // Slopes 1, 1.5, 1, 2, 1, 0: the mean of the middle two.
  EXPECT_DOUBLE_EQ(theil_sen(std::vector<double>{0, 1, 2, 3}, std::vector<double>{0, 1, 3, 3}), 1);
  // Times need not be even.
  EXPECT_DOUBLE_EQ(theil_sen(std::vector<double>{0, 1, 10}, std::vector<double>{0, 2, 20}), 2);
}

TEST(Trend, TheilSenOfTooFewPoints) {
  EXPECT_EQ(theil_sen(std::vector<double>{}, std::vector<double>{}), 0);
  EXPECT_EQ(theil_sen(std::vector<double>{1}, std::vector<double>{5}), 0);
  EXPECT_EQ(theil_sen(std::vector<double>{1, 1}, std::vector<double>{5, 6}), 0);
}

}  // namespace
}  // namespace weir::profiler::trend
