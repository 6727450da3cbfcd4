"""Requests that come more than once, and what phones and carrier see of them."""

import asyncio

from c2c_stasis.directory.model import User
from c2c_stasis.lab.phone import Script
from tests.live.story import TALKS_BRIEFLY, Story

AT_ONCE = 50
ROUNDS = 20

Answer = tuple[int, str, str]


async def post(story: Story, user: User, number: str, key: str = "") -> Answer:
    """Status, Location and body of one request."""
    body = {"user_id": user.id, "dial_string": number}
    headers = {"Idempotency-Key": key} if key else {}
    return await story.client.ask("POST", "/v1/calls", user.account_id, json=body, more_headers=headers)


async def rounds(story: Story, *, with_key: bool) -> None:
    """Fifty requests at once, again and again; each time one call, one set of INVITEs, and fifty times its address."""
    phones = [await story.phone(Script(ring_after=0.02, answer_after=0.3)), await story.phone(Script(ring_after=0.02))]
    alice = await story.user(*phones)
    numbers = [story.destination(TALKS_BRIEFLY) for _ in range(ROUNDS)]
    await story.open()
    for count, number in enumerate(numbers, 1):
        key = f"order {number}" if with_key else ""
        answers = await asyncio.gather(*(post(story, alice, number, key) for _ in range(AT_ONCE)))
        assert {(status, body) for status, _, body in answers} == {(202, "")}
        (location,) = {location for _, location, _ in answers}
        call = story.client.found(location, alice.account_id)
        record = await story.ended(call)
        assert (record["outcome"], record["to_number"]) == ("completed", number)
        assert len(story.dialled(number)) == 1
        assert [len(phone.calls) for phone in phones] == [count, count]
    listed = await story.client.get("/v1/calls?limit=100", alice.account_id)
    assert [call["to_number"] for call in listed["data"]] == numbers[::-1]


async def test_fifty_requests_with_one_key_are_one_call_twenty_times(story: Story) -> None:
    await rounds(story, with_key=True)


async def test_fifty_requests_without_a_key_within_three_seconds_are_one_call_twenty_times(story: Story) -> None:
    await rounds(story, with_key=False)


async def test_a_key_outlives_the_service_that_was_killed(story: Story) -> None:
    desk = await story.phone(Script(ring_after=0.02, answer_after=4.0))
    alice = await story.user(desk)
    number = story.destination(TALKS_BRIEFLY)
    process = await story.open_process()
    status, location, _ = await post(story, alice, number, "a")
    call = story.client.found(location, alice.account_id)
    await desk.wait_for(lambda: any(one.rang_at is not None for one in desk.calls), "the phone to ring")
    await process.kill()
    await story.start_process()
    assert await post(story, alice, number, "a") == (status, location, "")
    assert (await story.ended(call))["outcome"] == "completed"
    assert await post(story, alice, number, "a") == (status, location, "")
    assert (len(desk.calls), len(story.dialled(number))) == (1, 1)


async def test_only_the_chosen_device_rings_and_the_chosen_number_is_shown(story: Story) -> None:
    desk, mobile = await story.phone(), await story.phone(Script(ring_after=0.02, answer_after=0.1))
    alice = await story.user(desk, mobile)
    shown = await story.store.create_phone_number(alice.account_id, "+12025550199")
    ordinary = await story.store.create_phone_number(alice.account_id, "+12025550198")
    await story.store.set_account_caller_number(alice.account_id, ordinary.id)
    number = story.destination(TALKS_BRIEFLY)
    await story.open()
    devices = await story.client.get(f"/v1/users/{alice.id}/endpoints", alice.account_id)
    chosen = next(device["id"] for device in devices["data"] if device["endpoint"] == mobile.name)
    body = {"user_id": alice.id, "dial_string": number, "device_id": chosen, "did": shown.id}
    _, location, _ = await story.client.ask("POST", "/v1/calls", alice.account_id, json=body)
    record = await story.ended(story.client.found(location, alice.account_id))
    assert (record["outcome"], record["endpoint"], record["did"]) == ("completed", chosen, shown.id)
    assert (len(desk.calls), len(mobile.calls)) == (0, 1)
    (far,) = story.dialled(number)
    assert record["from_number"] == shown.number
    assert f"<sip:{shown.number}@" in far.invite.require("P-Asserted-Identity")


async def test_a_ring_timeout_of_one_call_is_kept(story: Story) -> None:
    desk = await story.phone(Script(ring_after=0.02))
    alice = await story.user(desk)
    number = story.destination(TALKS_BRIEFLY)
    await story.open()
    body = {"user_id": alice.id, "dial_string": number, "ring_timeout": 5}
    _, location, _ = await story.client.ask("POST", "/v1/calls", alice.account_id, json=body)
    record = await story.ended(story.client.found(location, alice.account_id))
    assert record["reason"] == "user_no_answer"
    assert 4_900 <= record["timings"]["ended_ms"] < 7_000
