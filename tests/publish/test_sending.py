"""Events on their way to good, bad and ugly receivers: real connections over TLS, and a store that outlives its sender."""

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest
from aiohttp import web

from c2c_stasis.config import Networks
from c2c_stasis.directory.model import Account
from c2c_stasis.directory.pages import Wish
from c2c_stasis.directory.webhooks import DISABLED_EVENT, Delivery, WebhookEndpoint
from c2c_stasis.policy.webhook_urls import WebhookUrls
from c2c_stasis.ports import StoredEvent
from c2c_stasis.publish import poster as poster_module
from c2c_stasis.publish.guard import Guard
from c2c_stasis.publish.poster import Poster
from c2c_stasis.publish.schedule import Schedule
from c2c_stasis.publish.webhooks import WebhookSender
from c2c_stasis.store.sql_store import SqlStore, open_store
from tests.publish.receiver import Behaviour, Got, Receiver, accepts, hangs, verify
from tests.store.samples import Place, an_event, ended, eventually, rows, url_of

TYPES = ("call.ringing", "leg.answered", "call.initiated", "call.answered", "call.end")
QUICK = (0.005, 0.01, 0.02)  # seconds, in the place of seconds to hours

Listen = Callable[..., Awaitable[Receiver]]


@pytest.fixture
async def listen(tls: tuple[Path, Path]) -> AsyncIterator[Listen]:
    """Makes receivers, and stops them."""
    async with AsyncExitStack() as stack:

        async def make(behave: Behaviour = accepts) -> Receiver:
            receiver = await Receiver(behave).start(tls)
            stack.push_async_callback(receiver.stop)
            return receiver

        yield make


@asynccontextmanager
async def sending(
    store: SqlStore,
    tls: tuple[Path, Path],
    *receivers: Receiver,
    delays: tuple[float, ...] = QUICK,
    wall: Callable[[], float] = time.time,
    disable_after_days: float = 5.0,
) -> AsyncIterator[WebhookSender]:
    """The sender, as long as it works."""
    ports = tuple(receiver.port for receiver in receivers)
    rules = WebhookUrls(ports=ports, allow_subnets=Networks((ip_network("127.0.0.0/8"),)))
    poster = Poster(Guard(rules, []), wall=time.time, ca_file=str(tls[0]))
    sender = WebhookSender(
        store,
        poster.post,
        wall,
        disable_after_days=disable_after_days,
        keep_days=7.0,
        schedule=Schedule(random.Random(7).random, delays),
    )
    sender.start()
    try:
        yield sender
    finally:
        await sender.stop()
        await poster.close()


async def endpoint_at(
    place: Place, receiver: Receiver, *events: str, account: Account | None = None
) -> WebhookEndpoint:
    return await place.store.create_webhook_endpoint(
        (account or place.account).id, receiver.url(), livemode=True, events=events or ("*",), description=""
    )


async def a_whole_call(place: Place, *types: str) -> list[StoredEvent]:
    """A call that is recorded event by event, as calls are; what is told of it to who wants everything but legs."""
    call = place.call()
    now = time.time()
    events = [replace(an_event(call, at, name), created_at=now) for at, name in enumerate(types or TYPES, 1)]
    body = '{{"id":"{}","type":"{}","account_id":"{}","data":{{"sequence":{},"call_id":"{}"}}}}'
    events = [
        replace(one, body=body.format(one.id, one.type, one.account_id, one.sequence, call.id).encode())
        for one in events
    ]
    await place.store.accept(call, events[:1])
    for event in events[1:-1]:
        place.store.record(call, [event], patient=True)
    await place.store.record(ended(call), events[-1:])
    return [event for event in events if not event.type.startswith("leg.")]


def order_of_first_acceptance(got: list[Got]) -> dict[str, list[int]]:
    """Of each call the sequences, in the order in which they were accepted first."""
    found: dict[str, list[int]] = defaultdict(list)
    for one in got:
        data = one.event["data"]
        if data["sequence"] not in found[data["call_id"]]:
            found[data["call_id"]].append(data["sequence"])
    return found


async def test_everything_comes_once_in_the_order_of_each_call_signed_and_with_the_stored_bytes(
    place: Place, tls: tuple[Path, Path], listen: Listen
) -> None:
    receiver = await listen()
    endpoint = await endpoint_at(place, receiver)
    async with sending(place.store, tls, receiver):
        calls = [await a_whole_call(place) for _ in range(10)]
        await eventually(lambda: len(receiver.got) == 40)
    for one in receiver.got:
        verify(one, endpoint.secret)
    by_id = {one.event_id: one for one in receiver.got}
    for call in calls:
        assert [by_id[event.id].body for event in call] == [event.body for event in call]
        assert order_of_first_acceptance(receiver.got)[call[0].call_id] == [event.sequence for event in call]
    assert by_id[calls[0][0].id].headers["webhook-id"] == calls[0][0].id
    assert by_id[calls[0][0].id].headers["Content-Type"] == "application/json"


