// A connection of http::Client, and its goroutine. Go: persistConn and its readLoop.
#pragma once

#include <weir/chan.h>

#include <atomic>
#include <exception>
#include <memory>
#include <optional>
#include <string>

#include "client_pool.h"
#include "exchange.h"
#include "gunzip.h"
#include "protocol.h"
#include "wire.h"

namespace weir::http {

class ClientConn : public std::enable_shared_from_this<ClientConn> {
 public:
  ClientConn(std::shared_ptr<ClientPool> pool, std::string key, std::unique_ptr<Wire> wire);

  // Starts its goroutine with a first request.
  void start(std::shared_ptr<detail::Exchange> first);
  // One that is idle, and that the pool has given away: the next request.
  void again(std::shared_ptr<detail::Exchange> next);
  // One that is idle, and that the pool has given away: ends it.
  void end() noexcept;

  const std::string& key() const noexcept { return key_; }

 private:
  void read_loop(std::shared_ptr<detail::Exchange> x);
  // The next request; null: there will be none.
  std::shared_ptr<detail::Exchange> wait_for_request();
  // False: the connection is of no use any more.
  bool serve(const std::shared_ptr<detail::Exchange>& exchange);
  bool run(const std::shared_ptr<detail::Exchange>& exchange);
  httplib::Request library_request(const std::shared_ptr<detail::Exchange>& exchange);
  void send_large_body(const std::shared_ptr<detail::Exchange>& exchange);
  void read_head(detail::Exchange& x);
  void give_head(detail::Exchange& x);
  bool take_body(detail::Exchange& x, std::string_view bytes);

  const std::shared_ptr<ClientPool> pool_;
  const std::string key_;
  const std::unique_ptr<Wire> wire_;
  ClientProtocol protocol_;
  chan<std::shared_ptr<detail::Exchange>> requests_;  // room for one

  // Of the request that is served.
  Head head_;
  bool answered_ = false;             // bytes of a response have come
  bool has_head_ = false;             // it was handed over
  std::optional<Response> bodyless_;  // handed over once the connection can be used again
  std::optional<Gunzip> gunzip_;      // what it has of the body
  std::exception_ptr damaged_;        // what it could not take
  chan<std::exception_ptr> upload_;   // not nil: a goroutine sends the body; its end, and why
};

}  // namespace weir::http
