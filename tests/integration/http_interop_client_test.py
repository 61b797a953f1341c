"""weir's HTTP client against others' servers: Go's net/http and nginx."""

import gzip
import hashlib
import json
import os
import socket
import threading
import unittest

from http_peers import Nginx, certificate, fields, go_server, pattern, weir_get
from zoo import DEADLINE


class Client(unittest.TestCase):
    def one(self, *args, body=None):
        """The only response."""
        lines = weir_get(*args, body=body)
        self.assertEqual(len(lines), 1, lines)
        return lines[0]

    def good(self, *args, status=200, body=None):
        line = self.one(*args, body=body)
        self.assertNotIn("error", line)
        self.assertEqual(line["status"], status, line)
        return line

    def error(self, *args, body=None):
        line = self.one(*args, body=body)
        self.assertIn("error", line)
        return line["error"]

    def assert_is(self, line, body):
        self.assertEqual((line["length"], line["sha256"]), (len(body), hashlib.sha256(body).hexdigest()))


class OfGo(Client):
    @classmethod
    def setUpClass(cls):
        cls.server = go_server()
        cls.addClassCleanup(cls.server.end)

    @property
    def url(self):
        return self.server.url

    def connections_for(self, *args, body=None):
        """How many more the server has after that, and the lines."""
        # This count costs a connection of its own.
        before = self.server.counts()["connections"]
        lines = weir_get(*args, body=body)
        return self.server.counts()["connections"] - before - 1, lines

    def test_request_as_go_sees_it(self):
        line = self.good("-H", "X-A: 1", "-H", "X-A: 2", "-H", "Empty: ", self.url + "/headers?q=%20a&b")
        told = json.loads(line["body"])
        self.assertEqual(told["method"], "GET")
        self.assertEqual(told["target"], "/headers?q=%20a&b")
        self.assertEqual(told["host"], self.url.removeprefix("http://"))
        self.assertEqual(told["headers"]["X-A"], ["1", "2"])
        self.assertEqual(told["headers"]["Empty"], [""])
        self.assertEqual(told["headers"]["Accept-Encoding"], ["gzip"])
        self.assertRegex(told["headers"]["User-Agent"][0], "^weir-http-client/")
        self.assertEqual((line["reason"], line["content_length"]), ("OK", len(line["body"])))
        self.assertEqual(fields(line["headers"])["content-type"], "application/json")

    def test_bodies_as_go_sees_them(self):
        for text in (b"", b"short", b"x" * 100_000):
            told = json.loads(self.as_text("-X", "POST", self.url + "/headers", body=text))
            self.assertEqual((told["content_length"], told["body"]), (len(text), text.decode()))
        for text in (b"x", b"x" * 100_000):
            told = json.loads(self.as_text("-X", "PUT", "--pieces=999", self.url + "/headers", body=text))
            self.assertEqual((told["transfer_encoding"], told["body"]), (["chunked"], text.decode()))
            told = json.loads(self.as_text("-X", "PUT", "--pieces=999", "--sized", self.url + "/headers", body=text))
            self.assertEqual((told["content_length"], told["body"]), (len(text), text.decode()))
        told = json.loads(self.as_text("-X", "DELETE", self.url + "/headers"))
        self.assertEqual((told["method"], told["body"], told["transfer_encoding"]), ("DELETE", "", None))

    def as_text(self, *args, body=None):
        return self.good("--shown=1000000", *args, body=body)["body"]

    def test_connections_are_kept(self):
        kinds = [f"{self.url}/{path}" for path in ("hello", "chunked/10", "trailers", "gzip/100", "hints", "status/204",
                                                  "status/304", "status/404", "headers")]
        made, lines = self.connections_for("--repeat=10", *kinds)
        self.assertEqual(made, 1)
        self.assertEqual([line.get("status") for line in lines], [200, 200, 200, 200, 200, 204, 304, 404, 200] * 10)

    def test_as_many_connections_as_requests_at_once(self):
        made, lines = self.connections_for("--repeat=50", "--concurrency=16", f"{self.url}/hello", f"{self.url}/gzip/9")
        self.assertEqual([line["status"] for line in lines], [200] * 1600)
        self.assertLessEqual(made, 16)
        made, lines = self.connections_for("--repeat=20", "--concurrency=16", "--max-per-host=2", f"{self.url}/hello")
        self.assertEqual([line["status"] for line in lines], [200] * 320)
        self.assertLessEqual(made, 2)

    def test_chunked(self):
        line = self.good(self.url + "/chunked/200")
        self.assertEqual(line["content_length"], -1)
        self.assertEqual(line["body"], "".join(f"piece {i}\n" for i in range(200)))
        self.assertEqual(self.good(self.url + "/trailers")["body"], "with trailers\n")

    def test_gzip(self):
        text = "".join(f"line {i}\n" for i in range(100_000)).encode()
        line = self.good(self.url + "/gzip/100000")
        self.assertTrue(line["uncompressed"])
        self.assertEqual(line["content_length"], -1)
        self.assertNotIn("content-encoding", fields(line["headers"]))
        self.assert_is(line, text)
        line = self.good("--no-gzip", self.url + "/gzip/100000")
        self.assertFalse(line["uncompressed"])
        self.assert_is(line, text)
        line = self.good("-H", "Accept-Encoding: gzip", self.url + "/gzip/100000")
        self.assertFalse(line["uncompressed"])
        self.assertEqual(fields(line["headers"])["content-encoding"], "gzip")
        self.assertLess(line["length"], len(text))

    def test_redirects(self):
        for status in (301, 302, 303, 307, 308):
            line = self.good(f"{self.url}/redirect/{status}")
            self.assertEqual(line["url"], self.url + "/headers")
            told = json.loads(self.good("-X", "POST", f"{self.url}/redirect/{status}", body=b"sent")["body"])
            kept = status in (307, 308)
            self.assertEqual((told["method"], told["body"]), ("POST", "sent") if kept else ("GET", ""), status)
            self.assertEqual(self.one("--redirects=0", f"{self.url}/redirect/{status}")["status"], status)
        self.assertEqual(self.one("-X", "POST", "--pieces=2", f"{self.url}/redirect/307", body=b"sent")["status"], 307)
        self.assertIn("redirects", self.error(f"{self.url}/redirect/302?to=/redirect/302?to=/redirect/302"
                                              "%3Fto=/redirect/302", "--redirects=1"))

    def test_credentials_are_not_taken_elsewhere(self):
        with go_server() as other:
            for to, kept in ((self.url, True), (other.url, False)):
                line = self.good("-H", "Authorization: secret", "-H", "Cookie: secret", "-H", "X-Plain: 1",
                                 f"{self.url}/redirect/302?to={to}/headers")
                told = json.loads(line["body"])
                self.assertEqual("secret" in line["body"], kept)
                self.assertEqual(told["headers"]["X-Plain"], ["1"])
                self.assertEqual(told["host"], to.removeprefix("http://"))

    def test_head_and_statuses_without_body(self):
        line = self.good("-X", "HEAD", self.url + "/hello")
        self.assertEqual((line["length"], line["content_length"]), (0, len("hello from Go\n")))
        self.assertEqual(self.good("-X", "HEAD", self.url + "/chunked/10")["length"], 0)
        for status in (204, 304):
            self.assertEqual(self.good(f"{self.url}/status/{status}", status=status)["length"], 0)

    def test_hints_come_before_the_answer(self):
        line = self.good(self.url + "/hints")
        self.assertEqual((line["body"], fields(line["headers"])["x-last"]), ("after hints\n", "yes"))

    def test_closed_without_an_answer(self):
        for args in ((), ("-X", "POST")):
            self.assertIn("without an answer (EOF)", self.error(*args, self.url + "/close", body=b"sent"))
        # On a kept connection, too, where GET is asked again, once.
        lines = weir_get(self.url + "/hello", self.url + "/close", self.url + "/hello")
        self.assertEqual([line.get("status") for line in lines], [200, None, 200])

    def test_closed_within_the_body(self):
        line = self.one(self.url + "/cut")
        self.assertIn("unexpected EOF", line["error"])
        self.assertEqual((line["status"], line["content_length"]), (200, 100))

    def test_body_that_ends_with_the_connection(self):
        line = self.good(self.url + "/until-close")
        self.assertEqual((line["body"], line["content_length"]), ("until it closes", -1))

    def test_slow_head(self):
        before = self.server.counts()["left"]
        self.assertIn("timeout", self.error("--head-timeout=200", self.url + "/slow"))
        self.server.wait_for_count("left", before + 1)
        self.assertIn("deadline exceeded", self.error("--timeout=200", self.url + "/slow"))

    def test_slow_body(self):
        before = self.server.counts()["left"]
        line = self.one("--timeout=3000", self.url + "/slow?begin")
        self.assertEqual(line["status"], 200)
        self.assertIn("deadline exceeded", line["error"])
        # One that was closed: the server sees it at once.
        line = self.good("--read=6", self.url + "/slow?begin")
        self.assertEqual(line["body"], "begin\n")
        self.server.wait_for_count("left", before + 2)

    def test_large_echo_both_ways_at_once(self):
        sent = os.urandom(1 << 20) * 16
        for args in ((), ("--pieces=100000", "--sized")):
            self.assert_is(self.good("-X", "POST", *args, self.url + "/echo", body=sent), sent)

    def test_nobody_there(self):
        with go_server() as gone:
            url = gone.url
        self.assertIn("refused", self.error(url + "/hello"))


