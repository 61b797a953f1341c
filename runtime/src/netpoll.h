// The network poller: which file descriptors can be read or written, without a thread each. Go's
// netpoll.go over epoll, edge-triggered. The interface is narrow, so that io_uring may stand behind
// it one day.
//
// The scheduler asks `netpoll` for goroutines whose descriptor became ready: without blocking when
// an M has nothing else to run, blocking in the one M that sleeps until the next timer, and from
// sysmon when nobody asked for 10 ms.
#pragma once

#include "runtime2.h"

namespace weir::rt {

// What a dump says about a wait for IO.
struct io_info {
  int fd = -1;
  char network[8] = {};                           // "tcp", "udp", "unix", ...
  char local[introspect::kMaxAddress + 1] = {};   // address, cut where too long
  char remote[introspect::kMaxAddress + 1] = {};  // empty: none
};

// A registered descriptor. Memory is reused, never freed: a late event or timer meets a pollDesc,
// though perhaps another one's (it tells by a sequence number).
struct pollDesc;

enum class poll_mode : uint8_t { read, write };
enum class poll_result : uint8_t { ready, closing, timeout };

// Registers fd, which must be non-blocking. Null: errno says why. The info is copied.
pollDesc* netpollopen(int fd, const io_info& info) noexcept;
// Gives pd back. After netpollunblock, with no goroutine left in netpollwait; fd is still open.
void netpollclose(pollDesc* pd) noexcept;
// Before an attempt to read or write: forgets former readiness, so that a netpollwait after EAGAIN
// waits for what came later. Not ready: closing, or the deadline has passed.
poll_result netpollreset(pollDesc* pd, poll_mode mode) noexcept;
// Parks ("IO wait") until pd is ready, is closed or the deadline passes. One goroutine or thread a
// mode at a time.
poll_result netpollwait(pollDesc* pd, poll_mode mode);
// Sets the deadline (nanotime; 0: none; in the past: at once) of one mode; who waits and is late is
// woken.
void netpolldeadline(pollDesc* pd, poll_mode mode, int64_t when) noexcept;
// pd is being closed: wakes all who wait, and whoever waits later.
void netpollunblock(pollDesc* pd) noexcept;
// The peer hung up or an error is pending: a short read does not mean that nothing is there.
bool netpollhup(const pollDesc* pd) noexcept;

// What pd is, for introspection.
const io_info& netpollinfo(const pollDesc* pd) noexcept;

// -- for the scheduler

// Goroutines that became ready, linked by schedlink, still Gwaiting (threads among them are woken
// here). delay: ns to block for, 0: not, negative: for ever. One M blocks at a time.
gqueue netpoll(int64_t delay) noexcept;
// Makes a blocking netpoll return.
void netpollbreak() noexcept;
// Goroutines in netpollwait.
bool netpollanywaiters() noexcept;

}  // namespace weir::rt
