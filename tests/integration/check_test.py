"""weir check over programs that leak (tests/leaky): verdicts, exit statuses, reports, baselines."""

import json
import os
import pty
import shlex
import signal
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree

import jsonschema

from zoo import eventually

WEIR = os.environ.get("WEIR", "weir")
BIN = os.environ.get("WEIR_LEAKY", "")
SCHEMA = os.environ.get("WEIR_SARIF_SCHEMA", "")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TIMEOUT = 240  # s
PROGRAM = os.path.join(BIN, "weir-leaky-program")
TESTS = os.path.join(BIN, "weir-leaky-tests")

# Test of the leaking suite -> kind of what it leaves behind, the most telling one.
KINDS = {
    "nil_channel": ("nil_channel", "certain"),
    "chan_send": ("chan_send", "likely"),
    "chan_receive": ("chan_receive", "likely"),
    "select": ("select", "likely"),
    "select_no_cases": ("select_no_cases", "certain"),
    "mutex_forgotten_unlock": ("mutex_forgotten_unlock", "certain"),
    "mutex": ("mutex", "likely"),
    "rwmutex": ("rwmutex", "likely"),
    "waitgroup": ("waitgroup", "likely"),
    "cond": ("cond", "likely"),
    "semaphore": ("semaphore", "likely"),
    "http_body": ("http_body", "likely"),
    "sleep": ("sleep", "likely"),
    "io_wait": ("io_wait", "suspect"),
    "syscall": ("syscall", "suspect"),
    "deadlock": ("deadlock", "certain"),
    "spinning": ("spinning", None),  # the longer it has run, the more certain it is
}
FEW = "Leaky.nil_channel:Leaky.chan_send:Leaky.io_wait"


