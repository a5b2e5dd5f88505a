#!/usr/bin/env python3
"""Makes docs/terminal.png: the start of the daemon on a terminal, as the README shows it.

What the real binary writes to a terminal (util-linux' `script` gives it one) becomes a page of a few lines of HTML, of
which Debian's chromium takes a picture: `just terminal`.
"""

import html
import os
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zlib

BINARY = "target/debug/k8s-node-dns"
FLAGS = ("--zone lb.example.test --soa-ns ns1.lb.example.test:127.0.0.1 --soa-email admin@example.test "
         "--cluster-file deploy/examples/home-and-cloud.yaml --bind 127.0.0.1 --port 5300")
LAST = "is being served"  # what the last line of the start has in it
COLOURS = {"31": "#f47067", "32": "#57ab5a", "33": "#c69026", "34": "#539bf5", "35": "#b083f0", "36": "#39c5cf"}
COLUMNS, WIDTH = 112, 960


def started():
    """What it writes to a terminal until it serves."""
    with tempfile.NamedTemporaryFile() as log:
        environment = {"PATH": os.environ["PATH"], "TERM": "xterm-256color"}
        command = ["script", "-qefc", f"stty cols {COLUMNS}; exec {BINARY} {FLAGS}", log.name]
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        for _ in range(500):
            time.sleep(0.02)
            text = open(log.name, encoding="utf-8").read()
            if LAST in text and text.endswith("\n"):
                break
        # The daemon itself, not `script`, which would leave a word about it.
        daemon = open(f"/proc/{process.pid}/task/{process.pid}/children", encoding="utf-8").read().split()
        for child in map(int, daemon):
            os.kill(child, signal.SIGTERM)
        process.wait()
    if LAST not in text:
        sys.exit(f"it did not start:\n{text}")
    lines = text.replace("\r", "").splitlines()
    return [line for line in lines if line and not line.startswith("Script ")]


def coloured(line):
    """A line with its colours as HTML."""
    parts = re.split(r"\x1b\[([0-9;]*)m", line)
    out = html.escape(parts[0])
    for codes, text in zip(parts[1::2], parts[2::2]):
        style = []
        for code in codes.split(";"):
            if code in COLOURS:
                style.append(f"color:{COLOURS[code]}")
            style += {"1": ["font-weight:bold"], "2": ["opacity:.6"], "90": ["opacity:.6"]}.get(code, [])
        out += f'<span style="{";".join(style)}">{html.escape(text)}</span>'
    return out


def squeezed(png):
    """The same picture with a palette: chromium writes four bytes a pixel, and text needs few colours."""
    chunks, at = {}, 8
    while at < len(png):
        length, name = struct.unpack(">I4s", png[at:at + 8])
        chunks[name] = chunks.get(name, b"") + png[at + 8:at + 8 + length]
        at += 12 + length
    width, height, _, kind = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    size, raw = {2: 3, 6: 4}[kind], zlib.decompress(chunks[b"IDAT"])
    above, colours, rows = bytearray(width * size), {}, b""
    for start in range(0, len(raw), width * size + 1):
        method, row = raw[start], bytearray(raw[start + 1:start + 1 + width * size])
        for i in range(len(row)):
            left, up, corner = (row[i - size], above[i], above[i - size]) if i >= size else (0, above[i], 0)
            guess = left + up - corner
            paeth = min((left, up, corner), key=lambda near: abs(guess - near))
            row[i] = (row[i] + (0, left, up, (left + up) // 2, paeth)[method]) & 255
        pixels = (bytes(value & 0xf0 | value >> 4 for value in row[i:i + 3]) for i in range(0, len(row), size))
        rows += b"\0" + bytes(colours.setdefault(pixel, len(colours)) for pixel in pixels)
        above = row

    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0))
    return png[:8] + head + chunk(b"PLTE", b"".join(colours)) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


def main():
    command = html.escape(FLAGS)
    for flag in ("--soa-ns", "--cluster-file"):
        command = command.replace(f" {flag}", f" &#92;\n    {flag}")
    lines = [f"<b>$ k8s-node-dns {command}</b>"]
    lines += [coloured(line) for line in started()]
    page = ("<!doctype html><meta charset=utf-8><style>html,body{margin:0;background:#22272e;color:#cdd9e5}"
            "pre{margin:0;padding:14px 16px;font:13px/1.5 'DejaVu Sans Mono',monospace;white-space:pre-wrap;"
            "overflow-wrap:anywhere}b{color:#fff}</style><pre>" + "\n".join(lines) + "</pre>")
    # A row is 19.5 pixels; long lines take two.
    rows = 2 + sum(1 + len(re.sub(r"\x1b\[[0-9;]*m", "", re.sub("<[^>]*>", "", line))) // (COLUMNS + 6) for line in lines)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "terminal.html")
        open(path, "w", encoding="utf-8").write(page)
        subprocess.run(["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-lcd-text",
                        f"--user-data-dir={folder}/profile", f"--window-size={WIDTH},{int(rows * 19.5) + 28}",
                        f"--screenshot={os.path.abspath('docs/terminal.png')}", f"file://{path}"],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "HOME": folder})
    with open("docs/terminal.png", "rb+") as picture:
        small = squeezed(picture.read())
        picture.seek(0)
        picture.truncate()
        picture.write(small)
    print(f"docs/terminal.png: {os.path.getsize('docs/terminal.png')} bytes")


if __name__ == "__main__":
    main()
