// A body that nobody reads, as dumps show it: its connection's goroutine waits for an object of
// kind "http_body", with what was asked, the answer, and the place that asked.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include <weir/profiler/capture.h>

#include "http_test_util.h"

namespace {

using namespace weir::testing;
using weir::http::Client;
using weir::http::Response;
using weir::http::ResponseWriter;
using weir::http::ServerRequest;
using namespace weir::profiler;

// Counts no descriptors: captures keep those of what they have read names from.
class HttpClientCapture : public WithProcs {
 protected:
  template <class F>
  void run(F main) {
    WithProcs::run([&] {
      ASSERT_TRUE(settle());
      const size_t goroutines = weir::num_goroutine();
      main();
      EXPECT_TRUE(eventually([&] { return weir::num_goroutine() == goroutines; }));
    });
  }
};
INSTANTIATE_TEST_SUITE_P(Procs, HttpClientCapture, ::testing::Values(1, 2, 4));

// The bodies that goroutines wait for.
struct Wait {
  std::string reason;
  Object object;
};
std::vector<Wait> waits(const Snapshot& s) {
  std::vector<Wait> all;
  for (const Group& g : s.groups) {
    if (g.object_kind != "http_body") continue;
    for (const Member& m : g.members) {
      EXPECT_EQ(m.object_count, 1u);
      all.push_back({g.wait_reason, s.objects.at(m.first_object)});
    }
  }
  return all;
}

bool shows_one() { return waits(capture()).size() == 1; }

TEST_P(HttpClientCapture, ABodyThatWasReleased) {
  run([] {
    Serving s([](ResponseWriter& w, ServerRequest&) {
      w.write_header(203);
      w.write("never read");
    });
    Client client;
    auto [ctx, cancel] = weir::with_cancel(weir::background());
    int line = 0;
    {
      line = __LINE__ + 1;
      Response r = client.send({.method = "POST", .url = s.url("/leak?x=1"), .context = ctx});
      r.body.release();
    }
    ASSERT_TRUE(eventually(shows_one));
    const Snapshot snapshot = capture();
    const std::vector<Wait> found = waits(snapshot);
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0].reason, "select");
    const Object& o = found[0].object;
    EXPECT_EQ(o.kind, "http_body");
    EXPECT_EQ(snapshot.strings.at(o.method), "POST");
    EXPECT_EQ(snapshot.strings.at(o.url), s.url("/leak?x=1"));
    EXPECT_EQ(o.status, 203);
    ASSERT_NE(o.made_at, kNone);
    bool at_line = false;
    for (const uint32_t f : snapshot.locations.at(o.made_at).frames) {
      const Frame& frame = snapshot.frames.at(f);
      at_line |= frame.line == line && frame.file.ends_with("client_capture_test.cc");
    }
    EXPECT_TRUE(at_line);
    cancel();
    EXPECT_TRUE(eventually([] { return waits(capture()).empty(); }));
    EXPECT_TRUE(eventually([&s] { return s.server.connections() == 0; }));
  });
}

TEST_P(HttpClientCapture, ABodyThatIsKeptUntilItIsClosed) {
  run([] {
    Serving s([](ResponseWriter& w, ServerRequest&) { w.write("x"); });
    Client client;
    Response r = client.get(s.url());
    EXPECT_TRUE(eventually(shows_one));
    r.body.close();
    EXPECT_TRUE(eventually([] { return waits(capture()).empty(); }));
  });
}

// Who reads waits for it, too.
TEST_P(HttpClientCapture, AReaderOfABodyThatDoesNotCome) {
  run([] {
    Scripted s([](Raw& raw, int) {
      raw.message();
      raw.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
      (void)raw.rest();
    });
    Client client;
    auto [ctx, cancel] = weir::with_cancel(weir::background());
    weir::chan<bool> ended = weir::make_chan<bool>();
    weir::go([&, ctx = ctx] {
      Response r = client.send({.url = s.url(), .context = ctx});
      EXPECT_THROW((void)r.body.read_all(), std::system_error);
      ended.close();
    });
    EXPECT_TRUE(eventually([] {
      const std::vector<Wait> found = waits(capture());
      return found.size() == 1 && found[0].reason == "chan receive";
    }));
    cancel();
    ended.recv();
  });
}

TEST_P(HttpClientCapture, NoPasswordIsShown) {
  run([] {
    Serving s([](ResponseWriter& w, ServerRequest&) { w.write("x"); });
    Client client;
    Response r = client.get("http://user:secret@" + s.address + "/");
    EXPECT_TRUE(eventually(shows_one));
    const Snapshot snapshot = capture();
    EXPECT_EQ(snapshot.strings.at(waits(snapshot).at(0).object.url), s.url());
  });
}

}  // namespace
