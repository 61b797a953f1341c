"""`weir dump --pid` and `weir dump --core` over real programs: they show the goroutines that the
endpoint showed an instant before, with the same reasons, objects and stacks.
"""

import collections
import json
import os
import shutil
import signal
import subprocess
import tempfile
import unittest
import urllib.request

from debugged import OTHERS, PARKED, Debugged, run_gdb
from zoo import Zoo, eventually

WEIR = os.environ.get("WEIR", "weir")
OBSERVED = os.environ.get("WEIR_OBSERVED", "weir-observed")
TIMEOUT = 300  # s, of one step


def weir(*args):
    """(exit status, stdout, stderr)"""
    result = subprocess.run([WEIR, *map(str, args)], capture_output=True, text=True, timeout=TIMEOUT)
    return result.returncode, result.stdout, result.stderr


def dump(*args):
    status, out, err = weir("dump", *args, "--format=json")
    assert status == 0, err
    assert err == "", err
    return json.loads(out)


def rows(snapshot):
    """Every goroutine and waiting thread, as all that is to be the same."""
    frames = snapshot["frames"]
    locations = [
        tuple((frames[f]["function"], frames[f]["line"]) for f in l["frames"]) for l in snapshot["locations"]
    ]

    def place(index):
        return None if index is None else locations[index]

    def shown(group, location):
        # A thread that was interrupted stands at its system call, else behind it.
        return tuple(f for f, _ in locations[location]) if group["thread"] else locations[location]

    def thing(o):
        o = dict(o)
        for key in ("made_at", "locked_at", "rlocked_at", "added_at", "done_at", "signalled_at"):
            if key in o:
                o[key] = place(o[key])
        return json.dumps(o, sort_keys=True)

    things = [thing(o) for o in snapshot["objects"]]
    found = collections.Counter()
    for g in snapshot["groups"]:
        stack = snapshot["stacks"][g["stack"]]
        unsteady = g["state"] == "running" or g["thread"]
        alike = (
            g["state"],
            g["wait_reason"],
            g["object_kind"],
            place(g["created_by"]),
            tuple(shown(g, l) for l in stack["locations"]),
            stack["truncated"],
            json.dumps(g["labels"]),
            g["thread"],
            g.get("locked", False),
        )
        for m in g["members"]:
            first = m.get("first_object", 0)
            found[
                (
                    m["goid"],
                    m["parent_goid"],
                    alike,
                    snapshot["strings"][m.get("name", 0)],
                    0 if unsteady else m.get("stack_bytes", 0),
                    tuple(things[first : first + m.get("object_count", 0)]),
                )
            ] += 1
    return found


def contexts(snapshot):
    return sorted((c["kind"], c["state"], c["count"], c["forgotten"], c["waiters"]) for c in snapshot["contexts"])


