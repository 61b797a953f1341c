"""Each leak of the zoo, as Go's users would find it: the debug=2 text, go tool pprof, panicparse."""

import json
import re
import subprocess
import time
import unittest

from zoo import Zoo, eventually

# Leak -> Go's text for its wait, and the function that creates the goroutines.
LEAKS = {
    "nil_chan_send": ("chan send (nil chan)", "zoo::start_nil_chan_send"),
    "nil_chan_receive": ("chan receive (nil chan)", "zoo::start_nil_chan_receive"),
    "send_without_receive": ("chan send", "zoo::start_send_without_receive"),
    "receive_without_send": ("chan receive", "zoo::start_receive_without_send"),
    "mutex_forgotten_unlock": ("sync.Mutex.Lock", "zoo::start_mutex_forgotten_unlock"),
    "waitgroup_misuse": ("sync.WaitGroup.Wait", "zoo::start_waitgroup_misuse"),
    "select_no_cases": ("select (no cases)", "zoo::start_select_no_cases"),
    "infinite_loop": ("running", "zoo::start_infinite_loop"),
    "range_without_close": ("chan receive", "zoo::range_without_close"),
    "double_send": ("chan send", "zoo::double_send"),
    "early_return": ("chan send", "zoo::early_return"),
    "ncast": ("chan send", "zoo::ncast"),
    "timeout_return": ("chan send", "zoo::timeout_return"),
    "method_contract": ("select", "zoo::Listener::start"),
    "slow_work": ("sleep", "zoo::slow_work"),
}
PLACE = re.compile(r"\.cc:\d+( |$)")


class Leaks(unittest.TestCase):
    def check(self, leak):
        state, creator = LEAKS[leak]
        with Zoo(f"--leak={leak}", "--rate=4") as zoo:
            few = eventually(lambda: zoo.stuck_in(leak, state), f"{leak}: a goroutine in [{state}]")
            more = eventually(
                lambda: len(found := zoo.stuck_in(leak, state)) >= len(few) + 3 and found,
                f"{leak}: the count grows",
            )
            driver = next(g.goid for g in zoo.goroutines() if f"name: {leak}" in g.text)
            for g in more:
                place = next(place for function, place in g.frames if function.startswith("zoo::" + leak))
                self.assertRegex(place, PLACE)
                self.assertEqual(g.creator[0], creator, g.text)
                self.assertEqual(g.creator[1], driver, g.text)
                self.assertRegex(g.creator[2], PLACE)

            # pprof: the function that blocks is the first line. One that runs is in whatever it has inlined there.
            lines = zoo.pprof("-top", *(["-noinlines"] if state == "running" else [])).splitlines()
            header = next(i for i, line in enumerate(lines) if line.split()[:2] == ["flat", "flat%"])
            self.assertRegex(lines[header + 1], rf" zoo::{leak}", "\n".join(lines))
            self.assertGreaterEqual(int(lines[header + 1].split()[0]), len(more))

            # panicparse: one bucket with all of them; those that run, in one for each place of the loop.
            dump = zoo.get("/debug/goroutine?debug=2").decode()
            parsed = subprocess.run(["panicparse"], input=dump, capture_output=True, text=True, timeout=60)
            self.assertEqual(parsed.returncode, 0, parsed.stderr)
            buckets = re.findall(r"^(\d+): " + re.escape(state) + r"(?: .*)?\n((?:    .*\n?)*)", parsed.stdout, re.M)
            counts = [int(n) for n, stack in buckets if "zoo::" + leak in stack]
            seen = sum(counts) if state == "running" else max(counts, default=0)
            self.assertGreaterEqual(seen, len(more), parsed.stdout)


for _leak in LEAKS:
    setattr(Leaks, f"test_{_leak}", lambda self, leak=_leak: self.check(leak))


class Labels(unittest.TestCase):
    """The zoo labels each animal; what it starts inherits that."""

    def test_pprof_and_debug2_tell_the_animals_apart(self):
        with Zoo("--leak=early_return,ncast", "--rate=20") as zoo:

            def tags():
                text = zoo.pprof("-tags")
                counts = {name: float(n) for n, name in re.findall(r"([\d.]+) \([ \d.]+%\): (\w+)$", text, re.M)}
                return counts if counts.get("early_return", 0) > 5 and counts.get("ncast", 0) > 5 else None

            eventually(tags, "pprof -tags counts the goroutines of both animals")
            top = zoo.pprof("-top", "-tagfocus=animal=early_return")
            self.assertIn("zoo::early_return", top)
            self.assertNotIn("zoo::ncast", top)

            leaked = eventually(lambda: zoo.stuck_in("ncast", "chan send"), "ncast leaks")
            for g in leaked:
                self.assertIn("labels:{animal: ncast}]:", g.text)


