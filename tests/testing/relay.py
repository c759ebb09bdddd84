"""A program that carries bytes between its standard input and output and a socket, until either ends."""

import os
import selectors
import socket
import sys

peer = socket.socket(fileno=int(sys.argv[1]))
peer.setblocking(True)
waiting = selectors.DefaultSelector()
waiting.register(0, selectors.EVENT_READ)
waiting.register(peer, selectors.EVENT_READ)
open_ends = 2
while open_ends:
    for key, _ in waiting.select():
        if key.fileobj == 0:
            data = os.read(0, 65536)
            if data:
                peer.sendall(data)
            else:
                peer.shutdown(socket.SHUT_WR)
        else:
            data = peer.recv(65536)
            if data:
                sent = 0
                while sent < len(data):
                    sent += os.write(1, data[sent:])
            else:
                os.close(1)
        if not data:
            waiting.unregister(key.fileobj)
            open_ends -= 1
