// The connections that http::Client keeps for the next request, by host and port.
#pragma once

#include <weir/http/client.h>
#include <weir/mutex.h>
#include <weir/semaphore.h>

#include <list>
#include <memory>
#include <string>
#include <unordered_map>

#include "tls.h"

namespace weir::http {

class ClientConn;

class ClientPool {
 public:
  explicit ClientPool(ClientOptions o) : options(std::move(o)) {}

  const ClientOptions options;

  // The one that was used last; null: there is none.
  std::shared_ptr<ClientConn> take(const std::string& key);
  // Keeps it. False: there are enough, or the client is gone.
  bool put(std::shared_ptr<ClientConn> conn);
  // Takes this one, if it is still there.
  bool remove(ClientConn& conn);
  // Takes and ends all. `for_good`: and keeps no more.
  void end_all(bool for_good = false) noexcept;

  // Throws http::error.
  const TlsContext& tls();

  // The places of ClientOptions::max_per_host; null: no limit. Lives as long as the pool.
  Semaphore* places(const std::string& key);

 private:
  Mutex mutex_;
  std::unique_ptr<TlsContext> tls_;  // from the first use on
  bool closed_ = false;
  std::list<std::shared_ptr<ClientConn>> idle_;  // the one that was used last first
  std::unordered_map<std::string, std::unique_ptr<Semaphore>> places_;
};

}  // namespace weir::http
