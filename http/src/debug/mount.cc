// The endpoint's paths on somebody's cpp-httplib server (mount.h).

#include <weir/http/mount.h>

#include <memory>
#include <string>

#include "access.h"
#include "bounds.h"
#include "observe/observer.h"
#include "places.h"
#include "protocol.h"
#include "respond.h"
#include "routes/routes.h"

namespace weir::http {

namespace {

using namespace debug;

struct Mounted {
  explicit Mounted(const MountOptions& options)
      : access{options.loopback_names_only, "localhost", options.token},
        places(limits),
        observer(observe::share(options.observe)) {}

  void handle(const httplib::Request& req, httplib::Response& res) {
    if (const auto why =
            access.refuse(req.method, req.path, req.get_header_value("Host"),
                          req.get_header_value("Authorization"), req.get_header_value("Origin"))) {
      return respond(*why, res);
    }
    Query query = query_of(req.target, req.method, req.body);
    query.if_none_match = req.get_header_value("If-None-Match");
    const Cost price = cost(query);
    Delivery delivery{req.version != "HTTP/1.0", nullptr, limits.patience};
    if (price != Cost::cheap) {
      delivery.place = places.take(price);
      if (!delivery.place) return respond(Places::busy(), res);
    }
    answer_query(query, answer, std::move(delivery), req, res);
  }

  const Limits limits = {};
  const Access access;
  Places places;
  const std::shared_ptr<observe::Observer> observer;
};

// The path as a regular expression that matches nothing else.
std::string literally(const std::string& path) {
  std::string pattern;
  for (const char c : path) {
    if (std::string("\\^$.*+?()[]{}|").find(c) != std::string::npos) pattern += '\\';
    pattern += c;
  }
  return pattern;
}

}  // namespace

void mount(httplib::Server& server, const MountOptions& options) {
  debug::check_token(options.token);
  const auto mounted = std::make_shared<Mounted>(options);
  const auto handler = [mounted](const httplib::Request& req, httplib::Response& res) {
    mounted->handle(req, res);
  };
  for (const std::string& path : paths()) {
    server.Get(literally(path), handler);
    if (takes_post(path)) server.Post(literally(path), handler);
  }
}

void mount(httplib::Server& server) { mount(server, {.token = debug::token_of_environment()}); }

}  // namespace weir::http
