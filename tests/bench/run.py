#!/usr/bin/env python3
"""Runs the benchmarks of weir, Go and boost.fiber side by side and writes a table of them.

The sides take turns within each round, so that a drift of the machine meets all alike; ratios are taken
within a round. The first round warms up and is dropped. Each group of metrics is a process of its own.

  tests/bench/run.py [--build=build/release] [--rounds=5] [--many=1000000] [--groups=yield,...]

--against=DIR measures a second weir, which another build directory holds with WEIR_RECORDING=OFF, in the groups
that show what recording costs.
"""

import argparse
import datetime
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
GROUPS = ["yield", "pingpong_p1", "pingpong_p2", "buffered_p1", "buffered_p2", "spawn_join_p1", "spawn_join_p2",
          "skynet_p1", "skynet_p2", "ring", "sieve_p1", "sieve_p2", "mutex_uncontended", "mutex_contended_p1",
          "mutex_contended_p2", "select_ready", "select_blocking_p1", "select_blocking_p2", "parked", "profiles",
          "profiled_p1", "profiled_p2", "sleepers", "echo"]
NO_RECORDING = "weir (no recording)"
NO_RECORDING_GROUPS = {"pingpong_p1", "pingpong_p2", "spawn_join_p1", "spawn_join_p2"}
# What the benchmarks are to show: metric (a regular expression), of which column, at most or at least, the bound.
# The median is judged.
TARGETS = [
    ("yield", "weir / Go", "≤", 0.5),
    ("pingpong_p1", "weir / Go", "≤", 0.5),
    ("pingpong_p2", "weir / Go", "≤", 0.8),
    ("buffered_.*", "weir / Go", "≤", 0.8),
    ("spawn_join_.*", "weir / Go", "≤", 0.7),
    ("skynet_.*", "weir / Go", "≤", 0.7),
    ("sieve_.*", "weir / Go", "≤", 0.7),
    ("mutex_uncontended", "weir / Go", "≤", 1.0),
    ("select_ready_.*", "weir / Go", "≤", 0.6),
    ("parked_create", "weir / Go", "≤", 0.8),
    ("parked_bytes", "weir", "≤", 4505),
    ("sleepers_.*", "weir / Go", "≤", 0.5),
    ("echo", "weir / Go", "≥", 1.2),
    ("profile_debug1|profile_pprof", "weir", "≤", 100),
    ("profile_debug2", "weir", "≤", 3000),
    ("profile_.*_stall", "weir", "≤", 1),
    ("profile_.*_memory", "weir", "≤", 64),
    ("profiled_pingpong_.*", "weir", "≥", 0.97),
]
LINE = re.compile(r"^(\w+) (-?\d+(?:\.\d+)?) (\S+)$")
# Longer than the slowest side needs for a million parked and all profiles of them, in seconds.
TIMEOUT = 900


def fail(what):
    sys.exit("run.py: " + what)


def built(build, target):
    """Path of a program of a build directory, brought up to date; None where it cannot be built."""
    path = os.path.join(build, "bin", target)
    if os.path.isdir(build):
        made = subprocess.run(["cmake", "--build", build, "--target", target], capture_output=True, text=True)
        if made.returncode:
            print(f"run.py: {build}: {target} is left out: {made.stdout.strip().splitlines()[-1:]}", file=sys.stderr)
            return None
    return path if os.path.exists(path) else None


def go_built(out):
    path = os.path.join(out, "go-bench")
    try:
        subprocess.run(["go", "build", "-o", path], cwd=os.path.join(HERE, "go"), check=True,
                       env={**os.environ, "GO111MODULE": "off"})
        return path
    except (OSError, subprocess.CalledProcessError) as why:
        print(f"run.py: Go is left out: {why}", file=sys.stderr)
        return None


class Side:
    """A program and the groups of metrics that it has."""

    def __init__(self, name, program):
        self.name, self.program = name, program
        listed = subprocess.run([program, "--list"], capture_output=True, text=True, check=True).stdout.split()
        unknown = set(listed) - set(GROUPS)
        if unknown:
            fail(f"{program} has groups that are missing in GROUPS: {unknown}")
        self.groups = set(listed)

    def measure(self, group, many):
        """One process: {metric: (value, unit)}."""
        try:
            done = subprocess.run([self.program, group], capture_output=True, text=True, timeout=TIMEOUT,
                                  env={**os.environ, "WEIR_BENCH_MANY": str(many)})
        except subprocess.TimeoutExpired:
            print(f"run.py: {self.name}: {group}: no end within {TIMEOUT} s", file=sys.stderr)
            return {}
        if done.returncode:
            print(f"run.py: {self.name}: {group}: exit status {done.returncode}\n{done.stderr[:2000]}",
                  file=sys.stderr)
            return {}
        metrics = {}
        for line in done.stdout.splitlines():
            match = LINE.match(line)
            if not match:
                fail(f"{self.name}: {group}: not a metric line: {line!r}")
            metrics[match[1]] = (float(match[2]), match[3])
        if group == "parked":
            rss, unit = metrics["parked_rss"]
            metrics["parked_bytes"] = (rss + metrics["parked_pagetables"][0], unit)
        return metrics


