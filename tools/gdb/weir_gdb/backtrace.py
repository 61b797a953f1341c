"""What gdb's own `backtrace` leaves out of a goroutine: the frame that is the thread's and not its
own (standing.py), and weir's frames where it parks and where it starts. As a frame filter, so that
`bt -no-filters` shows everything that gdb sees.
"""

import gdb


class _Filter:
    """Does nothing but while `goroutine N COMMAND` runs."""

    def __init__(self):
        self.name, self.priority, self.enabled = "weir goroutine", 50, True
        self.stack, self.everything = None, False

    def filter(self, frames):
        shown = self.stack.shown(self.everything) if self.stack else None
        if not shown:
            return frames
        first, last = shown[0].level, shown[-1].level
        if self.stack.problem or self.stack.truncated:
            last = float("inf")
        return (f for f in frames if first <= f.inferior_frame().level() <= last)


_filter = _Filter()


def install():
    gdb.frame_filters[_filter.name] = _filter


class trimmed:
    """Within, backtraces are those of a goroutine with this stack."""

    def __init__(self, stack, everything):
        self._stack, self._everything = stack, everything

    def __enter__(self):
        _filter.stack, _filter.everything = self._stack, self._everything

    def __exit__(self, *_):
        _filter.stack = None
