"""How well a call sounded, as its record and its last event tell it, from what Asterisk measured of real packets."""

import asyncio
from typing import Any

import pytest

from c2c_stasis.lab.phone import PhoneCall, Script
from tests.live.story import ANSWERS_SOON, Story

pytestmark = pytest.mark.live

APART = 3.0  # per cent: what is still on its way when the last report is written, and overtook others, counts as lost or not
TALK = 10.0  # seconds: 500 packets, of which 5 % are 25
BAD = Script(
    ring_after=0.02, answer_after=0.1, loss=0.05, jitter=0.12
)  # see `jitter` in Script: 30 ms as RFC 3550 counts


async def quality_of(story: Story, near: Script, far: Script, talk: float) -> tuple[list[Any], PhoneCall, PhoneCall]:
    """The quality that the record tells of a talk, which `call.end` tells too; and both phones' calls."""
    desk = await story.phone(near)
    alice = await story.user(desk)
    number = story.destination(far)
    await story.open()
    call = await story.place(alice, number)
    await call.reached("talking")
    assert (await call.record())["quality_metrics"] is None
    far_call = await story.dialled_call(number)
    await asyncio.sleep(talk)
    await far_call.hang_up()
    record = await story.ended(call)
    assert (await call.events())[-1]["data"]["quality_metrics"] == record["quality_metrics"]
    return record["quality_metrics"], desk.calls[0], far_call


async def test_five_percent_loss_and_thirty_milliseconds_of_jitter_are_told_of_the_leg_that_has_them(
    story: Story,
) -> None:
    (bad, good), near, _ = await quality_of(story, BAD, ANSWERS_SOON, TALK)

    assert near.audio is not None
    dropped = 100 * near.audio.dropped / (near.audio.dropped + near.audio.sent.packets)
    assert [bad["leg"], good["leg"]] == ["endpoint", "pstn"]
    assert bad["packet_loss_pct"] == pytest.approx(dropped, abs=APART)
    assert bad["jitter_ms"] == pytest.approx(30, abs=12)
    assert 0 < bad["rtt_ms"] < 250
    assert good["packet_loss_pct"] < 0.5
    assert good["jitter_ms"] < 12
    assert 3.2 < bad["mos"] < 4.2 < good["mos"] < 4.5


async def test_the_trunk_is_blamed_for_what_comes_from_there(story: Story) -> None:
    (good, bad), _, far = await quality_of(story, ANSWERS_SOON, BAD, TALK)

    assert far.audio is not None
    dropped = 100 * far.audio.dropped / (far.audio.dropped + far.audio.sent.packets)
    assert bad["leg"] == "pstn"
    assert bad["packet_loss_pct"] == pytest.approx(dropped, abs=APART)
    assert good["packet_loss_pct"] < 0.5
    assert good["mos"] > bad["mos"]


async def test_phones_that_send_nothing_have_no_quality(story: Story) -> None:
    deaf = Script(ring_after=0.02, answer_after=0.1, media=False)
    metrics, _, _ = await quality_of(story, deaf, deaf, 0.3)

    assert metrics is None


async def test_every_step_on_the_way_has_its_time_in_order(story: Story) -> None:
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk)
    number = story.destination(Script(ring_after=0.05, answer_after=0.2, hang_up_after=0.2))
    await story.open()

    record = await story.ended(await story.place(alice, number))

    timings = record["timings"]
    assert None not in timings.values()
    assert list(timings.values()) == sorted(timings.values())
    assert timings["committed_ms"] <= timings["user_invited_ms"]
    assert timings["destination_ringing_ms"] - timings["destination_invited_ms"] >= 50
