"""Events on their way to good, bad and ugly receivers: real connections over TLS, and a store that outlives its sender."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from c2c_stasis.directory.pages import Wish
from c2c_stasis.directory.webhooks import DISABLED_EVENT, Delivery, WebhookEndpoint
from c2c_stasis.publish import lane
from c2c_stasis.publish import poster as poster_module
from c2c_stasis.store import webhooks
from c2c_stasis.store.sql_store import open_store
from tests.publish.receiver import hangs, verify
from tests.publish.sending import (
    Listen,
    a_whole_call,
    endpoint_at,
    order_of_first_acceptance,
    rows_pending,
    sending,
)
from tests.store.samples import Place, an_event, eventually, rows, url_of


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
            await a_whole_call(place, at=time.time() + ahead)
        assert watching.got == []
        ahead += 25 * 3600
        await a_whole_call(place, at=time.time() + ahead)
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


async def test_after_a_day_an_event_is_not_sent_any_more_and_the_next_of_its_call_has_its_turn(
    place: Place, file: Path, tls: tuple[Path, Path], listen: Listen
) -> None:
    """What waits behind a receiver that hangs may become older than a day before it was ever attempted."""
    receiver = await listen()
    await endpoint_at(place, receiver)
    call, now = place.call(), time.time()
    old, new = an_event(call, 1, "call.ringing"), an_event(call, 2, "call.end")
    body = b'{"id":"new"}'
    await place.store.accept(call, [replace(old, created_at=now - 3 * 86_400)])
    await place.store.record(call, [replace(new, created_at=now, body=body)])
    async with sending(place.store, tls, receiver) as sender:
        await eventually(lambda: sender.tally.delivered == 1)
        assert sender.tally.given_up == 1
    assert [one.body for one in receiver.got] == [body]
    told = "SELECT error FROM webhook_deliveries JOIN webhook_attempts ON delivery_id = id WHERE status = 'failed'"
    assert rows(file, told) == [("a day has passed since the event",)]


async def test_what_waits_goes_to_the_new_address_as_soon_as_it_is_changed(
    place: Place, tls: tuple[Path, Path], listen: Listen
) -> None:
    async def wants_an_hour(_: web.Request) -> web.StreamResponse:
        return web.Response(status=503, headers={"Retry-After": "3600"})

    wrong, right = await listen(wants_an_hour), await listen()
    endpoint = await endpoint_at(place, wrong)
    async with sending(place.store, tls, wrong, right) as sender:
        calls = [await a_whole_call(place)]
        await eventually(lambda: sender.tally.failed_attempts == 1)
        calls.append(await a_whole_call(place))
        await place.store.update_webhook_endpoint(place.account.id, endpoint.id, {"url": right.url()})
        await eventually(lambda: len(right.accepted) == 8)
    assert order_of_first_acceptance(right.accepted) == {call[0].call_id: [1, 3, 4, 5] for call in calls}
    assert len(wrong.got) == 1


async def test_what_the_old_address_answers_afterwards_counts_for_nothing(
    place: Place, tls: tuple[Path, Path], listen: Listen
) -> None:
    moved = asyncio.Event()

    async def is_gone_when_it_was_left(_: web.Request) -> web.StreamResponse:
        await moved.wait()
        return web.Response(status=410)

    old, new = await listen(is_gone_when_it_was_left), await listen()
    endpoint = await endpoint_at(place, old)
    async with sending(place.store, tls, old, new):
        await a_whole_call(place)
        await eventually(lambda: old.came)
        await place.store.update_webhook_endpoint(place.account.id, endpoint.id, {"url": new.url()})
        await a_whole_call(place)
        await eventually(lambda: len(new.accepted) == 4)  # the other call: so the change has arrived
        moved.set()
        await eventually(lambda: len(new.accepted) == 8)
    found = await place.store.find(WebhookEndpoint, place.account.id, endpoint.id)
    assert found is not None
    assert found.enabled


async def test_what_is_under_way_when_the_service_stops_comes_back_and_is_not_sent_twice(
    place: Place, tls: tuple[Path, Path], listen: Listen
) -> None:
    stopping = asyncio.Event()

    async def answers_when_it_stops(_: web.Request) -> web.StreamResponse:
        await stopping.wait()
        return web.Response()

    receiver = await listen(answers_when_it_stops)
    await endpoint_at(place, receiver)
    async with sending(place.store, tls, receiver):
        call = await a_whole_call(place)
        await eventually(lambda: len(receiver.came) == 1)
        asyncio.get_running_loop().call_later(0.05, stopping.set)
    async with sending(place.store, tls, receiver):
        await eventually(lambda: len(receiver.got) == len(call))
    assert receiver.came == [event.id for event in call]


async def test_what_hangs_does_not_hold_up_the_stop(
    place: Place, tls: tuple[Path, Path], listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane, "FINISH_WITHIN", 0.05)
    receiver = await listen(hangs)
    await endpoint_at(place, receiver)
    async with asyncio.timeout(5), sending(place.store, tls, receiver):  # it would hang for ten
        await a_whole_call(place)
        await eventually(lambda: receiver.came)
    async with sending(place.store, tls, receiver):
        await eventually(lambda: len(receiver.came) == 2)
    assert len(set(receiver.came)) == 1  # the same again


async def test_what_was_missed_while_an_endpoint_was_disabled_is_not_sent_when_it_is_enabled(
    place: Place, file: Path, tls: tuple[Path, Path], listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when it was so much that not all of it was given up meanwhile."""
    monkeypatch.setattr(webhooks, "AT_A_TIME", 2)
    receiver = await listen()
    endpoint = await endpoint_at(place, receiver)
    await a_whole_call(place)
    for status in ("disabled", "enabled"):
        await place.store.update_webhook_endpoint(place.account.id, endpoint.id, {"status": status})
    assert rows_pending(place, endpoint) == 2
    async with sending(place.store, tls, receiver):
        later = await a_whole_call(place)
        await eventually(lambda: not rows_pending(place, endpoint))
    assert [one.event_id for one in receiver.got] == [event.id for event in later]
    ends = "SELECT status, count(*) FROM webhook_deliveries GROUP BY 1 ORDER BY 1"
    assert rows(file, ends) == [("delivered", 4), ("failed", 4)]


async def test_of_a_disabled_endpoint_nothing_waits_any_more_however_much_it_was(
    place: Place, tls: tuple[Path, Path], listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "AT_A_TIME", 3)
    monkeypatch.setattr(lane, "BREATHE", 0.0)
    receiver = await listen(hangs)
    endpoint = await endpoint_at(place, receiver)
    async with sending(place.store, tls, receiver):
        for _ in range(10):
            await a_whole_call(place)
        await eventually(lambda: len(receiver.came) == lane.WIDTH)
        await place.store.update_webhook_endpoint(place.account.id, endpoint.id, {"status": "disabled"})
        assert rows_pending(place, endpoint) > 0
        assert await place.store.pending_deliveries() == 0
        await eventually(lambda: not rows_pending(place, endpoint))
    assert len(receiver.came) == lane.WIDTH


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
