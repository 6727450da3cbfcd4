"""The service is told to end (SIGTERM) with calls that live: it leaves them to its successor, or waits for them."""

import asyncio
import time
from dataclasses import replace

import aiohttp
import pytest

from c2c_stasis.config import OnStop, Process
from c2c_stasis.lab.phone import RINGS, Script
from tests.live.client import COMPLETED_BY_DESTINATION, PlacedCall, ending, outcomes
from tests.live.process import ServiceProcess
from tests.live.story import TALKS_BRIEFLY, Story
from tests.streams import Frame, Reader

pytestmark = pytest.mark.live

SPEAKS = Script(ring_after=0.02, answer_after=0.1, tone_hz=1000)
SPEAKS_LOWER = Script(ring_after=0.02, answer_after=0.1, tone_hz=700)
LONG = 60.0  # seconds that no story waits for
BRIEF = 1.0  # seconds
WELL_BEFORE = 30.0  # seconds; half a second is usual


async def open_and_wait(story: Story, grace: float) -> ServiceProcess:
    """Start a service that waits for its calls."""
    return await story.open_process(replace(story.config(None), service=Process(OnStop.WAIT, grace)))


async def refused(story: Story, call: PlacedCall, user_id: str, number: str) -> None:
    """A new call is refused now, on a connection that ends, and its reason is told."""
    body = {"user_id": user_id, "dial_string": number}
    headers = {"Authorization": f"Bearer {story.client.key}", "DialStack-Account": call.account}
    async with (
        aiohttp.ClientSession(headers=headers) as http,
        http.post(f"{story.client.url}/v1/calls", json=body) as answer,
    ):
        assert (answer.status, answer.headers["Connection"]) == (503, "close")
        assert int(answer.headers["Retry-After"]) > 0
        assert (await answer.json())["details"]["service"] == "stopping"


async def follow(story: Story, call: PlacedCall, following: asyncio.Event) -> list[Frame]:
    """Read the events of an account until the stream ends."""
    headers = {"Authorization": f"Bearer {story.client.key}", "DialStack-Account": call.account}
    async with (
        aiohttp.ClientSession(headers=headers) as http,
        http.get(f"{story.client.url}/v1/events", params={"after": 0}) as answer,
    ):
        reader, frames = Reader(answer), []
        while (frame := await reader.next(WELL_BEFORE)) is not None:
            frames.append(frame)
            following.set()
        return frames


async def test_it_ends_at_once_and_leaves_who_talks_and_clients_are_told_when_to_come_again(story: Story) -> None:
    desk = await story.phone(SPEAKS)
    alice = await story.user(desk)
    number = story.destination(SPEAKS_LOWER)
    service = await story.open_process()

    call = await story.place(alice, number)
    await call.reached("talking")
    following = asyncio.Event()
    stream = asyncio.create_task(follow(story, call, following))
    await following.wait()
    service.tell_to_end()
    last = (await stream)[-1]
    await service.until_ended()
    (near,), (far,) = desk.calls, story.dialled(number)
    since = near.phone.now()
    await near.wait_tone(700, since=since)
    await far.wait_tone(1000, since=since)
    await story.start_process()
    await far.hang_up()
    record = await story.ended(call)

    assert (last.name, last.data) == ("closed", {"reason": "stopping"})
    assert last.retry is not None
    assert ending(record) == COMPLETED_BY_DESTINATION
    assert not record["ended_at_estimated"]


async def test_it_waits_until_who_talks_has_hung_up_and_takes_no_new_call_meanwhile(story: Story) -> None:
    desk, other = await story.phone(SPEAKS), await story.phone(RINGS)
    alice, bob = await story.user(desk), await story.user(other)
    number = story.destination(SPEAKS_LOWER)
    service = await open_and_wait(story, LONG)

    call = await story.place(alice, number)
    await call.reached("talking")
    (near,), (far,) = desk.calls, story.dialled(number)
    following = asyncio.Event()
    stream = asyncio.create_task(follow(story, call, following))
    await following.wait()
    service.tell_to_end()
    waiting = await service.said("waiting for calls")
    assert waiting["live_calls"] == 1
    assert not await story.client.ready()
    await refused(story, call, bob.id, number)
    assert (await call.record())["state"] == "talking"
    assert service.returncode is None
    await far.hang_up()
    await service.until_ended(WELL_BEFORE)
    frames = await stream
    await story.start_process()
    record = await call.record()

    assert other.calls == []
    assert near.reasons == ["Q.850;cause=16"]
    assert ending(record) == COMPLETED_BY_DESTINATION
    assert not record["ended_at_estimated"]
    assert [frame.name for frame in frames][-2:] == ["call.end", "closed"]
    assert frames[-1].retry is not None


