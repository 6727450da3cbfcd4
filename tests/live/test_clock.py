"""Somebody sets the wall clock while people talk, and the service is restarted in the same moment: no call minds."""

import time

import pytest

from c2c_stasis.app import SystemClock
from c2c_stasis.call.model import Now
from c2c_stasis.lab.phone import Script
from tests.live.client import COMPLETED_BY_DESTINATION, ending
from tests.live.story import ANSWERS_SOON, Story

pytestmark = pytest.mark.live

HOUR = 3600.0
READS = SystemClock.now


@pytest.mark.parametrize("by", [-HOUR, HOUR])
async def test_a_clock_that_is_set_by_an_hour_changes_nothing_also_over_a_restart(
    story: Story, monkeypatch: pytest.MonkeyPatch, by: float
) -> None:
    def shifted(clock: SystemClock) -> Now:
        now = READS(clock)
        return Now(now.wall + by, now.mono, now.boot)

    alice = await story.user(await story.phone(Script(ring_after=0.02, answer_after=0.1, tone_hz=1000)))
    number = story.destination(ANSWERS_SOON)
    await story.open()
    began = time.monotonic()
    call = await story.place(alice, number)
    before = await call.reached("talking")
    (far,) = story.dialled(number)

    monkeypatch.setattr(SystemClock, "now", shifted)
    far_heard = far.phone.now()
    await far.wait_tone(1000, since=far_heard)
    assert story.app is not None
    await story.app.__aexit__(None, None, None)
    await story.open()
    await far.wait_tone(1000, since=far.phone.now())
    await far.hang_up()
    record = await story.ended(call)

    assert ending(record) == COMPLETED_BY_DESTINATION
    assert 0 <= record["duration_seconds"] <= time.monotonic() - began + 1
    assert record["started_at"] == before["started_at"]
    assert record["started_at"] < record["answered_at"] < record["ended_at"]
