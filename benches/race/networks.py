"""Asks over UDP from one address in each of 65 536 networks of loopback; dnsperf asks from one.

Arguments: port, seconds, file of questions. Prints how many replies came and how many did not. All of 127.0.0.0/8 is
this machine's, so the source of each query can be chosen (IP_PKTINFO) and the reply comes back to the one socket.
"""

import socket
import struct
import sys
import time

BATCH = 32
IP_PKTINFO = 8  # ip(7)
TYPES = {"A": 1, "SOA": 6, "AAAA": 28}


def query(number, question):
    name, rtype = question.split()
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack("!6H", number & 0xFFFF, 0, 1, 0, 0, 0) + labels + struct.pack("!BHH", 0, TYPES[rtype], 1)


def main():
    port, seconds = int(sys.argv[1]), float(sys.argv[2])
    with open(sys.argv[3]) as file:
        queries = [[query(i, line)] for i, line in enumerate(file)]
    # Neighbours in time are far apart, so that a table is not asked in the order of its memory.
    order = [(i * 40_503) & 0xFFFF for i in range(1 << 16)]
    packets = [struct.pack("!I4sI", 0, bytes([127, n >> 8, n & 255, 1]), 0) for n in order]
    sources = [[(socket.IPPROTO_IP, IP_PKTINFO, packet)] for packet in packets]
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    sock.bind(("0.0.0.0", 0))
    sock.settimeout(0.2)
    server, sent, replied = ("127.0.0.1", port), 0, 0
    send, receive, reply = sock.sendmsg, sock.recv_into, bytearray(1500)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for i in range(sent, sent + BATCH):
            send(queries[i % len(queries)], sources[i & 0xFFFF], 0, server)
        sent += BATCH
        try:
            for _ in range(BATCH):
                receive(reply)
                replied += 1
        except TimeoutError:
            continue
    print(replied, sent - replied)


if __name__ == "__main__":
    main()