@pytest.mark.timeout(120)
async def test_bad_receivers_do_not_keep_a_good_one_waiting_and_half_failing_ones_get_everything(
    place: Place, tls: tuple[Path, Path], listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poster_module, "ANSWER_WITHIN", 0.2)
    chance = random.Random(11)
    inward = await listen()

    async def fails_half_of_the_time(request: web.Request) -> web.StreamResponse:
        return web.Response(status=chance.choice((200, 500)))

    async def redirects_inward(_: web.Request) -> web.StreamResponse:
        return web.Response(status=307, headers={"Location": inward.url()})

    async def is_gone(_: web.Request) -> web.StreamResponse:
        return web.Response(status=410)

    good, shaky, dead = await listen(), await listen(fails_half_of_the_time), await listen(hangs)
    elsewhere, gone = await listen(redirects_inward), await listen(is_gone)
    everybody = (good, shaky, dead, elsewhere, gone)
    endpoints = {receiver: await endpoint_at(place, receiver, "call.*") for receiver in everybody}
    expected = 0
    async with sending(place.store, tls, *everybody, inward):
        for _ in range(25):
            expected += len(await a_whole_call(place))
        began = time.monotonic()
        await eventually(lambda: len(good.accepted) == expected, 10)
        assert time.monotonic() - began < 5
        await eventually(lambda: len({one.event_id for one in shaky.accepted}) == expected, 60)
        await eventually(lambda: len(dead.got) == 0 and len(elsewhere.got) > 20 and len(gone.got) > 0, 20)
    assert expected == 100
    for receiver in (good, shaky):
        for one in receiver.got:
            verify(one, endpoints[receiver].secret)
        assert all(order == [1, 3, 4, 5] for order in order_of_first_acceptance(receiver.accepted).values())
        assert len(order_of_first_acceptance(receiver.accepted)) == 25
    assert len(good.got) == expected
    assert len(shaky.got) > expected
    assert inward.got == []
    found = await place.store.find(WebhookEndpoint, place.account.id, endpoints[gone].id)
    assert found is not None
    assert (found.status, found.disabled_reason) == ("disabled", "it answered 410 Gone")


async def test_the_events_of_a_call_wait_for_the_one_that_fails_and_other_calls_do_not(
    place: Place, tls: tuple[Path, Path], listen: Listen
) -> None:
    refused: set[str] = set()

    async def refuses_the_first_call(request: web.Request) -> web.StreamResponse:
        refused.add((await request.json())["data"]["call_id"]) if not refused else None
        mine = (await request.json())["data"]["call_id"] in refused
        return web.Response(status=503 if mine and stubborn else 200)

    stubborn = True
    receiver = await listen(refuses_the_first_call)
    await endpoint_at(place, receiver)
    async with sending(place.store, tls, receiver):
        first = await a_whole_call(place)
        second = await a_whole_call(place)
        await eventually(lambda: len(receiver.accepted) == len(second))
        await eventually(lambda: len(receiver.got) > len(second) + 3)
        assert {one.event_id for one in receiver.got if one.status == 503} == {first[0].id}
        stubborn = False
        await eventually(lambda: len(receiver.accepted) == len(first) + len(second))
    assert [one.event_id for one in receiver.accepted[-4:]] == [event.id for event in first]


async def test_an_emergency_goes_before_everything_else(place: Place, tls: tuple[Path, Path], listen: Listen) -> None:
    receiver = await listen()
    await endpoint_at(place, receiver)
    waiting = [await a_whole_call(place) for _ in range(12)]
    urgent = await a_whole_call(place, "call.ringing", "call.emergency", "call.end")
    async with sending(place.store, tls, receiver):
        await eventually(lambda: len(receiver.got) == 12 * 4 + 3)
    places = [one.event_id for one in receiver.got]
    assert places.index(urgent[1].id) < 8  # as many are under way at a time
    assert places.index(waiting[-1][0].id) > 8


async def test_what_was_owed_is_sent_by_the_next_process(
    place: Place, file: Path, tls: tuple[Path, Path], listen: Listen
) -> None:
    down = True

    async def comes_back(_: web.Request) -> web.StreamResponse:
        return web.Response(status=500 if down else 204)

    receiver = await listen(comes_back)
    await endpoint_at(place, receiver)
    async with sending(place.store, tls, receiver, delays=(0.3,)):
        call = await a_whole_call(place)
        await eventually(lambda: len(receiver.got) == 1)
    down = False
    other = await open_store(url_of(file))  # as after a kill: nothing was said to the first one
    async with sending(other, tls, receiver):
        await eventually(lambda: len(receiver.accepted) == len(call))
        later = await a_whole_call(replace(place, store=other))
        await eventually(lambda: len(receiver.accepted) == len(call) + len(later))
    await other.close()
    assert [one.event_id for one in receiver.accepted] == [event.id for event in call + later]


