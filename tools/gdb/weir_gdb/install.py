"""Makes gdb know what is here; again, when it is read again."""

from weir_gdb import backtrace, commands, core_writer, standing


def install():
    standing.install()
    backtrace.install()
    commands.install()
    core_writer.WeirGcore()
