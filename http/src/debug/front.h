// The connections: one thread that accepts, reads requests and sends what is small, without ever
// waiting for a single client; and a few workers, which get whole requests only.
//
// Invariants: a connection belongs to the front's thread, but while it is `working`, when it is one
// worker's; each state but that has a deadline which no byte of the client's puts off, so a client
// that is slow on purpose holds its connection for a while and nothing else; connections, bytes
// held for them and requests that wait for a worker are bounded, and who connects gets in: a
// connection that is of less use makes room.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "access.h"
#include "address.h"
#include "bounds.h"
#include "request_reader.h"
#include "stop_signal.h"

namespace weir::http::debug {

// A whole request, and what becomes of it.
struct Exchange {
  int fd = -1;  // where the answer goes, unless it is collected
  Request request;
  std::shared_ptr<void> place;  // among the few of its kind; null: it is cheap
  bool close = false;           // answer that the connection will be closed
  std::string answer;           // collected: what the front is to send
};

// What requests mean.
class Service {
 public:
  virtual ~Service() = default;
  // On the front's thread, once the head is there. Must not wait.
  virtual std::optional<Refusal> refuse(const Request& request) = 0;
  // Likewise: bytes that the body of a request may have.
  virtual size_t most_body(const Request& request) const = 0;
  // Likewise, once the request is whole: a place among the few that may be under way (null where
  // none is needed), or why there is none.
  virtual std::variant<std::shared_ptr<void>, Refusal> admit(const Request& request) = 0;
  // On a worker. With a place it may wait for the client to read what it writes to `fd`; without,
  // the answer is collected. False: the answer broke off.
  virtual bool serve(Exchange& exchange) = 0;
};

class Front {
 public:
  // Starts the threads. All three must outlive it.
  Front(Listener& listener, Service& service, const Limits& limits, StopSignal& stop);
  // Raises `stop`, waits for the requests under way.
  ~Front();
  Front(const Front&) = delete;
  Front& operator=(const Front&) = delete;

 private:
  using Clock = std::chrono::steady_clock;
  enum State : uint8_t { kReading, kIdle, kWorking, kWriting, kLingering, kClosed, kStates };
  struct Connection;
  using List = std::list<std::unique_ptr<Connection>>;

  void run();
  void work();
  void end() noexcept;
  int next_timeout() const;  // ms, for epoll_wait
  void accept_all();
  bool make_room();
  void bury();
  void add(int fd);
  void take_back();
  void expire();
  void bound_memory();
  void begin_drain();

  void ready(Connection& c);
  void receive(Connection& c);
  void discard(Connection& c);
  void read_requests(Connection& c);
  bool step(Connection& c);
  bool check(Connection& c);
  void dispatch(Connection& c);
  void refuse(Connection& c, const Refusal& why, bool close);
  bool flush(Connection& c);
  bool answered(Connection& c);
  void enter(Connection& c, State state);
  void watch(Connection& c, uint32_t events);
  void count(Connection& c);
  void close(Connection& c);
  std::chrono::milliseconds time_of(State state) const noexcept;

  Listener& listener_;
  Service& service_;
  const Limits limits_;
  StopSignal& stop_;
  const int epoll_, wake_;
  int reserve_;  // a file descriptor to accept one more with, where the process has none left

  // The front thread's.
  std::array<List, kStates> lists_;  // in the order of their deadlines
  size_t open_ = 0, buffered_ = 0;   // connections; bytes held for them
  Clock::time_point now_;
  bool draining_ = false;
  std::optional<Clock::time_point> accept_again_;  // after a shortage of file descriptors

  std::mutex mu_;  // queue_, returned_, done_
  std::condition_variable queued_;
  std::deque<Connection*> queue_;
  std::vector<Connection*> returned_;
  bool done_ = false;

  std::vector<std::thread> workers_;
  std::thread thread_;
};

}  // namespace weir::http::debug
