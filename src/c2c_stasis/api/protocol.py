"""One connection: deadlines for what arrives before there is a request, and for who does not take an answer; and a flat answer
to what is no request.
"""

import asyncio
import contextlib
import logging
import re
import socket
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from aiohttp import HttpVersion10, HttpVersion11, hdrs, web
from aiohttp.http_exceptions import BadHttpMessage
from aiohttp.streams import EMPTY_PAYLOAD
from aiohttp.web_protocol import RequestHandler, _ErrInfo
from aiohttp.web_request import BaseRequest

from c2c_stasis.api import problems
from c2c_stasis.api.admission import Place
from c2c_stasis.api.problems import Problem, response_to
from c2c_stasis.ids import new_id

logger = logging.getLogger(__name__)

HEADER_TIMEOUT = (
    10.0  # seconds from the connection, or from the first byte of a later request, to the end of its header
)
TAKEN_WITHIN = 60.0  # seconds in which a client must take something of an answer that waits for it
LEAST_TAKEN = 16_384  # bytes of it, when it is so much that no more is written
REQUEST_ID_HEADER = "X-Request-Id"

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~%!$&'()*+,;=-]*)(:[0-9]{0,5})?")  # RFC 9110 §7.2, RFC 3986 §3.2.2


class Protocol(RequestHandler):
    """aiohttp's, which would wait for ever for a header, and for who does not read, log every malformed request with its bytes,
    keys included, and answer it with the versions of our software.
    """

    def __init__(self, manager: web.Server, **options: Any) -> None:
        super().__init__(manager, loop=asyncio.get_running_loop(), **options)
        self.place: Place | None = None
        self.when_lost: Callable[[], None] | None = None  # is called when the connection is gone
        self._header_timer: asyncio.TimerHandle | None = None
        self._silent = True  # nothing of the next request has arrived
        self._taking_timer: asyncio.TimerHandle | None = None
        self._untaken = 0  # bytes that waited for the client when that began

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The time for the first header begins."""
        super().connection_made(transport)
        _bound_what_is_kept(transport)
        self._await_header()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Others may have its place."""
        self._stop_waiting()
        self._taken()
        if self.place is not None:
            self.place.leave()
        super().connection_lost(exc)
        if self.when_lost is not None:
            self.when_lost()

    def data_received(self, data: bytes) -> None:
        """Time a header that has begun and is not whole."""
        before = self._request_count
        super().data_received(data)
        if self._request_count > before:
            self._stop_waiting()
        elif data and (self._idle or self._request_count == 0):  # the task that waits may not have begun to
            self._silent = False
            if self._header_timer is None:
                self._await_header()

    def pause_writing(self) -> None:
        """So much waits for the client that no more is written: time that it takes some."""
        super().pause_writing()
        self._await_taking()

    def resume_writing(self) -> None:
        """It has taken most of it."""
        super().resume_writing()
        self._taken()

    def _await_taking(self) -> None:
        self._taken()
        if self.transport is not None:
            self._untaken = self.transport.get_write_buffer_size()
            self._taking_timer = self._loop.call_later(TAKEN_WITHIN, self._taken_or_not)

    def _taken_or_not(self) -> None:
        if self.transport is None:
            return
        if self._untaken - self.transport.get_write_buffer_size() < LEAST_TAKEN:
            self.transport.abort()  # to close it would be to wait until all is taken
        else:
            self._await_taking()

    def _taken(self) -> None:
        if self._taking_timer is not None:
            self._taking_timer.cancel()
            self._taking_timer = None

    @property
    def _idle(self) -> bool:
        """Whether no request is being received or answered."""
        return self._waiter is not None and not self._waiter.done()

    def _await_header(self) -> None:
        self._header_timer = self._loop.call_later(HEADER_TIMEOUT, self._header_missing)

    def _stop_waiting(self) -> None:
        self._silent = True
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _header_missing(self) -> None:
        self._header_timer = None
        if self._waiter is None or self._waiter.done():
            return  # it came in the end, and is being answered
        if self._silent:
            self.force_close()  # browsers open connections in advance, and take an unasked answer for that to the next request
            return
        # The way on which aiohttp brings what its parser refuses to `handle_error`.
        self._messages.append((_ErrInfo(408, BadHttpMessage("header not received in time"), ""), EMPTY_PAYLOAD))
        self._waiter.set_result(None)

    def handle_error(
        self,
        request: BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 # says what was malformed, and quotes it
    ) -> web.StreamResponse:
        """Answer what could not even be given to a handler."""
        if status >= 500:
            problem = Problem(status, HTTPStatus(status).phrase.capitalize(), "internal_error")
        else:
            problem = problems.header_too_slow() if status == 408 else problems.bad_request()
        return refuse(request, problem, exc)


def _bound_what_is_kept(transport: asyncio.BaseTransport) -> None:
    """Let the kernel end a connection whose other end takes nothing, also one that we have closed already."""
    connection = transport.get_extra_info("socket")
    with contextlib.suppress(OSError, AttributeError):  # no TCP, in tests
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(TAKEN_WITHIN * 1000))


def refuse(request: BaseRequest, problem: Problem, exc: BaseException | None = None) -> web.StreamResponse:
    """Answer what does not come to the application, and end the connection: nobody knows where the next request begins."""
    request_id = new_id("req")
    extra = {"request_id": request_id, "status": problem.status, "remote": request.remote or "", "code": problem.code}
    if problem.status < 500:
        logger.info("request refused", extra=extra)
    else:
        logger.error("request failed", exc_info=exc, extra=extra)
    if request.writer.output_size > 0:
        raise ConnectionError("the response has begun already")
    response = response_to(problem, request_id)
    response.headers[REQUEST_ID_HEADER] = request_id
    response.headers[hdrs.SERVER] = "c2c-stasis"  # else aiohttp names itself, Python and both versions
    response.force_close()
    return response


def sound(
    handle: Callable[[BaseRequest], Awaitable[web.StreamResponse]],
) -> Callable[[BaseRequest], Awaitable[web.StreamResponse]]:
    """The handler, for requests that the parser lets pass and two servers in a row could still understand differently."""

    async def handle_sound(request: BaseRequest) -> web.StreamResponse:
        problem = _unsound(request)
        return refuse(request, problem) if problem is not None else await handle(request)

    return handle_sound


def _unsound(request: BaseRequest) -> Problem | None:
    """What is wrong with the header of a request as a whole."""
    headers = request.headers
    if request.version not in (HttpVersion10, HttpVersion11):
        return problems.bad_request()  # the parser knows 0.9 and 2.0 as well, and we answer neither as it should be
    hosts = headers.getall(hdrs.HOST, [])
    if len(hosts) > 1 or (not hosts and request.version == HttpVersion11):
        return problems.bad_request()  # RFC 9112 §3.2
    if hosts and _HOST.fullmatch(hosts[0]) is None:
        return problems.bad_request()
    encodings = headers.getall(hdrs.TRANSFER_ENCODING, [])
    if encodings and (request.version == HttpVersion10 or [one.lower() for one in encodings] != ["chunked"]):
        return problems.bad_request()  # RFC 9112 §6.1, and other encodings than chunked we do not know
    if any(one.lower() != "100-continue" for one in headers.getall(hdrs.EXPECT, [])):
        return problems.expectation_failed()
    return None
