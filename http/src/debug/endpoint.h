// The endpoint, whole: a listening socket, its front, and what is answered. DebugServer in its
// private shape: tests give it limits of their own and other answers.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>

#include <weir/http/debug_server.h>

#include "access.h"
#include "address.h"
#include "bounds.h"
#include "front.h"
#include "places.h"
#include "routes/routes.h"
#include "stop_signal.h"

namespace httplib {
class Stream;
}

namespace weir::http::debug {

// What is answered. As routes.h says of the functions of these names.
struct Site {
  Cost (*cost)(const Query&) = &http::cost;
  Answer (*answer)(const Query&) = &http::answer;
};

class Endpoint final : public Service {
 public:
  explicit Endpoint(const DebugOptions& options, const Limits& limits = {}, const Site& site = {});
  ~Endpoint() override = default;

  const Address& address() const noexcept { return listener_.address(); }

  std::optional<Refusal> refuse(const Request& request) override;
  size_t most_body(const Request& request) const override;
  std::variant<std::shared_ptr<void>, Refusal> admit(const Request& request) override;
  bool serve(Exchange& exchange) override;

 private:
  const Limits limits_;
  const Site site_;
  Listener listener_;
  Access access_;
  Places places_;
  StopSignal stop_;
  std::unique_ptr<Front> front_;  // the first to go
};

// One request through the library and to the answer, over any stream. False: it broke off.
bool serve_request(const Request& request, bool close, const Site& site,
                   const std::shared_ptr<void>& place, const Limits& limits, const StopSignal& stop,
                   httplib::Stream& stream);
// What the library is given to read of a request: what it need not know is left out.
std::string head_for_library(const Request& request);

}  // namespace weir::http::debug
