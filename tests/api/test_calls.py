"""Show, follow and cancel a call, and what becomes of one whose client went away."""

import asyncio
import json

import pytest
from aiohttp import ServerDisconnectedError
from msgspec.structs import replace

from c2c_stasis.api.server import HttpServer
from c2c_stasis.call.model import CallState
from c2c_stasis.ids import AccountId
from c2c_stasis.ports import StoredEvent
from tests.api.fakes import ACCOUNT, FOREIGN_ACCOUNT, KEY, TEST_KEY, USER, FakeService
from tests.api.requests import GOOD, HEADERS, JSON, Client, place, placed, send

NOT_FOUND = b'{"error":"Call not found","code":"call_not_found"}'


async def test_show_a_call(client: Client) -> None:
    path = await placed(client)
    response = await client.get(path, headers=HEADERS | JSON)
    assert (response.status, response.headers["Content-Type"]) == (200, "application/json")
    record = await response.json()
    assert (record["id"], record["user"], record["user_id"]) == (path.rpartition("/")[2], USER, USER)
    assert record["status"] is None


async def test_cancel_is_204_as_often_as_one_asks(client: Client, service: FakeService) -> None:
    path = await placed(client)
    for _ in range(3):
        response = await client.delete(path, headers=HEADERS)
        assert (response.status, await response.read()) == (204, b"")
    record = await (await client.get(path, headers=HEADERS)).json()
    assert (record["state"], record["status"], record["outcome"]) == ("ended", "no-answer", "cancelled")


async def test_the_events_are_the_stored_bytes(client: Client, service: FakeService) -> None:
    path = await placed(client)
    call_id = path.rpartition("/")[2]
    bodies = [b'{"id":"evt_1",  "odd":1.50}', '{"name":"é\\u00e9"}'.encode()]
    service.events[call_id] = [
        StoredEvent(f"evt_{number}", ACCOUNT, service.calls[call_id].id, number, "call.ringing", 0.0, body)
        for number, body in enumerate(bodies, start=1)
    ]
    response = await client.get(f"{path}/events", headers=HEADERS)
    assert response.status == 200
    assert await response.read() == (
        f'{{"object":"list","url":"{path}/events","next_page_url":null,"previous_page_url":null,"data":['.encode()
        + bodies[0] + b"," + bodies[1] + b"]}"
    )  # fmt: skip


async def test_a_call_without_events_has_an_empty_list(client: Client) -> None:
    path = await placed(client)
    assert (await (await client.get(f"{path}/events", headers=HEADERS)).json())["data"] == []


@pytest.mark.parametrize(
    "call_id",
    [
        "call_01h2xcejqtf2nbrexx3vqjhp49",
        "call_1",
        "x",
        "user_01h2xcejqtf2nbrexx3vqjhp42",
        "call_01H2XCEJQTF2NBREXX3VQJHP42",
        "%00",
        "%ff",
        "%0d%0aX: y",
        "{x}",
        "call_" + "x" * 4000,
        "%F0%9F%98%80",
    ],
)
@pytest.mark.parametrize(("method", "tail"), [("GET", ""), ("DELETE", ""), ("GET", "/events")])
async def test_an_unknown_call_and_a_malformed_one_look_the_same(
    client: Client, call_id: str, method: str, tail: str
) -> None:
    response = await client.request(method, f"/v1/calls/{call_id}{tail}", headers=HEADERS)
    assert (response.status, await response.read()) == (404, NOT_FOUND)


async def test_a_foreign_call_looks_like_an_unknown_one(client: Client, service: FakeService) -> None:
    path = await placed(client)
    call_id = path.rpartition("/")[2]
    service.calls[call_id] = replace(service.calls[call_id], account_id=AccountId(FOREIGN_ACCOUNT))
    for method, target in (("GET", path), ("DELETE", path), ("GET", f"{path}/events")):
        response = await client.request(method, target, headers=HEADERS)
        assert (response.status, await response.read()) == (404, NOT_FOUND)
    assert service.calls[call_id].state is CallState.ACCEPTED


@pytest.mark.parametrize(("placed_with", "asked_with"), [(KEY, TEST_KEY), (TEST_KEY, KEY)])
async def test_a_call_of_the_other_mode_looks_like_an_unknown_one(
    client: Client, service: FakeService, placed_with: str, asked_with: str
) -> None:
    """A key for tests neither sees nor ends the calls of real people, and a live key no tests."""
    placing = HEADERS | {"Authorization": f"Bearer {placed_with}"}
    path = (await client.post("/v1/calls", json=GOOD, headers=placing)).headers["Location"]
    asking = HEADERS | {"Authorization": f"Bearer {asked_with}"}
    for method, target in (("GET", path), ("DELETE", path), ("GET", f"{path}/events")):
        response = await client.request(method, target, headers=asking)
        assert (response.status, await response.read()) == (404, NOT_FOUND)
    (call,) = service.calls.values()
    assert call.state is CallState.ACCEPTED
    assert (await client.get(path, headers=placing)).status == 200


@pytest.mark.parametrize(("method", "tail"), [("GET", ""), ("DELETE", ""), ("GET", "/events")])
async def test_nothing_about_calls_without_a_key_and_an_account(client: Client, method: str, tail: str) -> None:
    path = await placed(client) + tail
    assert (await client.request(method, path)).status == 401
    assert (await client.request(method, path, headers={"Authorization": f"Bearer {KEY}"})).status == 400
    assert (await client.request(method, path, headers=HEADERS | {"DialStack-Account": FOREIGN_ACCOUNT})).status == 403


async def test_a_client_that_goes_away_keeps_its_call(client: Client, service: FakeService) -> None:
    service.hold = asyncio.Event()
    asking = asyncio.create_task(place(client))
    await asyncio.wait_for(service.holding.wait(), 5)
    asking.cancel()
    await asyncio.wait([asking])
    service.hold.set()
    await asyncio.wait_for(service.accepted.wait(), 5)


async def test_a_server_that_stops_finishes_what_the_service_began(
    client: Client, server: HttpServer, service: FakeService
) -> None:
    service.hold = asyncio.Event()
    asking = asyncio.create_task(send(client, json.dumps(GOOD).encode()))
    await asyncio.wait_for(service.holding.wait(), 5)
    (handler,) = (task for task in asyncio.all_tasks() if _name(task) == "RequestHandler._handle_request")
    handler.cancel()
    with pytest.raises(ServerDisconnectedError):
        await asking
    asyncio.get_running_loop().call_later(0.05, service.hold.set)
    await server.stop()
    assert len(service.calls) == 1


def _name(task: asyncio.Task[object]) -> str:
    return getattr(task.get_coro(), "__qualname__", "")
