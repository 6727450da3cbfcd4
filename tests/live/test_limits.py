"""What limits let through, seen by the carrier; and that whoever asks for too much is no burden to others.

`C2C_LIMITS_SECONDS` makes the flood longer, and `pytest -s` prints what another account noticed of it.
"""

import asyncio
import json
import os
import time
from collections import Counter
from dataclasses import dataclass, replace
from itertools import pairwise

import pytest
from bench.measure import quantile

from c2c_stasis.config import AccountLimits, Config, KeyLimits, UserLimits
from c2c_stasis.directory.model import User
from c2c_stasis.lab.phone import Script
from tests.live.client import PlacedCall
from tests.live.story import ANSWERS_SOON, TALKS_BRIEFLY, Story

pytestmark = pytest.mark.live

FLOOD = float(os.environ.get("C2C_LIMITS_SECONDS", "4"))  # seconds
ALLOWED, BURST = 5.0, 10  # starts a second of an account, when nothing is configured
TIMES = 10  # as much as is allowed
RINGS_LONG = Script(ring_after=0.02)


@dataclass(frozen=True)
class Asked:
    """One request for a call, when it was sent and answered (monotonic seconds), and what the answer was."""

    sent: float
    answered: float
    status: int
    call: PlacedCall | None
    rule: str
    retry_after: int


async def ask(story: Story, user: User, number: str) -> Asked:
    """Ask for a call, whatever becomes of it."""
    client, sent = story.client, time.monotonic()
    headers = {"DialStack-Account": user.account_id}
    body = {"user_id": user.id, "dial_string": number}
    async with client._http.post(f"{client.url}/v1/calls", json=body, headers=headers) as answer:
        text = await answer.text()
        answered = time.monotonic()
        location = answer.headers.get("Location")
        call = client.found(location, user.account_id, sent) if location else None
        rule = "" if call else json.loads(text)["details"]["rule"]
        return Asked(sent, answered, answer.status, call, rule, int(answer.headers.get("Retry-After", "0")))


def usual(story: Story, **account: float) -> Config:
    """A configuration whose limits are those of somebody who has configured none, but for these."""
    limits = AccountLimits(**account)  # type: ignore[arg-type]  # each has its own type
    return replace(story.config(None), user_limits=UserLimits(), account_limits=limits, key_limits=KeyLimits())


async def people(story: Story, count: int, script: Script = ANSWERS_SOON) -> list[User]:
    """So many users of one account, each with a phone."""
    return [await story.user(await story.phone(script), name=f"User {number}") for number in range(count)]


async def decisions(story: Story) -> Counter[str]:
    """How often each rule has decided, as Prometheus reads it."""
    _, _, text = await story.client.ask("GET", "/metrics")
    head = 'c2c_policy_decisions_total{rule="'
    lines = [line.removeprefix(head).split('"} ') for line in text.splitlines() if line.startswith(head)]
    return Counter({rule: int(float(count)) for rule, count in lines})


@pytest.mark.timeout(120 + 20 * FLOOD)
async def test_ten_times_what_an_account_may_brings_exactly_what_it_may_and_others_notice_nothing(story: Story) -> None:
    users = await people(
        story, 21
    )  # every tenth request is let through: it shall not be the same user's again and again
    other = await story.account()
    neighbours = [await story.user(await story.phone(ANSWERS_SOON), account=other) for _ in range(4)]
    count = round(FLOOD * ALLOWED * TIMES)
    numbers = [story.destination(TALKS_BRIEFLY) for _ in range(count)]
    quiet_numbers, loud_numbers = ([story.destination(TALKS_BRIEFLY) for _ in range(count)] for _ in range(2))
    config = usual(story, calls_at_a_time=1000)
    # What one user may is no matter of this story.
    calls, user_limits = replace(config.calls, max_calls_per_user=100), UserLimits(starts_per_second=100.0, burst=100)
    await story.open_process(replace(config, calls=calls, user_limits=user_limits))

    quiet = await in_turn(story, neighbours, quiet_numbers[: round(2 * FLOOD)], every=0.5)
    flood = asyncio.create_task(in_turn(story, users, numbers, every=1 / (ALLOWED * TIMES)))
    loud = await in_turn(story, neighbours, loud_numbers[: round(2 * FLOOD)], every=0.5)
    asked = await flood

    accepted = [one for one in asked if one.call is not None]
    refused = [one for one in asked if one.call is None]
    assert {(one.status, one.rule) for one in refused} == {(429, "account_starts")}
    assert {one.retry_after for one in refused} == {1}  # of five a second, the next is less than a second away
    least, most = bounds(asked)
    assert least <= len(accepted) <= most
    for one in accepted:
        assert one.call is not None
        assert (await story.ended(one.call, within=30))["rule"] == "home_region"
    assert sorted(one.dialled for one in story.town.carrier.calls if one.dialled in numbers) == sorted(
        number for number, one in zip(numbers, asked, strict=True) if one.call is not None
    )
    assert {one.status for one in (*quiet, *loud)} == {202}
    assert (await decisions(story))["account_starts"] == len(refused)
    await asyncio.sleep(1.0)  # Retry-After
    assert (await ask(story, users[0], story.destination(TALKS_BRIEFLY))).status == 202
    tell("quiet", quiet)
    tell(f"beside {len(asked)} requests of another account, {len(refused)} of them refused", loud)


