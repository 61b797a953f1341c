#include "words.h"

namespace weir::profiler::causes {

const char* fix_of(Kind k) noexcept {
  switch (k) {
    case Kind::nil_channel:
      return "Make the channel (make_chan; in Go: make) before it is used: one that was only "
             "declared "
             "is nil.";
    case Kind::chan_send:
      return "Receive on every path, or give the channel a capacity for all that may be sent, or "
             "let the sender select on a context that is cancelled when the receiver goes.";
    case Kind::chan_receive:
      return "Close the channel when nothing more will be sent, or let the receiver select on a "
             "context that is cancelled at the end.";
    case Kind::select:
      return "Add a case that ends the wait (a context's done channel, a closed channel, a time "
             "limit), and see that whoever starts this also stops it.";
    case Kind::select_no_cases:
      return "Wait for something that comes, such as the end of the program, instead of an empty "
             "select.";
    case Kind::mutex_forgotten_unlock:
      return "Hold locks by std::scoped_lock or std::shared_lock (in Go: defer Unlock), so that "
             "every return and every exception gives them back.";
    case Kind::mutex:
      return "See what the holder does with the lock: nothing that blocks should be done while it "
             "is held.";
    case Kind::rwmutex:
      return "See what the holders do with the lock: nothing that blocks should be done while it "
             "is "
             "held, and a reader must not lock it a second time.";
    case Kind::waitgroup:
      return "Call Done once for each that Add counted, on every path: by a guard (in Go: defer), "
             "or "
             "start the goroutines by WaitGroup::go.";
    case Kind::cond:
      return "Signal after each change of the condition, and check the condition under the lock "
             "before waiting.";
    case Kind::semaphore:
      return "Release as much as was acquired, on every path.";
    case Kind::http_body:
      return "Read each response's body to its end or close it, on every path, also when the "
             "status "
             "is not the wanted one.";
    case Kind::spinning:
      return "Give the loop an end, or let it wait for what it polls.";
    case Kind::sleep:
      return "Bound the number and the pauses of retries, and sleep with a context, so that the "
             "end "
             "of the request ends the sleep.";
    case Kind::io_wait:
      return "Set deadlines on connections, and close those that are no longer used.";
    case Kind::syscall:
      return "Give the call a time limit, or end it from outside by closing its descriptor.";
    case Kind::deadlock:
      return "Lock in one order everywhere, or lock all at once (std::scoped_lock of several), and "
             "never lock again what is held already.";
  }
  return "";
}

}  // namespace weir::profiler::causes
