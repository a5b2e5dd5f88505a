"""A node that becomes ready or not ten times a second, told to each server in its own way.

Ours hears it from an API server, which here is a few lines that answer a list and stream a watch. gdnsd has no such
way for records: its zone file is written again, and `gdnsdctl reload-zones` waits until that is served.
"""

import json
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from records import ZONE

NODE = 4  # not the first of its area, so that no AAAA comes and goes


class Updates:
    """Does something at a steady pace on a thread. `rate` is how often a second it really was, in the last run."""

    ready = True
    rate = 0

    @contextmanager
    def running(self, rate):
        stop = threading.Event()

        def run():
            start = due = time.monotonic()
            done = 0
            # One that takes longer than its turn delays the next, and is not made up for.
            while not stop.wait(due - time.monotonic()):
                due = max(due + 1 / rate, time.monotonic())
                self.ready = not self.ready
                self.update()
                done += 1
            self.rate = done / (time.monotonic() - start)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def settle(self, server):
        """Makes the node ready again, and checks that all this reached the answers."""
        area = server.records.nodes[NODE][1]
        for self.ready, records in ((False, 2), (True, 3)):
            self.update()
            deadline = time.monotonic() + 5
            while len(server.ask(f"{area}.{ZONE} A") or ()) != 2 + records:
                if time.monotonic() > deadline:
                    sys.exit(f"{server.label} does not follow the updates; it said:\n{server.log()}")


class Reloads(Updates):
    """gdnsd."""

    def __init__(self, server):
        self.directory = server.directory
        self.texts = {ready: server.records.zone_file(None if ready else NODE) for ready in (False, True)}

    def update(self):
        zone = self.directory / "zones" / ZONE
        new = self.directory / "zone.new"
        new.write_text(self.texts[self.ready])
        new.rename(zone)
        done = subprocess.run(["gdnsdctl", "-c", self.directory, "reload-zones"], capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"gdnsdctl reload-zones: {done.stderr}")


class FakeApi(Updates):
    """An API server of nodes: a list in one page, and watches of what happened since."""

    def __init__(self, records):
        self.records = records
        self.events = []  # the version of each is its place
        self.changed = threading.Condition()
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                query = parse_qs(urlsplit(self.path).query)
                if "watch" in query:
                    api.watch(self, int(query["resourceVersion"][0]), float(query["timeoutSeconds"][0]))
                else:
                    api.list(self)

            def log_message(self, *_):
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def kubeconfig(self, directory):
        """Writes a kubeconfig for it."""
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "race",
            "clusters": [{"name": "race", "cluster": {"server": f"http://127.0.0.1:{self.server.server_port}"}}],
            "users": [{"name": "race", "user": {}}],
            "contexts": [{"name": "race", "context": {"cluster": "race", "user": "race"}}],
        }
        path = directory / "kubeconfig"
        path.write_text(json.dumps(config))
        return path

    def node(self, i, version, ready=True):
        node = self.records.node(i, ready)
        node["metadata"]["resourceVersion"] = str(version)
        return node

    def update(self):
        with self.changed:
            version = len(self.events) + 2
            node = {"apiVersion": "v1", "kind": "Node"} | self.node(NODE, version, self.ready)
            self.events.append(json.dumps({"type": "MODIFIED", "object": node}).encode() + b"\n")
            self.changed.notify_all()

    def list(self, request):
        with self.changed:
            version = len(self.events) + 1
            items = [self.node(i, 1, self.ready or i != NODE) for i in range(len(self.records.nodes))]
        metadata = {"resourceVersion": str(version)}
        body = json.dumps({"apiVersion": "v1", "kind": "NodeList", "metadata": metadata, "items": items}).encode()
        request.send_response(200)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def watch(self, request, version, seconds):
        request.send_response(200)
        request.send_header("Content-Type", "application/json")
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        sent, end = version - 1, time.monotonic() + seconds
        try:
            while (left := end - time.monotonic()) > 0:
                with self.changed:
                    self.changed.wait_for(lambda: len(self.events) > sent, left)
                    lines = b"".join(self.events[sent:])
                    sent = len(self.events)
                if lines:
                    request.wfile.write(b"%x\r\n%s\r\n" % (len(lines), lines))
            request.wfile.write(b"0\r\n\r\n")
        except OSError:
            request.close_connection = True  # the client has gone
