"""weir top as a person uses it: in a terminal of tmux, by its keys; and what is left of the terminal after it."""

import http.server
import os
import re
import signal
import subprocess
import tempfile
import threading
import unittest

from zoo import DEADLINE, Zoo, eventually

WEIR = os.environ.get("WEIR", "weir")
PROMPT = "ready>"


def debug1(groups):
    """weir's debug=1 of (count, reason, longest wait, function, creator)s."""
    text = f"goroutine profile: total {sum(g[0] for g in groups)}\n"
    for i, (count, reason, longest, function, creator) in enumerate(groups):
        address = 0x1000 + 32 * i
        text += (
            f"{count} @ {address + 1:#x} {address + 9:#x}\n"
            f"# state: {count} {reason}, wait {longest} (longest {longest}), created by {creator}\t/src/main.cc:50\n"
            f"#\t{address:#x}\t{function}+0x1\t/src/work.cc:13\n"
            f"#\t{address + 8:#x}\tserve+0x1\t/src/serve.cc:7\n\n"
        )
    return text


THREE = [
    (300, "chan receive", "10m0s", "alpha", "zed"),
    (200, "select", "30m0s", "beta", "yankee"),
    (100, "chan send", "20m0s", "gamma", "xray"),
]


class Server:
    """A weir program that answers what the test wants, or nothing."""

    def __init__(self, groups):
        self.groups = groups
        self.release = threading.Event()  # answers wait for it
        self.release.set()
        self.port = 0
        self.start()

    def start(self):
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                owner.release.wait(DEADLINE)
                if not self.path.startswith("/debug/pprof/goroutine?debug=1"):
                    self.send_error(404)
                    return
                body = debug1(owner.groups).encode()
                try:
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except ConnectionError:
                    pass  # it did not wait for the answer

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Pane:
    """A terminal with a plain shell, which neither edits lines nor repairs what programs leave behind."""

    def __init__(self, columns=80, lines=24, env=None):
        self.home = tempfile.TemporaryDirectory(prefix="weir-top-")
        self.socket = os.path.join(self.home.name, "tmux")
        base = {"PATH": os.environ["PATH"], "HOME": self.home.name, "LC_ALL": "C.UTF-8", "PS1": PROMPT + " "}
        for name in ("LD_LIBRARY_PATH", "ASAN_OPTIONS", "TSAN_OPTIONS"):
            if name in os.environ:
                base[name] = os.environ[name]
        base.update(env or {})
        self.env = {**base, "TERM": "xterm-256color"}
        shell = "exec env " + " ".join(f"'{k}={v}'" for k, v in base.items()) + " sh -i"
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(lines), shell)
        self.until(lambda: PROMPT in self.text(), "a prompt")
        self.modes = self.stty("before")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run(["tmux", "-S", self.socket, "kill-server"], capture_output=True, timeout=DEADLINE)
        self.home.cleanup()

    def tmux(self, *args):
        result = subprocess.run(
            ["tmux", "-u", "-S", self.socket, *args],
            capture_output=True,
            env={**self.env, "LC_ALL": "C.UTF-8"},
            timeout=DEADLINE,
        )
        assert result.returncode == 0, f"tmux {args}: {result.stderr!r}"
        return result.stdout.decode("utf-8", "strict")

    def text(self, *options):
        return self.tmux("capture-pane", "-p", *options)

    def lines(self):
        return self.text().split("\n")

    def keys(self, *names):
        """Keys by tmux's names: Enter, Down, C-c, a."""
        self.tmux("send-keys", *names)

    def type(self, text):
        self.tmux("send-keys", "-l", text)

    def until(self, check, what):
        try:
            return eventually(check, what)
        except AssertionError as e:
            raise AssertionError(f"{e}; the screen:\n{self.text()}") from None

    def shows(self, *patterns):
        """Waits until all of the regular expressions are found on one screen, and returns that."""

        def check():
            text = self.text()
            return text if all(re.search(p, text, re.MULTILINE) for p in patterns) else None

        return self.until(check, f"{patterns} on the screen")

    def shows_not(self, pattern):
        self.until(lambda: not re.search(pattern, self.text(), re.MULTILINE), f"no {pattern}")

    def run(self, command):
        self.type(command)
        self.keys("Enter")

    def result(self, command, name):
        """What a command of the shell prints, which the screen does not show."""
        path = os.path.join(self.home.name, name)
        self.run(f"({command}) > {path}.part 2>&1; mv {path}.part {path}")
        self.until(lambda: os.path.exists(path), f"the end of {command}")
        with open(path, encoding="utf-8") as file:
            return file.read()

    def stty(self, name):
        return re.sub(r"rows \d+; columns \d+;", "", self.result("stty -a", name))

    def shell(self):
        return int(self.tmux("display-message", "-p", "#{pane_pid}"))

    def weir(self):
        """The process of weir top; None: there is none."""
        for child in children(self.shell()):
            if name_of(child) == "weir":
                return child
        return None

    def start_top(self, *args, env=""):
        self.run(f"{env} '{WEIR}' top {' '.join(args)}")

    def status(self):
        """Of the top that has ended; asked for apart, since a shell that is interrupted runs no second command."""
        self.until(lambda: self.weir() is None, "the end of weir top")
        self.run("echo status=$?.")
        return int(re.search(r"^status=(\d+)\.", self.shows(r"^status=\d+\."), re.MULTILINE).group(1))


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(child) for child in file.read().split()]
    except OSError:
        return []