async def test_it_waits_for_a_call_that_rings_and_brings_it_about(story: Story) -> None:
    desk, mobile = await story.phone(RINGS), await story.phone(RINGS)
    alice = await story.user(desk, mobile)
    number = story.destination(TALKS_BRIEFLY)
    service = await open_and_wait(story, LONG)

    call = await story.place(alice, number)
    rung = [await phone.next_call() for phone in (desk, mobile)]
    await call.told("leg.ringing", "leg.ringing")
    service.tell_to_end()
    await service.said("waiting for calls")
    await rung[0].answer()
    await service.until_ended(WELL_BEFORE)
    await story.start_process()
    record = await call.record()

    assert ending(record) == COMPLETED_BY_DESTINATION
    assert outcomes(record) == {"a1": "answered", "a2": "answered_elsewhere", "b1": "answered"}
    assert len(story.dialled(number)) == 1


async def test_an_emergency_call_is_taken_while_it_waits_and_is_waited_for(story: Story) -> None:
    desk, other = await story.phone(SPEAKS), await story.phone(Script(ring_after=0.02, answer_after=0.1))
    alice, bob = await story.user(desk), await story.user(other)
    number = story.destination(SPEAKS_LOWER)
    story.destination(SPEAKS, "911")
    service = await open_and_wait(story, LONG)

    talk = await story.place(alice, number)
    await talk.reached("talking")
    service.tell_to_end()
    await service.said("waiting for calls")
    emergency = await story.place(bob, "911")
    await emergency.reached("talking")
    (far,) = story.dialled(number)
    await far.hang_up()
    await talk.ended()
    assert service.returncode is None
    (helper,) = story.dialled("911")
    await helper.hang_up()
    await service.until_ended(WELL_BEFORE)
    await story.start_process()

    assert ending(await emergency.record()) == COMPLETED_BY_DESTINATION
    assert ending(await talk.record()) == COMPLETED_BY_DESTINATION


async def test_when_the_grace_is_over_it_leaves_who_still_talks(story: Story) -> None:
    desk = await story.phone(SPEAKS)
    alice = await story.user(desk)
    number = story.destination(SPEAKS_LOWER)
    service = await open_and_wait(story, BRIEF)

    call = await story.place(alice, number)
    await call.reached("talking")
    (near,), (far,) = desk.calls, story.dialled(number)
    told_at = time.monotonic()
    service.tell_to_end()
    await service.until_ended(WELL_BEFORE)
    assert time.monotonic() - told_at >= BRIEF
    since = near.phone.now()
    await near.wait_tone(700, since=since)
    await far.wait_tone(1000, since=since)
    await story.start_process()
    assert (await call.record())["state"] == "talking"
    await far.hang_up()

    assert ending(await story.ended(call)) == COMPLETED_BY_DESTINATION


async def test_told_twice_it_waits_for_nobody(story: Story) -> None:
    desk = await story.phone(SPEAKS)
    alice = await story.user(desk)
    number = story.destination(SPEAKS_LOWER)
    service = await open_and_wait(story, LONG)

    call = await story.place(alice, number)
    await call.reached("talking")
    (near,), (far,) = desk.calls, story.dialled(number)
    service.tell_to_end()
    await service.said("waiting for calls")
    service.tell_to_end()
    await service.until_ended(WELL_BEFORE)
    since = near.phone.now()
    await near.wait_tone(700, since=since)
    await far.wait_tone(1000, since=since)
    await story.start_process()
    await far.hang_up()

    assert ending(await story.ended(call)) == COMPLETED_BY_DESTINATION
