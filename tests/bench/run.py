#!/usr/bin/env python3
"""Runs the benchmarks of weir, Go and boost.fiber side by side and writes a table of them.

The sides take turns within each round, so that a drift of the machine meets all alike; ratios are taken
within a round. The first round warms up and is dropped. Each group of metrics is a process of its own.

  tests/bench/run.py [--build=build/release] [--rounds=5] [--parked=1000000] [--groups=yield,...]
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
GROUPS = ["yield", "pingpong_p1", "pingpong_p2", "spawn_join_p1", "spawn_join_p2", "parked"]
LINE = re.compile(r"^(\w+) (-?\d+(?:\.\d+)?) (\S+)$")
# Longer than the slowest side needs for a million parked and all profiles of them, in seconds.
TIMEOUT = 900


def fail(what):
    sys.exit("run.py: " + what)


def build_all(build, out):
    """The programs by side: those of the build directory, and Go's built into `out`."""
    programs = {}
    for side, name in (("weir", "weir-bench"), ("boost.fiber", "boost-bench")):
        path = os.path.join(build, "bin", name)
        if os.path.isdir(build):
            made = subprocess.run(["cmake", "--build", build, "--target", name], capture_output=True, text=True)
            if made.returncode and not os.path.exists(path):
                print(f"run.py: {name} is left out: {made.stdout.strip().splitlines()[-1:]}", file=sys.stderr)
        if os.path.exists(path):
            programs[side] = path
    if "weir" not in programs:
        fail(f"no weir-bench in {build}/bin: configure with the preset release and build first")
    path = os.path.join(out, "go-bench")
    try:
        subprocess.run(["go", "build", "-o", path, os.path.join(HERE, "go", "main.go")], check=True,
                       env={**os.environ, "GO111MODULE": "off"})
        programs["Go"] = path
    except (OSError, subprocess.CalledProcessError) as why:
        print(f"run.py: Go is left out: {why}", file=sys.stderr)
    return programs


def measure(program, group, parked):
    """One process: {metric: (value, unit)}."""
    try:
        done = subprocess.run([program, group], capture_output=True, text=True, timeout=TIMEOUT,
                              env={**os.environ, "WEIR_BENCH_PARKED": str(parked)})
    except subprocess.TimeoutExpired:
        print(f"run.py: {program} {group}: no end within {TIMEOUT} s", file=sys.stderr)
        return {}
    if done.returncode:
        print(f"run.py: {program} {group}: exit status {done.returncode}\n{done.stderr[:2000]}", file=sys.stderr)
        return {}
    metrics = {}
    for line in done.stdout.splitlines():
        match = LINE.match(line)
        if not match:
            fail(f"{program} {group}: not a metric line: {line!r}")
        metrics[match[1]] = (float(match[2]), match[3])
    return metrics


def number(value):
    return f"{value:,.0f}".replace(",", " ") if abs(value) >= 1000 else f"{value:.3g}"


def spread(values):
    """min / median / max."""
    return f"{number(min(values))} / **{number(statistics.median(values))}** / {number(max(values))}"


def table(rounds, sides):
    """Markdown: a row for each metric; `rounds` is a list of {side: {metric: (value, unit)}}."""
    others = [side for side in sides if side != "weir"]
    lines = ["| metric | unit | " + " | ".join(sides) + " | " + " | ".join("weir / " + o for o in others) + " |",
             "| --- | --- |" + " ---: |" * (len(sides) + len(others))]
    metrics = {}
    for by_side in rounds:
        for found in by_side.values():
            for name, (_, unit) in found.items():
                metrics.setdefault(name, unit)
    for name, unit in metrics.items():
        cells = []
        for side in sides:
            values = [r[side][name][0] for r in rounds if name in r[side]]
            cells.append(spread(values) if values else "–")
        for other in others:
            ratios = [r["weir"][name][0] / r[other][name][0] for r in rounds
                      if name in r["weir"] and name in r[other] and r[other][name][0]]
            cells.append(spread(ratios) if ratios else "–")
        lines.append(f"| {name} | {unit} | " + " | ".join(cells) + " |")
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
    parser.add_argument("--rounds", type=int, default=5, help="rounds that count; one more warms up")
    parser.add_argument("--parked", type=int, default=1_000_000, help="goroutines of the group parked")
    parser.add_argument("--groups", default=",".join(GROUPS), help="comma-separated")
    parser.add_argument("--output", default=os.path.join(HERE, "RESULTS.md"), help="markdown file")
    args = parser.parse_args()
    groups = args.groups.split(",")
    unknown = [g for g in groups if g not in GROUPS]
    if unknown or args.rounds < 1 or args.parked < 1:
        parser.error(f"unknown groups {unknown}" if unknown else "--rounds and --parked are at least 1")

    with tempfile.TemporaryDirectory() as out:
        programs = build_all(args.build, out)
        sides = [side for side in ("weir", "Go", "boost.fiber") if side in programs]
        rounds = []
        for r in range(args.rounds + 1):
            by_side = {side: {} for side in sides}
            for group in groups:
                turn = sides[r % len(sides):] + sides[:r % len(sides)]
                for side in turn:
                    print(f"round {r}/{args.rounds}: {group}: {side}", file=sys.stderr)
                    by_side[side].update(measure(programs[side], group, args.parked))
            if r > 0:
                rounds.append(by_side)

    text = f"""# weir beside Go and boost.fiber

{datetime.date.today().isoformat()}, {os.cpu_count()} x {cpu()}, Linux {platform.release()}, {version_of("go", "version")},
{version_of("c++", "--version")}. {args.rounds} rounds after one to warm up, the sides taking turns; min / **median** / max.
Ratios are of the same round: below 1, weir needs less. {number(args.parked)} goroutines are parked. Made by `tests/bench/run.py`.

{table(rounds, sides)}
"""
    print(text)
    with open(args.output, "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    main()