class OfGoByTls(Client):
    @classmethod
    def setUpClass(cls):
        cls.pem, cls.key = certificate("right", "127.0.0.1")
        cls.server = go_server(cls.pem, cls.key)
        cls.addClassCleanup(cls.server.end)
        cls.url = cls.server.url

    def test_kept_connection(self):
        before = json.loads(self.good("--ca", self.pem, self.url + "/counts")["body"])["connections"]
        lines = weir_get("--ca", self.pem, "--repeat=10", self.url + "/hello", self.url + "/gzip/10000",
                         self.url + "/counts")
        self.assertEqual([line.get("status") for line in lines], [200] * 30, lines[0])
        self.assertEqual(json.loads(lines[-1]["body"])["connections"], before + 1)

    def test_large_echo_both_ways_at_once(self):
        sent = os.urandom(1 << 20) * 16
        for args in ((), ("--pieces=100000", "--sized")):
            self.assert_is(self.good("--ca", self.pem, "-X", "POST", *args, self.url + "/echo", body=sent), sent)

    def test_many_at_once(self):
        lines = weir_get("--ca", self.pem, "--concurrency=8", "--repeat=10", self.url + "/gzip/1000")
        self.assertEqual([line.get("status") for line in lines], [200] * 80)

    def test_unknown_certificate_is_refused(self):
        self.assertIn("certificate is not valid", self.error(self.url + "/hello"))
        other, _ = certificate("other", "127.0.0.1")
        self.assertIn("certificate is not valid", self.error("--ca", other, self.url + "/hello"))
        self.assertEqual(self.good("--insecure", self.url + "/hello")["body"], "hello from Go\n")

    def test_certificate_of_another_name_is_refused(self):
        pem, key = certificate("wrong", "example.com")
        with go_server(pem, key) as server:
            self.assertIn("certificate is not valid", self.error("--ca", pem, server.url + "/hello"))
        # And of an address, where a name was asked for.
        self.assertIn("certificate is not valid",
                      self.error("--ca", self.pem, f"https://localhost:{self.server.port}/hello"))

    def test_plain_and_tls_do_not_meet(self):
        with go_server() as plain:
            self.assertIn("TLS", self.error("--ca", self.pem, plain.url.replace("http:", "https:") + "/hello"))
        self.assertEqual(self.one(self.url.replace("https:", "http:") + "/hello")["status"], 400)

    def test_closed_within_the_body(self):
        self.assertIn("EOF", self.error("--ca", self.pem, self.url + "/cut"))
        self.assertIn("deadline exceeded", self.error("--ca", self.pem, "--timeout=300", self.url + "/slow?begin"))


