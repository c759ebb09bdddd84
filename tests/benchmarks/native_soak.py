"""A day's worth of messages through a native application of ours, in bounded time: memory has to stay flat.

    python tests/benchmarks/native_soak.py [--seconds 60]

Both sides are ours: `connect_native` here, the echo of `ping_pong` there. Small and large messages are mixed; the
resident memory of both processes is printed ten times, and compared at the end.
"""

import argparse
import tempfile
import time
from pathlib import Path

import trio

from trio_ports._native.ping_pong import install_ping_pong
from trio_ports.native import connect_native

EXTENSION = "soak@example.org"
MESSAGES = [{"n": 1}, None, "x" * 1000, list(range(100)), "ä" * 50_000]


def resident(pid):
    """Return the resident memory of a process, in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise LookupError(pid)


def child():
    """Return the one child of this process, whichever of its threads started it."""
    for file in Path("/proc/self/task").glob("*/children"):
        if text := file.read_text(encoding="ascii").split():
            return int(text[0])
    raise LookupError("no child")


async def soak(folder, seconds):
    received, readings = 0, []

    def count(message, port):
        nonlocal received
        received += 1

    async with connect_native("ping_pong", extension_id=EXTENSION, manifest_folders=[folder]) as port:
        port.on_message.add_listener(count)
        begin, sent = time.monotonic(), 0
        while len(readings) < 10:
            for _ in range(200):
                await port.send(MESSAGES[sent % len(MESSAGES)])
                sent += 1
            if time.monotonic() - begin > seconds * (len(readings) + 1) / 10:
                readings.append((received, resident("self"), resident(child())))
                print("{:>10} messages   here {:6.1f} MiB   there {:6.1f} MiB".format(*readings[-1]), flush=True)
    grown = [last - first for first, last in zip(readings[1][1:], readings[-1][1:], strict=True)]
    print("grown since the second reading: here {:+.1f} MiB, there {:+.1f} MiB".format(*grown))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60)
    with tempfile.TemporaryDirectory() as folder:
        install_ping_pong(Path(folder), allowed_extensions=[EXTENSION])
        trio.run(soak, folder, parser.parse_args().seconds)


if __name__ == "__main__":
    main()
