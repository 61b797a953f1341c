// TARGET of the weir command: what it means, and what is said when it cannot be had.

#include "target.h"

#include <gtest/gtest.h>

namespace weir::tools {
namespace {

TEST(Target, UrlsAndUnixSocketsAreEndpointsFilesAreNot) {
  EXPECT_TRUE(is_endpoint("http://127.0.0.1:6060"));
  EXPECT_TRUE(is_endpoint("https://example.com/debug/goroutine"));
  EXPECT_TRUE(is_endpoint("unix:/run/weir.sock"));
  EXPECT_FALSE(is_endpoint("dump.json"));
  EXPECT_FALSE(is_endpoint("-"));
}

}  // namespace
}  // namespace weir::tools
