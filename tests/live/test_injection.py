"""Whatever a client writes as a number, a name or a device: the carrier is asked for `sip:[+0-9]+@…` or for nothing."""

import asyncio
import os
import re
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from c2c_stasis.directory.model import User
from c2c_stasis.lab.sip import SipMessage
from tests.live.nasty import PAYLOADS, corpus, made_up
from tests.live.story import ANSWERS_SOON, TALKS_BRIEFLY, Story

pytestmark = pytest.mark.live

MORE = int(os.environ.get("C2C_NASTY", "0"))
"""How many dial strings are made up beside the corpus; `C2C_NASTY=5000` is the long run."""
SEED = 7

DIALLED = re.compile(r"sip:[+0-9]+@127\.0\.0\.1:[0-9]+")
OF_AN_INVITE = {
    *(
        "Via",
        "From",
        "To",
        "Contact",
        "Call-ID",
        "CSeq",
        "Allow",
        "Supported",
        "Session-Expires",
        "Min-SE",
        "Max-Forwards",
    ),
    *("User-Agent", "Content-Type", "Content-Length", "P-Asserted-Identity", "Privacy", "Remote-Party-ID"),
}
HOSTILE_NAMES = (
    "Ann\r\nX-Evil: 1\r\nVia: SIP/2.0/UDP 127.0.0.1:EVIL",
    'Ann" <sip:666@127.0.0.1:EVIL>;x="',
    "Ann\\",
    "\x00\x1b[2J<>",
    "${CURL(http://127.0.0.1:EVIL)}",
)


class Evil:
    """A place that nobody may ever speak to: it hears every packet and every connection."""

    def __init__(self) -> None:
        self.heard: list[object] = []
        self.port = 0

    async def open(self) -> "Evil":
        """Listen, over UDP and over TCP at the same port."""
        loop = asyncio.get_running_loop()
        evil = self

        class Ear(asyncio.DatagramProtocol):
            def datagram_received(self, data: bytes, addr: object) -> None:
                evil.heard.append((addr, data))

        self._server = await asyncio.start_server(
            lambda _, writer: evil.heard.append(writer.get_extra_info("peername")), "127.0.0.1"
        )
        self.port = self._server.sockets[0].getsockname()[1]
        self._udp, _ = await loop.create_datagram_endpoint(Ear, ("127.0.0.1", self.port))
        return self

    async def close(self) -> None:
        """Hear no more."""
        self._udp.close()
        self._server.close()
        await self._server.wait_closed()


@pytest.fixture
async def evil() -> AsyncIterator[Evil]:
    evil = await Evil().open()
    yield evil
    await evil.close()


def names_of(invite: SipMessage) -> set[str]:
    return {name for name, _ in invite.headers}


