"""The pictures: /debug/graph of the running zoo."""

import glob
import json
import unittest
import urllib.parse
import xml.etree.ElementTree as ElementTree

from zoo import Zoo, eventually

SVG = "{http://www.w3.org/2000/svg}"


def graph(zoo, **parameters):
    return zoo.request("/debug/graph?" + urllib.parse.urlencode(parameters))


class Graph(unittest.TestCase):
    def test_formats_of_both_kinds(self):
        with Zoo("--leak=mutex_forgotten_unlock,ncast", "--rate=20") as zoo:
            eventually(lambda: len(zoo.stuck_in("mutex_forgotten_unlock", "sync.Mutex.Lock")) > 3, "leaks")
            for kind in ("calls", "waits"):
                status, headers, svg = graph(zoo, kind=kind)
                self.assertEqual((status, headers["Content-Type"]), (200, "image/svg+xml"))
                root = ElementTree.fromstring(svg)
                self.assertEqual(root.tag, SVG + "svg")
                texts = {t.text for t in root.iter(SVG + "text")}
                self.assertIn("mutex_forgotten_unlock", texts)
                self.assertEqual({e.tag for e in root.iter()} & {SVG + "script", SVG + "image"}, set())

                status, headers, png = graph(zoo, kind=kind, format="png")
                self.assertEqual((status, headers["Content-Type"]), (200, "image/png"))
                self.assertEqual(png[:8], b"\x89PNG\r\n\x1a\n")
                status, headers, dot = graph(zoo, kind=kind, format="dot")
                self.assertEqual(status, 200)
                self.assertTrue(dot.startswith(b'digraph "weir-leakzoo" {'), dot[:80])
                document = json.loads(graph(zoo, kind=kind, format="json")[2])
                self.assertEqual((document["schema"], document["kind"]), ("weir.graph/1", kind))
            self.assertEqual(graph(zoo)[2][:4], b"<svg", "calls and svg are what one gets unasked")

    def test_a_dead_owner_is_told(self):
        with Zoo("--leak=mutex_forgotten_unlock", "--rate=20") as zoo:

            def stuck():
                nodes = json.loads(graph(zoo, kind="waits", format="json")[2])["nodes"]
                return [n for n in nodes if n.get("stuck") == "owner_gone" and n["type"] == "goroutines"]

            (node,) = eventually(stuck, "goroutines that wait for a dead owner")
            self.assertIn("zoo::mutex_forgotten_unlock", node["blocked_at"]["function"])
            self.assertIn(b"the lock's owner has exited", graph(zoo, kind="waits", format="text")[2])

    def test_no_neighbour_is_stuck(self):
        with Zoo("--leak=none") as zoo:
            document = json.loads(graph(zoo, kind="waits", format="json")[2])
            self.assertEqual([n for n in document["nodes"] if "stuck" in n], [])
            self.assertEqual(document["cycles"], 0)

    def test_options_are_pprofs(self):
        with Zoo("--leak=nil_chan_send,nil_chan_receive", "--rate=20") as zoo:
            eventually(lambda: len(zoo.stuck_in("nil_chan_send", "chan send (nil chan)")) > 5, "leaks")

            def functions(**parameters):
                return {n["function"] for n in json.loads(graph(zoo, format="json", **parameters)[2])["nodes"]}

            self.assertIn("zoo::nil_chan_send", functions())
            self.assertEqual(functions(focus="nil_chan_send$"), {"zoo::nil_chan_send"})
            self.assertNotIn("zoo::nil_chan_send", functions(ignore="nil_chan_send$"))
            self.assertNotIn("zoo::nil_chan_send", functions(hide="nil_chan_send$"))
            self.assertEqual(functions(show="nil_chan_send$"), {"zoo::nil_chan_send"})
            self.assertEqual(len(functions(nodecount=1)), 1)
            self.assertEqual(functions(nodefraction=1), set())
            lines = json.loads(graph(zoo, format="json", granularity="lines", focus="nil_chan_send$")[2])
            self.assertGreater(lines["nodes"][0]["line"], 0)

    def test_what_is_wrong_with_a_parameter_is_told(self):
        with Zoo("--leak=none") as zoo:
            for parameters, message in (
                ({"kind": "pies"}, 'invalid value for "kind": expected one of calls, waits\n'),
                ({"format": "gif"}, 'invalid value for "format": expected one of svg, png, dot, json\n'),
                ({"format": "text"}, 'invalid value for "format": expected one of svg, png, dot, json\n'),
                ({"nodecount": "0"}, 'invalid value for "nodecount": expected a number from 1 to 1000\n'),
                ({"nodecount": "1001"}, 'invalid value for "nodecount": expected a number from 1 to 1000\n'),
                ({"nodecount": "-1"}, 'invalid value for "nodecount": expected a number from 1 to 1000\n'),
                ({"nodefraction": "nan"}, 'invalid value for "nodefraction": expected a number from 0 to 1\n'),
                ({"edgefraction": "2"}, 'invalid value for "edgefraction": expected a number from 0 to 1\n'),
                ({"focus": "a(b"}, 'invalid value for "focus": not a regular expression: missing ): a(b\n'),
                ({"kind": "waits", "ignore": "["}, 'invalid value for "ignore": not a regular expression: missing ]: [\n'),
                ({"hide": "x" * 1001}, 'invalid value for "hide": the regular expression is longer than 1000 bytes\n'),
            ):
                status, headers, body = graph(zoo, **parameters)
                self.assertEqual((status, body.decode()), (400, message), parameters)
                self.assertEqual(headers["Content-Type"], "text/plain; charset=utf-8")

    def test_drawing_leaves_no_process_behind(self):
        # None that computes for ever: they leave Graphviz little of the processor.
        with Zoo("--leak=nil_chan_send,mutex_forgotten_unlock,double_send", "--rate=20") as zoo:
            for _ in range(3):
                self.assertEqual(graph(zoo)[0], 200)
            children = []
            for stat in glob.glob("/proc/[0-9]*/stat"):
                try:
                    with open(stat) as f:
                        fields = f.read().rsplit(")", 1)[1].split()
                except OSError:  # it has ended
                    continue
                if int(fields[1]) == zoo.process.pid:
                    children.append(stat)
            self.assertEqual(children, [])


if __name__ == "__main__":
    unittest.main()