class Objects(unittest.TestCase):
    """What JSON knows of the things that are waited for."""

    def waiting(self, zoo, leak, state):
        """(snapshot, first object) of a group that is stuck in the leak."""

        def look():
            s = json.loads(zoo.get("/debug/goroutine?format=json"))
            for group in s["groups"]:
                functions = [
                    s["frames"][f]["function"]
                    for location in s["stacks"][group["stack"]]["locations"]
                    for f in s["locations"][location]["frames"]
                ]
                if group["wait_reason"] == state and any(f.startswith("zoo::" + leak) for f in functions):
                    return s, s["objects"][group["members"][0].get("first_object", 0)]
            return None

        return eventually(look, f"{leak}: a group in JSON")

    def functions_at(self, s, location):
        return [s["frames"][f]["function"] for f in s["locations"][location]["frames"]]

    def test_channel(self):
        with Zoo("--leak=double_send") as zoo:
            s, o = self.waiting(zoo, "double_send", "chan send")
            self.assertEqual(o["kind"], "chan")
            self.assertEqual((o.get("cap", 0), o.get("len", 0), o["sends"], o["recvs"]), (0, 0, 1, 1))
            self.assertTrue(any("zoo::double_send" in f for f in self.functions_at(s, o["made_at"])))

    def test_mutex_names_its_dead_owner(self):
        with Zoo("--leak=mutex_forgotten_unlock", "--rate=20") as zoo:
            s, o = self.waiting(zoo, "mutex_forgotten_unlock", "sync.Mutex.Lock")
            self.assertEqual(o["kind"], "mutex")
            self.assertGreater(o["owner_goid"], 1)
            self.assertFalse(o.get("owner_alive", False))
            self.assertIn("zoo::mutex_forgotten_unlock", self.functions_at(s, o["locked_at"]))

    def test_waitgroup_knows_its_totals(self):
        with Zoo("--leak=waitgroup_misuse") as zoo:

            def settled():
                s, o = self.waiting(zoo, "waitgroup_misuse", "sync.WaitGroup.Wait")
                return o if o["dones"] == 1 else None

            o = eventually(settled, "the one Done")
            self.assertEqual((o["kind"], o["counter"], o["adds"]), ("waitgroup", 1, 2))


class Http(unittest.TestCase):
    """Of the goroutines of a connection."""

    def bodies(self, zoo):
        return [g for g in zoo.goroutines() if ", body of " in g.text.split("\n")[0]]

    def test_body_that_nobody_closes(self):
        with Zoo("--leak=http_body_not_closed", "--rate=10") as zoo:
            few = eventually(lambda: self.bodies(zoo), "a goroutine that waits for its body to be read")
            more = eventually(lambda: len(found := self.bodies(zoo)) >= len(few) + 3 and found, "the count grows")
            for g in more:
                self.assertRegex(g.text, r"^goroutine \d+ \[select(, \d+ minutes)?, "
                                         r"body of GET http://127\.0\.0\.1:\d+/status 200\b")
                self.assertTrue(any("weir::http::ClientConn::" in function for function, _ in g.frames), g.text)

            s = json.loads(zoo.get("/debug/goroutine?format=json"))
            objects = [o for o in s["objects"] if o and o.get("kind") == "http_body"]
            self.assertGreaterEqual(len(objects), len(more))
            for o in objects:
                self.assertEqual((o["method"], o["status"]), ("GET", 200))
                self.assertRegex(o["url"], r"^http://127\.0\.0\.1:\d+/status$")
                made = [s["frames"][f]["function"] for f in s["locations"][o["made_at"]]["frames"]]
                self.assertIn("zoo::http_body_not_closed", made)

    def test_servers_that_are_idle_are_healthy(self):
        with Zoo("--leak=idle_servers") as zoo:

            def waiting():
                found = [g for g in zoo.goroutines() if "weir::http::" in g.text and g.state == "IO wait"]
                return len(found) >= 3 + 2 * 3 * 8 and found

            # Three that accept, and the two ends of eight connections to each.
            first = eventually(waiting, "servers and connections wait")
            self.assertEqual(len(first), 51)
            ids = {g.goid for g in first}
            for _ in range(5):
                time.sleep(0.2)
                eventually(lambda: {g.goid for g in waiting() or []} == ids, "they are the same")
            self.assertEqual(self.bodies(zoo), [])


if __name__ == "__main__":
    unittest.main()
