"""The two architectures: what a parked goroutine has saved, and where (runtime/src/switch_*.S)."""

import struct

import gdb

from weir_gdb.errors import WeirError

WORD = 8


class Machine:
    """Names are gdb's. `saved`: callee-saved registers by their offset from the saved stack
    pointer; `link`: the register that holds the return address at a function's entry, if one does.
    """

    def __init__(self, pc, sp, fp, link, saved):
        self.pc, self.sp, self.fp, self.link, self.saved = pc, sp, fp, link, saved


_X86_64 = Machine(
    "rip", "rsp", "rbp", None,
    {"r15": 0, "r14": 8, "r13": 16, "r12": 24, "rbx": 32, "rbp": 40},
)  # fmt: skip
_AARCH64 = Machine(
    "pc", "sp", "x29", "x30",
    {"x29": 0, **{f"x{n}": 16 + (n - 19) * WORD for n in range(19, 29)}},
)  # fmt: skip


def machine():
    name = gdb.selected_inferior().architecture().name()
    if name.startswith("i386:x86-64"):
        return _X86_64
    if name.startswith("aarch64"):
        return _AARCH64
    raise WeirError(name, "weir does not run on this architecture")


def saved_registers(runtime, g):
    """The registers of a goroutine that does not run, by gdb's names; those that it has saved."""
    m, lay = machine(), runtime.layout
    size = lay.value("kSavedSize")
    frame = runtime.memory.read(g.sp, size)

    def word(at):
        return struct.unpack_from("<Q", frame, at)[0]

    registers = {name: word(at) for name, at in m.saved.items()}
    pc = word(lay.value("kSavedPc"))
    registers[m.pc], registers[m.sp] = pc, g.sp + size
    if pc == lay.address("weir_gostart") + lay.value("kStartPcOffset") and g.startpc:
        # It never ran: at its function's first instruction, called by the start code. One more than
        # the instruction's address, since it is taken for a return address.
        registers[m.pc] = g.startpc + 1
        registers[m.sp] = g.sp + lay.value("kSavedPc")
        if m.link:
            registers[m.link] = pc
    return registers
