"""A client of the event stream, as strict as the strictest: it delivers what is framed to the byte, and fails at all else."""

import asyncio
import json
import re
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientResponse

Json = dict[str, Any]

_FRAME = re.compile(rb"(?:retry: (\d+)\n)?(?:id: (\d+)\n)?event: ([a-z.]+)\ndata: (\{[^\r\n]*\})\Z")


@dataclass(frozen=True)
class Frame:
    """One event of a stream."""

    name: str
    body: bytes
    id: int | None = None
    retry: int | None = None

    @property
    def data(self) -> Json:
        return json.loads(self.body)  # type: ignore[no-any-return]  # the form says that it is an object


class Reader:
    """Reads frames from an answer; comments are kept apart. One that is not `whole` may be cut off in the middle of a frame."""

    def __init__(self, response: ClientResponse, *, whole: bool = True) -> None:
        assert response.status == 200, response.status
        assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        self.response = response
        self._whole = whole
        self.comments: list[bytes] = []
        self.raw = b""

    async def next(self, within: float = 10.0) -> Frame | None:
        """The next event; nothing at the end of the stream."""
        while (block := await self.block(within)) is not None:
            if block.startswith(b":"):
                self.comments.append(block)
                continue
            found = _FRAME.match(block)
            assert found, f"no frame: {block!r}"
            retry, number, name, body = found.groups()
            return Frame(name.decode(), body, int(number) if number else None, int(retry) if retry else None)
        return None

    async def block(self, within: float = 10.0) -> bytes | None:
        """What stands before the next empty line."""
        async with asyncio.timeout(within):
            while b"\n\n" not in self.raw:
                more = await self.response.content.readany()
                if not more:
                    assert self.raw == b"" or not self._whole, f"the end in the middle: {self.raw!r}"
                    return None
                self.raw += more
        block, _, self.raw = self.raw.partition(b"\n\n")
        return block

    async def until_live(self) -> list[Frame]:
        """All events up to the comment that says that what follows has just happened."""
        frames: list[Frame] = []
        while b": live" not in self.comments:
            block = await self.block()
            assert block is not None
            self.raw = block + b"\n\n" + self.raw
            if block.startswith(b":"):
                self.comments.append(block)
                self.raw = self.raw[len(block) + 2 :]
            elif (frame := await self.next()) is not None:
                frames.append(frame)
        return frames

    async def take(self, count: int) -> list[Frame]:
        """So many events."""
        frames = [await self.next() for _ in range(count)]
        assert None not in frames
        return [frame for frame in frames if frame is not None]
