// A worker's side of a connection (socket_stream.h).

#include "socket_stream.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace weir::http::debug {

bool peer_is_there(int fd) noexcept {
  pollfd p{fd, POLLRDHUP, 0};
  return poll(&p, 1, 0) <= 0 || (p.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)) == 0;
}

ssize_t SocketStream::read(char* to, size_t size) {
  const size_t n = std::min(size, request_.size());
  std::memcpy(to, request_.data(), n);
  request_.remove_prefix(n);
  return static_cast<ssize_t>(n);
}

ssize_t SocketStream::write(const char* from, size_t size) {
  if (failed_) return -1;
  if (collected_) {
    if (size > most_ - std::min(most_, collected_->size())) {
      failed_ = true;
      return -1;
    }
    collected_->append(from, size);
    return static_cast<ssize_t>(size);
  }
  const Clock::time_point end = Clock::now() + patience_.piece + patience_.for_bytes(size);
  for (size_t at = 0; at < size;) {
    const ssize_t n = send(fd_, from + at, size - at, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) {
      at += static_cast<size_t>(n);
      continue;
    }
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN && wait_for_reader(end)) continue;
    failed_ = true;
    return -1;
  }
  return static_cast<ssize_t>(size);
}

bool SocketStream::wait_for_reader(Clock::time_point end) {
  for (;;) {
    const Clock::time_point start = Clock::now();
    const bool stopping = stop_.raised();
    auto left = end - start;
    if (stopping) left = std::min<Clock::duration>(left, patience_.farewell - since_stop_);
    if (left <= Clock::duration::zero()) return false;
    pollfd both[] = {{fd_, POLLOUT, 0}, {stop_.fd(), POLLIN, 0}};
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    const int ready = poll(both, stopping ? 1 : 2, static_cast<int>(ms));
    if (stopping) since_stop_ += Clock::now() - start;
    if (ready < 0 && errno != EINTR) return false;
    if (ready > 0 && both[0].revents != 0) return true;  // an error is told by the next send
  }
}

}  // namespace weir::http::debug
