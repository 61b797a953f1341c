// Waiting on a sema (<weir/detail/sema.h>). Go's semacquire, semrelease.
#pragma once

#include <weir/detail/sema.h>

#include "runtime2.h"

namespace weir::rt {

// Takes a permit; waits for one at the tail of the line, or, with lifo, at its head. reason and
// object: what a dump shows meanwhile.
void semacquire(sema& s, bool lifo, WaitReason reason, const void* object);
// Gives a permit. With handoff, the first waiter gets it before anybody else can and runs at once.
void semrelease(sema& s, bool handoff);
// semrelease without handoff, but for the waking: returns who is to be made ready, or null.
G* semgive(sema& s) noexcept;

}  // namespace weir::rt
