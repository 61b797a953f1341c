// The network poller: which file descriptors can be read or written, without a thread each. Go's
// netpoll.go over epoll, edge-triggered. The interface is narrow, so that io_uring may stand behind
// it one day.
//
// How IO is done with it, on a non-blocking descriptor:
//   netpollreset; try; while EAGAIN: netpollwait, try again.
// or, where it is known that a try would only say EAGAIN, since the last one left nothing behind
// (see netpollhup): netpollwait; try; ...
//
// The scheduler asks `netpoll` for goroutines whose descriptor became ready: without blocking when
// an M has nothing else to run, blocking in the one M that sleeps until the next timer, and from
// sysmon when nobody asked for 10 ms.
//
// Plain OS threads need none of that: one that waits asks the kernel itself, by poll(2), so it goes
// on also while no weir::run is under way and nobody polls for goroutines.
#pragma once

#include "runtime2.h"

namespace weir::rt {

// What a dump says about a wait for IO. It is the wait object (G::waitobj; G::waitobj_count is 1
// for who waits to write).
struct io_info {
  int fd = -1;
  char network[8] = {};                           // "tcp", "udp", "unix", ...
  char local[introspect::kMaxAddress + 1] = {};   // address, cut where too long
  char remote[introspect::kMaxAddress + 1] = {};  // empty: none
  const void* made_pc = nullptr;                  // of the dial, listen or accept
};

// A registered descriptor. Memory is reused, never freed: a late event or timer may meet another
// descriptor's pollDesc. All that it can do there is to make somebody look once more for nothing.
struct pollDesc;

enum class poll_mode : uint8_t { read, write };
enum class poll_result : uint8_t { ready, closing, timeout };

// Registers fd, which must be non-blocking and, if it connects, have begun to. Null: errno says
// why. The info is copied.
pollDesc* netpollopen(int fd, const io_info& info) noexcept;
// Gives pd back. After netpollunblock, with nobody left in netpollwait; fd is still open.
void netpollclose(pollDesc* pd) noexcept;
// Changes what dumps say, when an address has become known. Nobody is in netpollwait.
void netpollsetinfo(pollDesc* pd, const io_info& info) noexcept;
// Before an attempt to read or write: forgets former readiness, so that a netpollwait after EAGAIN
// waits for what came later. Not ready: closing, or the deadline has passed.
poll_result netpollreset(pollDesc* pd, poll_mode mode) noexcept;
// Parks ("IO wait") until pd is ready (at least since the last reset or wait; now and then for
// nothing), is closed or the deadline passes. One goroutine or thread a mode at a time.
poll_result netpollwait(pollDesc* pd, poll_mode mode);
// Sets the deadline (nanotime; 0: none; in the past: at once) of one mode; who waits and is late is
// woken. Any thread, outside of scopes, no spin_lock held.
void netpolldeadline(pollDesc* pd, poll_mode mode, int64_t when) noexcept;
// pd is being closed: wakes all who wait, and whoever waits later does not.
void netpollunblock(pollDesc* pd) noexcept;
// The peer hung up, an error is pending or urgent data has come. While this is false, a read from a
// TCP socket that got less than it had room for has emptied it, and the next one may begin with
// netpollwait: what comes later makes an event. Once it is true, that says nothing any more (the
// end of the stream makes no second event; a read stops short at urgent data), so try first.
bool netpollhup(const pollDesc* pd) noexcept;

// -- for the scheduler

// Sets the poller up, once; netpollopen does, and whoever wants to sleep in `netpoll` must. False:
// it cannot be had (errno).
bool netpollinit() noexcept;
// netpollinit was called with success.
bool netpollinited() noexcept;
// Goroutines that became ready, linked by schedlink, still Gwaiting (threads among them are woken
// here). delay: ns to block for, 0: not, negative: for ever. One M blocks at a time. Returns early
// at netpollbreak and at signals. Nothing, at once, before netpollinit.
gqueue netpoll(int64_t delay) noexcept;
// Makes a blocking netpoll return, the one that is under way or, if there is none, the next.
void netpollbreak() noexcept;
// Goroutines (not threads) are in netpollwait.
bool netpollanywaiters() noexcept;

}  // namespace weir::rt
