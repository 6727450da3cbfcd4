"""`GET /v1/events`: the events of an account as they happen, and those that a client missed."""

import hashlib
import re
from functools import partial
from typing import Annotated

from aiohttp import hdrs, web
from msgspec import UNSET, Meta, Struct, UnsetType

from c2c_stasis.api import event_frames, problems
from c2c_stasis.api.auth import Acting, authenticate
from c2c_stasis.api.edge import ADMISSION, TURN
from c2c_stasis.api.event_streams import Check, Cut, Gone, Stream, Streams
from c2c_stasis.api.health import checked
from c2c_stasis.api.metrics import METRICS
from c2c_stasis.api.port import Service
from c2c_stasis.api.problems import Problem, unavailable
from c2c_stasis.api.routes import EVERYONE_WITH_AN_ACCOUNT, Route, read_query
from c2c_stasis.call.events import EventType
from c2c_stasis.errors import ClickToCallError, Unavailable
from c2c_stasis.ids import CALL, USER, CallId, UserId, is_id
from c2c_stasis.ports import EventFilter, EventPage

LAST_EVENT_ID = "Last-Event-ID"
GREATEST = 2**63 - 1  # what the database can count to

_HEADERS = {
    hdrs.CONTENT_TYPE: "text/event-stream; charset=utf-8",
    "X-Accel-Buffering": "no",
}  # nginx passes it on at once
_CURSOR = re.compile(r"[0-9]{1,19}")
_GROUPS = {
    group: frozenset(one.value for one in EventType if one.value.startswith(prefix))
    for group, prefix in (("*", ""), ("call.*", "call."), ("leg.*", "leg."))
}
_TYPES = _GROUPS | {one.value: frozenset({one.value}) for one in EventType}


class EventFilters(Struct, frozen=True, kw_only=True):
    """Which events, and from where on. `types` are names, `call.*`, `leg.*` or `*`, with commas between them."""

    after: Annotated[int, Meta(ge=0, le=GREATEST)] | UnsetType = UNSET
    types: str = "call.*"
    user_id: str = ""
    call_id: str = ""

    def wanted(self, acting: Acting) -> EventFilter:
        """The events that are asked for, of those that whoever asks may see. Raises `Problem` and `NotAllowed`."""
        user_id = UserId(_id("user_id", self.user_id, USER)) if self.user_id else acting.user_id
        if user_id is not None:
            acting.require_user(user_id)
        call_id = CallId(_id("call_id", self.call_id, CALL)) if self.call_id else None
        return EventFilter(acting.livemode, _types(self.types), user_id, call_id, acting.user_id is not None)


class EventRoutes:
    """`/v1/events`."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.streams = Streams(service)

    def routes(self) -> list[Route]:
        """For the route table."""
        return [
            Route(
                *("GET", "/v1/events", self.stream, EVERYONE_WITH_AN_ACCOUNT),
                filters=EventFilters,
                errors=("not_allowed", "too_many_streams"),
                reads=(LAST_EVENT_ID,),
                media="text/event-stream",
            )
        ]

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Events of calls as they happen, in a stream without end. It begins after `Last-Event-ID`, or `after`, or now."""
        acting = authenticate(request, self._service)
        filters = read_query(request, EventFilters)
        wanted = filters.wanted(acting)
        after = _cursor(request, filters)
        account = acting.account
        try:
            stream = Stream(request, wanted)
            with request.app[ADMISSION].stream(account.id, _credential(request)), self.streams.joined(account, stream):
                request[TURN].end()  # it counts as a stream from here on
                page = await self.streams.first(account, stream, after)
                return await self._serve(request, stream, page, acting)
        except Unavailable as error:
            raise unavailable(error, await checked(self._service)) from error
        except (Gone, ConnectionError):
            return web.Response(status=204)  # which nobody reads: the client left while we looked

    async def _serve(self, request: web.Request, stream: Stream, page: EventPage, acting: Acting) -> web.StreamResponse:
        response = _EventStream(headers=_HEADERS)
        writer = await response.prepare(request)
        if request.method != hdrs.METH_HEAD and writer is not None:
            after = stream.at if stream.at <= page.last else None
            await response.write(event_frames.connected(acting.account.id, after))
            read = partial(self.streams.next, acting.account)
            reason = await stream.run(writer, page, read, self._check(request, acting))
            request.app[METRICS].event_streams_ended.labels(reason).inc()
        return response

    def _check(self, request: web.Request, acting: Acting) -> Check:
        def check() -> float | None:
            try:
                now = authenticate(request, self._service)
            except (ClickToCallError, Problem) as error:
                raise Cut("session_ended") from error
            if (now.account.id, now.livemode, now.user_id) != (acting.account.id, acting.livemode, acting.user_id):
                raise Cut("session_ended")
            return now.ends_at

        return check


class _EventStream(web.StreamResponse):
    """It ends with its connection: frames are sent as they are, and are the same bytes for everyone."""

    _length_check = False  # as aiohttp's websockets: neither a length nor chunks

    def __init__(self, headers: dict[str, str]) -> None:
        super().__init__(headers=headers)
        self.force_close()


def _cursor(request: web.Request, filters: EventFilters) -> int | None:
    """After which number the stream begins. A browser that comes back asks with the address of the first time, so the header
    counts before the query; one that says something else than a number has it from another service."""
    said = request.headers.getall(LAST_EVENT_ID, [])
    if not said or said == [""]:
        return None if filters.after is UNSET else filters.after
    if len(said) == 1 and _CURSOR.fullmatch(said[0]):
        return min(int(said[0]), GREATEST)
    return GREATEST  # beyond all that was ever given, as it is unknown


def _types(text: str) -> frozenset[str]:
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in _TYPES:
            raise problems.invalid("types", f"can hold {', '.join(_TYPES)}, with commas between them")
    return frozenset().union(*(_TYPES[name] for name in names))


def _id(name: str, text: str, prefix: str) -> str:
    if not is_id(text, prefix):
        raise problems.invalid(name, f"is not an id such as {prefix}_01h2xcejqtf2nbrexx3vqjhp42")
    return text


def _credential(request: web.Request) -> str:
    """What tells one credential from another, and opens nothing."""
    return hashlib.sha256(request.headers[hdrs.AUTHORIZATION].encode()).hexdigest()
