"""What goes into the store comes out of it: calls, legs, events, and the rules that guard them."""

import asyncio
import logging
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from c2c_stasis.call.model import Call, CallState, Destination, DestinationKind, End, Leg, Limits, Party
from c2c_stasis.errors import StoreUnavailable
from c2c_stasis.ids import ACCOUNT, CALL, EVENT, AccountId, CallId, new_id
from c2c_stasis.ports import Store, StoredEvent
from c2c_stasis.store.errors import RecordRefused
from c2c_stasis.store.sql_store import open_store
from tests.store.samples import ACCEPTED_AT, Place, an_event, change, ended, rows, url_of

moment = st.floats(-1e9, 1e9)
later = st.none() | moment
code = st.none() | st.integers(-(2**31), 2**31)
any_leg = st.builds(
    Leg,
    cause=code,
    sip_code=code,
    dialled_at=later,
    invited_at=later,
    ringing_at=later,
    answered_at=later,
    ended_at=later,
)
any_call = st.builds(
    Call,
    limits=st.builds(Limits, moment, moment, moment),
    legs=st.lists(any_leg, max_size=4).map(tuple),
    accepted_at=moment,
    clock_zero=moment,
    deadline=later,
    end=st.none() | st.builds(End, cause=code, sip_code=code),
    initiated_at=later,
    answered_at=later,
    connected_at=later,
    ended_at=later,
    release_rounds=st.integers(0, 9),
    events=st.integers(0, 99),
    metadata=st.dictionaries(st.text(), st.text()),
)


async def test_the_store_is_what_the_service_asks_for(place: Place) -> None:
    store: Store = place.store
    await store.check()


async def test_an_accepted_call_is_found_with_its_events(place: Place) -> None:
    call = place.call()
    events = [an_event(call, 1, "leg.created"), an_event(call, 2, "call.ringing")]
    await place.store.accept(call, events)
    assert await place.store.find_call(place.account.id, call.id) == call
    assert await place.store.call_events(place.account.id, call.id) == events
    assert await place.store.live_calls() == [call]
    assert await place.store.ended_calls([call.id, CallId(new_id(CALL))]) == set()


async def test_a_record_replaces_the_call_and_adds_to_the_events(place: Place) -> None:
    call = place.call()
    first, last = an_event(call, 1), an_event(call, 2, "call.end")
    await place.store.accept(call, [first])
    await place.store.record(ended(call), [last])
    assert await place.store.find_call(place.account.id, call.id) == ended(call)
    assert await place.store.call_events(place.account.id, call.id) == [first, last]
    assert await place.store.live_calls() == []


async def test_a_call_that_was_never_accepted_can_be_recorded(place: Place) -> None:
    """An emergency call is dialled first and recorded when the database can be written."""
    call = place.call()
    await place.store.record(call, [an_event(call, 1)])
    assert await place.store.live_calls() == [call]


async def test_nothing_crosses_accounts(place: Place) -> None:
    other = await place.store.create_account(place.platform.id, "Butcher")
    call = place.call()
    await place.store.accept(call, [an_event(call, 1)])
    assert await place.store.find_call(other.id, call.id) is None
    assert await place.store.call_events(other.id, call.id) == []
    with pytest.raises(RecordRefused):
        await place.store.accept(replace(place.call(), account_id=other.id), [])
    with pytest.raises(ValueError, match="another call"):
        await place.store.record(call, [an_event(place.call(), 2)])


async def test_the_columns_of_the_call_log_tell_the_call(place: Place, file: Path) -> None:
    call = ended(place.call())
    await place.store.accept(call, [])
    columns = "direction, from_number, to_number, status, outcome, reason, ended_by, cause, sip_code, device_id"
    told = ("outbound", "+15557654321", "+15551234567", "completed", "completed", "normal", "destination", 16, 200)
    assert rows(file, f"SELECT {columns} FROM calls") == [(*told, call.legs[0].device_id)]
    moments = rows(file, "SELECT started_at, initiated_at, answered_at, connected_at, ended_at FROM calls")
    assert moments == [(ACCEPTED_AT, None, ACCEPTED_AT + 2.5, ACCEPTED_AT + 4.5, ACCEPTED_AT + 12.5)]
    assert rows(file, "SELECT position, side, device, outcome, won, cause, ended_at FROM legs ORDER BY id") == [
        (0, "a", "d1", "answered", 1, None, ACCEPTED_AT + 12.5),
        (1, "a", "d2", "answered_elsewhere", 0, 26, ACCEPTED_AT + 2.625),
    ]


