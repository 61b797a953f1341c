#include "wire.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace weir::http {

namespace {

using Clock = std::chrono::steady_clock;

// To move a deadline costs more than a small request does otherwise. So one that is up to an eighth
// of the timeout too early stays.
template <class Set>
void within(net::time_point& deadline, Wire::duration timeout, Set set) {
  if (timeout <= Wire::duration::zero()) {
    if (deadline == net::kNoDeadline) return;
    deadline = net::kNoDeadline;
  } else {
    const net::time_point want = net::detail::deadline_after(timeout);
    if (deadline <= want && deadline >= want - timeout / 8) return;
    deadline = want;
  }
  set(deadline);
}

}  // namespace

void Wire::read_within(duration timeout) {
  within(read_by_, timeout, [this](net::time_point t) {
    conn_.set_read_deadline(t);
    heed_interrupt();
  });
}

void Wire::write_within(duration timeout) {
  within(write_by_, timeout, [this](net::time_point t) {
    conn_.set_write_deadline(t);
    heed_interrupt();
  });
}

// Whoever interrupts sets the flag first and the deadline then: one of the two comes after ours.
void Wire::heed_interrupt() const {
  if (interrupted_.load()) conn_.set_deadline(Clock::now());
}

void Wire::interrupt() noexcept {
  interrupted_.store(true);
  try {
    conn_.set_deadline(Clock::now());
  } catch (const net::error&) {
    // It was closed, which stops them, too.
  }
}

void Wire::limit_wait(duration timeout) noexcept {
  if (timeout <= duration::zero()) return;
  try {
    conn_.set_read_deadline(net::detail::deadline_after(timeout));
    heed_interrupt();
  } catch (const net::error&) {
    // It was closed.
  }
}

void Wire::take_back() noexcept {
  interrupted_.store(false);
  forget_deadlines();
}

void Wire::consume(size_t n) noexcept {
  begin_ += n;
  if (begin_ == in_.size()) {
    in_.clear();
    begin_ = 0;
  }
}

bool Wire::fill(duration timeout) {
  if (!out_.empty()) flush();  // the other side may wait for it
  read_within(timeout);
  if (begin_ != 0) {
    in_.erase(0, begin_);
    begin_ = 0;
  }
  const size_t had = in_.size();
  in_.resize(had + kBuffer);
  size_t n = 0;
  try {
    n = receive(in_.data() + had, kBuffer);
  } catch (...) {
    in_.resize(had);
    throw;
  }
  in_.resize(had + n);
  return n != 0;
}

void Wire::prepare_wait(duration timeout) {
  if (begin_ == in_.size()) read_within(timeout);
}

bool Wire::wait() {
  if (begin_ != in_.size()) return true;
  // Who waits for long holds no buffers.
  std::string().swap(in_);
  begin_ = 0;
  std::string().swap(head_);
  if (out_.capacity() > kBuffer) std::string().swap(out_);
  char first[512];
  const size_t n = receive(first, sizeof first);
  in_.reserve(kBuffer);
  in_.assign(first, n);
  return n != 0;
}

std::string_view Wire::read_head(size_t max, duration timeout) {
  const auto until = net::detail::deadline_after(timeout);
  size_t looked = 0, size;
  while ((size = head_size(buffered(), looked)) == std::string_view::npos) {
    looked = in_.size() - begin_;
    if (looked > max) throw BadHead(431, "the head is too large");
    duration left{};
    if (timeout > duration::zero()) left = std::max(until - Clock::now(), duration(1));
    if (!fill(left)) throw BadBody("the connection was closed within a head");
  }
  if (size > max) throw BadHead(431, "the head is too large");
  const std::string_view head = buffered().substr(0, size);
  begin_ += size;  // the bytes stay where they are until the next fill
  return head;
}

void Wire::show(Head& head) {
  head_ = std::move(head.for_library);
  head_at_ = 0;
  framing_ = head.framing;
  left_ = head.length;
  chunks_ = {};
  ended_ = framing_ == Framing::none;
  asks_ = false;
}

