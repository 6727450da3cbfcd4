"""Many calls at once."""

import asyncio

import pytest
from bench.emergency import measure
from bench.measure import parallel
from bench.town import town

from c2c_stasis.directory.model import User
from c2c_stasis.lab.phone import RINGS, Phone, Script
from tests.live.client import COMPLETED_BY_DESTINATION, ending, outcomes
from tests.live.story import ANSWERED_ELSEWHERE, Story

pytestmark = pytest.mark.live

CALLS = 20


async def test_twenty_users_call_at_once_and_each_reaches_its_destination(story: Story) -> None:
    users: list[tuple[User, Phone, Phone]] = []
    for _ in range(CALLS):
        quick = await story.phone(Script(ring_after=0.0, tone_hz=1000))
        slow = await story.phone(RINGS)
        users.append((await story.user(quick, slow, name=f"User {len(users)}"), quick, slow))
    numbers = [story.destination(Script(ring_after=0.02, answer_after=0.2, tone_hz=700)) for _ in users]
    await story.open()

    calls = await asyncio.gather(
        *(story.place(user, number) for (user, _, _), number in zip(users, numbers, strict=True))
    )
    await asyncio.gather(*(story.answered(call, quick) for call, (_, quick, _) in zip(calls, users, strict=True)))
    for call in calls:
        await call.reached("talking")  # all at the same time: nobody hangs up before
    for number, (_, quick, _) in zip(numbers, users, strict=True):
        ((near,), (far,)) = quick.calls, story.dialled(number)
        await near.wait_tone(700)
        await far.wait_tone(1000)
    await asyncio.gather(*(call.hang_up() for number in numbers for call in story.dialled(number)))
    records = [await story.ended(call) for call in calls]

    for record, number, (user, quick, slow) in zip(records, numbers, users, strict=True):
        (won,), (lost,), (far,) = quick.calls, slow.calls, story.dialled(number)
        assert won.final_status == far.final_status == 200
        assert lost.reasons == ANSWERED_ELSEWHERE
        assert [record["user_id"], record["to_number"]] == [user.id, number]
        assert ending(record) == COMPLETED_BY_DESTINATION
        assert outcomes(record) == {"a1": "answered", "a2": "answered_elsewhere", "b1": "answered"}


@pytest.mark.timeout(180)
async def test_a_second_round_of_two_hundred_calls_adds_nothing() -> None:
    """The service as a process of its own, at 20 calls at a time; the first round fills what stays for good."""
    async with town() as place:
        service = place.ways["service"]
        first = await parallel(place, service, 200, 20)
        before = await place.held()
        second = await parallel(place, service, 200, 20)
        after = await place.held()

    for done in (first, second):
        assert (done.completed, done.destination_invites, done.left) == (200, 200, 0)
    assert after["memory"] - before["memory"] < 2_000_000
    assert after["descriptors"] <= before["descriptors"]
    assert after["tasks"] <= before["tasks"]
    assert after["threads"] <= before["threads"]


@pytest.mark.timeout(180)
async def test_every_emergency_call_reaches_the_carrier_whatever_stands_in_its_way() -> None:
    """Account switched off, every limit zero, all connections held, nothing can be written. `make emergency` makes 2,000."""
    found = await measure(40, 2, 10.0)

    ordinary, emergency, meanwhile = found["ordinary"], found["emergency"], found["ordinary meanwhile"]
    assert (ordinary.dialled, ordinary.refused) == (40, 0)
    assert (emergency.asked, emergency.dialled, emergency.twice, emergency.refused) == (40, 40, 0, 0)
    assert (meanwhile.dialled, meanwhile.refused) == (0, 40)  # it was in the way
