"""The endpoint and the zoo's command line: what they answer, and that they answer when it matters."""

import json
import re
import subprocess
import time
import unittest

from zoo import SIGINT, SIGQUIT, SIGTERM, Zoo, eventually, parse_dump, run_zoo


class Endpoint(unittest.TestCase):
    def test_paths(self):
        with Zoo("--leak=none") as zoo:
            self.assertEqual(zoo.get("/healthz"), b"ok\n")
            index = zoo.get("/debug/").decode()
            for link in re.findall(r'href="([^"]*)"', index):
                if link == "/debug/events":  # has no end
                    continue
                self.assertEqual(zoo.request(link)[0], 200, link)
            for path in ("/debug/goroutine", "/debug/pprof/goroutine"):
                _, headers, body = zoo.request(path)
                self.assertEqual(headers["Content-Type"], "application/octet-stream")
                self.assertEqual(headers["Content-Disposition"], 'attachment; filename="goroutine"')
                self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
                self.assertEqual(body[:2], b"\x1f\x8b", "gzip")
                for debug in ("1", "2"):
                    _, headers, body = zoo.request(f"{path}?debug={debug}")
                    self.assertEqual(headers["Content-Type"], "text/plain; charset=utf-8")
                self.assertTrue(zoo.get(path + "?debug=1").startswith(b"goroutine profile: total "))
                self.assertTrue(zoo.get(path + "?debug=2").startswith(b"goroutine "))
                # As Go: what is no number is 0.
                self.assertEqual(zoo.get(path + "?debug=x")[:2], b"\x1f\x8b")
            s = json.loads(zoo.get("/debug/goroutine?format=json"))
            self.assertEqual(s["schema"], "weir.snapshot/1")
            self.assertEqual(s["total"], sum(g["count"] for g in s["groups"] if not g["thread"]))

    def test_refusals(self):
        with Zoo("--leak=none") as zoo:
            for path in ("/", "/debug", "/debug/pprof/nothing", "/debug/../healthz", "/debug/%00"):
                self.assertEqual(zoo.request(path)[0], 404, path)
            self.assertEqual(zoo.request("/debug/goroutine?format=xml")[0], 400)
            self.assertEqual(zoo.request("/healthz", method="POST")[0], 405)
            for kind in ("calls", "waits"):
                self.assertEqual(zoo.request(f"/debug/graph?kind={kind}&focus=(((")[0], 400)
            port = zoo.url.rsplit(":", 1)[1]
            for host in ("evil.example", f"evil.example:{port}", "127.0.0.1.evil.example", "10.0.0.1"):
                self.assertEqual(zoo.request("/healthz", headers={"Host": host})[0], 403, host)
            for host in (f"localhost:{port}", f"127.0.0.1:{port}", "localhost", "[::1]"):
                self.assertEqual(zoo.request("/healthz", headers={"Host": host})[0], 200, host)

    def test_ranges_do_not_multiply_an_answer(self):
        with Zoo("--leak=none") as zoo:
            for path in ("/debug/", "/debug/pprof/cmdline", "/debug/graph?format=dot", "/debug/nothing"):
                for ranges in ("0-9", ",".join(["0-"] * 1500)):
                    status, headers, body = zoo.request(path, headers={"Range": "bytes=" + ranges})
                    self.assertEqual(status, 404 if path == "/debug/nothing" else 200)
                    self.assertNotIn("Content-Range", headers)
                    self.assertGreater(len(body), 10)
                    self.assertLess(len(body), 20_000)

    def test_symbols_of_a_large_program(self):
        with Zoo("--leak=none") as zoo:
            addresses = "+".join(["0x401000"] * 50_000).encode()
            status, _, body = zoo.request("/debug/pprof/symbol", method="POST", data=addresses)
            self.assertEqual(status, 200)
            self.assertTrue(body.startswith(b"num_symbols: 1"))

    def test_debug1_is_read_by_pprof(self):
        with Zoo("--leak=nil_chan_receive", "--rate=50") as zoo:
            text = eventually(
                lambda: (t := zoo.get("/debug/goroutine?debug=1").decode())
                and "zoo::nil_chan_receive" in t
                and t,
                "a leak in debug=1",
            )
            path = zoo.home + "/goroutine.txt"
            with open(path, "w") as f:
                f.write(text)
            raw = subprocess.run(
                ["go", "tool", "pprof", "-symbolize=none", "-raw", path],
                capture_output=True,
                text=True,
                env={"HOME": zoo.home, "PATH": "/usr/bin:/bin", "PPROF_TMPDIR": zoo.home},
            )
            self.assertEqual(raw.returncode, 0, raw.stderr)
            total = int(re.match(r"goroutine profile: total (\d+)", text).group(1))
            samples = re.findall(r"^ +(\d+): ", raw.stdout.split("Locations")[0], re.M)
            self.assertEqual(sum(map(int, samples)), total)

    def test_pprof_reads_times_tags_and_single_goroutines(self):
        with Zoo("--leak=nil_chan_receive,mutex_forgotten_unlock", "--rate=50") as zoo:
            eventually(lambda: len(zoo.stuck_in("nil_chan_receive", "chan receive (nil chan)")) > 20, "leaks")
            wait = zoo.pprof("-top", "-sample_index=wait")
            self.assertIn("Type: wait", wait)
            self.assertIn("zoo::nil_chan_receive", wait)
            tags = zoo.pprof("-tags")
            for text in ("wait_reason:", "chan receive (nil chan)", "state:", "created_by:"):
                self.assertIn(text, tags)
            nil = zoo.pprof("-top", "-tagfocus=wait_reason=nil chan")
            self.assertIn("zoo::nil_chan_receive", nil)
            self.assertNotIn("mutex_forgotten_unlock", nil)
            rooted = zoo.pprof("-top", "-tagroot=wait_reason")
            self.assertRegex(rooted, r"chan receive \(nil chan\)")
            each = zoo.pprof("-raw", "-symbolize=none", path="/debug/pprof/goroutine?debug=3")
            ids = re.findall(r"go::goroutine:\[(\d+) id\]", each)
            self.assertGreater(len(ids), 20)
            self.assertEqual(len(ids), len(set(ids)), "a sample is one goroutine")
            stuck = {g.goid for g in zoo.stuck_in("nil_chan_receive", "chan receive (nil chan)")}
            self.assertTrue(set(map(int, ids)) & set(map(int, stuck)))

    def test_every_goroutine_blocked(self):
        with Zoo("--leak=select_no_cases,mutex_forgotten_unlock", "--rate=200") as zoo:
            eventually(lambda: len(zoo.stuck_in("select_no_cases", "select (no cases)")) > 50, "many stuck")
            self.assertEqual(zoo.get("/healthz"), b"ok\n")

    def test_one_spins_for_ever_with_one_p(self):
        with Zoo("--leak=infinite_loop", "--rate=10", env={"WEIR_MAXPROCS": "1"}) as zoo:
            eventually(lambda: len(zoo.stuck_in("infinite_loop", "running")) >= 3, "spinners with a stack")
            self.assertTrue(zoo.pprof("-top"))

    def test_100000_parked(self):
        wanted = 100_000
        with Zoo("--leak=receive_without_send", "--rate=100000") as zoo:
            eventually(
                lambda: int(re.match(rb".*total (\d+)", zoo.get("/debug/goroutine?debug=1")).group(1)) > wanted,
                f"{wanted} goroutines",
            )
            text = zoo.get("/debug/goroutine?debug=2").decode()
            stuck = [g for g in parse_dump(text) if g.has_function("receive_without_send")]
            self.assertGreaterEqual(len(stuck), wanted)
            self.assertEqual(len({g.goid for g in stuck}), len(stuck), "nobody twice")
            self.assertTrue(text.endswith("\n"), "not cut")
            for g in stuck:
                self.assertTrue(g.creator, g.text)

    def test_captures_beyond_the_bound_are_refused_not_queued(self):
        with Zoo("--leak=receive_without_send", "--rate=100000") as zoo:
            eventually(lambda: b"total " in zoo.get("/debug/goroutine?debug=1"), "an answer")
            time_limit = time.monotonic() + 30
            refused = False
            while not refused and time.monotonic() < time_limit:
                clients = [
                    subprocess.Popen(
                        ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", zoo.url + "/debug/goroutine?debug=2"],
                        stdout=subprocess.PIPE,
                        text=True,
                    )
                    for _ in range(4)
                ]
                codes = [c.communicate()[0] for c in clients]
                self.assertLessEqual(set(codes), {"200", "503"})
                self.assertIn("200", codes)
                refused = "503" in codes
            self.assertTrue(refused)


