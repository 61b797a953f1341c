"""`weir-gcore FILE`: a core file of a live program, with the stacks of all its goroutines.

gdb's own gcore (as of gdb 13) gives a mapping up at the first page that cannot be read. Goroutines'
stacks have guard pages within one mapping of many stacks where the kernel has light ones (Linux
6.13), so all stacks but the first would be missing; and it writes out every page that was never
touched, where goroutines have reserved gigabytes. Here, as in the kernel's core files, only pages
that have memory are written, the others are holes in the file.

The notes (threads, registers, files) are gdb's: it is made to write a core of nothing else.
"""

import contextlib
import os
import re
import struct

import gdb

from weir_gdb import text
from weir_gdb.errors import WeirError, one_line
from weir_gdb.memory import ET_CORE, PN_XNUM, PT_LOAD

PAGE = 4096
PT_NOTE = 4
# Of an entry of /proc/PID/pagemap.
PRESENT, SWAPPED, OF_FILE, GUARD = 1 << 63, 1 << 62, 1 << 61, 1 << 58
AT_ONCE = 4096  # pages that are looked at, or copied, at a time
_MAPPING = re.compile(
    r"([0-9a-f]+)-([0-9a-f]+) (r|-)(w|-)(x|-)(p|s) ([0-9a-f]+) \S+ (\d+) *(.*)"
)


class WeirGcore(gdb.Command):
    """Save a core file of the program that is debugged, with the stacks of all its goroutines.
    Usage: weir-gcore FILE

    gdb's own gcore leaves out most stacks of goroutines on Linux from 6.13 on."""

    def __init__(self):
        super().__init__("weir-gcore", gdb.COMMAND_FILES, gdb.COMPLETE_FILENAME)

    def invoke(self, argument, from_tty):
        words = gdb.string_to_argv(argument)
        if len(words) != 1:
            raise WeirError("weir-gcore", "the name of a file is expected")
        path = os.path.expanduser(words[0])
        with one_line(path):
            inferior = gdb.selected_inferior()
            connection = inferior.connection
            if inferior.pid == 0 or connection is None or connection.type != "native":
                raise WeirError("weir-gcore", "there is no live program on this machine to save")
            if gdb.selected_thread() is None or gdb.selected_thread().is_running():
                raise WeirError("weir-gcore", "the program runs: interrupt it first")
            _write_core(inferior.pid, path)
            gdb.write(f"Saved corefile {text.clean(path)}\n")


def _write_core(pid, path):
    try:
        header, notes = _notes(pid, path + ".notes")
        with open(path, "wb") as out, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory, open(
            f"/proc/{pid}/pagemap", "rb", buffering=0
        ) as pagemap:
            mappings = _mappings(pid)
            if len(mappings) + 1 >= PN_XNUM:
                raise WeirError(path, "the program has too many mappings for a core file")
            _copy(out, header, notes, mappings, memory.fileno(), pagemap.fileno())
    except OSError as e:
        raise WeirError(path, e.strerror or str(e)) from None


def _notes(pid, path):
    """(ELF header, notes) of a core that gdb writes with nothing else in it."""
    try:
        with _coredump_filter(pid, "0"):
            gdb.execute(f"gcore {path}", to_string=True)
        with open(path, "rb") as f:
            data = f.read()
    finally:
        with contextlib.suppress(OSError):
            os.remove(path)
    phoff = struct.unpack_from("<Q", data, 32)[0]
    for i in range(struct.unpack_from("<H", data, 56)[0]):
        kind, _, at, _, _, size = struct.unpack_from("<IIQQQQ", data, phoff + i * 56)
        if kind == PT_NOTE:
            return data[:64], data[at : at + size]
    raise WeirError(path, "gdb has written a core without notes")


@contextlib.contextmanager
def _coredump_filter(pid, value):
    """The kernel's word on which mappings go into a core; gdb keeps to it."""
    path = f"/proc/{pid}/coredump_filter"
    with open(path, encoding="ascii") as f:
        former = f.read().strip()
    _put(path, value)
    used = gdb.parameter("use-coredump-filter")
    gdb.execute("set use-coredump-filter on")
    try:
        yield
    finally:
        gdb.execute(f"set use-coredump-filter {'on' if used else 'off'}")
        _put(path, "0x" + former)


def _put(path, value):
    with open(path, "w", encoding="ascii") as f:
        f.write(value)


def _mappings(pid):
    """[(start, end, ELF flags, is it a file's?, its first page?)]"""
    found = []
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="surrogateescape") as f:
        for line in f:
            m = _MAPPING.match(line)
            if m[9] in ("[vsyscall]", "[vvar]", "[vvar_vclock]"):
                continue
            flags = 4 * (m[3] == "r") | 2 * (m[4] == "w") | (m[5] == "x")
            found.append((int(m[1], 16), int(m[2], 16), flags, m[8] != "0", int(m[7], 16) == 0))
    return found


def _copy(out, header, notes, mappings, memory, pagemap):
    table = bytearray(header)
    struct.pack_into("<H", table, 16, ET_CORE)
    struct.pack_into("<QQ", table, 32, 64, 0)
    struct.pack_into("<HHHHH", table, 54, 56, len(mappings) + 1, 0, 0, 0)
    at = 64 + 56 * (len(mappings) + 1)
    table += struct.pack("<IIQQQQQQ", PT_NOTE, 0, at, 0, 0, len(notes), 0, 4)
    at = (at + len(notes) + PAGE - 1) // PAGE * PAGE
    for start, end, flags, is_file, is_first in mappings:
        # What a file has is read from there, but for its first page, by which files are known.
        is_own = not is_file or is_first or _is_changed(start, end, pagemap)
        size = end - start if is_own else 0
        table += struct.pack("<IIQQQQQQ", PT_LOAD, flags, at, start, 0, size, end - start, PAGE)
        pages = _all if is_file else _runs
        for address, count in pages(start, start + size, pagemap):
            _copy_pages(out, at + address - start, address, count, memory)
        at += size
    os.pwrite(out.fileno(), bytes(table) + notes, 0)
    os.truncate(out.fileno(), at)


def _entries(start, end, pagemap):
    """(number of the first page, entries), some at a time."""
    for first in range(start // PAGE, end // PAGE, AT_ONCE):
        data = os.pread(pagemap, min(AT_ONCE, end // PAGE - first) * 8, first * 8)
        yield first, struct.unpack(f"<{len(data) // 8}Q", data)


def _is_changed(start, end, pagemap):
    """Pages of a file that the program has written to, for itself."""
    return any(
        entry & (PRESENT | SWAPPED) and not entry & OF_FILE
        for _, entries in _entries(start, end, pagemap)
        for entry in entries
    )


def _all(start, end, _):
    for address in range(start, end, AT_ONCE * PAGE):
        yield address, min(AT_ONCE, (end - address) // PAGE)


def _runs(start, end, pagemap):
    """(address, pages) of the runs of pages that have memory."""
    for first, entries in _entries(start, end, pagemap):
        begin = None
        for i, entry in enumerate(entries + (0,)):
            has_memory = entry & (PRESENT | SWAPPED) and not entry & GUARD
            if has_memory and begin is None:
                begin = i
            elif not has_memory and begin is not None:
                yield (first + begin) * PAGE, i - begin
                begin = None


def _copy_pages(out, at, address, count, memory):
    try:
        os.pwrite(out.fileno(), os.pread(memory, count * PAGE, address), at)
    except OSError:
        # One of them cannot be read, a guard: the others can.
        for i in range(count if count > 1 else 0):
            _copy_pages(out, at + i * PAGE, address + i * PAGE, 1, memory)
