"""Echo through native applications, ours beside those of others: run by hand, never by the tests.

    python tests/benchmarks/native_echo.py [--node FOLDER] [--runs 5]

FOLDER holds `node_modules/chrome-native-messaging`. The client is the same for all: it speaks the wire by hand, from
one thread that writes and one that reads. Runs of the hosts are interleaved, and medians compared.
"""

import argparse
import json
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

RECIPE = """
import json, struct, sys
def get_message():
    raw = sys.stdin.buffer.read(4)
    if not raw:
        sys.exit(0)
    return json.loads(sys.stdin.buffer.read(struct.unpack("@I", raw)[0]).decode("utf-8"))
def send_message(message):
    content = json.dumps(message, separators=(",", ":")).encode("utf-8")
    sys.stdout.buffer.write(struct.pack("@I", len(content)))
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()
while True:
    send_message(get_message())
"""
LISTENER = """
import trio
from trio_ports.native import open_native_port
async def main():
    async with open_native_port() as port:
        port.on_message.add_listener(lambda message, port: port.post_message(message))
        await port.wait_disconnected()
trio.run(main)
"""
LOOP = """
import trio
from trio_ports.native import open_native_port
async def main():
    async with open_native_port() as port:
        async for message in port:
            await port.send(message)
trio.run(main)
"""
NODE = """
const nativeMessage = require('chrome-native-messaging');
process.stdin.pipe(new nativeMessage.Input())
  .pipe(new nativeMessage.Transform((message, push, done) => { push(message); done(); }))
  .pipe(new nativeMessage.Output()).pipe(process.stdout);
"""


class Client:
    """Starts a host and speaks to it by hand."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self.rest = bytearray()

    def read(self, count):
        """Read so many frames, and return the last."""
        rest, fd = self.rest, self.process.stdout.fileno()
        start = 0
        while True:
            while len(rest) - start >= 4:
                (length,) = struct.unpack_from("=I", rest, start)
                if len(rest) - start - 4 < length:
                    break
                start += 4 + length
                count -= 1
                if not count:
                    last = bytes(rest[start - length : start])
                    del rest[:start]
                    return last
            del rest[:start]
            start = 0
            data = os.read(fd, 1 << 20)
            if not data:
                raise EOFError
            rest += data

    def write(self, data):
        view, fd = memoryview(data), self.process.stdin.fileno()
        while view:
            view = view[os.write(fd, view) :]

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


def frame(message):
    body = json.dumps(message, separators=(",", ":")).encode()
    return struct.pack("=I", len(body)) + body


def pipelined(client, message, count):
    """Return how many messages a second go there and back when nobody waits for an answer."""
    data = frame(message) * count
    writer = threading.Thread(target=client.write, args=(data,))
    begin = time.perf_counter()
    writer.start()
    assert json.loads(client.read(count)) == message
    seconds = time.perf_counter() - begin
    writer.join()
    return count / seconds


def round_trips(client, message, count):
    """Return how many messages a second go there and back one after the other."""
    data = frame(message)
    begin = time.perf_counter()
    for _ in range(count):
        client.write(data)
        client.read(1)
    return count / (time.perf_counter() - begin)


SMALL = {"id": 7, "method": "echo", "params": ["hello", 3.5, None]}
LARGE = {"rows": [{"id": i, "name": f"row number {i}", "value": i * 1.5} for i in range(9500)]}
WORKLOADS = {
    "small, pipelined": lambda client: pipelined(client, SMALL, 30_000),
    "500 kB, pipelined": lambda client: pipelined(client, LARGE, 60),
    "500 kB of text": lambda client: pipelined(client, "x" * 500_000, 100),
    "round trips": lambda client: round_trips(client, SMALL, 5_000),
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--node", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--hosts", nargs="*")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        hosts = {}
        for name, text in {"recipe": RECIPE, "listener": LISTENER, "async for": LOOP}.items():
            file = Path(folder) / f"{name.replace(' ', '_')}.py"
            file.write_text(text)
            hosts[name] = [sys.executable, str(file)]
        if options.node:
            file = options.node / "echo.cjs"
            file.write_text(NODE)
            hosts["node"] = ["node", str(file)]
        if options.hosts:
            hosts = {name: command for name, command in hosts.items() if name in options.hosts}
        for title, workload in WORKLOADS.items():
            rates = {name: [] for name in hosts}
            for _ in range(options.runs):
                for name, command in hosts.items():
                    client = Client(command)
                    round_trips(client, SMALL, 50)
                    rates[name].append(workload(client))
                    client.close()
            medians = {name: statistics.median(rate) for name, rate in rates.items()}
            for name, median in medians.items():
                ratios = "  ".join(f"{median / medians[o]:5.2f} x {o}" for o in ("recipe", "node") if o in medians)
                print(f"{title:20} {name:10} {median:10.0f}/s  {ratios}", flush=True)


if __name__ == "__main__":
    main()
