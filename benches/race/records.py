"""The records that everybody serves, in the form that each wants, and the questions about them."""

import json
import random

ZONE = "race.test"
KEYS = ("k8s.pootis.network/node-areas", "k8s.pootis.network/node-ips")


class Records:
    """Areas of `area_nodes` nodes with an A each, the first with an AAAA as well."""

    def __init__(self, nodes, area_nodes=3):
        self.nodes = []
        for i in range(nodes):
            addresses = [f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}"] + [f"fd00::{i:x}"] * (i % area_nodes == 0)
            self.nodes.append((f"node-{i}", f"area-{i // area_nodes}", addresses))
        self.areas = sorted({area for _, area, _ in self.nodes})

    def node(self, i, ready=True):
        """A node as the API server gives it, without its kind."""
        name, area, addresses = self.nodes[i]
        return {
            "metadata": {"name": name, "annotations": dict(zip(KEYS, (area, ",".join(addresses))))},
            "status": {"conditions": [{"type": "Ready", "status": str(ready)}]},
        }

    def cluster_file(self):
        """What `kubectl get nodes -o json` would print."""
        items = [{"apiVersion": "v1", "kind": "Node"} | self.node(i) for i in range(len(self.nodes))]
        return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})

    def zone_file(self, without=None):
        """The zone that our server makes of them by default, perhaps without the node of this index."""
        lines = [
            f"$ORIGIN {ZONE}.",
            "$TTL 30",
            "@ SOA ns1 admin 1 3600 900 604800 30",
            "@ NS ns1",
            "ns1 A 127.0.0.1",
        ]
        for i, (_, area, addresses) in enumerate(self.nodes):
            if i != without:
                lines += [f"{area} {'AAAA' if ':' in address else 'A'} {address}" for address in addresses]
        return "\n".join(lines) + "\n"

    def queries(self):
        """60 % A, 25 % AAAA, 10 % names that don't exist, 5 % SOA, in an order that is the same in each race."""
        rng = random.Random(1)
        lines = []
        for i in range(20_000):
            turn, number = divmod(i, len(self.areas))
            area = self.areas[number]
            # Not the turn alone: there are fewer than 20 of them if there are many areas.
            kind = (turn + number) % 20
            question = f"{area}.{ZONE} A"
            if kind >= 19:
                question = f"{ZONE} SOA"
            elif kind >= 17:
                question = f"missing-{area}.{ZONE} A"
            elif kind >= 12:
                question = f"{area}.{ZONE} AAAA"
            lines.append(question)
        rng.shuffle(lines)
        return "\n".join(lines) + "\n"
