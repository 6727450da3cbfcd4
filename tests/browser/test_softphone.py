"""A page is the phone of its user: it registers over Asterisk's websocket, rings, answers, speaks and hears."""

import json
import time
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser

from c2c_stasis.config import Address, Http, Sip
from c2c_stasis.config.sections.network import parse_origins
from c2c_stasis.directory.model import User
from c2c_stasis.lab.phone import Script
from tests.browser.page_phone import MICROPHONE_HZ, PagePhone, PageServer
from tests.live.client import COMPLETED_BY_USER, PlacedCall, Record, ending, leg
from tests.live.story import ANSWERS_SOON, Story
from tests.live.town import Town
from tests.live.waiting import eventually

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]  # the first run on a machine fetches 80 MB

CARRIER_HZ = 1004.0
WITHIN = 30.0  # seconds
FIFTH = 15.0  # Hz that a peak may be beside the tone: two places of the analyser
TALKS = Script(ring_after=0.1, answer_after=0.5, tone_hz=CARRIER_HZ)
RINGS_FOR = 60.0  # seconds: longer than a click takes on a machine that stalls


class Desk:
    """Alice's page, and the service that it is a phone of."""

    def __init__(self, story: Story, user: User, server: PageServer, phone: PagePhone) -> None:
        self.story = story
        self.user = user
        self.server = server
        self.phone = phone
        self.device: Record = {}

    async def open(self) -> None:
        """Start the service, give Alice a browser, and let the page register."""
        await self.story.open(ring_timeout=RINGS_FOR, answer_timeout=RINGS_FOR)
        await self.begin()

    async def begin(self) -> None:
        """Give Alice a browser, and let the page register."""
        self.server.service, self.server.client = self.story.client.url, self.story.client
        self.device = await self.made()
        await self.phone.open(self.server.url)
        await self.until("online")

    async def made(self) -> Record:
        """A browser of Alice."""
        path = f"/v1/users/{self.user.id}/endpoints"
        status, _, text = await self.story.client.ask("POST", path, self.user.account_id, json={"type": "browser"})
        assert status == 201, text
        device: Record = json.loads(text)
        return device

    async def shown(self) -> Record:
        """The device as the API shows it."""
        path = f"/v1/users/{self.user.id}/endpoints/{self.device['id']}"
        record: Record = await self.story.client.get(path, self.user.account_id)
        return record

    async def until(self, status: str) -> Record:
        """The device, once it is online or offline."""
        return await eventually(self.shown, lambda device: device["status"] == status, f"to be {status}", WITHIN)

    async def rings(self, number: str) -> PlacedCall:
        """A call of Alice that rings in the page."""
        call = await self.story.place(self.user, number)
        await self.phone.until("ringing")
        return call

    async def hears(self, hz: float) -> None:
        """Wait until the page plays this tone."""
        await eventually(self.phone.hears, lambda peak: abs(peak - hz) < FIFTH, f"{hz} Hz in the page", WITHIN)


@pytest.fixture
async def desk(story: Story, town: Town, browser_with_microphone: Browser) -> AsyncIterator[Desk]:
    """Alice, whose browser is not registered yet."""
    websocket = town.asterisk.websocket_url
    server = PageServer(websocket)
    await server.start()
    story.sip = Sip(websocket_url=websocket)
    story.http = Http(Address("127.0.0.1", 0), cors_origins=parse_origins(server.url))
    alice = await story.user(name="Alice")
    server.user_id, server.account = alice.id, alice.account_id
    context = await browser_with_microphone.new_context()
    page = await context.new_page()
    yield Desk(story, alice, server, PagePhone(page))
    await context.close()
    await server.stop()


async def test_the_page_rings_and_answers_and_each_side_hears_the_other(desk: Desk) -> None:
    story = desk.story
    number = story.destination(TALKS)
    await desk.open()

    call = await desk.rings(number)
    assert await desk.phone.text() == f"Incoming call {number}"
    await desk.phone.click("Answer")
    await desk.phone.until("talking")

    far = await story.dialled_call(number, WITHIN)
    await far.wait_answered(WITHIN)
    await desk.hears(CARRIER_HZ)
    await far.wait_tone(MICROPHONE_HZ, WITHIN)
    await desk.phone.click("Hang up")
    record = await story.ended(call, WITHIN)
    assert ending(record) == COMPLETED_BY_USER
    assert await desk.phone.text() == f"Call ended {number}"
    assert desk.phone.said == []


async def test_a_muted_page_is_not_heard_and_hears(desk: Desk) -> None:
    story = desk.story
    number = story.destination(TALKS)
    await desk.open()
    call = await desk.rings(number)
    await desk.phone.click("Answer")
    far = await story.dialled_call(number, WITHIN)
    await far.wait_tone(MICROPHONE_HZ, WITHIN)

    await desk.phone.click("Mute")
    assert (await desk.phone.standing())["muted"] is True

    async def quiet() -> float:
        return far.heard(MICROPHONE_HZ, time.monotonic() - 1.0)

    await eventually(quiet, lambda seconds: seconds == 0.0, "a second of silence", WITHIN)
    await desk.hears(CARRIER_HZ)
    muted = time.monotonic()
    await desk.phone.click("Mute")
    await far.wait_tone(MICROPHONE_HZ, WITHIN, since=muted)
    await desk.phone.click("Hang up")
    await story.ended(call, WITHIN)


