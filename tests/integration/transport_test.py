"""The endpoint of a real program against clients that are slow, many, foreign or gone."""

import contextlib
import os
import re
import socket
import stat
import subprocess
import threading
import unittest

from zoo import DEADLINE, SIGTERM, ZOO, Zoo, eventually, run_zoo


def connect(zoo):
    host, port = re.match(r"http://([\d.]+):(\d+)", zoo.url).groups()
    return socket.create_connection((host, int(port)), timeout=DEADLINE)


def request(path, *fields, method="GET"):
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", *fields, "", ""]).encode()


def rss(zoo):
    """Bytes of memory that the program has now."""
    with open(f"/proc/{zoo.process.pid}/statm") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def read_all(s):
    got = b""
    while piece := s.recv(1 << 16):
        got += piece
    return got


class Transport(unittest.TestCase):
    def test_slow_clients_keep_nobody_out(self):
        with Zoo("--leak=none") as zoo:
            eventually(lambda: zoo.goroutines(), "the scheduler has started")
            slow = [connect(zoo) for _ in range(600)]
            message = request("/healthz")
            for i in range(len(message) - 1):  # to the last byte but one
                for s in slow:
                    with contextlib.suppress(OSError):  # closed: it took more than ten seconds
                        s.send(message[i : i + 1])
                if i % 10 == 0:
                    self.assertEqual(zoo.get("/healthz"), b"ok\n")
                    self.assertIn(b"goroutine 1 ", zoo.get("/debug/goroutine?debug=2"))
            for s in slow:
                s.close()
            self.assertEqual(zoo.get("/healthz"), b"ok\n")

    def test_more_connections_than_there_may_be(self):
        with Zoo("--leak=none") as zoo:
            idle = []
            for i in range(1500):
                s = connect(zoo)
                s.send(b"GET / HTTP/1.1\r\n")
                idle.append(s)
                if i % 100 == 0:
                    self.assertEqual(zoo.get("/healthz"), b"ok\n")
            self.assertLess(len(os.listdir(f"/proc/{zoo.process.pid}/fd")), 1200)
            self.assertEqual(zoo.get("/healthz"), b"ok\n")
            for s in idle:
                s.close()

    def test_a_thousand_dumps_at_once(self):
        def leaked():
            return int(re.search(rb"goroutine profile: total (\d+)", eventually(dump, "a place")).group(1))

        def dump():
            status, _, body = zoo.request("/debug/goroutine?debug=1")
            return status == 200 and body

        with Zoo("--leak=receive_without_send", "--rate=1000") as zoo:
            eventually(lambda: leaked() > 3000, "some goroutines")
            before, goroutines = rss(zoo), leaked()
            answers, most = [], 0
            lock = threading.Lock()

            def ask():
                with connect(zoo) as s:
                    s.sendall(request("/debug/goroutine?debug=2", "Connection: close"))
                    got = read_all(s)
                head, _, body = got.partition(b"\r\n\r\n")
                whole = body.endswith(b"0\r\n\r\n") or b"Content-Length: " in head
                with lock:
                    answers.append((int(got[9:12]), b"Retry-After: 1" in head, whole))

            clients = [threading.Thread(target=ask) for _ in range(1000)]
            for c in clients:
                c.start()
            while any(c.is_alive() for c in clients):
                self.assertEqual(zoo.get("/healthz"), b"ok\n")
                self.assertIn(b"<h1>weir</h1>", zoo.get("/debug/"))
                most = max(most, rss(zoo))
            for c in clients:
                c.join()
            self.assertEqual(len(answers), 1000)
            self.assertEqual({status for status, _, _ in answers} - {200, 503}, set())
            for status, retry, whole in answers:
                self.assertTrue(whole)
                self.assertEqual(retry, status == 503)
            self.assertIn(200, {status for status, _, _ in answers})
            # The zoo leaks on meanwhile; a thousand dumps in memory would be 2 GB.
            self.assertLess(most - before, 300_000_000 + 8192 * (leaked() - goroutines))
            self.assertIsNone(zoo.process.poll())

    def test_a_client_that_does_not_read_its_dump(self):
        with Zoo("--leak=receive_without_send", "--rate=50000") as zoo:
            eventually(
                lambda: int(re.search(rb"total (\d+)", zoo.get("/debug/goroutine?debug=1")).group(1)) > 50_000,
                "many goroutines",
            )
            lazy = [connect(zoo) for _ in range(10)]
            for s in lazy:
                s.send(request("/debug/goroutine?debug=2"))
                self.assertEqual(zoo.get("/healthz"), b"ok\n")
            # Both places are theirs; who asks is told so, at once.
            status, headers, _ = zoo.request("/debug/goroutine")
            self.assertEqual((status, headers["Retry-After"]), (503, "1"))
            for s in lazy:
                s.close()
            eventually(lambda: zoo.request("/debug/goroutine?debug=1")[0] == 200, "a place again")
            self.assertEqual(zoo.end(SIGTERM)[0], 0)

    def test_the_end_waits_for_no_client_that_does_not_read(self):
        with Zoo("--leak=receive_without_send", "--rate=50000") as zoo:
            eventually(
                lambda: int(re.search(rb"total (\d+)", zoo.get("/debug/goroutine?debug=1")).group(1)) > 50_000,
                "many goroutines",
            )
            with connect(zoo) as dump, connect(zoo) as profile, connect(zoo) as half:
                dump.send(request("/debug/goroutine?debug=2"))
                profile.send(request("/debug/pprof/profile?seconds=600"))
                half.send(b"GET /")
                dump.recv(1)
                profile.recv(1)
                self.assertEqual(zoo.end(SIGTERM)[0], 0)

    def test_a_profile_that_nobody_wants_any_more_is_given_up(self):
        with Zoo("--leak=none") as zoo:
            with connect(zoo) as s:
                s.send(request("/debug/pprof/profile?seconds=600"))
                self.assertIn(b"200 OK", s.recv(1 << 16))
            # There is one CPU profile at a time.
            eventually(lambda: zoo.request("/debug/pprof/profile?seconds=1")[0] == 200, "another profile")

    def test_a_body_is_no_request(self):
        with Zoo("--leak=none") as zoo, connect(zoo) as s:
            inner = request("/debug/nothing")
            s.send(request("/healthz", f"Content-Length: {len(inner)}") + inner)
            s.send(request("/healthz", "Connection: close"))
            got = read_all(s)
            self.assertEqual(re.findall(rb"HTTP/1.1 (\d+)", got), [b"200", b"200"])

    def test_malformed_requests(self):
        with Zoo("--leak=none") as zoo:
            for bytes_, status in (
                (b"\x16\x03\x01\n", 400),
                (b"GET /healthz HTTP/1.1\r\n\r\n", 400),
                (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 20_000, 431),
                (request("/", "Content-Length: 1", "Transfer-Encoding: chunked"), 400),
                (request("/", "Content-Length: 1", "Content-Length: 2"), 400),
                (request("/debug/pprof/symbol", "Content-Length: 2000000", method="POST"), 413),
                (request("/debug/pprof/symbol", "Transfer-Encoding: gzip", method="POST"), 501),
            ):
                with connect(zoo) as s:
                    s.sendall(bytes_)
                    got = read_all(s)
                    self.assertTrue(got.startswith(b"HTTP/1.1 %d " % status), (bytes_[:60], got[:60]))


