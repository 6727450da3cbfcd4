"""docs/events.md is true: for each way in which a call can go, its table has the events that really come, in their order.

All ways are gone at the same time, on a real Asterisk, while one client follows the stream. What does not fit is printed as it
should stand there.
"""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from c2c_stasis.call.model import Reason
from c2c_stasis.directory.model import User
from c2c_stasis.lab.phone import Phone, Script
from tests.live.client import PlacedCall, Record
from tests.live.story import Story
from tests.live.town import Town
from tests.streams import Reader

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/events.md"

RINGS, ANSWERS = Script(ring_after=0.05), Script(ring_after=0.05, answer_after=0.5)
TALKS = Script(ring_after=0.05, answer_after=0.5, hang_up_after=0.5)
COLLEAGUES = {"1098": (TALKS, RINGS), "1099": ()}
"""Extensions, and the phones of who has them."""
# Nobody can bring these about with a phone: Asterisk or the service goes away, or our own code fails.
OF_MACHINES = {reason.value for reason in (Reason.SWITCH_LOST, Reason.SERVICE_RESTARTED, Reason.INTERNAL_ERROR)}

Then = Callable[[Story, "Way", PlacedCall], Awaitable[None]]


@dataclass
class Way:
    """One way in which a call can go: what the user's phones do and the destination's, and what else happens."""

    what: str
    phones: tuple[Script | None, ...]
    """None: a phone that is registered and says nothing."""
    destination: Script = TALKS
    number: str = ""
    """What is dialled, if not a number of its own."""
    then: Then | None = None
    desk: Phone | None = None
    call: PlacedCall | None = None


async def cancel_when_it_rings(_story: Story, way: Way, call: PlacedCall) -> None:
    await call.told("leg.ringing", "leg.created", "leg.created")
    await call.cancel()


async def cancel_while_the_destination_rings(_story: Story, way: Way, call: PlacedCall) -> None:
    await call.told("leg.ringing", "leg.ringing", "leg.bridged")
    await call.cancel()


async def cancel_while_they_talk(_story: Story, way: Way, call: PlacedCall) -> None:
    await call.told("call.answered")
    await call.cancel()


def rejects(status: int, *, rings: bool) -> Script:
    return Script(ring_after=0.05 if rings else None, reject=status, reject_after=0.3)


WAYS = [
    Way("the destination hangs up", (ANSWERS,)),
    Way("the user hangs up", (Script(ring_after=0.05, answer_after=0.5, hang_up_after=2.0),), ANSWERS),
    Way("`DELETE` while they talk", (ANSWERS,), ANSWERS, then=cancel_while_they_talk),
    Way("of two phones of the user one answers", (ANSWERS, RINGS)),
    Way("the carrier sends early media", (ANSWERS,), Script(progress_after=0.05, answer_after=0.5, hang_up_after=0.5)),
    Way("a colleague with two phones is called by extension", (ANSWERS,), number="1098"),
    Way("an emergency number", (ANSWERS,), number="911"),
    Way("no phone of the user answers", (RINGS,)),
    Way("every phone of the user declines", (rejects(603, rings=True),)),
    Way("no phone of the user is registered", ()),
    Way("the colleague who is called by extension has no phone", (ANSWERS,), number="1099"),
    Way("the user's phone is registered and silent", (None,)),
    Way("the destination does not answer", (ANSWERS,), RINGS),
    Way("the carrier says that nobody answers (480)", (ANSWERS,), rejects(480, rings=True)),
    Way("the destination is busy (486)", (ANSWERS,), rejects(486, rings=True)),
    Way("the destination declines (603)", (ANSWERS,), rejects(603, rings=True)),
    Way("there is no such number (404)", (ANSWERS,), rejects(404, rings=False)),
    Way("the carrier knows no way there (420)", (ANSWERS,), rejects(420, rings=False)),
    Way("the carrier has no line free (503)", (ANSWERS,), rejects(503, rings=False)),
    Way("the carrier fails (500)", (ANSWERS,), rejects(500, rings=False)),
    Way("`DELETE` while the user's phone rings", (RINGS,), then=cancel_when_it_rings),
    Way("`DELETE` while the destination rings", (ANSWERS,), RINGS, then=cancel_while_the_destination_rings),
    Way(
        "the user hangs up while the destination rings",
        (Script(ring_after=0.05, answer_after=0.5, hang_up_after=1.0),),
        RINGS,
    ),
    Way("they talk for as long as they may", (ANSWERS,), ANSWERS),
    Way("the user's phone sends no sound any more", (Script(ring_after=0.05, answer_after=0.5, media=False),), ANSWERS),
]


