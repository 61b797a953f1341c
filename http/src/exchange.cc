#include "exchange.h"

#include <weir/select.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "wire.h"

namespace weir::http::detail {

namespace {

template <size_t N>
void copy_text(char (&to)[N], std::string_view from) noexcept {
  const size_t n = std::min(from.size(), N - 1);
  std::memcpy(to, from.data(), n);
  to[n] = 0;
}

}  // namespace

Exchange::Exchange(Request r, Url u, std::shared_ptr<const std::string> t, const void* pc)
    : request(std::move(r)), url(std::move(u)), text(std::move(t)) {
  body.made_pc = pc;
  copy_text(body.method, request.method);
  copy_text(body.url, url.to_string());
}

void Exchange::check_context() const {
  if (const std::error_code e = request.context.err()) {
    throw std::system_error(e, "http: " + request.method + " " + url.to_string());
  }
}

size_t Exchange::read(char* to, size_t size) {
  if (is_closed) throw std::logic_error("http: read of a body after close");
  while (taken == piece.size()) {
    if (ended || size == 0) return 0;
    std::optional<std::string> next;
    {
      const weir::detail::waiting_for mark(body);
      next = pieces.recv();
    }
    if (!next) {
      ended = true;
      if (!failure) return 0;
      check_context();
      std::rethrow_exception(std::exchange(failure, nullptr));
    }
    piece = std::move(*next);
    taken = 0;
  }
  const size_t n = std::min(size, piece.size() - taken);
  std::memcpy(to, piece.data() + taken, n);
  taken += n;
  return n;
}

void Exchange::close() noexcept {
  if (std::exchange(is_closed, true)) return;
  closed.close();
  stop();
  if (cancel) (*cancel)();
}

bool Exchange::hand_over(std::string next) {
  bool wanted = true;
  const auto no_more = [&wanted](auto&&) { wanted = false; };
  const weir::detail::waiting_for mark(body);
  select(on_send(pieces, std::move(next)), on_recv(closed, no_more),
         on_recv(request.context.done(), no_more));
  return wanted;
}

void Exchange::stop() noexcept {
  const std::lock_guard hold(mutex);
  if (wire) wire->interrupt();
}

void Exchange::await_head(std::chrono::steady_clock::duration timeout) {
  const std::lock_guard hold(mutex);
  head_timeout = timeout;
  wire->prepare_wait(sending ? timeout.zero() : timeout);
}

void Exchange::got_head() noexcept {
  const std::lock_guard hold(mutex);
  head_timeout = {};
  wire->forget_deadlines();
}

void Exchange::sent_body() noexcept {
  const std::lock_guard hold(mutex);
  sending = false;
  if (wire) wire->limit_wait(head_timeout);
}

void Exchange::detach() noexcept {
  const std::lock_guard hold(mutex);
  wire = nullptr;
}

void Exchange::finish(std::exception_ptr why) {
  if (why && !head_given) {
    head.send(std::move(why));
  } else {
    failure = std::move(why);
  }
  pieces.close();
}

}  // namespace weir::http::detail
