// Few requests of a kind at once.
#pragma once

#include <memory>
#include <semaphore>

#include "access.h"
#include "bounds.h"
#include "routes/routes.h"

namespace weir::http::debug {

class Places {
 public:
  explicit Places(const Limits& limits)
      : captures_(limits.captures),
        pictures_(limits.pictures),
        slow_(limits.slow),
        streams_(limits.streams) {}

  // A place among the few of a kind, until the last copy is gone; null: there is none. Must not
  // outlive this. Not for what is cheap.
  std::shared_ptr<void> take(Cost cost) {
    Semaphore& few = cost == Cost::slow      ? slow_
                     : cost == Cost::stream  ? streams_
                     : cost == Cost::picture ? pictures_
                                             : captures_;
    if (!few.try_acquire()) return nullptr;
    return {&few, [](void* at) { static_cast<Semaphore*>(at)->release(); }};
  }

  static Refusal busy() {
    return {503, "busy: others of the kind are under way, try again in a second\n",
            "Retry-After: 1"};
  }

 private:
  using Semaphore = std::counting_semaphore<>;
  Semaphore captures_, pictures_, slow_, streams_;
};

}  // namespace weir::http::debug
