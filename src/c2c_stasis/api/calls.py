"""The routes of calls: place, look at, follow, cancel."""

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from c2c_stasis.api import call_csv, problems
from c2c_stasis.api.auth import Acting, authenticate, recognise, require_page
from c2c_stasis.api.bodies import read_body, read_json
from c2c_stasis.api.call_list import CallFilters, ListFilters, ShownWith, expanded
from c2c_stasis.api.edge import CALL_ID, TURN
from c2c_stasis.api.fields import called
from c2c_stasis.api.health import checked
from c2c_stasis.api.idempotency import HEADER, REPLAYED, fingerprint, idempotency_key
from c2c_stasis.api.paging import Listed, listed
from c2c_stasis.api.port import Service
from c2c_stasis.api.preflight import PreflightRecord, preflight_record
from c2c_stasis.api.problems import Problem, no_help, unavailable
from c2c_stasis.api.records import record_of, tells_of_others
from c2c_stasis.api.resources.phone_numbers import number_record
from c2c_stasis.api.routes import (
    EVERYONE_WITH_AN_ACCOUNT,
    PLACES_CALLS,
    AskedForAccount,
    Doors,
    Route,
    answer,
    read_query,
    refuse_query,
)
from c2c_stasis.api.schemas import (
    WHO_CALLS_WHAT,
    CallBody,
    CallRecord,
    Erased,
    EraseNumber,
    EventRecord,
    PlaceCall,
    read_place_call,
    read_user_id,
    with_own_names,
)
from c2c_stasis.api.strict_json import Json, read_only
from c2c_stasis.call.model import Call
from c2c_stasis.directory.call_log import Accepted, Once
from c2c_stasis.directory.call_options import CallOptions
from c2c_stasis.directory.model import Account, User
from c2c_stasis.directory.pages import Wish
from c2c_stasis.errors import CallNotFound, StoreUnavailable, Unavailable, UserNotFound
from c2c_stasis.ids import CALL, is_id

logger = logging.getLogger(__name__)

T = TypeVar("T")

EXPORTED_AT_ONCE = 200  # calls; some 600 kB of their records in memory

_FINISH_WITHIN = 5.0  # seconds that accepted work may take after the server was told to stop


