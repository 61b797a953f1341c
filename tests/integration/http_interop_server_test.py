"""weir's HTTP server, asked by others: curl, Python's http.client, Go's net/http, nginx as a proxy, wrk, and raw
bytes."""

import http.client
import json
import re
import resource
import socket
import subprocess
import sys
import unittest

from http_peers import Nginx, http_go, pattern, weir_server
from zoo import DEADLINE, eventually, parse_dump


class WithServer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = weir_server()
        cls.addClassCleanup(cls.server.end)

    @property
    def url(self):
        return self.server.url


class Curl(WithServer):
    def curl(self, *args, body=None, status=0):
        """(body, what curl -v says of the conversation)"""
        done = subprocess.run(["curl", "-sv", "--max-time", str(DEADLINE), *args], input=body, capture_output=True)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout, done.stderr.decode(errors="replace").replace("\r", "")

    def test_get(self):
        body, said = self.curl(self.url + "/hello")
        self.assertEqual(body, b"hello, world\n")
        self.assertIn("< HTTP/1.1 200 OK\n", said)
        self.assertIn("< Content-Length: 13\n", said)
        self.assertRegex(said, r"< Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\n")

    def test_head(self):
        body, said = self.curl("-I", self.url + "/hello")
        self.assertTrue(body.startswith(b"HTTP/1.1 200 OK\r\n"))
        self.assertIn("< Content-Length: 13\n", said)

    def test_post(self):
        body, _ = self.curl("--data-binary", "@-", "-H", "Content-Type: text/x", self.url + "/headers", body=b"a=1&b=2")
        told = json.loads(body)
        self.assertEqual((told["method"], told["body"], told["content_length"]), ("POST", "a=1&b=2", 7))
        self.assertIn(["Content-Type", "text/x"], told["headers"])

    def test_upload_in_chunks(self):
        sent = pattern(3_000_000)
        body, said = self.curl("-T", "-", "-X", "POST", self.url + "/echo", body=sent)
        self.assertIn("> Transfer-Encoding: chunked\n", said)
        self.assertTrue(body == sent)

    def test_large_upload_is_asked_for(self):
        sent = pattern(20_000_000)
        body, said = self.curl("-H", "Expect: 100-continue", "--expect100-timeout", str(DEADLINE),
                               "--data-binary", "@-", self.url + "/echo", body=sent)
        self.assertEqual(said.count("< HTTP/1.1 100 Continue\n"), 1)
        self.assertTrue(body == sent)

    def test_upload_that_is_refused_is_not_sent(self):
        body, said = self.curl("-H", "Expect: 100-continue", "--expect100-timeout", str(DEADLINE),
                               "--data-binary", "@-", self.url + "/at-most/1000", body=b"x" * 2_000_000)
        self.assertIn("< HTTP/1.1 413 ", said)
        self.assertNotIn("100 Continue", said)
        self.assertIn(b"too large", body)

    def test_upload_that_is_refused_within_is_answered(self):
        # In chunks, nobody knows before that it is too long.
        _, said = self.curl("-H", "Expect:", "-T", "-", "-X", "POST", self.url + "/at-most/1000", body=b"x" * 100_000)
        self.assertIn("< HTTP/1.1 413 ", said)
        self.assertIn("< Connection: close\n", said)

    def test_http10(self):
        body, said = self.curl("--http1.0", self.url + "/hello")
        self.assertEqual(body, b"hello, world\n")
        self.assertIn("< Content-Length: 13\n", said)
        body, said = self.curl("--http1.0", self.url + "/chunked/1000000")
        self.assertTrue(body == pattern(1_000_000))
        self.assertNotIn("Transfer-Encoding", said)

    def test_connection_is_used_again(self):
        kinds = ["/hello", "/chunked/100000", "/sized/100000", "/status/404", "/status/204", "/flushed/3", "/hello"]
        _, said = self.curl(*[self.url + path for path in kinds])
        self.assertEqual(len(re.findall(r"^\* (?:Re-using|Reusing) existing", said, re.M)), len(kinds) - 1, said)
        self.assertEqual(len(re.findall(r"^\* Connected to", said, re.M)), 1, said)

    def test_chunks_come_when_they_are_flushed(self):
        body, said = self.curl(self.url + "/flushed/100")
        self.assertIn("< Transfer-Encoding: chunked\n", said)
        self.assertEqual(body.decode(), "".join(f"piece {i}\n" for i in range(100)))

    def test_body_that_is_read_after_the_answer_has_begun(self):
        # What the server had to read away is not silently missing; what it had not is there.
        gone, whole, asking = "when the answer began is gone", ["--data-binary", "@-"], ["-H", "Expect: 100-continue"]
        for args, size, found in ((["-T", "-", "-X", "POST"], 1000, gone),
                                  (["-T", "-", "-X", "POST"], 1_000_000, gone),
                                  (whole, 1000, gone),
                                  ([*whole, *asking], 1000, gone),
                                  ([*whole, *asking], 3_000_000, gone),
                                  ([*whole, *asking, "-H", "Connection: close"], 1000, gone),
                                  ([*whole, "-H", "Expect:"], 3_000_000, "read 3000000")):
            body, said = self.curl(*args, self.url + "/read-late", body=b"x" * size)
            self.assertRegex(body.decode(), f"^begin\n.*{found}.*\n$", args)
            self.assertNotIn("100 Continue", body.decode())

    def test_answer_that_is_cut_off_is_seen(self):
        body, _ = self.curl(self.url + "/cut", status=18)  # partial file
        self.assertEqual(body, b"half of it")

    def test_range_and_other_fields_do_no_harm(self):
        body, _ = self.curl("-r", "0-3", "--compressed", "-H", "Upgrade: h2c", "-b", "a=b", self.url + "/hello")
        self.assertEqual(body, b"hello, world\n")

    def test_targets(self):
        for target in ("/headers?a=%20&b=?#", f"{self.url}/headers?x", "HTTP://other/headers"):
            body, _ = self.curl("--request-target", target, self.url + "/")
            self.assertEqual(json.loads(body)["target"], target)
        for target in ("*", "http://other", "http://other?x", "/headers/", "/../headers"):
            _, said = self.curl("--request-target", target, self.url + "/")
            self.assertIn("< HTTP/1.1 404 ", said)

    def test_methods(self):
        for method in ("OPTIONS", "DELETE", "PATCH", "PROPFIND", "VERYUNUSUAL"):
            body, _ = self.curl("-X", method, "-d", "sent", self.url + "/headers")
            told = json.loads(body)
            self.assertEqual((told["method"], told["body"]), (method, "sent"))
        _, said = self.curl("-X", "DELETE", self.url + "/hello")
        self.assertIn("< HTTP/1.1 405 ", said)
        self.assertIn("< Allow: GET, HEAD\n", said)

    def test_long_fields(self):
        for size, status in ((7_000, 200), (9_000, 200), (60_000, 200), (70_000, 431)):
            _, said = self.curl("-H", "X-Long: " + "x" * size, self.url + "/hello")
            self.assertIn(f"< HTTP/1.1 {status} ", said)

    def test_client_that_leaves_is_seen(self):
        before = self.server.counts()
        for i, path in enumerate(("/slow", "/slow?begin"), 1):
            with subprocess.Popen(["curl", "-s", self.url + path], stdout=subprocess.DEVNULL) as curl:
                try:
                    self.server.wait_for_count("slow", before["slow"] + i)
                finally:
                    curl.kill()
            self.server.wait_for_count("cancelled", before["cancelled"] + i)


