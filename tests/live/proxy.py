"""A TCP proxy on loopback that can be cut: every connection at once, and new ones refused until it is mended."""

import asyncio
import contextlib
from typing import Self
from urllib.parse import urlsplit


class CuttableProxy:
    """Passes bytes on to one address, until it is cut."""

    def __init__(self, host: str, port: int) -> None:
        self._target = host, port
        self._server: asyncio.Server | None = None
        self._port = 0
        self._links: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    @classmethod
    async def start(cls, target_url: str) -> Self:
        """A proxy in front of an HTTP server."""
        target = urlsplit(target_url)
        assert target.hostname is not None
        assert target.port is not None
        proxy = cls(target.hostname, target.port)
        await proxy.mend()
        return proxy

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._port}/"

    async def mend(self) -> None:
        """Take connections, again at the same port after a cut."""
        self._server = await asyncio.start_server(self._link, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Reset every connection, and refuse new ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._writers:
            writer.transport.abort()
        if self._links:
            await asyncio.wait(self._links)

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._links.add(task)
        task.add_done_callback(self._links.discard)
        self._writers.add(writer)
        try:
            there, out = await asyncio.open_connection(*self._target)
        except OSError:
            self._writers.discard(writer)
            writer.transport.abort()
            return
        self._writers.add(out)
        await asyncio.gather(_pass_on(reader, out), _pass_on(there, writer))
        for end in (writer, out):
            self._writers.discard(end)
            end.close()
            with contextlib.suppress(OSError):
                await end.wait_closed()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy until one side ends."""
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.close()
