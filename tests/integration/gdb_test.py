"""tools/gdb over real programs: what gdb shows of goroutines, live and in a core file, is what the
endpoint showed an instant before.
"""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

from debugged import OTHERS, PARKED, Debugged, run_gdb
from zoo import ZOO, parse_dump

SCRIPT = os.path.join(os.path.dirname(__file__), "../../tools/gdb/weir-gdb.py")


class Shown:
    """A goroutine as `goroutine N` shows it."""

    def __init__(self, paragraph):
        lines = paragraph.strip("\n").split("\n")
        header = re.match(r"goroutine (\d+) \[([^\],]*)(.*)\]:$", lines[0])
        assert header, f"not a header: {lines[0]!r}"
        self.text, self.goid, self.state = paragraph, int(header[1]), header[2]
        self.frames, self.creator = [], None
        for line in lines[1:]:
            frame = re.match(r"#\d+ +(.*?)(?: at (\S+:\d+)| from \S+)?$", line)
            created = re.match(r"created by (.*?)(?: in goroutine (\d+))?(?: at (\S+:\d+))?$", line)
            if frame:
                self.frames.append((frame[1], frame[2]))
            elif created:
                self.creator = (created[1], int(created[2] or 0), created[3])


def shown(text):
    return [Shown(p) for p in re.split(r"\n(?=goroutine \d+ \[)", text.strip("\n")) if p]


def place(text):
    """file:line of a dump's line below a function."""
    found = text.split()[0]
    return None if found.startswith("??") else found


def is_same_function(of_endpoint, of_gdb):
    """But for the numbers of lambdas, which debug information does not have where one is inlined;
    of some of these gdb does not even know in which function they are."""
    a, b = (re.sub(r"lambda#\d+", "lambda", f) for f in (of_endpoint, of_gdb))
    return a == b or (b == "lambda" and a.endswith("::lambda"))


def dump(session):
    """The goroutines as the endpoint shows them."""
    return parse_dump(session.get("/debug/goroutine?debug=2").decode())


class GdbTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.home = tempfile.mkdtemp(prefix="weir-gdb-")
        self.addCleanup(shutil.rmtree, self.home, True)
        self.core = os.path.join(self.home, "core")

    def assert_same(self, before, now, but=()):
        """The goroutines of the endpoint's dump and gdb's."""
        now = {g.goid: g for g in now}
        self.assertEqual(sorted(g.goid for g in before), sorted(now))
        for g in before:
            if g.goid not in but:
                self.assert_same_goroutine(g, now[g.goid])

    def assert_same_goroutine(self, g, of_gdb):
        both = f"endpoint:\n{g.text}\n\ngdb:\n{of_gdb.text}"
        self.assertEqual(g.state, of_gdb.state, both)
        frames = of_gdb.frames
        if g.state == "syscall":  # gdb shows also what the blocking call calls
            frames = frames[-len(g.frames) :]
        self.assertEqual([place(p) for _, p in g.frames], [p for _, p in frames], both)
        for (of_endpoint, _), (of_gdb_, _) in zip(g.frames, frames):
            self.assertTrue(is_same_function(of_endpoint, of_gdb_), both)
        if g.creator is None:
            self.assertIsNone(of_gdb.creator, both)
        else:
            self.assertEqual((g.creator[1], place(g.creator[2])), of_gdb.creator[1:], both)
            self.assertTrue(is_same_function(g.creator[0], of_gdb.creator[0]), both)


class SameAsTheEndpoint(GdbTest):
    def check(self, count):
        commands = [
            "goroutine -each all bt",
            "info goroutines",
            "goroutine all bt",
            f"weir-gcore {self.core}",
        ]
        with Debugged(commands, count) as session:
            before = dump(session)
            each, listed, grouped, _ = session.stop()
        self.assertEqual(session.errors.count("weir: "), 0, session.errors)
        self.assertEqual(len(before), count + OTHERS)
        self.assert_same(before, shown(each))
        self.check_list(before, listed)
        self.assertIn(f"\n{count + OTHERS} goroutines in ", grouped)
        if count >= 3:
            self.assertIn(f"\n{(count + 2) // 3} goroutines [chan receive", "\n" + grouped)

        of_core, errors = run_gdb(commands[:3], PARKED, self.core)
        self.assertEqual(errors.count("weir: "), 0, errors)
        self.assert_same(before, shown(of_core[0]))
        self.check_list(before, of_core[1])
        self.assertIn(f"\n{count + OTHERS} goroutines in ", of_core[2])

    def check_list(self, before, listed):
        states = {}
        for line in listed.split("\n")[:-1]:
            found = re.match(r"[* ] (\d+) +(.*?)(?:, \d+ (?:minutes|s))?  ", line)
            self.assertTrue(found, line)
            states[int(found[1])] = found[2].strip()
        self.assertEqual({g.goid: g.state for g in before}, states)

    def test_one(self):
        self.check(1)

    def test_a_thousand(self):
        self.check(1000)

    def test_a_hundred_thousand(self):
        self.check(100_000)


