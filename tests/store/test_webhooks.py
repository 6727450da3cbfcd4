"""What is owed to webhook endpoints: written with the event, in line for each call, kept for a while."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event
from sqlalchemy.dialects import sqlite

from c2c_stasis.directory.webhooks import DISABLED_EVENT, Attempt, DeliveryStatus, WebhookEndpoint, message, wants
from c2c_stasis.errors import DeliveryNotFound
from c2c_stasis.ids import DELIVERY, DeliveryId, new_id
from c2c_stasis.ports import DueDelivery, Settled
from c2c_stasis.store import deliveries, webhooks
from c2c_stasis.store.errors import RecordRefused
from tests.store.samples import ACCEPTED_AT, Place, an_event, change, rows

LATER = ACCEPTED_AT + 1_000


async def an_endpoint(place: Place, *events: str) -> WebhookEndpoint:
    return await place.store.create_webhook_endpoint(
        place.account.id, "https://a.example/", livemode=True, events=events or ("*",), description=""
    )


async def due(place: Place, endpoint: WebhookEndpoint) -> list[DueDelivery]:
    found, _ = await place.store.due_deliveries(endpoint.id, LATER, 100, urgent=False)
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
    assert await place.store.due_deliveries(endpoint.id, LATER, 9, urgent=False) == ([], LATER + 60)
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
    monkeypatch.setattr(webhooks, "AT_A_TIME", 4)  # rows: two deliveries with their attempts
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
    monkeypatch.setattr(webhooks, "AT_A_TIME", 2)
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


BACKLOG = 1_000
COPIED = "account_id, endpoint_id, event_id, type, position, urgent, status, attempts, settled_at, created_at, body"


async def a_backlog(place: Place, file: Path, endpoint: WebhookEndpoint, attempts: int = 0) -> None:
    """As many calls, of each of which an event waits for an endpoint; and what was answered to so many attempts of each."""
    call = place.call()
    await place.store.accept(call, [an_event(call, 1, "call.ringing")])
    numbers = "WITH RECURSIVE c(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM c WHERE n < ?)"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(
            f"{numbers} INSERT INTO webhook_deliveries (id, call_id, line, next_attempt_at, {COPIED})"
            f" SELECT id || '.' || n, call_id, 'call_' || n, created_at + n, {COPIED} FROM c, "
            "(SELECT * FROM webhook_deliveries WHERE endpoint_id = ? LIMIT 1)",
            (BACKLOG, endpoint.id),
        )
        connection.execute(
            f"{numbers} INSERT INTO webhook_attempts (delivery_id, number, at, seconds, response)"
            " SELECT id, n, 0, 0, 'thanks' FROM webhook_deliveries, c WHERE endpoint_id = ? AND n < ?",
            (attempts + 1, endpoint.id, attempts + 2),
        )
        connection.execute("UPDATE webhook_deliveries SET attempts = ? WHERE endpoint_id = ?", (attempts, endpoint.id))


@contextmanager
def transactions(place: Place) -> Iterator[list[int]]:
    """How many rows each transaction of the writer has changed."""
    changes: list[int] = []
    seen: int | None = None

    def began(connection: Connection) -> None:
        nonlocal seen
        seen = changed(connection)

    def committed(connection: Connection) -> None:
        assert seen is not None
        changes.append(changed(connection) - seen)

    def changed(connection: Connection) -> int:
        raw: Any = connection.connection.dbapi_connection
        return int(raw.total_changes)

    engine = place.store._database._writer
    event.listen(engine, "begin", began)
    event.listen(engine, "commit", committed)
    yield changes
    event.remove(engine, "begin", began)
    event.remove(engine, "commit", committed)


A_FEW = webhooks.AT_A_TIME + 10


async def test_no_call_waits_for_the_end_of_a_large_backlog(place: Place, file: Path) -> None:
    """Calls share the writer with the outbox: whatever happens to an endpoint, no transaction changes many rows."""
    by_request, gone, removed = [await an_endpoint(place) for _ in range(3)]
    for endpoint in (by_request, gone, removed):
        await a_backlog(place, file, endpoint)
    announcement = message(DISABLED_EVENT, place.account.id, {}, LATER)
    with transactions(place) as changes:
        await place.store.update_webhook_endpoint(place.account.id, by_request.id, {"status": "disabled"})
        await place.store.disable_webhook_endpoint(place.account.id, gone.id, "gone", announcement)
        await place.store.delete_webhook_endpoint(place.account.id, removed.id)
        assert await place.store.pending_deliveries() < 10  # of them nothing is sent from now on
        assert await due(place, by_request) == []
        while await place.store.give_up_deliveries(LATER):
            pass
        while await place.store.forget_deliveries(0):
            pass
    assert max(changes) <= A_FEW
    assert sum(changes) > 3 * BACKLOG
    assert rows(
        file, "SELECT count(*) FROM webhook_deliveries WHERE status = 'pending' AND endpoint_id = ?", gone.id
    ) == [(0,)]
    assert rows(file, "SELECT count(*) FROM webhook_deliveries WHERE endpoint_id = ?", removed.id) == [(0,)]


async def test_no_call_waits_until_much_that_was_attempted_often_is_forgotten(place: Place, file: Path) -> None:
    endpoint = await an_endpoint(place)
    await a_backlog(place, file, endpoint, attempts=29)
    change(file, "UPDATE webhook_deliveries SET status = 'failed', next_attempt_at = NULL, settled_at = 1.0")
    with transactions(place) as changes:
        assert await place.store.delete_calls(2e9, 100) == 0
        change(file, "UPDATE calls SET state = 'ended'")
        assert await place.store.delete_calls(2e9, 100) == 1  # all are of one call here
        assert rows(file, "SELECT count(*) FROM webhook_attempts WHERE response <> ''") == [(0,)]
        while await place.store.forget_deliveries(2.0):
            pass
    assert max(changes) <= A_FEW
    assert sum(changes) > 30 * BACKLOG
    assert rows(file, "SELECT count(*) FROM webhook_deliveries") == [(0,)]


async def test_what_waits_at_another_address_is_hurried_in_parts_and_each_of_it_once(place: Place, file: Path) -> None:
    endpoint = await an_endpoint(place)
    await a_backlog(place, file, endpoint)
    upto: float | None = 2e9
    with transactions(place) as changes:
        while upto is not None:
            upto = await place.store.hurry_deliveries(endpoint.id, ACCEPTED_AT, upto, urgent=False)
            change(  # meanwhile one of them fails again
                file,
                "UPDATE webhook_deliveries SET next_attempt_at = 2.0e9 WHERE id = "
                "(SELECT max(id) FROM webhook_deliveries WHERE next_attempt_at <= ?)",
                ACCEPTED_AT,
            )
    assert max(changes) <= A_FEW
    times = rows(file, "SELECT next_attempt_at, count(*) FROM webhook_deliveries GROUP BY 1")
    assert times == [(ACCEPTED_AT, BACKLOG - len(changes)), (2e9, len(changes))]


async def test_what_is_due_is_read_in_the_order_of_an_index_and_no_more_of_it_than_is_wanted(
    place: Place, file: Path
) -> None:
    """Of tens of thousands that are due eight are wanted: to sort them all took a hundred times as long."""
    compiled = deliveries._DUE.compile(dialect=sqlite.dialect())
    about = {"endpoint": "we_x", "now": 1.0, "urgent": False, "limit": 8}
    values = [about.get(name, compiled.params[name]) for name in compiled.positiontup or ()]
    plan = [row[3] for row in rows(file, f"EXPLAIN QUERY PLAN {compiled}", *values)]
    head = plan.index(
        "SEARCH webhook_deliveries USING INDEX ix_webhook_deliveries_due (endpoint_id=? AND urgent=? AND next_attempt_at<?)"
    )
    assert [step for step in plan[:head] if "TEMP B-TREE" in step] == []
    last = [step for step in plan[head:] if "TEMP B-TREE" in step]
    assert last in ([], ["USE TEMP B-TREE FOR ORDER BY"])  # of the eight


async def test_that_an_endpoint_was_disabled_is_told_to_those_of_its_mode_alone(place: Place, file: Path) -> None:
    live, other = [await an_endpoint(place) for _ in range(2)]
    await place.store.create_webhook_endpoint(
        place.account.id, "https://test.example/", livemode=False, events=("*",), description=""
    )
    announcement = message(DISABLED_EVENT, place.account.id, {"reason": "gone"}, LATER)
    await place.store.disable_webhook_endpoint(place.account.id, live.id, "gone", announcement)
    assert rows(file, "SELECT endpoint_id FROM webhook_deliveries") == [(other.id,)]


async def test_what_a_receiver_answered_of_a_call_leaves_with_the_call(place: Place, file: Path) -> None:
    """Some receivers send back what they were sent, numbers included, and that may be kept for longer than calls are."""
    endpoint = await an_endpoint(place)
    old, new = place.call(), place.call()
    for call in (old, new):
        await place.store.accept(call, [an_event(call, 1, "call.ringing")])
        (one,) = await due(place, endpoint)
        attempt = Attempt(LATER, 0.5, 200, response=f"thanks for {call.id}")
        await place.store.settle_delivery(endpoint.id, Settled(one, attempt, DeliveryStatus.DELIVERED))
    change(file, "UPDATE calls SET state = 'ended' WHERE id = ?", old.id)
    assert await place.store.delete_calls(2e9, 20) == 1
    assert rows(file, "SELECT response FROM webhook_attempts ORDER BY delivery_id") == [
        ("",),
        (f"thanks for {new.id}",),
    ]
    assert rows(file, "SELECT count(*) FROM webhook_deliveries") == [(2,)]


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
