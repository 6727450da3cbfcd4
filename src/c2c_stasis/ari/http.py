"""A few connections to one HTTP server, one request at a time on each; nothing of HTTP but what Asterisk's ARI needs.

A call makes thirteen requests, and a client for the whole web spends more on each than all the rules of the call together:
this one costs a quarter of aiohttp's client (decision 19). Answers are parsed by llhttp, through httptools.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from ssl import create_default_context
from typing import cast
from urllib.parse import urlsplit

import httptools

LARGEST = 64 << 20  # bytes of an answer; in a list of channels each takes some 450 (22.10.1)
RESERVED = 4  # connections more for what is urgent, when all others are in use
SMALLEST_FINAL = 200  # what is below is followed by another answer
Answer = tuple[int, bytes]  # status and body

URGENT: ContextVar[bool] = ContextVar("urgent", default=False)
"""Whether what this task asks for is an emergency call's: it waits behind nobody else's requests."""


class CannotConnect(ConnectionError):
    """No connection could be opened: nothing was sent."""


class Http:
    """At most `connections` connections to the server of `base_url`; one that was idle for `keep_alive` seconds is closed.

    What is `URGENT` has some more when all are in use, and the next that becomes free. `headers` go with every request.
    """

    def __init__(self, base_url: str, headers: dict[str, str], *, connections: int, keep_alive: float) -> None:
        base = urlsplit(base_url)
        self._host = base.hostname or ""
        self._tls = create_default_context() if base.scheme == "https" else None
        self._port = base.port or (443 if self._tls else 80)
        self._head = "".join(f"{name}: {value}\r\n" for name, value in ({"Host": base.netloc} | headers).items())
        self._keep_alive = keep_alive
        self._places = connections  # how many more may be opened; below nought so many of the reserve are in use
        self._all: set[_Connection] = set()
        self._idle: deque[_Connection] = deque()  # whoever waits longest stands first
        self._sweeping: asyncio.TimerHandle | None = None
        self._urgent: deque[asyncio.Future[_Connection | None]] = deque()
        self._queue: deque[asyncio.Future[_Connection | None]] = deque()
        self._closed = False

    async def ask(self, method: str, target: str, body: bytes | None = None, *, within: float) -> Answer:
        """Send one request, whose JSON `body` may be None, and wait for the answer. It is never repeated.

        `target` is quoted already. Raises `CannotConnect`, `ConnectionError` when the answer does not come or is none, and
        `TimeoutError` when all that took longer than `within` seconds. Who is cancelled or waits too long loses the connection:
        the answer may come yet.
        """
        request = self._request(method, target, body)
        connection = self._rested()
        if connection is None:
            loop = asyncio.get_running_loop()
            deadline = loop.time() + within
            async with asyncio.timeout_at(deadline):
                connection = await self._take()
            within = deadline - loop.time()
        try:
            return await connection.ask(request, within)
        finally:
            self._give_back(connection)

    def close(self) -> None:
        """Close every connection, at once; requests on their way fail."""
        self._closed = True
        if self._sweeping is not None:
            self._sweeping.cancel()
        for connection in self._all:
            connection.abort()
        for queue in (self._urgent, self._queue):
            while queue:
                _wake(queue.popleft(), None)

    def _request(self, method: str, target: str, body: bytes | None) -> bytes:
        if not (target.isascii() and target.isprintable()) or " " in target:
            raise ValueError(f"not quoted: {target!r}")
        head = f"{method} {target} HTTP/1.1\r\n{self._head}"
        if body is None:
            return f"{head}\r\n".encode() if method == "GET" else f"{head}Content-Length: 0\r\n\r\n".encode()
        return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body

    async def _take(self) -> "_Connection":
        """An idle connection, or a new one, or the next that becomes free."""
        self._still_open()
        if (connection := self._rested()) is not None:
            return connection
        queue, least = (self._urgent, -RESERVED) if URGENT.get() else (self._queue, 0)
        if self._places > least:
            self._places -= 1
            return await self._connect()
        turn: asyncio.Future[_Connection | None] = asyncio.get_running_loop().create_future()
        queue.append(turn)
        try:
            given = await turn
        except asyncio.CancelledError:
            self._not_taken(turn, queue)
            raise
        if given is None or given.lost:
            return await self._connect()  # its place is ours: whoever comes now is behind us
        return given

    def _still_open(self) -> None:
        if self._closed:
            raise CannotConnect("the connections were closed")

    def _rested(self) -> "_Connection | None":
        """The connection that was used last of those that are idle."""
        while self._idle:
            connection = self._idle.pop()
            if not connection.lost:
                return connection
            self._places += 1
        return None

    def _sweep(self) -> None:
        """Close what was idle for too long, and come again when the next one will have been."""
        self._sweeping = None
        loop = asyncio.get_running_loop()
        while self._idle:
            left = self._idle[0].idle_since + self._keep_alive - loop.time()
            if left > 0:
                self._sweeping = loop.call_later(left, self._sweep)
                return
            self._idle.popleft().abort()
            self._places += 1

    def _not_taken(
        self, turn: "asyncio.Future[_Connection | None]", queue: "deque[asyncio.Future[_Connection | None]]"
    ) -> None:
        """Whose turn it was has gone away: the next one has it."""
        if turn.cancelled():
            with suppress(ValueError):  # it was passed over already
                queue.remove(turn)
        elif (given := turn.result()) is not None:
            self._give_back(given)
        else:
            self._give_place_back()

    async def _connect(self) -> "_Connection":
        """Open a connection in a place that is taken already."""
        self._still_open()
        loop = asyncio.get_running_loop()
        try:
            _, connection = await loop.create_connection(
                lambda: _Connection(self._all.discard), self._host, self._port, ssl=self._tls
            )
        except BaseException as error:
            self._give_place_back()
            if isinstance(error, OSError | UnicodeError):  # the latter: the host's name is none
                raise CannotConnect(str(error)) from error
            raise
        self._all.add(connection)
        if self._closed:
            connection.abort()
        return connection

    def _give_back(self, connection: "_Connection") -> None:
        if connection.busy or connection.lost:
            connection.abort()
            self._give_place_back()
        elif self._places < 0 and not self._urgent:
            connection.abort()  # one of the reserve: nobody else shall have it
            self._places += 1
        elif not self._next(connection):
            connection.idle_since = asyncio.get_running_loop().time()
            self._idle.append(connection)
            if self._sweeping is None:
                self._sweep()

    def _give_place_back(self) -> None:
        if (self._places < 0 and not self._urgent) or not self._next(None):
            self._places += 1

    def _next(self, connection: "_Connection | None") -> bool:
        """Give a connection, or else the place to open one, to the first who waits; whether there was one."""
        for queue in (self._urgent, self._queue):
            while queue:
                if _wake(queue.popleft(), connection):
                    return True
        return False


def _wake(turn: "asyncio.Future[_Connection | None]", connection: "_Connection | None") -> bool:
    if turn.done():
        return False
    turn.set_result(connection)
    return True


class _Connection(asyncio.Protocol):
    """One connection: the request that is on its way, and what has come of its answer."""

    def __init__(self, forget: "Callable[[_Connection], None]") -> None:
        self.lost = False
        self.idle_since = 0.0  # on the loop's clock
        self._forget = forget
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._answer: asyncio.Future[Answer] | None = None
        self._body = bytearray()

    @property
    def busy(self) -> bool:
        """Whether an answer is to come yet."""
        return self._answer is not None

    async def ask(self, request: bytes, within: float) -> Answer:
        """Send a request and wait so many seconds for its answer. Raises `ConnectionError` or `TimeoutError`."""
        if self.lost or self._transport is None:
            raise CannotConnect("closed before the request")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        self._answer = answer
        self._transport.write(request)
        deadline = loop.call_later(within, self._fail, TimeoutError())
        try:
            return await answer
        finally:
            deadline.cancel()

    def abort(self) -> None:
        """Close the connection at once."""
        self.lost = True
        if self._transport is not None:
            self._transport.abort()

    # --- asyncio's and the parser's calls ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one by its methods only

    def data_received(self, data: bytes) -> None:
        if self._answer is None:
            self._fail(ConnectionAbortedError("an answer that nobody asked for"))
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(ConnectionAbortedError(f"no HTTP answer: {type(error).__name__}"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc if isinstance(exc, ConnectionError) else ConnectionResetError("closed before the answer"))
        self._forget(self)

    def on_message_begin(self) -> None:
        if self._answer is None:
            self._fail(ConnectionAbortedError("a second answer"))

    def on_body(self, body: bytes) -> None:
        self._body += body
        if len(self._body) > LARGEST:
            self._fail(ConnectionAbortedError(f"an answer of more than {LARGEST} bytes"))

    def on_message_complete(self) -> None:
        status, answer = self._parser.get_status_code(), self._answer
        if status < SMALLEST_FINAL:
            return
        content, self._body, self._answer = bytes(self._body), bytearray(), None
        if not self._parser.should_keep_alive():
            self.abort()
        if answer is not None and not answer.done():
            answer.set_result((status, content))

    def _fail(self, error: ConnectionError | TimeoutError) -> None:
        self.abort()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)
