// Kernels (kernels.h): peers that are silent, bodies that are not closed.

#include <unistd.h>
#include <weir/http/client.h>
#include <weir/http/server.h>
#include <weir/weir.h>

#include <array>
#include <chrono>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <system_error>
#include <utility>

#include "kernels.h"

namespace kernels {

using namespace std::chrono_literals;

// Serves on loopback for the rest of the program.
static std::string serve(weir::http::Handler handler) {
  weir::net::Listener listener = weir::net::listen("tcp", "127.0.0.1:0");
  auto server = std::make_shared<weir::http::Server>(std::move(handler));
  weir::go({.name = "accept"}, [server, listener] { server->serve(listener); });
  return "http://" + listener.addr().to_string() + "/";
}
static const std::string& answering_server() {
  static const std::string url =
      serve([](weir::http::ResponseWriter& w, weir::http::ServerRequest&) { w.write("hello\n"); });
  return url;
}

// Where connections are accepted, kept, and never answered.
static const std::string& silent_peer() {
  static const std::string address = [] {
    weir::net::Listener listener = weir::net::listen("tcp", "127.0.0.1:0");
    weir::go({.name = "silent"}, [listener] {
      for (std::deque<weir::net::Conn> kept;;) kept.push_back(listener.accept());
    });
    return listener.addr().to_string();
  }();
  return address;
}

[[gnu::noinline]] static weir::http::Response body_kept_get(weir::http::Client& client) {
  return client.get(answering_server());
}
static void body_kept(int) {
  static weir::Mutex mu;
  static std::deque<weir::http::Response> log;
  static weir::http::Client client;
  weir::http::Response response = body_kept_get(client);
  const std::scoped_lock hold(mu);
  log.push_back(std::move(response));
}

[[gnu::noinline]] static void body_on_error_get(weir::http::Client& client) {
  weir::http::Response response = client.get(answering_server());
  if (response.status != 404) {
    response.body.release();  // what a forgotten Close is in Go
    return;
  }
  response.body.close();
}
static void body_on_error(int) {
  static weir::http::Client client;
  body_on_error_get(client);
}

[[gnu::noinline]] static void silent_read_answer(const weir::net::Conn& conn) {
  std::array<char, 64> buffer;
  conn.read(buffer.data(), buffer.size());
}
static void silent_read(int) {
  auto conn = weir::net::dial("tcp", silent_peer());
  conn.write("hello\n");
  silent_read_answer(conn);  // no deadline
}

[[gnu::noinline]] static void silent_write_all(const weir::net::Conn& conn) {
  const std::string data(8 << 20, 'x');  // more than the kernels' buffers hold
  conn.write(data);
}
static void silent_write(int) { silent_write_all(weir::net::dial("tcp", silent_peer())); }

[[gnu::noinline]] static void lost_datagram_wait(const weir::net::PacketConn& socket) {
  std::array<char, 64> buffer;
  socket.read_from(buffer.data(), buffer.size());
}
static void lost_datagram(int) {
  lost_datagram_wait(weir::net::listen_packet("udp", "127.0.0.1:0"));
}

[[gnu::noinline]] static void listener_each_accept(const weir::net::Listener& listener) {
  for (;;) (void)listener.accept();
}
static void listener_each(int) {
  auto listener = weir::net::listen("tcp", "127.0.0.1:0");  // for one callback, never closed
  weir::go([listener] { listener_each_accept(listener); });
}

[[gnu::noinline]] static void pipe_silent_read(int fd) {
  weir::blocking([fd] {
    char c;
    return ::read(fd, &c, 1);
  });
}
static void pipe_silent(int) {
  std::array<int, 2> ends;
  if (::pipe(ends.data()) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  pipe_silent_read(ends[0]);  // the writing end is kept open
}

[[gnu::noinline]] static void handler_waits_job(const weir::chan<int>& finished) {
  finished.recv();
}
static void handler_waits(int) {
  static const std::string url =
      serve([](weir::http::ResponseWriter& w, weir::http::ServerRequest&) {
        handler_waits_job(weir::make_chan<int>());  // does not ask the request's context
        w.write("done\n");
      });
  static weir::http::Client client({.timeout = 5ms});
  try {
    (void)client.get(url);
  } catch (const std::system_error&) {
  }
}

[[gnu::noinline]] static void no_answer_get(weir::http::Client& client) {
  (void)client.get("http://" + silent_peer() + "/");
}
static void no_answer(int) {
  static weir::http::Client client;  // without a time limit
  no_answer_get(client);
}

Family io() {
  return {"network, HTTP, system calls",
          {
              {"body_kept",
               "responses are kept for later, with their bodies",
               body_kept,
               {{Kind::http_body, "body_kept_get"}}},
              {"body_on_error",
               "an error path does not close the body",
               body_on_error,
               {{Kind::http_body, "body_on_error_get"}}},
              // Idle connections look like these for hours.
              {"silent_read",
               "reads from a silent peer without a deadline",
               silent_read,
               {{Kind::io_wait, "silent_read_answer", Certainty::suspect}}},
              {"silent_write",
               "writes to a peer that does not read",
               silent_write,
               {{Kind::io_wait, "silent_write_all", Certainty::suspect}}},
              {"lost_datagram",
               "waits for a datagram that was lost",
               lost_datagram,
               {{Kind::io_wait, "lost_datagram_wait", Certainty::suspect}}},
              {"listener_each",
               "a listener for each request, never closed",
               listener_each,
               {{Kind::io_wait, "listener_each_accept", Certainty::suspect}}},
              {"pipe_silent",
               "a system call that does not return",
               pipe_silent,
               {{Kind::syscall, "pipe_silent_read", Certainty::suspect}}},
              {"handler_waits",
               "a handler whose client has gone",
               handler_waits,
               {{Kind::chan_receive, "handler_waits_job"}}},
              {"no_answer",
               "a request without a time limit",
               no_answer,
               {{Kind::chan_receive, "no_answer_get"}}},
          }};
}

}  // namespace kernels