def all_sides(build, against, out):
    programs = [("weir", built(build, "weir-bench")), ("Go", go_built(out)), ("boost.fiber", built(build, "boost-bench"))]
    if not programs[0][1]:
        fail(f"no weir-bench in {build}/bin: configure with the preset release and build first")
    if against:
        programs.append((NO_RECORDING, built(against, "weir-bench") or fail(f"no weir-bench in {against}/bin")))
    sides = [Side(name, program) for name, program in programs if program]
    for side in sides:
        if side.name == NO_RECORDING:
            side.groups &= NO_RECORDING_GROUPS
    return sides


def number(value):
    return f"{value:,.0f}".replace(",", " ") if abs(value) >= 1000 else f"{value:.3g}"


def spread(values):
    """min / median / max."""
    return f"{number(min(values))} / **{number(statistics.median(values))}** / {number(max(values))}"


def target(name, columns):
    """The cell of a metric's target: the bound and whether the median is within; `columns` are lists of values."""
    for pattern, column, sign, bound in TARGETS:
        if not re.fullmatch(pattern, name):
            continue
        values = columns.get(column)
        if not values:
            reached = "not measured"
        else:
            median = statistics.median(values)
            reached = "yes" if (median <= bound if sign == "≤" else median >= bound) else "**no**"
        return f"{sign} {number(bound)}: {reached}"
    return ""


def table(rounds, sides):
    """Markdown: a row for each metric; `rounds` is a list of {side: {metric: (value, unit)}}."""
    others = [side for side in sides if side != "weir"]
    heads = sides + ["weir / " + other for other in others]
    lines = ["| metric | unit | " + " | ".join(heads) + " | target |",
             "| --- | --- |" + " ---: |" * len(heads) + " --- |"]
    metrics = {}
    for by_side in rounds:
        for found in by_side.values():
            for name, (_, unit) in found.items():
                metrics.setdefault(name, unit)
    for name, unit in metrics.items():
        columns = {side: [r[side][name][0] for r in rounds if name in r[side]] for side in sides}
        for other in others:
            columns["weir / " + other] = [r["weir"][name][0] / r[other][name][0] for r in rounds
                                          if name in r["weir"] and name in r[other] and r[other][name][0]]
        cells = [spread(columns[head]) if columns[head] else "–" for head in heads]
        lines.append(f"| {name} | {unit} | " + " | ".join(cells) + f" | {target(name, columns)} |")
    return "\n".join(lines)


def version_of(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True).stdout.strip().splitlines()[0]
    except (OSError, IndexError):
        return ""


def cpu():
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.path.join(ROOT, "build", "release"), help="build directory")
    parser.add_argument("--against", metavar="DIR", help="build directory of a weir with WEIR_RECORDING=OFF")
    parser.add_argument("--rounds", type=int, default=5, help="rounds that count; one more warms up")
    parser.add_argument("--many", type=int, default=1_000_000, help="goroutines of parked, profiles and sleepers")
    parser.add_argument("--groups", default=",".join(GROUPS), help="comma-separated")
    parser.add_argument("--output", default=os.path.join(HERE, "RESULTS.md"), help="markdown file")
    args = parser.parse_args()
    groups = args.groups.split(",")
    unknown = [g for g in groups if g not in GROUPS]
    if unknown or args.rounds < 1 or args.many < 1:
        parser.error(f"unknown groups {unknown}" if unknown else "--rounds and --many are at least 1")

    with tempfile.TemporaryDirectory() as out:
        sides = all_sides(args.build, args.against, out)
        rounds = []
        for r in range(args.rounds + 1):
            by_side = {side.name: {} for side in sides}
            for group in groups:
                for side in sides[r % len(sides):] + sides[:r % len(sides)]:
                    if group in side.groups:
                        print(f"round {r}/{args.rounds}: {group}: {side.name}", file=sys.stderr)
                        by_side[side.name].update(side.measure(group, args.many))
            if r > 0:
                rounds.append(by_side)

    text = f"""# weir beside Go and boost.fiber

{datetime.date.today().isoformat()}, {os.cpu_count()} x {cpu()}, Linux {platform.release()}, {version_of("go", "version")},
{version_of("c++", "--version")}. {args.rounds} rounds after one to warm up, the sides taking turns; min / **median** / max.
Ratios are of the same round: below 1, weir needs less; for requests per second, above 1, weir does more. A target is
reached when the median is within it. {number(args.many)} goroutines are parked, and sleep. Made by `tests/bench/run.py`.

{table(rounds, [side.name for side in sides])}
"""
    print(text)
    with open(args.output, "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    main()
