// goexit: ends a goroutine from within, by forced unwinding, as pthread_exit ends a thread.

#include <weir/go.h>

#include <unwind.h>

#include <cstdlib>
#include <stdexcept>

#include "fatal.h"
#include "proc.h"
#include "tls.h"

namespace weir {

namespace {

// Asked at each frame; the last one has no handler and no caller (switch_<arch>.S).
_Unwind_Reason_Code at_frame(int, _Unwind_Action actions, _Unwind_Exception_Class,
                             _Unwind_Exception* e, _Unwind_Context*, void*) {
  if (actions & _UA_END_OF_STACK) {
    std::free(e);
    rt::tls_getg()->is_main = false;  // run() waits for main to return, and now it never will
    rt::goexit0();
  }
  return _URC_NO_REASON;
}

void swallowed(_Unwind_Reason_Code, _Unwind_Exception*) {
  rt::fatal_error("weir::goexit: a catch (...) swallowed the unwinding; it must rethrow");
}

}  // namespace

void goexit() {
  rt::G* gp = rt::getg();
  if (gp->is_thread)
    throw std::logic_error("weir::goexit: called on a plain thread, not on a goroutine");
  // On the heap: the frames that are unwound lie where a local would.
  auto* e = static_cast<_Unwind_Exception*>(
      std::aligned_alloc(alignof(_Unwind_Exception), sizeof(_Unwind_Exception)));
  if (!e) rt::fatal_error("out of memory in goexit");
  *e = {};
  e->exception_cleanup = swallowed;
  _Unwind_ForcedUnwind(e, at_frame, nullptr);
  rt::fatal_error("weir::goexit: the stack cannot be unwound");
}

}  // namespace weir
