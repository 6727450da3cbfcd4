"""What carries a phone's SIP: a UDP port, or one TCP or TLS connection to its server (RFC 3261 §18, RFC 5626)."""

import asyncio
import contextlib
import logging
import re
import socket
import ssl
from collections.abc import Callable
from typing import Protocol

from c2c_stasis.lab.addresses import Address

logger = logging.getLogger(__name__)

Take = Callable[[bytes, Address], None]

_READ_BURST = 64  # datagrams taken before the event loop has its turn
_BUFFER = 4 * 1024 * 1024  # bytes of socket buffer: a burst of INVITEs must not be lost
_LENGTH = re.compile(rb"^(?:content-length|l)[ \t]*:[ \t]*(\d+)", re.IGNORECASE | re.MULTILINE)


class Wire(Protocol):
    """A way to the other side; `take` is given each message that comes, with the address it came from."""

    take: Take
    name: str
    """As in Via: UDP, TCP or TLS."""

    @property
    def address(self) -> Address:
        """Our end of it."""

    @property
    def closed(self) -> bool:
        """True after `close`."""

    def send(self, data: bytes, peer: Address) -> None:
        """Send one message; a full socket buffer loses it, as any network may."""

    async def close(self) -> None:
        """Give it back."""


def nobody(data: bytes, peer: Address) -> None:
    """Take a message that came before anybody listened, and let it go."""


class UdpWire:
    """One UDP port; raises `OSError` when it is taken."""

    name = "UDP"

    def __init__(self, host: str, port: int) -> None:
        self.take: Take = nobody
        self._loop = asyncio.get_running_loop()
        self._socket = open_socket(host, port, buffer=_BUFFER)
        self._address: Address = self._socket.getsockname()
        self._loop.add_reader(self._socket, self._read)

    @property
    def address(self) -> Address:
        """Where we listen."""
        return self._address

    @property
    def closed(self) -> bool:
        """True after `close`."""
        return self._socket.fileno() < 0

    def send(self, data: bytes, peer: Address) -> None:
        """Send one datagram."""
        with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
            self._socket.sendto(data, peer)

    async def close(self) -> None:
        """Give the port back."""
        if not self.closed:
            self._loop.remove_reader(self._socket)
            self._socket.close()

    def _read(self) -> None:
        for _ in range(_READ_BURST):
            if self.closed:
                return
            try:
                data, peer = self._socket.recvfrom(65535)
            except (BlockingIOError, ConnectionRefusedError):
                return
            self.take(data, peer)


class StreamWire(asyncio.Protocol):
    """One connection to a server, TCP or TLS; a phone behind it is reached over nothing else."""

    def __init__(self, name: str) -> None:
        self.take: Take = nobody
        self.name = name
        self._buffer = b""
        self._transport: asyncio.Transport | None = None
        self._gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._address = self._peer = ("", 0)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note both ends."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._address = transport.get_extra_info("sockname")[:2]
        self._peer = transport.get_extra_info("peername")[:2]

    def data_received(self, data: bytes) -> None:
        """Give on every message that is whole (RFC 3261 §18.3)."""
        self._buffer += data
        while (message := self._next_message()) is not None:
            self.take(message, self._peer)

    def _next_message(self) -> bytes | None:
        self._buffer = self._buffer.lstrip(b"\r\n")  # keep-alives
        head, gap, _ = self._buffer.partition(b"\r\n\r\n")
        if not gap:
            return None
        length = _LENGTH.search(head)
        end = len(head) + 4 + (int(length[1]) if length else 0)
        if len(self._buffer) < end:
            return None
        message, self._buffer = self._buffer[:end], self._buffer[end:]
        return message

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that it is over."""
        if exc is not None:
            logger.info("connection lost", extra={"peer": self._peer, "error": str(exc)})
        self._transport = None
        if not self._gone.done():
            self._gone.set_result(None)

    @property
    def address(self) -> Address:
        """Our end of the connection."""
        return self._address

    @property
    def closed(self) -> bool:
        """True after `close`, or when the server has ended it."""
        return self._transport is None

    def send(self, data: bytes, peer: Address) -> None:  # noqa: ARG002 there is only one way
        """Send one message over the connection, wherever it is for; lost when the connection is gone."""
        if self._transport is not None:
            self._transport.write(data)

    async def close(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.abort()
            await self._gone


async def open_wire(kind: str, local: Address, server: Address | None) -> Wire:
    """A `udp` port, or a `tcp` or `tls` connection to the server, whose certificate is not looked at.

    Raises `OSError`, and `ValueError` for a connection without a server.
    """
    if kind == "udp":
        return UdpWire(*local)
    if kind not in ("tcp", "tls") or server is None:
        raise ValueError(f"no {kind} without a server" if kind in ("tcp", "tls") else f"no such transport: {kind}")
    loop = asyncio.get_running_loop()
    wire = StreamWire(kind.upper())
    # The laboratory makes its own certificate.
    context = ssl._create_unverified_context() if kind == "tls" else None  # noqa: S323 loopback
    await loop.create_connection(lambda: wire, *server, ssl=context, local_addr=local)
    return wire


def open_socket(host: str, port: int, *, buffer: int) -> socket.socket:
    """A bound UDP socket; raises `OSError` when the port is taken."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    return sock