async def test_with_nothing_configured_ten_calls_at_a_time_and_five_to_one_number(story: Story) -> None:
    users = await people(story, 20)
    numbers = [story.destination(RINGS_LONG) for _ in range(40)]
    same = story.destination(TALKS_BRIEFLY)
    await story.open_process(usual(story))

    asked = await asyncio.gather(*(ask(story, users[at % 20], number) for at, number in enumerate(numbers)))
    accepted = [one.call for one in asked if one.call is not None]
    assert len(accepted) == 10
    refused = [one for one in asked if one.call is None]
    assert {one.status for one in refused} == {429}
    assert {one.rule for one in refused} <= {"account_starts", "account_calls"}
    for call in accepted:
        await call.reached("ringing_destination")
    assert len(story.town.carrier.calls) == 10
    for call in accepted:
        await call.cancel()
        await story.ended(call)

    let_through = 0
    for user in users:
        while (one := await ask(story, user, same)).rule == "account_starts":  # noqa: ASYNC110  # Retry-After
            await asyncio.sleep(one.retry_after)
        if one.call is None:
            break
        let_through += 1
        await story.ended(one.call)
    assert (let_through, len(story.dialled(same)), one.rule) == (5, 5, "account_same_destination")
    assert 500 < one.retry_after <= 610


async def test_what_was_called_before_a_kill_still_counts_after_it(story: Story) -> None:
    (alice,) = await people(story, 1)
    same = story.destination(TALKS_BRIEFLY)
    process = await story.open_process(usual(story, same_destination=2))
    for _ in range(2):
        call = (await ask(story, alice, same)).call
        assert call is not None
        await story.ended(call)
    await process.kill()
    await story.start_process()
    refused = await ask(story, alice, same)
    assert (refused.status, refused.rule) == (429, "account_same_destination")
    assert 500 < refused.retry_after <= 610
    assert len(story.dialled(same)) == 2


async def test_a_preflight_tells_what_would_happen_and_nothing_rings(story: Story) -> None:
    phone = await story.phone(ANSWERS_SOON)
    alice = await story.user(phone, story.absent_device())
    await story.open()
    told = {}
    for number in ("(212) 555-0123", "+442079460018", "911", "1 900 234 5678"):
        body = {"user_id": alice.id, "dial_string": number}
        status, _, text = await story.client.ask("POST", "/v1/calls/preflight", alice.account_id, json=body)
        assert status == 200
        told[number] = json.loads(text)
    rules = [(one["allowed"], one["rule"], one["number"]) for one in told.values()]
    assert rules == [
        (True, "home_region", "+12125550123"),
        (False, "other_region", "+442079460018"),
        (True, "emergency", "911"),
        (False, "premium_rate", "+19002345678"),
    ]
    ordinary = told["(212) 555-0123"]
    assert [(one["device"], one["status"], one["rings"]) for one in ordinary["devices"]] == [
        (phone.name, "online", True),
        (ordinary["devices"][1]["device"], "offline", False),
    ]
    assert (ordinary["trunks"], ordinary["asterisk"]) == (["carrier"], "ok")
    assert told["911"]["emergency"]["emergency_trunk"] is False
    assert phone.calls == []
    assert story.town.carrier.calls == []
    listed = await story.client.get("/v1/calls", alice.account_id)
    assert listed["data"] == []


async def in_turn(story: Story, users: list[User], numbers: list[str], *, every: float) -> list[Asked]:
    """Ask for a call to each number, one after the other at this pace, whether or not the last was answered."""
    begin, asking = time.monotonic(), []
    for at, number in enumerate(numbers):
        await asyncio.sleep(max(0.0, begin + at * every - time.monotonic()))
        asking.append(asyncio.create_task(ask(story, users[at % len(users)], number)))
    return [await one for one in asking]


def bounds(asked: list[Asked]) -> tuple[float, float]:
    """How many must and may have been let through: each was decided at some moment between its request and its answer."""
    first, last = min(one.answered for one in asked), max(one.sent for one in asked)
    ends = sorted(one.answered for one in asked)
    idle = max(after - before for before, after in pairwise(ends)) + max(one.answered - one.sent for one in asked)
    longest = max(one.answered for one in asked) - min(one.sent for one in asked)
    return BURST + ALLOWED * (last - first - idle) - 1, BURST + ALLOWED * longest


def tell(what: str, asked: list[Asked]) -> None:
    """Print how long another account waited for its 202."""
    took = [one.answered - one.sent for one in asked]
    print(f"\n{what}: {len(took)} calls, p50 {quantile(took, 0.5):.1f} ms, p99 {quantile(took, 0.99):.1f} ms")  # noqa: T201
