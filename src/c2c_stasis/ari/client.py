"""asyncari's client, used at its seams: its generated operations, but our transport and our reader."""

import asyncio
import logging
import re
from collections.abc import Callable
from typing import Any, Literal
from urllib.parse import urljoin

import aiohttp
import anyio
import msgspec
from asyncari.client import Client as AsyncariClient

from c2c_stasis.ari.translate import NotUnderstood
from c2c_stasis.ari.transport import Transport
from c2c_stasis.arilog import AriLog
from c2c_stasis.ids import call_of, is_leg_id

logger = logging.getLogger(__name__)

RawEvent = dict[str, Any]

AT_A_TIME = 0.01  # seconds of reading, after which everybody else has a turn: a burst must not keep calls waiting
TOLD_EVERY = 60.0  # seconds in which so many events that are not understood are told; of the others their number
MOST_TOLD = 20

_decode_utf8 = msgspec.json.Decoder(RawEvent).decode
_NO_EVENT = (msgspec.DecodeError, RecursionError, NotUnderstood)
_TYPE = re.compile(r"[A-Za-z]{1,40}")


class Client(AsyncariClient):  # type: ignore[misc]  # asyncari has no types
    """One connection's client. `ended` is set when its event socket is gone; then a new client is built.

    Overridden is the reader: asyncari's sends each event through streams and object caches, and dies of a slow consumer.
    """

    def __init__(
        self,
        task_group: anyio.abc.TaskGroup,
        base_url: str,
        apps: list[str],
        transport: Transport,
        hear: Callable[[RawEvent], None],
        log: AriLog,
    ) -> None:
        super().__init__(task_group, urljoin(base_url, "/"), apps, transport)
        self._hear = hear
        self._log = log
        self._complaints = Complaints()
        self.ended = anyio.Event()

    async def _run(self, evt: anyio.Event | None = None) -> None:
        socket: aiohttp.ClientWebSocketResponse[Literal[False]] = await self.swagger.events.eventWebsocket(
            app=",".join(self._apps), subscribeAll=False
        )
        self.websockets.add(socket)
        if evt is not None:
            evt.set()
        now = asyncio.get_running_loop().time
        pause_at = 0.0
        try:
            async for message in socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    self._take(message.data)
                if now() >= pause_at:  # what is there already is given without a pause
                    await asyncio.sleep(0)
                    pause_at = now() + AT_A_TIME
        finally:
            self.websockets.discard(socket)
            self.ended.set()
            with anyio.CancelScope(shield=True):
                await socket.close()

    def _take(self, message: bytes) -> None:
        """Hand one event over; a bad one is logged and passed by, because the reader must live."""
        event: RawEvent | None = None
        try:
            event = _decode(message)
            if self._log.on:
                self._log.event(event, len(message))
            self._hear(event)
        except Exception as error:
            if event is None and self._log.on:
                self._log.event(message.decode("utf-8", "replace"), len(message))
            self._complaints.tell(error, event)


def _decode(message: bytes) -> RawEvent:
    """The event in these bytes. A name that is no UTF-8 must not keep us from hearing that somebody hung up."""
    try:
        return _decode_utf8(message)
    except UnicodeDecodeError:
        return _decode_utf8(message.decode("utf-8", "replace"))


class Complaints:
    """Tells of events that are not understood; not of each, when there are many: they may come faster than a disk fills."""

    def __init__(self) -> None:
        self._since = 0.0
        self._told = 0
        self._untold = 0

    def tell(self, error: Exception, event: RawEvent | None) -> None:
        """An event was passed by, for this reason: it is none, or our own code failed."""
        now = asyncio.get_running_loop().time()
        if not self._told or now - self._since >= TOLD_EVERY:
            self._since, self._told = now, 0
        if self._told >= MOST_TOLD:
            self._untold += 1
            return
        self._told += 1
        extra = _about(event) | ({"others": self._untold} if self._untold else {})
        self._untold = 0
        if isinstance(error, _NO_EVENT):
            logger.warning("event from Asterisk not understood", extra=extra | {"error": str(error)})
        else:
            logger.error("event from Asterisk not understood", extra=extra, exc_info=error)


def _about(event: RawEvent | None) -> dict[str, object]:
    """What may be told of an event: its type and its leg. The rest holds names, numbers, and what somebody put there."""
    if event is None:
        return {"event": "none"}
    about: dict[str, object] = {
        "event": kind if isinstance(kind := event.get("type"), str) and _TYPE.fullmatch(kind) else "?"
    }
    channel = event.get("channel", event.get("peer"))
    channel_id = channel.get("id") if isinstance(channel, dict) else None
    if isinstance(channel_id, str) and is_leg_id(channel_id):
        about |= {"channel": channel_id, "call_id": call_of(channel_id)}
    return about
