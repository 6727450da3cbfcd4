"""The Python client: a call that talks, told event by event, by both of its forms; and the programs of its page."""

import asyncio
import os
import re
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from c2c_stasis.client import AsyncClient, Client
from c2c_stasis.client.records import Event
from tests.live.story import ANSWERS_SOON, TALKS_BRIEFLY, Story

pytestmark = pytest.mark.live

FIRST, FOLLOWER, _ = re.findall(
    r"```python\n(.*?)```", (Path(__file__).parents[2] / "docs/client.md").read_text(), re.DOTALL
)
OF_A_TALK = ["call.ringing", "call.initiated", "call.answered", "call.end"]


async def test_a_call_is_placed_and_followed_to_its_end_with_asyncio_and_without(story: Story) -> None:
    alice = await story.user(await story.phone(ANSWERS_SOON), name="Alice")
    first, second = story.destination(TALKS_BRIEFLY), story.destination(TALKS_BRIEFLY)
    await story.open()

    async with AsyncClient(story.client.url, story.client.key, account=alice.account_id) as client:
        placed = await client.calls.create(user_id=alice.id, dial_string=first, metadata={"crm": "42"})
        story.client.found(f"/v1/calls/{placed.id}", alice.account_id)
        told = [event async for event in client.events.of_call(placed.id)]
        call = await client.calls.retrieve(placed.id)
    assert [event.type for event in told] == OF_A_TALK
    assert (call.outcome, call.reason, call.to_number, call.metadata) == ("completed", "normal", first, {"crm": "42"})
    assert call.timings.bridged_ms is not None
    assert [(leg.side, leg.outcome) for leg in call.legs] == [("a", "answered"), ("b", "answered")]
    await story.until_phones_are_free()

    def program() -> tuple[str, list[Event]]:
        with Client(story.client.url, story.client.key, account=alice.account_id) as blocking:
            session = blocking.sessions.create_for_user(alice.id, ttl_seconds=60)
        with Client(story.client.url, session.client_secret) as browser:
            placed = browser.calls.create(user_id=alice.id, dial_string=second, idempotency_key="click 1")
            again = browser.calls.create(user_id=alice.id, dial_string=second, idempotency_key="click 1")
            assert (again.id, again.replayed) == (placed.id, True)
            return placed.id, list(browser.events.of_call(placed.id, types=("*",)))

    call_id, events = await asyncio.to_thread(program)
    story.client.found(f"/v1/calls/{call_id}", alice.account_id)
    assert [event.type for event in events if event.type.startswith("call.")] == OF_A_TALK
    assert {event.data.leg.device for event in events if event.data.leg} > {None}
    assert [event.data.sequence for event in events] == list(range(1, len(events) + 1))


async def test_the_programs_of_the_page_place_a_call_and_follow_all_calls(story: Story) -> None:
    alice = await story.user(await story.phone(ANSWERS_SOON), name="Alice")
    number = story.destination(TALKS_BRIEFLY, "+15551234567")
    await story.open()
    of_the_demonstration = {
        "C2C_BASE_URL": story.client.url,
        "C2C_API_KEY": story.client.key,
        "C2C_ACCOUNT": alice.account_id,
    }

    async def program(text: str) -> asyncio.subprocess.Process:
        environment = os.environ | of_the_demonstration
        return await asyncio.create_subprocess_exec(sys.executable, "-u", "-c", text, env=environment, stdout=PIPE)

    follower = await program(FOLLOWER)
    assert follower.stdout is not None
    hearing = asyncio.create_task(follower.stdout.readline())
    try:
        while not hearing.done():  # it hears of the calls that begin when it has connected
            told, _ = await (await program(FIRST)).communicate()
            assert [line.split()[0] for line in told.decode().splitlines()] == OF_A_TALK
            assert told.decode().split()[-1] == "completed"
            await story.until_phones_are_free()
        assert (await hearing).decode().split()[1:] == [number, "completed"]
    finally:
        follower.terminate()
        await follower.communicate()
