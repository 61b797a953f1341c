"""Profiles over HTTP: what go tool pprof makes of each of them, Go's answers to bad questions, and that a long
profile keeps nobody waiting."""

import os
import re
import socket
import subprocess
import time
import unittest

from zoo import DEADLINE, Zoo, eventually

ALL_ON = {"WEIR_BLOCK_PROFILE_RATE": "1", "WEIR_MUTEX_PROFILE_FRACTION": "1", "WEIR_CREATION_STACKS": "1"}


def pprof(zoo, what, *args):
    """Output of `go tool pprof ARGS WHAT`; WHAT: a path of the endpoint, or a file."""
    source = what if os.path.exists(what) else zoo.url + what
    result = subprocess.run(
        ["go", "tool", "pprof", *args, source],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        env={**os.environ, "HOME": zoo.home, "PPROF_TMPDIR": zoo.home, "GOCACHE": zoo.home},
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def save(zoo, path, name):
    file = os.path.join(zoo.home, name)
    with open(file, "wb") as f:
        f.write(zoo.get(path))
    return file


class Profiles(unittest.TestCase):
    def test_heads_as_go_sends_them(self):
        with Zoo("--leak=none", env=ALL_ON) as zoo:
            for name in ("block", "mutex", "threadcreate", "creation", "goroutine"):
                path = "/debug/pprof/" + name
                status, headers, body = zoo.request(path)
                self.assertEqual(status, 200, name)
                self.assertEqual(headers["Content-Type"], "application/octet-stream")
                self.assertEqual(headers["Content-Disposition"], f'attachment; filename="{name}"')
                self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
                self.assertEqual(body[:2], b"\x1f\x8b", "gzip")
                _, headers, _ = zoo.request(path + "?debug=1")
                self.assertEqual(headers["Content-Type"], "text/plain; charset=utf-8")
                self.assertNotIn("Content-Disposition", headers)
                _, headers, body = zoo.request(path + "?seconds=1")
                self.assertEqual(headers["Content-Disposition"], f'attachment; filename="{name}-delta"')
                self.assertEqual(body[:2], b"\x1f\x8b", "gzip")

    def test_bad_questions_are_answered_as_go_does(self):
        with Zoo("--leak=none") as zoo:
            for query, why in (
                ("seconds=0", 'invalid value for "seconds" - must be a positive integer'),
                ("seconds=-3", 'invalid value for "seconds" - must be a positive integer'),
                ("seconds=x", 'invalid value for "seconds" - must be a positive integer'),
                ("seconds=1&debug=1", "seconds and debug params are incompatible"),
                ("seconds=100000", "profile duration exceeds server's WriteTimeout"),
            ):
                status, headers, body = zoo.request("/debug/pprof/block?" + query)
                self.assertEqual((status, body.decode()), (400, why + "\n"), query)
                self.assertEqual(headers["X-Go-Pprof"], "1")
                self.assertEqual(headers["Content-Type"], "text/plain; charset=utf-8")
            self.assertEqual(zoo.request("/debug/pprof/profile?seconds=100000")[0], 400)
            self.assertEqual(zoo.request("/debug/pprof/nothing")[0], 404)
            for path in ("/debug/pprof/block", "/debug/pprof/profile"):
                self.assertEqual(zoo.request(path, method="POST")[0], 405)

    def test_block_and_mutex_from_the_url_and_from_files(self):
        with Zoo("--leak=busy_pool", env=ALL_ON) as zoo:
            def waited():
                text = zoo.get("/debug/pprof/block?debug=1").decode()
                return "zoo::" in text and text
            text = eventually(waited, "somebody waits in the zoo")
            self.assertTrue(text.startswith("--- contention:\ncycles/second=1000000000\n"))
            file = save(zoo, "/debug/pprof/block", "block.pb.gz")
            for source in ("/debug/pprof/block", file):
                self.assertRegex(pprof(zoo, source, "-top"), r"Type: delay[\s\S]*zoo::")
                self.assertIn("contentions/count delay/nanoseconds", pprof(zoo, source, "-raw"))
                self.assertIn("zoo::", pprof(zoo, source, "-traces"))
                self.assertIn("Type: contentions", pprof(zoo, source, "-top", "-sample_index=contentions"))
            pprof(zoo, file, "-tags")
            # The text is symbolized by asking us.
            self.assertIn("zoo::", pprof(zoo, "/debug/pprof/block?debug=1", "-top"))
            text = zoo.get("/debug/pprof/mutex?debug=1").decode()
            self.assertTrue(text.startswith("--- mutex:\ncycles/second=1000000000\nsampling period=1\n"))
            self.assertIn("Type: delay", pprof(zoo, "/debug/pprof/mutex", "-top"))

    def test_off_by_default(self):
        with Zoo("--leak=busy_pool") as zoo:
            for name in ("block", "mutex"):
                self.assertNotIn("@", zoo.get(f"/debug/pprof/{name}?debug=1").decode())

    def test_cpu_profile(self):
        with Zoo("--leak=infinite_loop", "--rate=1") as zoo:
            eventually(lambda: zoo.stuck_in("infinite_loop", "running"), "a spinner")
            top = pprof(zoo, "/debug/pprof/profile?seconds=2", "-top")
            self.assertIn("Type: cpu", top)
            self.assertRegex(top, r"Duration: 2(\.\d+)?s, Total samples")
            share = re.search(r"([\d.]+)%\s+zoo::infinite_loop", top)
            self.assertTrue(share, top)
            self.assertGreater(float(share.group(1)), 80, top)
            file = save(zoo, "/debug/pprof/profile?seconds=1", "cpu.pb.gz")
            self.assertIn("samples/count cpu/nanoseconds", pprof(zoo, file, "-raw"))
            self.assertIn("Period: 10000000", pprof(zoo, file, "-raw"))

    def test_a_long_profile_keeps_nobody_waiting_and_is_given_up_with_its_client(self):
        with Zoo("--leak=none") as zoo:
            host, port = zoo.url.removeprefix("http://").split(":")
            client = socket.create_connection((host, int(port)))
            client.sendall(b"GET /debug/pprof/profile?seconds=600 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            client.recv(16)  # the head: it has begun
            status, headers, body = zoo.request("/debug/pprof/profile?seconds=1")
            self.assertEqual(status, 500)
            self.assertEqual(body, b"Could not enable CPU profiling: cpu profiling already in use\n")
            self.assertEqual(headers["X-Go-Pprof"], "1")
            start = time.monotonic()
            for path in ("/healthz", "/debug/goroutine?debug=2", "/debug/pprof/block"):
                zoo.get(path)
            self.assertLess(time.monotonic() - start, 30)
            client.close()
            eventually(lambda: zoo.request("/debug/pprof/profile?seconds=1")[0] == 200, "the place is free again")

    def test_slow_answers_beyond_the_bound_are_refused(self):
        with Zoo("--leak=none") as zoo:
            clients = [
                subprocess.Popen(
                    ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", zoo.url + "/debug/pprof/block?seconds=3"],
                    stdout=subprocess.PIPE,
                    text=True,
                )
                for _ in range(5)
            ]
            self.assertEqual(zoo.get("/healthz"), b"ok\n")
            codes = sorted(c.communicate()[0] for c in clients)
            self.assertEqual(codes, ["200", "200", "200", "503", "503"])

    def test_goroutines_that_came(self):
        with Zoo("--leak=nil_chan_receive,mutex_forgotten_unlock", "--rate=20") as zoo:
            eventually(lambda: len(zoo.stuck_in("nil_chan_receive", "chan receive (nil chan)")) > 3, "some leaks")
            top = pprof(zoo, "/debug/pprof/goroutine?seconds=1", "-top")
            self.assertRegex(top, r"Type: goroutine[\s\S]*Duration: 1(\.\d+)?s, ")
            self.assertRegex(top, r"(?m)^ +[1-9]\d* .* zoo::nil_chan_receive$")
            self.assertIn("zoo::mutex_forgotten_unlock", top)
            only = pprof(zoo, "/debug/goroutine?seconds=1&q=nil_chan&state=chan+receive+(nil+chan)", "-top")
            self.assertRegex(only, r"(?m)^ +[1-9]\d* .* zoo::nil_chan_receive$")
            self.assertNotIn("mutex", only)
            for path in ("/debug/goroutine", "/debug/pprof/goroutine"):
                status, headers, body = zoo.request(path + "?seconds=1&format=json")
                self.assertEqual((status, body), (400, b"seconds and format params are incompatible\n"))
                self.assertEqual(headers["X-Go-Pprof"], "1")

    def test_a_difference_is_given_up_with_its_client(self):
        with Zoo("--leak=none") as zoo:
            host, port = zoo.url.removeprefix("http://").split(":")
            clients = []
            for _ in range(3):  # as many as there are places
                client = socket.create_connection((host, int(port)))
                client.sendall(b"GET /debug/goroutine?seconds=600 HTTP/1.1\r\nHost: localhost\r\n\r\n")
                client.recv(16)  # the head: it has begun
                clients.append(client)
            self.assertEqual(zoo.request("/debug/goroutine?seconds=1")[0], 503)
            zoo.get("/debug/goroutine?debug=1")
            for client in clients:
                client.close()
            eventually(lambda: zoo.request("/debug/goroutine?seconds=1")[0] == 200, "the places are free again")

    def test_goroutines_that_went(self):
        with Zoo("--leak=bursts") as zoo:

            def is_in_a_burst():
                found = re.search(rb'_waiting{reason="sleep"} (\d+)', zoo.get("/metrics"))
                return int(found.group(1)) > 50

            def shrinks():
                eventually(is_in_a_burst, "a burst")  # of 200 sleepers, the last one for 195 ms
                file = save(zoo, "/debug/pprof/goroutine?seconds=1", "delta.pb.gz")
                return re.search(r"(?m)^ +-\d+: ", pprof(zoo, file, "-raw"))

            eventually(shrinks, "a burst that is over within the second")

    def test_creation(self):
        with Zoo("--leak=receive_without_send", "--rate=50", env=ALL_ON) as zoo:
            eventually(lambda: len(zoo.stuck_in("receive_without_send", "chan receive")) > 3, "some leaks")
            file = save(zoo, "/debug/pprof/creation", "creation.pb.gz")
            for source in ("/debug/pprof/creation", file):
                self.assertRegex(pprof(zoo, source, "-top"), r"Type: creation[\s\S]*zoo::")
            self.assertEqual(pprof(zoo, file, "-comments").strip(), "")
            # Whole stacks: more than the place of the go call.
            depths = [len(line.split()) for line in re.findall(r"^ +\d+: (.*)$", pprof(zoo, file, "-raw"), re.M)]
            self.assertGreater(max(depths), 1)
        with Zoo("--leak=none") as zoo:
            # At first there is but the main goroutine, which nobody created.
            eventually(
                lambda: b"WEIR_CREATION_STACKS=1" in zoo.get("/debug/pprof/creation?debug=1"),
                "a comment that tells how to have the stacks",
            )

    def test_threadcreate_cmdline_symbol(self):
        with Zoo("--leak=none") as zoo:
            self.assertIn("threadcreate/count", pprof(zoo, "/debug/pprof/threadcreate", "-raw"))
            text = zoo.get("/debug/pprof/threadcreate?debug=1").decode()
            self.assertRegex(text, r"^threadcreate profile: total [1-9]\d*\n")

            status, headers, body = zoo.request("/debug/pprof/cmdline")
            self.assertEqual((status, headers["Content-Type"]), (200, "text/plain; charset=utf-8"))
            self.assertEqual(body.split(b"\0")[1:], [b"--listen=127.0.0.1:0", b"--leak=none"])

            goroutines = zoo.get("/debug/goroutine?debug=1").decode()
            address, name = re.search(r"^#\t(0x\w+)\s+(\S+)\+0x", goroutines, re.M).groups()
            want = f"num_symbols: 1\n{address} {name}\n"
            self.assertEqual(zoo.get(f"/debug/pprof/symbol?{address}+0x1").decode(), want)
            posted = subprocess.run(
                ["curl", "-s", "-d", f"{address}+junk++{address}", zoo.url + "/debug/pprof/symbol"],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            self.assertEqual(posted, want + f"{address} {name}\n")
            self.assertEqual(zoo.get("/debug/pprof/symbol"), b"num_symbols: 1\n")


if __name__ == "__main__":
    unittest.main()
