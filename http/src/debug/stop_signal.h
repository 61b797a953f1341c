// Says once, to threads that poll, that the server stops.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <system_error>

namespace weir::http::debug {

class StopSignal {
 public:
  StopSignal() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  }
  ~StopSignal() { close(fd_); }
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  void raise() noexcept {
    raised_ = true;
    eventfd_write(fd_, 1);
  }
  bool raised() const noexcept { return raised_; }
  int fd() const noexcept { return fd_; }  // readable from then on

 private:
  const int fd_;
  std::atomic<bool> raised_{false};
};

}  // namespace weir::http::debug
