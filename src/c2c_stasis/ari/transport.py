"""HTTP and websocket to Asterisk, in the shape in which asyncari wants its HTTP client.

asyncari's own transport (httpx) allows three connections, repeats requests blindly, and puts the password into every URL
and exception text; this one pools connections, has deadlines, never repeats by itself, and sends the password in a header.
Requests go through `Http`, the event stream through aiohttp.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal
from urllib.parse import urlencode, urlsplit, urlunsplit

import aiohttp
import msgspec

from c2c_stasis.ari.http import CannotConnect, Http
from c2c_stasis.arilog import AriLog
from c2c_stasis.errors import SwitchRefused, SwitchUnavailable

KEEP_ALIVE = (
    10.0  # seconds; Asterisk closes an idle connection after 15 (`session_keep_alive`), and a tie is a lost request
)
HEARTBEAT = 5.0  # seconds between websocket pings: a dead peer is noticed after at most one and a half
CLOSE_WITHIN = 0.5  # seconds that Asterisk has to confirm the end of the event stream; aiohttp would wait for ten
MAX_EVENT = 1 << 20  # bytes; the largest event seen has 4 kB


class NeverSent(SwitchUnavailable):
    """No connection to Asterisk could be opened: the request has certainly not been carried out."""


class Reply:
    """A successful answer of Asterisk."""

    def __init__(self, status: int, body: bytes) -> None:
        self.status = status
        self.body = body

    def json(self) -> Any:
        """The decoded body; None when there is none. What is no UTF-8 in the names of strangers is replaced."""
        try:
            return msgspec.json.decode(self.body) if self.body else None
        except UnicodeDecodeError:
            return msgspec.json.decode(self.body.decode("utf-8", "replace"))


class Transport:
    """A pool of connections to one Asterisk; `base_url` is that of its HTTP server, without the `/ari`.

    Every request and its answer is handed to `log`, if that is on; `note` is told of each request whether there was an answer.
    """

    def __init__(
        self,
        base_url: str,
        username: str,
        password: str,
        *,
        connections: int,
        timeout: float,
        log: AriLog | None = None,
        note: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self._log = log or AriLog()
        self._note = note
        self._barred = False
        self._base = urlsplit(base_url)
        login = {"Authorization": aiohttp.encode_basic_auth(username, password)}
        self._http = Http(base_url, login, connections=connections, keep_alive=KEEP_ALIVE)
        self._session = aiohttp.ClientSession(headers=login)  # for the event stream
        self._timeout = timeout

    async def request(
        self,
        method: str,
        url: str,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        data: str | None = None,
    ) -> Reply:
        """Send one request and give the answer.

        The parameters of a POST travel in the body, where Asterisk reads them as well: nothing to quote, nothing in logs.

        Raises `SwitchRefused` with Asterisk's status and message, `NeverSent` or `SwitchUnavailable`.
        """
        del headers  # asyncari's; what is needed is in the session's own, and in `send`
        given: dict[str, Any] = {**(params or {}), **(msgspec.json.decode(data) if data else {})}
        return await self.send(method, urlsplit(url).path, given)

    async def send(self, method: str, path: str, given: Mapping[str, Any]) -> Reply:
        """Send one request with these parameters and give the answer; raises as `request` does. The path is quoted already."""
        return await (self._send_and_tell if self._log.on else self._send)(method, path, given)

    async def _send_and_tell(self, method: str, path: str, given: Mapping[str, Any]) -> Reply:
        began, clock = time.time(), time.monotonic()
        status: int | None = None
        answer: bytes | str = "cancelled"
        try:
            reply = await self._send(method, path, given)
            status, answer = reply.status, reply.body
            return reply
        except SwitchRefused as refusal:
            status, answer = refusal.status, refusal.message
            raise
        except SwitchUnavailable as error:
            answer = str(error)
            raise
        finally:
            self._log.request(method, path, given, status, answer, began, time.monotonic() - clock)

    async def _send(self, method: str, path: str, given: Mapping[str, Any]) -> Reply:
        if self._barred:
            raise NeverSent("another service has our Stasis application")
        target, body = path, None
        if method in ("POST", "PUT"):
            # As JSON values: Asterisk 22.10.1 takes "30" and "true" in a body for 0 and false.
            body = msgspec.json.encode(given) if given else None
        elif given:
            target = f"{target}?{urlencode(_in_words(given))}"
        try:
            status, content = await self._http.ask(method, target, body, within=self._timeout)
        except CannotConnect as error:
            self._note(False)
            raise NeverSent(f"Asterisk cannot be reached: {error}") from error
        except (ConnectionError, TimeoutError) as error:
            self._note(False)
            raise SwitchUnavailable(f"no answer from Asterisk to {method}: {type(error).__name__}") from error
        self._note(True)
        if not 200 <= status < 300:  # 3xx: nobody who is asked to hang up is to be found elsewhere
            raise SwitchRefused(status, _message(content))
        return Reply(status, content)

    async def ws_connect(
        self, url: str, params: Mapping[str, Any] | None = None, headers: object = None, *, autoping: bool = True
    ) -> "aiohttp.ClientWebSocketResponse[Literal[False]]":
        """Open the event websocket; without `autoping` its reader sees pings and their answers. Raises like `request`.

        Texts come as bytes: to decode one that is no UTF-8 would cost the whole connection.
        """
        del headers  # asyncari's accept header; the session's own carry what is needed
        query = _in_words(params)
        try:
            async with asyncio.timeout(self._timeout):
                return await self._session.ws_connect(
                    self._own(url),
                    params=query,
                    heartbeat=HEARTBEAT,
                    autoping=autoping,
                    decode_text=False,
                    max_msg_size=MAX_EVENT,
                    timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_WITHIN),
                )
        except aiohttp.WSServerHandshakeError as error:
            raise SwitchRefused(error.status, error.message) from error
        except aiohttp.ClientConnectorError as error:
            raise NeverSent(f"Asterisk cannot be reached: {error.os_error}") from error
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise SwitchUnavailable(f"no event stream from Asterisk: {type(error).__name__}") from error

    def bar(self) -> None:
        """Send nothing any more, from this moment on."""
        self._barred = True

    async def close(self) -> None:
        """Called by asyncari at the end of each connection; the pool outlives it."""

    async def shut(self) -> None:
        """Close every connection."""
        self._http.close()
        await self._session.close()

    def _own(self, url: str) -> str:
        """The URL at the address we were configured with: Asterisk's documents name the host it believes to have."""
        return urlunsplit((*self._base[:2], *urlsplit(url)[2:]))


def _in_words(params: Mapping[str, Any] | None) -> dict[str, str]:
    """Parameters as a query has them."""
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in (params or {}).items()
    }


def _message(content: bytes) -> str:
    """What Asterisk says of a refusal: `{"message": …}`, or `{"error": …}` when a channel could not be made."""
    try:
        body = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return content[:200].decode("utf-8", "replace")
    if isinstance(body, dict):
        return str(body.get("message") or body.get("error") or body)
    return str(body)
