"""What is owed to webhook endpoints: written with the event, in line for each call, kept for a while."""

from pathlib import Path

import pytest

from c2c_stasis.directory.webhooks import Attempt, DeliveryStatus, WebhookEndpoint, wants
from c2c_stasis.errors import DeliveryNotFound
from c2c_stasis.ids import DELIVERY, DeliveryId, new_id
from c2c_stasis.ports import DueDelivery, Settled
from c2c_stasis.store import deliveries
from c2c_stasis.store.errors import RecordRefused
from tests.store.samples import ACCEPTED_AT, Place, an_event, change, rows

LATER = ACCEPTED_AT + 1_000


async def an_endpoint(place: Place, *events: str) -> WebhookEndpoint:
    return await place.store.create_webhook_endpoint(
        place.account.id, "https://a.example/", livemode=True, events=events or ("*",), description=""
    )


async def due(place: Place, endpoint: WebhookEndpoint) -> list[DueDelivery]:
    found, _ = await place.store.due_deliveries(endpoint.id, LATER, 100)
    return found


async def settle(
    place: Place, endpoint: WebhookEndpoint, one: DueDelivery, status: str = "delivered", again: float | None = None
) -> None:
    attempt = Attempt(LATER - 1, 0.5, 200)
    await place.store.settle_delivery(endpoint.id, Settled(one, attempt, DeliveryStatus(status), again))


async def test_of_each_call_one_event_at_a_time_is_due_in_their_order(place: Place) -> None:
    endpoint = await an_endpoint(place)
    one, other = place.call(), place.call()
    await place.store.accept(one, [an_event(one, at, "call.ringing") for at in (1, 2, 3)])
    await place.store.accept(other, [an_event(other, 1, "call.ringing")])
    seen = []
    while found := await due(place, endpoint):
        assert len({delivery.line for delivery in found}) == len(found)
        seen += [(delivery.line, delivery.body) for delivery in found]
        for delivery in found:
            await settle(place, endpoint, delivery)
    of_one = [body for line, body in seen if line == one.id]
    assert of_one == [event.body for event in await place.store.call_events(place.account.id, one.id)]
    assert len(seen) == 4


async def test_one_that_is_tried_again_holds_up_its_call_until_then(place: Place) -> None:
    endpoint = await an_endpoint(place)
    call = place.call()
    await place.store.accept(call, [an_event(call, at, "call.ringing") for at in (1, 2)])
    (first,) = await due(place, endpoint)
    await settle(place, endpoint, first, "pending", LATER + 60)
    assert await place.store.due_deliveries(endpoint.id, LATER, 9) == ([], LATER + 60)
    await place.store.record(call, [an_event(call, 3, "call.end")])
    assert await due(place, endpoint) == []


async def test_a_record_that_is_refused_owes_nothing_and_the_others_of_its_batch_do(place: Place, file: Path) -> None:
    endpoint = await an_endpoint(place)
    good, bad = place.call(), place.call()
    await place.store.accept(bad, [an_event(bad, 1, "call.ringing")])
    refused = place.store.record(bad, [an_event(bad, 1, "call.end")])  # its number is taken
    kept = place.store.record(good, [an_event(good, 1, "call.ringing")])
    await kept
    with pytest.raises(RecordRefused):
        await refused
    assert rows(file, "select event_id from webhook_deliveries order by id") == rows(
        file, "select id from events order by created_at, id"
    )
    assert len(await due(place, endpoint)) == 2


async def test_what_was_settled_is_forgotten_in_time_and_what_waits_is_not(
    place: Place, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "FORGOTTEN_AT_A_TIME", 2)
    endpoint = await an_endpoint(place)
    for _ in range(4):
        call = place.call()
        await place.store.accept(call, [an_event(call, 1, "call.ringing")])
    *settled, waiting = await due(place, endpoint)
    for one in settled:
        await settle(place, endpoint, one)
    assert [await place.store.forget_deliveries(before) for before in (LATER - 9, LATER, LATER, LATER)] == [0, 2, 1, 0]
    assert rows(file, "select id from webhook_deliveries") == [(waiting.id,)]
    assert rows(file, "select count(*) from webhook_attempts") == [(0,)]


async def test_of_an_event_that_left_the_log_there_is_nothing_to_send(place: Place, file: Path) -> None:
    endpoint = await an_endpoint(place)
    call = place.call()
    await place.store.accept(call, [an_event(call, 1, "call.ringing")])
    change(file, "delete from events")
    (one,) = await due(place, endpoint)
    assert one.body is None
    with pytest.raises(DeliveryNotFound):
        await place.store.redeliver(place.account.id, endpoint.id, one.id)
    with pytest.raises(DeliveryNotFound):
        await place.store.redeliver(place.account.id, endpoint.id, DeliveryId(new_id(DELIVERY)))


async def test_what_became_of_an_attempt_is_no_news_when_all_of_its_endpoint_is_gone_meanwhile(
    place: Place, file: Path
) -> None:
    endpoint = await an_endpoint(place)
    call = place.call()
    await place.store.accept(call, [an_event(call, 1, "call.ringing")])
    (one,) = await due(place, endpoint)
    await place.store.delete_webhook_endpoint(place.account.id, endpoint.id)
    await place.store.forget_deliveries(0)
    await settle(place, endpoint, one)
    assert rows(file, "select count(*) from webhook_attempts") == [(0,)]


async def test_a_deleted_endpoint_leaves_nothing_of_what_was_its_own_and_the_rest_goes_little_by_little(
    place: Place, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "FORGOTTEN_AT_A_TIME", 2)
    endpoint, other = await an_endpoint(place), await an_endpoint(place)
    call = place.call()
    await place.store.accept(call, [an_event(call, at, "call.ringing") for at in (1, 2, 3)])
    await place.store.delete_webhook_endpoint(place.account.id, endpoint.id)
    assert endpoint.secret not in str(rows(file, "select * from webhook_endpoints"))
    assert await place.store.pending_deliveries() == 3
    assert [await place.store.forget_deliveries(0) for _ in range(3)] == [2, 1, 0]
    assert rows(file, "select distinct endpoint_id from webhook_deliveries") == [(other.id,)]
    assert rows(file, "select id from webhook_endpoints") == [(other.id,)]


async def test_what_fails_after_its_endpoint_was_disabled_does_not_wait_again(place: Place) -> None:
    endpoint = await an_endpoint(place)
    call = place.call()
    await place.store.accept(call, [an_event(call, 1, "call.ringing")])
    (one,) = await due(place, endpoint)
    await place.store.update_webhook_endpoint(place.account.id, endpoint.id, {"status": "disabled"})
    await settle(place, endpoint, one, "pending", LATER)
    assert await place.store.pending_deliveries() == 0


@pytest.mark.parametrize(
    ("patterns", "wanted", "unwanted"),
    [
        ("*", ("call.end", "call.emergency", "webhook_endpoint.disabled"), ("leg.ended",)),
        ("* leg.*", ("call.end", "leg.ended"), ()),
        ("call.*", ("call.end",), ("leg.ended", "webhook_endpoint.disabled")),
        ("leg.ended call.end", ("call.end", "leg.ended"), ("leg.created", "call.ringing")),
    ],
)
def test_patterns_say_which_events_are_wanted(
    patterns: str, wanted: tuple[str, ...], unwanted: tuple[str, ...]
) -> None:
    assert [one for one in (*wanted, *unwanted) if wants(patterns, one)] == list(wanted)