@pytest.fixture(scope="module")
async def town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """An Asterisk that takes a silent phone for lost after two seconds and not after sixty."""
    etc = tmp_path_factory.mktemp("patience") / "etc"
    shutil.copytree(ROOT / "asterisk/etc", etc)
    file = etc / "pjsip.conf"
    text = file.read_text()
    assert text.count("rtp_timeout = 60") == 1
    file.write_text(text.replace("rtp_timeout = 60", "rtp_timeout = 2"))
    town = await Town.build(tmp_path_factory.mktemp("town"), etc)
    yield town
    await town.close()


async def test_every_way_of_a_call_tells_the_events_of_the_table(story: Story) -> None:
    users: list[tuple[Way, User, str]] = []
    for at, way in enumerate(WAYS):
        phones = [await story.phone(script or RINGS) for script in way.phones]
        devices: list[Phone | str] = [*phones] or [story.absent_device()]
        user = await story.user(*devices, name=f"User {at}")
        if way.phones == (None,):
            way.desk = phones[0]
        if way.number in COLLEAGUES:
            theirs = [await story.phone(script) for script in COLLEAGUES[way.number]]
            colleague = await story.user(*theirs, *([] if theirs else [story.absent_device()]), name="Colleague")
            await story.store.create_extension(user.account_id, way.number, colleague.id)
            users.append((way, user, way.number))
        else:
            users.append((way, user, story.destination(way.destination, way.number or None)))
    await story.open(ring_timeout=4.0, answer_timeout=4.0, max_duration=5.0)
    for way in WAYS:
        if way.desk is not None:
            way.desk.die()
    account = users[0][1].account_id
    headers = {"Authorization": f"Bearer {story.client.key}", "DialStack-Account": account}
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as http,
        http.get(f"{story.client.url}/v1/events?types=*", headers=headers) as response,
    ):
        stream = Reader(response)
        first = await stream.next()
        assert first is not None
        assert first.name == "connected"
        ends = asyncio.create_task(until_all_ended(stream, len(WAYS)))
        await asyncio.gather(*(go(story, way, user, number) for way, user, number in users))
        told = await ends

    found = {}
    for way in WAYS:
        assert way.call is not None
        events = [one for one in told if one["data"]["call_id"] == way.call.id]
        assert events == await way.call.events()
        found[way.what] = row(way.what, events)
    drawn = "\n".join(found.values())
    assert rows_of_page() == found, f"docs/events.md should say\n\n{drawn}\n"


def test_the_table_has_every_reason_that_a_phone_or_a_caller_can_bring_about() -> None:
    gone = {line.split("`")[1] for line in rows_of_page().values()}
    assert gone == {reason.value for reason in Reason} - OF_MACHINES
    told = re.findall(r"^\| `(\w+)` \|", PAGE.read_text(), re.MULTILINE)
    assert set(told) - gone == OF_MACHINES


async def go(story: Story, way: Way, user: User, number: str) -> None:
    """Go one way to its end."""
    way.call = await story.place(user, number)
    if way.then is not None:
        await way.then(story, way, way.call)
    await way.call.ended(30.0)


async def until_all_ended(stream: Reader, calls: int) -> list[Record]:
    """What a client hears until so many calls have ended; every event once, in the order of the numbers."""
    events: list[Record] = []
    numbers: list[int | None] = []
    while sum(event["type"] == "call.end" for event in events) < calls:
        frame = await stream.next(within=30.0)
        assert frame is not None
        numbers.append(frame.id)
        events.append(frame.data)
    assert numbers == list(range(1, len(numbers) + 1))
    return events


def row(what: str, events: list[Record]) -> str:
    """One line of the table."""
    of_call = " ".join(f"`{event['type']}`" for event in events if event["type"].startswith("call."))
    end = next(event["data"] for event in events if event["type"] == "call.end")
    sides = {"a": list[str](), "b": list[str]()}
    legs = dict.fromkeys(event["data"]["leg"]["id"] for event in events if "leg" in event["data"])
    for leg in sorted(legs):
        steps = [step(event) for event in events if event["data"].get("leg", {}).get("id") == leg]
        sides[leg.rpartition(".")[2][0]].append(" ".join(steps))
    near, far = ("; ".join(sides[side]) or "–" for side in sides)
    return f"| `{end['reason']}` | {what} | {of_call} | {near} | {far} | {end['outcome']} |"


def step(event: Record) -> str:
    name = str(event["type"].removeprefix("leg."))
    return f"{name}: {event['data']['leg']['outcome']}" if name == "ended" else name


def rows_of_page() -> dict[str, str]:
    """The table as it stands, by what happens."""
    lines = [line for line in PAGE.read_text().splitlines() if re.match(r"\| `\w+` \| .* \| `call\.", line)]
    return {line.split(" | ")[1]: line for line in lines}