class CommandLine(unittest.TestCase):
    def test_list(self):
        status, out, _ = run_zoo("--list")
        self.assertEqual(status, 0)
        names = [line.split()[0] for line in out.splitlines()]
        for name in ("nil_chan_send", "infinite_loop", "timeout_return", "limit_buffered", "bursts"):
            self.assertIn(name, names)

    def test_help(self):
        for flag in ("-h", "--help"):
            status, out, _ = run_zoo(flag)
            self.assertEqual(status, 0)
            self.assertIn("--leak", out)

    def test_usage_errors(self):
        for args, named in (
            (["--leak=no_such_leak"], "no_such_leak"),
            (["--rate=fast"], "--rate"),
            (["--rate=0"], "--rate"),
            (["--nonsense"], "--nonsense"),
            (["--listen=here"], "here"),
            (["--listen=127.0.0.1:99999"], "99999"),
        ):
            status, out, err = run_zoo(*args)
            self.assertEqual(status, 2, args)
            self.assertRegex(err, r"^weir-leakzoo: ")
            self.assertIn(named, err)
            self.assertNotIn("http://", out)
        status, _, err = run_zoo("--listen=127.0.0.1:0", env={"WEIR_MAXPROCS": "many"})
        self.assertEqual(status, 2)
        self.assertIn("WEIR_MAXPROCS=many", err)

    def test_a_port_in_use(self):
        with Zoo("--leak=none") as zoo:
            status, _, err = run_zoo("--listen=" + zoo.url.removeprefix("http://"))
            self.assertEqual(status, 2)
            self.assertIn("in use", err)

    def test_duration(self):
        status, out, err = run_zoo("--listen=127.0.0.1:0", "--leak=all", "--duration=3")
        self.assertEqual((status, err), (0, ""))
        self.assertRegex(out, r"\n\d+ goroutines: ")

    def test_signals_end_it(self):
        for sig in (SIGINT, SIGTERM):
            with Zoo("--leak=all") as zoo:
                zoo.get("/healthz")
                self.assertEqual(zoo.end(sig)[0], 0)

    def test_sigquit_dumps_all_goroutines(self):
        with Zoo("--leak=nil_chan_receive", "--rate=20") as zoo:
            eventually(lambda: len(zoo.stuck_in("nil_chan_receive", "chan receive (nil chan)")) > 3, "some leaks")
            status, _, err = zoo.end(SIGQUIT)
            self.assertEqual(status, 2)
            head, dump = err.split("\n\n", 1)
            self.assertEqual(head, "SIGQUIT: quit")
            goroutines = parse_dump(dump)
            self.assertEqual(sum(g.goid == 1 for g in goroutines), 1)
            self.assertGreater(sum(g.has_function("nil_chan_receive") for g in goroutines), 3)


if __name__ == "__main__":
    unittest.main()
