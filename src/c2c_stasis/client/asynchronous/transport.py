"""How requests travel: over aiohttp, which keeps connections for the next ones."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp
from yarl import URL

from c2c_stasis.client.errors import BrokenOff, Error, NotReachable, NotUnderstood, TimedOut
from c2c_stasis.client.wire import Answer, Request, require_url

_FAILURES = (aiohttp.ClientError, OSError, TimeoutError)


async def pause(seconds: float) -> None:
    """Wait."""
    await asyncio.sleep(seconds)


class Transport:
    """The way to one service. `timeout` are seconds without a sign of it. It belongs to the event loop that uses it first."""

    def __init__(self, base_url: str, timeout: float) -> None:
        self.url = require_url(base_url)
        self._timeout = timeout
        self._session: aiohttp.ClientSession | None = None

    async def exchange(self, request: Request, headers: Mapping[str, str]) -> Answer:
        """A request and its whole answer. Raises `NoAnswer`, `NotUnderstood`."""
        async with self.opened(request, headers) as stream:
            return await stream.whole()

    @asynccontextmanager
    async def opened(self, request: Request, headers: Mapping[str, str]) -> AsyncIterator["Stream"]:
        """An answer while it is read. Raises `NoAnswer`, `NotUnderstood`."""
        patience = request.patience or self._timeout
        try:
            answer = await self._http().request(
                request.method,
                URL(self.url + request.path, encoded=True),
                data=request.content(),
                headers=request.heading(headers),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=patience, sock_read=patience),
                allow_redirects=False,  # the key is for this service alone
            )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NotReachable(f"nobody answers at {self.url}: {error}") from error
        except _FAILURES as error:
            raise _told(error, self.url, patience) from error
        try:
            yield Stream(answer, self.url, patience)
        finally:
            answer.close()

    async def close(self) -> None:
        """Close its connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _http(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        return self._session


class Stream:
    """An answer that is being read. Each way of reading raises `NoAnswer`."""

    def __init__(self, answer: aiohttp.ClientResponse, url: str, patience: float) -> None:
        self.status = answer.status
        self._answer = answer
        self._url = url
        self._patience = patience

    async def whole(self) -> Answer:
        """All of it."""
        headers = {name.lower(): value for name, value in self._answer.headers.items()}
        try:
            return Answer(self.status, headers, await self._answer.read())
        except _FAILURES as error:
            raise _told(error, self._url, self._patience) from error

    async def pieces(self) -> AsyncIterator[bytes]:
        """Its body as it comes."""
        while piece := await self._read(whole_line=False):
            yield piece

    async def lines(self) -> AsyncIterator[bytes]:
        """The lines of its body as they come."""
        while line := await self._read(whole_line=True):
            yield line

    async def _read(self, *, whole_line: bool) -> bytes:
        content = self._answer.content
        try:
            return await content.readline() if whole_line else await content.readany()
        except _FAILURES as error:
            raise _told(error, self._url, self._patience) from error
        except ValueError as error:
            raise NotUnderstood(f"a line from {self._url} is longer than any of this API") from error


def _told(error: Exception, url: str, patience: float) -> Error:
    """What became of a request that was sent."""
    if isinstance(error, TimeoutError):
        return TimedOut(url, patience)
    if isinstance(error, aiohttp.ClientResponseError):
        return NotUnderstood(f"what answers at {url} is no HTTP: {error!r}")
    return BrokenOff(f"the connection to {url} was lost before the answer was whole: {error}")
