"""The service is killed at each step of a call, exactly there, and started again.

What comes after in Asterisk, at the phones and in the record is what was promised when the call was accepted. Each step is
reached by stopping the one message that would lead out of it. A1 to A14 are the steps as `make faults` counts them; A14, the
tables, is in `test_migration.py`. Phones that ring while nobody comes back are in `tests/live/test_restart.py`.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_network
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from c2c_stasis.config import Networks, Ports, Webhooks
from c2c_stasis.directory.model import User
from c2c_stasis.lab.phone import RINGS, Phone, PhoneCall, Script
from c2c_stasis.store.records import call_of_row
from tests.faults.gate import Gate, creates, dials, hangs_up, joins, tells
from tests.live.client import COMPLETED_BY_DESTINATION, PlacedCall, Record, ending, outcomes
from tests.live.process import ServiceProcess
from tests.live.proxy import CuttableProxy
from tests.live.story import ANSWERED_ELSEWHERE, ANSWERS_SOON, TALKS_BRIEFLY, Story
from tests.live.waiting import eventually, until
from tests.publish.receiver import Receiver, certify
from tests.store.samples import locked, rows

pytestmark = pytest.mark.live

SPEAKS = Script(ring_after=0.02, answer_after=0.1, tone_hz=1000)
SPEAKS_LOWER = Script(ring_after=0.02, answer_after=0.1, tone_hz=700)
BOTH_ANSWERED = {"a1": "answered", "b1": "answered"}
KEY = {"Idempotency-Key": "the only click"}
THE_STORY = ["call.ringing", "call.initiated", "call.answered", "call.end"]


async def open_at(story: Story, gate: Gate, **limits: float) -> ServiceProcess:
    """The service as a process, with the gate between it and Asterisk."""
    return await story.open_process(story.config(gate.url, **limits))


async def kill(service: ServiceProcess, gate: Gate) -> None:
    """Kill the service. What the gate holds is lost with it."""
    await service.kill()
    gate.open()


async def click(story: Story, user: User, number: str) -> tuple[int, str, str]:
    """Ask for a call, under a name."""
    body = {"user_id": user.id, "dial_string": number}
    return await story.client.ask("POST", "/v1/calls", user.account_id, json=body, more_headers=KEY)


async def connected_once(story: Story, call: PlacedCall, phone: Phone, number: str) -> Record:
    """The call comes about, with one INVITE to each."""
    record = await story.ended(call)
    assert [len(phone.calls), len(story.dialled(number))] == [1, 1]
    assert ending(record) == COMPLETED_BY_DESTINATION
    assert outcomes(record) == BOTH_ANSWERED
    return record


def is_dialled(story: Story, call: PlacedCall) -> bool:
    """Whether the record says that the device was dialled."""
    snapshots = rows(story.folder / "story.db", "SELECT snapshot FROM calls WHERE id = ?", call.id)
    return any(leg.dialled_at is not None for (snapshot,) in snapshots for leg in call_of_row(snapshot).legs)


async def both_hear(near: PhoneCall, far: PhoneCall, since: float | None = None) -> None:
    """Each hears the tone of the other."""
    await near.wait_tone(700, since=since)
    await far.wait_tone(1000, since=since)


async def test_a1_killed_before_the_call_is_recorded_nothing_of_it_exists(story: Story, gate: Gate) -> None:
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk)
    number = story.destination(TALKS_BRIEFLY)
    service = await open_at(story, gate)
    database = story.folder / "story.db"

    with locked(database):
        asking = asyncio.create_task(click(story, alice, number))
        await eventually(lambda: in_progress(story), lambda count: count == 2, "the request to be read")
        await kill(service, gate)
        with pytest.raises(aiohttp.ClientError):
            await asking
    assert rows(database, "SELECT count(*) FROM calls") == [(0,)]
    await story.start_process()
    assert (desk.calls, story.dialled(number)) == ([], [])
    status, location, _ = await click(story, alice, number)

    assert status == 202
    await connected_once(story, story.client.found(location, alice.account_id), desk, number)
    assert rows(database, "SELECT count(*) FROM calls") == [(1,)]


async def in_progress(story: Story) -> int:
    """How many requests the service is answering, the one that asks for it included."""
    _, _, figures = await story.client.ask("GET", "/metrics")
    (line,) = [line for line in figures.splitlines() if line.startswith("c2c_http_requests_in_progress ")]
    return round(float(line.split()[1]))


async def test_a2_killed_before_the_answer_reached_the_client_who_asks_again_and_gets_the_same_call(
    story: Story, gate: Gate
) -> None:
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk)
    number = story.destination(TALKS_BRIEFLY)
    service = await open_at(story, gate)
    database = story.folder / "story.db"
    gate.stop_requests(creates)

    async with deaf_client(story, alice, number):
        await eventually(lambda: kept(story), lambda ids: len(ids) == 1, "the record")
        await kill(service, gate)
    (call_id,) = await kept(story)
    await story.start_process()
    status, location, _ = await click(story, alice, number)

    assert (status, location) == (202, f"/v1/calls/{call_id}")
    await connected_once(story, story.client.found(location, alice.account_id), desk, number)
    assert rows(database, "SELECT count(*) FROM calls") == [(1,)]


async def kept(story: Story) -> list[str]:
    """The calls in the database."""
    return [row[0] for row in rows(story.folder / "story.db", "SELECT id FROM calls")]


@asynccontextmanager
async def deaf_client(story: Story, user: User, number: str) -> AsyncIterator[None]:
    """Somebody who asks for a call and never reads the answer."""
    host, _, port = story.client.url.removeprefix("http://").partition(":")
    _, writer = await asyncio.open_connection(host, int(port), limit=1)
    body = json.dumps({"user_id": user.id, "dial_string": number})
    headers = {
        "Host": host,
        "Authorization": f"Bearer {story.client.key}",
        "DialStack-Account": user.account_id,
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        **KEY,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    writer.write(f"POST /v1/calls HTTP/1.1\r\n{head}\r\n{body}".encode())
    try:
        yield
    finally:
        writer.transport.abort()


async def test_a3_killed_before_any_channel_exists_the_call_sets_out_again(story: Story, gate: Gate) -> None:
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk)
    number = story.destination(TALKS_BRIEFLY)
    service = await open_at(story, gate)
    creating = gate.stop_requests(creates)

    call = await story.place(alice, number)
    await creating.wait()
    await kill(service, gate)
    assert await story.channel_ids() == set()
    await story.start_process()

    await connected_once(story, call, desk, number)


async def test_a4_killed_before_the_devices_are_dialled_each_is_dialled_once(story: Story, gate: Gate) -> None:
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk)
    number = story.destination(TALKS_BRIEFLY)
    service = await open_at(story, gate)
    dialling = gate.stop_requests(dials("a1"))

    call = await story.place(alice, number)
    await dialling.wait()
    await eventually(story.channel_ids, lambda ids: ids == {f"{call.id}.a1", f"{call.id}.b1"}, "both channels")
    await kill(service, gate)
    assert desk.calls == []
    await story.start_process()

    await connected_once(story, call, desk, number)


async def test_a4_killed_between_dialling_and_the_first_ring_no_device_is_dialled_again(
    story: Story, gate: Gate
) -> None:
    desk = await story.phone(Script(ring_after=3.0, answer_after=3.1))
    alice = await story.user(desk)
    number = story.destination(TALKS_BRIEFLY)
    service = await open_at(story, gate)
    gate.stop_events(tells("Dial", "a1"))
    dialled = gate.stop_replies(dials("a1"))

    call = await story.place(alice, number)
    await dialled.wait()
    await desk.next_call()
    await until(lambda: is_dialled(story, call), "the record to have it")
    await kill(service, gate)
    await story.start_process()

    await connected_once(story, call, desk, number)


async def test_a5_killed_while_the_devices_ring_they_go_on_ringing_and_can_be_answered(
    story: Story, gate: Gate
) -> None:
    desk, mobile = await story.phone(RINGS), await story.phone(RINGS)
    alice = await story.user(desk, mobile)
    number = story.destination(TALKS_BRIEFLY)
    service = await open_at(story, gate)

    call = await story.place(alice, number)
    rung = [await phone.next_call() for phone in (desk, mobile)]
    await call.told("leg.ringing", "leg.ringing")
    await kill(service, gate)
    await story.start_process()
    assert [one.live for one in rung] == [True, True]
    await rung[0].answer()
    record = await story.ended(call)

    assert [len(desk.calls), len(mobile.calls), len(story.dialled(number))] == [1, 1, 1]
    assert rung[1].reasons == ANSWERED_ELSEWHERE
    assert ending(record) == COMPLETED_BY_DESTINATION


async def test_a6_killed_between_the_answer_and_the_end_of_the_other_devices_there_is_one_winner(
    story: Story, gate: Gate
) -> None:
    desk, mobile = await story.phone(RINGS), await story.phone(RINGS)
    alice = await story.user(desk, mobile)
    number = story.destination(TALKS_BRIEFLY)
    service = await open_at(story, gate)
    answering = gate.stop_events(tells("ChannelStateChange", "a1", "Up"))

    call = await story.place(alice, number)
    rung = [await phone.next_call() for phone in (desk, mobile)]
    await call.told("leg.ringing", "leg.ringing")
    await rung[0].answer()
    await answering.wait()
    await kill(service, gate)
    assert rung[1].live
    await story.start_process()
    record = await story.ended(call)

    assert rung[1].reasons == ANSWERED_ELSEWHERE
    assert [len(desk.calls), len(mobile.calls), len(story.dialled(number))] == [1, 1, 1]
    assert ending(record) == COMPLETED_BY_DESTINATION
    assert outcomes(record) == {"a1": "answered", "a2": "answered_elsewhere", "b1": "answered"}


async def test_a6_killed_when_the_winner_is_known_the_other_devices_still_stop(story: Story, gate: Gate) -> None:
    desk, mobile = await story.phone(RINGS), await story.phone(RINGS)
    alice = await story.user(desk, mobile)
    number = story.destination(RINGS)
    service = await open_at(story, gate)
    ending_mobile = gate.stop_requests(hangs_up("a2"))

    call = await story.place(alice, number)
    rung = [await phone.next_call() for phone in (desk, mobile)]
    await call.told("leg.ringing", "leg.ringing")
    await rung[0].answer()
    await ending_mobile.wait()
    far = await story.dialled_call(number)
    await kill(service, gate)
    assert rung[1].live
    await story.start_process()
    await far.answer()
    await call.reached("talking")
    await far.hang_up()
    record = await story.ended(call)

    assert rung[1].reasons == ANSWERED_ELSEWHERE
    assert [len(desk.calls), len(mobile.calls), len(story.dialled(number))] == [1, 1, 1]
    assert ending(record) == COMPLETED_BY_DESTINATION


async def test_a7_killed_before_the_destination_is_dialled_it_is_dialled_when_the_service_is_back(
    story: Story, gate: Gate
) -> None:
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk)
    number = story.destination(TALKS_BRIEFLY)
    service = await open_at(story, gate)
    dialling = gate.stop_requests(dials("b1"))

    call = await story.place(alice, number)
    await dialling.wait()
    await kill(service, gate)
    assert story.dialled(number) == []
    await story.start_process()

    await connected_once(story, call, desk, number)


async def test_a7_killed_between_dialling_the_destination_and_its_first_ring_it_is_not_dialled_again(
    story: Story, gate: Gate
) -> None:
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk)
    number = story.destination(Script(ring_after=3.0, answer_after=3.1, hang_up_after=0.2))
    service = await open_at(story, gate)
    gate.stop_events(tells("Dial", "b1"))
    dialled = gate.stop_replies(dials("b1"))

    call = await story.place(alice, number)
    await dialled.wait()
    await story.dialled_call(number)
    await kill(service, gate)
    await story.start_process()

    await connected_once(story, call, desk, number)


async def test_a8_killed_while_the_destination_rings_it_goes_on_ringing(story: Story, gate: Gate) -> None:
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk)
    number = story.destination(RINGS)
    service = await open_at(story, gate)

    call = await story.place(alice, number)
    await call.reached("ringing_destination")
    (far,) = story.dialled(number)
    await kill(service, gate)
    await story.start_process()
    assert far.live
    await far.answer()
    await call.reached("talking")
    await far.hang_up()

    await connected_once(story, call, desk, number)


async def test_a8_killed_while_the_destination_rings_and_the_user_leaves_it_stops_ringing(
    story: Story, gate: Gate
) -> None:
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk)
    number = story.destination(RINGS)
    service = await open_at(story, gate)

    call = await story.place(alice, number)
    await call.reached("ringing_destination")
    (near,), (far,) = desk.calls, story.dialled(number)
    await kill(service, gate)
    await near.hang_up()
    await near.wait_ended()
    assert far.live
    await story.start_process()
    record = await story.ended(call)

    assert far.cancelled
    assert [len(desk.calls), len(story.dialled(number))] == [1, 1]
    assert (record["outcome"], record["reason"]) == ("cancelled", "cancelled_by_user")


async def test_a9_killed_before_the_service_hears_the_destinations_answer_both_hear_each_other(
    story: Story, gate: Gate
) -> None:
    desk = await story.phone(SPEAKS)
    alice = await story.user(desk)
    number = story.destination(SPEAKS_LOWER)
    service = await open_at(story, gate)
    answering = gate.stop_events(tells("ChannelStateChange", "b1", "Up"))

    call = await story.place(alice, number)
    await answering.wait()
    await kill(service, gate)
    await story.start_process()
    since = desk.now()
    (near,), (far,) = desk.calls, story.dialled(number)
    await both_hear(near, far, since)
    await call.reached("talking")
    await far.hang_up()

    await connected_once(story, call, desk, number)


async def test_a9_killed_before_the_colleague_who_answered_is_joined_both_hear_each_other_within_a_second(
    story: Story, gate: Gate
) -> None:
    desk = await story.phone(SPEAKS)
    office, mobile = await story.phone(SPEAKS_LOWER), await story.phone(RINGS)
    alice, bob = await story.user(desk), await story.user(office, mobile, name="Bob")
    await story.store.create_extension(alice.account_id, "1002", bob.id)
    service = await open_at(story, gate)
    joining = gate.stop_requests(joins("b1"))

    call = await story.place(alice, "1002")
    await joining.wait()
    await kill(service, gate)
    await story.start_process()
    ready_at = desk.now()
    (near,), (far,) = desk.calls, office.calls
    await both_hear(near, far, ready_at)
    heard_after = desk.now() - ready_at
    await call.reached("talking")
    await far.hang_up()
    record = await story.ended(call)

    assert heard_after < 1.0 + 1.0  # 0.2 s of a tone make it heard, and a machine may be busy
    assert [len(phone.calls) for phone in (desk, office, mobile)] == [1, 1, 1]
    assert ending(record) == COMPLETED_BY_DESTINATION
    assert outcomes(record) == {"a1": "answered", "b1": "answered", "b2": "answered_elsewhere"}


async def test_a10_killed_while_they_talk_they_hear_each_other_before_during_and_after(
    story: Story, gate: Gate
) -> None:
    desk = await story.phone(SPEAKS)
    alice = await story.user(desk)
    number = story.destination(SPEAKS_LOWER)
    service = await open_at(story, gate)

    call = await story.place(alice, number)
    await call.reached("talking")
    (near,), (far,) = desk.calls, story.dialled(number)
    await both_hear(near, far)
    await kill(service, gate)
    await both_hear(near, far, desk.now())
    await story.start_process()
    await both_hear(near, far, desk.now())
    assert (await call.record())["state"] == "talking"
    await far.hang_up()

    await connected_once(story, call, desk, number)


async def test_a10_killed_while_they_talk_and_one_leaves_the_other_is_released(story: Story, gate: Gate) -> None:
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk)
    number = story.destination(ANSWERS_SOON)
    service = await open_at(story, gate)

    call = await story.place(alice, number)
    await call.reached("talking")
    await call.told("call.answered", "leg.bridged", "leg.bridged")
    (near,), (far,) = desk.calls, story.dialled(number)
    await kill(service, gate)
    await far.hang_up()
    await far.wait_ended()
    assert near.live
    await story.start_process()

    await connected_once(story, call, desk, number)


async def test_a11_killed_before_the_end_is_recorded_it_is_recorded_once(story: Story, gate: Gate) -> None:
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk)
    number = story.destination(ANSWERS_SOON)
    service = await open_at(story, gate)
    database = story.folder / "story.db"

    call = await story.place(alice, number)
    await call.reached("talking")
    await call.told("call.answered", "leg.bridged", "leg.bridged")
    (near,), (far,) = desk.calls, story.dialled(number)
    with locked(database):
        await far.hang_up()
        await near.wait_ended()
        await story.until_asterisk_is_empty()
        await kill(service, gate)
    assert rows(database, "SELECT state FROM calls") == [("talking",)]
    await story.start_process()
    record = await story.ended(call)

    assert (record["outcome"], record["reason"]) == ("completed", "normal")
    assert outcomes(record) == BOTH_ANSWERED
    await call.told("call.end")  # what the store has: a record may be a moment ahead of it
    assert rows(database, "SELECT count(*) FROM events WHERE type = 'call.end'") == [(1,)]


@pytest.fixture
async def receiver(story: Story) -> AsyncIterator[Receiver]:
    """Somebody who is told of events, on loopback."""
    tls = await asyncio.to_thread(certify, story.folder)
    receiver = await Receiver().start(tls)
    story.webhooks = Webhooks(Networks((ip_network("127.0.0.0/8"),)), ca_file=str(tls[0]))
    yield receiver
    await receiver.stop()


async def tell_to(story: Story, port: int, account: str) -> None:
    """Let events be sent to this port of loopback."""
    body = {"url": f"https://localhost:{port}/hooks"}
    status, _, text = await story.client.ask("POST", "/v1/webhook_endpoints", account, json=body)
    assert status == 201, text


async def test_a12_killed_when_the_end_is_recorded_and_not_told_it_is_told(
    story: Story, gate: Gate, receiver: Receiver
) -> None:
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk)
    number = story.destination(TALKS_BRIEFLY)
    way = await CuttableProxy.start(receiver.url("127.0.0.1"))
    port = int(way.url.rstrip("/").rpartition(":")[2])
    story.webhooks = Webhooks(story.webhooks.allow_subnets, ports=Ports((port,)), ca_file=story.webhooks.ca_file)
    service = await open_at(story, gate)
    await tell_to(story, port, alice.account_id)
    await way.cut()

    call = await story.place(alice, number)
    await story.ended(call)
    await kill(service, gate)
    assert receiver.got == []
    await way.mend()
    await story.start_process()
    await until(lambda: len(receiver.accepted) >= len(THE_STORY), "every event to arrive")

    told = [one.event for one in receiver.accepted]
    assert [event["type"] for event in told] == THE_STORY
    log = await call.events()
    assert [event["id"] for event in told] == [event["id"] for event in log if event["type"].startswith("call.")]
    await way.cut()


async def test_a13_killed_when_the_end_is_told_and_that_is_not_noted_it_is_told_again_under_the_same_id(
    story: Story, gate: Gate, receiver: Receiver
) -> None:
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk)
    number = story.destination(TALKS_BRIEFLY)
    story.webhooks = Webhooks(
        story.webhooks.allow_subnets, ports=Ports((receiver.port,)), ca_file=story.webhooks.ca_file
    )
    service = await open_at(story, gate)
    await tell_to(story, receiver.port, alice.account_id)
    ends: list[tuple[str, Any]] = []

    async def keeps_the_answer_back(request: web.Request) -> web.StreamResponse:
        event = json.loads(await request.read())
        if event["type"] == "call.end":
            ends.append((request.headers["webhook-id"], event))
            if len(ends) == 1:
                await asyncio.sleep(60)
        return web.Response()

    receiver.behave = keeps_the_answer_back
    call = await story.place(alice, number)
    await until(lambda: len(ends) == 1, "the end to be told")
    await story.ended(call)
    await kill(service, gate)
    await story.start_process()
    await until(lambda: len(ends) == 2, "the end to be told again")

    assert ends[0] == ends[1]
