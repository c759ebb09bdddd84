"""What a connection costs, beside two bare Trio memory channels with a reading task: run by hand, never by the tests.

    python tests/benchmarks/connections.py [--runs 9] [--json]

Objects are those that the garbage collector tracks, memory is what ``tracemalloc`` counts, time is CPU time of this
process. Timed subjects take turns, so that all of them meet the same minute of the machine; ratios are of medians.
"""

import argparse
import gc
import json
import statistics
import sys
import time
import tracemalloc
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import trio
import trio.testing

from trio_ports import Port, open_port_pair

MESSAGE = {"greeting": "hello from content script", "n": 1, "nested": {"a": [1, 2, 3]}}
COUNTED = 1_000
CLOSED = 2_000
MANY = 10_000
FEW = 100

Connection = tuple[Any, ...]
Opener = Callable[[trio.Nursery], Connection]


async def read(channel: trio.MemoryReceiveChannel[Any]) -> None:
    async for _ in channel:
        pass


def open_channels(nursery: trio.Nursery) -> Connection:
    send, receive = trio.open_memory_channel[Any](1024)
    back, answers = trio.open_memory_channel[Any](1024)
    nursery.start_soon(read, receive)
    return send, receive, back, answers


def open_idle_pair(nursery: trio.Nursery) -> Connection:
    return open_port_pair(nursery)


def ignore(message: object, port: Port) -> None:
    pass


def open_listening_pair(nursery: trio.Nursery) -> Connection:
    ports = open_port_pair(nursery)
    for port in ports:
        port.on_message.add_listener(ignore)
        port.on_disconnect.add_listener(id)
    return ports


@asynccontextmanager
async def held(opener: Opener, count: int) -> AsyncGenerator[list[Connection]]:
    """Hold so many connections open for a block."""
    async with trio.open_nursery() as nursery:
        connections = [opener(nursery) for _ in range(count)]
        yield connections
        nursery.cancel_scope.cancel()


async def count_objects(opener: Opener) -> float:
    """Return how many objects that the collector tracks a connection that is open consists of."""
    async with held(opener, 10):
        await trio.testing.wait_all_tasks_blocked()
        gc.collect()
        before = len(gc.get_objects())
        async with held(opener, COUNTED):
            await trio.testing.wait_all_tasks_blocked()
            gc.collect()
            return (len(gc.get_objects()) - before) / COUNTED


async def count_bytes(opener: Opener) -> float:
    """Return how much memory a connection that is open takes."""
    async with held(opener, 10):
        await trio.testing.wait_all_tasks_blocked()
        gc.collect()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        try:
            async with held(opener, COUNTED):
                await trio.testing.wait_all_tasks_blocked()
                gc.collect()
                return (tracemalloc.get_traced_memory()[0] - before) / COUNTED
        finally:
            tracemalloc.stop()


async def close_pairs() -> float:
    """Open a pair with a listener, post a message, disconnect, and wait for the end; seconds for each."""
    start = time.process_time()
    for _ in range(CLOSED):
        async with trio.open_nursery() as nursery:
            opener, receiver = open_port_pair(nursery)
            receiver.on_message.add_listener(ignore)
            opener.post_message(MESSAGE)
            opener.disconnect()
    return (time.process_time() - start) / CLOSED


async def close_channels() -> float:
    """Do the same with two channels, one of which a task reads."""
    start = time.process_time()
    for _ in range(CLOSED):
        async with trio.open_nursery() as nursery:
            send, _, back, _ = open_channels(nursery)
            send.send_nowait(MESSAGE)
            send.close()
            back.close()
    return (time.process_time() - start) / CLOSED


async def open_many(opener: Opener, count: int) -> float:
    """Open so many, one beside the other; seconds for each."""
    gc.collect()
    start = time.process_time()
    async with held(opener, count):
        await trio.testing.wait_all_tasks_blocked()
        return (time.process_time() - start) / count


async def cancel_many(opener: Opener) -> float:
    """Cancel a nursery of many; seconds for each."""
    start = 0.0
    async with trio.open_nursery() as nursery:
        _kept = [opener(nursery) for _ in range(MANY)]
        await trio.testing.wait_all_tasks_blocked()
        gc.collect()
        start = time.process_time()
        nursery.cancel_scope.cancel()
    return (time.process_time() - start) / MANY


def timed(*function: Any) -> Callable[[], Awaitable[float]]:
    first, *rest = function
    return lambda: first(*rest)


TIMED: dict[str, Callable[[], Awaitable[float]]] = {
    "open, message, close: pair": timed(close_pairs),
    "open, message, close: channels": timed(close_channels),
    "open one of 100: pair": timed(open_many, open_idle_pair, FEW),
    "open one of 10,000: pair": timed(open_many, open_idle_pair, MANY),
    "open one of 100: channels": timed(open_many, open_channels, FEW),
    "open one of 10,000: channels": timed(open_many, open_channels, MANY),
    "cancel one of 10,000: pair": timed(cancel_many, open_idle_pair),
    "cancel one of 10,000: listening pair": timed(cancel_many, open_listening_pair),
    "cancel one of 10,000: channels": timed(cancel_many, open_channels),
}
HELD: dict[str, Opener] = {
    "idle pair": open_idle_pair,
    "listening pair": open_listening_pair,
    "two channels and a task": open_channels,
}


def measure(runs: int) -> dict[str, Any]:
    """Measure everything, in turns, and return the medians."""
    seconds: dict[str, list[float]] = {name: [] for name in TIMED}
    for _ in range(runs):
        for name, subject in TIMED.items():
            # A collection that began elsewhere is not this subject's.
            gc.collect()
            seconds[name].append(trio.run(subject))
    return {
        "python": sys.version.split()[0],
        "runs": runs,
        "objects": {name: trio.run(count_objects, opener) for name, opener in HELD.items()},
        "bytes": {name: trio.run(count_bytes, opener) for name, opener in HELD.items()},
        "seconds": {name: statistics.median(values) for name, values in seconds.items()},
    }


def report(result: dict[str, Any]) -> None:
    print(f"Python {result['python']}, medians of {result['runs']} interleaved runs, CPU time")
    for name in HELD:
        print(f"  {name:40} {result['objects'][name]:6.1f} objects {result['bytes'][name] / 1024:6.1f} KiB")
    seconds = result["seconds"]
    for name, value in seconds.items():
        print(f"  {name:40} {value * 1e6:8.1f} µs")
    ratio = seconds["open, message, close: channels"] / seconds["open, message, close: pair"]
    print(f"  open, message, close beside channels     {ratio:6.2f}  (wanted: 0.40)")
    ratio = seconds["open one of 10,000: pair"] / seconds["open one of 100: pair"]
    print(f"  open one of 10,000 beside one of 100     {ratio:6.2f}  (wanted: at most 1.5)")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    measured = measure(options.runs)
    if options.json:
        print(json.dumps(measured))
    else:
        report(measured)
