"""How requests travel: blocking, over a connection of their own each, which nobody else can have closed meanwhile."""

import http.client
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit

from c2c_stasis.client.errors import BrokenOff, Error, NotReachable, NotUnderstood, TimedOut
from c2c_stasis.client.wire import Answer, Request, require_url

PIECE = 65_536  # bytes


def pause(seconds: float) -> None:
    """Wait."""
    time.sleep(seconds)


class Transport:
    """The way to one service. `timeout` are seconds without a sign of it. Threads may share it."""

    def __init__(self, base_url: str, timeout: float) -> None:
        self.url = require_url(base_url)
        self._timeout = timeout

    def exchange(self, request: Request, headers: Mapping[str, str]) -> Answer:
        """A request and its whole answer. Raises `NoAnswer`, `NotUnderstood`."""
        with self.opened(request, headers) as stream:
            return stream.whole()

    @contextmanager
    def opened(self, request: Request, headers: Mapping[str, str]) -> Iterator["Stream"]:
        """An answer while it is read. Raises `NoAnswer`, `NotUnderstood`."""
        parts = urlsplit(self.url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        patience = request.patience or self._timeout
        connection = kind(parts.hostname or "", parts.port, timeout=patience)
        try:
            try:
                connection.connect()
            except OSError as error:
                raise NotReachable(f"nobody answers at {self.url}: {error.strerror or error}") from error
            try:
                heading = request.heading(headers)
                connection.request(request.method, parts.path + request.path, request.content(), heading)
                answer = connection.getresponse()
            except (OSError, http.client.HTTPException) as error:
                raise _told(error, self.url, patience) from error
            yield Stream(answer, self.url, patience)
        finally:
            connection.close()

    def close(self) -> None:
        """Nothing is held between two requests."""


class Stream:
    """An answer that is being read. Each way of reading raises `NoAnswer`."""

    def __init__(self, answer: http.client.HTTPResponse, url: str, patience: float) -> None:
        self.status = answer.status
        self._answer = answer
        self._url = url
        self._patience = patience

    def whole(self) -> Answer:
        """All of it."""
        headers = {name.lower(): value for name, value in self._answer.headers.items()}
        try:
            return Answer(self.status, headers, self._answer.read())
        except (OSError, http.client.HTTPException) as error:
            raise _told(error, self._url, self._patience) from error

    def pieces(self) -> Iterator[bytes]:
        """Its body as it comes."""
        while piece := self._read(PIECE):
            yield piece

    def lines(self) -> Iterator[bytes]:
        """The lines of its body as they come."""
        while line := self._read(None):
            yield line

    def _read(self, most: int | None) -> bytes:
        try:
            return self._answer.readline() if most is None else self._answer.read1(most)
        except (OSError, http.client.HTTPException) as error:
            raise _told(error, self._url, self._patience) from error


def _told(error: Exception, url: str, patience: float) -> Error:
    """What became of a request that was sent."""
    if isinstance(error, TimeoutError):
        return TimedOut(url, patience)
    if isinstance(error, OSError | http.client.IncompleteRead):
        return BrokenOff(f"the connection to {url} was lost before the answer was whole: {error}")
    return NotUnderstood(f"what answers at {url} is no HTTP: {error!r}")
