"""POST /debug/diff: a dump that was saved with curl, compared with what the process does now."""

import gzip
import json
import os
import subprocess
import tempfile
import unittest

from zoo import DEADLINE, Zoo, eventually

LEAK = "nil_chan_receive"
FORMATS = {"pprof": "debug=0", "debug1": "debug=1", "debug2": "debug=2", "json": "format=json"}


def curl(*args):
    result = subprocess.run(
        ["curl", "--silent", "--show-error", "--max-time", str(DEADLINE), *args], capture_output=True
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def leaked(zoo):
    return len(zoo.stuck_in(LEAK, "chan receive (nil chan)"))


def looked(zoo):
    """The id of a snapshot of this moment."""
    status, _, body = zoo.request("/debug/snapshots", method="POST", data=b"")
    assert status == 201, (status, body)
    return json.loads(body)["id"]


def growth_of(diff, function):
    """(before, after) of the entries that are in a function."""
    of_it = [e for e in diff["entries"] if any(f["function"].startswith("zoo::" + function) for f in e["stack"])]
    return sum(e["before"] for e in of_it), sum(e["after"] for e in of_it)


class DiffEndpoint(unittest.TestCase):
    def test_a_saved_dump_of_each_format(self):
        with Zoo(f"--leak={LEAK},mutex_forgotten_unlock", "--rate=50") as zoo, tempfile.TemporaryDirectory() as home:
            eventually(lambda: leaked(zoo) > 5, "a leak")
            paths = {name: os.path.join(home, name) for name in FORMATS}
            for name, parameter in FORMATS.items():
                curl("--fail", "--output", paths[name], f"{zoo.url}/debug/goroutine?{parameter}")
            paths["debug2.gz"] = paths["debug2"] + ".gz"
            with open(paths["debug2"], "rb") as dump, gzip.open(paths["debug2.gz"], "wb") as packed:
                packed.write(dump.read())
            before = leaked(zoo)
            eventually(lambda: leaked(zoo) > before + 20, "more of it")
            to = looked(zoo)
            for name, path in paths.items():
                with self.subTest(name):

                    def compared(parameters):
                        url = f"{zoo.url}/debug/diff?to={to}&{parameters}"
                        return curl("--fail", "--data-binary", "@" + path, url)

                    diff = json.loads(compared("format=json"))
                    self.assertEqual(diff["schema"], "weir.diff/1")
                    old, now = growth_of(diff, LEAK)
                    self.assertGreater(old, 5, "the dump was read")
                    self.assertGreater(now, old + 20)

                    text = compared("format=text").decode()
                    self.assertIn("grown ", text)
                    self.assertIn("zoo::" + LEAK, text)

                    for filters in (f"q=zoo::{LEAK}", f"q=zoo::{LEAK}&package=zoo", f"q=zoo::{LEAK}&age=0.001"):
                        some = json.loads(compared("format=json&" + filters))
                        self.assertEqual(growth_of(some, LEAK), (old, now), filters)
                        self.assertEqual(growth_of(some, "mutex_forgotten_unlock"), (0, 0), filters)
                    sites = {e["site"] for e in diff["entries"] if "site" in e and growth_of({"entries": [e]}, LEAK)[1]}
                    self.assertEqual(len(sites), 1)
                    some = json.loads(compared("format=json&site=" + sites.pop()))
                    self.assertEqual(growth_of(some, LEAK), (old, now))
                    self.assertEqual(json.loads(compared("format=json&age=100000"))["entries"], [])

                    self.assertIn(b"zoo::" + LEAK.encode(), compared("format=dot"))
                    self.assertIn(b"<svg", compared("format=svg"))

    def test_large_dumps_leave_little_memory_behind(self):
        def resident(zoo):  # MiB
            with open(f"/proc/{zoo.process.pid}/statm") as f:
                return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20

        one = (
            "goroutine {0} [chan receive, {1} minutes]:\nmain.worker{2}(0x1)\n\t/app/worker.go:{3} +0x1d\n"
            "main.loop(0x2)\n\t/app/loop.go:12 +0x1d\ncreated by main.start in goroutine 1\n\t/app/start.go:3 +0x1d\n\n"
        )

        def dump(functions, lines):
            many = (one.format(i, i % 90, i % functions, i % lines + 1) for i in range(1, 70_000))
            return gzip.compress("".join(many).encode())

        with Zoo("--leak=none") as zoo:
            before = resident(zoo)
            few_groups = dump(500, 1)
            for style in ("text", "json") * 2:
                status, _, body = zoo.request(f"/debug/diff?format={style}", method="POST", data=few_groups)
                self.assertEqual(status, 200, body[:200])
                self.assertIn(b"69999", body[:300])
            # Nearly each goroutine a group of its own: many times as much memory.
            status, _, body = zoo.request("/debug/diff", method="POST", data=dump(5000, 997))
            self.assertEqual(status, 413, body[:200])
            eventually(lambda: resident(zoo) < before + 150, f"{resident(zoo)} MiB, before: {before} MiB")

    def test_refusals(self):
        with Zoo("--leak=none") as zoo:

            def compare(data, headers=None, parameters=""):
                status, _, body = zoo.request("/debug/diff" + parameters, method="POST", data=data, headers=headers)
                return status, body

            dump = zoo.get("/debug/goroutine")
            self.assertEqual(compare(dump)[0], 200)
            self.assertEqual(compare(dump, parameters="?base=1")[0], 400)
            self.assertEqual(compare(dump, {"Origin": "http://evil.example"})[0], 403)
            for nonsense in (b"", b"hello\n", b"{}", b"\x1f\x8b nothing", dump[: len(dump) // 2]):
                status, why = compare(nonsense)
                self.assertEqual(status, 400, why)
            self.assertEqual(compare(gzip.compress(b"\n" * (33 << 20)))[0], 413)
            self.assertEqual(zoo.get("/healthz"), b"ok\n")


if __name__ == "__main__":
    unittest.main()
