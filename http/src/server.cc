// Server: accepts connections, knows those that are open, and ends them.

#include <weir/http/server.h>

#include <weir/go.h>
#include <weir/select.h>
#include <weir/time.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <mutex>
#include <utility>

#include "server_conn.h"
#include "server_impl.h"

namespace weir::http {

namespace {

void close_all(const std::vector<net::Listener>& listeners) noexcept {
  for (const net::Listener& l : listeners) {
    try {
      l.close();
    } catch (const net::error&) {
      // Its owner has closed it.
    }
  }
}

}  // namespace

Server::Impl::Impl(Handler h, ServerOptions o)
    : handler(std::move(h)),
      options(std::move(o)),
      context(with_cancel(options.context)),
      drained(make_chan<bool>()) {
  if (options.max_connections != 0) places.emplace(options.max_connections);
  protocol.set_pre_routing_handler([](const httplib::Request& request, httplib::Response&) {
    // The request is the library's own variable, which it does not look at any more.
    ServerConn::of(request).take(std::move(const_cast<httplib::Request&>(request)));
    return httplib::Server::HandlerResponse::Handled;
  });
}

void Server::Impl::log(const std::string& what) const {
  if (options.log) {
    options.log("http: " + what);
  } else {
    std::fprintf(stderr, "weir: http: %s\n", what.c_str());
  }
}

bool Server::Impl::add(ServerConn& conn) {
  const std::lock_guard hold(mutex);
  if (!open()) return false;
  conns.insert(&conn);
  count.store(conns.size(), std::memory_order_relaxed);
  return true;
}

void Server::Impl::remove(ServerConn& conn) {
  const std::lock_guard hold(mutex);
  if (conns.erase(&conn) == 0) return;
  count.store(conns.size(), std::memory_order_relaxed);
  if (conns.empty() && state.load() != State::open) drained.close();
}

Server::Server(Handler handler, ServerOptions options)
    : impl_(std::make_shared<Impl>(std::move(handler), std::move(options))) {}

Server::~Server() {
  close();
  impl_->goroutines.wait();
}

// A connection's place, and its goroutine's part of what ~Server waits for; given back when the
// goroutine ends, or if it cannot be started.
struct Server::Counted {
  explicit Counted(std::shared_ptr<Impl> i) noexcept : impl(std::move(i)) {}
  Counted(Counted&&) noexcept = default;
  ~Counted() {
    if (!impl) return;
    if (impl->places) impl->places->release();
    impl->goroutines.done();
  }
  std::shared_ptr<Impl> impl;
};

void Server::serve(net::Listener listener) {
  const std::shared_ptr<Impl> impl = impl_;
  {
    const std::lock_guard hold(impl->mutex);
    if (!impl->open()) {
      listener.close();
      return;
    }
    impl->listeners.push_back(listener);
  }
  std::chrono::milliseconds pause{5};
  for (;;) {
    if (impl->places && !impl->places->acquire(impl->context.first)) return;
    net::Conn conn;
    try {
      conn = listener.accept();
      pause = std::chrono::milliseconds(5);
    } catch (const net::error& e) {
      if (impl->places) impl->places->release();
      if (!impl->open()) return;
      if (!e.temporary()) throw;
      sleep_for(pause);  // until somebody closes a descriptor, as Go does
      pause = std::min(pause * 2, std::chrono::milliseconds(1000));
      continue;
    }
    {
      // Whoever closes the server waits for the goroutines next.
      const std::lock_guard hold(impl->mutex);
      if (!impl->open()) {
        if (impl->places) impl->places->release();
        return;
      }
      impl->goroutines.add(1);
    }
    go({.stack_size = impl->options.stack_size},
       [counted = Counted(impl), conn = std::move(conn)]() mutable {
         ServerConn(counted.impl, std::move(conn)).serve();
       });
  }
}

void Server::listen_and_serve(std::string_view address) { serve(net::listen("tcp", address)); }

void Server::shutdown(const Context& ctx) {
  {
    const std::lock_guard hold(impl_->mutex);
    if (impl_->open()) {
      impl_->state.store(Impl::State::draining);
      close_all(impl_->listeners);
      for (ServerConn* conn : impl_->conns) conn->close_if_idle();
      if (impl_->conns.empty()) impl_->drained.close();
    }
  }
  bool done = false;
  select(on_recv(impl_->drained), on_recv(ctx.done(), [&](auto&&) { done = true; }));
  if (!done) return;
  close();
  throw std::system_error(ctx.err(), "http: shutdown");
}

void Server::close() {
  const std::lock_guard hold(impl_->mutex);
  const auto before = impl_->state.exchange(Impl::State::closed);
  if (before == Impl::State::closed) return;
  if (before == Impl::State::open) {
    close_all(impl_->listeners);
    if (impl_->conns.empty()) impl_->drained.close();
  }
  for (ServerConn* conn : impl_->conns) conn->close_now();
  // Then, so that nobody who returns for it is still answered.
  impl_->context.second();
}

size_t Server::connections() const noexcept { return impl_->count.load(std::memory_order_relaxed); }

}  // namespace weir::http
