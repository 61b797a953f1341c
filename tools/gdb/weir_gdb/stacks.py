"""The stacks of many goroutines: each different one is walked by gdb once.

A walk is a function of the registers that it starts from and of the words that it reads: return
addresses, and saved frame pointers. A goroutine that starts at the same pc, as far from the end of
its stack, and has the same words at the same places (addresses within the stack: the same distance
from its end) has the same stack. The profiler's rule (profiler/src/walk_memo.h), with the words
found from the frames that gdb shows.
"""

import struct

import gdb

from weir_gdb import names
from weir_gdb.errors import WeirError
from weir_gdb.machine import WORD, machine
from weir_gdb.standing import standing_in

MOST_FRAMES = 500
MOST_BYTES = 1 << 20  # of a stack that is remembered


class Frame(names.Place):
    """`level` is gdb's number of it, for `goroutine N frame LEVEL`."""

    __slots__ = ("level",)

    def __str__(self):
        return f"#{self.level:<3} {self.where()}"


class Stack:
    """Frames, innermost first. `first`, `end`: those that are shown unless all are asked for."""

    def __init__(self, frames, truncated=False, problem=None):
        self.frames, self.truncated, self.problem = frames, truncated, problem
        self.texts = {}  # for printing.py
        self.first, self.end = names.shown([f.function for f in frames])
        if truncated:
            self.end = len(frames)

    def shown(self, everything):
        return self.frames if everything else self.frames[self.first : self.end]

    def top(self):
        """The innermost frame that is the user's; None: it shows none."""
        shown = self.shown(False)
        return shown[0] if shown else None


class _Shape:
    """Where the walks from one pc and depth have read."""

    def __init__(self, places):
        self.places = places  # offsets from sp to return addresses; before each a frame pointer
        self.known = {}  # the words there -> Stack


class Stacks:
    def __init__(self, runtime):
        self._runtime = runtime
        self._shapes = {}  # (pc, bytes of stack) -> [_Shape]
        self._machine = machine()
        self._pc_at = runtime.layout.value("kSavedPc")
        self._fp_at = runtime.layout.value("kSavedFp")
        self._size = runtime.layout.value("kSavedSize")

    def of(self, g):
        """Its Stack. What cannot be walked has no frames and a `problem`."""
        start = self._start(g)
        if start is None:
            return self._walk(g)[0]
        pc, data, low = start
        # One that never ran has its function's address nowhere on the stack.
        shapes = self._shapes.setdefault((pc, len(data), g.startpc), [])
        for shape in shapes:
            stack = shape.known.get(self._words(shape.places, data, low))
            if stack is not None:
                return stack
        stack, places = self._walk(g, low, data)
        if places is not None:
            for shape in shapes:
                if shape.places == places:
                    break
            else:
                shape = _Shape(places)
                shapes.append(shape)
            shape.known[self._words(places, data, low)] = stack
        return stack

    def _start(self, g):
        """(pc, its stack from the saved registers up, their address); None: not remembered."""
        size = g.stack_hi - g.sp
        if g.on_thread() or not self._size <= size <= MOST_BYTES:
            return None
        data = self._runtime.memory.try_read(g.sp, size)
        if data is None:
            return None
        return struct.unpack_from("<Q", data, self._pc_at)[0], data, g.sp

    def _walk(self, g, low=0, data=None):
        """(Stack, places that were read or None)"""
        frames, named, sps, truncated = [], [], [], False
        try:
            with standing_in(self._runtime, g) as frame:
                while frame is not None:
                    if len(frames) == MOST_FRAMES:
                        truncated = True
                        break
                    frames.append(_frame(frame))
                    is_inlined = frame.type() == gdb.INLINE_FRAME
                    named.append((frames[-1], frame.name(), is_inlined))
                    if data is not None and not is_inlined:
                        sps.append((int(frame.read_register(self._machine.sp)), frame.pc()))
                    frame = frame.older()
        except (gdb.error, WeirError) as e:
            # What has been seen of a damaged stack is worth more than nothing.
            names.name_places(named)
            return Stack(frames, False, str(e)), None
        names.name_places(named)
        places = None if data is None or truncated else self._places(sps, data, low)
        return Stack(frames, truncated), places

    def _places(self, sps, data, low):
        """Offsets of the return addresses that lead from frame to frame; None: some are missing."""
        places = []
        for (below, _), (sp, pc) in zip(sps, sps[1:]):
            at = sp - WORD
            while at >= max(below - WORD, low + WORD):
                if struct.unpack_from("<Q", data, at - low)[0] == pc:
                    break
                at -= WORD
            else:
                return None
            places.append(at - low)
        return tuple(places)

    def _words(self, places, data, low):
        """What tells a stack from others: the return addresses, and where frame pointers within the
        stack point to."""
        high = low + len(data)
        fp = struct.unpack_from("<Q", data, self._fp_at)[0]
        words = [fp - high if low <= fp < high else 0]
        for at in places:
            fp, pc = struct.unpack_from("<QQ", data, at - WORD)
            words.append(fp - high if low <= fp < high else 0)
            words.append(pc)
        return tuple(words)


def _frame(frame):
    f = Frame(None, None, 0, frame.pc())
    f.level = frame.level()
    sal = frame.find_sal()
    if sal.symtab is not None:
        f.file, f.line = sal.symtab.filename, sal.line
    return f
