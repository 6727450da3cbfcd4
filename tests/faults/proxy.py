"""A TCP proxy between the service and Asterisk that spoils the line: cut, stalled or slow, requests and events apart."""

import asyncio
import contextlib
from collections.abc import Callable, Collection
from enum import StrEnum
from typing import Self
from urllib.parse import urlsplit

CHUNK = 65536


class Line(StrEnum):
    """What a connection is for."""

    REQUESTS = "requests"
    EVENTS = "events"


BOTH = tuple(Line)


class FaultProxy:
    """Passes bytes on to one address; `watch` is shown each chunk before it is passed on, to Asterisk or from it."""

    def __init__(self, host: str, port: int) -> None:
        self.watch: Callable[[bytes], None] | None = None
        self.delay = 0.0
        """Seconds by which each chunk is late."""
        self._target = host, port
        self._server: asyncio.Server | None = None
        self._port = 0
        self._cut: set[Line] = set()
        self._flowing = {line: asyncio.Event() for line in Line}
        self._writers: dict[asyncio.StreamWriter, Line] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.heal()

    @classmethod
    async def start(cls, target_url: str) -> Self:
        """A proxy in front of an HTTP server."""
        target = urlsplit(target_url)
        assert target.hostname is not None
        assert target.port is not None
        proxy = cls(target.hostname, target.port)
        proxy._server = await asyncio.start_server(proxy._link, "127.0.0.1", 0)
        proxy._port = proxy._server.sockets[0].getsockname()[1]
        return proxy

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._port}/"

    async def close(self) -> None:
        """Give everything back."""
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self, lines: Collection[Line] = BOTH) -> None:
        """Reset these connections, and refuse new ones."""
        self._cut |= set(lines)
        for writer, line in self._writers.items():
            if line in lines:
                writer.transport.abort()

    def stall(self, lines: Collection[Line] = BOTH) -> None:
        """Take everything and pass nothing on: a black hole."""
        for line in lines:
            self._flowing[line].clear()

    def heal(self) -> None:
        """Spoil nothing any more; what was stalled comes late."""
        self._cut.clear()
        self.delay = 0.0
        for flowing in self._flowing.values():
            flowing.set()

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        ends = [writer]
        try:
            # A cancelled task would be told as a fault by the streams of Python 3.11.
            with contextlib.suppress(OSError, asyncio.CancelledError):
                head = await reader.read(CHUNK)
                line = Line.EVENTS if b"upgrade: websocket" in head.lower() else Line.REQUESTS
                if head and line not in self._cut:
                    there, out = await asyncio.open_connection(*self._target)
                    ends.append(out)
                    self._writers |= dict.fromkeys(ends, line)
                    await self._both_ways(line, head, (reader, out), (there, writer))
        finally:
            for end in ends:
                self._writers.pop(end, None)
                end.transport.abort()

    async def _both_ways(
        self,
        line: Line,
        head: bytes,
        forth: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        back: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        """Copy until either side ends."""
        ways = [
            asyncio.create_task(self._copy(line, *forth, first=head)),
            asyncio.create_task(self._copy(line, *back)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _copy(
        self,
        line: Line,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        first: bytes = b"",
    ) -> None:
        with contextlib.suppress(OSError):
            while data := first or await reader.read(CHUNK):
                first = b""
                if self.delay:
                    await asyncio.sleep(self.delay)
                await self._flowing[line].wait()
                if self.watch is not None:
                    self.watch(data)
                writer.write(data)
                await writer.drain()