class CallRoutes:
    """`/v1/calls`."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._unfinished: set[asyncio.Task[Any]] = set()

    def routes(self) -> list[Route]:
        """For the route table. These handlers prove the credential themselves: the way of a call shall be short."""
        every, one, everyone = PLACES_CALLS[1], "/v1/calls/{call_id:[^/]+}", EVERYONE_WITH_AN_ACCOUNT
        return [
            Route(
                *(*PLACES_CALLS, self.place, everyone),
                takes=CallBody,
                errors=(
                    *("invalid_user_id", "not_supported", "not_allowed", "destination_not_allowed"),
                    *("user_not_found", "endpoint_not_found", "user_busy", "idempotency_conflict"),
                    "limit_reached",
                ),
                success=202,
                headers=("Location",),
                reads=(HEADER,),
            ),
            Route(
                *("POST", "/v1/calls/preflight", self.preflight, everyone),
                takes=CallBody,
                gives=PreflightRecord,
                errors=("invalid_user_id", "not_supported", "not_allowed", "user_not_found", "endpoint_not_found"),
                success=200,
            ),
            Route(
                *("GET", every, self.page, everyone),
                filters=ListFilters,
                gives=Listed[CallRecord],
                errors=("not_allowed", "invalid_pagination"),
            ),
            Route(
                *("GET", "/v1/calls.csv", self.export, everyone),
                filters=CallFilters,
                errors=("not_allowed",),
                headers=("Content-Disposition",),
                media="text/csv",
            ),
            Doors(self._service).account(
                *("POST", "/v1/calls/erase", self.erase),
                takes=EraseNumber,
                gives=Erased,
                errors=("in_use",),
                success=200,
            ),
            Route("GET", one, self.show, everyone, filters=ShownWith, gives=CallRecord),
            Route("DELETE", one, self.cancel, everyone),
            Route("GET", one + "/events", self.events, everyone, gives=Listed[EventRecord]),
        ]

    async def place(self, request: web.Request) -> web.Response:
        """Place a call. The answer has an empty body, for some clients throw on any other; `Location` is the call."""
        acting = recognise(request, self._service)
        account = acting.account
        told: Mapping[str, Json]
        passed_over: tuple[str, ...] = ()
        try:
            refuse_query(request)
            told = await read_json(request)
        except Problem as wrong:
            told, passed_over = await self._for_help(request, acting, wrong)
        body, by_other_names = with_own_names(told)
        user_id = read_user_id(body)
        acting.require_user(user_id)
        user = self._service.user(account, user_id)
        asked, emergency = self._asked(account, user, body)
        if emergency:
            request[TURN].is_emergency()
        elif (refusal := request[TURN].refusal) is not None:
            raise refusal
        else:
            require_page(request, acting)
        once = None if emergency else _once(request, acting, body)
        try:
            accepted = await self._finish(self._accept(acting, user, asked, once))
        except Unavailable as error:
            problem = no_help if emergency else unavailable
            raise problem(error, await checked(self._service)) from error
        request[CALL_ID] = accepted.call_id
        if ignored := (*asked.ignored, *passed_over):
            logger.warning(
                "fields of an emergency request ignored",
                extra={"call_id": accepted.call_id, "fields": ", ".join(name[:64] for name in ignored[:16])},
            )
        headers = {"Location": f"/v1/calls/{accepted.call_id}"} | ({REPLAYED: "true"} if accepted.replayed else {})
        if by_other_names:
            shown = msgspec.json.encode({"id": accepted.call_id})
            return web.Response(status=202, headers=headers, body=shown, content_type="application/json")
        return web.Response(status=202, headers=headers)

    async def preflight(self, request: web.Request) -> web.Response:
        """What would become of a call: what is dialled, which rule decides, who rings and what is shown. Nothing rings."""
        acting = authenticate(request, self._service)
        refuse_query(request)
        account = acting.account
        body, _ = with_own_names(await read_json(request))
        user_id = read_user_id(body)
        acting.require_user(user_id)
        asked, _ = self._asked(account, self._service.user(account, user_id), body)
        told = self._service.preflight(
            *(account, user_id, asked.dial_string),
            livemode=acting.livemode,
            options=_options(acting, asked),
            key_id=acting.key_id,
        )
        return answer(preflight_record(told, private=acting.user_id is not None))

    async def _for_help(
        self, request: web.Request, acting: Acting, problem: Problem
    ) -> tuple[Mapping[str, Json], tuple[str, ...]]:
        """Who calls and what, of a request that is an emergency call and has this problem elsewhere; and what is passed over.

        Raises the problem for every other request.
        """
        if problem.status != 400:
            raise problem  # a body that did not come in time is not waited for once more
        found = read_only(await read_body(request), WHO_CALLS_WHAT)
        if found is None:
            raise problem
        told, passed_over = found
        try:
            body, _ = with_own_names(told)
            _, emergency = self._asked(acting.account, self._service.user(acting.account, read_user_id(body)), body)
        except (Problem, UserNotFound):
            raise problem from None
        if not emergency:
            raise problem
        return told, passed_over

    def _asked(self, account: Account, user: User, body: Mapping[str, Json]) -> tuple[PlaceCall, bool]:
        """What a body asks for, and whether that is an emergency call. Raises `Problem`."""
        text = body.get("dial_string")
        emergency = isinstance(text, str) and self._service.emergency_number(account, user, text) is not None
        return read_place_call(body, emergency=emergency), emergency

    async def _accept(self, acting: Acting, user: User, asked: PlaceCall, once: Once | None) -> Accepted:
        service, account, dial_string = self._service, acting.account, asked.dial_string
        metadata, options = asked.metadata, _options(acting, asked)
        if once is not None:
            return await service.place_once(
                account, user.id, dial_string, once, metadata=metadata, options=options, key_id=acting.key_id
            )
        call = await service.place(
            *(account, user.id, dial_string),
            livemode=acting.livemode,
            metadata=metadata,
            options=options,
            key_id=acting.key_id,
        )
        return Accepted(call.id, replayed=False)

    async def page(self, request: web.Request) -> web.Response:
        """A page of the call log, newest first, live calls included."""
        acting = authenticate(request, self._service)
        filters = read_query(request, ListFilters)
        with_number = expanded(filters.expand)
        page = await self._service.calls_page(acting.account, filters.wanted(acting), filters.wish())
        records = [self._record(acting, call, with_number=with_number) for call in page.entries]
        return answer(listed(request, page, records))

    async def export(self, request: web.Request) -> web.StreamResponse:
        """Every call that is wanted as a line of CSV, newest first."""
        acting = authenticate(request, self._service)
        for name in ("limit", "page"):
            if name in request.query:
                raise problems.invalid(name, "the export has no pages")
        account, wanted = acting.account, read_query(request, CallFilters).wanted(acting)
        page = await self._service.calls_page(account, wanted, Wish(EXPORTED_AT_ONCE))
        response = web.StreamResponse(headers={"Content-Disposition": 'attachment; filename="calls.csv"'})
        response.content_type, response.charset = "text/csv", "utf-8"
        await response.prepare(request)
        await response.write(call_csv.head())
        try:
            while True:  # sent as it is read, and never held as a whole
                await response.write(call_csv.lines(page.entries))
                if page.older is None:
                    break
                page = await self._service.calls_page(account, wanted, Wish(EXPORTED_AT_ONCE, page.older))
        except StoreUnavailable as error:
            logger.error("export broken off", extra={"account_id": account.id, "error": str(error)})
            if request.transport is not None:
                request.transport.abort()  # the last chunk never comes: nobody shall take half of it for all
            return response
        await response.write_eof()
        return response

    async def erase(self, asked: AskedForAccount) -> web.Response:
        """Erase a number from the call log: from the records of ended calls, with their legs and events."""
        number = (await asked.body(EraseNumber)).number
        with called({"dial_string": "number"}):
            work = self._service.erase_number(asked.account, number, livemode=asked.key.livemode)
            return answer(Erased("erasure", await self._finish(work)))

    async def show(self, request: web.Request) -> web.Response:
        """One call, live or ended."""
        acting, call = await self._named_call(request)
        with_number = expanded(read_query(request, ShownWith).expand)
        return answer(self._record(acting, call, with_number=with_number))

    async def events(self, request: web.Request) -> web.Response:
        """The event log of a call, in order, in one page. It is byte for byte what every other road carries."""
        acting, call = await self._named_call(request)
        refuse_query(request)
        events = await self._service.call_events(acting.account, call.id)
        if acting.user_id is not None:
            events = [event for event in events if not tells_of_others(event)]
        head = f'{{"object":"list","url":"/v1/calls/{call.id}/events","next_page_url":null,"previous_page_url":null,"data":['
        return _json(head.encode() + b",".join(event.body for event in events) + b"]}")

    async def cancel(self, request: web.Request) -> web.Response:
        """Cancel a call or hang up, in any state."""
        acting, call = await self._named_call(request)
        refuse_query(request)
        await self._finish(self._service.cancel(acting.account, call.id))
        return web.Response(status=204)

    async def drain(self, _app: web.Application) -> None:
        """Let what the service has begun come to its end; for the shutdown of the server."""
        if self._unfinished:
            await asyncio.wait(self._unfinished, timeout=_FINISH_WITHIN)

    async def _named_call(self, request: web.Request) -> tuple[Acting, Call]:
        """For whom the request acts, and the call in the path. Raises `CallNotFound`.

        An id that cannot be one is a call that does not exist, and so is what whoever asks may not see.
        """
        acting = authenticate(request, self._service)
        call_id = request.match_info["call_id"]
        if not is_id(call_id, CALL):
            raise CallNotFound
        request[CALL_ID] = call_id
        call = await self._service.find_call(acting.account, call_id)
        acting.require_sight_of(call)
        return acting, call

    def _record(self, acting: Acting, call: Call, *, with_number: bool) -> CallRecord:
        private = acting.user_id is not None
        if not with_number:
            return record_of(call, private=private)
        number = self._service.phone_number(acting.account, call.did_id) if call.did_id else None
        if number is not None and private:
            number = replace(number, kept="{}")
        return record_of(call, number_record(number) if number else None, private=private)

    async def _finish(self, work: Coroutine[Any, Any, T]) -> T:
        """Do the work to its end, also when the request that asked for it is cancelled half way."""
        task = asyncio.create_task(work)
        self._unfinished.add(task)
        task.add_done_callback(self._finished)
        return await asyncio.shield(task)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._unfinished.discard(task)
        if not task.cancelled():
            task.exception()  # seen: the handler answers it, and if the handler is gone nobody waits for an answer


def _options(acting: Acting, asked: PlaceCall) -> CallOptions:
    """What is asked for this one call; a session for a user may show the numbers alone that are the user's to show."""
    if acting.user_id is None or asked.options.did_id is None:
        return asked.options
    return replace(asked.options, own_number=True)


def _once(request: web.Request, acting: Acting, body: Mapping[str, Json]) -> Once | None:
    """The name of an ordinary request. Raises `Problem`.

    An emergency call has none: whoever asks for help again gets the same call as long as it lives, and another one after it,
    whatever the header says.
    """
    if HEADER not in request.headers:
        return None
    return Once(acting.account.id, acting.livemode, idempotency_key(request), fingerprint(body))


def _json(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json")