async def test_who_declines_is_asked_no_more(desk: Desk) -> None:
    number = desk.story.destination(TALKS)
    await desk.open()

    call = await desk.rings(number)
    await desk.phone.click("Decline")

    record = await desk.story.ended(call, WITHIN)
    assert (record["outcome"], record["reason"]) == ("rejected", "user_rejected")
    assert await desk.phone.text() == f"Call declined {number}"
    assert desk.story.dialled(number) == []


async def test_a_call_that_is_cancelled_rings_no_more(desk: Desk) -> None:
    number = desk.story.destination(TALKS)
    await desk.open()

    call = await desk.rings(number)
    status, _, _ = await desk.story.client.ask("DELETE", call.location, desk.user.account_id)
    assert status == 204

    await desk.phone.until("ended")
    assert await desk.phone.text() == f"Missed call {number}"
    assert (await desk.story.ended(call, WITHIN))["outcome"] == "cancelled"


async def test_a_call_that_another_phone_took_is_no_missed_one(desk: Desk) -> None:
    story = desk.story
    other = await story.phone(Script(ring_after=0.02))
    await story.store.create_device(desk.user.account_id, desk.user.id, other.name)
    number = story.destination(ANSWERS_SOON)
    await desk.open()

    call = await desk.rings(number)
    await other.wait_for(lambda: bool(other.calls), "the other phone to ring", WITHIN)
    await other.calls[0].answer()

    await desk.phone.until("ended")
    assert await desk.phone.text() == f"Answered on another phone {number}"
    far = await story.dialled_call(number, WITHIN)
    await far.wait_answered(WITHIN)
    await other.calls[0].hang_up()
    record = await story.ended(call, WITHIN)
    assert sorted(leg(record, name)["outcome"] for name in ("a1", "a2")) == ["answered", "answered_elsewhere"]


async def test_the_sound_stays_while_the_service_is_started_again(desk: Desk) -> None:
    story = desk.story
    number = story.destination(TALKS)
    process = await story.open_process(ring_timeout=RINGS_FOR, answer_timeout=RINGS_FOR)
    await desk.begin()
    call = await desk.rings(number)
    await desk.phone.click("Answer")
    far = await story.dialled_call(number, WITHIN)
    await far.wait_tone(MICROPHONE_HZ, WITHIN)

    await process.kill()
    killed = time.monotonic()
    await far.wait_tone(MICROPHONE_HZ, WITHIN, since=killed)
    await desk.hears(CARRIER_HZ)
    await story.start_process()
    back = time.monotonic()

    await far.wait_tone(MICROPHONE_HZ, WITHIN, since=back)
    await desk.hears(CARRIER_HZ)
    await desk.phone.click("Hang up")
    assert ending(await story.ended(call, WITHIN)) == COMPLETED_BY_USER


async def test_a_page_that_is_loaded_again_is_the_phone_again_and_one_that_is_left_is_none(desk: Desk) -> None:
    number = desk.story.destination(TALKS)
    await desk.open()
    before = (await desk.shown())["contacts"]

    await desk.phone.page.reload()
    await desk.phone.until("ready")
    after = (await desk.until("online"))["contacts"]
    assert len(after) == 1
    assert after != before
    call = await desk.rings(number)
    await desk.phone.click("Decline")
    await desk.story.ended(call, WITHIN)

    assert await desk.phone.page.evaluate("() => localStorage.length + sessionStorage.length") == 0
    await desk.phone.page.goto("about:blank")
    await desk.until("offline")


async def test_the_newest_page_is_the_phone_and_the_other_says_so(desk: Desk) -> None:
    await desk.open()
    newer = PagePhone(await desk.phone.page.context.new_page())

    await newer.open(desk.server.url)
    await desk.phone.until("replaced")
    assert await desk.phone.text() == "The phone is open in another page"
    assert len((await desk.until("online"))["contacts"]) == 1

    await desk.phone.click("Use here")
    await desk.phone.until("ready")
    await newer.until("replaced")


async def test_a_page_registers_again_when_asterisk_is_back(desk: Desk, town: Town) -> None:
    await desk.open()

    await town.asterisk.restart()

    await desk.story.until_ready()
    await desk.phone.until("ready")

    async def online() -> bool:
        return bool((await desk.phone.standing())["online"])

    await eventually(online, bool, "the page to be registered", WITHIN * 2)
    await desk.until("online")
    assert "altered phone" not in desk.story.journal.text()  # Asterisk gives back what it was given
