"""Clients of the event stream: a process of its own with many connections, which notes when each event came to each of them.

It is made to cost little, for it shares the machine with the service: plain sockets and epoll, and of each event only its
number is read. When events happened is read from the first client's copy, after all is over.
"""

import json
import re
import select
import socket
import sys
import time
from collections import defaultdict
from datetime import datetime
from typing import Any

from bench.measure import quantile
from bench.orders import settings

PIECE = 1 << 16  # bytes read at a time
AT_ONCE = 20  # connections made before their streams are waited for
LIVE = b": live\n\n"
_NUMBER = re.compile(rb"^id: (\d+)\nevent: (?:call|leg)\.", re.MULTILINE)
_MADE = re.compile(rb'^id: (\d+)\nevent: (?:call|leg)\.[a-z]+\ndata: \{[^\n]*?"created_at":"([^"]+)"', re.MULTILINE)

Came = dict[int, list[float]]


def opened(job: dict[str, Any]) -> list[socket.socket]:
    """So many clients, each at the place where its stream is live. Raises `RuntimeError` when one is not let in."""
    request = f"GET /v1/events HTTP/1.1\r\n{job['head']}\r\n".encode()
    clients: list[socket.socket] = []
    while len(clients) < job["clients"]:
        new = [socket.create_connection((job["host"], job["port"])) for _ in range(AT_ONCE)]
        for client in new:
            client.settimeout(10)
            client.sendall(request)
        for client in new:
            greeting = b""
            while not greeting.endswith(LIVE):
                piece = client.recv(PIECE)
                if not piece:
                    raise RuntimeError(f"not let in: {greeting[:200]!r}")
                greeting += piece
            client.setblocking(False)
        clients += new
    return clients


def listen(clients: list[socket.socket]) -> tuple[Came, bytes]:
    """When each event came to each client, and all that the first client got, until we are told to stop."""
    came: Came = defaultdict(list)
    first = clients[0].fileno()
    copy = bytearray()
    rests: dict[int, bytes] = {}
    by_descriptor = {client.fileno(): client for client in clients}
    poll = select.epoll()
    poll.register(sys.stdin.fileno(), select.EPOLLIN)
    for descriptor in by_descriptor:
        poll.register(descriptor, select.EPOLLIN)
    while True:
        for descriptor, _ in poll.poll():
            client = by_descriptor.get(descriptor)
            if client is None:
                return came, bytes(copy)
            data = client.recv(PIECE)
            now = time.time()
            if descriptor == first:
                copy += data
            if descriptor in rests or data.find(b"\n\n") != len(data) - 2 or not data.startswith(b"id: "):
                data = rests.pop(descriptor, b"") + data  # several events, a comment, or a part of one
                whole, _, rest = data.rpartition(b"\n\n")
                if rest:
                    rests[descriptor] = rest
                for number in _NUMBER.findall(whole):
                    came[int(number)].append(now)
            else:
                came[int(data[4 : data.index(b"\n")])].append(now)


def main() -> None:
    """Connect, say so, and tell at the end how long events were under way, in milliseconds."""
    job: dict[str, Any] = settings()
    clients = opened(job)
    print(json.dumps(len(clients)), flush=True)
    came, copy = listen(clients)
    made = {int(number): datetime.fromisoformat(moment.decode()).timestamp() for number, moment in _MADE.findall(copy)}
    took = [now - made[number] for number, moments in came.items() for now in moments]
    spread = [max(moments) - min(moments) for moments in came.values()]
    told = {
        "events": len(made),
        "incomplete": sum(len(moments) != len(clients) for moments in came.values()),
        "deliveries": len(took),
        "p50": quantile(took, 0.5),
        "p99": quantile(took, 0.99),
        "most": quantile(took, 1),
        "first_p99": quantile([min(moments) - made[number] for number, moments in came.items()], 0.99),
        "spread_p99": quantile(spread, 0.99),
    }
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
