"""The API over the real service and the real store; only Asterisk is not there: phones are where a test says, and silent."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientSession, web

from c2c_stasis.api.server import ROUTES, HttpServer, build_app
from c2c_stasis.app import SystemClock
from c2c_stasis.call.commands import Command, HangUpLeg
from c2c_stasis.call.model import Call
from c2c_stasis.call.signals import LegEnded, Signal
from c2c_stasis.config import Address, Calls, Http, Trunk
from c2c_stasis.directory.sip_account import Registrant
from c2c_stasis.ids import CallId, LegId
from c2c_stasis.policy.settings import Ceilings, Settings
from c2c_stasis.ports import Contact, SipServer, Stock
from c2c_stasis.publish.envelope import Envelopes
from c2c_stasis.service import CallService
from tests.api.conformance import require_told
from tests.api.fakes import NO_STORE, FakeService
from tests.store.samples import Place

Json = dict[str, Any]

TABLE = build_app(FakeService(), NO_STORE)[ROUTES]


class SilentSwitch:
    """It takes every command and reports nothing but the end of a leg that it was told to end."""

    def __init__(self) -> None:
        self.connected = True
        self.answering = True
        self.started_at = 0.0
        self.registered: dict[str, list[Contact]] = {}
        self.watched: set[str] = set()
        self.phones: dict[str, Registrant] = {}
        self.removed: frozenset[str] = frozenset()
        self.fail: Exception | None = None
        self.report: Callable[[LegId, Signal], None] = lambda _leg, _signal: None

    def contacts(self, endpoint: str) -> Sequence[Contact]:
        return self.registered.get(endpoint, ()) if endpoint in self.watched else ()

    async def watch(self, endpoints: set[str]) -> None:
        self.watched = endpoints
        if self.fail is not None:
            raise self.fail

    async def provision(self, phones: Mapping[str, Registrant], removed: Iterable[str]) -> None:
        self.phones, self.removed = dict(phones), frozenset(removed)

    def provisioned(self, endpoint: str) -> bool:
        return self.connected and endpoint in self.phones

    async def execute(self, call: Call, command: Command) -> None:
        if isinstance(command, HangUpLeg):
            asyncio.get_running_loop().call_soon(self.report, command.leg_id, LegEnded(command.leg_id, command.cause))

    async def look(self) -> Stock:
        return Stock({}, {}, 0.0)

    async def was_dialled(self, leg_id: LegId) -> bool | None:
        """There is nothing."""
        return None

    async def sweep(self, legs: Iterable[LegId], bridges: Iterable[CallId]) -> None:
        """There is nothing."""


class Office:
    """One account with its user Ann, and the key of its platform."""

    def __init__(
        self, place: Place, client: ClientSession, service: CallService, switch: SilentSwitch, key: str
    ) -> None:
        self.store = place.store
        self.platform, self.account, self.user = place.platform, place.account, place.user
        self.service = service
        self.switch = switch
        self.key = key
        self.url = ""
        self.app: web.Application
        self.server: HttpServer
        self._client = client

    async def ask(
        self, method: str, path: str, body: object = None, *, key: str | None = None, account: str | None = None
    ) -> tuple[int, Json]:
        """Status and JSON of an answer."""
        headers = {"Authorization": f"Bearer {key or self.key}", "DialStack-Account": account or self.account.id}
        async with self._client.request(method, path, json=body, headers=headers) as response:
            require_told(TABLE, response, await response.read())
            return response.status, await response.json() if response.content_type == "application/json" else {}

    async def get(self, path: str) -> Json:
        """The body of a GET that must succeed."""
        status, body = await self.ask("GET", path)
        assert status == 200, body
        return body

    async def make(self, path: str, **fields: object) -> Json:
        """What a POST made, which must succeed."""
        status, body = await self.ask("POST", path, fields)
        assert status == 201, body
        return body

    async def change(self, path: str, **fields: object) -> Json:
        """What a POST changed, which must succeed."""
        status, body = await self.ask("POST", path, fields)
        assert status == 200, body
        return body

    async def delete(self, path: str) -> None:
        """A DELETE that must succeed."""
        assert await self.ask("DELETE", path) == (204, {})

    async def refused(self, method: str, path: str, body: object = None, **whom: str) -> tuple[int, str, Json]:
        """Status, code and details of an answer that is no success."""
        status, answer = await self.ask(method, path, body, **whom)
        assert status >= 400, answer
        assert isinstance(answer["error"], str)
        return status, answer["code"], answer.get("details", {})

    async def text(self, path: str) -> tuple[str, str]:
        """The body of a GET that must succeed, as it is, and its kind."""
        headers = {"Authorization": f"Bearer {self.key}", "DialStack-Account": self.account.id}
        async with self._client.get(path, headers=headers) as response:
            assert response.status == 200, await response.text()
            return (await response.read()).decode(), response.headers["Content-Type"]

    async def call(self, user_id: str, dial_string: str = "+15551234567") -> str:
        """Place a call; its path."""
        return await self.placed(user_id, dial_string)

    async def placed(self, user_id: str, dial_string: str, **asked: object) -> str:
        """Place a call with more fields; its path."""
        headers = {"Authorization": f"Bearer {self.key}", "DialStack-Account": self.account.id}
        fields = {"user_id": user_id, "dial_string": dial_string} | asked
        async with self._client.post("/v1/calls", json=fields, headers=headers) as response:
            require_told(TABLE, response, await response.read())
            assert response.status == 202, await response.text()
            return response.headers["Location"]


@asynccontextmanager
async def opened(place: Place) -> AsyncIterator[Office]:
    """The office as long as it is open."""
    switch = SilentSwitch()
    service = CallService(
        store=place.store,
        switch=switch,
        publisher=Envelopes(),
        clock=SystemClock(),
        calls=Calls(),
        trunks=(Trunk("carrier", "PJSIP/{number}@carrier"),),
        policy=Settings(user=Ceilings(calls=2)),
        watch=switch.watch,
        provision=switch.provision,
        sip_server=SipServer("pbx.example.com", websocket_url="wss://pbx.example.com/ws"),
    )
    switch.report = service.receive
    key, _ = await place.store.create_key(place.platform.id)
    await service.start()
    await service.connected()
    app = build_app(service, place.store)
    server = HttpServer(app, Http(Address("127.0.0.1", 0), max_failed_logins=100_000))
    try:
        url = f"http://{await server.start()}"
        async with ClientSession(url) as client:
            office = Office(place, client, service, switch, key)
            office.url, office.app, office.server = url, app, server
            yield office
    finally:
        await server.stop()
        await service.stop()
