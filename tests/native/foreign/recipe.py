"""An echo as the documentation of native messaging describes it: read four bytes, then so many; print the same."""

import json
import struct
import sys


def get_message():
    raw_length = sys.stdin.buffer.read(4)
    if len(raw_length) == 0:
        sys.exit(0)
    length = struct.unpack("@I", raw_length)[0]
    return json.loads(sys.stdin.buffer.read(length).decode("utf-8"))


def send_message(message):
    content = json.dumps(message, separators=(",", ":")).encode("utf-8")
    sys.stdout.buffer.write(struct.pack("@I", len(content)))
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


while True:
    send_message(get_message())
