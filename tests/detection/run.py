"""The quality of the detectors in numbers: runs both harnesses of a build and writes RESULTS.md.

    python3 tests/detection/run.py [--bin=build/release/bin] [--seed=N] [--out=tests/detection/RESULTS.md]

weir-detect-kernels: small programs that block for ever, and healthy ones that look like them. weir-detect-histories:
synthetic histories of many samples. Equal seeds give equal histories; kernels run on the real scheduler, whose choices
the seed perturbs.
"""

import argparse
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def output(program, *args):
    result = subprocess.run([program, *args], stdout=subprocess.PIPE, text=True)
    # 1: it ran, and a goal was not met; the tables tell which.
    if result.returncode not in (0, 1):
        sys.exit(f"{program}: exit status {result.returncode}")
    return result.returncode, result.stdout.strip() + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bin", default=str(ROOT / "build/release/bin"), help="where the programs are")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", default=str(HERE / "RESULTS.md"))
    args = parser.parse_args()
    bin_ = pathlib.Path(args.bin)
    seed = f"--seed={args.seed}"
    kernels, kernels_text = output(bin_ / "weir-detect-kernels", seed)
    histories, histories_text = output(bin_ / "weir-detect-histories", seed)
    cost, cost_text = output(bin_ / "weir-detect-histories", "--cost")
    head = (
        "# The detectors in numbers\n\n"
        f"Written by `python3 tests/detection/run.py --seed={args.seed}`; do not edit.\n\n"
    )
    with open(args.out, "w") as f:
        f.write(head + kernels_text + "\n" + histories_text + "\n" + cost_text)
    print(f"wrote {args.out}")
    return max(kernels, histories, cost)


if __name__ == "__main__":
    sys.exit(main())
