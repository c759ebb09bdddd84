"""A native application that echoes, or breaks a rule in the way that its first argument says."""

import io
import json
import os
import struct
import subprocess
import sys
import time
from pathlib import Path

LIMIT = 1024 * 1024
fault = sys.argv[1]
source, sink = sys.stdin.buffer, sys.stdout.buffer
waiting = []

if fault == "once":
    is_first = not Path(sys.argv[2]).exists()
    Path(sys.argv[2]).touch()
if fault == "prints":
    print("hello, this is my log", flush=True)
if fault == "mutters":
    print("hi", flush=True)
if fault == "parent":
    child = subprocess.Popen([sys.executable, "-S", "-E", "-c", "import time; time.sleep(60)"])
    with Path(sys.argv[2]).open("a") as children:
        children.write(f"{child.pid}\n")
if fault == "daemon" and os.fork() == 0:
    os.setsid()
    time.sleep(60)
    os._exit(0)
if fault == "mumbles":
    print("hello, this is my log, unflushed")
if fault == "arguments" and sys.argv[2].startswith("chrome-extension:"):
    sys.exit("unknown command")


def read(size):
    data = source.read(size)
    if fault == "bare" and data and len(data) < size:
        struct.unpack("=I", data[:3])
    if fault == "says" and data and len(data) < size:
        raise EOFError("the input ended inside a frame")
    if fault == "parses" and data and len(data) < size:
        json.loads("{")
    return data


def read_characters(number):
    data = source.read(number)
    while missing := number - len(data.decode("utf-8", "ignore")):
        more = source.read(missing)
        if not more:
            break
        data += more
    return data


def write(message, *, limit=LIMIT):
    if fault == "characters":
        text = json.dumps(message, ensure_ascii=False)
        text = text if len(text) <= limit else '{"error": "too large"}'
        sink.write(struct.pack("=I", len(text)) + text.encode("utf-8", "surrogatepass"))
        sink.flush()
        return
    body = message if isinstance(message, bytes) else json.dumps(message, allow_nan=fault == "nan").encode()
    if len(body) > limit and fault in ("gives up", "explains"):
        sys.exit("the answer is too large" if fault == "explains" else 1)
    if len(body) > limit and fault != "large":
        body = b'{"error": "too large"}'
    length = struct.pack("=I", len(body) + 4 * (fault == "counts itself"))
    frame = (length[::-1] if fault in ("byte order", "big endian") else length) + body + b"\n" * (fault == "lines")
    sink.write(frame.replace(b"\n", b"\r\n") if fault == "text mode" else frame)
    if fault != "hoards":
        sink.flush()


if fault == "greets":
    write("hello")
if fault == "chatters":
    while True:
        write("x" * 1000)
        time.sleep(0.001)


def leave():
    if fault == "stays":
        time.sleep(60)
    sys.exit(3 if fault == "status" else 0)


while True:
    if fault == "alone":
        # Whatever comes in one piece is taken for one frame.
        source = io.BytesIO(os.read(0, 1 << 20))
    head = read(4)
    if len(head) < 4:
        if fault == "hangs" and head:
            time.sleep(60)
        if fault == "dies" and not head:
            os.kill(os.getpid(), 9)
        leave()
    (size,) = struct.unpack("=I", head[::-1] if fault in ("reads byte order", "big endian") else head)
    if size > 100 * LIMIT:
        time.sleep(60 if fault == "believes" else 0)
        leave()
    if fault == "reads lines":
        body = source.readline()
        size = len(body)
    elif fault == "reads characters":
        body = read_characters(size)
        size = len(body)
    else:
        body = read(size)
    if len(body) < size:
        leave()
    if fault == "sizes" and size > 60000:
        body = b'"too large"'
    try:
        message = json.loads(body) if size or fault == "empty" else None
    except ValueError:
        if fault == "junk":
            time.sleep(60)
        if fault == "empty":
            raise
        if fault == "apologizes":
            write("what?")
            continue
        leave()
    if fault == "hangs at once":
        time.sleep(60)
    if fault == "null" and message is None:
        leave()
    if fault == "closes" and message is None:
        os.close(1)
        time.sleep(60)
    if fault == "names" and message != ["trio-ports", 1]:
        write(b"NaN")
    if fault == "false" and not message:
        continue
    if fault == "small" and size > 10 * LIMIT:
        leave()
    if fault == "flood" and message == 100:
        raise RecursionError("maximum call stack size exceeded")
    if fault == "changes" and message == "text":
        message = "Text"
    if fault == "swaps" and isinstance(message, int) and message == 10:
        waiting.append(message)
        continue
    if fault == "deaf":
        continue
    if fault == "shy":
        if message is None:
            leave()
        continue
    if fault == "mute" and size > LIMIT:
        time.sleep(60)
    if fault == "loses" and isinstance(message, list) and message[:1] == [500]:
        continue
    if fault == "once" and not is_first:
        time.sleep(60)
    if fault == "pong":
        if message == "ping":
            write("pong")
        continue
    if fault != "nan" and isinstance(message, list):
        message = [None if item in (float("inf"), float("-inf")) else item for item in message]
    if fault == "late" and isinstance(message, list) and len(message) == 2 and len(str(message[1])) == 2000:
        waiting.append(message)
        if len(waiting) < 60:
            continue
    write(message)
    if fault == "hangs after one":
        time.sleep(60)
    while waiting and fault == "swaps":
        write(waiting.pop())
