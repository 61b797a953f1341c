"""weir-parked under gdb: what the tests of gdb's commands and of core files share.

gdb starts the program itself, since it may not attach to others everywhere, and writes the cores,
since where the kernel puts its own is the machine's business.
"""

import os
import re
import signal
import subprocess
import urllib.request

PARKED = os.environ.get("WEIR_PARKED", "weir-parked")
PROGRAMS = os.path.dirname(os.path.realpath(PARKED))
OTHERS = 17  # goroutines of weir-parked that are not its COUNT: one in each state, and main
TIMEOUT = 900  # s, of a session


def gdb_arguments(commands, *arguments, safe=True):
    """`gdb -batch`, each command's output behind a line of its own. `safe`: gdb may load what comes
    with our programs."""
    words = ["gdb", "-nx", "-batch"]
    for setting in (
        "set confirm off",
        "set startup-with-shell off",
        "set disable-randomization off",
        "set debuginfod enabled off",
        f"set auto-load safe-path {PROGRAMS if safe else '/nowhere'}",
    ):
        words += ["-iex", setting]
    for i, command in enumerate(commands):
        words += ["-ex", f"echo \\n@@{i}\\n", "-ex", command]
    return [*words, "-ex", "echo \\n@@end\\n", *arguments]


def outputs(text):
    return [part.strip("\n") for part in re.split(r"\n@@(?:\d+|end)\n", text)[1:-1]]


def run_gdb(commands, *arguments, safe=True):
    """(the commands' outputs, stderr)"""
    result = subprocess.run(
        gdb_arguments(commands, *arguments, safe=safe),
        capture_output=True,
        text=True,
        errors="backslashreplace",
        timeout=TIMEOUT,
    )
    return outputs(result.stdout), result.stderr


class Debugged:
    """gdb runs weir-parked, which tells its URL; when the program is told to stop, gdb goes through
    the commands, and kills it. A context manager."""

    def __init__(self, commands, *arguments):
        self.process = subprocess.Popen(
            gdb_arguments(["run", *commands], "--args", PARKED, *map(str, arguments)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="backslashreplace",
        )
        self.head = ""
        for line in self.process.stdout:
            self.head += line
            found = re.search(r"http://[\d.]+:\d+", line)
            if found:
                self.url = found[0]
                return
        raise AssertionError(f"no URL: {self.head} {self.process.communicate()}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()  # the program goes with it
        self.process.communicate()

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=TIMEOUT) as r:
            return r.read()

    def program(self):
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as f:
            return int(f.read().split()[0])

    def stop(self, sig=signal.SIGINT):
        """The outputs of the commands; what they say on stderr is in `errors`."""
        os.kill(self.program(), sig)
        out, self.errors = self.process.communicate(timeout=TIMEOUT)
        return outputs(self.head + out)[1:]
