"""What every request and every response has in common: a request id, safe headers, a line in the log, and no naked error."""

import logging
import re
import time
from collections.abc import Awaitable, Callable

from aiohttp import hdrs, web

from c2c_stasis.api.admission import Admission, Place, Turn
from c2c_stasis.api.clients import CLIENT, client_of, scheme_of
from c2c_stasis.api.cors import CORS
from c2c_stasis.api.metrics import METRICS, count_request
from c2c_stasis.api.problems import problem_of, response_to
from c2c_stasis.api.protocol import REQUEST_ID_HEADER, Protocol
from c2c_stasis.api.routes import PLACES_CALLS, PROBES
from c2c_stasis.ids import new_id
from c2c_stasis.logs import mask_number

logger = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

REQUEST_ID = web.RequestKey("request_id", str)
ADMISSION = web.AppKey("admission", Admission)
TURN = web.RequestKey("turn", Turn)
CALL_ID = web.RequestKey("call_id", str)  # set by a handler once it knows which call it is about

_ACCEPTABLE_ID = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9_-]{1,64}")  # digits alone may be a telephone number
_OF_OURS = re.compile(r"[a-z]+_[0-9a-z]{26}")  # an id
_DIGITS = re.compile(r"[0-9](?:[ ().\-]{0,2}[0-9]){6,}")
_LOOKING = ("GET", "HEAD")


@web.middleware
async def answer_everything(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every error into the flat body, and write the access log."""
    request_id = request[REQUEST_ID] = _request_id(request)
    began = time.perf_counter()
    client = request[CLIENT] = client_of(request, request.app[ADMISSION])
    try:
        preflight = request.app[CORS].preflight(request)
        response = await _admitted(request, client, handler) if preflight is None else preflight
    except Exception as exc:
        problem = problem_of(exc)
        if problem.status == 500:
            logger.exception("request failed", extra={"request_id": request_id})
        response = response_to(problem, request_id)
    if _is_last(request) and not response.prepared:
        response.force_close()
    seconds = time.perf_counter() - began
    count_request(request.app[METRICS], request, response, seconds)
    _log(request, client, response.status, seconds)
    return response


async def _admitted(request: web.Request, client: str, handler: Handler) -> web.StreamResponse:
    """Let it be answered, unless there are too many. Whether we are alive is always told, and emergency calls get through."""
    if request.path in PROBES:
        return await handler(request)
    place = _place(request)
    reserved = place is not None and place.reserved
    may_be_emergency = (request.method, request.path) == PLACES_CALLS
    turn = request[TURN] = request.app[ADMISSION].turn(
        client, request.remote or "", may_be_emergency=may_be_emergency, reserved=reserved
    )
    turn.place = place
    try:
        return await handler(request)
    finally:
        turn.end()
        if place is not None:
            place.asking = False  # the rest of a body that nobody wants may be long in coming


def _place(request: web.Request) -> Place | None:
    """The place of the connection over which it came."""
    return request.protocol.place if isinstance(request.protocol, Protocol) else None


def _is_last(request: web.Request) -> bool:
    """Whether the connection ends with the answer: we are leaving, or it was let in for one request."""
    place = _place(request)
    return request.app[ADMISSION].leaving or (place is not None and place.reserved)


async def finish_headers(request: web.Request, response: web.StreamResponse) -> None:
    """The headers of every response: not cached unless they say so, nothing guessed, and nothing told about our software."""
    headers = response.headers
    headers[REQUEST_ID_HEADER] = request.get(REQUEST_ID) or _request_id(request)
    headers.setdefault(hdrs.CACHE_CONTROL, "no-store")
    headers["X-Content-Type-Options"] = "nosniff"
    headers.popall(hdrs.SERVER, None)
    request.app[CORS].mark(request, response)
    if isinstance(response, web.Response) and response.body is None:
        headers.popall(hdrs.CONTENT_TYPE, None)


def _request_id(request: web.Request) -> str:
    """The client's own id when it is harmless, so that one word finds a request in both logs; else a new one."""
    given = request.headers.getall(REQUEST_ID_HEADER, [])
    if len(given) == 1 and _ACCEPTABLE_ID.fullmatch(given[0]):
        return given[0]
    return new_id("req")


def loggable(path: str) -> str:
    """A path without telephone numbers, in whatever spelling; ids stay as they are."""
    return "/".join(
        part if _OF_OURS.fullmatch(part) else _DIGITS.sub(lambda found: mask_number(found[0]), part)
        for part in path.split("/")
    )


def _log(request: web.Request, client: str, status: int, seconds: float) -> None:
    """One line a request. One that only looked, and found, is told at DEBUG: who follows a call looks again and again."""
    extra = {
        "request_id": request[REQUEST_ID],
        "method": request.method,
        "path": loggable(request.path),
        "status": status,
        "ms": round(seconds * 1000, 1),
        "remote": client,
        "scheme": scheme_of(request, request.app[ADMISSION]),
    }
    if call_id := request.get(CALL_ID):
        extra["call_id"] = call_id
    quiet = request.method in _LOOKING and status < 400
    logger.log(logging.DEBUG if quiet else logging.INFO, "request", extra=extra)
