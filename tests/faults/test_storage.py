"""The database is locked, its disk is full, its file is damaged or gone, while people call.

What rings goes on ringing and is connected, who talks goes on talking, and whoever asks for a new call is told 503 before any
phone rings. When it is well again every call has its record, whole.

An ordinary user's full disk is one on which the kernel refuses the service every byte (`RLIMIT_FSIZE`); where a disk of its own
can be mounted, by root or under `unshare --user --map-root-user --mount`, that one is filled as well. A lock is held for as
long as the story needs; for ten seconds at least in `make faults`.
"""

import asyncio
import json
import os
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from c2c_stasis.config import Address, Config, Database, Http, Networks, Ports, Webhooks
from c2c_stasis.directory.model import User
from c2c_stasis.lab.phone import RINGS, Phone, PhoneCall, Script
from c2c_stasis.lab.ports import free_ports
from tests.faults.storage import Fault, FullDisk, Locked, NoMoreBytes, can_mount
from tests.live.client import COMPLETED_BY_DESTINATION, PlacedCall, ending
from tests.live.clinic import commanded
from tests.live.process import ServiceProcess
from tests.live.story import ANSWERS_SOON, TALKS_BRIEFLY, Story
from tests.live.waiting import eventually, until
from tests.publish.receiver import Receiver, certify
from tests.store.samples import rows
from tests.streams import Frame, Reader

pytestmark = pytest.mark.live

HELD = 10.0 if os.environ.get("C2C_FAULTS") else 0.0  # seconds at least that a fault lasts
WELL_WITHIN = 10.0  # seconds from the end of a fault until all is told; one or two are usual
KINDS = ["locked", "no more bytes", *(["full disk"] if can_mount() else [])]
SPEAKS = Script(ring_after=0.02, answer_after=0.1, tone_hz=1000)
SPEAKS_WHEN_ANSWERED = Script(ring_after=0.02, tone_hz=1000)
SPEAKS_LOWER = Script(ring_after=0.02, answer_after=0.1, tone_hz=700)
RINGS_LOWER = Script(ring_after=0.02, tone_hz=700)
THE_STORY = ["call.ringing", "call.initiated", "call.answered", "call.end"]
OUTAGE = "the database cannot be written"
ALARMS = {OUTAGE, "record delayed"}


@dataclass
class Person:
    """A user with a phone, who calls a number."""

    phone: Phone
    user: User
    number: str
    call: PlacedCall | None = None

    @property
    def placed(self) -> PlacedCall:
        """The call."""
        assert self.call is not None
        return self.call

    @property
    def near(self) -> PhoneCall:
        """The call at the phone."""
        (call,) = self.phone.calls
        assert isinstance(call, PhoneCall)
        return call


@dataclass
class Town:
    """People in every phase of a call, and two who follow: one is told by webhooks, one by the stream of events."""

    story: Story
    config: Config
    file: Path
    fault: Fault
    service: ServiceProcess
    receiver: Receiver
    rings: Person
    rings_on: Person
    dials: Person
    talks: Person
    talks_on: Person
    comes_late: Person
    frames: list[Frame] = field(default_factory=list)

    @property
    def callers(self) -> list[Person]:
        """Who has called before the fault."""
        return [self.rings, self.rings_on, self.dials, self.talks, self.talks_on]

    def far(self, person: Person) -> PhoneCall:
        """The call at the destination."""
        (call,) = self.story.dialled(person.number)
        return call

    async def until_in_every_phase(self) -> None:
        """Place the calls, and wait until each is where it shall be when the fault comes."""
        for person in self.callers:
            person.call = await self.story.place(person.user, person.number)
        for person, state in zip(
            self.callers, ["ringing_user", "ringing_user", "ringing_destination", "talking", "talking"], strict=True
        ):
            await person.placed.reached(state)
        for person in (self.rings, self.rings_on):
            await person.phone.next_call()
            await person.placed.told("leg.ringing")
        for person in (self.talks, self.talks_on):
            await person.placed.told("call.answered", "leg.bridged", "leg.bridged")
            await both_hear(person.near, self.far(person))


@pytest.fixture
async def receiver(story: Story) -> AsyncIterator[Receiver]:
    """Somebody who is told of events, on loopback."""
    tls = await asyncio.to_thread(certify, story.folder)
    receiver = await Receiver().start(tls)
    networks, ports = Networks((ip_network("127.0.0.0/8"),)), Ports((receiver.port,))
    story.webhooks = Webhooks(networks, ports=ports, ca_file=str(tls[0]))
    yield receiver
    await receiver.stop()