class Access(unittest.TestCase):
    def test_token(self):
        with Zoo("--leak=none", env={"WEIR_DEBUG_TOKEN": "s3cret"}) as zoo:
            self.assertEqual(zoo.get("/healthz"), b"ok\n")
            for fields in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic s3cret"}):
                for path in ("/debug/", "/debug/goroutine?debug=2", "/nothing"):
                    status, headers, _ = zoo.request(path, headers=fields)
                    self.assertEqual((status, headers["WWW-Authenticate"]), (401, "Bearer"))
            right = {"Authorization": "Bearer s3cret"}
            eventually(
                lambda: b"goroutine 1 " in zoo.get("/debug/goroutine?debug=2", headers=right), "the scheduler has started"
            )
            _, out, err = zoo.end(SIGTERM)
            self.assertNotIn("wrong", out + err)
            self.assertNotIn("s3cret", out + err)
        status, _, err = run_zoo("--listen=127.0.0.1:0", "--duration=1", env={"WEIR_DEBUG_TOKEN": ""})
        self.assertEqual(status, 2)
        self.assertIn("WEIR_DEBUG_TOKEN is set, but empty", err)

    def test_beyond_loopback(self):
        _, _, err = run_zoo("--listen=0.0.0.0:0", "--leak=none", "--duration=0.1")
        self.assertRegex(err, r"\[warning\].*no token.*WEIR_DEBUG_TOKEN")
        _, _, err = run_zoo("--listen=0.0.0.0:0", "--leak=none", "--duration=0.1", env={"WEIR_DEBUG_TOKEN": "s3cret"})
        self.assertRegex(err, r"^\S+ \S+ \[weir\] \[info\] .*\n$")
        self.assertNotIn("s3cret", err)

    def test_unix_socket(self):
        with Zoo("--leak=none") as other:  # for a directory
            path = other.home + "/sock"

            def get(what):
                return subprocess.run(
                    ["curl", "-s", "--unix-socket", path, "http://any.name" + what], capture_output=True, timeout=DEADLINE
                ).stdout

            def start():
                zoo = subprocess.Popen(
                    [ZOO, "--listen=unix:" + path, "--leak=none"], stdout=subprocess.PIPE, text=True
                )
                self.assertIn("unix:" + path, zoo.stdout.readline())
                return zoo

            zoo = start()
            self.assertEqual(get("/healthz"), b"ok\n")
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
            status, _, err = run_zoo("--listen=unix:" + path)
            self.assertEqual(status, 2)
            self.assertIn("another process listens there", err)
            zoo.kill()
            zoo.communicate()
            self.assertTrue(os.path.exists(path), "left behind")
            zoo = start()
            eventually(lambda: b"goroutine 1 " in get("/debug/goroutine?debug=2"), "the scheduler has started")
            zoo.terminate()
            zoo.communicate()
            self.assertFalse(os.path.exists(path))
            with open(path, "w") as f:
                f.write("precious")
            status, _, err = run_zoo("--listen=unix:" + path)
            self.assertEqual(status, 2)
            self.assertIn("not a socket", err)
            self.assertEqual(os.path.getsize(path), 8)


