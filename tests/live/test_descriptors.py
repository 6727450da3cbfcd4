"""The service may have few files open, and is asked by many."""

import asyncio
from contextlib import suppress
from urllib.parse import urlsplit

import pytest

from c2c_stasis.lab.phone import Script
from tests.live.client import COMPLETED_BY_DESTINATION, ending
from tests.live.story import TALKS_BRIEFLY, Story

pytestmark = pytest.mark.live

SPEAKS = Script(ring_after=0.02, answer_after=0.1, tone_hz=1000)
SPEAKS_LOWER = Script(ring_after=0.02, answer_after=0.1, tone_hz=700)
FEW = 128
FLOOD = 300  # connections


async def test_with_few_descriptors_a_flood_of_connections_costs_no_call_and_passes(story: Story) -> None:
    desk, other = await story.phone(SPEAKS), await story.phone(SPEAKS)
    alice, bob = await story.user(desk), await story.user(other)
    number, later = story.destination(SPEAKS_LOWER), story.destination(TALKS_BRIEFLY)
    service = await story.open_process()
    await service.stop()
    service.descriptors = FEW
    await story.start_process()

    call = await story.place(alice, number)
    await call.reached("talking")
    (near,), (far,) = desk.calls, story.dialled(number)
    address = urlsplit(story.client.url)
    flood = [await asyncio.open_connection(address.hostname, address.port) for _ in range(FLOOD)]
    since = near.phone.now()
    await near.wait_tone(700, since=since)
    await far.wait_tone(1000, since=since)
    await far.hang_up()
    await near.wait_ended()  # it hears Asterisk, and is heard
    assert service.returncode is None
    assert (await service.said("connections refused"))["level"] == "warning"
    for _, writer in flood:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
    await story.until_ready()
    record = await story.ended(call)
    next_record = await story.ended(await story.place(bob, later))

    assert ending(record) == COMPLETED_BY_DESTINATION
    assert ending(next_record) == COMPLETED_BY_DESTINATION
    assert service.alarms() == []
