"""weir dump, diff, graph, completion, manual: the real command over real dumps, the zoo, and servers that misbehave."""

import gzip
import http.server
import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest
import xml.etree.ElementTree as ElementTree

from zoo import DEADLINE, Zoo, eventually

WEIR = os.environ.get("WEIR", "weir")
FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fixtures")
TEXT_FORMATS = ("debug1", "debug2", "json")
FORMATS = TEXT_FORMATS + ("pprof", "pprof3")


def fixture(name):
    return os.path.join(FIXTURES, name)


def environment(**more):
    env = {k: v for k, v in os.environ.items() if k not in ("WEIR_TOKEN", "NO_COLOR", "http_proxy", "https_proxy")}
    return {**env, **more}


def weir(*args, stdin=b"", cwd=None, **env):
    """(exit status, stdout as bytes, stderr)"""
    result = subprocess.run(
        [WEIR, *args], input=stdin, capture_output=True, timeout=DEADLINE, env=environment(**env), cwd=cwd
    )
    return result.returncode, result.stdout, result.stderr.decode()


def on_terminal(*args, stop=None, **env):
    """(exit status, all that the terminal got) with stdin, stdout and stderr a terminal; stop(text) ends it by ^C."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(WEIR, [WEIR, *args], environment(TERM="xterm", **env))
    output = b""
    end = time.monotonic() + DEADLINE
    while True:
        ready, _, _ = select.select([terminal], [], [], max(0, end - time.monotonic()))
        if not ready:
            os.kill(pid, signal.SIGKILL)
            raise AssertionError(f"not within {DEADLINE} s: {output[-500:]!r}")
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # EIO: it has ended
            piece = b""
        if not piece:
            break
        output += piece
        if stop and stop(output):
            os.write(terminal, b"\x03")
            stop = None
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    return os.waitstatus_to_exitcode(status), output.decode().replace("\r\n", "\n")


class Server:
    """Answers GETs by a function of the path: (status, headers, body), or None to be silent."""

    def __init__(self, answer):
        done = self.done = threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                told = answer(self.path)
                if told is None:
                    done.wait(DEADLINE)
                    return
                status, headers, body = told
                self.send_response(status)
                for key, value in headers.items():
                    self.send_header(key, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class CommandTest(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory(prefix="weir-command-")
        self.addCleanup(self.temporary.cleanup)

    def path(self, name, content=None):
        path = os.path.join(self.temporary.name, name)
        if content is not None:
            with open(path, "wb") as f:
                f.write(content if isinstance(content, bytes) else content.encode())
        return path

    def ok(self, *args, **kwargs):
        status, out, err = weir(*args, **kwargs)
        self.assertEqual((status, err), (0, ""), args)
        return out

    def refused(self, *args, says, **kwargs):
        """An error: one line on stderr, nothing on stdout, status 2."""
        status, out, err = weir(*args, **kwargs)
        self.assertEqual(status, 2, (args, err))
        self.assertEqual(out, b"")
        self.assertRegex(err, r"\Aweir: [^\n]+: [^\n]+\n\Z")
        self.assertIn(says, err)

    def diff(self, *args, status=0):
        """weir.diff/1 of two targets, as a list of (change, before, after, function)."""
        got, out, err = weir("diff", "--format=json", *args)
        # That a last goroutine has no creator may be taken for a dump that was cut off.
        self.assertEqual((got, re.sub(r"weir: [^\n]*: note: [^\n]*\n", "", err)), (status, ""), args)
        entries = json.loads(out)["entries"]
        return [
            (e["change"], e["before"], e["after"], e["stack"][0]["function"] if e["stack"] else "") for e in entries
        ]


class Errors(CommandTest):
    """Every way in which a target cannot be had."""

    def test_files(self):
        self.refused("dump", self.path("nobody"), says="No such file or directory")
        self.refused("dump", self.temporary.name, says="Is a directory")
        self.refused("dump", self.path("garbage", "hello, world\n"), says="expected profile.proto")
        self.refused("dump", self.path("zeros", bytes(1000)), says=": ")
        self.refused("dump", self.path("empty", ""), says="is empty")
        self.refused("dump", "-", says="is empty")
        with open(fixture("go1.19-goroutine.pb.gz"), "rb") as f:
            profile = f.read()
        self.refused("dump", self.path("half", profile[: len(profile) // 2]), says="gzip: the data end too early")
        self.refused("dump", "-", stdin=profile[:50], says="gzip: the data end too early")
        with open(fixture("go1.19-debug2.txt"), "rb") as f:
            packed = gzip.compress(f.read())
        self.refused("diff", self.path("half2", packed[: len(packed) // 2]), fixture("go1.19-debug2.txt"),
                     says="gzip: the data end too early")
        self.refused("graph", self.path("damaged", profile[:200] + b"xxxx" + profile[204:]), says="gzip")

    def test_a_file_that_may_not_be_read(self):
        if os.geteuid() != 0:
            path = self.path("secret", "x")
            os.chmod(path, 0)
            self.refused("dump", path, says="Permission denied")
        else:  # for whom every file may be read
            self.refused("dump", "/proc/self/mem", says="Input/output error")

    def test_hosts(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.refused("dump", f"http://127.0.0.1:{s.getsockname()[1]}", says="Connection refused")
        self.refused("dump", "http://no.such.host.invalid", says="the host cannot be found")
        self.refused("dump", "unix:" + self.path("nobody"), says="No such file or directory")
        self.refused("dump", "http://", says="no host")
        with socket.socket() as s:  # listens, and never answers
            s.bind(("127.0.0.1", 0))
            s.listen()
            self.refused("dump", f"http://127.0.0.1:{s.getsockname()[1]}", "--timeout=0.2",
                         says="no whole answer within 0.2 s")

    def test_answers(self):
        full = "/debug/pprof/goroutine?debug=2"
        for status, headers, body, says in (
            (200, {}, b"<html>a page</html>", "expected profile.proto"),
            (200, {}, b"", "is empty"),
            (401, {}, b"", "401 Unauthorized: it wants a token"),
            (403, {}, b"", "403 Forbidden"),
            (404, {}, b"", "404 Not Found"),
            (503, {"Retry-After": "3"}, b"", "try again in 3 s"),
            (418, {}, b"", "418"),
        ):
            with Server(lambda _: (status, headers, body)) as server:
                self.refused("dump", server.url + full, says=says)
        with Server(lambda _: (404, {}, b"404 page not found\n")) as server:
            self.refused("dump", server.url, says="neither weir's /debug/goroutine nor Go's /debug/pprof/goroutine")
            self.refused("diff", fixture("go1.19-debug2.txt"), server.url, says=server.url)

    def test_token(self):
        with Zoo("--leak=none", env={"WEIR_DEBUG_TOKEN": "sesame"}) as zoo:
            self.refused("dump", zoo.url, says="401 Unauthorized: it wants a token: give --token or set WEIR_TOKEN")
            self.refused("dump", zoo.url, "--token=simsim", says="401 Unauthorized: the token is wrong")
            self.refused("dump", zoo.url + "/debug/goroutine?debug=1", WEIR_TOKEN="simsim", says="the token is wrong")
            self.ok("dump", zoo.url, "--token=sesame")
            self.ok("dump", zoo.url, WEIR_TOKEN="sesame")

    def test_outputs(self):
        dump = fixture("go1.19-debug2.txt")
        self.refused("dump", dump, "-o", self.path("no/such/dir"), says="cannot be written")
        self.refused("dump", dump, "-o", self.temporary.name, says="Is a directory")
        self.refused("dump", dump, "-o", "/dev/full", says="No space left on device")
        with open("/dev/full", "wb") as full:
            result = subprocess.run([WEIR, "dump", dump], stdout=full, stderr=subprocess.PIPE, timeout=DEADLINE)
        self.assertEqual(result.returncode, 2)
        self.assertEqual(result.stderr, b"weir: stdout: cannot be written: No space left on device\n")
        self.assertEqual(os.listdir(self.temporary.name), [])

    def test_a_reader_that_goes_away(self):
        result = subprocess.run(
            ["bash", "-c", '"$0" dump "$1" | head -n 1; exit ${PIPESTATUS[0]}', WEIR, fixture("go1.19-sigquit.txt")],
            capture_output=True, timeout=DEADLINE,
        )
        self.assertEqual((result.returncode, result.stderr), (0, b""))

    def test_usage(self):
        for command in ("dump", "diff", "graph", "leaks", "check", "top", "completion", "manual"):
            for flag in ("-h", "--help"):
                self.assertIn(f"Usage: weir {command} ".encode(), self.ok(command, flag))
            self.assertRegex(self.ok(command, "--version"), rb"\Aweir \d+\.\d+\.\d+\n\Z")
        self.assertIn(b"Usage: weir ", self.ok("--help"))
        self.refused(says="a command is missing")
        self.refused("dmup", says="dmup: weir knows no such command")
        self.refused("dump", says="name one of TARGET, --core and --pid")
        self.refused("graph", says="TARGET is required")
        self.refused("graph", fixture("go1.19-debug2.txt"), "--hide=(", says="--hide: ")


class Dump(CommandTest):
    def test_round_trips_through_all_formats_agree(self):
        for source in ("go1.19-debug1.txt", "go1.19-debug2.txt", "go1.19-goroutine.pb.gz", "handmade-go1.21-debug2.txt",
                       "handmade-go1.27-debug2.txt", "go1.19-http-debug2.txt"):
            for first in FORMATS:
                once = self.path("once", self.ok("dump", fixture(source), "--format=" + first))
                changes = [e for e in self.diff(fixture(source), once) if e[0] != "unchanged"]
                self.assertEqual(changes, [], (source, first))
                for second in FORMATS:
                    twice = self.path("twice", self.ok("dump", once, "--format=" + second))
                    changes = [e for e in self.diff(fixture(source), twice) if e[0] != "unchanged"]
                    self.assertEqual(changes, [], (source, first, second))
            self.assertEqual(
                self.ok("dump", fixture(source), "--format=json"),
                self.ok("dump", "-", "--format=json", stdin=self.ok("dump", fixture(source), "--format=json")),
            )

    def test_the_files_name_tells_the_format(self):
        source = fixture("go1.19-debug2.txt")
        for name, head in (("a.json", b"{"), ("a.pb.gz", b"\x1f\x8b"), ("a.txt", b"goroutine ")):
            self.ok("dump", source, "-o", self.path(name))
            with open(self.path(name), "rb") as f:
                self.assertTrue(f.read().startswith(head), name)

    def test_filters(self):
        source = fixture("go1.19-debug2.txt")
        out = self.ok("dump", source, "--state=chan receive").decode()
        headers = [line for line in out.split("\n") if line.startswith("goroutine ")]
        self.assertTrue(headers)
        self.assertTrue(all("[chan receive" in h for h in headers), headers)
        self.assertIn("main.deep", self.ok("dump", source, "--filter=main.deep").decode())
        self.assertNotIn("main.labelled", self.ok("dump", source, "--filter=main.deep").decode())
        labelled = fixture("go1.19-debug1.txt")
        self.assertIn("main.labelled", self.ok("dump", labelled, "--filter=labelled").decode())
        for options in (["--package=no/such"], ["--package=main", "--age=100000000"], ["--site=0x1"]):
            status, out, err = weir("dump", source, *options)
            self.assertEqual((status, out), (0, b""), options)
            self.assertRegex(err, r"\Aweir: note: no goroutine passes the filter: \d+ are left out\n\Z")
        some = fixture("handmade-go1.21-debug2.txt")
        both = self.ok("dump", some, "--package=no/such", "--package=main", "--age=600").decode()
        self.assertEqual(re.findall(r"^goroutine .*", both, re.M), ["goroutine 20 [chan receive, 13 minutes]:"])

    def test_stdin_zoo_and_socket_are_targets(self):
        with Zoo("--leak=nil_chan_send", "--rate=20") as zoo:
            eventually(lambda: len(zoo.stuck_in("nil_chan_send", "chan send (nil chan)")) > 3, "leaks")
            for target in (zoo.url, zoo.url + "/", zoo.url + "/debug/ui/", zoo.url + "/debug/pprof/goroutine?debug=2"):
                self.assertIn(b"zoo::nil_chan_send", self.ok("dump", target))
            piped = self.ok("dump", "-", "--format=debug1", stdin=zoo.get("/debug/goroutine?format=json"))
            self.assertTrue(piped.startswith(b"goroutine profile: total "))

    def test_text_that_was_cut_off_is_used_and_told_of(self):
        with open(fixture("go1.19-debug2.txt"), "rb") as f:
            text = f.read()
        cut = self.path("cut", text[: len(text) // 2])
        status, out, err = weir("dump", cut)
        self.assertEqual(status, 0)
        self.assertTrue(out.startswith(b"goroutine "))
        self.assertEqual(err, f"weir: {cut}: note: the dump was cut off: there were more goroutines than these\n")

    def test_an_interrupt_leaves_what_was_there(self):
        kept = self.path("kept.json", "before")
        with Server(lambda _: None) as server:
            process = subprocess.Popen([WEIR, "dump", server.url, "-o", kept], stderr=subprocess.PIPE)
            time.sleep(0.1)  # nothing depends on how far it has come: it never gets an answer
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=DEADLINE)
        self.assertEqual(process.returncode, -signal.SIGINT)
        with open(kept) as f:
            self.assertEqual(f.read(), "before")
        self.assertEqual(os.listdir(self.temporary.name), ["kept.json"])


GOROUTINE = """goroutine {goid} [{wait}]:
{function}(0x1)
	/src/shop/{file}:{line} +0x1b