async def test_a_receiver_that_fails_for_days_is_disabled_and_the_others_are_told(
    place: Place, tls: tuple[Path, Path], listen: Listen, caplog: pytest.LogCaptureFixture
) -> None:
    async def fails(_: web.Request) -> web.StreamResponse:
        return web.Response(status=500, text="x" * 3000)

    ahead = 0.0
    failing, watching = await listen(fails), await listen()
    bad = await endpoint_at(place, failing)
    await endpoint_at(place, watching, "webhook_endpoint.disabled")
    async with sending(
        place.store, tls, failing, watching, wall=lambda: time.time() + ahead, delays=(3600.0,)
    ) as sender:
        await a_whole_call(place)
        await eventually(lambda: len(failing.got) == 1)
        attempts = 1
        for _ in range(4 * 24 // 8):  # every eight hours, for four days: nothing happens to the endpoint
            ahead += 8 * 3600
            sender.wake()
            await eventually(lambda: len(failing.got) > attempts)  # noqa: B023
            attempts = len(failing.got)
            await a_whole_call(place)
        assert watching.got == []
        ahead += 25 * 3600
        sender.wake()
        await eventually(lambda: len(watching.got) == 1)
        calls_so_far = len(failing.got)
        await a_whole_call(place)
        await eventually(lambda: not rows_pending(place, bad))
        assert len(failing.got) <= calls_so_far + 8
    event = watching.got[0].event
    assert event["type"] == DISABLED_EVENT
    assert event["account_id"] == place.account.id
    assert event["data"]["webhook_endpoint_id"] == bad.id
    assert event["data"]["reason"].startswith("every attempt failed since ")
    assert [record for record in caplog.records if record.getMessage() == "webhook endpoint disabled"]
    found = await place.store.find(WebhookEndpoint, place.account.id, bad.id)
    assert found is not None
    assert found.status == "disabled"


def rows_pending(place: Place, endpoint: WebhookEndpoint) -> int:
    file = Path(str(place.store._database._writer.url.database))
    return int(
        rows(
            file,
            "select count(*) from webhook_deliveries where status = 'pending' and endpoint_id = ?",
            endpoint.id,
        )[0][0]
    )


async def test_a_receiver_that_asks_for_time_is_left_alone_for_so_long(
    place: Place, tls: tuple[Path, Path], listen: Listen
) -> None:
    ahead = 0.0

    async def throttles(_: web.Request) -> web.StreamResponse:
        return web.Response(status=429, headers={"Retry-After": "120"}) if not ahead else web.Response()

    receiver = await listen(throttles)
    await endpoint_at(place, receiver)
    async with sending(place.store, tls, receiver, wall=lambda: time.time() + ahead) as sender:
        await a_whole_call(place)
        await eventually(lambda: len(receiver.got) == 1)
        await eventually(lambda: sender.tally.failed_attempts == 1)
        await a_whole_call(place)  # another call, which is held back as well
        sender.wake()
        await asyncio.sleep(0.1)  # nothing happens, and that takes time to be seen
        assert len(receiver.got) == 1
        ahead = 121.0
        sender.wake()
        await eventually(lambda: len(receiver.accepted) == 8)


async def test_answers_are_kept_in_part_and_an_endless_one_is_cut_off(
    place: Place, tls: tuple[Path, Path], listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poster_module, "READ_WITHIN", 0.2)
    sent = 0

    async def pours(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        answer = web.StreamResponse(status=200)
        await answer.prepare(request)
        try:
            while sent < 50_000_000:
                await answer.write(b"\x1b[31mxy" * 8192)
                sent += 8192 * 7
        except ConnectionError:
            pass
        return answer

    receiver = await listen(pours)
    endpoint = await endpoint_at(place, receiver)
    async with sending(place.store, tls, receiver) as sender:
        await a_whole_call(place, "call.ringing", "call.end")
        await eventually(lambda: sender.tally.delivered == 2, 10)
    assert sent < 20_000_000
    page = await place.store.page(Delivery, place.account.id, Wish(10), equal={"endpoint_id": endpoint.id})
    attempts = await place.store.delivery_attempts([one.id for one in page.entries], 5)
    (response,) = {one.response for found in attempts.values() for one in found}
    assert 1000 < len(response) <= 1024
    assert "\x1b" not in response


async def test_an_account_without_endpoints_and_one_of_another_mode_owe_nothing(place: Place, file: Path) -> None:
    await a_whole_call(place)
    assert rows(file, "select count(*) from webhook_deliveries") == [(0,)]
    await place.store.create_webhook_endpoint(
        place.account.id, "https://a.example/", livemode=False, events=("*",), description=""
    )
    await a_whole_call(place)
    assert rows(file, "select count(*) from webhook_deliveries") == [(0,)]