def name_of(pid):
    try:
        with open(f"/proc/{pid}/comm", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def order_of(text, *names):
    """The names in the order in which rows with them stand."""
    rows = [line for line in text.split("\n") if re.match(r"^[!? ][ ▾] *[\d,]+ ", line)]
    return [name for line in rows for name in names if f" {name} " in line]


class TopTest(unittest.TestCase):
    def setUp(self):
        self.file = tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8")
        self.file.write(debug1(THREE))
        self.file.flush()
        self.addCleanup(self.file.close)

    def pane(self, *args, **kwargs):
        pane = Pane(*args, **kwargs)
        self.addCleanup(pane.__exit__)
        return pane

    def assert_restored(self, pane, what, status=None):
        ended_with = pane.status()
        pane.until(
            lambda: pane.tmux("display-message", "-p", "#{alternate_on} #{cursor_flag} #{keypad_flag}").split()
            == ["0", "1", "0"],
            f"the plain screen with its cursor after {what}",
        )
        self.assertEqual(pane.modes, pane.stty("after-" + what), what)
        if status is not None:
            self.assertEqual(status, ended_with, what)

    def test_shows_groups_and_sorts_them_by_every_column(self):
        pane = self.pane()
        pane.start_top(self.file.name)
        text = pane.shows("alpha", "600 goroutines", r"\[1 Groups\]")
        names = ("alpha", "beta", "gamma")
        self.assertEqual(order_of(text, *names), ["alpha", "beta", "gamma"])
        self.assertRegex(text, r"GOROUTINES▼ +GROWTH +OLDEST +REASON +STUCK AT +CREATED BY")
        self.assertRegex(text, r" 200 +\S+ +30m  select +beta work.cc:13 +yankee")
        # Every column begins where its heading does, whatever is in it.
        head, *rows = [line for line in text.split("\n") if "STUCK AT" in line or "work.cc" in line]
        for row in rows:
            self.assertRegex(row[head.index("STUCK AT") :], "^(alpha|beta|gamma) work")
        for heading, wanted in (
            ("GROWTH▼", None),
            ("OLDEST▼", ["beta", "gamma", "alpha"]),
            ("REASON▲", ["alpha", "gamma", "beta"]),
            ("STUCK AT▲", ["alpha", "beta", "gamma"]),
            ("CREATED BY▲", ["gamma", "beta", "alpha"]),
        ):
            pane.keys("s")
            text = pane.shows(heading)
            if wanted:
                self.assertEqual(order_of(text, *names), wanted, heading)
        pane.keys("r")
        self.assertEqual(order_of(pane.shows("CREATED BY▼"), *names), ["alpha", "beta", "gamma"])
        pane.keys("S")
        pane.shows("STUCK AT▲")

    def test_filters_as_one_types(self):
        pane = self.pane()
        pane.start_top(self.file.name)
        pane.shows("alpha", "beta")
        pane.keys("/")
        pane.type("bet")
        pane.shows("filter: bet_", "beta", "1 of 3 groups")
        pane.shows_not("alpha")
        pane.keys("Enter")
        pane.shows("/bet/", "Enter stack")
        pane.keys("/")
        pane.keys("C-u")
        pane.type("^(alpha|gamma)$")
        pane.shows("2 of 3 groups", "alpha", "gamma")
        pane.keys("BSpace")
        pane.keys("Escape")
        pane.shows("/bet/", "1 of 3 groups")
        pane.keys("Escape")
        pane.shows("alpha", "beta", "gamma")
        pane.shows_not("of 3 groups")

    def test_moves_and_expands_stacks(self):
        many = [(1000 - i, "select", "1m0s", f"f{i}_", "main") for i in range(100)]
        self.file.seek(0)
        self.file.write(debug1(many))
        self.file.truncate()
        self.file.flush()
        pane = self.pane()
        pane.start_top(self.file.name)
        pane.shows(" f0_ ")
        pane.keys("Enter")
        pane.shows(r"1,000 goroutines, longest 1m", r" f0_ +/src/work.cc:13", r" serve +/src/serve.cc:7")
        pane.keys("Space")
        pane.shows_not("serve.cc")
        pane.keys("NPage")
        pane.keys("Enter")
        pane.shows("983 goroutines", "serve.cc")
        pane.keys("Enter")
        pane.shows_not("serve.cc")
        pane.keys("End")
        pane.shows(" f99_ ")
        pane.keys("k", "Up", "Enter")
        pane.shows("903 goroutines")
        pane.keys("Enter", "g", "j", "Down", "Enter")
        pane.shows("998 goroutines")
        pane.keys("Enter", "G")
        pane.shows(" f99_ ")
        pane.keys("PPage", "Home")
        pane.shows(" f0_ ")

    def test_changes_its_views(self):
        with Zoo("--leak=nil_chan_send,mutex_forgotten_unlock", "--rate=5") as zoo:
            pane = self.pane()
            pane.start_top(zoo.url, "--interval=0.5")
            pane.shows("weir top  weir-leakzoo", r"\[1 Groups\]", "nil_chan_send", "leaks: 2 certain")
            pane.shows(r"^! +\d+ .*nil_chan_send", r"\+[\d,.]+/min")
            pane.keys("Tab")
            pane.shows(r"\[2 Growth\]", "LAST MINUTE", "all goroutines, the last")
            pane.keys("3")
            pane.shows(r"\[3 Findings 2\]", "certain nil channel")
            pane.type("/nil")
            pane.keys("Enter", "Enter")
            pane.shows("cause .*nil channel", "evidence", r"zoo::nil_chan_send +\S*blocked.cc:\d+")
            pane.keys("Escape", "4")
            pane.shows(r"\[4 Scheduler\]", r"Ps +\d+  \d+ busy", r"created +[\d.]+/s  goroutines")
            pane.keys("G")
            pane.shows("stacks +.* committed")
            pane.keys("Tab")
            pane.shows(r"\[1 Groups\]")
            pane.keys("BTab")
            pane.shows(r"\[4 Scheduler\]")
            pane.keys("q")
            self.assert_restored(pane, "q", 0)

    def test_helps(self):
        pane = self.pane()
        pane.start_top(self.file.name)
        pane.shows("alpha")
        pane.keys("?")
        pane.shows("weir top: keys", "freeze", "mark what is shown", "any key goes back")
        pane.keys("q")  # goes back
        pane.shows("alpha")
        pane.keys("x")
        pane.shows(r"\? shows the keys")
        pane.keys("C-l", "R")
        pane.shows("alpha")

    def test_freezes_marks_and_tells_the_difference(self):
        server = Server(THREE)
        self.addCleanup(server.stop)
        pane = self.pane()
        pane.start_top(server.url, "--interval=0.5")
        pane.shows("alpha", "live, every")
        pane.keys("d")
        pane.shows("no mark yet")
        pane.keys("m")
        pane.shows("marked")
        pane.keys("f")
        pane.shows("FROZEN")
        server.groups = [(350, *THREE[0][1:]), THREE[1], (80, "IO wait", "1s", "delta", "whiskey")]
        pane.shows("FROZEN [2-9]s")  # samples have come since
        self.assertNotIn("delta", pane.text())
        pane.keys("f")
        pane.shows("delta", "630 goroutines", "live")
        pane.keys("d")
        text = pane.shows("CHANGE▼", r" 80 +\+80 .*delta", r" 350 +\+50 .*alpha", r" 0 +-100 .*gamma", "since mark")
        self.assertEqual(order_of(text, "alpha", "beta", "gamma", "delta"), ["delta", "alpha", "gamma"])
        pane.keys("d")
        pane.shows("GROWTH", r"\+.*/min.* delta", "beta")

    def test_takes_any_size_of_the_terminal(self):
        pane = self.pane(columns=100, lines=30)
        pane.start_top(self.file.name)
        pane.shows("alpha")
        for columns, lines, wanted in (
            (40, 8, "alpha"),
            (30, 6, "too small: 40x8 needed"),
            (5, 2, "^too"),
            (132, 50, "CREATED BY"),
            (60, 12, "alpha"),
            (80, 24, "CREATED BY"),
        ):
            pane.tmux("resize-window", "-x", str(columns), "-y", str(lines))
            pane.shows(wanted)
            # The last line is the last one of the new size.
            if lines > 8:
                pane.until(
                    lambda n=lines: "Enter stack" in pane.lines()[n - 1], f"keys in the last line of {lines}"
                )
        pane.keys("q")
        self.assert_restored(pane, "resize", 0)

    def test_restores_the_terminal_on_any_death(self):
        for sig, status in (
            ("TERM", 143),
            ("HUP", 129),
            ("INT", 130),
            ("QUIT", 131),
            ("SEGV", 139),
            ("ABRT", 134),
            ("KILL", 137),
        ):
            with self.subTest(signal=sig), Pane() as pane:
                pane.run("ulimit -c 0")
                pane.start_top(self.file.name)
                pane.shows("alpha", "600 goroutines")
                pid = pane.until(pane.weir, "weir")
                self.assertEqual("1", pane.tmux("display-message", "-p", "#{alternate_on}").strip())
                os.kill(pid, getattr(signal, "SIG" + sig))
                self.assert_restored(pane, sig, status)

    def test_control_c_ends_it(self):
        pane = self.pane()
        pane.start_top(self.file.name)
        pane.shows("alpha")
        pane.keys("C-c")
        self.assert_restored(pane, "control-c")

    def test_is_suspended_and_goes_on(self):
        pane = self.pane()
        pane.start_top(self.file.name)
        pane.shows("alpha")
        pid = pane.until(pane.weir, "weir")
        for name in ("first", "second"):
            pane.keys("C-z")
            pane.shows("Stopped|Suspended")
            self.assertEqual("0 1", pane.tmux("display-message", "-p", "#{alternate_on} #{cursor_flag}").strip())
            self.assertEqual(pane.modes, pane.stty("suspended-" + name))
            pane.run("clear; fg")
            pane.shows("alpha", "600 goroutines", r"\[1 Groups\]")
            self.assertEqual(pid, pane.weir())
        # By what nobody can handle: the next look is whole.
        os.kill(pid, signal.SIGSTOP)
        pane.until(lambda: "T" in stat_of(pid), "the stop")
        pane.shows(PROMPT)
        pane.type("fg")
        pane.keys("C-j")  # nobody has set the modes of the terminal in which Enter is that
        pane.until(lambda: "T" not in stat_of(pid), "its going on")
        pane.shows(r"^ weir top", "alpha", r"\[1 Groups\]")
        pane.keys("s")
        pane.shows("GROWTH▼")
        pane.keys("q")
        self.assert_restored(pane, "suspension", 0)

    def test_tells_that_what_it_shows_is_stale(self):
        server = Server(THREE)
        pane = self.pane()
        pane.start_top(server.url, "--interval=0.5")
        pane.shows("live, every", "alpha")
        server.stop()
        pane.shows(r"STALE \d+", r"stale \d+m?s: .*[Rr]efused", r"again in \d+s|asking again", "alpha")
        pane.keys("s")  # keys are answered all the same
        pane.shows("GROWTH▼")
        server.groups = [(77, "select", "1s", "omega", "main")]
        server.start()
        self.addCleanup(server.stop)
        pane.keys("R")
        pane.shows("live, every", "omega")

    def test_keys_are_answered_while_the_target_is_silent(self):
        server = Server(THREE)
        self.addCleanup(server.stop)
        self.addCleanup(server.release.set)
        pane = self.pane()
        pane.start_top(server.url, "--interval=0.5")
        pane.shows("alpha")
        server.release.clear()
        pane.shows(r"asking for \d+s")
        pane.keys("?")
        pane.shows("any key goes back")
        pane.keys("x", "q")
        self.assert_restored(pane, "silence", 0)

    def test_needs_a_terminal_that_can_do_it(self):
        result = self.weir("top", self.file.name)
        self.assertEqual(2, result.returncode)
        self.assertRegex(result.stderr, r"^weir: top: stdout is no terminal; .*weir dump.*\n$")
        pane = self.pane()
        for name, term, wanted in (
            ("dumb", "dumb", "weir: top: TERM is dumb"),
            ("empty", "", "weir: top: TERM is not set"),
            ("unknown", "no-such-terminal", 'weir: top: the terminal "no-such-terminal" is not known'),
        ):
            pane.run("clear")
            pane.start_top(self.file.name, env=f"TERM={term}")
            pane.shows(re.escape(wanted))
            self.assertEqual(2, pane.status())
            self.assertEqual(pane.modes, pane.stty(name))

    def test_unreachable_and_unreadable_targets_are_errors(self):
        pane = self.pane(columns=150)
        for target, wanted in (
            ("http://127.0.0.1:1", r"weir: http://127.0.0.1:1: .*refused"),
            ("/nonexistent", "weir: /nonexistent: No such file|weir: /nonexistent: .*no such file"),
        ):
            pane.run("clear")
            pane.start_top(target)
            pane.shows(wanted)
            self.assert_restored(pane, "error", 2)
            os.remove(os.path.join(pane.home.name, "after-error"))
        result = self.weir("top", self.file.name, "--interval=0.01")
        self.assertEqual(2, result.returncode)
        self.assertIn("interval", result.stderr)

    def test_respects_no_color_and_the_charset(self):
        colour = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-7]|9[0-7]|38;[\d;]*)m")
        pane = self.pane()
        pane.start_top(self.file.name)
        pane.shows("alpha", "▼")
        self.assertRegex(pane.text("-e"), colour)
        pane.keys("q")
        self.assertEqual(0, pane.status())
        pane.run("clear")
        pane.start_top(self.file.name, env="NO_COLOR=1 LC_ALL=C")
        text = pane.shows("alpha", "GOROUTINESv")
        self.assertTrue(text.isascii(), text)
        self.assertNotRegex(pane.text("-e"), colour)
        pane.keys("2")
        self.assertTrue(pane.shows("LAST MINUTE").isascii())

    def test_names_cannot_control_the_terminal(self):
        self.file.seek(0)
        self.file.write(debug1([(9, "select", "1s", "evil\x1b]2;owned\x07\x1b[2J\x1b[31m日本::f", "\u202emain")]))
        self.file.truncate()
        self.file.flush()
        pane = self.pane(columns=120)
        title = pane.tmux("display-message", "-p", "#{pane_title}")
        pane.start_top(self.file.name)
        pane.shows(r"evil\?\]2;owned", "GOROUTINES")
        pane.keys("Enter")
        pane.shows(r"日本::f")
        self.assertEqual(title, pane.tmux("display-message", "-p", "#{pane_title}"))

    def test_reads_keys_from_the_terminal_where_stdin_is_a_dump(self):
        pane = self.pane()
        pane.run(f"cat {self.file.name} | '{WEIR}' top -")
        pane.shows("alpha", "600 goroutines")
        pane.keys("s")
        pane.shows("GROWTH▼")
        pane.keys("q")
        self.assert_restored(pane, "stdin", 0)

    def test_writes_one_frame_as_text(self):
        result = self.weir("top", self.file.name, "--once", env={"LC_ALL": "C.UTF-8"})
        self.assertEqual((0, ""), (result.returncode, result.stderr))
        self.assertEqual(order_of(result.stdout, "alpha", "beta", "gamma"), ["alpha", "beta", "gamma"])
        self.assertNotIn("\x1b", result.stdout)
        result = self.weir("top", self.file.name, "--once", "--filter=bet", "--view=growth")
        self.assertIn("beta", result.stdout)
        self.assertNotIn("gamma", result.stdout)
        result = self.weir("top", "/nonexistent", "--once")
        self.assertEqual((2, ""), (result.returncode, result.stdout))
        self.assertRegex(result.stderr, "^weir: /nonexistent: .*\n$")

    def weir(self, *args, env=None):
        return subprocess.run(
            [WEIR, *args],
            capture_output=True,
            encoding="utf-8",
            stdin=subprocess.DEVNULL,
            timeout=DEADLINE,
            env={**os.environ, **(env or {})},
        )


def stat_of(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rsplit(")", 1)[1].split()[0]
    except OSError:
        return ""


if __name__ == "__main__":
    unittest.main()
