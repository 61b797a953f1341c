// The /debug endpoint as a part of a cpp-httplib server of one's own.
//
//   httplib::Server server;
//   weir::http::mount(server);
//   server.listen("127.0.0.1", 8080);
//
// As importing net/http/pprof does with Go's default mux. Prefer a DebugServer of its own where
// that is possible: it goes on answering when all threads of this server are taken.
#pragma once

#include <chrono>
#include <string>

namespace httplib {
class Server;
}

namespace weir::http {

struct MountOptions {
  // As DebugOptions::token.
  std::string token = {};
  // Refuse (403) requests for a Host that is not localhost or a loopback address, against DNS
  // rebinding. For servers that listen on loopback; the others know their names themselves.
  bool loopback_names_only = false;
  // As DebugOptions::observe.
  std::chrono::milliseconds observe{2000};
};

// Answers the endpoint's paths, each exactly, by GET and HEAD (and POST where that is of use) on
// whatever threads the server has; handlers that are registered before come first. Few expensive
// requests are under way at once, 7 in all; more get 503: a server with fewer threads than that can
// be kept busy by them. A POST's body may have what it may have at a DebugServer, or less where the
// server says so; bounds on the time of requests are the server's. Call it before the server
// listens; the server must not be moved afterwards. Throws weir::http::error when the token cannot
// be used.
void mount(httplib::Server& server, const MountOptions& options);
// With the token of the environment's WEIR_DEBUG_TOKEN, as DebugServer.
void mount(httplib::Server& server);

}  // namespace weir::http
