#include "client_pool.h"

#include <algorithm>
#include <mutex>

#include "client_conn.h"

namespace weir::http {

// At most ClientOptions::max_idle connections stand in the list, so that it is looked through.

std::shared_ptr<ClientConn> ClientPool::take(const std::string& key) {
  const std::lock_guard hold(mutex_);
  const auto found = std::find_if(idle_.begin(), idle_.end(),
                                  [&key](const auto& conn) { return conn->key() == key; });
  if (found == idle_.end()) return nullptr;
  std::shared_ptr<ClientConn> conn = std::move(*found);
  idle_.erase(found);
  return conn;
}

bool ClientPool::put(std::shared_ptr<ClientConn> conn) {
  std::shared_ptr<ClientConn> too_many;
  {
    const std::lock_guard hold(mutex_);
    if (closed_ || options.max_idle == 0) return false;
    const auto alike = std::count_if(idle_.begin(), idle_.end(), [&conn](const auto& other) {
      return other->key() == conn->key();
    });
    if (static_cast<size_t>(alike) >= options.max_idle_per_host) return false;
    if (idle_.size() >= options.max_idle) {
      too_many = std::move(idle_.back());
      idle_.pop_back();
    }
    idle_.push_front(std::move(conn));
  }
  if (too_many) too_many->end();
  return true;
}

bool ClientPool::remove(ClientConn& conn) {
  const std::lock_guard hold(mutex_);
  return std::erase_if(idle_, [&conn](const auto& one) { return one.get() == &conn; }) != 0;
}

void ClientPool::end_all(bool for_good) noexcept {
  std::list<std::shared_ptr<ClientConn>> all;
  {
    const std::lock_guard hold(mutex_);
    closed_ |= for_good;
    all.swap(idle_);
  }
  for (const auto& conn : all) conn->end();
}

const TlsContext& ClientPool::tls() {
  const std::lock_guard hold(mutex_);
  if (!tls_) tls_ = std::make_unique<TlsContext>(options.ca_file, options.verify);
  return *tls_;
}

Semaphore* ClientPool::places(const std::string& key) {
  if (options.max_per_host == 0) return nullptr;
  const std::lock_guard hold(mutex_);
  auto& places = places_[key];
  if (!places) places = std::make_unique<Semaphore>(options.max_per_host);
  return places.get();
}

}  // namespace weir::http
