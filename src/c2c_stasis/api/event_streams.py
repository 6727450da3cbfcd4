"""Streams of events: each client at its place in the numbered events of an account.

A stream is only a place. What comes next is either just committed, and handed to all streams that stand right before it, or it
is read from the store. So a stream that was away, or slow, or was not told, goes on without gap or repeat, and nothing waits
for it in memory but what its connection holds.
"""

import asyncio
import contextlib
import socket
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from c2c_stasis.api import event_frames
from c2c_stasis.api.port import Service
from c2c_stasis.api.protocol import Protocol
from c2c_stasis.directory.model import Account
from c2c_stasis.errors import Stopping, StoreUnavailable
from c2c_stasis.ids import AccountId
from c2c_stasis.ports import EventFilter, EventPage, NumberedEvent

BEAT = 15.0  # seconds between two comments; with each, the credential is looked at again
WRITE_WITHIN = 10.0  # seconds in which a client must take what it was sent
SEND_BUFFER = 65_536  # bytes in the kernel for a stream, which else keeps megabytes for a client that sleeps
READERS = 2  # streams that read from the store at a time: its third connection stays for all others
AT_ONCE = 100  # streams that are served before everybody else has a turn; 100 take a millisecond or two
GATHER = (
    0.015  # seconds in which news are gathered for more streams than that: each write costs the same, much or little
)

Read = Callable[["Stream"], Awaitable[EventPage]]
Check = Callable[[], float | None]
"""Looks at the credential of a stream: until when it counts (Unix seconds), as far as is known. Raises `Cut`."""


class Cut(Exception):
    """We end a stream; the text tells the client why."""


class Gone(Exception):
    """The client left."""


class Stalled(Gone):
    """The client is there, as far as anybody knows, and takes nothing."""


class Batch:
    """Events that follow each other. What a filter lets pass is put together once, for all streams that have this filter."""

    def __init__(self, events: Sequence[NumberedEvent]) -> None:
        self.first, self.last = events[0].number, events[-1].number
        self._events = tuple(events)
        self._frames: dict[EventFilter, bytes] = {}

    def frames(self, wanted: EventFilter) -> bytes:
        """The bytes for a stream with this filter."""
        found = self._frames.get(wanted)
        if found is None:
            found = self._frames[wanted] = event_frames.joined(self._events, wanted)
        return found


class News:
    """What was committed for one account since its streams were told last."""

    def __init__(self) -> None:
        self._events: list[NumberedEvent] = []
        self._unknown = False  # whether something was committed of which we do not know what

    def add(self, events: Sequence[NumberedEvent]) -> None:
        """Add the events of one commit; without any, it is not known which they were."""
        if not events or (self._events and events[0].number != self._events[-1].number + 1):
            self._unknown = True
        self._events += events

    def batches(self) -> list["Batch | None"]:
        """What each stream is told of it."""
        batch = [Batch(self._events)] if self._events else []
        return [None, *batch] if self._unknown else [*batch]


class Stream:
    """One client. `at` is its place: what has a number up to this was sent, or is not wanted."""

    def __init__(self, request: web.Request, wanted: EventFilter) -> None:
        if request.transport is None:
            raise Gone
        assert isinstance(request.protocol, Protocol)
        self.at = 0
        self.wanted = wanted
        self._protocol = request.protocol
        self._transport = request.transport
        self._live = False  # whether it is handed what is committed; else it reads by itself
        self._heard = 0  # the newest number of which it was told
        self._look = False  # whether something was committed of which it was not told
        self._cut = ""
        self._woken = asyncio.Event()
        self._protocol.when_lost = self._woken.set

    def push(self, batch: Batch | None) -> None:
        """Send what was just committed, if the stream stands right before it; without a batch, let it look for itself."""
        if batch is None:
            self._look = True
        elif not self._live:
            self._heard = batch.last
            return
        elif batch.last <= self.at:
            return
        elif batch.first == self.at + 1 and not self._protocol.writing_paused:
            frames = batch.frames(self.wanted)
            if not frames or self._written(frames):
                self.at = batch.last
                return
        self._live = False
        self._woken.set()

    def _written(self, frames: bytes) -> bool:
        """Hand these to the connection, if there still is one."""
        if self._transport.is_closing():
            return False
        try:
            self._transport.write(frames)
        except RuntimeError:  # uvloop's word for a connection that was closed a moment ago, and has not told so yet
            return False
        return True

    def end(self, reason: str) -> None:
        """Let it end; at once if the client takes nothing, for it would not hear the reason either."""
        self._cut = reason
        if self._protocol.writing_paused:
            self._transport.abort()
        self._woken.set()

    async def run(self, writer: AbstractStreamWriter, page: EventPage, read: Read, check: Check) -> str:
        """Serve the client, first this page, until it is gone, its credential is, or `end` was called; gives the reason."""
        self._writer = writer
        _bound_buffers(self._transport)
        beat_at = time.monotonic() + BEAT
        try:
            ends_at = check()
            await self._catch_up(page, read)
            await self._send(event_frames.LIVE)
            while True:
                await self._rest(beat_at, ends_at)
                if not self._live:
                    await self._drained()
                    await self._catch_up(await self._read(read), read)
                if time.monotonic() >= beat_at:
                    await self._send(event_frames.HEARTBEAT)
                    beat_at = time.monotonic() + BEAT
                    ends_at = check()
                elif ends_at is not None and time.time() >= ends_at:
                    ends_at = check()
        except Cut as cut:
            with contextlib.suppress(Gone):
                await self._send(event_frames.closed(str(cut)))
            return str(cut)
        except Gone as gone:
            self._transport.abort()
            return self._cut or ("stalled" if isinstance(gone, Stalled) else "left")
        finally:
            self._live = False

    async def _catch_up(self, page: EventPage, read: Read) -> None:
        """Send what comes next until nothing does; from then on the stream is live."""
        while True:
            frames = event_frames.joined(page.events, self.wanted)
            if page.lost is not None:
                reason = event_frames.UNKNOWN if self.at > page.last else event_frames.TOO_OLD
                frames = event_frames.reset(page.lost, reason) + frames
            await self._send(frames)
            self.at = page.upto
            if self.at >= page.last and self._heard <= page.last and not self._look:
                self._live = True  # nothing was awaited since these were compared: what is committed now is pushed
                return
            page = await self._read(read)

    async def _read(self, read: Read) -> EventPage:
        self._require_wanted()
        try:
            return await read(self)
        except StoreUnavailable as error:
            raise Cut("unavailable") from error

    def about_to_look(self) -> None:
        """What was committed until now will be seen."""
        self._look = False

    async def _rest(self, beat_at: float, ends_at: float | None) -> None:
        """Wait until there is something to do."""
        left = beat_at - time.monotonic()
        if ends_at is not None:
            left = min(left, ends_at - time.time())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, left)):
                await self._woken.wait()
        self._woken.clear()
        self._require_wanted()

    def _require_wanted(self) -> None:
        if self._transport.is_closing():
            raise Gone
        if self._cut:
            raise Cut(self._cut)

    async def _send(self, frames: bytes) -> None:
        if not self._written(frames):
            raise Gone
        await self._drained()

    async def _drained(self) -> None:
        """Wait until the client takes what it was sent. Raises `Gone` when it does not."""
        try:
            async with asyncio.timeout(WRITE_WITHIN):
                await self._writer.drain()
        except TimeoutError as error:
            raise Stalled from error
        except ConnectionError as error:
            raise Gone from error


