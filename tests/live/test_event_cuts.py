"""A client of the event stream is cut off again and again while calls go on, and the service is killed meanwhile: every event
comes once.

A short run is part of the tests; `make cuts` is the long one: 500 calls, 200 cuts, 10 kills.
"""

import asyncio
import contextlib
import os
import random
import time
from dataclasses import dataclass, field

import aiohttp
import pytest

from c2c_stasis.directory.model import User
from c2c_stasis.lab.phone import Phone, Script
from tests.live.process import ServiceProcess
from tests.live.story import Story
from tests.live.waiting import until
from tests.store.samples import rows
from tests.streams import Reader

pytestmark = [pytest.mark.live, pytest.mark.timeout(900)]

CALLS, CUTS, KILLS = (500, 200, 10) if os.environ.get("C2C_CUTS") == "long" else (24, 16, 2)
AT_ONCE = 8  # users who call
TALKS = Script(ring_after=0.02, answer_after=0.1, hang_up_after=0.1)
SHORTEST_LIFE, LONGEST_LIFE = 0.02, 0.6  # seconds of a connection until it is cut
BROKEN = (aiohttp.ClientError, OSError, TimeoutError)


@dataclass
class Heard:
    """What the client got, in its order, and how often it was cut off."""

    ids: list[str] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    cursor: int = 0
    cuts: int = 0
    connected: bool = False
    over: bool = False


async def test_who_is_cut_off_again_and_again_gets_every_event_once(story: Story) -> None:
    users: list[tuple[User, Phone, str]] = []
    for at in range(AT_ONCE):
        phone = await story.phone(TALKS)
        users.append((await story.user(phone, name=f"User {at}"), phone, story.destination(TALKS)))
    service = await story.open_process(max_calls_per_user=3)
    heard = Heard()
    account = users[0][0].account_id
    began = time.monotonic()
    listening = asyncio.create_task(listen(story, account, heard))
    killing = asyncio.create_task(kill(story, service))
    await asyncio.gather(*(call_again_and_again(story, *who) for who in users))
    await killing
    await story.until_asterisk_is_empty()
    await asyncio.gather(*(call.ended() for call in story.client.placed))
    kept = rows(story.folder / "story.db", "SELECT account_sequence, id FROM events ORDER BY account_sequence")
    await until(lambda: heard.cursor == len(kept) and heard.cuts >= CUTS, "the last event", 60.0)
    heard.over = True
    await listening

    calls = rows(story.folder / "story.db", "SELECT count(*) FROM calls WHERE state = 'ended'")[0][0]
    print(f"{calls} calls, {len(kept)} events, {heard.cuts} cuts, {time.monotonic() - began:.0f} s")  # noqa: T201 # what is shown, with pytest -s
    assert list(zip(heard.numbers, heard.ids, strict=True)) == kept
    assert heard.numbers == list(range(1, len(kept) + 1))
    one_end = "SELECT count(*) FROM events WHERE type = 'call.end' GROUP BY call_id"
    assert rows(story.folder / "story.db", one_end) == [(1,)] * calls
    assert calls >= CALLS
    assert heard.cuts >= CUTS


async def listen(story: Story, account: str, heard: Heard) -> None:
    """Follow the stream, for a random time each; come back with the last number."""
    chance = random.Random(4711)
    headers = {"Authorization": f"Bearer {story.client.key}", "DialStack-Account": account}
    while not heard.over:
        async with aiohttp.ClientSession() as http:  # a connection of its own, which is reset at the end
            try:
                async with asyncio.timeout(chance.uniform(SHORTEST_LIFE, LONGEST_LIFE)):
                    await follow(http, f"{story.client.url}/v1/events?types=*", headers, heard)
            except BROKEN:
                heard.cuts += heard.connected  # while the service is dead, there is nothing to be cut
                await asyncio.sleep(0.01)
            heard.connected = False


async def follow(http: aiohttp.ClientSession, url: str, headers: dict[str, str], heard: Heard) -> None:
    async with http.get(url, headers=headers | {"Last-Event-ID": str(heard.cursor)}) as response:
        stream = Reader(response, whole=False)
        while (frame := await stream.next()) is not None:
            if frame.name == "connected":
                assert frame.data["after"] == heard.cursor
                heard.connected = True
                continue
            assert frame.name != "reset", frame
            assert frame.id is not None
            heard.ids.append(frame.data["id"])
            heard.numbers.append(frame.id)
            heard.cursor = frame.id


async def call_again_and_again(story: Story, user: User, phone: Phone, number: str) -> None:
    """Call as long as calls are wanted; one that the dying service did not answer may have been accepted all the same."""
    while len({call.id for call in story.client.placed}) < CALLS:  # one that is placed twice at once is one call
        before = len(phone.calls)
        while True:
            try:
                await story.client.place(user, number)
                break
            except (*BROKEN, AssertionError):
                await asyncio.sleep(0.1)
        with contextlib.suppress(AssertionError):  # it may have been given up before the phone rang
            await until(lambda: len(phone.calls) > before and not phone.live_calls, "the end of a call", 3.0)  # noqa: B023


async def kill(story: Story, service: ServiceProcess) -> None:
    """Kill the service while calls go on, and start it again."""
    chance = random.Random(815)
    for _ in range(KILLS):
        await asyncio.sleep(chance.uniform(1.0, 2.0) * CALLS / AT_ONCE / KILLS / 2.5)
        await service.kill()
        await story.start_process()
