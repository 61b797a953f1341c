"""Makes gdb know what is here; again, when it is read again."""

import gdb

from weir_gdb import backtrace, commands, core_writer, standing

# By which weir asks a goroutine that runs where it is (runtime/src/signals.cc: SIGRTMAX - 3). gdb
# would stop at each.
INTERRUPT_SIGNAL = "SIG61"


def install():
    standing.install()
    backtrace.install()
    commands.install()
    core_writer.WeirGcore()
    gdb.execute(f"handle {INTERRUPT_SIGNAL} nostop noprint pass", to_string=True)
