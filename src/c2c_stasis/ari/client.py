"""asyncari's client, used at its seams: its generated operations, but our transport and our reader."""

import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import urljoin

import aiohttp
import anyio
import msgspec
from asyncari.client import Client as AsyncariClient

from c2c_stasis.ari.transport import Transport
from c2c_stasis.arilog import AriLog
from c2c_stasis.ids import CALL, call_of, is_id

logger = logging.getLogger(__name__)

RawEvent = dict[str, Any]

_decode = msgspec.json.Decoder(RawEvent).decode


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
        self.ended = anyio.Event()

    async def _run(self, evt: anyio.Event | None = None) -> None:
        socket: aiohttp.ClientWebSocketResponse = await self.swagger.events.eventWebsocket(
            app=",".join(self._apps), subscribeAll=False
        )
        self.websockets.add(socket)
        if evt is not None:
            evt.set()
        try:
            async for message in socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    self._take(message.data)
        finally:
            self.websockets.discard(socket)
            self.ended.set()
            with anyio.CancelScope(shield=True):
                await socket.close()

    def _take(self, text: str) -> None:
        """Hand one event over; a bad one is logged and passed by, because the reader must live."""
        event: Any = None
        try:
            event = _decode(text)
            if self._log.on:
                self._log.event(event)
            self._hear(event)
        except Exception:
            if event is None and self._log.on:
                self._log.event(text)
            logger.exception("event from Asterisk not understood", extra=_about(event))


def _about(event: Any) -> dict[str, str]:
    """What may be told of an event: its type and its channel. The rest holds names and numbers."""
    if not isinstance(event, dict):
        return {"event": type(event).__name__}
    channel = event.get("channel", event.get("peer"))
    channel_id = str(channel.get("id") if isinstance(channel, dict) else None)[:64]
    call_id = call_of(channel_id)
    about = {"event": str(event.get("type"))[:64], "channel": channel_id}
    return about | ({"call_id": call_id} if is_id(call_id, CALL) else {})
