"""The program's memory, a live one's or a core file's, for reads by the hundred thousand.

gdb looks an address of a core up by a walk over all its segments, so a core is mapped and searched
here; what it leaves out (pages of files), and all of a live program, is read through gdb.
"""

import bisect
import mmap
import re
import struct

import gdb

from weir_gdb.errors import WeirError

PT_LOAD = 1
PN_XNUM = 0xFFFF  # the number of segments does not fit, and is in section 0
ET_CORE = 4


class Memory:
    def __init__(self):
        self._inferior = gdb.selected_inferior()
        path = core_path()
        self._core = _open_core(path) if path else None

    def read(self, address, size):
        """Bytes; gdb.MemoryError where there are none."""
        if self._core:
            data = self._core.read(address, size)
            if data is not None:
                return data
        return self._inferior.read_memory(address, size).tobytes()

    def try_read(self, address, size):
        """None where there are none."""
        try:
            return self.read(address, size)
        except (gdb.MemoryError, OverflowError):
            return None

    def u32(self, address):
        return struct.unpack("<I", self.read(address, 4))[0]

    def u64(self, address):
        return struct.unpack("<Q", self.read(address, 8))[0]

    def text(self, address, most):
        """The zero-terminated text there, at most so many bytes of it."""
        return self.read(address, most).split(b"\0", 1)[0]


def core_path():
    """The core file that is debugged; None: a live program, or gdb does not tell for sure."""
    connection = gdb.selected_inferior().connection
    if connection is None or connection.type != "core":
        return None
    # gdb 13 tells the name only within lists of everything; this is the shortest.
    bfds = gdb.execute("maint info bfds", to_string=True)
    files = re.findall(r"0x[0-9a-f]+\s+(/.*)$", bfds, re.M)
    cores = {f for f in files if _is_core(f)}
    return cores.pop() if len(cores) == 1 else None


def _is_core(path):
    try:
        with open(path, "rb") as f:
            head = f.read(18)
    except OSError:
        return False
    return head[:6] == b"\x7fELF\x02\x01" and struct.unpack_from("<H", head, 16)[0] == ET_CORE


def _open_core(path):
    try:
        with open(path, "rb") as f:
            return _Core(mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError, struct.error) as e:
        raise WeirError(path, str(e)) from None


class _Core:
    """The segments of an ELF core that have their bytes in it."""

    def __init__(self, data):
        self._data = data
        phoff, shoff = struct.unpack_from("<QQ", data, 32)
        entry_size, count = struct.unpack_from("<HH", data, 54)
        if count == PN_XNUM:
            count = struct.unpack_from("<I", data, shoff + 44)[0]
        loads = []
        for i in range(count):
            kind, _, at, address, _, in_file = struct.unpack_from(
                "<IIQQQQ", data, phoff + i * entry_size
            )
            if kind == PT_LOAD and in_file and at + in_file <= len(data):
                loads.append((address, in_file, at))
        self._loads = sorted(loads)
        self._starts = [load[0] for load in self._loads]

    def read(self, address, size):
        """None: not, or not all of it, here."""
        i = bisect.bisect_right(self._starts, address) - 1
        if i < 0:
            return None
        start, in_file, at = self._loads[i]
        offset = address - start
        if offset + size > in_file:
            return None
        return self._data[at + offset : at + offset + size]
