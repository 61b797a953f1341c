"""What the program tells of its runtime: offsets, constants, addresses and words by name.

<weir/post_mortem.h> has the format: an ELF note that refers to a table. Neither symbols nor debug
information of the runtime are needed, and whatever version of weir the program was built with, what
has a known name is found. Outside input: sizes are checked before anything is read.
"""

import re
import struct

import gdb

from weir_gdb.errors import WeirError

NOTE_OWNER = b"weir\0"
NOTE_TYPE = 1
MAGIC = b"weirlay1"
MOST_BYTES = 1 << 20  # of the table
PT_NOTE, PT_PHDR = 4, 6
AT_PHDR = 3


class Layout:
    def __init__(self, memory):
        at = _find_table(memory)
        head = memory.read(at, 48)
        magic, size = struct.unpack_from("<8sI", head)
        if magic != MAGIC or not 48 <= size <= MOST_BYTES:
            raise WeirError("the runtime's description of itself", "is none that is known")
        table = memory.read(at, size)
        self._values = {_text(n): v for n, v in _array(table, 12, "<40sq")}
        self._globals = {_text(n): a for n, a in _array(table, 24, "<40sQ")}
        self._words = {
            (_text(of), value): _text(text) for of, value, text in _array(table, 36, "<16sq40s")
        }

    def value(self, name):
        """An offset, a size or a constant."""
        return self._look_up(self._values, name)

    def address(self, name):
        """Of a global variable."""
        return self._look_up(self._globals, name)

    def word(self, of, value):
        """What dumps call it."""
        return self._words.get((of, value), f"{of} {value}")

    @staticmethod
    def _look_up(names, name):
        if name not in names:
            raise WeirError(
                "the program's version of weir", f"it has no '{name}' that this script knows of"
            )
        return names[name]


def _array(table, at, entry):
    start, count, size = struct.unpack_from("<III", table, at)
    if size < struct.calcsize(entry) or start + count * size > len(table):
        raise WeirError("the runtime's description of itself", "is damaged")
    return [struct.unpack_from(entry, table, start + i * size) for i in range(count)]


def _text(field):
    return field.split(b"\0", 1)[0].decode("ascii", "replace")


def _find_table(memory):
    """The address of the table, of the executable or of the first library that has one."""
    if not gdb.objfiles() or not gdb.current_progspace().filename:
        raise WeirError("no executable", "start gdb as: gdb PROGRAM [CORE]")
    if gdb.selected_inferior().pid == 0:
        raise WeirError("the program is not running", "start it, attach to it, or load a core file")
    for path, bias in _modules():
        note = _note_address(path)
        if note is None or bias is None:
            continue
        at = note + bias
        data = memory.try_read(at, 8)
        if data is not None:
            return at + struct.unpack("<q", data)[0]
    raise WeirError(
        gdb.current_progspace().filename, "no weir runtime that describes itself is in it"
    )


def _modules():
    """(path, what is added to the addresses in the file) of the executable and of its libraries."""
    path = gdb.current_progspace().filename
    phdr = re.search(
        rf"^{AT_PHDR}\s+AT_PHDR\s.*(0x[0-9a-f]+)$",
        gdb.execute("info auxv", to_string=True),
        re.M,
    )
    linked = _phdr_address(path)
    yield path, int(phdr[1], 16) - linked if phdr and linked is not None else 0
    libraries = gdb.execute("info sharedlibrary", to_string=True)
    for start, library in re.findall(r"^(0x[0-9a-f]+)\s.*?(/.*)$", libraries, re.M):
        text = _section_address(library, b".text")
        yield library, int(start, 16) - text if text is not None else None


class _Elf:
    """The headers of an ELF file; empty where it is none that is read here."""

    def __init__(self, path):
        self.segments, self.sections, self.notes, self.names = [], [], [], b""
        try:
            with open(path, "rb") as f:
                head = f.read(64)
                if head[:6] != b"\x7fELF\x02\x01" or len(head) < 64:
                    return
                self.phoff, shoff = struct.unpack_from("<QQ", head, 32)
                size, count, shsize, shcount, names = struct.unpack_from("<HHHHH", head, 54)
                self.segments = _headers(f, self.phoff, size, count, "<IIQQQQ")
                self.sections = _headers(f, shoff, shsize, shcount, "<IIQQQQ")
                self.notes = [
                    (s[3], _at(f, s[2], s[5])) for s in self.segments if s[0] == PT_NOTE
                ]
                table = self.sections[names] if names < len(self.sections) else None
                self.names = _at(f, table[4], table[5]) if table else b""
        except (OSError, struct.error, OverflowError):
            self.segments, self.sections, self.notes = [], [], []


def _at(f, offset, size):
    f.seek(offset)
    return f.read(min(size, MOST_BYTES))


def _headers(f, offset, size, count, entry):
    data = _at(f, offset, size * count)
    if size < struct.calcsize(entry):
        return []
    return [struct.unpack_from(entry, data, i * size) for i in range(len(data) // size)]


def _phdr_address(path):
    """Where the program headers are, by the file."""
    elf = _Elf(path)
    for kind, _, _, address, _, _ in elf.segments:
        if kind == PT_PHDR:
            return address
    for _, _, offset, address, _, size in elf.segments:
        if offset <= elf.phoff < offset + size:
            return address + elf.phoff - offset
    return None


def _section_address(path, name):
    elf = _Elf(path)
    for at, _, _, address, _, _ in elf.sections:
        if elf.names[at : at + len(name) + 1] == name + b"\0":
            return address
    return None


def _note_address(path):
    """Of the description of weir's note, by the file; None: there is no such note."""
    elf = _Elf(path)
    for address, data in elf.notes:
        at = 0
        while at + 12 <= len(data):
            owner_size, size, kind = struct.unpack_from("<III", data, at)
            owner = data[at + 12 : at + 12 + owner_size]
            description = at + 12 + (owner_size + 3) // 4 * 4
            if owner == NOTE_OWNER and kind == NOTE_TYPE and size >= 8:
                return address + description
            at = description + (size + 3) // 4 * 4
    return None
