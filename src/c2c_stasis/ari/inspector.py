"""What Asterisk is and has, asked without a call: nothing is dialled, and no application is taken over.

Asterisk 22.10.1 answers `GET /asterisk/variable` with nothing for every function (PJSIP_AOR, AST_CONFIG, DIALPLAN_EXISTS), so
functions are read through a helper channel, which is made and never dialled.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Literal
from urllib.parse import quote, urljoin

import aiohttp
import msgspec
from typeid import TypeID

from c2c_stasis.ari.devices import HELPER_ENDPOINT, HELPER_LIFETIME
from c2c_stasis.ari.transport import Transport
from c2c_stasis.errors import SwitchRefused, SwitchUnavailable

CONNECTIONS = 8  # at once; a busy Asterisk has other work
IN_STASIS_WITHIN = 2.0  # seconds from the creation of a channel until it can be given variables; 20 ms are usual
RELEASED_WITHIN = 1.0  # seconds from the end of a channel until its application has let go of it
POLL = 0.01  # seconds
LAST_WORD = "ChannelDestroyed"  # no event of a channel comes after it

FORBIDDEN, NOT_FOUND, CONFLICT, UNREADABLE = 403, 404, 409, 500


class Helper:
    """A channel that is never dialled, on which functions are read and set."""

    def __init__(self, inspector: "Inspector", channel_id: str) -> None:
        self._inspector = inspector
        self._path = f"channels/{channel_id}/variable"

    async def read(self, function: str) -> str | None:
        """The value of a function such as `PJSIP_AOR(desk,contact)`; None when Asterisk cannot read it."""
        try:
            return str((await self._inspector.get(self._path, variable=function))["value"])
        except SwitchRefused as refusal:
            if refusal.status == UNREADABLE:
                return None
            raise

    async def set(self, function: str, value: str) -> None:
        """Set a function. Asterisk says yes whatever became of it (22.10.1): read it afterwards."""
        give_up = asyncio.get_running_loop().time() + IN_STASIS_WITHIN
        while True:
            try:
                await self._inspector.ask("POST", self._path, variable=function, value=value)
            except SwitchRefused as refusal:
                # A channel may be given variables some milliseconds after it is made.
                if refusal.status != CONFLICT or asyncio.get_running_loop().time() > give_up:
                    raise
            else:
                return
            await asyncio.sleep(POLL)


class Inspector:
    """Questions to one Asterisk; `close` ends it. All raise `SwitchUnavailable` or `SwitchRefused`."""

    def __init__(self, url: str, username: str, password: str, *, timeout: float) -> None:
        self._url = url
        self._timeout = timeout
        self._transport = Transport(url, username, password, connections=CONNECTIONS, timeout=timeout)

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.shut()

    async def ask(self, method: str, path: str, **params: str) -> Any:
        """One request below /ari. Raises `ValueError` when the answer is no JSON: then nobody there speaks ARI."""
        reply = await self._transport.request(method, urljoin(self._url, f"/ari/{path}"), params)
        return reply.json()

    async def get(self, path: str, **params: str) -> Any:
        """What is there."""
        return await self.ask("GET", path, **params)

    async def may_write(self) -> bool:
        """Whether this user may change anything; asked by ending a channel that does not exist."""
        try:
            await self.ask("DELETE", f"channels/{TypeID(prefix='nobody')}")
        except SwitchRefused as refusal:
            return refusal.status != FORBIDDEN
        return True

    async def pjsip_object(self, kind: str, name: str) -> dict[str, str] | None:
        """The settings of an endpoint, an aor, a registration, wherever they are kept; None when there is none."""
        try:
            found = await self.get(f"asterisk/config/dynamic/res_pjsip/{kind}/{quote(name, safe='')}")
        except SwitchRefused as refusal:
            if refusal.status == NOT_FOUND:
                return None
            raise
        return {row["attribute"]: row["value"] for row in found}

    async def keeps(self, kind: str, name: str, settings: Mapping[str, str]) -> bool:
        """Whether Asterisk keeps a new object that it is given over ARI; it is removed at once."""
        url = urljoin(self._url, f"/ari/asterisk/config/dynamic/res_pjsip/{kind}/{quote(name, safe='')}")
        fields = [{"attribute": attribute, "value": value} for attribute, value in settings.items()]
        try:
            await self._transport.request("PUT", url, {"fields": fields})
        except SwitchRefused as refusal:
            if refusal.status == FORBIDDEN:
                return False
            raise
        await self._transport.request("DELETE", url)
        return True

    async def clock(self) -> int:
        """Asterisk's wall clock, in whole Unix seconds."""
        return int((await self.get("asterisk/variable", variable="EPOCH"))["value"])

    @asynccontextmanager
    async def helper(self) -> AsyncIterator[Helper]:
        """A helper channel in an application of its own, which ends with it; the service's application is not touched."""
        app = str(TypeID(prefix="doctor"))
        channel_id = str(TypeID(prefix="helper"))
        # While nobody listens for its application, a new channel vanishes at once.
        socket = await self._transport.ws_connect(urljoin(self._url, "/ari/events"), {"app": app}, autoping=False)
        stream = _Stream(socket)
        reading = asyncio.create_task(stream.read())
        try:
            await self._until_served(stream)
            await self._transport.request(
                "POST",
                urljoin(self._url, "/ari/channels/create"),
                {
                    "endpoint": HELPER_ENDPOINT,
                    "app": app,
                    "channelId": channel_id,
                    "variables": {"TIMEOUT(absolute)": str(HELPER_LIFETIME)},
                },
            )
            try:
                yield Helper(self, channel_id)
            finally:
                await self._remove(channel_id, app, stream)
        finally:
            reading.cancel()
            await asyncio.wait({reading})
            await socket.close()

    async def _until_served(self, stream: "_Stream") -> None:
        """Wait until Asterisk reads from the event stream. It opens one before it can write to it, and warns in its log of what
        it has to tell meanwhile ("websocket is not ready", 22.10.1)."""
        try:
            async with asyncio.timeout(self._timeout):
                await stream.socket.ping()
                await stream.served.wait()
        except (OSError, TimeoutError) as error:
            raise SwitchUnavailable(f"no event stream from Asterisk: {type(error).__name__}") from error

    async def _remove(self, channel_id: str, app: str, stream: "_Stream") -> None:
        """End the channel, and wait until Asterisk has told so and its application has let go of it.

        An application whose event stream ends before that stays in Asterisk until another one ends, and Asterisk warns of what
        it could not tell (22.10.1).
        """
        try:
            await self.ask("DELETE", f"channels/{channel_id}")
            async with asyncio.timeout(RELEASED_WITHIN):
                await stream.gone.wait()
                while True:
                    if not (await self.get(f"applications/{app}"))["channel_ids"]:
                        return
                    await asyncio.sleep(POLL)
        except (SwitchRefused, SwitchUnavailable, TimeoutError):
            return  # its own timer ends it


class _Stream:
    """The events of a helper. `served` is set when Asterisk answers a ping, `gone` with its last word about the channel."""

    def __init__(self, socket: "aiohttp.ClientWebSocketResponse[Literal[False]]") -> None:
        self.socket = socket
        self.served = asyncio.Event()
        self.gone = asyncio.Event()

    async def read(self) -> None:
        """Read all that there is: unread, it would fill the socket."""
        async for message in self.socket:
            if message.type is aiohttp.WSMsgType.PONG:
                self.served.set()
            elif message.type is aiohttp.WSMsgType.PING:
                await self.socket.pong(message.data)
            elif message.type is aiohttp.WSMsgType.TEXT and _type_of(message.data) == LAST_WORD:
                self.gone.set()


def _type_of(message: bytes) -> object:
    """The type of an event; None if it is none."""
    try:
        event = msgspec.json.decode(message)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return event.get("type") if isinstance(event, dict) else None
