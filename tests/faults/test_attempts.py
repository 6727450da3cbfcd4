"""The service is killed between two attempts at a destination, exactly there, and started again: one INVITE per attempt."""

from collections.abc import Callable

import pytest

from c2c_stasis.lab.phone import Phone, Script
from tests.faults.gate import Gate, creates, dials, hangs_up, tells
from tests.faults.test_steps import kill, open_at
from tests.live.client import COMPLETED_BY_DESTINATION, PlacedCall, ending, outcomes
from tests.live.meddler import Asked
from tests.live.process import ServiceProcess
from tests.live.story import ANSWERS_SOON, TALKS_BRIEFLY, Story
from tests.live.waiting import eventually

pytestmark = pytest.mark.live

CONGESTED = Script(reject=503, reject_after=0.05)
THROUGH_THE_SECOND = {"a1": "answered", "b1": "unreachable", "b2": "answered"}


def makes(leg: str) -> Callable[[Asked], bool]:
    """A leg's channel is to be made."""
    return lambda asked: creates(asked) and str(asked.body.get("channelId")).endswith(f".{leg}")


async def begun(
    story: Story, gate: Gate, first: Script, **limits: float
) -> tuple[ServiceProcess, PlacedCall, Phone, str]:
    """Alice's call through a first carrier that behaves so; the second is well."""
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk)
    second = await story.second_carrier(TALKS_BRIEFLY)
    number = story.destination(first)
    service = await open_at(story, gate, **limits)
    return service, await story.place(alice, number), second, number


async def connected_through_the_second(story: Story, call: PlacedCall, second: Phone, number: str) -> None:
    """The call comes about, with one INVITE to each carrier."""
    record = await story.ended(call)
    assert [len(story.dialled(number)), len(second.calls)] == [1, 1]
    assert ending(record) == COMPLETED_BY_DESTINATION
    assert outcomes(record) == THROUGH_THE_SECOND


async def test_killed_before_the_next_channel_is_made_the_next_carrier_is_asked_once(story: Story, gate: Gate) -> None:
    making = gate.stop_requests(makes("b2"))
    service, call, second, number = await begun(story, gate, CONGESTED)

    await making.wait()
    await kill(service, gate)
    assert second.calls == []
    await story.start_process()

    await connected_through_the_second(story, call, second, number)


async def test_killed_before_the_next_carrier_is_dialled_it_is_dialled_once(story: Story, gate: Gate) -> None:
    dialling = gate.stop_requests(dials("b2"))
    service, call, second, number = await begun(story, gate, CONGESTED)

    await dialling.wait()
    await kill(service, gate)
    assert second.calls == []
    await story.start_process()

    await connected_through_the_second(story, call, second, number)


async def test_killed_after_the_next_carrier_was_dialled_it_is_not_dialled_again(story: Story, gate: Gate) -> None:
    slow = Script(ring_after=4.0, answer_after=4.1, hang_up_after=0.2)
    gate.stop_events(tells("Dial", "b2"))
    dialled = gate.stop_replies(dials("b2"))
    service, call, second, number = await begun(story, gate, CONGESTED)
    second.script = slow

    await dialled.wait()
    await second.wait_for(lambda: bool(second.calls), "an INVITE")
    await kill(service, gate)
    await story.start_process()

    await connected_through_the_second(story, call, second, number)


async def test_killed_while_a_silent_carrier_is_let_go_the_next_one_is_asked_once(story: Story, gate: Gate) -> None:
    letting_go = gate.stop_requests(hangs_up("b1"))
    service, call, second, number = await begun(story, gate, Script(), attempt_timeout=1.0)

    await letting_go.wait()
    await kill(service, gate)
    assert (second.calls, len(story.dialled(number))) == ([], 1)
    await story.start_process()

    await connected_through_the_second(story, call, second, number)


async def test_a_carrier_that_fails_while_nobody_listens_is_not_followed_by_the_next(story: Story, gate: Gate) -> None:
    """It may have rung before it failed: whoever was called shall not be called again."""
    service, call, second, number = await begun(story, gate, Script(ring_after=1.0, reject=503, reject_after=1.1))

    far = await story.dialled_call(number)
    await call.reached("dialling_destination")
    await kill(service, gate)
    await far.wait_ended()
    await eventually(story.channel_ids, lambda ids: f"{call.id}.b1" not in ids, "the end of the first attempt")
    await story.start_process()

    record = await story.ended(call)
    assert (record["reason"], second.calls) == ("service_restarted", [])
