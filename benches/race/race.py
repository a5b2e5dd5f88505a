"""What the sections share: the command line's choices, the cores, a folder, and the servers that run."""

import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from report import Report
from servers import Server, compare


@dataclass
class Race:
    rounds: int
    seconds: int
    memory_seconds: int
    nodes: int
    area_nodes: int
    bind: str
    binary: Path | None
    peers: list
    cores: list
    perf: bool
    dnsperf: list
    directory: Path
    report: Report = field(default_factory=Report)
    files: dict = field(default_factory=dict)

    @contextmanager
    def servers(self, *entries):
        """Starts them and waits until all give the same answers; ends them in the end."""
        with ExitStack() as stack:
            servers = []
            for entry in entries:
                directory = self.directory / str(len(self.files))
                self.files[directory] = None  # a name is used once
                servers.append(Server(entry, directory, self.cores))
                stack.callback(servers[-1].end)
            for server in servers:
                server.wait()
            compare(servers)
            yield servers

    def queries(self, records):
        """The file with the questions about these records."""
        if id(records) not in self.files:
            path = self.directory / f"queries-{len(self.files)}"
            path.write_text(records.queries())
            self.files[id(records)] = path
        return self.files[id(records)]

    def each_round(self, servers):
        """Every server once a round, in turn; every other round backwards, so that nobody always follows the same."""
        for turn in range(self.rounds):
            self.progress(f"round {turn + 1} of {self.rounds}")
            yield from servers if turn % 2 == 0 else reversed(servers)
        self.progress()

    @staticmethod
    def progress(text=""):
        if sys.stderr.isatty():
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
