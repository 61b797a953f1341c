"""One look at the program: its goroutines, with stacks and creators as they are asked for, and the
words that describe them."""

import struct

import gdb

from weir_gdb import names, text
from weir_gdb.goroutines import Runtime
from weir_gdb.stacks import Stacks


class Look:
    def __init__(self):
        thread = gdb.selected_thread()
        if thread is not None and thread.is_running():
            raise gdb.GdbError("weir: the program runs: interrupt it first")
        self.runtime = Runtime()
        self.stacks = Stacks(self.runtime)
        self.goroutines = self.runtime.goroutines()
        self._creators = {}

    def creator(self, g):
        """The place that it was created at; None: it is a thread."""
        if not g.gopc:
            return None
        if g.gopc not in self._creators:
            self._creators[g.gopc] = names.creator(g.gopc)
        return self._creators[g.gopc]

    def created_by(self, g):
        creator = self.creator(g)
        if creator is None:
            return ""
        place = f" at {text.clean(creator.file)}:{creator.line}" if creator.file else ""
        parent = f" in goroutine {g.parent}" if g.parent else ""
        return f"created by {creator.function or hex(creator.pc)}{parent}{place}\n"

    def labels_text(self, g, with_name=True):
        pairs = ([("name", g.name)] if g.name and with_name else []) + self.runtime.labels(g)
        if not pairs:
            return ""
        return "labels:{" + ", ".join(f"{text.label(k)}: {text.label(v)}" for k, v in pairs) + "}"

    def header(self, g):
        """`goroutine 18 [chan receive, 5 minutes, labels:{name: worker}]:`, as Go's debug=2."""
        parts = [g.status, text.age(g.state, g.age_ns), "locked to thread" if g.locked else ""]
        parts += [self.waits_on(g), self.labels_text(g)]
        return f"goroutine {g.goid} [" + ", ".join(p for p in parts if p) + "]:"

    def waits_on(self, g):
        """The connection, or the HTTP response, that it waits for."""
        try:
            if g.reason == "IO wait" and g.waitobj:
                return self._connection(g)
            if g.reason in ("chan receive", "chan send", "select") and g.waits_for:
                return self._body(g.waits_for)
        except (gdb.MemoryError, OverflowError):
            pass
        return ""

    def _connection(self, g):
        network, local, remote = (
            self._field("io_info", g.waitobj, f) for f in ("network", "local", "remote")
        )
        if not network:
            return ""
        ends = (" " + local if local or remote else "") + ("->" + remote if remote else "")
        return ("write " if g.count else "read ") + network + ends

    def _body(self, at):
        lay = self.runtime.layout
        method, url = self._field("http_body", at, "method"), self._field("http_body", at, "url")
        status = self.runtime.memory.read(at + lay.value("http_body.status"), 4)
        return f"body of {method} {url} {struct.unpack('<i', status)[0]}"

    def _field(self, of, at, name):
        """A text within a struct, fit to stand within a header's brackets."""
        lay = self.runtime.layout
        data = self.runtime.memory.text(
            at + lay.value(f"{of}.{name}"), lay.value(f"{of}.{name}.size")
        )
        return text.clean(text.decode(data)).translate(str.maketrans("[],", "();"))
