// One request of http::Client and its response: what the goroutine that asked and the connection's
// goroutine have in common. The latter hands over the head, then the body piece by piece; it cannot
// go on before a piece has been taken, so a body that nobody reads or closes keeps it.
#pragma once

#include <weir/chan.h>
#include <weir/context.h>
#include <weir/detail/resource.h>
#include <weir/http/client.h>
#include <weir/mutex.h>
#include <weir/semaphore.h>

#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "url.h"

namespace weir::http {

class Wire;

// The connection was of no use before the server had answered anything.
struct Lost : error {
  Lost(const std::string& what, bool sent) : error(what), was_sent(sent) {}
  bool was_sent;  // some of the request may have arrived
};

namespace detail {

struct Exchange {
  Exchange(Request r, Url u, std::shared_ptr<const std::string> t, const void* pc);

  // --- by who asked ---
  size_t read(char* to, size_t size);
  void close() noexcept;
  // The context is done: its error; else nothing.
  void check_context() const;

  // --- by the connection's goroutine ---
  // False: nobody wants the body any more.
  bool hand_over(std::string piece);
  // From here on close() and the context do not touch the connection.
  void detach() noexcept;
  // The last word, after detach: no more pieces. `why` is null at the regular end.
  void finish(std::exception_ptr why);
  // Makes the connection's goroutine stop reading and writing, where it does.
  void stop() noexcept;
  // The head is waited for from here on, no longer than `timeout` from when the request was sent.
  void await_head(std::chrono::steady_clock::duration timeout);
  void got_head() noexcept;
  // By whoever has sent the body.
  void sent_body() noexcept;

  // Fixed from the start.
  const Request request;
  const Url url;
  const std::shared_ptr<const std::string> text;  // the request's body, where it is not in pieces
  bool decompress = false;
  bool kept = false;                 // the connection has served requests before
  Semaphore* place = nullptr;        // to be released; null: none
  std::optional<CancelFunc> cancel;  // of request.context, where it is ours (a timeout)

  // Of a channel's elements: the head without its body, or why there is none.
  using Head = std::variant<Response, std::exception_ptr>;
  chan<Head> head = make_chan<Head>(1);
  chan<std::string> pieces = make_chan<std::string>();
  chan<bool> closed = make_chan<bool>();  // by close(): no more will be read
  weir::detail::http_body body;           // for dumps; written before the head is handed over

  Mutex mutex;           // protects the next
  Wire* wire = nullptr;  // of the goroutine that serves it; null before and after that
  bool sending = false;  // the body, by a goroutine of its own
  std::chrono::steady_clock::duration head_timeout{};  // zero: the head is not waited for

  bool head_given = false;  // the connection's goroutine's: there is a response
  // Set before pieces is closed, where there is a response. An exception has one owner, who frees
  // it: ThreadSanitizer does not see how libstdc++ counts several.
  std::exception_ptr failure;

  // The reader's alone.
  std::string piece;
  size_t taken = 0;  // bytes of it
  bool is_closed = false, ended = false;
};

}  // namespace detail

}  // namespace weir::http
