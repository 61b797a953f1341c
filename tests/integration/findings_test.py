"""/debug/leaks on the whole zoo: each leak with its kind, creator and place, none of the healthy neighbours; the
history, differences and events over it."""

import json
import time
import unittest
import urllib.request

from metrics_test import metrics
from zoo import Zoo, eventually

# Leak -> kind, function that creates the goroutines, what the function that blocks begins with.
LEAKS = {
    "nil_chan_send": ("nil_channel", "zoo::start_nil_chan_send", "zoo::nil_chan_send"),
    "nil_chan_receive": ("nil_channel", "zoo::start_nil_chan_receive", "zoo::nil_chan_receive"),
    "send_without_receive": ("chan_send", "zoo::start_send_without_receive", "zoo::send_without_receive"),
    "receive_without_send": ("chan_receive", "zoo::start_receive_without_send", "zoo::receive_without_send"),
    "mutex_forgotten_unlock": (
        "mutex_forgotten_unlock",
        "zoo::start_mutex_forgotten_unlock",
        "zoo::mutex_forgotten_unlock",
    ),
    "waitgroup_misuse": ("waitgroup", "zoo::start_waitgroup_misuse", "zoo::waitgroup_misuse"),
    "select_no_cases": ("select_no_cases", "zoo::start_select_no_cases", "zoo::select_no_cases"),
    "infinite_loop": ("spinning", "zoo::start_infinite_loop", "zoo::infinite_loop"),
    "range_without_close": ("chan_receive", "zoo::range_without_close", "zoo::range_without_close_worker"),
    "double_send": ("chan_send", "zoo::double_send", "zoo::double_send_worker"),
    "early_return": ("chan_send", "zoo::early_return", "zoo::early_return_query"),
    "ncast": ("chan_send", "zoo::ncast", "zoo::ncast_replica"),
    "timeout_return": ("chan_send", "zoo::timeout_return", "zoo::timeout_return_call"),
    "method_contract": ("select", "zoo::Listener::start", "zoo::method_contract_listen"),
    "http_body_not_closed": ("http_body", None, None),  # made by the client's own code
    "slow_work": ("sleep", "zoo::slow_work", "zoo::slow_work_retry"),
}
CERTAIN = {"nil_chan_send", "nil_chan_receive", "mutex_forgotten_unlock", "select_no_cases"}
HEALTHY = ("limit_buffered", "limit_workers", "busy_pool", "bursts", "idle_servers")


def leaks(zoo, query=""):
    return json.loads(zoo.get("/debug/leaks?format=json&limit=1000" + query))["findings"]


def name_of(finding):
    """The leak that a finding is, or None."""
    for name, (kind, creator, place) in LEAKS.items():
        if finding["kind"] != kind:
            continue
        if creator is None:
            if "GET" in json.dumps(finding["object"]):
                return name
        elif finding["created_by"]["function"] == creator:
            # Who runs shows no stack where it did not answer in time.
            blocked = finding["blocked_at"] or {"function": place if kind == "spinning" else ""}
            if blocked["function"].startswith(place):
                return name
    return None


