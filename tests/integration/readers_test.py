"""What the zoo's endpoint writes, read by the tools of Go's users: goleak's stack parser, and all of pprof's ways to
show a profile."""

import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import unittest
import urllib.parse
import urllib.request

from zoo import Zoo, eventually, parse_dump

HERE = os.path.dirname(os.path.abspath(__file__))
GOLEAK = "/usr/share/gocode/src/go.uber.org/goleak/internal/stack/stacks.go"
LEAKS = "nil_chan_receive,mutex_forgotten_unlock,send_without_receive,waitgroup_misuse,select_no_cases,infinite_loop"


def build_goleak(home):
    """A program around goleak's own parser, whose text comes from stdin in place of runtime.Stack."""
    with open(GOLEAK) as f:
        source = f.read()
    with open(HERE + "/goleak/main.go") as f:
        main = f.read()
    source = re.sub(r"^package stack$", "package main", source, count=1, flags=re.M)
    source, cut = re.subn(r"func getStackBuffer\(.*?\n}\n", "", source, flags=re.S)
    assert cut == 1, "goleak's parser has changed"
    source = source.replace('\t"runtime"\n', "")
    for name, text in (("stacks.go", source), ("main.go", main)):
        with open(os.path.join(home, name), "w") as f:
            f.write(text)
    program = os.path.join(home, "goleak")
    subprocess.run(["go", "build", "-o", program, "main.go", "stacks.go"], cwd=home, check=True,
                   env={**os.environ, "HOME": home, "GO111MODULE": "off", "GOCACHE": home + "/cache"})
    return program


class Readers(unittest.TestCase):
    def test_goleak_parses_every_goroutine(self):
        with tempfile.TemporaryDirectory() as home, Zoo("--leak=" + LEAKS, "--rate=50") as zoo:
            program = build_goleak(home)
            eventually(lambda: len(zoo.stuck_in("select_no_cases", "select (no cases)")) > 20, "leaks")
            dump = zoo.get("/debug/pprof/goroutine?debug=2").decode()
            read = subprocess.run([program], input=dump, capture_output=True, text=True, timeout=60)
            self.assertEqual(read.returncode, 0, read.stderr)
            by_id = {g["id"]: g for g in map(json.loads, read.stdout.splitlines())}
            wanted = parse_dump(dump)
            self.assertEqual(set(by_id), {int(g.goid) for g in wanted})
            states = {g["state"].split(",")[0] for g in by_id.values()}
            for state in ("chan receive (nil chan)", "sync.Mutex.Lock", "chan send", "sync.WaitGroup.Wait",
                          "select (no cases)", "running"):
                self.assertIn(state, states)
            nil = [g for g in by_id.values() if g["state"].startswith("chan receive (nil chan)")]
            self.assertEqual({g["first"] for g in nil}, {"zoo::nil_chan_receive"})

    def test_pprof_draws_and_serves(self):
        with Zoo("--leak=" + LEAKS, "--rate=50") as zoo:
            eventually(lambda: len(zoo.stuck_in("nil_chan_receive", "chan receive (nil chan)")) > 20, "leaks")
            svg = zoo.pprof("-svg", "-output=/dev/stdout")
            self.assertIn("<svg", svg)
            self.assertIn("nil_chan_receive", svg)
            base = os.path.join(zoo.home, "base.pb.gz")
            with open(base, "wb") as f:
                f.write(zoo.get("/debug/pprof/goroutine"))
            before = len(zoo.stuck_in("nil_chan_receive", "chan receive (nil chan)"))
            eventually(lambda: len(zoo.stuck_in("nil_chan_receive", "chan receive (nil chan)")) > before + 20, "more")
            self.assertIn("nil_chan_receive", zoo.pprof("-top", "-diff_base=" + base))
            self.serve(zoo, base)

    def serve(self, zoo, profile):
        """pprof's own page over a saved profile."""
        server = subprocess.Popen(
            ["go", "tool", "pprof", "-no_browser", "-http=127.0.0.1:", profile],
            stderr=subprocess.PIPE, text=True, start_new_session=True,
            env={**os.environ, "HOME": zoo.home, "PPROF_TMPDIR": zoo.home, "GOCACHE": zoo.home})
        try:
            url = None
            for line in server.stderr:
                if match := re.search(r"Serving web UI on (http://\S+)", line):
                    url = match.group(1)
                    break
            self.assertIsNotNone(url)
            eventually(lambda: server.poll() is not None or self.listens(url), "pprof listens")  # after it has said so
            for page in ("top", "flamegraph", "peek?f=nil_chan", ""):
                with urllib.request.urlopen(f"{url}/ui/{page}", timeout=60) as answer:
                    self.assertIn("nil_chan_receive", answer.read().decode(), page)
        finally:
            os.killpg(server.pid, signal.SIGKILL)  # go, and the pprof that it has started
            server.communicate()

    @staticmethod
    def listens(url):
        try:
            socket.create_connection(urllib.parse.urlsplit(url).netloc.split(":"), timeout=60).close()
            return True
        except ConnectionRefusedError:
            return False


if __name__ == "__main__":
    unittest.main()
