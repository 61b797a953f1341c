"""What places in the program are called, and which of them are weir's own.

gdb names functions as their debug information does, so all lambdas are `operator()`. The symbol
table knows better; one that is inlined has no symbol, but as a rule it is what the template around
it was given to call.
"""

import re

import gdb

from weir_gdb import text
from weir_gdb.readable import first_argument, readable

_USERS = ("weir::http::", "weir::profiler::", "weir::testing::")
_LAMBDA = "operator()"


class Place:
    """A function and a line. No function: an address."""

    __slots__ = ("function", "file", "line", "pc")

    def __init__(self, function, file, line, pc):
        self.function, self.file, self.line, self.pc = function, file, line, pc

    def where(self):
        name = self.function or f"0x{self.pc:x}"
        if self.file:
            return f"{name} at {text.clean(self.file)}:{self.line}"
        library = gdb.solib_name(self.pc)
        return f"{name} from {text.clean(library)}" if library else name


def name_places(places):
    """Makes their names readable; innermost first, (place, its name by gdb, is it inlined?)."""
    around = None
    for place, name, is_inlined in reversed(places):
        if not is_inlined:
            name = _symbol_at(place.pc) or name
        elif name == _LAMBDA:
            called = first_argument(around or "") or ""
            name = called if "lambda" in called or "$_" in called else "lambda"
        place.function = readable(name) if name else None
        around = name


def is_runtime(name):
    """A function of weir's, that dumps hide where a goroutine parks and where it starts."""
    if name is None:
        return False
    if name.startswith("weir_"):
        return True
    return name.startswith("weir::") and not name.startswith(_USERS)


def shown(names):
    """[first, end) of the frames that are shown, innermost first: without weir's own at both ends,
    unless nothing would remain."""
    users = [i for i, name in enumerate(names) if not is_runtime(name)]
    return (users[0], users[-1] + 1) if users else (0, len(names))


def creator(gopc):
    """Who called weir::go there: of the calls that are inlined, the user's."""
    places = _inlined_at(gopc)
    for place in places:
        if not is_runtime(place.function):
            return place
    return places[-1]


def _inlined_at(return_address):
    """The functions at a call, innermost first, each with the line in it."""
    pc = return_address - 1
    sal = gdb.find_pc_line(pc)
    file, line = (sal.symtab.filename, sal.line) if sal.symtab else (None, 0)
    functions = []
    block = gdb.block_for_pc(pc)
    while block is not None and not block.is_static and not block.is_global:
        if block.function is not None:
            functions.append(block.function)
        block = block.superblock
    places = []
    for i, function in enumerate(functions):
        place = Place(None, file, line, return_address)
        places.append((place, function.print_name, i + 1 < len(functions)))
        # Of an inlined function gdb gives the line of the call.
        file, line = function.symtab.filename, function.line
    if not places:
        places.append((Place(None, file, line, return_address), None, False))
    name_places(places)
    return [place for place, _, _ in places]


def _symbol_at(return_address):
    # The call may be a function's last instruction.
    found = gdb.execute(f"info symbol {return_address - 1}", to_string=True)
    found = re.match(r"(.*?)(?: \+ \d+)? in section ", found)
    return found[1] if found else None