class WholeZoo(unittest.TestCase):
    def test_each_leak_is_named_and_no_neighbour(self):
        with Zoo() as zoo:
            everything = set(LEAKS)

            def named():
                found = leaks(zoo)
                names = {name_of(f) for f in found}
                self.assertNotIn(None, names, [f for f in found if name_of(f) is None])
                return everything <= names and found

            found = eventually(named, "all leaks found")
            for f in found:
                name = name_of(f)
                self.assertGreater(f["count"], 0)
                self.assertTrue(f["cause"].endswith("."), f["cause"])
                self.assertTrue(f["evidence"], f)
                self.assertTrue(f["fix"], f)
                if name in CERTAIN:
                    self.assertEqual(f["certainty"], "certain", f)
                else:
                    self.assertNotEqual(f["certainty"], "certain", f)
                if LEAKS[name][1]:
                    for place in ("created_by", "blocked_at") if f["blocked_at"] else ("created_by",):
                        self.assertRegex(f[place]["file"], r"\.cc$")
                        self.assertGreater(f[place]["line"], 0)
            body = next(f for f in found if f["kind"] == "http_body")
            self.assertRegex(body["object"]["url"], r"^http://127\.0\.0\.1:\d+/status$")
            self.assertEqual(body["object"]["status"], 200)
            self.assertIn("web.cc", json.dumps(body["object"]))

            # Growth makes the others likely; where goroutines idle, not for the first ten minutes.
            likely = eventually(
                lambda: (now := {name_of(f) for f in leaks(zoo, "&certainty=likely")})
                >= everything - {"infinite_loop", "method_contract", "slow_work"}
                and now,
                "all leaks that grow are likely",
                deadline=120,
            )
            self.assertNotIn(None, likely)

            text = zoo.get("/debug/leaks").decode()
            for name, (kind, _, place) in LEAKS.items():
                self.assertIn(kind, text)
                if place:
                    self.assertIn(place, text)
            for name in HEALTHY:
                self.assertNotIn(name, text)

            m = metrics(zoo)
            self.assertEqual(m['weir_findings{kind="nil_channel",certainty="certain"}'], 2)
            self.assertEqual(m['weir_findings{kind="deadlock",certainty="certain"}'], 0)
            self.assertGreater(m['weir_finding_goroutines{kind="chan_send",certainty="likely"}'], 10)

            trend = json.loads(zoo.get("/debug/trend?limit=200"))
            growing = {s["blocked_at"]["function"] for s in trend["series"] if s.get("verdict") == "likely"}
            self.assertIn("zoo::send_without_receive", growing)
            one = next(s for s in trend["series"] if s["blocked_at"]["function"] == "zoo::send_without_receive")
            self.assertGreater(one["growth_per_minute"], 20)
            counts = [point[3] for point in one["points"]]
            self.assertEqual(counts, sorted(counts))
            finding = next(f for f in leaks(zoo) if f["blocked_at"] == one["blocked_at"])
            self.assertEqual(finding["site"], one["site"])
            same = json.loads(zoo.get(f"/debug/trend?site={one['site']}"))
            self.assertEqual(same["series"][0]["blocked_at"], one["blocked_at"])


class History(unittest.TestCase):
    def test_healthy_neighbours_alone_are_no_finding(self):
        with Zoo("--leak=none") as zoo:
            eventually(
                lambda: metrics(zoo)["weir_observations_total"] >= 12,
                "a dozen looks",
            )
            self.assertEqual(leaks(zoo), [])
            self.assertIn(b"no findings", zoo.get("/debug/leaks"))

    def test_what_came_between_two_snapshots(self):
        with Zoo("--leak=send_without_receive", "--rate=20") as zoo:
            first = json.loads(zoo.request("/debug/snapshots", method="POST", data=b"")[2])
            eventually(
                lambda: len(zoo.stuck_in("send_without_receive", "chan send")) >= first["goroutines"] + 10,
                "more of them",
            )
            status, _, body = zoo.request("/debug/snapshots", method="POST", data=b"")
            second = json.loads(body)
            self.assertEqual(status, 201)
            ids = [s["id"] for s in json.loads(zoo.get("/debug/snapshots"))["snapshots"]]
            self.assertIn(first["id"], ids)
            self.assertIn(second["id"], ids)
            path = f"/debug/diff?base={first['id']}&to={second['id']}"
            top = json.loads(zoo.get(path + "&format=json"))["entries"][0]
            self.assertEqual(top["stack"][0]["function"], "zoo::send_without_receive")
            self.assertGreaterEqual(top["after"] - top["before"], 10)
            self.assertEqual(len(top["stayed"]), top["before"], "who leaks stays")
            self.assertIn(b"zoo::send_without_receive", zoo.get(path))
            self.assertTrue(zoo.get(path + "&format=svg").startswith(b"<svg"))
            refused = zoo.request("/debug/snapshots", method="POST", data=b"", headers={"Origin": "http://evil.example"})
            self.assertEqual(refused[0], 403)

    def test_events_come_as_they_happen(self):
        with Zoo("--leak=nil_chan_send") as zoo:
            seen = {}
            end = time.monotonic() + 60
            with urllib.request.urlopen(zoo.url + "/debug/events", timeout=60) as stream:
                self.assertEqual(stream.headers["Content-Type"], "text/event-stream")
                kind = None
                while not {"observation", "findings"} <= set(seen) or not seen["findings"]["findings"]:
                    self.assertLess(time.monotonic(), end)
                    line = stream.readline().decode().rstrip("\n")
                    if line.startswith("event: "):
                        kind = line[7:]
                    elif line.startswith("data: "):
                        seen[kind] = json.loads(line[6:])
            self.assertGreater(seen["observation"]["goroutines"], 0)
            self.assertEqual(seen["findings"]["findings"][0]["kind"], "nil_channel")


if __name__ == "__main__":
    unittest.main()
