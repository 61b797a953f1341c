"""How commands fail: one line that says what and why, never a Python traceback."""

import contextlib

import gdb


class WeirError(gdb.GdbError):
    """`weir: <what>: <why>`, as the weir command puts it."""

    def __init__(self, what, why):
        super().__init__(f"weir: {what}: {why}")


@contextlib.contextmanager
def one_line(what):
    """Whatever goes wrong within is told in one line. gdb.GdbError is printed as it stands."""
    try:
        yield
    except gdb.GdbError:
        raise
    except Exception as e:
        # Memory that is damaged, or was caught in the middle of a change, can make anything fail.
        # `set python print-stack full` shows where.
        if gdb.parameter("python print-stack") == "full":
            raise
        lines = str(e).splitlines() or [type(e).__name__]
        raise WeirError(what, lines[0]) from None
