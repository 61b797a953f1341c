"""Programs that leak, and what <weir/testing.h> and WEIR_LEAKCHECK make of them (tests/leaky)."""

import json
import os
import re
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree
from concurrent.futures import ThreadPoolExecutor

BIN = os.environ.get("WEIR_LEAKY", "")
TIMEOUT = 240  # s; the leaking tests take ten on an idle machine
LEFT = re.compile(r"^(\d+) goroutines? (?:was|were) left behind\.$", re.M)

# Test -> of each finding: certainty, kind, where it is stuck, and what it says besides.
LEAKS = {
    "nil_channel": [("certain", "nil_channel", "leaky::receive", "nil channel")],
    "chan_send": [("likely", "chan_send", "leaky::send", "cap 0, 0 sent, 0 received")],
    "chan_receive": [("likely", "chan_receive", "leaky::receive", "cap 0, 0 sent, 0 received")],
    "select": [("likely", "select", "leaky::select_one", "2 channels")],
    "select_no_cases": [("certain", "select_no_cases", "leaky::select_nothing", "without cases")],
    "mutex_forgotten_unlock": [("certain", "mutex_forgotten_unlock", "leaky::lock", "has exited")],
    "mutex": [
        ("likely", "mutex", "leaky::lock", "held by goroutine"),
        ("likely", "chan_receive", "leaky::receive", ""),
    ],
    "rwmutex": [
        ("likely", "rwmutex", "leaky::write_lock", "read-locked by 1 reader"),
        ("likely", "chan_receive", "leaky::receive", ""),
    ],
    "waitgroup": [("likely", "waitgroup", "leaky::wait", "Add has counted 2")],
    "cond": [("likely", "cond", "leaky::take_job", "never signalled")],
    "semaphore": [("likely", "semaphore", "leaky::acquire", "1 of 1 taken")],
    "http_body": [("likely", "http_body", "", "/status?of=body")],
    "spinning": [("suspect", "spinning", "leaky::spin", "")],
    "sleep": [("likely", "sleep", "leaky::sleep", "")],
    "io_wait": [("suspect", "io_wait", "leaky::accept", "127.0.0.1:")],
    "syscall": [("suspect", "syscall", "leaky::read_pipe", "")],
    "deadlock": [("certain", "deadlock", "leaky::lock", "in a circle")],
}


