"""The call log in the database: pages, what leaves it, and requests that have a name."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace as changed

from c2c_stasis.call.model import Call, Destination, DestinationKind, Outcome, Party
from c2c_stasis.directory.call_log import CallFilter, Once
from c2c_stasis.directory.pages import Page, Wish
from c2c_stasis.directory.pages import Place as At
from c2c_stasis.ids import CallId, NumberId, UserId
from tests.store.samples import ACCEPTED_AT, Place, an_event, change, ended, rows

EVERYTHING = CallFilter(livemode=True)


async def filled(place: Place) -> list[Call]:
    """A log of twelve calls in which every filter finds some; newest first."""
    bob = await place.store.create_user(place.account.id, "Bob")
    calls: list[Call] = []
    for i in range(12):
        call = changed(
            place.call(),
            accepted_at=ACCEPTED_AT + i // 2,  # two at each moment
            user_id=bob.id if i % 3 == 0 else place.user.id,
            did_id=NumberId("did_a") if i % 2 else None,
            caller=Party("+15550000001" if i % 4 else "1001"),
            destination=Destination(
                DestinationKind.EXTERNAL if i % 4 else DestinationKind.EXTENSION, Party(f"+1555000{i % 5}000")
            ),
            livemode=i != 7,
        )
        calls.append(call if i in (2, 11) else ended(call))
    for call in calls:
        await place.store.accept(call, [an_event(call, 1)])
    return sorted(calls, key=lambda call: (call.accepted_at, call.id), reverse=True)


async def walk(place: Place, wanted: CallFilter, limit: int, start: At | None = None) -> list[list[Call]]:
    """Every page from a place on."""
    pages: list[list[Call]] = []
    wish = Wish(limit, start)
    while True:
        page = await place.store.calls_page(place.account.id, wanted, wish)
        pages.append(list(page.entries))
        further = page.newer if wish.place and wish.place.towards_newer else page.older
        if further is None:
            return pages
        wish = Wish(limit, further)


FILTERS: list[dict[str, Any]] = [
    {},
    {"livemode": False},
    {"user_id": "bob"},
    {"did_id": NumberId("did_a")},
    {"did_id": NumberId("did_b")},
    {"direction": "internal"},
    {"direction": "inbound"},
    {"from_number": "1001"},
    {"to_number": "+15550001000"},
    {"status": "completed"},
    {"status": "voicemail"},
    {"outcome": Outcome.COMPLETED},
    {"outcome": Outcome.BUSY},
    {"live": True},
    {"live": False},
    {"since": ACCEPTED_AT + 2},
    {"until": ACCEPTED_AT + 2},
    {"since": ACCEPTED_AT + 1, "until": ACCEPTED_AT + 4, "status": "completed", "direction": "outbound"},
    {"to_number": "+15550001000", "user_id": "bob", "from_number": "+15550000001"},
]


@pytest.mark.parametrize("fields", FILTERS, ids=str)
@pytest.mark.parametrize("limit", [1, 2, 5, 100])
async def test_a_walk_in_either_direction_meets_each_wanted_call_once(
    place: Place, fields: dict[str, Any], limit: int
) -> None:
    calls = await filled(place)
    bob = next(call.user_id for call in calls if call.user_id != place.user.id)
    fields = fields | ({"user_id": bob} if fields.get("user_id") == "bob" else {})
    wanted = replace(EVERYTHING, **fields)
    fitting = [call for call in calls if wanted.fits(call)]
    assert [call for page in await walk(place, wanted, limit) for call in page] == fitting
    back = await walk(place, wanted, limit, At(0.0, "", towards_newer=True))
    assert [call for page in reversed(back) for call in page] == fitting
    assert all(len(page) == limit for page in back[:-1])


def test_the_filters_of_the_test_are_all_there_are() -> None:
    assert {name for fields in FILTERS for name in fields} | {"livemode"} == {one.name for one in fields(CallFilter)}


async def test_another_accounts_calls_are_not_there(place: Place) -> None:
    await filled(place)
    other = await place.store.create_account(place.platform.id, "Butcher")
    assert await place.store.calls_page(other.id, EVERYTHING, Wish(10)) == Page(())


async def test_each_page_knows_whether_there_is_one_beside_it(place: Place) -> None:
    await filled(place)
    first = await place.store.calls_page(place.account.id, EVERYTHING, Wish(5))
    assert first.newer is None
    second = await place.store.calls_page(place.account.id, EVERYTHING, Wish(5, first.older))
    assert second.newer is not None
    last = await place.store.calls_page(place.account.id, EVERYTHING, Wish(5, second.older))
    assert (last.older, len(last.entries)) == (None, 1)
    again = await place.store.calls_page(place.account.id, EVERYTHING, Wish(5, second.newer))
    assert again.entries == first.entries


async def test_calls_that_come_in_during_a_walk_do_not_disturb_it(place: Place) -> None:
    calls = [call for call in await filled(place) if call.livemode]
    met: list[Call] = []
    wish = Wish(2)
    while True:
        page = await place.store.calls_page(place.account.id, EVERYTHING, wish)
        met += page.entries
        news = changed(place.call(), accepted_at=ACCEPTED_AT + 100 + len(met))
        await place.store.accept(news, [])
        if page.older is None:
            break
        wish = Wish(2, page.older)
    assert met == calls


async def test_a_call_that_cannot_be_read_is_left_out_and_told(
    place: Place, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    calls = [call for call in await filled(place) if call.livemode]
    change(file, "UPDATE calls SET snapshot = '{}' WHERE id = ?", calls[1].id)
    page = await place.store.calls_page(place.account.id, EVERYTHING, Wish(3))
    assert list(page.entries) == [calls[0], calls[2]]
    assert [record.__dict__["call_id"] for record in caplog.records] == [calls[1].id]
    rest = await walk(place, EVERYTHING, 3)
    assert [call for page_ in rest for call in page_] == [calls[0], *calls[2:]]


# --- requests with a name ---


def named(place: Place, key: str = "a", fingerprint: str = "f") -> Once:
    return Once(place.account.id, True, key, fingerprint)


async def test_a_call_and_the_name_of_its_request_are_written_together(place: Place) -> None:
    call = place.call()
    await place.store.accept(call, [an_event(call, 1)], named(place))
    assert await place.store.find_once(named(place), since=0.0) == ("f", call.id)
    assert await place.store.find_once(named(place), since=call.accepted_at) is None
    assert await place.store.find_once(named(place, "b"), since=0.0) is None
    assert await place.store.find_once(replace(named(place), livemode=False), since=0.0) is None


async def test_a_call_that_is_refused_leaves_its_name_free(place: Place) -> None:
    call = changed(place.call(), user_id=UserId("user_of_nobody"))
    with pytest.raises(Exception, match="FOREIGN KEY"):
        await place.store.accept(call, [], named(place))
    assert await place.store.find_once(named(place), since=0.0) is None


async def test_a_name_that_is_used_again_stands_for_the_newer_call(place: Place) -> None:
    await place.store.remember_once(named(place), CallId("call_1"), 1.0)
    await place.store.remember_once(named(place, fingerprint="g"), CallId("call_2"), 2.0)
    assert await place.store.find_once(named(place), since=0.0) == ("g", "call_2")


async def test_old_names_are_forgotten_a_few_at_a_time(place: Place, file: Path) -> None:
    for i in range(5):
        await place.store.remember_once(named(place, str(i)), CallId(f"call_{i}"), float(i))
    assert await place.store.forget_once(4.0, 3) == 3
    assert await place.store.forget_once(4.0, 3) == 1
    assert await place.store.forget_once(4.0, 3) == 0
    assert rows(file, "SELECT key FROM once") == [("4",)]


# --- retention ---


async def test_old_calls_leave_with_all_that_is_theirs(place: Place, file: Path) -> None:
    calls = await filled(place)
    before = ACCEPTED_AT + 3
    old = {call.id for call in calls if call.accepted_at < before and not call.live}
    assert await place.store.delete_calls(before, 4) == 4
    assert await place.store.delete_calls(before, 4) == len(old) - 4
    assert await place.store.delete_calls(before, 4) == 0
    left = {call.id for call in calls} - old
    of_legs = {call.id for call in calls if not call.live} - old
    for table, column, whose in (("calls", "id", left), ("legs", "call_id", of_legs), ("events", "call_id", left)):
        assert {row[0] for row in rows(file, f"SELECT DISTINCT {column} FROM {table}")} == whose
