// The endpoint on a cpp-httplib server of one's own.
#include <weir/http/mount.h>

#include <weir/http/error.h>

#include "protocol.h"
#include "routes/routes.h"
#include "transport_test_util.h"

namespace weir::http::debug::testing {
namespace {

class Server {
 public:
  explicit Server(const MountOptions& options) {
    server_.Get("/own", [](const httplib::Request&, httplib::Response& res) {
      res.set_content("own", "text/plain");
    });
    mount(server_, options);
    address_ = {"127.0.0.1", server_.bind_to_any_port("127.0.0.1"), ""};
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) std::this_thread::yield();
  }
  ~Server() {
    server_.stop();
    thread_.join();
  }
  const Address& address() const { return address_; }

 private:
  httplib::Server server_;
  Address address_;
  std::thread thread_;
};

TEST(Mount, AnswersBesideTheServersOwn) {
  const Server server({});
  const Address& a = server.address();
  EXPECT_EQ(ask_once(a, "/own"), 200);
  for (const std::string& path : paths()) {
    // Seconds, and a shorter way to the same: profile?seconds=0 is none.
    if (path == "/debug/pprof/profile" || path == "/debug/graph") continue;
    if (path == "/debug/events") continue;        // has no end
    if (path.starts_with("/debug/ui")) continue;  // page_test.cc
    EXPECT_EQ(ask_once(a, path), 200) << path;
    EXPECT_EQ(ask_once(a, path + "x"), 404) << path;
  }
  EXPECT_EQ(ask_once(a, "/debug/goroutine?debug=2", "Range: bytes=0-1,3-4\r\n"), 200);
  EXPECT_EQ(ask_once(a, "/debug/goroutine?debug=2", "Host: evil.example\r\n"), 200);
  Client c(a);
  c.send("POST /debug/pprof/symbol HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n0x1");
  EXPECT_NE(c.answer().find("num_symbols: 1"), std::string::npos);
  c.send("POST /debug/goroutine HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(status_of(c.answer()), 404);
}

TEST(Mount, LooksAtTokenAndHostWhereToldSo) {
  const Server server({.token = "s3cret", .loopback_names_only = true});
  const Address& a = server.address();
  EXPECT_EQ(ask_once(a, "/own"), 200);
  EXPECT_EQ(ask_once(a, "/healthz"), 200);
  EXPECT_EQ(ask_once(a, "/debug/"), 401);
  EXPECT_EQ(ask_once(a, "/debug/", "Authorization: Bearer s3cret\r\n"), 200);
  Client c(a);
  c.send("GET /healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n");
  EXPECT_EQ(status_of(c.answer()), 403);
  EXPECT_THROW(
      {
        httplib::Server other;
        mount(other, {.token = "two words"});
      },
      error);
}

}  // namespace
}  // namespace weir::http::debug::testing
