"""All goroutines, and plain threads that use weir, read from the runtime's slots.

The program stands still (or is dead) while this runs, in the middle of anything: what a field means
at such a moment is told in runtime/src/runtime2.h. A slot is read by one read; a hundred thousand
of them take a second or two.
"""

import struct
import time

import gdb

from weir_gdb import text
from weir_gdb.errors import WeirError
from weir_gdb.layout import Layout
from weir_gdb.memory import Memory

MOST_LABELS = 1 << 10


class Goroutine:
    """One goroutine, or a plain thread (`is_thread`)."""

    __slots__ = (
        "address", "goid", "parent", "gopc", "startpc", "state", "reason", "since", "is_thread",
        "locked", "sp", "m", "stack_lo", "stack_hi", "name", "labels_at", "waitobj", "count",
        "waits_for", "tid", "age_ns",
    )  # fmt: skip

    @property
    def status(self):
        """State or wait reason, as dumps show it."""
        return self.reason or self.state

    def on_thread(self):
        """Its frames are a thread's, not those it saved when it parked."""
        return self.is_thread or self.state in ("running", "syscall")


class Runtime:
    """A look at the program as it is now. Not to be kept after it has run."""

    def __init__(self):
        self.memory = Memory()
        self.layout = Layout(self.memory)
        self._fields = _Fields(self.layout)
        self._tids = {}  # by M
        self._labels = {}  # by address of the set

    def goroutines(self):
        """By goid."""
        found = []
        for at in self._slots():
            g = self._read(at)
            if g is not None:
                found.append(g)
        self._tell_ages(found)
        found.sort(key=lambda g: g.goid)
        return found

    def _slots(self):
        """The addresses of all Gs that have ever been in use and may have memory."""
        lay, mem = self.layout, self.memory
        size, chunk_size = lay.value("G.size"), lay.value("Chunk.size")
        base_at, stride_at = lay.value("Chunk.base"), lay.value("Chunk.stride")
        class_at, used_at = lay.value("Chunk.size_class"), lay.value("Chunk.used")
        cold_at, thread_class = lay.value("Chunk.cold"), lay.value("kThreadClass")
        spread_bytes, spreads = lay.value("kSpreadBytes"), lay.value("kSpreads")
        chunks, count = lay.address("chunks"), mem.try_read(lay.address("nchunks"), 4)
        if count is None:
            raise WeirError(
                "the runtime's variables cannot be read",
                "the program has only just been started, or the core file lacks them",
            )
        count = struct.unpack("<I", count)[0]
        if count > lay.value("kMaxChunks"):
            raise WeirError("the runtime's slots", "their number is damaged")
        for c in range(count):
            chunk = mem.read(chunks + c * chunk_size, chunk_size)
            base, stride, size_class = (
                struct.unpack_from("<Q", chunk, at)[0] for at in (base_at, stride_at, class_at)
            )
            used = min(struct.unpack_from("<I", chunk, used_at)[0], lay.value("kChunkSlots"))
            for i in range(used):
                word = cold_at + i // 64 * 8
                if chunk[word + i % 64 // 8] >> (i % 8) & 1:
                    continue
                if size_class == thread_class:
                    yield base + i * stride
                else:
                    yield base + (i + 1) * stride - size - spread_bytes * (i % spreads)

    def _read(self, at):
        f = self._fields
        data = self.memory.try_read(at, f.size)
        if data is None:
            return None
        g = Goroutine()
        (
            status, reason, g.is_thread, shown_name, g.sp, g.m, g.since, g.waitobj, g.count,
            locked_m, g.goid, g.parent, g.gopc, g.startpc, g.labels_at, g.waits_for, g.stack_lo,
            g.stack_hi,
        ) = f.unpack(data)  # fmt: skip
        g.state = f.states.get(status & ~f.scan)
        if g.state is None or g.goid == 0:
            return None
        g.address = at
        g.reason = f.reasons[reason] if g.state == "waiting" else ""
        g.locked = g.is_thread or locked_m != 0
        name = f.names + f.name_size * (shown_name & 1)
        g.name = ""
        if data[name]:
            g.name = text.decode(data[name : name + f.name_size].split(b"\0", 1)[0])
        g.tid = 0
        if g.is_thread:
            g.tid = struct.unpack("<i", self.memory.read(at + f.tid, 4))[0]
        elif g.on_thread() and g.m:
            g.tid = self._tid_of(g.m)
        return g

    def _tid_of(self, m):
        if m not in self._tids:
            data = self.memory.try_read(m + self.layout.value("M.tid"), 4)
            self._tids[m] = struct.unpack("<i", data)[0] if data else 0
        return self._tids[m]

    def _tell_ages(self, goroutines):
        rate = struct.unpack("<d", self.memory.read(self.layout.address("ns_per_tick"), 8))[0]
        if not 0 < rate < 1e6:
            rate = 0
        now = max([self._now(rate)] + [g.since for g in goroutines])
        for g in goroutines:
            g.age_ns = int((now - g.since) * rate)

    def _now(self, rate):
        """In ticks. Of a core: the last moment that the runtime knew, which may be long before its
        end where nothing ran."""
        coarse = self.layout.address("sched") + self.layout.value("Sched.coarse_ticks")
        known = self.memory.u64(coarse)
        connection = gdb.selected_inferior().connection
        if not rate or connection is None or connection.type != "native":
            return known
        base_ticks, base_ns = (
            self.memory.u64(self.layout.address(name)) for name in ("base_ticks", "base_ns")
        )
        passed = time.clock_gettime_ns(time.CLOCK_MONOTONIC) - base_ns
        return max(known, base_ticks + int(passed / rate))

    def labels(self, g):
        """[(key, value)]; those of a set are read once."""
        if not g.labels_at:
            return []
        if g.labels_at not in self._labels:
            try:
                self._labels[g.labels_at] = self._read_labels(g.labels_at)
            except (gdb.MemoryError, OverflowError):
                self._labels[g.labels_at] = []
        return self._labels[g.labels_at]

    def _read_labels(self, at):
        lay, mem = self.layout, self.memory
        count = mem.u64(at + lay.value("label_set.count"))
        entry, size = at + lay.value("label_set.size"), lay.value("label_set::entry.size")
        found = []
        for i in range(min(count, MOST_LABELS)):
            data = mem.read(entry + i * size, size)
            offset = struct.unpack_from("<I", data, lay.value("label_set::entry.at"))[0]
            key, value = (
                struct.unpack_from("<H", data, lay.value(f"label_set::entry.{part}_bytes"))[0]
                for part in ("key", "value")
            )
            both = mem.read(at + offset, key + value)
            found.append((text.decode(both[:key]), text.decode(both[key:])))
        return found


class _Fields:
    """How a G is taken apart: by one struct.unpack, which is what makes reading many fast."""

    MEMBERS = (
        ("status", "I"), ("waitreason", "B"), ("is_thread", "?"), ("shown_name", "B"), ("sp", "Q"),
        ("m", "Q"), ("since", "Q"), ("waitobj", "Q"), ("waitobj_count", "I"), ("locked_m", "Q"),
        ("goid", "Q"), ("parent_goid", "Q"), ("gopc", "Q"), ("startpc", "Q"), ("labels", "Q"),
        ("waits_for", "Q"), ("stack_lo", "Q"), ("stack_hi", "Q"),
    )  # fmt: skip

    def __init__(self, lay):
        self.size = lay.value("G.size")
        self.names, self.name_size = lay.value("G.names"), lay.value("G.name.size")
        self.tid = lay.value("thread_G.tid")
        self.scan = lay.value("Gscan")
        self.states = {
            lay.value("Grunnable"): "runnable",
            lay.value("Grunning"): "running",
            lay.value("Gsyscall"): "syscall",
            lay.value("Gwaiting"): "waiting",
            lay.value("Gcopystack"): "waiting",  # its stack is being trimmed; it goes on waiting
        }
        self.reasons = [lay.word("WaitReason", i) for i in range(256)]
        self._order, self._struct = self._compile(lay)

    def _compile(self, lay):
        """Members in the order of their offsets, with what lies between them left out."""
        places = sorted((lay.value("G." + name), i) for i, (name, _) in enumerate(self.MEMBERS))
        form, end = "<", 0
        for offset, i in places:
            kind = self.MEMBERS[i][1]
            form += f"{offset - end}x{kind}"
            end = offset + struct.calcsize("<" + kind)
        form += f"{self.size - end}x"
        rank = {i: at for at, (_, i) in enumerate(places)}
        return [rank[i] for i in range(len(places))], struct.Struct(form)

    def unpack(self, data):
        """In the order of MEMBERS."""
        values = self._struct.unpack(data)
        return [values[at] for at in self._order]
