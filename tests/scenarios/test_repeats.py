"""Requests that come more than once: a double click, and a client that gave its request a name."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest
import pytest_asyncio

from c2c_stasis.directory.call_log import Accepted, Once
from c2c_stasis.errors import KeyUsedOtherwise, NumberNotDialable, StoreUnavailable, SwitchUnavailable, UserBusy
from c2c_stasis.ids import CallId
from tests.scenarios.house import CALLS, NUMBER, POLICY, TRUNKS, House, house_in_memory, house_on_disk

pytestmark = pytest.mark.asyncio(loop_scope="function")

OTHER = "+15551234568"


@pytest_asyncio.fixture(loop_scope="function")
async def guarded() -> AsyncIterator[House]:
    """A house whose service takes two requests within three seconds for one."""
    async with house_in_memory() as house:
        house.service.reconfigure(replace(CALLS, double_click_seconds=3.0), TRUNKS, (), POLICY)
        yield house


def once(house: House, key: str = "a", fingerprint: str = "f") -> Once:
    return Once(house.people.account.id, True, key, fingerprint)


async def place_once(house: House, name: Once, dial_string: str = NUMBER, who: str = "ann") -> Accepted:
    user = house.people.users[who].id
    return await house.service.place_once(house.people.account, user, dial_string, name, metadata={})


async def ask(house: House) -> CallId:
    """Place a call, and let no time pass."""
    user = house.people.users["ann"].id
    return (await house.service.place(house.people.account, user, NUMBER, livemode=True, metadata={})).id


async def all_of(house: House, tasks: Sequence["asyncio.Task[CallId] | asyncio.Task[Accepted]"]) -> None:
    await house.clock.until(lambda: all(task.done() for task in tasks), "every answer")


# --- the double click ---


async def test_fifty_clicks_are_one_call(guarded: House) -> None:
    guarded.store.slow = 0.05  # the first is not recorded yet when the others come
    clicks = [asyncio.create_task(ask(guarded)) for _ in range(50)]
    await all_of(guarded, clicks)
    assert len({click.result() for click in clicks}) == 1
    assert guarded.service.live == 1
    guarded.store.slow = 0
    await guarded.clock.advance(0.1)
    assert len(guarded.phone("ann-1").rings) == 1
    await guarded.cancel(clicks[0].result())


async def test_a_click_counts_as_long_as_the_call_rings_and_three_seconds(guarded: House) -> None:
    first = await guarded.place()
    await guarded.clock.advance(2.5)
    assert await guarded.place() == first
    await guarded.clock.advance(0.6)  # counted from the first, not from the last
    second = await guarded.place()
    assert second != first
    for call_id in (first, second):
        await guarded.cancel(call_id)


async def test_who_calls_again_after_cancelling_gets_another_call(guarded: House) -> None:
    first = await guarded.place()
    await guarded.cancel(first)
    second = await guarded.place()
    assert second != first
    await guarded.cancel(second)


async def test_a_click_while_they_talk_is_another_call(guarded: House) -> None:
    first = await guarded.talking()
    second = await guarded.place()
    assert second != first
    for call_id in (first, second):
        await guarded.cancel(call_id)


async def test_another_number_and_another_user_are_other_calls(guarded: House) -> None:
    calls = [await guarded.place(), await guarded.place(OTHER), await guarded.place(who="bob")]
    assert len(set(calls)) == 3
    for call_id in calls:
        await guarded.cancel(call_id)


async def test_the_same_number_written_otherwise_is_the_same_click(guarded: House) -> None:
    first = await guarded.place("+1 (555) 123-4567")
    assert await guarded.place("555-123-4567") == first
    await guarded.cancel(first)


async def test_clicks_on_a_call_that_was_refused_are_refused_themselves(guarded: House) -> None:
    guarded.store.full = True
    clicks = [asyncio.create_task(ask(guarded)) for _ in range(3)]
    await all_of(guarded, clicks)
    assert {type(click.exception()) for click in clicks} == {StoreUnavailable}
    await guarded.store.mend()
    call_id = await guarded.place()
    await guarded.cancel(call_id)


async def test_without_the_guard_each_click_is_a_call(house: House) -> None:
    first, second = await house.place(), await house.place()
    assert first != second
    with pytest.raises(UserBusy):
        await house.place()
    for call_id in (first, second):
        await house.cancel(call_id)


# --- a request with a name ---


async def test_fifty_requests_of_one_name_are_one_call(house: House) -> None:
    house.store.slow = 0.05
    requests = [asyncio.create_task(place_once(house, once(house))) for _ in range(50)]
    await all_of(house, requests)
    assert len({request.result().call_id for request in requests}) == 1
    assert [request.result().replayed for request in requests].count(False) == 1
    assert house.service.live == 1
    house.store.slow = 0
    await house.cancel(requests[0].result().call_id)


async def test_a_name_stands_for_its_request_for_a_day(house: House) -> None:
    first = await place_once(house, once(house))
    await house.clock.advance(0.01)
    await house.cancel(first.call_id)
    await house.end_of(first.call_id)
    await house.clock.advance(86_000)
    assert await place_once(house, once(house)) == Accepted(first.call_id, replayed=True)
    await house.clock.advance(500)
    second = await place_once(house, once(house))
    assert (second.call_id != first.call_id, second.replayed) == (True, False)
    await house.clock.advance(0.01)
    await house.cancel(second.call_id)


async def test_a_name_survives_a_restart(tmp_path_factory: pytest.TempPathFactory) -> None:
    async with house_on_disk(tmp_path_factory.mktemp("house")) as house:
        first = await place_once(house, once(house))
        await house.restart_service()
        assert await place_once(house, once(house)) == Accepted(first.call_id, replayed=True)
        await house.clock.advance(0.01)
        await house.cancel(first.call_id)


async def test_a_name_for_another_request_is_refused_also_while_the_first_is_under_way(house: House) -> None:
    house.store.slow = 0.05
    first = asyncio.create_task(place_once(house, once(house)))
    await house.clock.settle()
    with pytest.raises(KeyUsedOtherwise):
        await place_once(house, once(house, fingerprint="other"), OTHER)
    await all_of(house, [first])
    house.store.slow = 0
    with pytest.raises(KeyUsedOtherwise):
        await place_once(house, once(house, fingerprint="other"), OTHER)
    await house.cancel(first.result().call_id)


async def test_a_refused_request_leaves_its_name_free(house: House) -> None:
    with pytest.raises(NumberNotDialable):
        await place_once(house, once(house), "9999")
    house.switch.cut()
    with pytest.raises(SwitchUnavailable):
        await place_once(house, once(house))
    house.switch.mend()
    await house.clock.settle()
    accepted = await place_once(house, once(house, fingerprint="other"))
    assert not accepted.replayed
    await house.clock.advance(0.01)
    await house.cancel(accepted.call_id)


async def test_who_waits_for_a_request_that_is_refused_tries_itself(house: House) -> None:
    house.store.full, house.store.slow = True, 0.05
    first, second = (asyncio.create_task(place_once(house, once(house))) for _ in range(2))
    await house.clock.until(first.done, "the refusal")
    assert isinstance(first.exception(), StoreUnavailable)
    await house.store.mend()
    await all_of(house, [second])
    assert not second.result().replayed
    house.store.slow = 0
    await house.cancel(second.result().call_id)


async def test_a_double_click_with_two_names_is_one_call_and_both_names_stand_for_it(guarded: House) -> None:
    first = await place_once(guarded, once(guarded, "a"))
    second = await place_once(guarded, once(guarded, "b"))
    assert (second.call_id, second.replayed) == (first.call_id, False)
    await guarded.clock.advance(10)
    assert await place_once(guarded, once(guarded, "b")) == Accepted(first.call_id, replayed=True)
    await guarded.cancel(first.call_id)
