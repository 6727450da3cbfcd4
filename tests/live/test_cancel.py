"""A call is taken back: by the API at any moment, or by the user who hangs up before the destination answers."""

import asyncio
import json

import pytest

from c2c_stasis.lab.call import EndedBy
from c2c_stasis.lab.phone import RINGS
from tests.live.client import CANCELLED_BY_API, COMPLETED_BY_API, ending, outcomes
from tests.live.story import ANSWERS_SOON, Story
from tests.live.waiting import until

pytestmark = pytest.mark.live

# Seconds between POST and DELETE: from before the channels exist until the phones ring.
MOMENTS = (0.0, 0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05)


async def test_the_number_of_a_call_can_be_erased_right_after_its_delete(story: Story) -> None:
    alice = await story.user(await story.phone(RINGS))
    number = story.destination(ANSWERS_SOON)
    await story.open()

    call = await story.place(alice, number)
    await call.reached("ringing_user")
    await call.cancel()
    status, _, body = await story.client.ask("POST", "/v1/calls/erase", call.account, json={"number": number})
    assert (status, json.loads(body)) == (200, {"object": "erasure", "calls": 1})
    assert (await call.record())["to_number"] is None


async def test_a_delete_right_after_the_post_leaves_no_phone_ringing(story: Story) -> None:
    phones = [await story.phone(RINGS) for _ in range(3)]
    alice = await story.user(*phones)
    number = story.destination(ANSWERS_SOON)
    await story.open()

    for moment in MOMENTS:
        call = await story.place(alice, number)
        await asyncio.sleep(moment)
        await call.cancel()
        record = await call.ended(within=2.0)
        assert ending(record) == CANCELLED_BY_API
        assert set(outcomes(record).values()) == {"cancelled"}

    await story.until_asterisk_is_empty()
    for phone in phones:
        await until(lambda phone=phone: not phone.live_calls, f"{phone.name} to ring no more", within=2.0)  # type: ignore[misc]
        assert all(call.cancelled and call.answered_at is None for call in phone.calls)
        assert phone.calls  # the later ones came as far as this
    assert story.dialled(number) == []


async def test_a_delete_while_the_devices_ring_stops_them_all(story: Story) -> None:
    phones = [await story.phone(RINGS) for _ in range(2)]
    alice = await story.user(*phones)
    number = story.destination(ANSWERS_SOON)
    await story.open()

    call = await story.place(alice, number)
    for phone in phones:
        await (await phone.next_call()).wait_ringing()
    await call.cancel()
    record = await story.ended(call)
    await call.cancel()  # once more, after the end: nothing happens

    for phone in phones:
        (rung,) = phone.calls
        assert rung.cancelled
        assert rung.reasons == ["Q.850;cause=16"]
    assert story.dialled(number) == []
    assert await call.record() == record
    assert ending(record) == CANCELLED_BY_API
    assert outcomes(record) == {"a1": "cancelled", "a2": "cancelled", "b1": "cancelled"}


async def test_a_delete_while_the_destination_rings_releases_both_sides(story: Story) -> None:
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk)
    number = story.destination(RINGS)
    await story.open()

    call = await story.place(alice, number)
    far = await story.dialled_call(number)
    await far.wait_ringing()
    await call.cancel()
    record = await story.ended(call)

    (near,) = desk.calls
    assert far.cancelled
    assert far.reasons == ["Q.850;cause=16"]
    assert near.ended_by is EndedBy.PEER
    assert near.reasons == ["Q.850;cause=16"]
    assert ending(record) == CANCELLED_BY_API
    assert outcomes(record) == {"a1": "answered", "b1": "cancelled"}


async def test_a_delete_while_they_talk_hangs_up_both(story: Story) -> None:
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk)
    number = story.destination(ANSWERS_SOON)
    await story.open()

    call = await story.place(alice, number)
    await call.reached("talking")
    await call.cancel()
    record = await story.ended(call)

    (near,), (far,) = desk.calls, story.dialled(number)
    for side in (near, far):
        assert side.ended_by is EndedBy.PEER
        assert side.ending is not None
        assert side.ending.method == "BYE"
        assert side.reasons == ["Q.850;cause=16"]
    assert ending(record) == COMPLETED_BY_API
    assert outcomes(record) == {"a1": "answered", "b1": "answered"}
