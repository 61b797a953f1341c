"""Starts the real weir-leakzoo and reads it over HTTP. What the integration tests share."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

ZOO = os.environ.get("WEIR_LEAKZOO", "weir-leakzoo")
DEADLINE = 60  # s; for things that take well under one on an idle machine


def eventually(check, what, deadline=DEADLINE):
    """Polls check() until it gives something true, and returns that."""
    end = time.monotonic() + deadline
    while True:
        result = check()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline} s: {what}")
        time.sleep(0.05)


class Goroutine:
    """One paragraph of a debug=2 dump."""

    HEADER = re.compile(r"^goroutine (\d+) \[([^\],]*)([^\]]*)\]:$")

    def __init__(self, paragraph):
        self.text = paragraph
        lines = paragraph.split("\n")
        header = self.HEADER.match(lines[0])
        assert header, f"not a goroutine header: {lines[0]!r}"
        self.goid = int(header.group(1))
        self.state = header.group(2)
        self.frames = []  # (function, place)
        self.creator = None  # (function, goid, place)
        for function, place in zip(lines[1::2], lines[2::2]):
            created = re.match(r"^created by (.*?)(?: in goroutine (\d+))?$", function)
            if created:
                self.creator = (created.group(1), int(created.group(2) or 0), place.strip())
            else:
                self.frames.append((function.rsplit("(", 1)[0], place.strip()))

    def has_function(self, name):
        return any(function.startswith("zoo::" + name) for function, _ in self.frames)


def parse_dump(text):
    """The goroutines of a dump; none where it is empty (the scheduler has not started)."""
    return [Goroutine(p) for p in text.strip("\n").split("\n\n") if p]


class Zoo:
    """A running zoo; a context manager."""

    def __init__(self, *args, env=None):
        self.home = tempfile.mkdtemp(prefix="weir-zoo-")
        self.process = subprocess.Popen(
            [ZOO, "--listen=127.0.0.1:0", *args],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **(env or {})},
        )
        first = self.process.stdout.readline()
        found = re.search(r"http://[\d.]+:\d+", first)
        if not found:
            self.process.kill()
            raise AssertionError(f"no URL in {first!r}: {self.process.communicate()}")
        self.url = found.group(0)

    def __enter__(self):
        eventually(self.has_begun, "a first goroutine")
        return self

    def has_begun(self):
        """The endpoint answers before the scheduler starts. One that wants a token does not tell."""
        status, _, body = self.request("/debug/")
        return status != 200 or b"<p>0 goroutines</p>" not in body

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
        shutil.rmtree(self.home, ignore_errors=True)

    def request(self, path, headers=None, timeout=DEADLINE, method="GET", data=None):
        """(status, headers, body)"""
        headers = dict(headers or {})
        if data is not None:
            headers.setdefault("Content-Type", "application/octet-stream")  # as pprof sends it
        request = urllib.request.Request(self.url + path, data=data, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=timeout) as response:
                return response.status, response.headers, response.read()
        except urllib.error.HTTPError as e:
            return e.code, e.headers, e.read()

    def get(self, path, **kwargs):
        status, _, body = self.request(path, **kwargs)
        assert status == 200, f"{path}: {status} {body[:200]!r}"
        return body

    def goroutines(self):
        return parse_dump(self.get("/debug/goroutine?debug=2").decode())

    def stuck_in(self, leak, state):
        """The goroutines of a leak that wait as they should."""
        return [g for g in self.goroutines() if g.state == state and g.has_function(leak)]

    def pprof(self, *args, path="/debug/pprof/goroutine"):
        """Output of `go tool pprof ARGS URL`, without its chatter on stderr."""
        result = subprocess.run(
            ["go", "tool", "pprof", *args, self.url + path],
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            env={**os.environ, "HOME": self.home, "PPROF_TMPDIR": self.home, "GOCACHE": self.home},
        )
        assert result.returncode == 0, result.stderr
        return result.stdout

    def end(self, sig, timeout=DEADLINE):
        """Sends a signal; (exit status, stdout, stderr)."""
        self.process.send_signal(sig)
        out, err = self.process.communicate(timeout=timeout)
        return self.process.returncode, out, err


def run_zoo(*args, env=None):
    """A zoo that ends by itself: (exit status, stdout, stderr)."""
    result = subprocess.run(
        [ZOO, *args], capture_output=True, text=True, timeout=DEADLINE, env={**os.environ, **(env or {})}
    )
    return result.returncode, result.stdout, result.stderr


SIGINT, SIGQUIT, SIGTERM = signal.SIGINT, signal.SIGQUIT, signal.SIGTERM