class Streams:
    """All streams of the service, by account."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._streams: dict[AccountId, dict[Stream, None]] = {}
        self._deaf: dict[AccountId, Callable[[], None]] = {}  # what ends that we hear of an account
        self._reading = asyncio.Semaphore(READERS)
        self._news: dict[AccountId, News] = {}  # what was committed and is not handed out yet
        self._round: list[Stream] = []  # who is still to be told in this round
        self._told: list[Batch | None] = []
        self._stopping = False

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(map(len, self._streams.values()))

    @contextmanager
    def joined(self, account: Account, stream: Stream) -> Iterator[None]:
        """The time in which a stream is told what is committed. Raises `Stopping` once all streams are being ended."""
        if self._stopping:
            raise Stopping
        self._join(account, stream)
        try:
            yield
        finally:
            self._leave(account, stream)

    def _join(self, account: Account, stream: Stream) -> None:
        if account.id not in self._streams:
            self._streams[account.id] = {}
            self._deaf[account.id] = self._service.listen(account, lambda events: self._heard(account.id, events))
        self._streams[account.id][stream] = None

    def _leave(self, account: Account, stream: Stream) -> None:
        streams = self._streams[account.id]
        del streams[stream]
        if not streams:
            del self._streams[account.id]
            self._deaf.pop(account.id)()

    async def first(self, account: Account, stream: Stream, after: int | None) -> EventPage:
        """What comes first for a stream, which has its place from now on. Raises `StoreUnavailable`."""
        async with self._reading:
            page = await self._service.events_after(account, after, stream.wanted)
        stream.at = page.upto if after is None else after
        return page

    async def next(self, account: Account, stream: Stream) -> EventPage:
        """What comes next for a stream. Raises `StoreUnavailable`."""
        async with self._reading:
            stream.about_to_look()
            return await self._service.events_after(account, stream.at, stream.wanted)

    async def close(self, _app: web.Application) -> None:
        """End all streams; for the shutdown of the server."""
        self._stopping = True
        for streams in self._streams.values():
            for stream in streams:
                stream.end("stopping")

    def _heard(self, account_id: AccountId, events: Sequence[NumberedEvent]) -> None:
        resting = not self._news and not self._round
        self._news.setdefault(account_id, News()).add(events)
        if resting:
            self._begin_round()

    def _begin_round(self) -> None:
        loop = asyncio.get_running_loop()
        if self.count > AT_ONCE:
            loop.call_later(GATHER, self._hand_out)
        else:
            loop.call_soon(self._hand_out)

    def _hand_out(self) -> None:
        """Serve some streams, and the others after everybody else had a turn: many streams must not hold up calls.

        What is committed meanwhile is handed out in the next round, in one piece: the more there is, the less each event costs.
        """
        if not self._round:
            account_id = next(iter(self._news))
            self._told = self._news.pop(account_id).batches()
            self._round = list(self._streams.get(account_id, ()))
        turn = self._round[:AT_ONCE]
        del self._round[:AT_ONCE]
        if self._round:
            asyncio.get_running_loop().call_soon(self._hand_out)
        elif self._news:
            self._begin_round()
        for stream in turn:
            for batch in self._told:
                stream.push(batch)


STREAMS = web.AppKey("streams", Streams)


def _bound_buffers(transport: asyncio.Transport) -> None:
    """Let little pile up for a client that sleeps, and notice soon one that is unplugged."""
    connection = transport.get_extra_info("socket")
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(WRITE_WITHIN * 1000))
