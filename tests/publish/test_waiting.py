"""Who waits for whom: nobody for a receiver that hangs, is slow, fails or is gone; and an emergency for nothing."""

import asyncio
import random
import socket
import threading
from collections.abc import Iterable
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from c2c_stasis.directory.webhooks import MOST_ENDPOINTS, WebhookEndpoint
from c2c_stasis.publish import lane, places
from c2c_stasis.publish import poster as poster_module
from c2c_stasis.publish.look_ups import OF_ONE, LookUps
from c2c_stasis.publish.places import Places
from tests.publish.receiver import Receiver, hangs, verify
from tests.publish.sending import Listen, a_whole_call, another, endpoint_at, order_of_first_acceptance, sending
from tests.store.samples import Place, eventually


@pytest.fixture(autouse=True)
def stops_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What hangs to the end of a test is not waited for."""
    monkeypatch.setattr(lane, "FINISH_WITHIN", 0.01)


def came(receivers: Iterable[Receiver]) -> int:
    return sum(len(receiver.came) for receiver in receivers)


@pytest.mark.timeout(120)
async def test_a_good_receiver_gets_everything_while_all_others_hang_in_its_account_and_in_others(
    place: Place, tls: tuple[Path, Path], listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More hang than there are places of any kind, and nobody gives up as long as the good one is served."""
    monkeypatch.setattr(places, "SOON", 0.05)
    monkeypatch.setattr(poster_module, "ANSWER_WITHIN", 60.0)
    good = await listen()
    good_endpoint = await endpoint_at(place, good)
    dead = [await listen(hangs) for _ in range(3 * MOST_ENDPOINTS - 1)]
    others = [await another(place), await another(place)]
    for number, receiver in enumerate(dead):
        await endpoint_at([place, *others][(number + 1) // MOST_ENDPOINTS], receiver)
    calls = [await a_whole_call(place) for _ in range(12)]
    for _ in range(12):
        for other in others:
            await a_whole_call(other)
    async with sending(place.store, tls, good, *dead):
        await eventually(lambda: came(dead) > places.LONG, 20)
        calls += [await a_whole_call(place) for _ in range(5)]
        await eventually(lambda: len({one.event_id for one in good.accepted}) == 17 * 4, 20)
        assert sum(len(receiver.got) for receiver in dead) == 0
    assert order_of_first_acceptance(good.got) == {call[0].call_id: [1, 3, 4, 5] for call in calls}
    for one in good.got:
        verify(one, good_endpoint.secret)


async def test_slow_receivers_that_accept_everything_in_the_end_hold_up_nobody_else(
    place: Place, tls: tuple[Path, Path], listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "SOON", 0.05)
    served = asyncio.Event()

    async def takes_its_time(_: web.Request) -> web.StreamResponse:
        await served.wait()
        return web.Response()

    good, slow = await listen(), [await listen(takes_its_time) for _ in range(15)]
    mine = await another(place)
    await endpoint_at(mine, good)
    for receiver in slow:
        await endpoint_at(place, receiver)
    for _ in range(10):
        await a_whole_call(place)
    async with sending(place.store, tls, good, *slow) as sender:
        await eventually(lambda: came(slow) >= places.QUICK, 20)
        for _ in range(3):
            await a_whole_call(mine)
        await eventually(lambda: len({one.event_id for one in good.got}) == 12, 20)
        assert sum(len(receiver.got) for receiver in slow) == 0
        served.set()
        await eventually(lambda: sender.tally.delivered == 12 + 15 * 40, 60)
    for receiver in slow:
        assert all(order == [1, 3, 4, 5] for order in order_of_first_acceptance(receiver.accepted).values())


async def test_who_takes_long_has_the_time_that_it_needs_although_others_take_the_places(
    place: Place, tls: tuple[Path, Path], listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What takes long where there is no room for that is broken off, once, and sent again where it may take long."""
    monkeypatch.setattr(places, "SOON", 0.05)
    monkeypatch.setattr(places, "LONG", 0)

    async def takes_its_time(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0.2)
        return web.Response()

    receiver = await listen(takes_its_time)
    await endpoint_at(place, receiver)
    async with sending(place.store, tls, receiver):
        await a_whole_call(place)
        await eventually(lambda: len(receiver.accepted) == 4)
    assert order_of_first_acceptance(receiver.accepted).popitem()[1] == [1, 3, 4, 5]
    assert len(receiver.came) <= 5  # the first came twice, if it came so far at all


@pytest.mark.timeout(120)
async def test_receivers_that_hang_fail_redirect_inward_or_are_gone_and_good_ones_among_them(
    place: Place, tls: tuple[Path, Path], listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poster_module, "ANSWER_WITHIN", 0.3)
    monkeypatch.setattr(places, "SOON", 0.1)
    chance = random.Random(11)
    inward = await listen()

    async def fails_half_of_the_time(_: web.Request) -> web.StreamResponse:
        return web.Response(status=chance.choice((200, 500)))

    async def redirects_inward(_: web.Request) -> web.StreamResponse:
        return web.Response(status=307, headers={"Location": inward.url()})

    async def is_gone(_: web.Request) -> web.StreamResponse:
        return web.Response(status=410)

    good, shaky = await listen(), await listen(fails_half_of_the_time)
    elsewhere, gone = await listen(redirects_inward), await listen(is_gone)
    mine = [good, shaky, elsewhere, gone, *[await listen(hangs) for _ in range(12)]]
    theirs = [await listen(hangs) for _ in range(16)]
    other = await another(place)
    endpoints = {receiver: await endpoint_at(place, receiver, "call.*") for receiver in mine}
    for receiver in theirs:
        await endpoint_at(other, receiver)
    async with sending(place.store, tls, *mine, *theirs, inward):
        for _ in range(25):
            await a_whole_call(place)
            await a_whole_call(other)
        await eventually(lambda: len({one.event_id for one in good.accepted}) == 100, 30)
        await eventually(lambda: len({one.event_id for one in shaky.accepted}) == 100, 60)
        await eventually(lambda: len(elsewhere.got) > 20, 20)
        await eventually(lambda: min(len(receiver.came) for receiver in (*mine[4:], *theirs)) >= lane.WIDTH, 30)
    for receiver in (good, shaky):
        for one in receiver.got:
            verify(one, endpoints[receiver].secret)
        orders = order_of_first_acceptance(receiver.accepted)
        assert len(orders) == 25
        assert all(order == [1, 3, 4, 5] for order in orders.values())
    assert len(shaky.got) > 100
    assert inward.came == []
    found = await place.store.find(WebhookEndpoint, place.account.id, endpoints[gone].id)
    assert found is not None
    assert (found.status, found.disabled_reason) == ("disabled", "it answered 410 Gone")
    assert len(gone.came) <= lane.WIDTH  # what was under way when it said so


async def test_names_that_hang_hold_up_no_other_name_of_their_account_or_of_others(
    place: Place, tls: tuple[Path, Path], listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered, asked = threading.Event(), []
    system = socket.getaddrinfo

    def resolver(host: str, *more: Any, **how: Any) -> Any:
        if host.endswith(".bad.test"):
            asked.append(host)
            answered.wait(30)
            raise socket.gaierror(socket.EAI_AGAIN, "again")
        return system("127.0.0.1" if host == "hooks.test" else host, *more, **how)

    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    monkeypatch.setattr(places, "SOON", 0.05)
    other = await another(place)
    good = [await listen(), await listen()]
    for mine, receiver in zip((place, other), good, strict=True):
        for url in (receiver.url("hooks.test"), *(f"https://{mine.user.name}{n}.bad.test/" for n in range(15))):
            await mine.store.create_webhook_endpoint(mine.account.id, url, livemode=True, events=("*",), description="")
    try:
        async with sending(place.store, tls, *good):
            for _ in range(5):
                await a_whole_call(place)
                await a_whole_call(other)
            await eventually(lambda: len(asked) == 30, 20)
            await a_whole_call(place)
            await a_whole_call(other)
            await eventually(lambda: all(len({one.event_id for one in each.got}) == 24 for each in good), 20)
        assert len(asked) == len(set(asked))  # each once, though up to eight events wait for it
    finally:
        answered.set()


async def test_of_one_owner_so_many_names_are_looked_up_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    answered, asked = threading.Event(), []

    def resolver(host: str, *_: Any, **__: Any) -> Any:
        asked.append(host)
        if host.startswith("slow"):
            answered.wait(30)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    look_ups = LookUps()
    waiting = [asyncio.create_task(look_ups(f"slow{number}", "one")) for number in range(20)]
    try:
        await eventually(lambda: len(asked) == OF_ONE)
        assert await look_ups("quick", "other") == [ip_address("192.0.2.1")]
        waiting[0].cancel()  # that frees no thread
        await asyncio.sleep(0)
        assert len(asked) == OF_ONE + 1
    finally:
        answered.set()
    await asyncio.gather(*waiting[1:])
    assert len(asked) == 21


async def test_a_receiver_has_eight_at_a_time_and_one_after_three_failures_until_one_succeeds(
    place: Place, tls: tuple[Path, Path], listen: Listen
) -> None:
    well = True

    async def is_well_or_not(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0.005)  # as long as it takes
        return web.Response(status=200 if well else 500)

    receiver = await listen(is_well_or_not)
    await endpoint_at(place, receiver)
    for _ in range(20):
        await a_whole_call(place)
    async with sending(place.store, tls, receiver):
        await eventually(lambda: len(receiver.accepted) >= 20)
        assert receiver.most == lane.WIDTH
        well, failed = False, len(receiver.got)
        await eventually(lambda: len(receiver.got) >= failed + lane.WIDTH + lane.TROUBLED_AFTER)
        receiver.most, seen = 0, len(receiver.got)
        await eventually(lambda: len(receiver.got) >= seen + 5)
        assert receiver.most == 1
        well = True
        await eventually(lambda: len(receiver.accepted) == 80)
        assert receiver.most > 1


async def test_an_emergency_goes_before_everything_else(place: Place, tls: tuple[Path, Path], listen: Listen) -> None:
    receiver = await listen()
    await endpoint_at(place, receiver)
    waiting = [await a_whole_call(place) for _ in range(12)]
    urgent = await a_whole_call(place, "call.ringing", "call.emergency", "call.end")
    async with sending(place.store, tls, receiver):
        await eventually(lambda: len(receiver.got) == 12 * 4 + 3)
    assert receiver.came.index(urgent[1].id) <= lane.WIDTH  # as many are under way at a time
    assert receiver.came.index(waiting[-1][0].id) > lane.WIDTH


async def test_an_emergency_is_sent_while_everything_else_is_held_back(
    place: Place, tls: tuple[Path, Path], listen: Listen
) -> None:
    async def throttles(_: web.Request) -> web.StreamResponse:
        return web.Response(status=429, headers={"Retry-After": "3600"})

    receiver = await listen(throttles)
    await endpoint_at(place, receiver)
    async with sending(place.store, tls, receiver) as sender:
        await a_whole_call(place)
        await eventually(lambda: sender.tally.failed_attempts == 1)
        urgent = await a_whole_call(place, "call.ringing", "call.emergency", "call.end")
        await eventually(lambda: len(receiver.came) == 2)
    assert receiver.came[1] == urgent[1].id


async def test_an_emergency_is_sent_while_everything_else_hangs(
    place: Place, tls: tuple[Path, Path], listen: Listen
) -> None:
    async def hangs_but_for_emergencies(request: web.Request) -> web.StreamResponse:
        return web.Response() if b"emergency" in await request.read() else await hangs(request)

    receiver = await listen(hangs_but_for_emergencies)
    await endpoint_at(place, receiver)
    async with sending(place.store, tls, receiver):
        for _ in range(12):
            await a_whole_call(place)
        await eventually(lambda: len(receiver.came) == lane.WIDTH)
        urgent = await a_whole_call(place, "call.ringing", "call.emergency", "call.end")
        await eventually(lambda: receiver.accepted)
    assert [one.event_id for one in receiver.accepted] == [urgent[1].id]
    assert receiver.most == lane.WIDTH + 1


async def test_places_go_to_who_has_the_fewest_and_nobody_has_all() -> None:
    room = Places(4, each=3)
    had: list[str] = []

    async def want(owner: str, part: str) -> None:
        await room.take((owner, part))
        had.append(owner + part)

    async with asyncio.TaskGroup() as group:
        for wish in ("a1", "a1", "a1", "a2", "a2", "b1"):
            group.create_task(want(wish[0], wish[1]))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert had == ["a1", "a1", "a1", "b1"]  # the fourth of a waits, though it came first
        late = group.create_task(want("c", "1"))
        leaving = group.create_task(want("c", "2"))
        await asyncio.sleep(0)
        room.give_back(("a", "1"))
        await late
        assert had[4:] == ["c1"]  # who has none
        leaving.cancel()
        room.give_back(("a", "1"))
        await asyncio.sleep(0)
        assert had[5:] == ["a2"]  # and of a the part that has fewer
        room.give_back(("b", "1"))
        room.give_back(("c", "1"))
    assert had[6:] == ["a2"]