class Crashed(GdbTest):
    """A program that dies: gdb has it at its last instruction, and in the core of that."""

    def check(self, how, expected):
        commands = ["goroutine -each all bt", "goroutine 1 bt", f"weir-gcore {self.core}"]
        with Debugged(commands, 3, how) as session:
            before = dump(session)
            each, main, _ = session.stop(signal.SIGUSR1)
        self.assertEqual(session.errors.count("weir: "), 0, session.errors)
        self.assert_same(before, shown(each), but={1})
        (of_core, main_of_core), _ = run_gdb(commands[:2], PARKED, self.core)
        self.assert_same(before, shown(of_core), but={1})
        for text in main, main_of_core:
            self.assertRegex(text, r"\Agoroutine 1 \[running(, \d+ s)?\]:")
            self.assertIn(expected, text)
            self.assertIn("parked::", text)
            self.assertNotIn("weir_goroutine_main", text)

    def test_abort(self):
        self.check("abort", "::die(")

    def test_bad_access(self):
        self.check("segv", "::die(")

    def test_stack_overflow(self):
        self.check("overflow", "::overflow(")


class OneGoroutine(GdbTest):
    """What is done in the stack of one, and that nothing of it stays."""

    @classmethod
    def setUpClass(cls):
        cls.home = tempfile.mkdtemp(prefix="weir-gdb-")
        cls.addClassCleanup(shutil.rmtree, cls.home, True)
        cls.core = os.path.join(cls.home, "core")
        with Debugged([f"weir-gcore {cls.core}"], 9) as session:
            cls.dump = dump(session)
            session.stop()

    def setUp(self):
        pass

    def gdb(self, *commands):
        """Outputs; what fails tells it there."""
        out, self.errors = run_gdb(commands, PARKED, self.core)
        return out

    def goid(self, function, state):
        return next(g.goid for g in self.dump if g.state == state and function in g.text)

    def test_frames_have_their_locals(self):
        deep = next(
            g.goid for g in self.dump if sum("receive" in f for f, _ in g.frames) == 3
        )
        backtrace, frame, up = self.gdb(
            f"goroutine {deep} bt", f"goroutine {deep} frame", f"goroutine {deep} up"
        )
        numbers = re.findall(r"^#(\d+) .*::receive\(", backtrace, re.M)
        self.assertEqual(len(numbers), 3, backtrace)
        self.assertIn(f"#{numbers[0]} ", frame)
        self.assertIn(f"#{numbers[1]} ", up)
        numbered, *depths, none = self.gdb(
            f"goroutine {deep} frame {numbers[1]}",
            *(f"goroutine {deep} frame apply level {n} -q print depth" for n in numbers[1:]),
            f"goroutine {deep} frame function main",
        )
        self.assertIn("::receive ", numbered)
        self.assertEqual(depths, ["$1 = 1", "$2 = 2"])
        self.assertEqual(none, "")
        self.assertIn("main", self.errors)

    def test_afterwards_everything_is_as_before(self):
        before, _, _, _, after, thread = self.gdb(
            "bt",
            f"goroutine {self.goid('receive', 'chan receive')} bt",
            "goroutine all bt",
            f"goroutine {self.goid('receive', 'chan receive')} nonsense",
            "bt",
            "thread",
        )
        self.assertEqual(before, after)
        self.assertIn("[Current thread is 1 ", thread)
        self.assertIn("nonsense", self.errors)

    def test_frames_of_the_runtime_are_shown_on_request(self):
        goid = self.goid("receive", "chan receive")
        plain, runtime, raw = self.gdb(
            f"goroutine {goid}", f"goroutine -runtime {goid}", f"goroutine {goid} bt -no-filters"
        )
        self.assertNotIn("gopark", plain)
        self.assertIn("gopark", runtime)
        self.assertIn("weir_gostart", runtime)
        self.assertIn("#0 ", raw)

    def test_names_and_labels_are_escaped(self):
        listed, one = self.gdb("info goroutines -name labelled", "goroutine -label zone=eu all")
        for text in listed, one:
            self.assertIn(
                'labels:{name: labelled, tenant: "blue\\x2c \\x1b[31mred\\x5d", zone: eu}', text
            )
        self.assertNotIn("\x1b", listed + one)

    def test_connections_are_told(self):
        (text,) = self.gdb('goroutine -state "io wait" all')
        self.assertRegex(text, r"^goroutine \d+ \[IO wait, read tcp 127\.0\.0\.1:\d+\]:")

    def test_filters(self):
        def ids(*filters):
            (text,) = self.gdb("info goroutines " + " ".join(filters))
            return [int(i) for i in re.findall(r"^[* ] (\d+)", text, re.M)]

        def having(check):
            return sorted(g.goid for g in self.dump if check(g))

        self.assertEqual(
            ids("-state", "'Select,Select (no cases)'"),
            having(lambda g: g.state.startswith("select")),
        )
        self.assertEqual(
            ids("-state", "running"), having(lambda g: g.state == "running")
        )
        self.assertEqual(
            ids("-state waiting -function 'receive at'"),
            having(lambda g: any(f.endswith("receive") for f, _ in g.frames)),
        )
        self.assertEqual(ids("-created-by nowhere"), [])
        self.assertEqual(
            ids(r"-created-by start_those_behind.*parked\.cc:\d+$"),
            having(lambda g: g.creator and "start_those_behind" in g.creator[0]),
        )
        self.assertEqual(ids("-label tenant"), ids("-name ^label"))
        self.assertEqual(ids("-older 1000h"), [])
        self.assertEqual(ids("-younger 1000h"), having(lambda g: True))

    def test_several(self):
        first = sorted(g.goid for g in self.dump)[:5]
        (text,) = self.gdb(f"goroutine {first[0]},{first[2]}-{first[4]}")
        self.assertEqual([g.goid for g in shown(text)], [first[0], *first[2:5]])

    def test_mistakes_are_told_in_a_line(self):
        cases = {
            "goroutine": "weir: which goroutine?: an id or 'all' is expected; see: help goroutine",
            "goroutine x bt": "weir: 'x': is no goroutine's id; see: help goroutine",
            "goroutine 4000000 bt": "weir: goroutine 4000000: not found",
            "goroutine -function ( all": "weir: -function: is no regular expression: ",
            "goroutine -older all": "weir: -older: an age is a number with ",
            "info goroutines -state": "weir: -state: a value must follow",
            "info goroutines 4": "weir: '4': is no option of info goroutines; ",
            "goroutine 1 step": "weir: goroutine 1: 'step' resumes the program; ",
            f"weir-gcore {self.core}.2": "weir: weir-gcore: there is no live program on this ",
        }
        out = self.gdb(*cases)
        self.assertEqual(out, [""] * len(cases))
        for expected in cases.values():
            self.assertIn(expected, self.errors)
        self.assertNotIn("Traceback", self.errors)


