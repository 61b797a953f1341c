"""What hostile clients of the debug endpoint cost the program that has it: the rounds per second of two goroutines that
play ping-pong, alone and under attack, and the memory.

    python3 tests/bench/endpoint.py build/release/bin/weir-bench-pingpong [SECONDS [PARKED]]

The attack, all at once: 300 clients that send a byte a second, 1000 that ask for dumps without pause (wrk), 20 that ask
for a dump and never read it. On one machine the clients want processors, too, so they run at the lowest priority; they
have always asked for more than is answered.
"""

import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time


def status(pid, key):
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(rf"^{key}:\s+(\d+)", f.read(), re.M).group(1))


class Patient:
    def __init__(self, program, parked):
        environment = dict(os.environ, WEIR_DEBUG_ADDR="127.0.0.1:0", WEIR_MAXPROCS="2")
        self.process = subprocess.Popen(
            [program, str(parked)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        self.port = int(re.search(r"http://127.0.0.1:(\d+)", self.process.stderr.readline()).group(1))
        self.rates = []
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.rates.append(int(line))

    def rate(self, seconds):
        """The median of the next seconds, but for the first."""
        start = len(self.rates) + 1
        while len(self.rates) < start + seconds:
            time.sleep(0.05)
        return statistics.median(self.rates[start:])


def attack(port, stop):
    os.nice(19)
    slow, deaf = [], []
    for _ in range(300):
        slow.append(socket.create_connection(("127.0.0.1", port)))
    for _ in range(20):
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", port))
        client.sendall(b"GET /debug/goroutine?debug=2 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        deaf.append(client)
    while not stop.is_set():
        for i, client in enumerate(slow):
            try:
                client.send(b"G")
            except OSError:
                client.close()
                slow[i] = socket.create_connection(("127.0.0.1", port))
        stop.wait(1)


def main():
    program = sys.argv[1]
    seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 10
    parked = int(sys.argv[3]) if len(sys.argv) > 3 else 10000
    patient = Patient(program, parked)
    pid = patient.process.pid
    try:
        print(f"{parked} goroutines parked, {seconds} s each, 2 Ps")
        shares = []
        for _ in range(3):
            alone, memory = patient.rate(seconds), status(pid, "VmRSS")
            child = os.fork()
            if child == 0:
                stop = threading.Event()
                signal.signal(signal.SIGTERM, lambda *_: stop.set())
                attack(patient.port, stop)
                os._exit(0)
            url = f"http://127.0.0.1:{patient.port}/debug/goroutine?debug=2"
            wrk = subprocess.Popen(
                ["nice", "-n", "19", "wrk", "-t1", "-c1000", f"-d{10 * seconds}s", url],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )
            attacked = patient.rate(seconds)
            peak = status(pid, "VmRSS")
            wrk.kill()
            wrk.wait()
            os.kill(child, signal.SIGTERM)
            os.waitpid(child, 0)
            shares.append(attacked / alone)
            print(
                f"alone {alone:9.0f} rounds/s, {memory // 1024} MiB; attacked {attacked:9.0f} rounds/s, "
                f"{peak // 1024} MiB: {attacked / alone:.3f}"
            )
        print(f"median {statistics.median(shares):.3f}")
    finally:
        patient.process.kill()
        patient.process.wait()


main()
