"""Who is asked for: q, state, label, package, age and site, in each format of the goroutine profile and in the graphs."""

import gzip
import json
import re
import unittest
import urllib.parse

from zoo import Zoo, eventually, parse_dump

LEAKS = "--leak=nil_chan_receive,mutex_forgotten_unlock,range_without_close"


def goroutine(zoo, *pairs, path="/debug/goroutine", **parameters):
    """(status, headers, body) of the profile; `pairs` for parameters that come several times."""
    return zoo.request(path + "?" + urllib.parse.urlencode([*parameters.items(), *pairs]))


def body(zoo, *pairs, **parameters):
    status, _, text = goroutine(zoo, *pairs, **parameters)
    assert status == 200, (parameters, status, text[:200])
    return text


def leaky():
    zoo = Zoo(LEAKS, "--rate=50")
    eventually(
        lambda: len(zoo.stuck_in("nil_chan_receive", "chan receive (nil chan)")) > 5
        and len(zoo.stuck_in("mutex_forgotten_unlock", "sync.Mutex.Lock")) > 5,
        "leaks of both kinds",
    )
    return zoo


class Filters(unittest.TestCase):
    def test_query_in_every_format(self):
        with leaky() as zoo:
            # As copied from a dump, in any case, or as an expression.
            place = next(
                place
                for g in zoo.stuck_in("nil_chan_receive", "chan receive (nil chan)")
                for function, place in g.frames
                if function.startswith("zoo::nil_chan_receive")
            ).split(" ")[0]
            for query in ("zoo::NIL_chan_receive", place, "^zoo::nil_.*receive$"):
                dump = parse_dump(body(zoo, q=query, debug=2).decode())
                self.assertGreater(len(dump), 5, query)
                for g in dump:
                    self.assertIn("nil_chan_receive", g.text, query)

            text = body(zoo, q="zoo::nil_chan_receive", debug=1).decode()
            total, left_out = re.match(
                r"goroutine profile: total (\d+)\n# left out by a filter: (\d+)\n", text
            ).groups()
            counts = [int(n) for n in re.findall(r"^(\d+) @ ", text, re.M)]
            self.assertEqual(sum(counts), int(total), "of what is shown")
            self.assertGreater(int(left_out), 5)
            self.assertNotIn("mutex_forgotten_unlock", text)

            s = json.loads(body(zoo, q="zoo::nil_chan_receive", format="json"))
            self.assertEqual(s["total"], sum(g["count"] for g in s["groups"]))
            self.assertGreater(s["left_out"], 5)
            functions = {f["function"] for f in s["frames"]}
            self.assertFalse([f for f in functions if "mutex_forgotten_unlock" in f], "their frames are gone, too")

            for debug in ("0", "3"):
                self.assertEqual(body(zoo, q="zoo::nil_chan_receive", debug=debug)[:2], b"\x1f\x8b")
                top = zoo.pprof("-top", path=f"/debug/pprof/goroutine?debug={debug}&q=zoo::nil_chan_receive")
                self.assertIn("zoo::nil_chan_receive", top)
                self.assertNotIn("mutex_forgotten_unlock", top)

    def test_states(self):
        with leaky() as zoo:
            for state in ("sync.Mutex.Lock", "SYNC.mutex.lock"):
                dump = parse_dump(body(zoo, state=state, debug=2).decode())
                self.assertGreater(len(dump), 5)
                self.assertEqual({g.state for g in dump}, {"sync.Mutex.Lock"})
            several = parse_dump(body(zoo, state="sync.Mutex.Lock,chan receive (nil chan)", debug=2).decode())
            self.assertEqual({g.state for g in several}, {"sync.Mutex.Lock", "chan receive (nil chan)"})
            waiting = parse_dump(body(zoo, state="waiting", debug=2).decode())
            self.assertGreaterEqual(len(waiting), len(several))
            self.assertNotIn("running", {g.state for g in waiting})

    def test_labels_and_names(self):
        with leaky() as zoo:
            dump = parse_dump(body(zoo, ("label", "animal=nil_chan_receive"), debug=2).decode())
            self.assertGreater(len(dump), 5)
            for g in dump:
                self.assertIn("animal: nil_chan_receive", g.text)
            any_animal = parse_dump(body(zoo, ("label", "animal"), debug=2).decode())
            self.assertGreater(len(any_animal), len(dump))
            both = [("label", "animal=nil_chan_receive"), ("label", "animal=mutex_forgotten_unlock")]
            self.assertEqual(
                re.sub(rb"\d+", b"N", body(zoo, *both, debug=2)), b"no goroutine passes the filter: N are left out\n"
            )
            # The goroutine that leaks has the name, as its label; those that it starts have the label.
            named = parse_dump(body(zoo, q="name_that_nobody_has|^nil_chan_receive$", debug=2).decode())
            self.assertGreater(len(named), 5)

    def test_package_age_and_site(self):
        with leaky() as zoo:
            stuck = {"state": "chan receive (nil chan)", "debug": 2}
            all_of_them = parse_dump(body(zoo, package="zoo", **stuck).decode())
            self.assertGreater(len(all_of_them), 5)
            self.assertRegex(body(zoo, package="zo", debug=1), rb"^goroutine profile: total 0\n# left out")
            self.assertRegex(body(zoo, package="zo", debug=2), rb"^no goroutine passes the filter")
            self.assertGreater(len(parse_dump(body(zoo, ("package", "zo"), package="zoo", **stuck).decode())), 5)
            self.assertRegex(body(zoo, age=100_000, **stuck), rb"^no goroutine passes the filter")
            self.assertGreater(len(parse_dump(body(zoo, age=0.01, **stuck).decode())), 5)
            # A group of the page is of a site, which leads to its goroutines.
            groups = json.loads(body(zoo, format="groups", q="zoo::nil_chan_receive"))["groups"]
            site = max(groups, key=lambda g: g["count"])["site"]
            of_site = parse_dump(body(zoo, site=site, debug=2).decode())
            self.assertGreater(len(of_site), 5)
            for g in of_site:
                self.assertIn("nil_chan_receive", g.text)

    def test_together(self):
        with leaky() as zoo:
            asleep = {"q": "leak_at_rate", "state": "sleep", "debug": 2}
            text = eventually(
                lambda: (t := body(zoo, ("label", "animal=nil_chan_receive"), **asleep).decode())
                and t.startswith("goroutine ")
                and t,
                "the one that leaks is asleep",
            )
            one = parse_dump(text)
            self.assertEqual(len(one), 1)
            self.assertIn("name: nil_chan_receive", one[0].text)

    def test_nobody(self):
        with Zoo("--leak=none") as zoo:
            self.assertRegex(body(zoo, q="no_such_thing", debug=1), rb"^goroutine profile: total 0\n# left out")
            self.assertRegex(body(zoo, q="no_such_thing", debug=2), rb"^no goroutine passes the filter: \d+ ")
            self.assertEqual(json.loads(body(zoo, q="no_such_thing", format="json"))["groups"], [])
            gzip.decompress(body(zoo, q="no_such_thing"))

    def test_graphs(self):
        with leaky() as zoo:

            def nodes(**parameters):
                return json.loads(body(zoo, path="/debug/graph", format="json", **parameters))

            calls = nodes(kind="calls", q="nil_chan_receive")
            self.assertIn("zoo::nil_chan_receive", {n["function"] for n in calls["nodes"]})
            self.assertFalse([n for n in calls["nodes"] if "mutex_forgotten" in n["function"]])
            self.assertRegex(calls["filters"][0], r"^left out by a filter: \d+$")

            waits = nodes(kind="waits", state="sync.Mutex.Lock")
            states = {n["state"] for n in waits["nodes"] if n["type"] == "goroutines"}
            self.assertEqual(states, {"sync.Mutex.Lock"})
            self.assertIn("gone", {n["type"] for n in waits["nodes"]}, "the owner that has exited is told")
            self.assertIn(b"left out by a filter: ", body(zoo, path="/debug/graph", kind="waits", format="text", q="mutex"))

    def test_what_is_wrong_is_told_and_not_repeated(self):
        with Zoo("--leak=none") as zoo:
            for parameter, value, expected in (
                ("state", "bogus<i>", "one or several, separated by commas, of idle, runnable, "),
                ("label", "=bogus<i>", "key or key=value\n"),
                ("q", "bogus<i>" + "x" * 1000, "a text or a regular expression of at most 1000 bytes\n"),
                ("package", "bogus<i>" + "x" * 1000, "a Go import path or a C++ namespace, at most 16 of them "),
                ("age", "-1bogus<i>", "a number of seconds, 0 or more\n"),
                ("site", "0xbogus<i>", "0x and hexadecimal digits\n"),
            ):
                for path in ("/debug/goroutine", "/debug/pprof/goroutine", "/debug/graph"):
                    for more in ({"debug": "2"}, {"format": "json"}):
                        status, headers, text = goroutine(zoo, path=path, **{parameter: value}, **more)
                        self.assertEqual(status, 400, (path, parameter))
                        self.assertEqual(headers["Content-Type"], "text/plain; charset=utf-8")
                        self.assertTrue(
                            text.decode().startswith(f'invalid value for "{parameter}": expected {expected}'), text
                        )
                        self.assertNotIn(b"bogus", text)
                        self.assertEqual(headers["X-Go-Pprof"], "1" if "pprof" in path else None)


if __name__ == "__main__":
    unittest.main()