class WithoutCode(unittest.TestCase):
    """WEIR_DEBUG_ADDR: the endpoint of a program that does not know of it."""

    def start(self, address):
        """A zoo with a second endpoint; the first line of its stderr."""
        zoo = Zoo("--leak=none", env={"WEIR_DEBUG_ADDR": address})
        line = zoo.process.stderr.readline()
        return zoo, line

    def test_it_starts(self):
        zoo, line = self.start("127.0.0.1:0")
        with zoo:
            url = re.fullmatch(r"weir: the debug endpoint listens on (http://127\.0\.0\.1:\d+)/debug/\n", line).group(1)
            self.assertNotEqual(url, zoo.url)
            zoo.url = url
            eventually(lambda: b"goroutine 1 " in zoo.get("/debug/goroutine?debug=2"), "the scheduler has started")
            status, _, err = zoo.end(SIGTERM)
            self.assertEqual((status, err), (0, ""))

    def test_what_is_wrong_is_said_and_the_program_goes_on(self):
        for address in ("here", "127.0.0.1:99999", "unix:/nowhere/at/all", "192.0.2.1:1"):
            zoo, line = self.start(address)
            with zoo:
                self.assertTrue(line.startswith("weir: WEIR_DEBUG_ADDR: "), line)
                self.assertIn(address, line)
                self.assertEqual(zoo.get("/healthz"), b"ok\n")

    def test_empty_is_not_set(self):
        status, _, err = run_zoo("--listen=127.0.0.1:0", "--leak=none", "--duration=0.1", env={"WEIR_DEBUG_ADDR": ""})
        self.assertEqual((status, err), (0, ""))


if __name__ == "__main__":
    unittest.main()