class Scripted:
    """Answers one request with certain bytes, then with the end; a context manager."""

    def __init__(self, answer):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/"
        self.thread = threading.Thread(target=self.serve, args=(answer,), daemon=True)
        self.thread.start()

    def serve(self, answer):
        conn, _ = self.listener.accept()
        with conn:
            conn.settimeout(DEADLINE)
            conn.recv(65536)
            try:
                conn.sendall(answer)
                conn.shutdown(socket.SHUT_WR)
                while conn.recv(65536):
                    pass
            except OSError:
                pass  # the client does not want all of it

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()
        self.thread.join(DEADLINE)


class OfOddServers(Client):
    TEXT = b"the same again and again " * 5000

    def answered(self, body, *fields, chunk=None):
        """What the client makes of a 200 with such a body."""
        if chunk:
            fields += ("Transfer-Encoding: chunked",)
            pieces = [body[i:i + chunk] for i in range(0, len(body), chunk)] + [b""]
            body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
        else:
            fields += (f"Content-Length: {len(body)}",)
        head = "\r\n".join(("HTTP/1.1 200 OK", *fields, "", ""))
        with Scripted(head.encode() + body) as server:
            return self.one(server.url)

    def test_gzip_of_several_members(self):
        zipped = gzip.compress(self.TEXT)
        for chunk in (None, 1, 50, 100_000):
            for times in (1, 2, 3):
                line = self.answered(zipped * times, "Content-Encoding: GZip", chunk=chunk)
                self.assertNotIn("error", line)
                self.assertTrue(line["uncompressed"])
                self.assert_is(line, self.TEXT * times)
        self.assertEqual(self.answered(b"", "Content-Encoding: gzip", chunk=1)["length"], 0)

    def test_gzip_that_is_damaged(self):
        zipped = gzip.compress(self.TEXT)
        for chunk in (None, 50):
            for cut in (zipped[:5], zipped[:-20], zipped[:-1], zipped + zipped[:1], zipped + zipped[:-1]):
                line = self.answered(cut, "Content-Encoding: gzip", chunk=chunk)
                self.assertIn("gzip: unexpected EOF", line.get("error", ""), len(cut))
            for damaged in (b"plain text", zipped + b"more", zipped[:-8] + b"12345678"):
                line = self.answered(damaged, "Content-Encoding: gzip", chunk=chunk)
                self.assertIn("gzip: incorrect", line.get("error", ""))

    def test_other_codings_are_given_as_they_are(self):
        for coding in ("br", "deflate", "zstd", "identity", "vibrant"):
            line = self.answered(b"something", "Content-Encoding: " + coding)
            self.assertEqual((line["body"], line["uncompressed"], line["content_length"]), ("something", False, 9))
            self.assertEqual(fields(line["headers"])["content-encoding"], coding)

    def test_fields(self):
        long = "x" * 100_000
        line = self.answered(b"hi", "A: %41%zz", "B:b", "C:", "A: 2", "Long: " + long)
        found = [pair for pair in line["headers"] if pair[0] == "A"]
        self.assertEqual(found, [["A", "%41%zz"], ["A", "2"]])
        named = fields(line["headers"])
        self.assertEqual((named["b"], named["c"], named["long"]), ("b", "", long))

    def test_nonsense(self):
        for answer, why in ((b"ICY 200 OK\r\n\r\nx", "malformed response"),
                            (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", "two different"),
                            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "malformed chunked"),
                            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n", "unexpected EOF"),
                            (b"HTTP/1.1 200 OK\r\nA: " + b"x" * 2_000_000, "too large"),
                            (b"HTTP/1.1 102 Wait\r\n\r\n" * 1000, "too many answers"),
                            (b"HTTP/1.1 200", "closed within a head")):
            with Scripted(answer) as server:
                self.assertIn(why, self.error(server.url))