main.serve(...)
	/src/shop/main.go:80
main.main()
	/src/shop/main.go:12 +0x2c
created by main.start
	/src/shop/main.go:7 +0x3d
"""


def dump_of(*crowds):
    """debug=2 text of (count, function, line, wait) .."""
    goid, text = 0, []
    for count, function, line, wait in crowds:
        for _ in range(count):
            goid += 1
            text.append(GOROUTINE.format(goid=goid, wait=wait, function=function, file="orders.go", line=line))
    return "\n".join(text)


class Diff(CommandTest):
    def setUp(self):
        super().setUp()
        self.old = self.path("old", dump_of((5, "main.same", 1, "select"), (3, "main.grows", 2, "chan send"),
                                            (9, "main.goes", 3, "IO wait"), (4, "main.shrinks", 4, "sleep")))
        self.new = self.path("new", dump_of((5, "main.same", 1, "select"), (8, "main.grows", 2, "chan send"),
                                            (7, "main.comes", 9, "chan receive"), (3, "main.shrinks", 4, "sleep")))

    def test_what_grew_first(self):
        self.assertEqual(self.diff(self.old, self.new, status=1), [
            ("new", 0, 7, "main.comes"), ("grown", 3, 8, "main.grows"), ("unchanged", 5, 5, "main.same"),
            ("shrunk", 4, 3, "main.shrinks"), ("gone", 9, 0, "main.goes"),
        ])
        status, out, _ = weir("diff", self.old, self.new, cwd="/src" if os.path.isdir("/src") else "/")
        self.assertEqual(status, 1)
        self.assertIn("21 -> 23 goroutines (+2)\n+12 in 2 groups (1 new, 1 grown), -10 in 2 groups", out.decode())
        self.assertIn("unchanged: 1 group, 5 goroutines\n", out.decode())
        self.assertNotIn("main.same", out.decode())

    def test_exit_status(self):
        grown = self.path("grown", dump_of((6, "main.same", 1, "select"), (3, "main.grows", 2, "chan send"),
                                           (9, "main.goes", 3, "IO wait"), (4, "main.shrinks", 4, "sleep")))
        for old, new, by in (
            (self.old, self.new, {"growth": 1, "new": 1, "none": 0}),
            (self.old, grown, {"growth": 1, "new": 0, "none": 0}),
            (grown, self.old, {"growth": 0, "new": 0, "none": 0}),
            (self.old, self.old, {"growth": 0, "new": 0, "none": 0}),
        ):
            for fail_on, expected in by.items():
                for form in ("text", "json", "markdown", "dot"):
                    status, _, err = weir("diff", old, new, "--fail-on=" + fail_on, "--format=" + form)
                    self.assertEqual((status, err), (expected, ""), (old, new, fail_on, form))
        self.assertEqual(weir("diff", self.old, self.new)[0], 1, "growth is what is looked for unasked")
        self.assertEqual(weir("diff", self.old, self.new, "--threshold=8")[0], 0)
        self.assertEqual(weir("diff", self.old, self.new, "--ignore=comes", "--ignore=grows")[0], 0)
        self.assertEqual(weir("diff", self.old, self.new, "--ignore=comes", "--fail-on=new")[0], 0)

    def test_real_go_dumps(self):
        """The same program, dumped in each of Go's formats: the same groups but for who wrote the dump."""
        dumps = [fixture("go1.19-" + name) for name in ("debug1.txt", "goroutine.pb.gz")]
        for old, new in (dumps, dumps[::-1]):
            changes = [e for e in self.diff("--fail-on=none", old, new) if e[0] != "unchanged"]
            self.assertTrue(all("pprof" in e[3] for e in changes), changes)
        status, out, _ = weir("diff", fixture("go1.19-debug2.txt"), fixture("go1.19-debug2.txt"))
        self.assertEqual(status, 0)
        self.assertIn(b"\nnothing changed\n", out)

    def test_the_zoo_grows_where_it_leaks(self):
        with Zoo("--leak=nil_chan_receive", "--rate=50") as zoo:
            eventually(lambda: zoo.stuck_in("nil_chan_receive", "chan receive (nil chan)"), "a leak")
            before = self.path("before.json")
            self.ok("dump", zoo.url, "-o", before)
            count = len(zoo.stuck_in("nil_chan_receive", "chan receive (nil chan)"))
            eventually(lambda: len(zoo.stuck_in("nil_chan_receive", "chan receive (nil chan)")) > count + 40, "growth")
            status, out, err = weir("diff", before, zoo.url, "--format=json", "--threshold=20")
            self.assertEqual((status, err), (1, ""))
            document = json.loads(out)
            self.assertTrue(document["same_process"])
            first = document["entries"][0]
            self.assertEqual(first["change"], "grown")
            self.assertTrue(first["stack"][0]["function"].startswith("zoo::nil_chan_receive"))
            self.assertGreater(len(first["stayed"]), 0)

    def test_markdown(self):
        out = self.ok("diff", self.old, self.new, "--format=markdown", "--fail-on=none", "--source-root=/src/shop",
                      "--link-base=https://git.example/shop/blob/main").decode()
        self.assertIn("| 🔴 new | +7 | 0 → 7 | **main.comes**<br>"
                      "[orders.go:9](https://git.example/shop/blob/main/orders.go#L9)", out)
        self.assertIn("<details><summary>Stacks</summary>", out)
        crowd = dump_of(*((1, f"main.f{i}" + "x" * 200, i + 1, "select") for i in range(400)))
        out = self.ok("diff", self.old, self.path("crowd", crowd), "--format=markdown", "--fail-on=none").decode()
        self.assertLess(len(out), 65536)
        self.assertRegex(out, r"\n\d+ more changed groups are not shown here\n")

    def test_pictures(self):
        root = ElementTree.fromstring(self.ok("diff", self.old, self.new, "--format=svg", "--fail-on=none"))
        self.assertEqual(root.tag, "{http://www.w3.org/2000/svg}svg")
        self.assertIn(b"comes", self.ok("diff", self.old, self.new, "--format=dot", "--fail-on=none"))

    def test_colours_and_links_on_a_terminal_only(self):
        for env, coloured in (({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True)):
            status, text = on_terminal("diff", self.old, self.new, **env)
            self.assertEqual(status, 1)
            self.assertEqual("\x1b[1;31m" in text, coloured, env)
            self.assertEqual("\x1b]8;;file://" in text, coloured, env)
        self.assertNotIn(b"\x1b", weir("diff", self.old, self.new)[1])


class Graph(CommandTest):
    def test_formats_and_options(self):
        dump = fixture("go1.19-debug2.txt")
        for kind in ("calls", "waits"):
            svg = self.ok("graph", dump, "--kind=" + kind)
            self.assertEqual(ElementTree.fromstring(svg).tag, "{http://www.w3.org/2000/svg}svg")
            for name, head in (("a.png", b"\x89PNG"), ("a.dot", b"digraph "), ("a.svg", b"<?xml")):
                self.ok("graph", dump, "--kind=" + kind, "-o", self.path(name))
                with open(self.path(name), "rb") as f:
                    self.assertTrue(f.read().startswith(head), (kind, name))
        node = rb"main\nlabelled\n"
        self.assertIn(node, self.ok("graph", dump, "--format=dot", "--nodecount=500", "--nodefraction=0"))
        for option in ("--focus=main.deep", "--ignore=labelled", "--hide=labelled", "--show=deep"):
            self.assertNotIn(node, self.ok("graph", dump, "--format=dot", option), option)


class Terminal(CommandTest):
    def test_binary_is_refused(self):
        for args in (("dump", fixture("go1.19-debug2.txt"), "--format=pprof"),
                     ("graph", fixture("go1.19-debug2.txt"), "--format=png")):
            status, text = on_terminal(*args)
            self.assertEqual(status, 2)
            self.assertRegex(text, r"\Aweir: stdout: p\w+ is binary, and this is a terminal: .*\n\Z")

    def test_progress_is_drawn_and_taken_away(self):
        shown = threading.Event()
        body = b"goroutine 1 [select]:\nmain.f()\n\t/a.go:1 +0x1\n"

        def answer(_):
            shown.wait(DEADLINE)
            return 200, {}, body

        def see(text):
            if b" s\x1b[K" in text:
                shown.set()
            return False

        with Server(answer) as server:
            status, text = on_terminal("dump", server.url + "/debug/goroutine?debug=2", "-o", self.path("out"), stop=see)
        self.assertEqual(status, 0)
        self.assertRegex(text, r"\A\rreading http://127\.0\.0\.1:\d+/debug/goroutine\?debug=2: \d+ s\x1b\[K")
        self.assertTrue(text.endswith("\r\x1b[K"), text[-80:])
        self.assertNotIn("\n", text)

    def test_control_c(self):
        with Server(lambda _: None) as server:
            status, _ = on_terminal("dump", server.url, "-o", self.path("out"), stop=lambda text: b"reading" in text)
        self.assertEqual(status, -signal.SIGINT)
        self.assertEqual(os.listdir(self.temporary.name), [])


class Scripts(CommandTest):
    COMPLETE = """
source <("$0" completion bash) || exit 3
COMP_WORDS=("${@:1}"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_weir && printf '%s\\n' "${COMPREPLY[@]}"
"""

    def bash(self, *words, cwd=None):
        result = subprocess.run(["bash", "--norc", "-c", self.COMPLETE, WEIR, *words], capture_output=True, text=True,
                                timeout=DEADLINE, cwd=cwd)
        self.assertEqual((result.returncode, result.stderr), (0, ""), words)
        return result.stdout.split()

    def test_bash_completes(self):
        self.assertEqual(self.bash("weir", "d"), ["dump", "diff"])
        self.assertEqual(self.bash("weir", "diff", "--fail"), ["--fail-on="])
        self.assertEqual(self.bash("weir", "diff", "--fail-on", "=", ""), ["growth", "new", "none"])
        self.assertEqual(self.bash("weir", "diff", "--fail-on", "="), ["growth", "new", "none"])
        self.assertEqual(self.bash("weir", "diff", "--fail-on", "=", "n"), ["new", "none"])
        self.assertEqual(self.bash("weir", "graph", "--kind", "w"), ["waits"])
        self.assertEqual(self.bash("weir", "completion", ""), ["bash", "zsh", "fish"])
        self.assertIn("--version", self.bash("weir", "--"))
        self.path("before.json", "")
        self.assertEqual(self.bash("weir", "diff", "bef", cwd=self.temporary.name), ["before.json"])
        self.assertEqual(self.bash("weir", "dump", "-o", "bef", cwd=self.temporary.name), ["before.json"])
        self.assertEqual(self.bash("weir", "dump", "--token", "", cwd=self.temporary.name), [])

    def test_zsh_and_fish_take_theirs(self):
        zsh = self.path("_weir", self.ok("completion", "zsh"))
        fish = self.path("weir.fish", self.ok("completion", "fish"))
        home = {"HOME": self.temporary.name, "XDG_CONFIG_HOME": self.temporary.name,
                "XDG_DATA_HOME": self.temporary.name}
        run = lambda *command: subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE,
                                              env=environment(**home))
        result = run("zsh", "-f", "-c", f"autoload -U compinit && compinit -u -D && source {zsh} && "
                                        "print ${_comps[weir]}")
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "_weir\n", ""))
        result = run("fish", "--no-config", "-c", f"source {fish}; complete -C 'weir diff --fail-on='")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual([line.split("\t")[0] for line in result.stdout.splitlines()],
                         ["--fail-on=growth", "--fail-on=new", "--fail-on=none"])
        result = run("fish", "--no-config", "-c", f"source {fish}; complete -C 'weir gr'")
        self.assertIn("graph", result.stdout)

    def test_the_manual_renders_without_a_warning(self):
        page = self.path("weir.1", self.ok("manual"))
        result = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z", page], capture_output=True, text=True,
                                timeout=DEADLINE)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        result = subprocess.run(["groff", "-man", "-Tascii", "-P-cbou", page], capture_output=True, text=True,
                                timeout=DEADLINE)
        for text in ("NAME", "EXIT STATUS", "ENVIRONMENT", "--fail-on=growth|new|none", "weir diff [OPTIONS] OLD NEW"):
            self.assertIn(text, re.sub(r"[ \n]+", " ", result.stdout))


if __name__ == "__main__":
    unittest.main()
