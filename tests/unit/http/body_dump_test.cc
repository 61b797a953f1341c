// The body that a goroutine waits for, written down and read again: debug=2 and JSON.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include <weir/profiler/encode.h>
#include <weir/profiler/parse.h>

#include "reader_process.h"
#include "snapshot_builder.h"

namespace {

using namespace weir::profiler;
using ::testing::HasSubstr;
using weir::profiler::testing::SnapshotBuilder;
using weir::profiler::testing::written;

// Goroutine 7, which waits for a body.
Snapshot waiting(const std::string& method, const std::string& url, int status) {
  SnapshotBuilder b;
  Group& g = b.group(b.stack({b.call(0x10, "f()", "a.cc", 3, 9)}), "select", {7});
  g.object_kind = "http_body";
  Object o;
  o.kind = "http_body";
  o.method = b.text(method);
  o.url = b.text(url);
  o.status = status;
  b.snapshot.objects.push_back(o);
  Member& m = g.members[0];
  m.object_count = m.objects_total = 1;
  return b.snapshot;
}

void expect_body(const Snapshot& s, const std::string& method, const std::string& url, int status) {
  ASSERT_EQ(s.groups.size(), 1u);
  EXPECT_EQ(s.groups[0].wait_reason, "select");
  EXPECT_EQ(s.groups[0].object_kind, "http_body");
  ASSERT_EQ(s.groups[0].members.size(), 1u);
  const Member& m = s.groups[0].members[0];
  ASSERT_EQ(m.object_count, 1u);
  const Object& o = s.objects.at(m.first_object);
  EXPECT_EQ(o.kind, "http_body");
  EXPECT_EQ(s.strings.at(o.method), method);
  EXPECT_EQ(s.strings.at(o.url), url);
  EXPECT_EQ(o.status, status);
}

TEST(BodyDump, InTheHeaderOfDebug2) {
  const Snapshot s = waiting("GET", "http://h:8080/a?b=c", 200);
  const std::string text = written(write_debug2, s);
  EXPECT_THAT(text, HasSubstr("goroutine 7 [select, body of GET http://h:8080/a?b=c 200]:\n"));
  expect_body(parse(text), "GET", "http://h:8080/a?b=c", 200);
}

TEST(BodyDump, InDebug2WithATimeAndBeforeTheAnswer) {
  Snapshot s = waiting("POST", "unix:/run/x.sock:/a", 0);
  s.groups[0].members[0].since_ns = 180'000'000'000;
  const std::string text = written(write_debug2, s);
  EXPECT_THAT(text, HasSubstr("body of POST unix:/run/x.sock:/a 0"));
  EXPECT_THAT(text, HasSubstr("3 minutes"));
  const Snapshot again = parse(text);
  expect_body(again, "POST", "unix:/run/x.sock:/a", 0);
  EXPECT_EQ(again.groups[0].members[0].since_ns, 180'000'000'000);
}

// What a URL may have does not end the header.
TEST(BodyDump, UrlsThatLookLikeTheHeadersMarks) {
  for (const char* url : {"http://[::1]:80/", "http://h/a,b]:%0A", "http://h/)(;"}) {
    const std::string text = written(write_debug2, waiting("GET", url, 200));
    const Snapshot again = parse(text);
    ASSERT_EQ(again.groups.size(), 1u) << text;
    EXPECT_EQ(again.groups[0].object_kind, "http_body") << text;
    EXPECT_EQ(written(write_debug2, again), text);
  }
}

TEST(BodyDump, Json) {
  const Snapshot s = waiting("GET", "http://[::1]/a,b", 404);
  const std::string text = written(write_json, s);
  EXPECT_THAT(text, HasSubstr("\"method\":\"GET\",\"url\":\"http://[::1]/a,b\",\"status\":404"));
  expect_body(parse(text), "GET", "http://[::1]/a,b", 404);
}

}  // namespace