class OfNginx(Client):
    @classmethod
    def setUpClass(cls):
        cls.nginx = Nginx()
        cls.addClassCleanup(cls.nginx.__exit__)
        cls.url = cls.nginx.url

    def test_files(self):
        line = self.good(self.url + "/small.txt")
        self.assertEqual((line["body"], line["content_length"]), ("a small file\n", 13))
        self.assert_is(self.good(self.url + "/large.txt"), pattern(3_000_000))
        self.assertEqual(self.good("-H", "Range: bytes=2-6", self.url + "/small.txt", status=206)["body"], "small")
        self.good(self.url + "/nothing", status=404)

    def test_gzip_comes_in_chunks(self):
        line = self.good(self.url + "/zipped/large.txt")
        self.assertTrue(line["uncompressed"])
        self.assertEqual(line["content_length"], -1)
        self.assert_is(line, pattern(3_000_000))
        line = self.good("-H", "Accept-Encoding: gzip", self.url + "/zipped/large.txt")
        self.assertLess(line["length"], 1_000_000)

    def test_redirect(self):
        line = self.good(self.url + "/moved")
        self.assertEqual((line["url"], line["body"]), (self.url + "/small.txt", "a small file\n"))

    def test_not_modified(self):
        since = fields(self.good(self.url + "/small.txt")["headers"])["last-modified"]
        line = self.good("-H", "If-Modified-Since: " + since, self.url + "/small.txt", status=304)
        self.assertEqual(line["length"], 0)

    def numbers(self, path, *args):
        lines = weir_get(*args, self.url + path)
        self.assertEqual([line.get("status") for line in lines], [200] * len(lines), lines)
        return [int(line["body"]) for line in lines]

    def test_kept_until_the_server_closes(self):
        self.assertEqual(len(set(self.numbers("/kept/", "--repeat=20"))), 1)
        # Each connection serves two requests; that it then closes is told.
        numbers = self.numbers("/connection", "--repeat=20")
        self.assertEqual(len(set(numbers)), 10)

    def test_idle_connection_that_the_server_closes(self):
        # nginx closes without a word, after 100 ms; the next request must not meet that.
        numbers = self.numbers("/short/", "--repeat=5", "--pause=400")
        self.assertGreater(len(set(numbers)), 1)

    def test_closed_without_an_answer(self):
        self.assertIn("without an answer (EOF)", self.error(self.url + "/silent"))

    def test_upload_that_is_refused(self):
        for args in ((), ("--pieces=10000",), ("--pieces=10000", "--sized")):
            line = self.one("-X", "POST", *args, self.url + "/upload", body=b"x" * 20_000_000)
            self.assertEqual(line.get("status"), 413, line)

    def test_request_as_nginx_sees_it(self):
        self.assertRegex(self.good(self.url + "/told")["body"], r"^GET 127.0.0.1:\d+ weir-http-client/\S+ gzip\n$")


if __name__ == "__main__":
    unittest.main()
