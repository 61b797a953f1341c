#!/usr/bin/env python3
"""Compares weir's HTTP server with Go's: requests per second and latency by wrk, memory of idle connections.

The two take turns within each round; the first round warms up and is dropped. Prints markdown.

  tests/bench/http.py [--build=build/release] [--rounds=5] [--seconds=10] [--connections=64] [--idle=10000]
"""

import argparse
import os
import re
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from run import HERE, ROOT, built, fail, number, spread

UNITS = {"us": 0.001, "ms": 1, "s": 1000, "m": 60_000}  # of wrk's latencies, in ms
REQUEST = b"GET /hello HTTP/1.1\r\nHost: bench\r\n\r\n"
SPARE = 100  # descriptors that both sides need besides their connections


def programs(build, out):
    weir = built(build, "weir-bench-http") or fail(f"no weir-bench-http in {build}/bin: build the preset release first")
    go = os.path.join(out, "hello_go")
    subprocess.run(["go", "build", "-o", go, "hello.go"], cwd=os.path.join(HERE, "http"), check=True,
                   env={**os.environ, "GO111MODULE": "off"})
    return {"weir": weir, "Go": go}


class Server:
    """A running hello; a context manager."""

    def __init__(self, program):
        for _ in range(10):  # somebody else may take the port first
            with socket.socket() as s:
                s.bind(("127.0.0.1", 0))
                self.port = s.getsockname()[1]
            self.process = subprocess.Popen([program, f"127.0.0.1:{self.port}"])
            deadline = time.monotonic() + 30
            while self.process.poll() is None and time.monotonic() < deadline:
                try:
                    self.connect().close()
                    return
                except ConnectionRefusedError:
                    time.sleep(0.02)
            self.process.kill()
            self.process.wait()
        fail(f"{program} does not listen")

    def connect(self):
        """A connection that has been answered once."""
        s = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        s.sendall(REQUEST)
        if not s.recv(4096).endswith(b"hello, world\n"):
            fail("not a hello")
        return s

    def rss(self):
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as status:
            return int(re.search(r"VmRSS:\s+(\d+) kB", status.read()).group(1)) * 1024

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def wrk(server, connections, seconds):
    """One run: {metric: value}."""
    done = subprocess.run(["wrk", "-t2", f"-c{connections}", f"-d{seconds}s", "--latency",
                           f"http://127.0.0.1:{server.port}/hello"], capture_output=True, text=True)
    if done.returncode:
        fail(f"wrk: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    found = {"requests_per_s": float(re.search(r"Requests/sec:\s+([\d.]+)", done.stdout).group(1))}
    for percent in (50, 99):
        value, unit = re.search(rf"^\s+{percent}%\s+([\d.]+)([a-z]+)", done.stdout, re.M).groups()
        found[f"latency_p{percent}"] = float(value) * UNITS[unit]
    errors = [line for line in done.stdout.splitlines() if "Socket errors" in line or "Non-2xx" in line]
    found["errors"] = sum(int(n) for line in errors for n in re.findall(r"\b(\d+)\b", line.split(":", 1)[1]))
    for line in errors:
        print("http.py:" + line, file=sys.stderr)
    return found


def idle_bytes(program, connections):
    """Bytes of RSS for each connection that has been answered and waits."""
    with Server(program) as server:
        before = server.rss()
        open_ones = [server.connect() for _ in range(connections)]
        each = (server.rss() - before) / connections
        for s in open_ones:
            s.close()
    return each


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.path.join(ROOT, "build", "release"), help="build directory")
    parser.add_argument("--rounds", type=int, default=5, help="rounds that count; one more warms up")
    parser.add_argument("--seconds", type=int, default=10, help="of each run")
    parser.add_argument("--connections", type=int, default=64, help="of wrk")
    parser.add_argument("--idle", type=int, default=10_000, help="idle connections; 0: leaves that out")
    args = parser.parse_args()
    if min(args.rounds, args.seconds, args.connections) < 1 or args.idle < 0:
        parser.error("--rounds, --seconds and --connections are at least 1, --idle at least 0")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    need = args.idle + SPARE
    if soft != resource.RLIM_INFINITY and soft < need:
        if hard != resource.RLIM_INFINITY and hard < need:
            fail(f"--idle={args.idle} needs {need} descriptors; ulimit -Hn is {hard}")
        resource.setrlimit(resource.RLIMIT_NOFILE, (need, hard))  # and of the servers, which inherit it

    with tempfile.TemporaryDirectory() as out:
        sides = programs(args.build, out)
        values = {side: {} for side in sides}
        for r in range(args.rounds + 1):
            order = list(sides)[::-1] if r % 2 else list(sides)
            for side in order:
                print(f"round {r}/{args.rounds}: {side}", file=sys.stderr)
                with Server(sides[side]) as server:
                    found = wrk(server, args.connections, args.seconds)
                if args.idle:
                    found["idle_bytes"] = idle_bytes(sides[side], args.idle)
                if r > 0:
                    for name, value in found.items():
                        values[side].setdefault(name, []).append(value)

    units = {"requests_per_s": "/s", "latency_p50": "ms", "latency_p99": "ms", "errors": "", "idle_bytes": "bytes"}
    print("| metric | unit | " + " | ".join(sides) + " | weir / Go, of medians |")
    print("| --- | --- |" + " ---: |" * (len(sides) + 1))
    for name in values["weir"]:
        medians = {side: statistics.median(values[side][name]) for side in sides}
        ratio = number(medians["weir"] / medians["Go"]) if medians["Go"] else "–"
        print(f"| {name} | {units[name]} | " + " | ".join(spread(values[side][name]) for side in sides) +
              f" | {ratio} |")


if __name__ == "__main__":
    main()