size_t Wire::read_body(char* to, size_t size, duration timeout) {
  if (ended_ || size == 0) return 0;
  if (asks_) {
    asks_ = false;
    send("HTTP/1.1 100 Continue\r\n\r\n");
  }
  for (;;) {
    std::string_view have = buffered(), piece;
    if (framing_ == Framing::chunked) {
      std::string_view rest = have;
      const ChunkDecoder::State state = chunks_.next(rest, size, piece);
      if (state == ChunkDecoder::State::broken) throw BadBody("malformed chunked encoding");
      std::memcpy(to, piece.data(), piece.size());
      consume(have.size() - rest.size());
      if (state == ChunkDecoder::State::data) return piece.size();
      if (state == ChunkDecoder::State::end) {
        ended_ = true;
        return 0;
      }
    } else if (!have.empty()) {
      size_t n = std::min(have.size(), size);
      if (framing_ == Framing::length) n = static_cast<size_t>(std::min<uint64_t>(n, left_));
      std::memcpy(to, have.data(), n);
      consume(n);
      if (framing_ == Framing::length) ended_ = (left_ -= n) == 0;
      return n;
    }
    if (fill(timeout)) continue;
    if (framing_ != Framing::close) throw BadBody("unexpected EOF");
    ended_ = true;
    return 0;
  }
}

bool Wire::drop_body(uint64_t most, duration timeout) {
  if (longer_than(most)) return false;
  char buffer[1024];
  for (uint64_t dropped = 0; !ended_;) {
    dropped += read_body(buffer, sizeof buffer, timeout);
    if (dropped > most) return false;
  }
  return true;
}

void Wire::transmit(std::string_view bytes) const {
  if (tls_) {
    tls_->write(bytes);
  } else {
    conn_.write(bytes);
  }
}

size_t Wire::receive(char* to, size_t size) {
  return tls_ ? tls_->read(to, size) : conn_.read(to, size);
}

void Wire::start_tls(const TlsContext& context, const std::string& host, duration timeout) {
  auto tls = std::make_unique<Tls>(context, conn_, host);
  read_within(timeout);
  write_within(timeout);
  tls->handshake();
  tls_ = std::move(tls);
}

void Wire::send(std::string_view bytes) {
  out_.append(bytes);
  if (out_.size() >= kFlushAt) flush();
}

void Wire::flush() {
  if (broken_) std::rethrow_exception(write_error_);
  if (out_.empty()) return;
  try {
    write_within(write_timeout_);
    transmit(out_);
  } catch (const std::exception&) {
    broken_ = true;
    write_error_ = std::current_exception();
    throw;
  }
  out_.clear();
}

void Wire::close() const noexcept {
  try {
    conn_.close();
  } catch (const net::error&) {
    // It was closed before.
  }
}

void Wire::await_byte() { read_within({}); }

void Wire::interrupt_read() noexcept {
  try {
    read_by_ = Clock::now();
    conn_.set_read_deadline(read_by_);
  } catch (const net::error&) {
    // It was closed, which stops him, too.
  }
}

void Wire::unread(char c) { in_.push_back(c); }

ssize_t Wire::read(char* to, size_t size) try {
  if (on_read_) std::exchange(on_read_, nullptr)();
  if (head_at_ != head_.size()) {
    const size_t n = std::min(size, head_.size() - head_at_);
    std::memcpy(to, head_.data() + head_at_, n);
    head_at_ += n;
    return static_cast<ssize_t>(n);
  }
  return static_cast<ssize_t>(read_body(to, size, {}));
} catch (const std::exception&) {
  error_ = std::current_exception();
  return -1;
}

ssize_t Wire::write(const char* bytes, size_t size) {
  if (muted_) return static_cast<ssize_t>(size);
  try {
    send({bytes, size});
    return static_cast<ssize_t>(size);
  } catch (const std::exception&) {
    error_ = std::current_exception();
    return -1;
  }
}

}  // namespace weir::http
