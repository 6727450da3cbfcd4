"""HTTP as bytes on a socket: nothing is made right on the way."""

import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from typing import Any

ANSWERS_WITHIN = 20.0  # seconds; the slowest deadline of the service is 10
SILENCE = 0.15  # seconds in which nothing more comes: that was all


@dataclass(frozen=True)
class Response:
    """One response as it came."""

    status: int
    headers: dict[str, str]  # by their names in small letters
    body: bytes

    def json(self) -> Any:
        """Its body."""
        return json.loads(self.body)


@dataclass
class Exchange:
    """All that came back over one connection, and whether the server closed it."""

    responses: list[Response] = field(default_factory=list)
    closed: bool = False
    rest: bytes = b""  # what is no whole response


async def exchange(
    host: str, port: int, *parts: bytes, pause: float = 0.0, leave: bool = False, only: int = 0, head: bool = False
) -> Exchange:
    """Send these parts, with a pause after each; then read until the server closes, or all is silent after a response.

    `leave` closes the connection at once instead. `only` reads that many responses and no more. `head` expects no bodies.
    """
    reader, writer = await asyncio.open_connection(host, port)
    found = Exchange()
    # While we send: a server that has had enough answers and closes, and what is sent after that makes the answer vanish.
    reading = asyncio.create_task(_read(reader, found, only, head, patient=len(parts) > 1))
    try:
        with contextlib.suppress(ConnectionError):
            for part in parts:
                writer.write(part)
                await writer.drain()
                if pause:
                    await asyncio.sleep(pause)
        if leave:
            reading.cancel()
        else:
            await reading
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    return found


async def _read(reader: asyncio.StreamReader, found: Exchange, only: int, head: bool, patient: bool) -> None:
    give_up = asyncio.get_running_loop().time() + ANSWERS_WITHIN
    while not only or len(found.responses) < only:
        done = bool(found.responses) and not found.rest and not patient
        try:
            async with asyncio.timeout(SILENCE if done else give_up - asyncio.get_running_loop().time()):
                data = await reader.read(65_536)
        except TimeoutError:
            return
        except ConnectionError:  # a reset is a close: what we sent was not wanted
            data = b""
        if not data:
            found.closed = True
            return
        found.rest += data
        while (one := _first(found.rest, head)) is not None:
            response, found.rest = one
            if response.status != 100:
                found.responses.append(response)


def _first(buffer: bytes, head: bool) -> tuple[Response, bytes] | None:
    """The first whole response, and what follows it."""
    start, mark, rest = buffer.partition(b"\r\n\r\n")
    if not mark:
        return None
    line, *fields = start.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in fields)}
    length = 0 if head else int(headers.get("content-length", "0"))
    if len(rest) < length:
        return None
    return Response(int(line.split(" ")[1]), headers, rest[:length]), rest[length:]
