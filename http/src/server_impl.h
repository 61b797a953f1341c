// What the connections of a server share.
#pragma once

#include <weir/chan.h>
#include <weir/context.h>
#include <weir/http/server.h>
#include <weir/mutex.h>
#include <weir/semaphore.h>
#include <weir/wait_group.h>

#include <atomic>
#include <optional>
#include <unordered_set>
#include <vector>

#include "protocol.h"

namespace weir::http {

struct Server::Impl {
  enum class State : uint8_t { open, draining, closed };

  Impl(Handler h, ServerOptions o);

  // A new connection: false: too late.
  bool add(ServerConn& conn);
  void remove(ServerConn& conn);
  bool open() const noexcept { return state.load() == State::open; }
  void log(const std::string& what) const;

  const Handler handler;
  const ServerOptions options;
  const std::pair<Context, CancelFunc> context;
  ServerProtocol protocol;
  std::optional<Semaphore> places;  // max_connections
  WaitGroup goroutines;

  Mutex mutex;  // protects the following
  std::unordered_set<ServerConn*> conns;
  std::vector<net::Listener> listeners;
  chan<bool> drained;  // closed once draining has left no connection

  std::atomic<State> state{State::open};
  std::atomic<size_t> count{0};  // of conns
};

}  // namespace weir::http
