// The endpoint's paths on somebody's cpp-httplib server (mount.h).

#include <weir/http/mount.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

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

  std::optional<Refusal> refuse(const httplib::Request& req) const {
    return access.refuse(req.method, req.path, req.get_header_value("Host"),
                         req.get_header_value("Authorization"), req.get_header_value("Origin"));
  }

  void handle(const httplib::Request& req, httplib::Response& res) {
    if (const auto why = refuse(req)) return respond(*why, res);
    handle(req, {}, res);
  }

  // The library takes what curl sends as a form, of 8 KiB at most, unless it hands out the body in
  // pieces. All of it is read, also where it is of no use: the next request stands behind it.
  void handle_post(const httplib::Request& req, httplib::Response& res,
                   const httplib::ContentReader& read) {
    const size_t most = takes_dump(req.path) ? limits.dump : limits.body;
    auto why = refuse(req);
    std::string body;
    const auto take = [&](const char* bytes, size_t n) {
      if (!why && n > most - body.size()) why = Refusal{413, "the body is too large\n", {}};
      if (!why) body.append(bytes, n);
      return true;
    };
    const bool has_body = req.has_header("Content-Length") || req.has_header("Transfer-Encoding");
    const auto is_part = [](const httplib::MultipartFormData&) { return true; };
    const bool whole = !has_body || (req.is_multipart_form_data() ? read(is_part, take)  // a form
                                                                  : read(take));
    if (!whole && !why) {  // the server's own bound on bodies is 413, too
      why = Refusal{res.status == 413 ? 413 : 400, "the body cannot be read\n", {}};
    }
    if (why) return respond(*why, res);
    handle(req, std::move(body), res);
  }

  void handle(const httplib::Request& req, std::string body, httplib::Response& res) {
    Query query = query_of(req.target, req.method, std::move(body));
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
    if (!takes_post(path)) continue;
    server.Post(literally(path), [mounted](const httplib::Request& req, httplib::Response& res,
                                           const httplib::ContentReader& read) {
      mounted->handle_post(req, res, read);
    });
  }
}

void mount(httplib::Server& server) { mount(server, {.token = debug::token_of_environment()}); }

}  // namespace weir::http
