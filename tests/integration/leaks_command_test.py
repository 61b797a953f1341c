"""weir leaks: what it says of running programs (weir's and others') and of files, and its exit statuses."""

import http.server
import json
import os
import subprocess
import tempfile
import threading
import unittest

from zoo import Zoo, eventually

WEIR = os.environ.get("WEIR", "weir")
TIMEOUT = 240  # s

NIL = """goroutine {0} [chan send (nil chan)]:
main.leak()
\t/src/main.go:11 +0x1d
created by main.main
\t/src/main.go:7 +0x25

"""
MAIN = "goroutine 1 [running]:\nmain.main()\n\t/src/main.go:3 +0x1d\n\n"


def weir(*args, status, stdin=None, env=None):
    done = subprocess.run(
        [WEIR, "leaks", *args],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        env={**os.environ, **(env or {})},
    )
    assert done.returncode == status, (args, done.returncode, done.stdout, done.stderr)
    return done.stdout, done.stderr


class GoProgram:
    """A server with Go's debug=1 and debug=2, and one more goroutine on a nil channel in each dump."""

    def __enter__(self):
        owner = self
        self.dumps = 0

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                if self.path == "/debug/pprof/goroutine?debug=1":
                    text = "goroutine profile: total 2\n2 @ 0x1 0x2\n#\t0x1\tmain.leak+0x1\t/src/main.go:11\n\n"
                elif self.path == "/debug/pprof/goroutine?debug=2":
                    owner.dumps += 1
                    text = MAIN + "".join(NIL.format(10 + i) for i in range(owner.dumps))
                else:
                    return self.send_error(404)
                self.send_response(200)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class Leaks(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name

    def file(self, name, text):
        path = os.path.join(self.directory, name)
        with open(path, "w") as f:
            f.write(text)
        return path

    def test_a_weir_program_is_asked(self):
        with Zoo("--leak=nil_chan_send,select_no_cases", "--rate=20") as zoo:
            eventually(
                lambda: len(json.loads(zoo.get("/debug/leaks?format=json"))["findings"]) == 2, "both are found"
            )
            out, err = weir(zoo.url, "--format=json", status=1)
            self.assertEqual(err, "")
            report = json.loads(out)
            self.assertEqual((report["schema"], report["target"]), ("weir.findings/1", zoo.url))
            self.assertEqual({f["kind"] for f in report["findings"]}, {"nil_channel", "select_no_cases"})
            self.assertEqual({f["certainty"] for f in report["findings"]}, {"certain"})
            out, _ = weir(zoo.url, status=1)
            self.assertTrue(out.startswith(f"{zoo.url}: 2 findings in "), out)
            out, _ = weir(zoo.url, "--format=json", "--ignore=zoo::nil_chan_send", status=1)
            self.assertEqual([f["kind"] for f in json.loads(out)["findings"]], ["select_no_cases"])

            # Known ones are no news.
            baseline = f"--baseline={os.path.join(self.directory, 'known.json')}"
            weir(zoo.url, baseline, "--update-baseline", status=0)
            out, _ = weir(zoo.url, baseline, status=0)
            self.assertEqual(out.count("known, certain: "), 2, out)

    def test_a_healthy_program(self):
        with Zoo("--leak=none") as zoo:
            out, _ = weir(zoo.url, status=0)
            self.assertTrue(out.startswith(f"{zoo.url}: no findings in "), out)
            out, _ = weir(zoo.url, "--format=github", status=0)
            self.assertEqual(out, "weir: no goroutine leaks in 1 process\n")

    def test_the_token(self):
        with Zoo("--leak=none", env={"WEIR_DEBUG_TOKEN": "secret"}) as zoo:
            weir(zoo.url, status=0, env={"WEIR_TOKEN": "secret"})
            _, err = weir(zoo.url, "--token=wrong", status=2)
            self.assertEqual(err.count("\n"), 1)
            self.assertIn("401", err)

    def test_a_go_program_is_watched(self):
        with GoProgram() as program:
            out, _ = weir(program.url, "--count=3", "--interval=10ms", "--format=json", status=1)
            self.assertEqual(program.dumps, 3)
            (finding,) = json.loads(out)["findings"]
            self.assertEqual((finding["kind"], finding["certainty"]), ("nil_channel", "certain"))
            self.assertEqual((finding["count"], finding["peak"]), (3, 3))
            self.assertEqual(finding["blocked_at"]["function"], "main.leak")

    def test_files(self):
        nil = self.file("nil.txt", MAIN + NIL.format(7))
        out, _ = weir(nil, status=1)
        self.assertTrue(out.startswith(f"{nil}: 1 finding in 2 goroutines"), out)
        out, _ = weir("-", "--format=junit", status=1, stdin=MAIN + NIL.format(7))
        self.assertIn('<testsuite name="-" tests="1" failures="1"', out)
        weir("-", "--min-certainty=certain", status=0, stdin=MAIN)
        out, _ = weir(nil, "--format=json", status=1)
        again = self.file("report.json", out)
        self.assertEqual(weir(again, "--format=json", status=1)[0], out)
        out, _ = weir(again, nil, "--format=json", status=1)
        report = json.loads(out)
        self.assertEqual((report["schema"], len(report["reports"])), ("weir.reports/1", 2))
        both = self.file("both.json", out)
        self.assertEqual(weir(both, "--format=json", status=1)[0], out)

    def test_one_of_several_cannot_be_had(self):
        nil = self.file("nil.txt", MAIN + NIL.format(7))
        with GoProgram() as gone:
            pass
        out, err = weir(nil, gone.url, self.directory + "/none", status=2)
        self.assertEqual(len(err.splitlines()), 2, err)
        self.assertIn(f"weir: {self.directory}/none: No such file or directory\n", err)
        self.assertIn(f"{nil}: 1 finding", out)
        self.assertEqual(out.count("note: Not looked at: "), 2)

    def test_what_is_refused(self):
        garbage = self.file("garbage", "no dump at all\n")
        broken = self.file("broken", '{"schema":"weir.findings/1","findings":[{"kind":"odd"}]}')
        for args, words in (
            ([garbage], "garbage: "),
            ([broken], "broken: JSON: findings[0].kind: expected a kind of finding"),
            (["/nowhere/file"], "/nowhere/file: No such file"),
            (["-", "-"], "-: stdin can be read once only"),
            ([], "target"),
            ([garbage, "--interval=soon"], "soon"),
            ([garbage, "--count=0"], "count"),
        ):
            with self.subTest(args):
                out, err = weir(*args, status=2, stdin="")
                self.assertEqual(out, "")
                self.assertEqual(err.count("\n"), 1, err)
                self.assertIn(words, err)


if __name__ == "__main__":
    unittest.main()