class Parked:
    """weir-parked alone."""

    def __init__(self, count, program=PARKED):
        self.process = subprocess.Popen([program, str(count)], stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


def state_of(pid):
    with open(f"/proc/{pid}/stat") as f:
        return f.read().rsplit(")", 1)[1].split()[0]


def endpoint(url):
    with urllib.request.urlopen(f"{url}/debug/goroutine?format=json", timeout=TIMEOUT) as r:
        return json.load(r)


def whole(take):
    """A snapshot in which each running goroutine, too, has a stack: on a busy machine its thread may
    get no processor in time to tell it, or to stop on."""

    def attempt():
        s = take()
        return None if any(s["stacks"][g["stack"]]["truncated"] for g in s["groups"]) else s

    return eventually(attempt, "a whole snapshot")


class PostMortemTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.home = tempfile.mkdtemp(prefix="weir-post-mortem-")
        self.addCleanup(shutil.rmtree, self.home, True)
        self.core = os.path.join(self.home, "core")

    def assert_same(self, before, now, but=()):
        a, b = rows(before), rows(now)
        missing = [r for r in a - b if r[0] not in but]
        extra = [r for r in b - a if r[0] not in but]
        self.assertEqual(missing[:3], extra[:3])
        self.assertEqual(sorted(r[0] for r in a.elements()), sorted(r[0] for r in b.elements()))
        self.assertEqual(before["total"], now["total"])
        self.assertEqual(contexts(before), contexts(now))

    def assert_fails(self, why, *args):
        status, out, err = weir("dump", *args)
        self.assertEqual((status, out), (2, ""), err)
        self.assertRegex(err, f"\\Aweir: .*{why}.*\n\\Z")
        self.assertEqual(err.count("\n"), 1, err)


class PidTest(PostMortemTest):
    def check(self, count):
        with Parked(count) as program:
            before = whole(lambda: endpoint(program.url))
            now = whole(lambda: dump("--pid", program.pid))
            self.assertEqual(now["total"], count + OTHERS)
            self.assert_same(before, now)
            self.assertEqual(now["process"], os.path.basename(PARKED))
            self.assertEqual(now["pid"], program.pid)
            # It has a goroutine that runs, so it was stopped; and goes on.
            self.assertGreater(now["longest_hold_ns"], 0)
            self.assert_same(before, whole(lambda: endpoint(program.url)))
            return now

    def test_one(self):
        self.check(1)

    def test_a_thousand(self):
        self.check(1000)

    def test_a_hundred_thousand(self):
        self.check(100_000)

    def test_threads_timers_and_contexts(self):
        with Parked(0, OBSERVED) as program:
            before = whole(lambda: endpoint(program.url))
            now = whole(lambda: dump("--pid", program.pid))
        self.assert_same(before, now)
        self.assertEqual(sum(g["count"] for g in now["groups"] if g["thread"]), 2)
        self.assertEqual(sum(c["forgotten"] for c in now["contexts"]), 1)
        self.assertTrue(any(o.get("timer") and o.get("armed") for o in now["objects"]))

    def test_times_are_of_now(self):
        with Parked(1) as program:
            first = dump("--pid", program.pid)
            second = dump("--pid", program.pid)
        oldest = [max(g["oldest_ns"] for g in s["groups"]) for s in (first, second)]
        passed = second["taken_at_ns"] - first["taken_at_ns"]
        self.assertLess(abs(oldest[1] - oldest[0] - passed), 2_000_000_000)

    def test_a_stripped_program_whose_file_is_gone(self):
        """Without debug information, symbols or a file: its own note tells where everything is."""
        program = os.path.join(self.home, "stripped")
        subprocess.run(["strip", "-o", program, PARKED], check=True)
        with Parked(7, program) as running:
            os.remove(program)
            now = dump("--pid", running.pid)
            before = endpoint(running.url)
        self.assertEqual(now["total"], 7 + OTHERS)

        def waits(s):
            return sorted((m["goid"], g["wait_reason"]) for g in s["groups"] for m in g["members"])

        self.assertEqual(waits(before), waits(now))

    def test_a_busy_service(self):
        """Goroutines come and go: those that lived throughout are there once, with whole stacks."""
        with Zoo("--leak=all", "--rate=20") as zoo:
            eventually(lambda: len(zoo.goroutines()) > 200, "200 goroutines")
            before = {m["goid"] for g in endpoint(zoo.url)["groups"] for m in g["members"]}
            now = dump("--pid", zoo.process.pid)
            after = {m["goid"] for g in endpoint(zoo.url)["groups"] for m in g["members"]}
        met = collections.Counter(m["goid"] for g in now["groups"] for m in g["members"])
        self.assertEqual({goid: n for goid, n in met.items() if n != 1}, {})
        self.assertEqual((before & after) - set(met), set())
        # One that runs may get no processor to stop on in time, where the machine is busy.
        still = [g for g in now["groups"] if g["state"] != "running"]
        self.assertEqual([g for g in still if now["stacks"][g["stack"]]["truncated"]], [])
        self.assertTrue({"http_body", "io", "chan", "mutex"} <= {o["kind"] for o in now["objects"]})

    def test_mistakes_are_told_in_a_line(self):
        self.assert_fails("no such process", "--pid", 2**22 + 1)
        self.assert_fails("no weir runtime in it", "--pid", os.getpid())
        self.assert_fails("--pid", "--pid", "x")
        self.assert_fails("--pid", "--pid", "0")
        self.assert_fails("name one of", "--pid", os.getpid(), "--core", "x")
        self.assert_fails("name one of")
        self.assert_fails("it goes with --core", "--pid", os.getpid(), "--exe", "x")
        ended = subprocess.Popen(["true"])
        try:
            eventually(lambda: state_of(ended.pid) == "Z", "a zombie")
            self.assert_fails("the process has ended", "--pid", ended.pid)
        finally:
            ended.wait()


class CoreTest(PostMortemTest):
    def check(self, count):
        with Debugged([f"weir-gcore {self.core}"], count) as session:
            before = whole(lambda: endpoint(session.url))
            session.stop()
        now = dump("--core", self.core, "--exe", PARKED)
        self.assertEqual(now["total"], count + OTHERS)
        self.assertNotIn("truncated", now)
        self.assert_same(before, now)
        self.assertEqual(now["process"], os.path.basename(PARKED))

    def test_one(self):
        self.check(1)

    def test_a_thousand(self):
        self.check(1000)

    def test_a_hundred_thousand(self):
        self.check(100_000)

    def check_death(self, how, function):
        with Debugged([f"weir-gcore {self.core}"], 20, how) as session:
            before = whole(lambda: endpoint(session.url))
            session.stop(signal.SIGUSR1)
        now = dump("--core", self.core)
        self.assert_same(before, now, but={1})
        main = next(r for r in rows(now) if r[0] == 1)
        state, *_, stack = main[2][:5]
        self.assertEqual(state, "running")
        functions = [f for location in stack for f, _ in location]
        self.assertIn(f"parked::{function}", functions)
        return functions

    def test_abort(self):
        functions = self.check_death("abort", "die")
        self.assertTrue(any("abort" in f for f in functions), functions)

    def test_bad_access(self):
        self.assertEqual(self.check_death("segv", "die")[0], "parked::die")

    def test_stack_overflow(self):
        self.assertEqual(self.check_death("overflow", "overflow")[0], "parked::overflow")


class DamagedCoreTest(PostMortemTest):
    @classmethod
    def setUpClass(cls):
        cls.kept = tempfile.mkdtemp(prefix="weir-post-mortem-")
        cls.good = os.path.join(cls.kept, "core")
        with Debugged([f"weir-gcore {cls.good}"], 50) as session:
            session.stop()

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.kept, True)

    def test_mistakes_are_told_in_a_line(self):
        nothing = os.path.join(self.home, "nothing")
        self.assert_fails("No such file", "--core", nothing)
        self.assert_fails("not even a regular file", "--core", self.home)
        self.assert_fails("not a core file", "--core", __file__)
        self.assert_fails("an ELF file, but not a core", "--core", PARKED)
        self.assert_fails("No such file", "--core", self.good, "--exe", nothing)
        self.assert_fails("not a program", "--core", self.good, "--exe", __file__)
        self.assert_fails("it is of another program", "--core", self.good, "--exe", WEIR)
        open(nothing, "w").close()
        self.assert_fails("not a core file", "--core", nothing)

    def test_of_another_program(self):
        run_gdb(["starti", f"gcore {self.core}", "kill"], shutil.which("true"))
        self.assert_fails("no weir runtime in it", "--core", self.core)

    def test_a_cut_core_gives_what_is_there_or_says_why_not(self):
        size = os.path.getsize(self.good)
        told = 0
        for percent in (0.01, 1, 5, 10, 25, 50, 75, 90, 99):
            shutil.copyfile(self.good, self.core)
            os.truncate(self.core, int(size * percent / 100))
            status, out, err = weir("dump", "--core", self.core, "--exe", PARKED, "--format=json")
            if status == 0:
                self.assertTrue(json.loads(out)["truncated"])
                told += 1
            else:
                self.assertEqual((status, err.count("\n")), (2, 1), err)
        self.assertGreater(told, 0)

    def test_a_core_by_gcore_is_whole_or_says_that_it_is_not(self):
        """From Linux 6.13 on gdb's own gcore leaves stacks out, in whose place there are zeros."""
        with Debugged([f"gcore {self.core}"], 50) as session:
            before = endpoint(session.url)
            session.stop()
        status, out, err = weir("dump", "--core", self.core, "--exe", PARKED, "--format=json")
        if status == 0 and not json.loads(out).get("truncated"):
            self.assertEqual((json.loads(out)["total"], err), (before["total"], ""))
        else:
            self.assertIn("the core lacks memory of goroutines", err)
            self.assertEqual(err.count("\n"), 1, err)

    def test_garbage_in_a_core_does_no_harm(self):
        """Each time other bytes of the notes and of the memory are not what they were."""
        with open(self.good, "rb") as f:
            head = bytearray(f.read(1 << 20))
        for seed in range(40):
            shutil.copyfile(self.good, self.core)
            with open(self.core, "r+b") as f:
                for i in range(64):
                    # A simple generator: the same cores in each run.
                    at = (seed * 1_000_003 + i * 7_919_117) % (len(head) - 8)
                    f.seek(at)
                    f.write(((seed + 1) * (i + 3) * 0x9E3779B97F4A7C15 & (1 << 64) - 1).to_bytes(8, "little"))
            status, _, err = weir("dump", "--core", self.core, "--exe", PARKED, "--format=json")
            self.assertIn(status, (0, 2), err)
            self.assertIn(err.count("\n"), (0, 1) if status == 0 else (1,), err)


if __name__ == "__main__":
    unittest.main()
