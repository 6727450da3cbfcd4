"""The routes of calls: place, look at, follow, cancel."""

import asyncio
import logging
from collections.abc import Coroutine
from functools import partial
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from c2c_stasis.api.auth import Acting, authenticate
from c2c_stasis.api.bodies import read_json
from c2c_stasis.api.edge import CALL_ID
from c2c_stasis.api.health import checked
from c2c_stasis.api.paging import Listed
from c2c_stasis.api.port import Service
from c2c_stasis.api.problems import unavailable
from c2c_stasis.api.records import record_of
from c2c_stasis.api.routes import EVERYONE_WITH_AN_ACCOUNT, Route
from c2c_stasis.api.schemas import CallBody, CallRecord, EventRecord, read_place_call, read_user_id
from c2c_stasis.call.model import Call
from c2c_stasis.directory.dial_strings import is_emergency
from c2c_stasis.errors import CallNotFound, Unavailable
from c2c_stasis.ids import CALL, is_id

logger = logging.getLogger(__name__)

T = TypeVar("T")

_FINISH_WITHIN = 5.0  # seconds that accepted work may take after the server was told to stop


class CallRoutes:
    """`/v1/calls`."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._unfinished: set[asyncio.Task[Any]] = set()

    def routes(self) -> list[Route]:
        """For the route table. These handlers prove the credential themselves: the way of a call shall be short."""
        one, everyone = "/v1/calls/{call_id:[^/]+}", EVERYONE_WITH_AN_ACCOUNT
        return [
            Route(
                *("POST", "/v1/calls", self.place, everyone),
                takes=CallBody,
                errors=(
                    *("invalid_user_id", "not_supported", "not_allowed", "destination_not_allowed"),
                    *("user_not_found", "user_busy"),
                ),
                success=202,
                headers=("Location",),
            ),
            Route("GET", one, self.show, everyone, gives=CallRecord),
            Route("DELETE", one, self.cancel, everyone),
            Route("GET", one + "/events", self.events, everyone, gives=Listed[EventRecord]),
        ]

    async def place(self, request: web.Request) -> web.Response:
        """Place a call. The answer has an empty body, for some clients throw on any other; `Location` is the call."""
        acting = authenticate(request, self._service)
        account = acting.account
        body = await read_json(request)
        user_id = read_user_id(body)
        acting.require_user(user_id)
        user = self._service.user(account, user_id)
        asked = read_place_call(body, is_emergency=partial(is_emergency, region=account.region))
        try:
            call = await self._finish(
                self._service.place(
                    account, user.id, asked.dial_string, livemode=acting.livemode, metadata=asked.metadata
                )
            )
        except Unavailable as error:
            raise unavailable(error, await checked(self._service)) from error
        request[CALL_ID] = call.id
        if asked.ignored:
            logger.warning(
                "fields of an emergency request ignored",
                extra={"call_id": call.id, "fields": ", ".join(name[:64] for name in asked.ignored[:16])},
            )
        return web.Response(status=202, headers={"Location": f"/v1/calls/{call.id}"})

    async def show(self, request: web.Request) -> web.Response:
        """One call, live or ended."""
        _, call = await self._named_call(request)
        return _json(msgspec.json.encode(record_of(call)))

    async def events(self, request: web.Request) -> web.Response:
        """The event log of a call, in order, in one page. It is byte for byte what every other road carries."""
        acting, call = await self._named_call(request)
        events = await self._service.call_events(acting.account, call.id)
        head = f'{{"object":"list","url":"/v1/calls/{call.id}/events","next_page_url":null,"previous_page_url":null,"data":['
        return _json(head.encode() + b",".join(event.body for event in events) + b"]}")

    async def cancel(self, request: web.Request) -> web.Response:
        """Cancel a call or hang up, in any state."""
        acting, call = await self._named_call(request)
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


def _json(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json")
