// All of weir's runtime.
#pragma once

// IWYU pragma: begin_exports
#include <weir/blocking.h>
#include <weir/chan.h>
#include <weir/cond.h>
#include <weir/context.h>
#include <weir/go.h>
#include <weir/labels.h>
#include <weir/mutex.h>
#include <weir/once.h>
#include <weir/panic.h>
#include <weir/profiling.h>
#include <weir/rwmutex.h>
#include <weir/select.h>
#include <weir/semaphore.h>
#include <weir/task_group.h>
#include <weir/time.h>
#include <weir/timer.h>
#include <weir/wait_group.h>
// IWYU pragma: end_exports
