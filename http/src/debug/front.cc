// The connections (front.h).

#include "front.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

namespace weir::http::debug {

namespace {

constexpr size_t kPiece = 16 << 10;  // bytes, received at once
// Connections, before those who knock are let in, and answers sent: they are not to wait until each
// of a thousand has had its turn.
constexpr int kEvents = 16;
constexpr std::chrono::milliseconds kNoDescriptors{100};

Refusal busy() { return {503, "busy: try again in a second\n", "Retry-After: 1"}; }

int checked(int fd, const char* what) {
  if (fd < 0) throw std::system_error(errno, std::generic_category(), what);
  return fd;
}

}  // namespace

struct Front::Connection {
  Connection(int connected, const Limits& limits)
      : fd(connected), reader(std::in_place, limits.head, limits.most_body()) {}
  ~Connection() { ::close(fd); }

  const int fd;
  State state = kReading;
  List::iterator self;  // in the list of its state
  Clock::time_point deadline;
  uint32_t watched = 0;  // epoll's events
  size_t counted = 0;    // of buffered_
  size_t served = 0;     // requests

  std::string input;  // received and not yet taken by the reader
  std::optional<RequestReader> reader;
  bool checked = false;  // the head
  Exchange exchange;
  bool whole = true;  // the answer did not break off
  std::string out;    // to be sent
  size_t sent = 0;    // of it
  bool close_after = false;
};

Front::Front(Listener& listener, Service& service, const Limits& limits, StopSignal& stop)
    : listener_(listener),
      service_(service),
      limits_(limits),
      stop_(stop),
      epoll_(checked(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
      wake_(checked(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")),
      reserve_(fcntl(wake_, F_DUPFD_CLOEXEC, 0)) {
  for (const int fd : {listener_.fd(), wake_, stop_.fd()}) {
    epoll_event e{EPOLLIN, {}};
    e.data.ptr = fd == listener_.fd() ? &listener_ : nullptr;
    checked(epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &e), "epoll_ctl");
  }
  try {
    for (int i = 0; i < limits_.workers(); i++) workers_.emplace_back([this] { work(); });
    thread_ = std::thread([this] { run(); });
  } catch (...) {  // the process may have no more threads
    end();
    throw;
  }
}

Front::~Front() { end(); }

void Front::end() noexcept {
  stop_.raise();
  if (thread_.joinable()) thread_.join();
  {
    std::scoped_lock hold(mu_);
    done_ = true;
  }
  queued_.notify_all();
  for (std::thread& t : workers_) t.join();
  for (const int fd : {epoll_, wake_, reserve_}) ::close(fd);
}

void Front::work() {
  std::unique_lock hold(mu_);
  for (;;) {
    queued_.wait(hold, [this] { return done_ || !queue_.empty(); });
    if (queue_.empty()) return;
    Connection& c = *queue_.front();
    queue_.pop_front();
    hold.unlock();
    c.whole = service_.serve(c.exchange);
    c.exchange.place.reset();
    hold.lock();
    returned_.push_back(&c);
    eventfd_write(wake_, 1);
  }
}

void Front::run() {
  std::array<epoll_event, kEvents> events;
  do {
    const int n = epoll_wait(epoll_, events.data(), kEvents, next_timeout());
    now_ = Clock::now();
    bool knocked = accept_again_ ? now_ >= *accept_again_ : n == kEvents;
    for (int i = 0; i < n; i++) {
      void* const who = events[static_cast<size_t>(i)].data.ptr;
      if (who == &listener_) {
        knocked = true;
      } else if (who) {
        ready(*static_cast<Connection*>(who));
      }
    }
    if (stop_.raised() && !draining_) begin_drain();
    take_back();
    if (knocked && !draining_) accept_all();
    expire();
    bound_memory();
    bury();
  } while (!draining_ || open_ > 0);
}

int Front::next_timeout() const {
  std::optional<Clock::time_point> first = accept_again_;
  for (const State s : {kReading, kIdle, kWriting, kLingering}) {
    if (lists_[s].empty()) continue;
    const Clock::time_point d = lists_[s].front()->deadline;
    if (!first || d < *first) first = d;
  }
  if (!first) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*first - Clock::now());
  return static_cast<int>(std::clamp<long long>(left.count(), 0, 60'000));
}

void Front::accept_all() {
  if (accept_again_) {
    accept_again_.reset();
    epoll_event e{EPOLLIN, {}};
    e.data.ptr = &listener_;
    epoll_ctl(epoll_, EPOLL_CTL_MOD, listener_.fd(), &e);
  }
  for (int i = 0; i < kEvents; i++) {
    const int fd = accept4(listener_.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      add(fd);
    } else if (errno == EMFILE || errno == ENFILE) {
      // The program has used up its file descriptors, which somebody may want to look into. It is
      // told so even where nobody knocks.
      pollfd knock{listener_.fd(), POLLIN, 0};
      if (poll(&knock, 1, 0) <= 0) return;
      if (reserve_ >= 0) {
        ::close(std::exchange(reserve_, -1));
      } else if (!make_room()) {
        epoll_event none{0, {}};
        none.data.ptr = &listener_;
        epoll_ctl(epoll_, EPOLL_CTL_MOD, listener_.fd(), &none);
        accept_again_ = now_ + kNoDescriptors;
        return;
      }
    } else if (errno == EAGAIN) {
      return;
    }
    // Other errors are those of a connection that has gone already: the next one.
  }
}

void Front::add(int fd) {
  auto fresh = std::make_unique<Connection>(fd, limits_);
  if (open_ >= limits_.connections && !make_room()) return;
  const int yes = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);  // no such thing on a unix socket
  Connection& c = *fresh;
  lists_[kReading].push_back(std::move(fresh));
  c.self = std::prev(lists_[kReading].end());
  c.deadline = now_ + time_of(kReading);
  open_++;
  watch(c, EPOLLIN);
  receive(c);  // often it is there already, and then nobody can push it out before
}

// Closes the connection that is of least use: of those that nobody is at work for, one whose
// answer has been sent, one without a request, or the one that takes longest. A client that sends
// its request at once is none of them.
bool Front::make_room() {
  for (const State s : {kLingering, kIdle, kReading, kWriting}) {
    if (lists_[s].empty()) continue;
    close(*lists_[s].front());
    bury();  // now: it is the file descriptor that is wanted
    return true;
  }
  return false;
}

// Frees those that are closed.
void Front::bury() {
  lists_[kClosed].clear();
  if (reserve_ < 0) reserve_ = fcntl(wake_, F_DUPFD_CLOEXEC, 0);
}

void Front::take_back() {
  eventfd_t times;
  eventfd_read(wake_, &times);
  std::vector<Connection*> all;
  {
    std::scoped_lock hold(mu_);
    all.swap(returned_);
  }
  for (Connection* const each : all) {
    Connection& c = *each;
    if (!c.whole) {
      close(c);
      continue;
    }
    c.out = std::move(c.exchange.answer);
    c.close_after = c.exchange.close;
    c.exchange = {};
    count(c);
    if (flush(c) && answered(c)) read_requests(c);
  }
}

void Front::expire() {
  for (const State s : {kReading, kIdle, kWriting, kLingering}) {
    while (!lists_[s].empty() && lists_[s].front()->deadline <= now_) {
      Connection& c = *lists_[s].front();
      if (s == kReading && c.reader->begun()) {
        refuse(c, {408, "request timeout: it took too long to come\n", {}}, true);
        flush(c);
      }
      close(c);
    }
  }
}

// Gives up who does not read its answer, then who has taken longest to send a request.
void Front::bound_memory() {
  while (buffered_ > limits_.buffered) {
    if (!lists_[kWriting].empty()) {
      close(*lists_[kWriting].front());
    } else if (!lists_[kReading].empty()) {
      Connection& c = *lists_[kReading].front();
      refuse(c, busy(), true);
      if (flush(c)) answered(c);
    } else {
      return;
    }
  }
}

void Front::begin_drain() {
  draining_ = true;
  accept_again_.reset();
  listener_.close();
  // stop_ stays readable: it would wake the front for ever.
  epoll_ctl(epoll_, EPOLL_CTL_DEL, stop_.fd(), nullptr);
  for (const State s : {kReading, kIdle, kLingering}) {
    while (!lists_[s].empty()) close(*lists_[s].front());
  }
  for (const auto& c : lists_[kWriting]) {
    c->deadline = std::min(c->deadline, now_ + limits_.patience.farewell);
  }
}

void Front::ready(Connection& c) {
  switch (c.state) {
    case kReading:
    case kIdle:
      receive(c);
      break;
    case kWriting:
      if (flush(c) && answered(c)) read_requests(c);
      break;
    case kLingering:
      discard(c);
      break;
    case kWorking:  // not watched
    case kClosed:   // by what came before it in the same round
    case kStates:
      break;
  }
}

void Front::receive(Connection& c) {
  char piece[kPiece];
  const ssize_t n = recv(c.fd, piece, sizeof piece, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) return close(c);
  c.input.append(piece, static_cast<size_t>(n));
  if (c.state == kIdle) enter(c, kReading);
  read_requests(c);
}

// After the last answer: what the client still sends, so that its end of the connection does not
// break off while it reads.
void Front::discard(Connection& c) {
  char piece[kPiece];
  const ssize_t n = recv(c.fd, piece, sizeof piece, MSG_DONTWAIT);
  if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) close(c);
}

// Goes on with what has been received until there is something to wait for.
void Front::read_requests(Connection& c) {
  while (step(c)) {
  }
}

// False: the client, a worker or nobody is waited for.
bool Front::step(Connection& c) {
  RequestReader& reader = *c.reader;
  c.input.erase(0, reader.feed(c.input));
  if (c.input.empty()) c.input = {};  // without the memory
  switch (reader.state()) {
    case RequestReader::State::head:
      watch(c, EPOLLIN);
      count(c);
      return false;
    case RequestReader::State::body:
      if (!c.checked && !check(c)) break;
      if (!c.input.empty()) return true;
      watch(c, EPOLLIN);
      count(c);
      return false;
    case RequestReader::State::complete:
      if (!c.checked && !check(c)) break;
      dispatch(c);
      if (c.state == kWorking) return false;
      break;
    case RequestReader::State::failed:
      refuse(c, {reader.status(), std::string("bad request: ") + reader.why() + "\n", {}}, true);
      break;
  }
  return flush(c) && answered(c);
}

// Whether the request may go on, by its head; else it has been refused.
bool Front::check(Connection& c) {
  c.checked = true;
  RequestReader& reader = *c.reader;
  const bool has_body = reader.state() == RequestReader::State::body;
  if (const auto why = service_.refuse(reader.request())) {
    refuse(c, *why, has_body);  // rather than take a body from whom it is not wanted from
    return false;
  }
  reader.bound_body(service_.most_body(reader.request()));
  if (reader.state() == RequestReader::State::failed) {
    refuse(c, {reader.status(), std::string("bad request: ") + reader.why() + "\n", {}}, true);
    return false;
  }
  // A body means nothing with GET; it is taken, since it stands before the next request.
  if (reader.request().method != "POST") reader.pass_over_body();
  if (has_body && reader.request().expects_continue && c.input.empty()) {
    constexpr std::string_view kGoOn = "HTTP/1.1 100 Continue\r\n\r\n";
    send(c.fd, kGoOn.data(), kGoOn.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  }
  return true;
}

void Front::dispatch(Connection& c) {
  auto admitted = service_.admit(c.reader->request());
  if (const Refusal* const why = std::get_if<Refusal>(&admitted)) return refuse(c, *why, false);
  std::unique_lock hold(mu_);
  auto& place = std::get<std::shared_ptr<void>>(admitted);
  // Those that have a place are few, and have a worker each.
  if (!place && queue_.size() >= limits_.queued) {
    hold.unlock();
    return refuse(c, busy(), false);
  }
  c.exchange.fd = c.fd;
  c.exchange.request = std::move(c.reader->request());
  c.exchange.place = std::move(place);
  c.exchange.close =
      !c.exchange.request.keep_alive || ++c.served >= limits_.requests_each || draining_;
  watch(c, 0);
  enter(c, kWorking);
  count(c);
  queue_.push_back(&c);
  hold.unlock();
  queued_.notify_one();
}

// Makes a refusal the connection's answer.
void Front::refuse(Connection& c, const Refusal& why, bool close) {
  const Request& request = c.reader->request();
  c.close_after = close || !request.keep_alive || draining_;
  c.out = as_answer(why, request.method != "HEAD", c.close_after);
}

// Sends what is to be sent; false: not all of it, or the connection is closed.
bool Front::flush(Connection& c) {
  while (c.sent < c.out.size()) {
    const ssize_t n =
        send(c.fd, c.out.data() + c.sent, c.out.size() - c.sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n >= 0) {
      c.sent += static_cast<size_t>(n);
    } else if (errno == EAGAIN) {
      if (c.state != kWriting) enter(c, kWriting);
      watch(c, EPOLLOUT);
      count(c);
      return false;
    } else if (errno != EINTR) {
      close(c);
      return false;
    }
  }
  c.out = {};
  c.sent = 0;
  return true;
}

// After an answer: whether there is more to read that has been received already.
bool Front::answered(Connection& c) {
  if (draining_) {
    close(c);
    return false;
  }
  if (c.close_after) {
    shutdown(c.fd, SHUT_WR);
    c.input = {};
    c.reader.emplace(limits_.head, limits_.most_body());
    enter(c, kLingering);
    watch(c, EPOLLIN);
    count(c);
    return false;
  }
  c.reader.emplace(limits_.head, limits_.most_body());
  c.checked = false;
  const bool more = !c.input.empty();
  enter(c, more ? kReading : kIdle);
  if (!more) watch(c, EPOLLIN);
  count(c);
  return more;
}

std::chrono::milliseconds Front::time_of(State state) const noexcept {
  switch (state) {
    case kReading:
      return limits_.request;
    case kIdle:
      return limits_.idle;
    case kWriting:
      return draining_ ? limits_.patience.farewell : limits_.patience.piece;
    case kLingering:
      return limits_.linger;
    case kWorking:
    case kClosed:
    case kStates:
      break;
  }
  return {};
}

// To the end of the list: each state has one time, so that a list is in the order of deadlines.
void Front::enter(Connection& c, State state) {
  List& to = lists_[state];
  to.splice(to.end(), lists_[c.state], c.self);
  c.state = state;
  c.deadline = now_ + time_of(state);
}

void Front::watch(Connection& c, uint32_t events) {
  if (c.watched == events) return;
  epoll_event e{events, {}};
  e.data.ptr = &c;
  // With no event at all the end of the connection would still be told, again and again.
  const int what = c.watched == 0 ? EPOLL_CTL_ADD : events == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
  epoll_ctl(epoll_, what, c.fd, &e);
  c.watched = events;
}

void Front::count(Connection& c) {
  const size_t held = c.input.capacity() + c.reader->held() + c.out.size();
  buffered_ = buffered_ - c.counted + held;
  c.counted = held;
}

void Front::close(Connection& c) {
  if (c.state == kClosed) return;
  watch(c, 0);
  buffered_ -= std::exchange(c.counted, 0);
  open_--;
  enter(c, kClosed);  // until the round is over: an event of it may still be to come
  shutdown(c.fd, SHUT_RDWR);
}

}  // namespace weir::http::debug
