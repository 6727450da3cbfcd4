"""The line to Asterisk breaks in ways that no end of a connection tells of: calls end right, and none is taken in vain."""

import asyncio
import os
import signal

import aiohttp
import pytest

from c2c_stasis.ari import pulse
from c2c_stasis.directory.model import User
from c2c_stasis.lab.phone import RINGS
from tests.faults.gate import Gate
from tests.faults.proxy import FaultProxy
from tests.live.client import COMPLETED_BY_DESTINATION, ending, outcomes
from tests.live.story import ANSWERS_SOON, TALKS_BRIEFLY, Story
from tests.live.waiting import eventually

pytestmark = pytest.mark.live

LOSSES, MISSED = "c2c_ari_connections_lost_total", "c2c_ari_pulses_missed_total"
STANDS_STILL = 2.0  # seconds, less than Asterisk has patience with who does not read
ROUNDS = 'c2c_ari_request_seconds_count{operation="userEvent"}'


async def refused(story: Story, user: User, number: str) -> bool:
    """Whether a call is refused with 503 and a Retry-After."""
    headers = {"Authorization": f"Bearer {story.client.key}", "DialStack-Account": user.account_id}
    body = {"user_id": user.id, "dial_string": number}
    async with aiohttp.request("POST", f"{story.client.url}/v1/calls", headers=headers, json=body) as answer:
        return answer.status == 503 and "Retry-After" in answer.headers


async def state_of_asterisk(story: Story) -> str:
    """What /readyz says of Asterisk, without waiting."""
    _, _, text = await story.client.ask("GET", "/readyz")
    return text


async def test_a_black_hole_is_noticed_calls_are_refused_and_what_rang_goes_on_when_it_is_healed(
    story: Story, line: FaultProxy
) -> None:
    desk, office = await story.phone(RINGS), await story.phone(RINGS)
    alice, bob = await story.user(desk), await story.user(office, name="Bob")
    number = story.destination(TALKS_BRIEFLY)
    await story.open(ari_url=line.url, ring_timeout=60.0)

    call = await story.place(alice, number)
    rung = await desk.next_call()
    await call.told("leg.ringing")
    line.stall()
    await story.until_cut_off()
    assert await refused(story, bob, number)
    line.heal()
    await story.until_ready()
    await rung.answer()
    record = await story.ended(call)

    assert office.calls == []
    assert ending(record) == COMPLETED_BY_DESTINATION
    assert len(story.dialled(number)) == 1


async def test_a_stream_that_answers_pings_and_delivers_nothing_is_opened_anew(
    story: Story, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulse, "EVERY", 0.5)
    monkeypatch.setattr(pulse, "COMES_WITHIN", 0.5)
    desk = await story.phone(RINGS)
    alice = await story.user(desk)
    number = story.destination(TALKS_BRIEFLY)
    await story.open(ari_url=gate.url, ring_timeout=60.0)

    call = await story.place(alice, number)
    rung = await desk.next_call()
    await call.told("leg.ringing")
    silence = gate.stop_events(lambda event: event["application"] == story.town.asterisk.app)
    await rung.answer()
    await silence.wait()
    await eventually(lambda: figure(story, LOSSES), bool, "the stream to be given up")
    gate.open()
    record = await story.ended(call)

    assert ending(record) == COMPLETED_BY_DESTINATION
    assert len(story.dialled(number)) == 1


async def test_events_of_our_own_come_back_through_asterisk(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse, "EVERY", 0.1)
    await story.open()

    await eventually(lambda: figure(story, ROUNDS), lambda count: count > 5, "several of them")
    assert await figure(story, LOSSES) == 0
    assert await figure(story, MISSED) == 0


async def figure(story: Story, name: str) -> int:
    """One of the service's counters; 0 as long as it is not there."""
    _, _, figures = await story.client.ask("GET", "/metrics")
    return sum(round(float(line.rpartition(" ")[2])) for line in figures.splitlines() if line.startswith(f"{name} "))


async def test_an_asterisk_that_hangs_is_given_no_new_calls_but_emergency_calls(story: Story) -> None:
    desk, office, hall = await story.phone(ANSWERS_SOON), await story.phone(RINGS), await story.phone(ANSWERS_SOON)
    alice, bob, carol = [
        await story.user(phone, name=name) for phone, name in ((desk, "Alice"), (office, "Bob"), (hall, "Carol"))
    ]
    number = story.destination(TALKS_BRIEFLY)
    story.destination(TALKS_BRIEFLY, "911")
    await story.open()
    pid = story.town.asterisk.pid
    assert pid is not None

    os.kill(pid, signal.SIGSTOP)
    try:
        call = await story.place(alice, number)
        await eventually(
            lambda: state_of_asterisk(story), lambda text: "does not answer" in text, "requests to time out"
        )
        bobs_was_refused = await refused(story, bob, number)
        emergency = await story.place(carol, "911")
    finally:
        os.kill(pid, signal.SIGCONT)
    await story.until_ready()
    for one in (call, emergency):
        await story.ended(one)

    assert bobs_was_refused
    assert office.calls == []
    assert ending(await emergency.record()) == COMPLETED_BY_DESTINATION
    assert len(story.dialled("911")) == 1
    assert len(story.dialled(number)) <= 1


async def test_every_first_answer_that_breaks_off_in_the_middle_does_a_call_no_harm(story: Story, gate: Gate) -> None:
    desk, mobile = await story.phone(ANSWERS_SOON), await story.phone(RINGS)
    alice = await story.user(desk, mobile)
    number = story.destination(TALKS_BRIEFLY)
    await story.open(ari_url=gate.url)

    gate.break_first_answers()
    call = await story.place(alice, number)
    record = await story.ended(call)

    assert gate.broken > 6
    assert ending(record) == COMPLETED_BY_DESTINATION
    assert outcomes(record) == {"a1": "answered", "a2": "answered_elsewhere", "b1": "answered"}
    assert [len(phone.calls) for phone in (desk, mobile)] == [1, 1]
    assert len(story.dialled(number)) == 1


async def test_a_service_that_stands_still_for_a_while_hears_afterwards_what_happened(story: Story) -> None:
    desk, mobile = await story.phone(RINGS), await story.phone(RINGS)
    alice = await story.user(desk, mobile)
    number = story.destination(TALKS_BRIEFLY)
    service = await story.open_process()

    call = await story.place(alice, number)
    rung = [await phone.next_call() for phone in (desk, mobile)]
    await call.told("leg.ringing", "leg.ringing")
    os.kill(service.pid, signal.SIGSTOP)
    try:
        await rung[0].answer()
        await rung[0].wait_answered()
        await asyncio.sleep(STANDS_STILL)
    finally:
        os.kill(service.pid, signal.SIGCONT)
    record = await story.ended(call)

    assert ending(record) == COMPLETED_BY_DESTINATION
    assert outcomes(record) == {"a1": "answered", "a2": "answered_elsewhere", "b1": "answered"}
    assert len(story.dialled(number)) == 1
