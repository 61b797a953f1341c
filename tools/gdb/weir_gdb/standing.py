"""Lets gdb's own commands see a goroutine's stack, without a write to the program.

While a goroutine that does not run is `stood in`, an unwinder answers, for the newest frame of one
thread, that its caller is the place where the goroutine parked. So gdb sees

    #0  where the thread is, which has nothing to do with the goroutine
    #1  the goroutine's innermost frame, and its callers

and all commands work in #1 and up: locals, up, down, print. #0 is left out of backtraces
(backtrace.py). A goroutine that runs is where its thread is, and needs none of that.

Whatever happens within, frames, thread and frame are as before afterwards.
"""

import contextlib

import gdb
import gdb.unwinder

from weir_gdb.errors import WeirError
from weir_gdb.machine import WORD, machine, saved_registers


class _FrameId:
    def __init__(self, sp, pc):
        self.sp, self.pc = sp, pc


class _Stand:
    """Where the newest frame of which thread is taken to have been called from."""

    def __init__(self, thread, registers):
        frame = gdb.newest_frame()
        m = machine()
        self.thread = thread.ptid
        self.sp = int(frame.read_register(m.sp))
        self.pc = int(frame.read_register(m.pc))
        self.registers = registers

    def is_newest(self, frame):
        m = machine()
        return int(frame.read_register(m.sp)) == self.sp and (
            int(frame.read_register(m.pc)) == self.pc
        )


class _Unwinder(gdb.unwinder.Unwinder):
    """Answers while somebody stands somewhere; silent otherwise."""

    def __init__(self):
        super().__init__("weir goroutine")
        self.stand = None

    def __call__(self, pending):
        stand = self.stand
        if stand is None or gdb.selected_thread().ptid != stand.thread:
            return None
        if not stand.is_newest(pending):
            return None
        m = machine()
        # gdb takes a caller's frame to be further up the stack: this one is put just below.
        word = pending.read_register(m.sp).type
        below = gdb.Value(stand.registers[m.sp] - 2 * WORD).cast(word)
        info = pending.create_unwind_info(_FrameId(below, gdb.Value(stand.pc).cast(word)))
        for name, value in stand.registers.items():
            info.add_saved_register(name, gdb.Value(value).cast(pending.read_register(name).type))
        return info


_unwinder = _Unwinder()


def install():
    gdb.unwinder.register_unwinder(None, _unwinder, replace=True)
    gdb.events.cont.connect(lambda _: leave())


def leave():
    """Frames are the thread's own again."""
    if _unwinder.stand is not None:
        _unwinder.stand = None
        gdb.invalidate_cached_frames()


@contextlib.contextmanager
def standing_in(runtime, g):
    """Makes the goroutine's innermost frame the selected one, and gives it."""
    with _same_place_after():
        thread = _thread_of(g)
        if thread is not None:
            thread.switch()
            frame = gdb.newest_frame()
            if not g.on_thread() or g.is_thread or _is_on_its_stack(frame, g):
                frame.select()
                yield frame
                return
        if g.is_thread or g.state == "syscall":
            raise WeirError(f"goroutine {g.goid}", f"its thread {g.tid} is not known to gdb")
        # Not running; or its thread is in the midst of a switch to or from it.
        host = gdb.selected_thread() or _any_thread()
        host.switch()
        try:
            _unwinder.stand = _Stand(host, saved_registers(runtime, g))
        except gdb.MemoryError as e:
            raise WeirError(f"the stack of goroutine {g.goid}", str(e)) from None
        gdb.invalidate_cached_frames()
        frame = gdb.newest_frame()
        while frame is not None and _unwinder.stand.is_newest(frame):
            frame = frame.older()
        if frame is None:
            raise WeirError(f"goroutine {g.goid}", "gdb cannot unwind from where it parked")
        frame.select()
        yield frame


def _thread_of(g):
    if not g.on_thread() or not g.tid:
        return None
    for thread in gdb.selected_inferior().threads():
        if g.tid in thread.ptid[1:] and thread.is_valid():
            return thread
    return None


def _any_thread():
    threads = gdb.selected_inferior().threads()
    if not threads:
        raise WeirError("the program", "has no threads")
    return threads[0]


def _is_on_its_stack(frame, g, most=64):
    """One of the thread's frames is on the goroutine's stack: it runs, if beneath a signal handler
    with a stack of its own. Otherwise the thread is in the scheduler."""
    sp = machine().sp
    try:
        while frame is not None and most > 0:
            if g.stack_lo <= int(frame.read_register(sp)) < g.stack_hi:
                return True
            frame, most = frame.older(), most - 1
    except gdb.error:
        pass
    return False


@contextlib.contextmanager
def _same_place_after():
    thread, level = gdb.selected_thread(), None
    if thread is not None:
        with contextlib.suppress(gdb.error):
            level = gdb.selected_frame().level()
    try:
        yield
    finally:
        leave()
        if thread is not None and thread.is_valid():
            with contextlib.suppress(gdb.error):
                thread.switch()
                frame = gdb.newest_frame()
                while level and frame.older() is not None:
                    frame, level = frame.older(), level - 1
                frame.select()
