"""The scheduler in numbers: /metrics as Prometheus' own tool reads it, /debug/sched for people and for programs."""

import json
import re
import subprocess
import threading
import unittest

from zoo import Zoo, eventually

SERIES = re.compile(r'^([a-z_]+)(?:\{(.*)\})? (\S+)$')


def metrics(zoo):
    """Series (name{labels}) -> value, in the order they come."""
    text = zoo.get("/metrics").decode()
    series = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        name, labels, value = SERIES.match(line).groups()
        key = name + (f"{{{labels}}}" if labels else "")
        assert key not in series, key
        series[key] = float(value)
    return series


class Metrics(unittest.TestCase):
    def test_promtool_has_nothing_to_say(self):
        with Zoo("--leak=nil_chan_receive", "--rate=20") as zoo:
            status, headers, body = zoo.request("/metrics")
            self.assertEqual(status, 200)
            self.assertEqual(headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
            lint = subprocess.run(["promtool", "check", "metrics"], input=body, capture_output=True)
            self.assertEqual((lint.returncode, lint.stdout, lint.stderr), (0, b"", b""))

    def test_counts_agree_with_the_dump(self):
        with Zoo("--leak=nil_chan_receive,mutex_forgotten_unlock", "--rate=50") as zoo:

            def agree():
                # Who is stuck once is stuck for ever: the numbers only grow.
                before = len(zoo.stuck_in("nil_chan_receive", "chan receive (nil chan)"))
                m = metrics(zoo)
                after = len(zoo.stuck_in("nil_chan_receive", "chan receive (nil chan)"))
                now = m['weir_goroutines_waiting{reason="chan receive (nil chan)"}']
                locked = m.get('weir_goroutines_waiting{reason="sync.Mutex.Lock"}', 0)
                return before > 10 and locked > 10 and before <= now <= after and m

            m = eventually(agree, "the metric between two dumps")
            reasons = sum(v for k, v in m.items() if k.startswith("weir_goroutines_waiting{"))
            self.assertEqual(m['weir_goroutines{state="waiting"}'], reasons)
            self.assertGreater(m["go_goroutines"], 20)
            self.assertGreaterEqual(m["weir_goroutines_created_total"], m["go_goroutines"])
            self.assertGreater(m["go_threads"], 0)
            self.assertGreater(m["weir_stack_committed_bytes"], 20 * 4096)
            self.assertGreater(m["weir_stack_reserved_bytes"], m["weir_stack_committed_bytes"])
            self.assertGreater(m["weir_capture_duration_seconds_count"], 1, "the dumps above")
            self.assertGreater(m["weir_capture_duration_seconds_sum"], 0)
            self.assertGreaterEqual(m["weir_capture_duration_seconds_sum"], m["weir_capture_last_duration_seconds"])
            for name in ("process_resident_memory_bytes", "process_open_fds", "process_start_time_seconds"):
                self.assertGreater(m[name], 0, name)

    def test_the_histogram_is_cumulative(self):
        with Zoo("--leak=busy_pool") as zoo:
            m = eventually(
                lambda: (m := metrics(zoo)) and m["weir_sched_latency_seconds_count"] > 100 and m, "measured waits"
            )
            buckets = [
                (float(re.search('le="(.*)"', k).group(1)), v)
                for k, v in m.items()
                if k.startswith("weir_sched_latency_seconds_bucket")
            ]
            self.assertEqual(buckets, sorted(buckets), "bounds and counts grow together")
            self.assertEqual(buckets[-1], (float("inf"), m["weir_sched_latency_seconds_count"]))
            self.assertGreater(m["weir_sched_latency_seconds_sum"], 0)

    def test_counters_only_grow_and_no_series_comes_or_goes(self):
        with Zoo("--leak=none") as zoo:
            before = metrics(zoo)
            zoo.get("/debug/goroutine?debug=1")
            after = eventually(
                lambda: (m := metrics(zoo))
                and m["weir_sched_switches_total"] > before["weir_sched_switches_total"]
                and m,
                "more switches",
            )
            self.assertEqual(list(before), list(after))
            for name, value in before.items():
                if "_total" in name or "_bucket" in name or "_count" in name:
                    self.assertGreaterEqual(after[name], value, name)

    def test_many_ask_at_once(self):
        with Zoo("--leak=receive_without_send", "--rate=100000") as zoo:
            eventually(lambda: metrics(zoo)["go_goroutines"] > 100_000, "many goroutines")
            failures = []

            def scrape():
                try:
                    for _ in range(3):
                        metrics(zoo)
                        zoo.get("/debug/sched")
                except Exception as e:  # told below, by the main thread
                    failures.append(e)

            all_of_them = [threading.Thread(target=scrape) for _ in range(12)]
            for t in all_of_them:
                t.start()
            for t in all_of_them:
                t.join()
            self.assertEqual(failures, [], "nobody is refused")


class Sched(unittest.TestCase):
    def test_json(self):
        with Zoo("--leak=nil_chan_receive", "--rate=50", env={"WEIR_MAXPROCS": "2"}) as zoo:

            def stuck():
                status, headers, body = zoo.request("/debug/sched?format=json")
                self.assertEqual((status, headers["Content-Type"]), (200, "application/json"))
                s = json.loads(body)
                return s["goroutines"]["waiting"]["chan receive (nil chan)"] > 10 and s

            s = eventually(stuck, "leaks")
            self.assertEqual(s["schema"], "weir.sched/1")
            self.assertEqual(s["procs"]["gomaxprocs"], 2)
            self.assertEqual(len(s["procs"]["each"]), 2)
            self.assertEqual(sum(s["goroutines"]["waiting"].values()), s["goroutines"]["states"]["waiting"])
            self.assertEqual(sum(b["count"] for b in s["latency"]["buckets"]), s["latency"]["count"])
            self.assertGreater(s["totals"]["switches"], 10)
            self.assertGreater(s["stacks"]["committed_bytes"], 0)

    def test_text(self):
        with Zoo("--leak=nil_chan_receive", "--rate=50") as zoo:
            text = eventually(
                lambda: (t := zoo.get("/debug/sched").decode()) and re.search(r"p99 +[<o]", t) and t, "measured waits"
            )
            self.assertRegex(text, r"(?m)^goroutines +\d+  \d+ ever created$")
            self.assertRegex(text, r"(?m)^    chan receive \(nil chan\) +\d+$")
            self.assertRegex(text, r"(?m)^   0  (busy|idle|in a call) +\d+ +\d+ +\d+$")
            self.assertRegex(text, r"(?m)^  committed +[\d.]+ [KMG]iB  have memory$")

    def test_format(self):
        with Zoo("--leak=none") as zoo:
            status, _, body = zoo.request("/debug/sched?format=xml")
            self.assertEqual((status, body), (400, b'invalid value for "format": expected one of text, json\n'))


if __name__ == "__main__":
    unittest.main()