@pytest.fixture
def disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[FullDisk | None]:
    """A small disk, for those who want one."""
    if request.node.callspec.params["kind"] != "full disk":
        yield None
        return
    disk = FullDisk.mount(tmp_path / "disk")
    yield disk
    disk.unmount()


@pytest.fixture
async def people(story: Story, receiver: Receiver, kind: str, disk: FullDisk | None) -> AsyncIterator[Town]:
    """Everybody, and a service in its own process with its database where the fault will come."""
    scripts = [(SPEAKS_WHEN_ANSWERED, SPEAKS_LOWER) for _ in range(2)]
    scripts += [(SPEAKS, RINGS_LOWER), (SPEAKS, SPEAKS_LOWER), (SPEAKS, SPEAKS_LOWER), (ANSWERS_SOON, TALKS_BRIEFLY)]
    persons = []
    for near, far in scripts:
        phone = await story.phone(near)
        persons.append(Person(phone, await story.user(phone), story.destination(far)))
    file = story.folder / "story.db"
    await story.close_directory()
    if disk is not None:
        file = Path(shutil.copy(file, disk.folder))
    faults: dict[str, Fault | None] = {"locked": Locked(file), "no more bytes": NoMoreBytes(), "full disk": disk}
    fault = faults[kind]
    assert fault is not None
    config = replace(
        story.config(None, ring_timeout=60.0, answer_timeout=60.0, max_duration=300.0),
        http=Http(Address("127.0.0.1", free_ports().http)),
        database=Database(f"sqlite+aiosqlite:///{file}"),
    )
    config = replace(config, ari=replace(config.ari, log=str(story.folder / "ari")))
    service = await story.open_process(config)
    rings, rings_on, dials, talks, talks_on, comes_late = persons
    town = Town(story, config, file, fault, service, receiver, rings, rings_on, dials, talks, talks_on, comes_late)
    async with following(town):
        await tell_to(town)
        yield town
    await fault.end()


@asynccontextmanager
async def following(town: Town) -> AsyncIterator[None]:
    """Somebody reads the stream of events, from the beginning to the end."""
    client = town.story.client
    headers = {"Authorization": f"Bearer {client.key}", "DialStack-Account": town.talks.user.account_id}
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as http,
        http.get(f"{client.url}/v1/events", headers=headers) as response,
    ):
        reader = Reader(response, whole=False)

        async def read() -> None:
            while (frame := await reader.next(within=3600.0)) is not None:
                town.frames.append(frame)

        reading = asyncio.create_task(read())
        yield
        reading.cancel()
        await asyncio.wait({reading})


async def tell_to(town: Town) -> None:
    """Let events be sent to the receiver."""
    body = {"url": f"https://localhost:{town.receiver.port}/hooks"}
    account = town.talks.user.account_id
    status, _, text = await town.story.client.ask("POST", "/v1/webhook_endpoints", account, json=body)
    assert status == 201, text


async def both_hear(near: PhoneCall, far: PhoneCall, since: float | None = None) -> None:
    """Each hears the tone of the other."""
    await near.wait_tone(700, since=since)
    await far.wait_tone(1000, since=since)


async def asked(town: Town, person: Person) -> tuple[int, str | None, Any, float]:
    """Ask for a call; gives status, Retry-After, body, and the seconds that it took."""
    began, client = time.monotonic(), town.story.client
    headers = {"Authorization": f"Bearer {client.key}", "DialStack-Account": person.user.account_id}
    body = {"user_id": person.user.id, "dial_string": person.number}
    async with (
        aiohttp.ClientSession(headers=headers) as http,
        http.post(f"{client.url}/v1/calls", json=body) as answer,
    ):
        return answer.status, answer.headers.get("Retry-After"), await answer.json(), time.monotonic() - began


async def figure(town: Town, name: str) -> float:
    """One figure of the service."""
    _, _, text = await town.story.client.ask("GET", "/metrics")
    return next(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(f"{name} "))