async def test_a_call_to_an_extension_is_internal(place: Place, file: Path) -> None:
    destination = Destination(DestinationKind.EXTENSION, Party("101", "Ben"), place.user.id)
    await place.store.accept(replace(place.call(), destination=destination), [])
    assert rows(file, "SELECT direction, destination_kind, to_number, status FROM calls") == [
        ("internal", "extension", "101", None)
    ]


async def test_a_call_stored_as_ended_is_never_overwritten(place: Place, file: Path) -> None:
    call = place.call()
    late = replace(call, state=CallState.RELEASING, legs=(*call.legs, replace(call.legs[0], id=call.legs[0].id + "9")))
    await place.store.accept(call, [])
    await place.store.record(ended(call), [])
    await place.store.record(late, [])
    await place.store.record(ended(late), [])
    assert await place.store.find_call(place.account.id, call.id) == ended(call)
    assert rows(file, "SELECT count(*) FROM legs") == [(2,)]


async def test_legs_have_rows_when_their_call_has_ended_however_many_end_at_once(place: Place, file: Path) -> None:
    calls = [place.call() for _ in range(77)]
    await asyncio.gather(*(place.store.accept(call, [an_event(call, 1)]) for call in calls))
    assert rows(file, "SELECT count(*) FROM legs") == [(0,)]
    await asyncio.gather(*(place.store.record(ended(call), [an_event(call, 2)]) for call in calls))
    for call in calls:
        told = rows(file, "SELECT id, position, outcome FROM legs WHERE call_id = ? ORDER BY position", call.id)
        assert told == [(leg.id, i, leg.outcome) for i, leg in enumerate(ended(call).legs)]
        assert rows(file, "SELECT id, state FROM calls WHERE id = ?", call.id) == [(call.id, "ended")]
        assert rows(file, "SELECT count(*) FROM events WHERE call_id = ?", call.id) == [(2,)]


async def test_a_call_that_ends_and_is_late_in_one_transaction_has_ended(place: Place) -> None:
    call = place.call()
    await asyncio.gather(place.store.record(ended(call), []), place.store.record(call, []))
    assert await place.store.find_call(place.account.id, call.id) == ended(call)


