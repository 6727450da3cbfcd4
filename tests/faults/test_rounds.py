"""A report gets lost although the connection lives."""

import pytest

from c2c_stasis.lab.phone import Script
from tests.faults.gate import Gate, tells
from tests.live.client import ending
from tests.live.story import ANSWERS_SOON, Story

pytestmark = pytest.mark.live


async def test_a_user_who_leaves_unheard_lets_the_destination_go_at_the_next_round(story: Story, gate: Gate) -> None:
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk)
    number = story.destination(Script(ring_after=0.02, answer_after=0.1))
    service = await story.open_process(story.config(gate.url))
    lost = gate.lose_events(tells("ChannelDestroyed", "a1"))

    call = await story.place(alice, number)
    await call.told("call.answered")
    await desk.calls[0].hang_up()
    await lost.wait()
    (far,) = story.dialled(number)
    await far.wait_ended(30.0)
    record = await story.ended(call)

    assert (ending(record).status, ending(record).reason) == ("completed", "normal")
    assert record["ended_by"] == "user"
    assert service.alarms() == []