async def doctors_codes(town: Town) -> list[str]:
    """What the doctor finds wrong with the database."""
    folder = town.story.folder / "doctor"
    folder.mkdir(exist_ok=True)
    _, output = await commanded("doctor", "--json", config=town.config, folder=folder)
    found = json.loads(output)["findings"]
    return [one["code"] for one in found if one.get("code") and one["check"] == "database"]


@pytest.mark.parametrize("kind", KINDS)
async def test_nobody_who_rings_or_talks_notices_a_database_that_cannot_be_written_and_every_record_is_whole_afterwards(
    people: Town, kind: str
) -> None:
    town, story = people, people.story
    await town.until_in_every_phase()
    began = time.monotonic()
    await town.fault.begin(town.service.pid)

    # New calls are refused, the first as soon as the database was waited for in vain, others at once.
    status, retry_after, body, first_took = await asked(town, town.comes_late)
    assert (status, retry_after, body["details"]["database"]) == (503, "1", "not writable")
    status, _, _, next_took = await asked(town, town.comes_late)
    assert status == 503

    # Who talks talks on, and can hang up.
    since = town.talks.phone.now()
    await both_hear(town.talks_on.near, town.far(town.talks_on), since)
    await town.far(town.talks).hang_up()
    await town.talks.near.wait_ended()

    # Who is rung answers, and is connected; and so is who waits for the destination.
    await town.rings.near.answer()
    far = await story.dialled_call(town.rings.number)
    await far.wait_answered()
    await both_hear(town.rings.near, far)
    await far.hang_up()
    await town.rings.near.wait_ended()
    await town.far(town.dials).answer()
    await both_hear(town.dials.near, town.far(town.dials))

    # The operator is told.
    assert not await story.client.ready()
    assert await figure(town, "c2c_store_failing") == 1.0
    codes = await doctors_codes(town)
    assert codes == [
        {"locked": "database_unusable", "full disk": "database_unusable"}.get(kind, "service_cannot_write")
    ]
    status, _, _, _ = await asked(town, town.comes_late)
    assert status == 503
    await asyncio.sleep(max(0.0, began + HELD - time.monotonic()))
    await town.fault.end()
    healed = time.monotonic()

    # All is told, once, and goes on as ever.
    await story.until_ready()
    well_after = time.monotonic() - healed
    assert town.comes_late.phone.calls == []
    for person in (town.rings, town.talks):
        await person.placed.ended(WELL_WITHIN)
    await town.talks_on.near.hang_up()
    await town.far(town.dials).hang_up()
    await town.rings_on.near.answer()
    await (await story.dialled_call(town.rings_on.number)).wait_answered()
    await town.rings_on.placed.reached("talking")
    await town.rings_on.near.hang_up()
    town.comes_late.call = await story.place(town.comes_late.user, town.comes_late.number)
    for person in (*town.callers, town.comes_late):
        await told_once(town, person)
    print(
        f"{kind}: {healed - began:.1f} s; refused after {first_took:.2f} s, then after {next_took:.3f} s;"
        f" ready {well_after:.2f} s after its end"
    )
    if kind == "no more bytes":  # its logs are in files too
        assert await figure(town, 'c2c_log_lines_lost_total{log="service"}') > 0
        assert await figure(town, 'c2c_log_lines_lost_total{log="ari"}') > 0
    else:
        (told,) = [line for line in town.service.lines() if line["message"] == OUTAGE]
        assert town.fault.said in told["reason"]
    assert set(town.service.alarms()) <= ALARMS
    story.expected_alarms = town.service.alarms()


async def told_once(town: Town, person: Person) -> None:
    """The record of a call is whole, each was dialled once, and both who follow were told all of it in order."""
    record = await person.placed.ended()
    await person.placed.told("call.end")
    log = await person.placed.events()
    theirs = [event["id"] for event in log if event["type"].startswith("call.")]
    assert [event["type"] for event in log if event["type"].startswith("call.")] == THE_STORY
    assert record["outcome"] == "completed"
    assert (len(person.phone.calls), len(town.story.dialled(person.number))) == (1, 1)
    state = rows(town.file, "SELECT state, outcome FROM calls WHERE id = ?", person.placed.id)
    assert state == [("ended", "completed")]

    async def streamed() -> list[str]:
        return [frame.name for frame in town.frames if person.placed.id.encode() in frame.body]

    def posted() -> list[str]:
        return [got.event_id for got in town.receiver.accepted if got.event_id in theirs]

    await eventually(streamed, lambda names: names == THE_STORY, "the stream to tell of every event, once")
    await until(lambda: set(posted()) == set(theirs), "every event to arrive by webhook")