class Loading(GdbTest):
    def test_the_extension_comes_with_the_program(self):
        for program in PARKED, ZOO:
            (text,), _ = run_gdb(["help info goroutines"], program)
            self.assertIn("List the goroutines", text)

    def test_gdb_tells_how_to_allow_it(self):
        _, errors = run_gdb(["info goroutines"], PARKED, safe=False)
        self.assertIn("auto-loading has been declined by your `auto-load safe-path'", errors)

    def test_by_hand_and_in_a_stripped_program(self):
        stripped = os.path.join(self.home, "stripped")
        subprocess.run(["strip", "-o", stripped, PARKED], check=True)
        with Debugged([f"weir-gcore {self.core}"], 3) as session:
            before = dump(session)
            session.stop()
        (_, text), errors = run_gdb(
            [f"source {SCRIPT}", "goroutine -each all"], stripped, self.core
        )
        now = {g.goid: g for g in shown(text)}
        self.assertEqual({g.goid: g.state for g in before}, {i: g.state for i, g in now.items()})
        for g in before:  # with weir's own, which only names tell apart
            self.assertGreater(len(now[g.goid].frames), 1, now[g.goid].text)
        self.assertNotIn("weir: ", errors)

    def test_nothing_to_look_at(self):
        _, errors = run_gdb(["info goroutines"], PARKED)
        self.assertIn("weir: the program is not running: start it, ", errors)
        _, errors = run_gdb([f"source {SCRIPT}", "goroutine all bt"])
        self.assertIn("weir: no executable: start gdb as: gdb PROGRAM [CORE]", errors)
        sleep = shutil.which("sleep")
        commands = [f"source {SCRIPT}", "starti", "info goroutines", "goroutine 1 bt"]
        _, errors = run_gdb(commands, "--args", sleep, "9")
        none = f"weir: {os.path.realpath(sleep)}: no weir runtime"
        self.assertEqual(errors.count(none), 2, errors)
        _, errors = run_gdb(["starti", "info goroutines", "goroutine all bt"], "--args", PARKED)
        self.assertEqual(errors.count("weir: the runtime's variables cannot be read: "), 2, errors)
        self.assertNotIn("Traceback", errors)
        out, errors = run_gdb(["break main", "run", "info goroutines"], "--args", PARKED)
        self.assertEqual(out[2], "No goroutines.", errors)
        self.assertNotIn("Traceback", errors)

    def test_half_a_core(self):
        with Debugged([f"weir-gcore {self.core}"], 50) as session:
            session.stop()
        os.truncate(self.core, os.path.getsize(self.core) // 3)
        out, errors = run_gdb(["info goroutines", "goroutine all bt"], PARKED, self.core)
        self.assertEqual(len(out), 2)
        self.assertNotIn("Traceback", errors)


if __name__ == "__main__":
    unittest.main()
