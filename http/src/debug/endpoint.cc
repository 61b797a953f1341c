// The endpoint (endpoint.h).

#include "endpoint.h"

#include <exception>
#include <string_view>
#include <utility>

#include "respond.h"
#include "socket_stream.h"

namespace weir::http::debug {

namespace {

constexpr size_t kMostCollected = 8 << 20;  // bytes of a cheap answer

// The library's protocol for one request. It takes itself for listening: otherwise it would end
// every stream before its first piece.
class OneRequest : public ServerProtocol {
 public:
  OneRequest() { svr_sock_ = 0; }
};

Access access_for(const DebugOptions& options, const Address& address) {
  check_token(options.token);
  // A unix socket is reached by its path: there is no name to be mistaken about.
  const bool loopback = !address.is_unix() && is_loopback(address.host);
  return {loopback, address.host, options.token};
}

}  // namespace

Endpoint::Endpoint(const DebugOptions& options, const Limits& limits, const Site& site)
    : limits_(limits),
      site_(site),
      listener_(parse_address(options.address)),
      access_(access_for(options, listener_.address())),
      places_(limits_) {
  front_ = std::make_unique<Front>(listener_, *this, limits_, stop_);
}

std::optional<Refusal> Endpoint::refuse(const Request& r) {
  const Query q = query_of(r.target, r.method, {});
  return access_.refuse(r.method, q.path, r.fields.get("Host"), r.fields.get("Authorization"),
                        r.fields.get("Origin"));
}

size_t Endpoint::most_body(const Request& r) const {
  return r.method == "POST" && takes_dump(query_of(r.target, r.method, {}).path) ? limits_.dump
                                                                                 : limits_.body;
}

std::variant<std::shared_ptr<void>, Refusal> Endpoint::admit(const Request& r) {
  const Cost cost = site_.cost(query_of(r.target, r.method, {}));
  if (cost == Cost::cheap) return nullptr;
  if (std::shared_ptr<void> place = places_.take(cost)) return place;
  return Places::busy();
}

bool Endpoint::serve(Exchange& exchange) {
  const std::string head = head_for_library(exchange.request);
  SocketStream stream(exchange.fd, head, limits_.patience, stop_);
  if (!exchange.place) stream.collect(&exchange.answer, kMostCollected);
  return serve_request(exchange.request, exchange.close, site_, exchange.place, limits_, stop_,
                       stream);
}

std::string head_for_library(const Request& r) {
  std::string head = r.method + " " + r.target + (r.minor_version == 0 ? " HTTP/1.0" : " HTTP/1.1");
  head += "\r\n";
  // Brotli at the library's settings takes seconds for what gzip does in a few milliseconds.
  if (r.fields.get("Accept-Encoding").find("gzip") != std::string_view::npos) {
    head += "Accept-Encoding: gzip\r\n";
  }
  return head + "\r\n";
}

bool serve_request(const Request& request, bool close, const Site& site,
                   const std::shared_ptr<void>& place, const Limits& limits, const StopSignal& stop,
                   httplib::Stream& stream) try {
  OneRequest protocol;
  protocol.set_keep_alive_timeout(limits.idle.count() / 1000);
  protocol.set_keep_alive_max_count(limits.requests_each);
  // All paths come here: the library's own routing is by regular expressions, its own bodies by
  // way of decompression and forms.
  protocol.set_pre_routing_handler([&](const httplib::Request& req, httplib::Response& res) {
    Query query = query_of(request.target, request.method, request.body);
    query.if_none_match = request.fields.get("If-None-Match");
    answer_query(
        query, site.answer,
        {request.minor_version == 1, place, limits.patience, [&stop] { return stop.raised(); }},
        req, res);
    return httplib::Server::HandlerResponse::Handled;
  });
  bool closed = false;
  return protocol.process_request(stream, close, closed, nullptr);
} catch (const std::exception&) {
  return false;  // std::bad_alloc, out of the library or of an answer under way
}

}  // namespace weir::http::debug