async def test_an_emergency_call_is_dialled_though_nothing_can_be_written(story: Story) -> None:
    alice = await story.user(await story.phone(ANSWERS_SOON))
    number = story.destination(TALKS_BRIEFLY, "911")
    service = await story.open_process()
    fault = NoMoreBytes()
    await fault.begin(service.pid)
    try:
        call = await story.place(alice, number)
        far = await story.dialled_call(number)
        await far.wait_ended()
        assert rows(story.folder / "story.db", "SELECT count(*) FROM calls") == [(0,)]
    finally:
        await fault.end()
    await eventually(lambda: recorded(story), lambda states: states == [("ended",)], "its record")
    record = await story.ended(call)

    assert ending(record) == COMPLETED_BY_DESTINATION
    assert len(story.dialled(number)) == 1
    story.expected_alarms = service.alarms()


async def recorded(story: Story) -> list[tuple[str]]:
    """The states of all calls in the database."""
    return rows(story.folder / "story.db", "SELECT state FROM calls ORDER BY id")


async def test_killed_while_nothing_can_be_written_a_live_call_goes_on_and_one_that_is_over_has_one_end(
    story: Story,
) -> None:
    desk, other = await story.phone(RINGS), await story.phone(RINGS)
    alice, bob = await story.user(desk), await story.user(other, name="Bob")
    lives, ends = story.destination(RINGS), story.destination(TALKS_BRIEFLY)
    service = await story.open_process(ring_timeout=60.0, answer_timeout=60.0, max_duration=300.0)
    call, over = await story.place(alice, lives), await story.place(bob, ends)
    for phone, placed in ((desk, call), (other, over)):
        await phone.next_call()
        await placed.told("leg.ringing")
    fault = Locked(story.folder / "story.db")
    await fault.begin(service.pid)
    try:
        for phone in (desk, other):
            (near,) = phone.calls
            assert isinstance(near, PhoneCall)
            await near.answer()
        far = await story.dialled_call(lives)
        await far.wait_ringing()
        await (await story.dialled_call(ends)).wait_ended()
        await other.calls[0].wait_ended()
        await service.kill()
    finally:
        await fault.end()
    assert await recorded(story) == [("ringing_user",), ("ringing_user",)]
    assert far.live
    await story.start_process()
    await far.answer()
    await call.reached("talking")
    await far.hang_up()
    record, lost = await story.ended(call), await story.ended(over)

    assert ending(record) == COMPLETED_BY_DESTINATION
    assert (lost["outcome"], lost["ended_at_estimated"]) == ("no_answer", True)  # for all that was recorded, it rang
    assert [len(desk.calls), len(other.calls), len(story.dialled(lives)), len(story.dialled(ends))] == [1, 1, 1, 1]
    story.expected_alarms = service.alarms()
    assert set(story.expected_alarms) <= ALARMS


async def test_a_file_that_is_gone_takes_no_new_calls_and_back_in_its_place_has_every_record(story: Story) -> None:
    desk, other = await story.phone(ANSWERS_SOON), await story.phone(ANSWERS_SOON)
    alice, bob = await story.user(desk), await story.user(other, name="Bob")
    number, refused = story.destination(ANSWERS_SOON), story.destination(TALKS_BRIEFLY)
    service = await story.open_process()
    call = await story.place(alice, number)
    await call.reached("talking")
    file = story.folder / "story.db"
    away = file.rename(file.with_suffix(".away"))
    body = {"user_id": bob.id, "dial_string": refused}
    status, _, _ = await story.client.ask("POST", "/v1/calls", bob.account_id, json=body)
    assert status == 503

    def alarm() -> list[tuple[str, str]]:
        return [(line["message"], line["reason"]) for line in service.lines() if line["level"] == "critical"]

    await until(lambda: alarm() == [(OUTAGE, f"{file}: the database file is gone")], "the alarm")
    await (await story.dialled_call(number)).hang_up()
    await desk.calls[0].wait_ended()
    away.rename(file)
    await story.until_ready()
    record = await story.ended(call)
    await call.told("call.end")

    assert ending(record) == COMPLETED_BY_DESTINATION
    assert other.calls == []
    await story.ended(await story.place(bob, refused))
    story.expected_alarms = service.alarms()
