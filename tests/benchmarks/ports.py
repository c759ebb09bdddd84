"""Ports beside bare Trio memory channels and Node's MessageChannel: run by hand, never by the tests.

    python tests/benchmarks/ports.py [--runs 15] [--memory]

Each measurement is one short run of each subject, one after the other, over and over, so that all of them meet the same
minute of the machine; the ratios are of medians. ``--memory`` opens and closes 100,000 connections instead.
"""

import argparse
import gc
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import trio
import trio.testing

from trio_ports import Port, open_browser, open_port_pair

MESSAGE = {"greeting": "hello from content script", "n": 1, "nested": {"a": [1, 2, 3]}}
BURST = 500
BURSTS = 80
ROUND_TRIPS = 5_000
READS = 10_000

NODE = """
const { MessageChannel } = require("worker_threads");
const message = JSON.parse(process.argv[1]), burst = 500, total = 40000;
function post(port) { for (let i = 0; i < burst; i++) port.postMessage(message); }
process.stdin.on("data", () => {
  const { port1, port2 } = new MessageChannel();
  let got = 0;
  const start = process.hrtime.bigint();
  port2.on("message", () => {
    got += 1;
    if (got === total) {
      console.log(total / (Number(process.hrtime.bigint() - start) / 1e9));
      port1.close();
    } else if (got % burst === 0) post(port1);
  });
  post(port1);
});
"""


async def burst_to_listener() -> int:
    """Posts in bursts, each once the last has reached the listener."""
    count = 0
    arrived = trio.Event()

    def on_message(message: object, port: Port) -> None:
        nonlocal count
        count += 1
        if count % BURST == 0:
            arrived.set()

    async with trio.open_nursery() as nursery:
        opener, receiver = open_port_pair(nursery)
        receiver.on_message.add_listener(on_message)
        for _ in range(BURSTS):
            arrived = trio.Event()
            for _ in range(BURST):
                opener.post_message(MESSAGE)
            await arrived.wait()
        opener.disconnect()
    return BURST * BURSTS


async def burst_through_channel() -> int:
    """The same through a bare channel, read by ``async for``."""
    count = 0
    arrived = trio.Event()
    send, receive = trio.open_memory_channel[object](1024)

    async def read() -> None:
        nonlocal count
        async for _ in receive:
            count += 1
            if count % BURST == 0:
                arrived.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        for _ in range(BURSTS):
            arrived = trio.Event()
            for _ in range(BURST):
                send.send_nowait(MESSAGE)
            await arrived.wait()
        send.close()
    return BURST * BURSTS


async def round_trips_of_listeners() -> int:
    """One message at a time, from listener to listener and back."""
    count = 0

    def on_answer(message: object, port: Port) -> None:
        nonlocal count
        count += 1
        if count == ROUND_TRIPS:
            port.disconnect()
        else:
            port.post_message(MESSAGE)

    async with trio.open_nursery() as nursery:
        opener, receiver = open_port_pair(nursery)
        opener.on_message.add_listener(on_answer)
        receiver.on_message.add_listener(lambda message, port: port.post_message(message))
        opener.post_message(MESSAGE)
    return ROUND_TRIPS


async def round_trips_through_channels() -> int:
    """The same through two bare channels."""
    send, receive = trio.open_memory_channel[object](1024)
    send_back, receive_back = trio.open_memory_channel[object](1024)

    async def echo() -> None:
        async for message in receive:
            send_back.send_nowait(message)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(echo)
        send.send_nowait(MESSAGE)
        count = 0
        async for _ in receive_back:
            count += 1
            if count == ROUND_TRIPS:
                break
            send.send_nowait(MESSAGE)
        send.close()
    return ROUND_TRIPS


async def read_port() -> int:
    """``await send`` on one side, ``async for`` on the other."""

    async def read(port: Port) -> None:
        async for _ in port:
            pass

    async with trio.open_nursery() as nursery:
        opener, receiver = open_port_pair(nursery)
        nursery.start_soon(read, receiver)
        for _ in range(READS):
            await opener.send(MESSAGE)
        opener.disconnect()
    return READS


async def read_channel() -> int:
    """The same through a bare channel."""
    send, receive = trio.open_memory_channel[object](1024)

    async def read() -> None:
        async for _ in receive:
            pass

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        for _ in range(READS):
            await send.send(MESSAGE)
        send.close()
    return READS


SUBJECTS: list[Callable[[], Awaitable[int]]] = [
    burst_to_listener,
    burst_through_channel,
    round_trips_of_listeners,
    round_trips_through_channels,
    read_port,
    read_channel,
]


def measure(runs: int) -> None:
    """Run everything interleaved, and print the ratios of the medians."""
    rates: dict[str, list[float]] = {subject.__name__: [] for subject in SUBJECTS}
    rates["node"] = []

    command = ["node", "-e", NODE, json.dumps(MESSAGE)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as node:
        assert node.stdin is not None
        assert node.stdout is not None
        for _ in range(runs):
            for subject in SUBJECTS:
                start = time.perf_counter()
                count = trio.run(subject)
                rates[subject.__name__].append(count / (time.perf_counter() - start))
            node.stdin.write("run\n")
            node.stdin.flush()
            rates["node"].append(float(node.stdout.readline()))
        node.stdin.close()
    medians = {name: statistics.median(values) for name, values in rates.items()}
    print(f"Python {sys.version.split()[0]}, medians of {runs} interleaved runs, messages a second")
    for name, rate in medians.items():
        print(f"  {name:30} {rate:10,.0f}")
    for label, ours, theirs, wanted in (
        ("bursts to a listener / Node's MessageChannel", "burst_to_listener", "node", 1.1),
        ("bursts to a listener / a channel's async for", "burst_to_listener", "burst_through_channel", 2),
        ("round trips of listeners / two channels", "round_trips_of_listeners", "round_trips_through_channels", 0.9),
        ("async for on a port / on a channel", "read_port", "read_channel", 0.7),
    ):
        print(f"  {label:46} {medians[ours] / medians[theirs]:5.2f}  (wanted: {wanted})")


def measure_resident() -> int:
    """Return how much memory the process has resident, in KiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4


async def open_and_close(connections: int) -> None:
    """Open and close connections in a browser, with a message each, and print what is in memory."""
    async with open_browser() as browser:
        extension = browser.install("benchmark@example.org")
        background = extension.open_page()
        script = extension.inject(browser.open_tab("https://example.com/"))
        background.runtime.on_connect.add_listener(
            lambda port: port.on_message.add_listener(lambda message, port: port.post_message(message))
        )
        for done in range(0, connections, 10_000):
            for _ in range(100):
                ports = [script.runtime.connect() for _ in range(100)]
                for port in ports:
                    port.post_message(MESSAGE)
                await trio.testing.wait_all_tasks_blocked()
                for port in ports:
                    port.disconnect()
                await trio.testing.wait_all_tasks_blocked()
            del ports, port
            gc.collect()
            print(f"  {done + 10_000:8,} connections: {measure_resident():8,} KiB, {len(gc.get_objects()):8,} objects")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--memory", action="store_true")
    options = parser.parse_args()
    if options.memory:
        trio.run(open_and_close, 100_000)
    else:
        measure(options.runs)