class Case(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name
        self.scratch = os.path.join(self.directory, "scratch")
        os.mkdir(self.scratch)

    def path(self, name):
        return os.path.join(self.directory, name)

    def environment(self, more=None):
        env = {k: v for k, v in os.environ.items() if not k.startswith("WEIR_LEAKCHECK")}
        return env | {"TMPDIR": self.scratch} | (more or {})

    def weir(self, *args, status, env=None, stdin=None):
        """Runs weir; returns its standard output and error. Nothing is left where it keeps its own files."""
        done = subprocess.run(
            [WEIR, *args],
            env=self.environment(env),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            cwd=ROOT,
        )
        self.assertEqual(done.returncode, status, f"{args}\n{done.stdout}\n{done.stderr}")
        self.assertEqual(os.listdir(self.scratch), [])
        return done.stdout, done.stderr

    def check(self, *command, status, options=(), **more):
        """Runs `weir check` with a report in JSON; returns that and standard error."""
        report = self.path("report.json")
        _, err = self.weir(
            "check", "--format=json", f"--output={report}", *options, "--", *command, status=status, **more
        )
        with open(report) as f:
            return json.load(f), err

    def shell(self, script, **more):
        return self.check("sh", "-c", script, **more)


def findings(report):
    return [f for p in report["reports"] for f in p["findings"]]


def leaks(report):
    return sorted((f["kind"], f["blocked_at"]["function"]) for f in findings(report) if not f.get("known"))


def validate_sarif(text):
    with open(SCHEMA) as f:
        schema = json.load(f)
    sarif = json.loads(text)
    jsonschema.Draft4Validator(schema, format_checker=jsonschema.FormatChecker()).validate(sarif)
    return sarif["runs"][0]


RECEIVE = ("chan_receive", "leaky::receive")
SEND = ("chan_send", "leaky::send")


class Suite(Case):
    """The leaking suite of tests, run once; its report in each format."""

    def test_goes_red_with_each_test_named(self):
        report, err = self.check(TESTS, "--gtest_filter=Leaky.*", status=1)
        self.assertTrue(report["complete"])
        self.assertEqual([p["target"] for p in report["reports"]], ["weir-leaky-tests"])
        found = findings(report)
        for name, (kind, certainty) in KINDS.items():
            of_test = [f for f in found if f.get("test") == f"Leaky.{name}" and f["kind"] == kind]
            self.assertTrue(of_test, name)
            if certainty:
                self.assertEqual(of_test[0]["certainty"], certainty, name)
        self.assertEqual({f.get("test") for f in found}, {f"Leaky.{name}" for name in KINDS})
        # Leaks changed nothing for the command itself.
        self.assertRegex(err, r"\nweir: check: \d+ leaks in 1 process\n$")
        # The log says why, too.
        self.assertIn("\n  test        Leaky.nil_channel\n", err)
        file = self.path("report.json")

        text, _ = self.weir("leaks", file, "--format=junit", status=1)
        suites = xml.etree.ElementTree.fromstring(text)
        cases = list(suites.iter("testcase"))
        self.assertEqual(int(suites.get("failures")), len(found))
        self.assertEqual(len(cases), len(found))
        for case in cases:
            self.assertIsNotNone(case.find("failure"))
            self.assertTrue(case.get("classname").startswith("Leaky."))
        one = next(c for c in cases if c.get("classname") == "Leaky.nil_channel")
        self.assertEqual(one.get("file"), "tests/leaky/leaky_test.cc")
        self.assertEqual(one.find("failure").get("type"), "certain")
        self.assertIn("stuck at    leaky::receive", one.find("failure").text)

        text, _ = self.weir("leaks", file, "--format=sarif", status=1)
        run = validate_sarif(text)
        self.assertEqual(len(run["results"]), len(found))
        self.assertEqual({r["id"] for r in run["tool"]["driver"]["rules"]}, {f["kind"] for f in found})
        self.assertEqual(run["originalUriBaseIds"]["%SRCROOT%"]["uri"], f"file://{ROOT}/")
        for result in run["results"]:
            place = result["locations"][0]["physicalLocation"]
            self.assertEqual(place["artifactLocation"]["uriBaseId"], "%SRCROOT%", result)
            path = os.path.join(ROOT, place["artifactLocation"]["uri"])
            self.assertTrue(os.path.isfile(path), path)

        text, _ = self.weir("leaks", file, "--format=github", status=1)
        lines = text.splitlines()
        self.assertEqual(len(lines), 11)
        for line in lines[:10]:
            self.assertRegex(line, r"^::error file=[\w/]+\.(cc|h),line=\d+,title=goroutine leak%3A \w+ \(")
        self.assertTrue(all("(certain)" in line for line in lines[:4]), lines)
        self.assertEqual(lines[10], f"::notice title=goroutine leaks::{len(found)} leaks in 1 process; 10 are shown here")

        text, _ = self.weir("leaks", file, status=1)
        self.assertRegex(text, rf"^weir-leaky-tests: {len(found)} findings in ")

    def test_is_green_when_mended(self):
        report, err = self.check(TESTS + "-fixed", status=0)
        self.assertEqual(findings(report), [])
        self.assertIn("\nweir: check: no leaks in 1 process\n", "\n" + err)
        for name, check in (
            ("junit", lambda t: self.assertIn('tests="1" failures="0" skipped="0" errors="0"', t)),
            ("sarif", lambda t: self.assertEqual(validate_sarif(t)["results"], [])),
            ("github", lambda t: self.assertEqual(t, "weir: no goroutine leaks in 1 process\n")),
        ):
            text, _ = self.weir("leaks", self.path("report.json"), f"--format={name}", status=0)
            check(text)

    def test_a_failure_of_its_own_and_leaks(self):
        _, err = self.check(TESTS, "--gtest_filter=Cases.failed_before", status=1)
        self.assertIn("1 leak in 1 process; the command exited with status 1\n", err)

    def test_guards_within_a_test(self):
        report, _ = self.check(TESTS, "--gtest_filter=Cases.parallel_*", status=1)
        counts = {}
        for f in findings(report):
            counts[f["test"]] = counts.get(f["test"], 0) + f["count"]
        # Each goroutine once: by its guard, and not again by the test or by the end of the run.
        self.assertEqual(counts, {"Cases.parallel_goroutines": 2, "Cases.parallel_threads": 2})

    def test_formats_of_check_itself(self):
        for name in ("text", "junit", "sarif", "github"):
            out, _ = self.weir("check", f"--format={name}", "--", PROGRAM, "leak", status=1)
            if name == "sarif":
                validate_sarif(out)
            self.assertIn("leaky::receive", out)


class Baseline(Case):
    def test_is_red_on_new_leaks_only(self):
        file = self.path("known.json")
        base = [f"--baseline={file}"]
        suite = (TESTS, f"--gtest_filter={FEW}")
        self.assertIn("there is no such baseline", self.weir("check", *base, "--", *suite, status=2)[1])

        report, _ = self.check(*suite, status=0, options=[*base, "--update-baseline"])
        self.assertIn("The baseline has 3 leaks now: 3 added, 0 removed.", report["notes"])
        with open(file) as f:
            lines = f.read().splitlines()
        self.assertEqual(len(lines), 6)
        self.assertEqual(lines[2:5], sorted(lines[2:5]))
        self.assertNotIn(".cc", "".join(lines))

        report, err = self.check(*suite, status=0, options=base)
        self.assertEqual([f["known"] for f in findings(report)], [True] * 3)
        self.assertIn("check: no new leaks, 3 known in 1 process\n", err)
        text, _ = self.weir("leaks", self.path("report.json"), "--format=junit", *base, status=0)
        self.assertIn('failures="0" skipped="3"', text)
        text, _ = self.weir("leaks", self.path("report.json"), "--format=sarif", *base, status=0)
        for result in validate_sarif(text)["results"]:
            self.assertEqual(result["baselineState"], "unchanged")
            self.assertEqual(result["suppressions"][0]["kind"], "external")

        # Another test leaks as well.
        suite = (TESTS, f"--gtest_filter={FEW}:Leaky.sleep")
        report, err = self.check(*suite, status=1, options=base)
        self.assertEqual(leaks(report), [("sleep", "leaky::sleep")])
        self.assertIn("check: 1 new leak, 3 known in 1 process\n", err)
        text, _ = self.weir("leaks", self.path("report.json"), "--format=github", *base, status=1)
        self.assertEqual(text.count("::error "), 1)
        self.assertIn("1 new leak in 1 process, 3 known", text)

        # One of the known ones is mended.
        report, _ = self.check(TESTS, "--gtest_filter=Leaky.chan_send:Leaky.io_wait", status=0, options=base)
        (note,) = [n for n in report["notes"] if "removed from the baseline" in n]
        self.assertIn("nil_channel in leaky::receive, created by leaky::Leaky_nil_channel_Test::TestBody", note)
        self.check(
            TESTS, "--gtest_filter=Leaky.chan_send:Leaky.io_wait", status=0, options=[*base, "--update-baseline"]
        )
        with open(file) as f:
            self.assertEqual(len(json.load(f)["leaks"]), 2)

    def test_what_a_failed_command_did_not_show_is_kept(self):
        base = [f"--baseline={self.path('known.json')}", "--update-baseline"]
        self.check(PROGRAM, "leak", status=0, options=base)
        report, _ = self.shell(f"{PROGRAM} send; exit 3", status=3, options=base)
        self.assertIn("The baseline has 2 leaks now: 1 added, 0 removed. Not everything was seen", report["notes"][-1])

    def test_garbage(self):
        file = self.path("known.json")
        for text in ("", "garbage", '{"schema":"weir.findings/1"}', '{"schema":"weir.baseline/1","leaks":[1]}'):
            with open(file, "w") as f:
                f.write(text)
            _, err = self.weir("check", f"--baseline={file}", "--", "touch", self.path("was_run"), status=2)
            self.assertRegex(err, r"^weir: .*known\.json: (not a baseline: |is empty).*\n$")
        self.assertFalse(os.path.exists(self.path("was_run")))
        _, err = self.weir("check", "--update-baseline", "--", "true", status=2)
        self.assertEqual(err.count("\n"), 1)


class Processes(Case):
    def ctest(self, **commands):
        """A directory in which ctest runs these."""
        with open(self.path("CTestTestfile.cmake"), "w") as f:
            for name, command in commands.items():
                f.write(f"add_test({name} {' '.join(shlex.quote(c) for c in command)})\n")
        return ("ctest", "-j2", "--test-dir", self.directory)

    def test_through_ctest(self):
        green = {"one": (PROGRAM, "clean"), "two": (PROGRAM, "clean")}
        report, err = self.check(*self.ctest(**green), status=0)
        self.assertEqual(report["reports"][0]["notes"], ["Of 2 processes."])
        self.assertIn("no leaks in 2 processes\n", err)
        # A leak is no failure of the test: ctest has exited with 0.
        report, err = self.check(*self.ctest(**green, leaks=(PROGRAM, "leak"), more=(PROGRAM, "send")), status=1)
        self.assertEqual(leaks(report), [RECEIVE, SEND])
        self.assertIn("check: 2 leaks in 4 processes\n", err)
        # A failure of its own is ctest's 8, but leaks go first.
        self.check(*self.ctest(**green, fails=("false",)), status=8)
        _, err = self.check(*self.ctest(fails=("false",), leaks=(PROGRAM, "leak")), status=1)
        self.assertIn("1 leak in 1 process; the command exited with status 8\n", err)

    def test_two_at_once(self):
        report, err = self.shell(f"{PROGRAM} leak & {PROGRAM} send & {PROGRAM} leak & wait", status=1)
        self.assertEqual(leaks(report), [RECEIVE, SEND])
        counts = {f["blocked_at"]["function"]: f["count"] for f in findings(report)}
        self.assertEqual(counts, {"leaky::receive": 2, "leaky::send": 1})
        self.assertIn("2 leaks in 3 processes\n", err)

    def test_a_process_that_becomes_another(self):
        report, err = self.check(PROGRAM, "become", status=1)
        self.assertEqual(leaks(report), [RECEIVE, SEND])
        self.assertIn("in 2 processes\n", err)

    def test_a_process_that_crashes(self):
        report, err = self.check(PROGRAM, "crash", status=128 + signal.SIGABRT)
        self.assertIn("the command was killed by SIGABRT\n", err)
        self.assertIn(
            "weir-leaky-program: 1 process ended before weir::run did: what was left behind is not known.",
            report["notes"],
        )
        report, _ = self.shell(f"{PROGRAM} crash; {PROGRAM} leak", status=1)
        self.assertEqual(leaks(report), [RECEIVE])
        self.assertTrue(any("ended before weir::run did" in n for n in report["notes"]))

    def test_a_process_that_outlives_the_command(self):
        pipe = self.path("pipe")
        os.mkfifo(pipe)
        script = f"{PROGRAM} hold < {pipe} > {self.path('out')} 2>&1 & exec 3> {pipe}; " + (
            f"until grep -q holding {self.path('out')}; do sleep 0.05; done; echo $! > {self.path('pid')}"
        )
        # (The shell's end of the pipe is closed when it exits, so another one holds it open.)
        keep = os.open(pipe, os.O_RDWR)
        try:
            report, _ = self.shell(script, status=0)
        finally:
            os.close(keep)
        self.assertTrue(any("1 process still running" in n for n in report["notes"]), report)
        with open(self.path("pid")) as f:
            pid = int(f.read())
        eventually(lambda: not os.path.exists(f"/proc/{pid}/exe"), "it has ended")

    def test_a_report_that_cannot_be_read(self):
        for text in ("garbage", '{"schema":"weir.findings/1","findings":[', '{"schema":"weir.findings/2"}'):
            script = f"printf %s {shlex.quote(text)} > ${{WEIR_LEAKCHECK_REPORT}}1-1.json; {PROGRAM} leak"
            report, err = self.shell(script, status=2)
            self.assertRegex(err, r"weir: check: report 1-1\.json: JSON: .*\n")
            self.assertFalse(report["complete"])
            self.assertEqual(leaks(report), [RECEIVE])
        out, _ = self.weir("leaks", self.path("report.json"), "--format=junit", status=1)
        self.assertIn('errors="1"', out)

    def test_none_of_ours(self):
        report, err = self.check("true", status=0)
        self.assertIn("Nothing was looked at", report["notes"][0])
        self.assertEqual(err, "weir: check: no leaks in 0 processes\n")


class ExitStatus(Case):
    def test_each_mix(self):
        for script, status in (
            (f"{PROGRAM} clean", 0),
            (f"{PROGRAM} leak", 1),
            (f"{PROGRAM} leak; exit 3", 1),
            (f"{PROGRAM} clean; exit 3", 3),
            (f"{PROGRAM} fail", 1),
            (f"{PROGRAM} guard", 1),
            (f"{PROGRAM} mended", 0),
            (f"{PROGRAM} leak || exit 3", 1),  # a leak changes no exit status
            (f"{PROGRAM} clean; kill -TERM $$", 143),
            (f"{PROGRAM} leak; kill -KILL $$", 1),
        ):
            with self.subTest(script):
                self.shell(script, status=status)

    def test_our_own_errors(self):
        for args, words in (
            (["--", "weir-no-such-command"], "weir-no-such-command: no such command"),
            (["--", self.directory], f"{self.directory}: Permission denied"),
            ([], "COMMAND is required"),
            (["--format=yaml", "--", "true"], "yaml"),
            (["--ignore=(", "--", "true"], "not a regular expression"),
            (["--ignore=" + "x" * 999, "--ignore=y", "--", "true"], "--ignore: all together are longer"),
            (["--min-certainty=sure", "--", "true"], "sure"),
            (["-o", "/nowhere/report", "--", "true"], "/nowhere/report"),
        ):
            with self.subTest(args):
                _, err = self.weir("check", *args, status=2)
                last = err.splitlines()[-1]
                self.assertTrue(last.startswith("weir: "), err)
                self.assertIn(words, last)

    def test_ignore_and_certainty(self):
        script = f"{PROGRAM} leak; {PROGRAM} send"
        self.assertEqual(leaks(self.shell(script, status=1, options=["--ignore=leaky::receive"])[0]), [SEND])
        options = ["--ignore=leaky::receive", "--ignore=leaky::send"]
        self.shell(script, status=0, options=options)
        self.shell(script, status=0, options=options[:1], env={"WEIR_LEAKCHECK_IGNORE": "leaky::se.d"})
        self.assertEqual(
            leaks(self.check(TESTS, "--gtest_filter=Leaky.chan_send", "--gtest_break_on_failure", status=0,
                             options=["--ignore=leaky::send"])[0]), [])
        report, _ = self.shell(script, status=0, options=["--min-certainty=certain"])
        self.assertIn("2 findings are less than certain, and left out.", report["notes"])

    def test_arguments_pass_as_they_are(self):
        out, _ = self.weir("check", "--", "printf", "[%s]", "a b", "", "--", "--help", "-o", "x,y", "[z]", status=0)
        self.assertIn("[a b][][--][--help][-o][x,y][[z]]", out)

    def test_standard_input_passes(self):
        out, _ = self.weir("check", "--", "cat", status=0, stdin="as it is\n")
        self.assertIn("as it is\n", out)


class Signals(Case):
    SCRIPT = 'trap "exit 5" {0}; echo ready; while :; do sleep 0.05; done'

    def start(self, script, **more):
        process = subprocess.Popen(
            [WEIR, "check", "--", "sh", "-c", script],
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **more,
        )
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), "ready\n")
        return process

    def test_are_passed_on(self):
        for name in ("TERM", "INT", "HUP", "QUIT", "USR1"):
            process = self.start(self.SCRIPT.format(name))
            process.send_signal(getattr(signal, "SIG" + name))
            _, err = process.communicate(timeout=TIMEOUT)
            self.assertEqual(process.returncode, 5, name)
            self.assertIn("the command exited with status 5\n", err)
            self.assertEqual(os.listdir(self.scratch), [])

    def test_a_command_that_dies_of_it(self):
        process = self.start("echo ready; while :; do sleep 0.05; done")
        process.terminate()
        _, err = process.communicate(timeout=TIMEOUT)
        self.assertEqual(process.returncode, 143)
        self.assertIn("the command was killed by SIGTERM\n", err)
        self.assertEqual(os.listdir(self.scratch), [])

    def test_what_was_ignored_stays_so(self):
        process = self.start(
            f"echo ready; until [ -e {self.path('stop')} ]; do sleep 0.05; done",
            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
        )
        process.send_signal(signal.SIGHUP)
        open(self.path("stop"), "w").close()
        process.communicate(timeout=TIMEOUT)
        self.assertEqual(process.returncode, 0)

    def test_in_the_terminals_foreground(self):
        """The command reads from the terminal, and Ctrl-C reaches it once."""
        script = (
            f"n=0; trap 'n=$((n+1)); echo n=$n' INT; echo ready; read line; echo \"got $line\"; "
            f"until [ -e {self.path('stop')} ]; do sleep 0.05; done; echo count=$n"
        )
        pid, terminal = pty.fork()
        if pid == 0:
            os.environ.update(self.environment())
            os.execv(WEIR, [WEIR, "check", "--", "bash", "-c", script])
        self.addCleanup(os.close, terminal)
        text = ""

        def read_until(words):
            nonlocal text

            def look():
                nonlocal text
                if words in text:  # may have come along with what was waited for before
                    return True
                try:
                    text += os.read(terminal, 4096).decode()
                except OSError:  # the terminal is closed
                    raise AssertionError(f"no {words!r} in {text!r}")
                return words in text

            eventually(look, words)

        read_until("ready")
        os.write(terminal, b"hello\n")
        read_until("got hello")
        os.write(terminal, b"\x03")
        read_until("n=1")
        open(self.path("stop"), "w").close()
        read_until("count=1")
        read_until("no leaks in 0 processes")
        _, status = os.waitpid(pid, 0)
        self.assertEqual(os.waitstatus_to_exitcode(status), 0)


if __name__ == "__main__":
    unittest.main()