def run(program, *args, **environment):
    """A program of tests/leaky; its standard output and error together."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("WEIR_LEAKCHECK")}
    return subprocess.run(
        [os.path.join(BIN, program), *args],
        env=env | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT,
    )


def run_tests(program, filter, **environment):
    """Exit status, and for each test of the filter: its failures, or None where it was skipped."""
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "results.xml")
        done = run(program, f"--gtest_filter={filter}", f"--gtest_output=xml:{path}", **environment)
        assert os.path.exists(path), done.stdout
        results = {}
        for case in xml.etree.ElementTree.parse(path).iter("testcase"):
            failures = [f.text for f in case.findall("failure")]
            name = f"{case.get('classname')}.{case.get('name')}"
            results[name] = failures or (None if case.find("skipped") is not None else [])
        return done.returncode, results


class EachKind(unittest.TestCase):
    def check(self, name, failures):
        self.assertEqual(len(failures), 1, failures)
        text = failures[0]
        wanted = LEAKS[name]
        self.assertIn("leaky_test.cc:", text)
        findings = re.findall(
            r"^(certain|likely|suspect): (.*)\n  (\w+), (\d+) goroutines?.*\n  stuck at +(\S+)", text, re.M
        )
        self.assertEqual(len(findings), len(wanted), text)
        self.assertEqual(int(LEFT.search(text).group(1)), sum(int(f[3]) for f in findings), text)
        for certainty, kind, place, words in wanted:
            self.assertIn((certainty, kind), [(f[0], f[2]) for f in findings], text)
            if place:
                self.assertIn(place, [f[4] for f in findings if f[2] == kind], text)
            self.assertIn(words, text)
        if name != "http_body":  # which the client's goroutine keeps
            self.assertRegex(text, rf"created by +leaky::Leaky_{name}_Test::TestBody")

    def test_each_fails_with_the_right_message(self):
        status, results = run_tests("weir-leaky-tests", "Leaky.*")
        self.assertEqual(status, 1)
        self.assertEqual(set(results), {f"Leaky.{name}" for name in LEAKS})
        for name in LEAKS:
            with self.subTest(name):
                self.check(name, results[f"Leaky.{name}"])

    def test_each_fails_alone_in_parallel_processes(self):
        with ThreadPoolExecutor(4) as pool:
            done = pool.map(lambda name: run_tests("weir-leaky-tests", f"Leaky.{name}"), LEAKS)
        for name, (status, results) in zip(LEAKS, done):
            with self.subTest(name):
                self.assertEqual(status, 1)
                self.check(name, results[f"Leaky.{name}"])

    def test_all_pass_when_mended(self):
        with ThreadPoolExecutor(4) as pool:
            done = pool.map(lambda _: run_tests("weir-leaky-tests-fixed", "*"), range(8))
        for status, results in done:
            self.assertEqual(status, 0, results)
            self.assertEqual({name for name, failures in results.items() if failures != []}, {"Cases.skipped"})


class Listener(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.status, cls.results = run_tests("weir-leaky-tests", "-Leaky.*")

    def left(self, name):
        return [int(LEFT.search(f).group(1)) for f in self.results[name] if LEFT.search(f)]

    def test_who_fails(self):
        self.assertEqual(self.status, 1)
        for name, failures in self.results.items():
            self.assertEqual(not failures, name.startswith("Healthy"), (name, failures))

    def test_counts_are_each_tests_own(self):
        self.assertEqual(self.left("Cases.skipped"), [1])
        for name in ("Typed/0.leaves_one", "Typed/1.leaves_one", "All/Numbers.leaves_some/0"):
            self.assertEqual(self.left(name), [1])
        self.assertEqual(self.left("All/Numbers.leaves_some/1"), [2])

    def test_says_that_the_test_had_failed(self):
        own, leak = self.results["Cases.failed_before"]
        self.assertIn("for another reason", own)
        self.assertIn("had failed before", leak)

    def test_guards_at_once_in_one_process(self):
        # The test itself has the goroutines of its goroutines, but not those of its threads.
        for name, left in (("goroutine", [1, 1, 2]), ("thread", [1, 1])):
            self.assertEqual(self.left(f"Cases.parallel_{name}s"), left)
            guards = self.results[f"Cases.parallel_{name}s"][:2]
            told = sorted(re.search(rf"^{name} (\d): ", f, re.M).group(1) for f in guards)
            self.assertEqual(told, ["1", "3"])

    def test_repeated(self):
        done = run("weir-leaky-tests", "--gtest_filter=Typed/0.*", "--gtest_repeat=3")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(LEFT.findall(done.stdout), ["1", "1", "1"], done.stdout)


class LeakCheck(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name

    def check(self, what, status, left, **environment):
        done = run("weir-leaky-program", what, **({"WEIR_LEAKCHECK": "exit"} | environment))
        self.assertEqual(done.returncode, status, done.stdout)
        self.assertEqual(LEFT.findall(done.stdout), left, done.stdout)
        return done.stdout

    def test_exit_status(self):
        self.assertEqual(self.check("clean", 0, []), "")
        text = self.check("leak", 66, ["1"])
        self.assertRegex(text, r"stuck at +leaky::receive .*leaky_program.cc:\d+")
        self.assertRegex(text, r"created by +leaky::leave_one .*leaky_program.cc:\d+")

    def test_is_off_unless_asked_for(self):
        for value in ("", "off"):
            self.assertEqual(self.check("leak", 0, [], WEIR_LEAKCHECK=value), "")

    def test_the_programs_own_failure_wins(self):
        self.check("fail", 3, ["1"])

    def test_the_program_ends_as_it_would(self):
        self.assertIn("done at exit\n", self.check("late", 66, ["1"]))

    def test_the_end_of_the_last_run_counts(self):
        self.check("leak-again", 66, ["1"])  # told once
        self.check("mended", 0, ["1"])

    def test_a_guard_without_a_handler(self):
        text = self.check("guard", 66, ["1"], WEIR_LEAKCHECK="off")
        self.assertIn("the scope: 1 finding", text)

    def test_ignore(self):
        self.check("leak", 0, [], WEIR_LEAKCHECK_IGNORE="leaky::rec.ive$")
        self.check("leak", 0, [], WEIR_LEAKCHECK_IGNORE="leave_one")
        self.check("leak", 66, ["1"], WEIR_LEAKCHECK_IGNORE="leaky::send")

    def test_malformed_values(self):
        for name, value in (
            ("WEIR_LEAKCHECK", "yes"),
            ("WEIR_LEAKCHECK_IGNORE", "("),
            ("WEIR_LEAKCHECK_REPORT", "report.%q"),
        ):
            text = self.check("leak", 2, [], **{name: value})
            self.assertEqual(text.count("\n"), 1)
            self.assertIn(name, text)

    def report(self, what, status, left):
        path = os.path.join(self.directory, "report.json")
        self.check(what, status, left, WEIR_LEAKCHECK_REPORT=path)
        self.assertEqual(os.listdir(self.directory), ["report.json"])
        with open(path) as f:
            report = json.load(f)
        self.assertEqual(report["schema"], "weir.findings/1")
        self.assertEqual(report["target"], "weir-leaky-program")
        self.assertIsNotNone(report["taken_at"])
        return [(f["kind"], f["count"], f["blocked_at"]["function"]) for f in report["findings"]]

    def test_report(self):
        self.assertEqual(self.report("clean", 0, []), [])
        leak = [("chan_receive", 1, "leaky::receive")]
        self.assertEqual(self.report("leak", 66, ["1"]), leak)
        self.assertEqual(self.report("leak-again", 66, ["1"]), leak)
        self.assertEqual(self.report("mended", 0, ["1"]), [])

    def test_report_of_each_process(self):
        path = os.path.join(self.directory, "%%.%p")
        for _ in range(2):
            self.check("clean", 0, [], WEIR_LEAKCHECK_REPORT=path)
        names = os.listdir(self.directory)
        self.assertEqual(len(names), 2)
        for name in names:
            self.assertRegex(name, r"^%\.\d+$")

    def test_report_that_cannot_be_written(self):
        path = os.path.join(self.directory, "none", "report")
        text = self.check("clean", 66, [], WEIR_LEAKCHECK_REPORT=path)
        self.assertRegex(text, r"^weir: WEIR_LEAKCHECK_REPORT: cannot write .*/none/report: No such file")

    def test_report_to_what_is_no_file_of_its_own(self):
        pipe = os.path.join(self.directory, "pipe")
        os.mkfifo(pipe)
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        self.check("leak", 66, ["1"], WEIR_LEAKCHECK_REPORT=pipe)
        self.assertEqual(json.loads(os.read(reader, 1 << 16))["schema"], "weir.findings/1")
        target = os.path.join(self.directory, "target")
        link = os.path.join(self.directory, "link")
        open(target, "w").close()
        os.symlink("target", link)
        self.check("clean", 0, [], WEIR_LEAKCHECK_REPORT=link)
        self.assertTrue(os.path.islink(link))
        with open(target) as f:
            self.assertEqual(json.load(f)["findings"], [])
        self.assertEqual(sorted(os.listdir(self.directory)), ["link", "pipe", "target"])

    def test_a_suite_of_tests(self):
        status, results = run_tests("weir-leaky-tests-fixed", "*", WEIR_LEAKCHECK="exit")
        self.assertEqual(status, 0, results)


if __name__ == "__main__":
    unittest.main()
