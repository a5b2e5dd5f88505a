"""A flood of TCP connections: many at once, half of them slow, the others asking and never reading.

Arguments: address to come from, port to go to, connections. Prints a line when that many were opened; what the server
closes is then opened again. Ends when its standard input does, and prints how many it opened in all, and how many of
them are open still.
"""

import contextlib
import errno
import os
import resource
import select
import socket
import struct
import sys
import time
from pathlib import Path

QUESTION = b"\x06area-0\x04race\x04test\x00\x00\x01\x00\x01"


def query():
    message = struct.pack("!6H", 1, 0, 1, 0, 0, 0) + QUESTION
    return struct.pack("!H", len(message)) + message


class Crowd:
    """The connections: by descriptor, whether each is slow, and how much of its query it has sent."""

    def __init__(self, source, port, count):
        self.source, self.port, self.count = source, port, count
        self.open, self.opened, self.epoll = {}, 0, select.epoll()

    def connect(self):
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # ports are free again at once
        sock.bind((self.source, 0))
        sock.connect_ex(("127.0.0.1", self.port))
        slow = self.opened % 2 == 0
        self.opened += 1
        self.open[sock.fileno()] = [sock, slow, 0]
        # Who never reads learns of a reset all the same; the slow ones have nothing to read.
        self.epoll.register(sock, select.EPOLLRDHUP | (0 if slow else select.EPOLLOUT))

    def serve(self, seconds):
        """Lets those that never read send while they can; forgets those that were closed."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            for descriptor, events in self.epoll.poll(left, 256):
                if events & (select.EPOLLERR | select.EPOLLHUP | select.EPOLLRDHUP):
                    self.forget(descriptor)
                elif events & select.EPOLLOUT:
                    sock, _, sent = self.open[descriptor]
                    # A hundred queries each: more replies than they have room for is what makes them a burden.
                    if sent < 100:
                        self.send(descriptor, query() * 10, 10)
                    else:
                        self.epoll.modify(sock, select.EPOLLRDHUP)

    def send(self, descriptor, octets, sent):
        try:
            self.open[descriptor][0].send(octets)
            self.open[descriptor][2] += sent
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.ENOTCONN):
                self.forget(descriptor)

    def trickle(self):
        """A byte from each slow one: the length first, then a query that never ends."""
        for descriptor, (_, slow, sent) in list(self.open.items()):
            if slow:
                self.send(descriptor, b"\x00\xff"[sent : sent + 1] or b"x", 1)

    def forget(self, descriptor):
        self.open.pop(descriptor)[0].close()


def main():
    source, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(count + 100, hard)), hard))
    # Whoever measures comes first: it is the server that is to be slowed, not its other clients.
    # Its session is a group of its own for the scheduler (sched(7), autogroup), which has its own niceness.
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        Path("/proc/self/autogroup").write_text("19")
    crowd = Crowd(source, port, count)
    for _ in range(count):
        try:
            crowd.connect()
        except OSError as error:
            sys.exit(f"only {crowd.opened} connections can be opened: {error}")
    print(crowd.opened, flush=True)
    while not select.select([sys.stdin], [], [], 0)[0]:
        start = time.monotonic()
        crowd.trickle()
        while len(crowd.open) < count and time.monotonic() - start < 0.5:
            crowd.connect()
        crowd.serve(max(0.1, start + 1 - time.monotonic()))
    print(crowd.opened, len(crowd.open), flush=True)


if __name__ == "__main__":
    main()