@pytest.mark.timeout(60 + MORE // 10)
async def test_of_hundreds_of_nasty_dial_strings_only_numbers_reach_the_carrier(story: Story, evil: Evil) -> None:
    us, gb = await story.account("US"), await story.account("GB")
    callers = [await story.user(await story.phone(ANSWERS_SOON), account=us) for _ in range(8)]
    abroad = await story.user(await story.phone(ANSWERS_SOON), account=gb)
    numbers = (f"+1202{number:07d}" for number in range(2_000_000, 9_999_999))
    nasty = corpus(numbers, evil.port) | made_up(numbers, evil.port, MORE, SEED)
    for number in nasty.values():
        story.destination(TALKS_BRIEFLY, number)
    await story.open()
    accepted: set[str] = set()
    refusals: set[tuple[int, str]] = set()

    async def ask(user: User, dial_string: str) -> str:
        """The path of the call, if it is one."""
        body = {"user_id": user.id, "dial_string": dial_string}
        status, location, text = await story.client.ask("POST", "/v1/calls", user.account_id, json=body)
        if status != 202:
            refusals.add((status, re.findall(r'"code":"(\w+)"', text)[0]))
        return location if status == 202 else ""

    async def dial_all(user: User, mine: list[tuple[str, str]]) -> None:
        for text, number in mine:
            if location := await ask(user, text):
                accepted.add(number)
                await story.client.found(location, user.account_id).ended()

    entries = list(nasty.items())
    async with asyncio.TaskGroup() as group:
        for first, user in enumerate(callers):
            group.create_task(dial_all(user, entries[first :: len(callers)]))
    for text in nasty:
        assert await ask(abroad, text) == "", text  # North America is not at home there, whatever stands around it

    await story.until_phones_are_free()
    invites = [call.invite for call in story.town.carrier.calls]
    host, port = story.town.carrier.address
    assert [invite.request_uri for invite in invites if not DIALLED.fullmatch(invite.request_uri)] == []
    assert {invite.request_uri for invite in invites} == {f"sip:{number}@{host}:{port}" for number in accepted}
    assert {invite.to.uri for invite in invites} == {f"sip:{number}@{host}" for number in accepted}
    assert set().union(*map(names_of, invites)) <= OF_AN_INVITE
    assert evil.heard == []
    assert len(nasty) >= 500 + MORE
    assert len(accepted) >= 40  # written with brackets, dots, dashes and blanks, as people do
    assert refusals == {(400, "validation_error"), (403, "destination_not_allowed")}
    print(f"{2 * len(nasty)} dial strings, {len(accepted)} of them numbers; every Request-URI is one, seed {SEED}")


async def test_hostile_names_out_of_an_older_database_add_no_header_and_change_no_address(
    story: Story, evil: Evil
) -> None:
    """A name that came through the API has no control characters; these are put into the database by hand."""
    desks = [await story.phone(ANSWERS_SOON) for _ in HOSTILE_NAMES]
    account = await story.account()
    users = [await story.user(desk, account=account) for desk in desks]
    shown = [f"+1202444{index:04d}" for index in range(len(users))]
    for user, number in zip(users, shown, strict=True):
        kept = await story.store.create_phone_number(account.id, number, caller_id_name="Ann")
        await story.store.set_user_caller_number(account.id, user.id, kept.id)
    called = [story.destination(TALKS_BRIEFLY) for _ in users]
    await story.close_directory()
    with sqlite3.connect(Path(story.database_url.partition(":///")[2])) as database:
        for user, number, name in zip(users, shown, HOSTILE_NAMES, strict=True):
            hostile = name.replace("EVIL", str(evil.port))
            database.execute("UPDATE phone_numbers SET caller_id_name = ? WHERE number = ?", (hostile, number))
            database.execute("UPDATE users SET name = ? WHERE id = ?", (hostile, user.id))
    database.close()
    await story.open()
    for user, number in zip(users, called, strict=True):
        await (await story.place(user, number)).ended()

    for desk, number, from_number in zip(desks, called, shown, strict=True):
        (near,), (far,) = desk.calls, story.dialled(number)
        for invite in (near.invite, far.invite):
            assert names_of(invite) <= OF_AN_INVITE
            assert [name for name, _ in invite.headers].count("Via") == 1
            assert "evil" not in invite.from_.uri.lower()
            assert not re.search(r"[\x00-\x1f\x7f\\]", invite.from_.name)
        assert DIALLED.fullmatch(far.invite.request_uri)
        assert far.invite.from_.uri.startswith(f"sip:{from_number}@")
    assert evil.heard == []


async def test_no_device_has_a_name_that_is_more_than_a_name(story: Story) -> None:
    alice = await story.user()
    await story.open()
    path = f"/v1/users/{alice.id}/endpoints"
    made, refused = [], 0
    for payload in PAYLOADS:
        for name in ("d1" + payload, payload + "d1", payload):
            status, _, text = await story.client.ask("POST", path, alice.account_id, json={"endpoint": name})
            if status == 201:
                made.append(name)
            else:
                assert status in (400, 409), text
                refused += 1
    assert refused > 250
    assert [name for name in made if not re.fullmatch("[A-Za-z0-9_-]{1,64}", name)] == []
    assert "d1-" in made