class PythonClient(WithServer):
    def connection(self):
        c = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=DEADLINE)
        self.addCleanup(c.close)
        return c

    def test_keep_alive(self):
        c = self.connection()
        remotes = set()
        for i in range(20):
            c.request("PUT", f"/headers?n={i}", body=b"x" * i * 1000)
            told = json.loads(c.getresponse().read())
            self.assertEqual((told["target"], len(told["body"])), (f"/headers?n={i}", i * 1000))
            remotes.add(told["remote"])
        self.assertEqual(len(remotes), 1)

    def test_chunked_body(self):
        c = self.connection()
        for pieces in ([b"one"], [b"one", b"two" * 10_000, b"3"], []):
            c.request("POST", "/echo", body=iter(pieces), encode_chunked=True,
                      headers={"Transfer-Encoding": "chunked"})
            self.assertEqual(c.getresponse().read(), b"".join(pieces))

    def test_raw_requests_one_after_the_other_in_one_packet(self):
        requests = (b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"
                    b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12345"
                    b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                    b"3;ext=1\r\nabc\r\nA\r\n0123456789\r\n0\r\nX-Trailer: 1\r\n\r\n"
                    b"POST /not-read HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nunread"
                    b"\r\nGET /status/404 HTTP/1.1\r\nHost: x\r\n\r\n"
                    b"HEAD /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        for step in (len(requests), 1, 7):
            with socket.create_connection(("127.0.0.1", self.server.port), timeout=DEADLINE) as s:
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for i in range(0, len(requests), step):
                    s.sendall(requests[i:i + step])
                answers = s.makefile("rb").read().decode()
            statuses = re.findall(r"HTTP/1\.1 (\d+)", answers)
            self.assertEqual(statuses, ["200", "200", "200", "200", "404", "200"], answers)
            bodies = re.findall(r"\r\n\r\n(.*?)(?=HTTP/1\.1|$)", answers, re.S)
            self.assertEqual(bodies, ["hello, world\n", "12345", "abc0123456789", "it was not read\n", "this is 404\n",
                                      ""])

    def test_raw_nonsense_is_refused_and_the_server_lives(self):
        for sent, status in ((b"nonsense\r\n\r\n", 400), (b"GET / HTTP/1.1\r\n\r\n", 400),
                             (b"GET / HTTP/3.0\r\nHost: x\r\n\r\n", 505),
                             (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400),
                             (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 100_000, 431),
                             (b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
                             (b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
                              b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
                             (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505)):
            with socket.create_connection(("127.0.0.1", self.server.port), timeout=DEADLINE) as s:
                s.sendall(sent)
                answer = s.makefile("rb").read()
            self.assertTrue(answer.startswith(f"HTTP/1.1 {status} ".encode()), (sent[:100], answer[:200]))
        self.server.counts()

    def test_answer_that_nobody_takes_does_not_stop_others(self):
        with socket.create_connection(("127.0.0.1", self.server.port)) as s:
            s.sendall(b"GET /chunked/100000000 HTTP/1.1\r\nHost: x\r\n\r\n")
            c = self.connection()
            for _ in range(10):
                c.request("GET", "/hello")
                self.assertEqual(c.getresponse().read(), b"hello, world\n")


class GoClient(WithServer):
    def get(self, what):
        done = subprocess.run([http_go(), "get", what, self.url], capture_output=True, text=True, timeout=2 * DEADLINE)
        self.assertEqual(done.returncode, 0, done.stderr)
        # Go writes there what it finds in a connection that should be idle.
        self.assertEqual(done.stderr, "")
        return json.loads(done.stdout)

    def test_pool(self):
        found = self.get("pool")
        self.assertEqual(found["good"], found["requests"])
        self.assertLessEqual(found["connections"], 16)

    def test_body_both_ways_at_once(self):
        self.assertEqual(self.get("duplex"), {"same": True})

    def test_early_close(self):
        self.assertEqual(self.get("early-close"), {"after": "hello, world\n"})

    def test_cancel_is_seen_by_the_handler(self):
        before = self.server.counts()["cancelled"]
        self.assertEqual(self.get("cancel"), {"begin": "begin\n", "cancelled": True})
        self.server.wait_for_count("cancelled", before + 1)

    def test_trailers(self):
        self.assertEqual(self.get("trailers"), {"bodies": ["a body, and then: "] * 3, "connections": 1})

    def test_continue(self):
        self.assertEqual(self.get("continue"), {"/echo": {"status": 200, "sent": True},
                                                "/at-most/10": {"status": 413, "sent": False},
                                                "/not-read": {"status": 200, "sent": False}})

    def test_bodies_that_are_not_read(self):
        self.assertEqual(self.get("not-read"), {"1000": {"statuses": [200] * 3, "connections": 1},
                                                "100000000": {"statuses": [200] * 3, "connections": 3}})


class BehindNginx(WithServer):
    """nginx asks our server, by HTTP/1.1, HTTP/1.0, and over connections that it keeps."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.nginx = Nginx(cls.server.url)
        cls.addClassCleanup(cls.nginx.__exit__)

    def test_answers_pass(self):
        sent = pattern(2_000_000)[:900_000]
        for way in ("/proxied", "/proxied10", "/kept-upstream"):
            c = http.client.HTTPConnection(self.nginx.url.removeprefix("http://"), timeout=DEADLINE)
            self.addCleanup(c.close)
            for path in ("/chunked/300000", "/sized/300000"):
                c.request("GET", way + path)
                self.assertTrue(c.getresponse().read() == pattern(300_000), way + path)
            for chunked in (False, True):
                c.request("POST", way + "/echo", body=iter([sent]) if chunked else sent, encode_chunked=chunked,
                          headers={"Transfer-Encoding": "chunked"} if chunked else {})
                self.assertTrue(c.getresponse().read() == sent, way)
            for status in (204, 304, 404, 500):
                c.request("GET", f"{way}/status/{status}")
                r = c.getresponse()
                self.assertEqual((r.status, len(r.read()) > 0), (status, status >= 400))

    def test_connections_are_kept(self):
        remotes = set()
        for _ in range(20):
            done = subprocess.run(["curl", "-s", self.nginx.url + "/kept-upstream/headers"], capture_output=True)
            remotes.add(json.loads(done.stdout)["remote"])
        self.assertEqual(len(remotes), 1)


class Load(WithServer):
    def test_wrk(self):
        for path in ("/hello", "/chunked/100000", "/flushed/5"):
            done = subprocess.run(["wrk", "-t2", "-c64", "-d1s", "--timeout", "30s", self.url + path],
                                  capture_output=True, text=True, timeout=2 * DEADLINE)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertNotIn("Socket errors", done.stdout)
            self.assertNotIn("Non-2xx", done.stdout)
            self.assertGreater(int(re.search(r"(\d+) requests in", done.stdout).group(1)), 10, done.stdout)
            print(f"\n{path}: {re.search(r'Requests/sec.*', done.stdout).group(0)}", file=sys.stderr)


class IdleConnections(WithServer):
    """Each costs a goroutine that waits."""

    MANY = 10_000

    @classmethod
    def setUpClass(cls):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        want = cls.MANY + 500
        if hard != resource.RLIM_INFINITY:
            want = min(want, hard)
        if soft != resource.RLIM_INFINITY and soft < want:
            resource.setrlimit(resource.RLIMIT_NOFILE, (want, hard))  # and of the server, which inherits it
        cls.many = want - 500
        super().setUpClass()

    def rss(self):
        with open(f"/proc/{self.server.process.pid}/status") as status:
            return int(re.search(r"VmRSS:\s+(\d+) kB", status.read()).group(1)) * 1024

    def goroutines(self):
        done = subprocess.run(["curl", "-sf", self.server.others[0] + "/debug/goroutine?debug=2"], capture_output=True,
                              text=True, check=True)
        return parse_dump(done.stdout)

    def test_many_idle_connections(self):
        want = self.many
        before = self.rss()
        sockets = []
        try:
            request = b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"
            for i in range(want):
                s = socket.create_connection(("127.0.0.1", self.server.port), timeout=DEADLINE)
                sockets.append(s)
                s.sendall(request)
                if i % 100 == 99:  # so many are answered at once
                    for each in sockets[-100:]:
                        self.assertTrue(each.recv(1000).startswith(b"HTTP/1.1 200 OK\r\n"))

            def idle():
                found = [g for g in self.goroutines() if g.state == "IO wait" and "::ServerConn::serve" in g.text]
                return len(found) >= want and found

            found = eventually(idle, f"{want} goroutines in IO wait")
            self.assertLessEqual(len(found), want + 1)  # with the connection of another test
            print(f"\n{want} idle connections: {(self.rss() - before) / want:.0f} bytes of RSS each", file=sys.stderr)
            for s in sockets[::1000]:
                s.sendall(request)
                self.assertTrue(s.recv(1000).startswith(b"HTTP/1.1 200 OK\r\n"))
        finally:
            for s in sockets:
                s.close()
        eventually(lambda: not any("::ServerConn::serve" in g.text for g in self.goroutines()),
                   "their goroutines have ended")


if __name__ == "__main__":
    unittest.main()