async def test_of_many_calls_it_tells_those_that_are_recorded_as_ended(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("c2c_stasis.store.sql_store.MOST_IDS", 2)
    calls = [place.call() for _ in range(5)]
    for call in calls:
        await place.store.accept(call, [])
    for call in calls[:3]:
        await place.store.record(ended(call), [])
    asked = [*(call.id for call in calls), CallId(new_id(CALL))]
    assert await place.store.ended_calls(asked) == {call.id for call in calls[:3]}


async def test_a_call_has_one_end(place: Place) -> None:
    call = place.call()
    await place.store.record(ended(call), [an_event(call, 1, "call.end")])
    with pytest.raises(RecordRefused):
        await place.store.record(ended(call), [an_event(call, 2, "call.end")])
    assert len(await place.store.call_events(place.account.id, call.id)) == 1


async def test_a_call_has_one_event_of_a_number(place: Place) -> None:
    call = place.call()
    await place.store.accept(call, [an_event(call, 1)])
    with pytest.raises(RecordRefused):
        await place.store.record(call, [an_event(call, 1)])


async def test_the_same_events_again_change_nothing(place: Place) -> None:
    """After a commit whose outcome is not known, the same record comes again."""
    call = place.call()
    first, second = an_event(call, 1), an_event(call, 2, "call.end")
    await place.store.accept(call, [first])
    await place.store.record(ended(call), [first, second])
    await place.store.record(ended(call), [first, second])
    assert await place.store.call_events(place.account.id, call.id) == [first, second]


async def test_events_are_numbered_within_their_account_without_a_gap(place: Place, file: Path) -> None:
    other_account = await place.store.create_account(place.platform.id, "Butcher")
    other_user = await place.store.create_user(other_account.id, "Ben")
    ours = [place.call() for _ in range(30)]
    others = [replace(place.call(), account_id=other_account.id, user_id=other_user.id) for _ in range(10)]

    async def live(call: Call) -> None:
        await place.store.accept(call, [an_event(call, 1), an_event(call, 2)])
        await place.store.record(call, [])
        await place.store.record(ended(call), [an_event(call, 3, "call.end")])

    broken = place.call()
    await place.store.accept(broken, [])
    refused = place.store.record(broken, [an_event(broken, 1), an_event(broken, 1)])
    results = await asyncio.gather(*(live(call) for call in ours + others), refused, return_exceptions=True)
    assert [type(result) for result in results if result is not None] == [RecordRefused]
    numbers = "SELECT account_sequence FROM events WHERE account_id = ? ORDER BY account_sequence"
    assert rows(file, numbers, place.account.id) == [(number,) for number in range(1, 91)]
    assert rows(file, numbers, other_account.id) == [(number,) for number in range(1, 31)]
    of_a_call = (
        "SELECT DISTINCT group_concat(sequence) FROM (SELECT * FROM events ORDER BY account_sequence) GROUP BY call_id"
    )
    assert rows(file, of_a_call) == [("1,2,3",)]


async def test_the_body_of_an_event_keeps_every_byte(place: Place) -> None:
    call = place.call()
    body = bytes(range(256))
    event = StoredEvent(new_id(EVENT), call.account_id, call.id, 1, "call.ringing", 1.5, body)
    await place.store.accept(call, [event])
    assert await place.store.call_events(place.account.id, call.id) == [event]


async def test_a_call_of_an_unknown_account_is_refused(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    call = replace(place.call(), account_id=AccountId(new_id(ACCOUNT)))
    with pytest.raises(StoreUnavailable) as refusal:
        await place.store.accept(call, [])
    assert isinstance(refusal.value, RecordRefused)
    assert refusal.value.__cause__ is not None
    assert [record.__dict__["call_id"] for record in caplog.records] == [call.id]


async def test_live_calls_are_there_after_a_restart(place: Place, file: Path) -> None:
    live, over = place.call(), place.call()
    await place.store.accept(live, [an_event(live, 1)])
    await place.store.accept(over, [])
    await place.store.record(ended(over), [])
    await place.store.close()
    store = await open_store(url_of(file))
    assert await store.live_calls() == [live]
    assert len(await store.call_events(place.account.id, live.id)) == 1
    await store.close()


async def test_a_call_this_version_cannot_read_does_not_hide_the_others(
    place: Place, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    unreadable, readable = place.call(), place.call()
    await place.store.accept(unreadable, [])
    await place.store.accept(readable, [])
    await place.store.close()
    change(file, "UPDATE calls SET snapshot = replace(snapshot, 'accepted', 'on the moon') WHERE id = ?", unreadable.id)
    store = await open_store(url_of(file))
    with caplog.at_level(logging.ERROR):
        assert await store.live_calls() == [readable]
    assert [record.__dict__["call_id"] for record in caplog.records] == [unreadable.id]
    with pytest.raises(StoreUnavailable, match=unreadable.id):
        await store.find_call(place.account.id, unreadable.id)
    await store.close()


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(call=any_call)
async def test_any_call_comes_back_as_it_was(place: Place, call: Call) -> None:
    call = replace(
        call,
        id=CallId(new_id(CALL)),
        platform_id=place.platform.id,
        account_id=place.account.id,
        user_id=place.user.id,
        legs=tuple(replace(leg, id=f"{number}{new_id(CALL)}") for number, leg in enumerate(call.legs)),
    )
    await place.store.accept(call, [])
    assert await place.store.find_call(place.account.id, call.id) == call


async def test_the_calls_that_limits_count_are_those_of_late_and_those_that_live(place: Place) -> None:
    async def call(began: float, *, connected: float | None = None, until: float | None = None) -> CallId:
        call = replace(place.call(), accepted_at=began, key_id="key_1", connected_at=connected)
        await place.store.accept(call, [])
        if until is not None:
            await place.store.record(replace(ended(call), ended_at=until, connected_at=connected), [])
        return call.id

    talked_yesterday = await call(1_000.0, connected=5.0, until=65.0)
    await call(1_000.0, until=5.0)  # nobody answered
    lives = await call(10.0, connected=3.0)
    lately = await call(9_000.0, until=5.0)
    await call(20.0, connected=3.0, until=9.0)  # too long ago
    found = {one.id: one for one in await place.store.recent_calls(began=8_000.0, talked=900.0)}
    assert found.keys() == {talked_yesterday, lives, lately}
    one = found[talked_yesterday]
    assert (one.started_at, one.connected_at, one.ended_at, one.live) == (1_000.0, 1_005.0, 1_065.0, False)
    assert (one.account_id, one.user_id, one.key_id, one.livemode) == (place.account.id, place.user.id, "key_1", True)
    assert (one.kind, one.number) == (DestinationKind.EXTERNAL, "+15551234567")
    assert (found[lives].live, found[lives].ended_at) == (True, None)


async def test_the_calls_that_limits_count_are_found_by_an_index(place: Place, file: Path) -> None:
    plan = rows(
        file,
        "EXPLAIN QUERY PLAN SELECT id FROM calls WHERE account_id IN (SELECT id FROM accounts) AND livemode IN (1, 0)"
        " AND started_at >= 1.0 AND (started_at >= 2.0 OR connected_at IS NOT NULL)",
    )
    assert any("USING INDEX ix_calls_account_id" in str(one) and "started_at>?" in str(one) for one in plan)
