"""Both sides talk, and one of them, or time, ends it."""

import pytest

from c2c_stasis.lab.call import EndedBy
from c2c_stasis.lab.phone import Script
from tests.live.client import COMPLETED_BY_DESTINATION, COMPLETED_BY_USER, Ending, ending, outcomes
from tests.live.story import ANSWERS_SOON, Story

pytestmark = pytest.mark.live

BOTH_ANSWERED = {"a1": "answered", "b1": "answered"}


async def test_the_destination_hangs_up_and_the_user_is_released(story: Story) -> None:
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk)
    number = story.destination(Script(ring_after=0.02, answer_after=0.2, hang_up_after=0.3))
    await story.open()

    record = await story.ended(await story.place(alice, number))

    (near,), (far,) = desk.calls, story.dialled(number)
    assert [far.ended_by, near.ended_by] == [EndedBy.PHONE, EndedBy.PEER]
    assert near.ending is not None
    assert near.ending.method == "BYE"
    assert near.reasons == ["Q.850;cause=16"]
    assert far.ended_at is not None
    assert near.ending.at - far.ended_at < 1
    assert ending(record) == COMPLETED_BY_DESTINATION
    assert outcomes(record) == BOTH_ANSWERED


async def test_the_user_hangs_up_and_the_destination_is_released(story: Story) -> None:
    desk = await story.phone(Script(ring_after=0.02, answer_after=0.1, hang_up_after=0.6))
    alice = await story.user(desk)
    number = story.destination(ANSWERS_SOON)
    await story.open()

    record = await story.ended(await story.place(alice, number))

    (near,), (far,) = desk.calls, story.dialled(number)
    assert [near.ended_by, far.ended_by] == [EndedBy.PHONE, EndedBy.PEER]
    assert far.ending is not None
    assert far.ending.method == "BYE"
    assert far.reasons == ["Q.850;cause=16"]
    assert near.ended_at is not None
    assert far.ending.at - near.ended_at < 1
    assert ending(record) == COMPLETED_BY_USER
    assert outcomes(record) == BOTH_ANSWERED
    assert record["duration_seconds"] <= 2


async def test_each_side_hears_the_tone_of_the_other(story: Story) -> None:
    desk = await story.phone(Script(ring_after=0.02, answer_after=0.1, tone_hz=1000))
    alice = await story.user(desk)
    number = story.destination(Script(ring_after=0.02, answer_after=0.1, tone_hz=700))
    await story.open()

    call = await story.place(alice, number)
    far = await story.dialled_call(number)
    await call.reached("talking")
    (near,) = desk.calls
    await near.wait_tone(700)
    await far.wait_tone(1000)
    await far.hang_up()
    record = await story.ended(call)

    assert near.heard(1000) == far.heard(700) == 0
    assert ending(record) == COMPLETED_BY_DESTINATION
    assert outcomes(record) == BOTH_ANSWERED


async def test_the_longest_duration_ends_a_talk(story: Story) -> None:
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk)
    number = story.destination(ANSWERS_SOON)
    await story.open(max_duration=1.0)

    record = await story.ended(await story.place(alice, number))

    (near,), (far,) = desk.calls, story.dialled(number)
    for call in (near, far):
        assert call.ended_by is EndedBy.PEER
        assert call.ending is not None
        assert call.ending.method == "BYE"
        assert call.reasons == ["Q.850;cause=16"]
        assert far.answered_at is not None
        assert 0.8 < call.ending.at - far.answered_at < 4
    assert ending(record) == Ending("completed", "completed", "max_duration", None, "system", 16)
    assert outcomes(record) == BOTH_ANSWERED
