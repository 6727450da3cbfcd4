"""Phones that are made over the API: they register with what the answer said, ring, and are gone when they are deleted."""

import asyncio
import json
import logging
import os
import shutil
import signal
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
import pytest_asyncio

from c2c_stasis.app import App
from c2c_stasis.ari.connection import Connection
from c2c_stasis.config import Ari, Config, Database
from c2c_stasis.directory.model import User
from c2c_stasis.directory.sip_account import Registrant, SipAccount, new_account, new_username
from c2c_stasis.lab.asterisk import Asterisk
from c2c_stasis.lab.configuration import shipped
from c2c_stasis.lab.obtain import obtain
from c2c_stasis.lab.phone import RINGS, Phone, RegistrationRefused, Script
from tests.contract.benches import Ear
from tests.live.client import Client, Record, leg
from tests.live.meddler import Asked, Meddler, Meddling
from tests.live.story import ANSWERS_SOON, TALKS_BRIEFLY, Story
from tests.live.waiting import eventually, until

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]  # the first run on a machine fetches 80 MB

OBJECTS = ("endpoint", "auth", "aor")
OBJECTS_AT = "asterisk/config/dynamic/res_pjsip/"
REQUEST_TIMEOUT = Ari("").request_timeout
PHONES = 200  # where there is no place for any


class Desk:
    """A provisioned device of Alice, and the way to Asterisk's own idea of it."""

    def __init__(self, story: Story, user: User, record: Record) -> None:
        self.story = story
        self.user = user
        self.record = record
        self.path = f"/v1/users/{user.id}/endpoints/{record['id']}"
        self.name: str = record["sip"]["username"]
        self.password: str = record["sip"]["password"]

    @classmethod
    async def make(cls, story: Story, user: User) -> "Desk":
        """Create it by API."""
        return cls(story, user, await asked(story.client, "POST", f"/v1/users/{user.id}/endpoints", user, name="Desk"))

    async def show(self) -> Record:
        """Its record as it is now."""
        return await asked(self.story.client, "GET", self.path, self.user)

    async def reset(self) -> None:
        """Give it another password."""
        record = await asked(self.story.client, "POST", f"{self.path}/reset_password", self.user)
        self.password = record["sip"]["password"]

    async def delete(self) -> None:
        """Delete it by API."""
        assert await self.story.client.ask("DELETE", self.path, self.user.account_id) == (204, "", "")

    async def phone(self, script: Script = RINGS, password: str | None = None) -> Phone:
        """A phone that registers with what the API said. Raises `RegistrationRefused`."""
        server = self.story.town.asterisk.sip_address
        phone = await Phone.start(self.name, server=server, password=password or self.password, script=script)
        self.story.phones.append(phone)
        return phone

    async def until(self, status: str, contacts: int = 1) -> Record:
        """Its record once it is online or offline in so many places."""
        return await eventually(
            self.show,
            lambda record: record["status"] == status and len(record["contacts"]) == contacts,
            f"{self.name} to be {status}",
        )

    async def rings(self, *phones: Phone) -> Record:
        """The record of a call that is placed and answered; every one of these phones must have rung."""
        before = [len(phone.calls) for phone in phones]
        call = await self.story.place(self.user, self.story.destination(TALKS_BRIEFLY))
        record = await self.story.ended(call)
        assert record["outcome"] == "completed"
        assert [len(phone.calls) - count for phone, count in zip(phones, before, strict=True)] == [1] * len(phones)
        return record

    async def objects(self) -> dict[str, dict[str, str] | None]:
        """What Asterisk has of it."""
        return {kind: await self.ask_asterisk("GET", kind) for kind in OBJECTS}

    async def ask_asterisk(self, method: str, kind: str, **fields: str) -> dict[str, str] | None:
        """Read, change or remove one object behind the service's back."""
        asterisk = self.story.town.asterisk
        url = f"{asterisk.ari_url}/asterisk/config/dynamic/res_pjsip/{kind}/{quote(self.name)}"
        body = {"fields": [{"attribute": name, "value": value} for name, value in fields.items()]} if fields else None
        login = aiohttp.encode_basic_auth(asterisk.ari_username, asterisk.ari_password)
        async with (
            aiohttp.ClientSession(headers={"Authorization": login}) as http,
            http.request(method, url, json=body) as answer,
        ):
            if answer.status in (204, 404):
                return None
            assert answer.status == 200, await answer.text()
            return {row["attribute"]: row["value"] for row in await answer.json()}


async def asked(client: Client, method: str, path: str, user: User, **fields: object) -> Record:
    """The answer to a request, which must succeed."""
    options: dict[str, Any] = {"json": fields} if fields else {}
    status, _, text = await client.ask(method, path, user.account_id, **options)
    assert status in (200, 201), text
    record: Record = json.loads(text)
    return record


@pytest_asyncio.fixture(loop_scope="session")
async def meddler(story: Story) -> AsyncIterator[Meddler]:
    """What can lose single requests to Asterisk."""
    meddler = await Meddler.start(story.town.asterisk.http_url)
    yield meddler
    await story.until_asterisk_is_empty()  # the last request of a call comes after its end is told
    await meddler.stop()


async def refused(desk: Desk, password: str | None = None) -> int | None:
    """The status with which a registration is refused."""
    with pytest.raises(RegistrationRefused) as refusal:
        await desk.phone(password=password)
    return refusal.value.status


async def opened(story: Story) -> Desk:
    """A running service, and a device that was made over its API."""
    alice = await story.user()
    await story.open()
    return await Desk.make(story, alice)


# --- a life ---


async def test_a_phone_that_was_made_over_the_api_registers_rings_and_answers(story: Story) -> None:
    desk = await opened(story)
    assert (desk.record["provisioning"], desk.record["status"]) == ("done", "offline")

    phone = await desk.phone(ANSWERS_SOON)
    online = await desk.until("online")
    record = await desk.rings(phone)

    assert leg(record, "a1")["device"] == desk.name
    assert record["endpoint"] == desk.record["id"]
    assert online["contacts"][0]["uri"] == phone.uri
    assert online["sip"] == {
        "username": desk.name,
        "domain": "127.0.0.1",
        "port": None,
        "transport": "udp",
        "uri": f"sip:{desk.name}@127.0.0.1",
        "websocket_url": None,
    }
    assert "setup" not in online


async def test_registered_in_two_places_both_ring(story: Story) -> None:
    desk = await opened(story)
    first, second = await desk.phone(ANSWERS_SOON), await desk.phone(RINGS)
    await desk.until("online", 2)

    await desk.rings(first, second)


async def test_a_wrong_password_is_refused(story: Story) -> None:
    desk = await opened(story)

    assert await refused(desk, "wrong") == 401
    assert await refused(desk, SipAccount(desk.name, desk.password).ha1) == 401


async def test_what_a_phone_dials_by_itself_leads_nowhere(story: Story) -> None:
    desk = await opened(story)
    phone = await desk.phone()

    placed = phone.dial("1001")

    await phone.wait_for(lambda: not placed.live, "the end")
    assert placed.final_status == 404


async def test_with_another_password_the_old_one_and_its_registration_end_at_once(story: Story) -> None:
    desk = await opened(story)
    old_password = desk.password
    phone = await desk.phone(ANSWERS_SOON)
    await desk.until("online")

    await desk.reset()

    assert desk.password != old_password
    await desk.until("offline", 0)
    assert await refused(desk, old_password) == 401
    with pytest.raises(RegistrationRefused):
        await phone.register()
    successor = await desk.phone(ANSWERS_SOON)
    await desk.until("online")
    await desk.rings(successor)
    assert phone.calls == []
    assert "password of a phone changed" in desk.story.journal.text()
    assert warnings_about(desk) == []


def warnings_about(desk: Desk) -> list[str]:
    """What was told of it that somebody might have to look at."""
    records = [record for record in desk.story.journal.records if record.levelno >= logging.WARNING]
    return [record.getMessage() for record in records if record.__dict__.get("endpoint") == desk.name]


async def test_a_change_of_password_that_is_cut_off_shuts_the_old_one_out_and_is_completed(
    story: Story, meddler: Meddler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("c2c_stasis.ari.provisioning.FIRST_RETRY", 1.0)
    alice = await story.user()
    await story.open(ari_url=meddler.url)
    desk = await Desk.make(story, alice)
    phones = [await desk.phone(), await desk.phone()]
    await desk.until("online", 2)
    old_password = desk.password
    lost: list[str] = []

    def once_each(asked: Asked) -> Meddling | None:
        if asked.method == "DELETE" and "/contact/" in asked.path and asked.path not in lost:
            lost.append(asked.path)
            return Meddling(500)
        return None

    meddler.meddle = once_each
    await desk.reset()

    assert lost
    assert (await desk.show())["provisioning"] == "pending"
    assert await refused(desk, old_password) is not None  # although the new one is not there yet
    assert await refused(desk) is not None
    await eventually(desk.show, lambda record: record["provisioning"] == "done", "the change", within=30.0)
    assert len(lost) == 2
    await desk.until("offline", 0)
    assert not any([phone.uri in await story.town.asterisk.cli("pjsip show contacts") for phone in phones])
    successor = await desk.phone(ANSWERS_SOON)
    await desk.until("online")
    await desk.rings(successor)
    await story.until_asterisk_is_empty()  # while the way there is open


async def test_deleted_it_can_no_longer_register_and_nothing_of_it_is_left(story: Story) -> None:
    desk = await opened(story)
    phone = await desk.phone(ANSWERS_SOON)
    await desk.until("online")

    await desk.delete()

    assert await desk.objects() == dict.fromkeys(OBJECTS)
    assert phone.uri not in await story.town.asterisk.cli("pjsip show contacts")
    assert warnings_about(desk) == []
    assert await refused(desk) in (401, 404)
    record = await story.ended(await story.place(desk.user, story.destination(TALKS_BRIEFLY)))
    assert record["reason"] == "no_device"
    assert phone.calls == []


async def test_with_its_user_it_goes_too(story: Story) -> None:
    desk = await opened(story)

    status, _, _ = await story.client.ask("DELETE", f"/v1/users/{desk.user.id}", desk.user.account_id)

    assert status == 204
    assert await desk.objects() == dict.fromkeys(OBJECTS)


# --- what goes wrong ---


async def test_an_asterisk_that_lost_its_state_gets_it_again(story: Story) -> None:
    desk = await opened(story)
    phone = await desk.phone(ANSWERS_SOON)
    await desk.until("online")
    await story.town.asterisk.kill()
    await story.until_cut_off()

    await story.town.restart_asterisk()

    await story.until_ready()
    assert (await desk.show())["provisioning"] == "done"
    await phone.register()
    await desk.until("online")
    await desk.rings(phone)


async def test_a_restarted_service_puts_right_what_was_altered_and_puts_back_what_is_missing(story: Story) -> None:
    alice = await story.user()
    process = await story.open_process()
    altered, robbed = await Desk.make(story, alice), await Desk.make(story, alice)
    before = await altered.objects(), await robbed.objects()
    await process.kill()
    intruder = SipAccount(altered.name, "known to an intruder")
    await altered.ask_asterisk("PUT", "auth", md5_cred=intruder.ha1)
    await altered.ask_asterisk("PUT", "endpoint", allow="!all,ulaw", context="default", allow_transfer="yes")
    await altered.ask_asterisk("PUT", "aor", max_contacts="0")
    for kind in OBJECTS:
        await robbed.ask_asterisk("DELETE", kind)

    await story.start_process()

    assert (await altered.objects(), await robbed.objects()) == before
    assert await refused(altered, intruder.password) == 401
    phones = [await altered.phone(ANSWERS_SOON), await robbed.phone(RINGS)]
    await altered.until("online")
    await robbed.until("online")
    await altered.rings(*phones)


async def test_asterisk_reports_every_phone_whose_endpoint_was_put_right(story: Story) -> None:
    alice = await story.user()
    process = await story.open_process()
    desks = [await Desk.make(story, alice) for _ in range(8)]
    await process.kill()
    for desk in desks:
        await desk.ask_asterisk("PUT", "endpoint", context="default")

    await story.start_process()

    for desk in desks:
        await desk.phone()
    for desk in desks:
        await desk.until("online")


async def test_who_registered_with_an_intruders_password_is_registered_no_more(story: Story) -> None:
    alice = await story.user()
    process = await story.open_process()
    desk = await Desk.make(story, alice)
    await process.kill()
    intruder = SipAccount(desk.name, "known to an intruder")
    await desk.ask_asterisk("PUT", "auth", md5_cred=intruder.ha1)
    stranger = await desk.phone(password=intruder.password)

    await story.start_process()

    await desk.until("offline", 0)
    assert stranger.uri not in await story.town.asterisk.cli("pjsip show contacts")


async def test_what_is_made_and_deleted_while_asterisk_is_away_is_so_when_it_is_back(story: Story) -> None:
    alice = await story.user()
    proxy = await story.open_through_proxy()
    old = await Desk.make(story, alice)
    await proxy.cut()
    await story.until_cut_off()

    await old.delete()
    new = await Desk.make(story, alice)
    assert (new.record["provisioning"], new.record["status"]) == ("pending", "offline")
    assert await new.objects() == dict.fromkeys(OBJECTS)
    await proxy.mend()
    await story.until_ready()

    assert (await new.show())["provisioning"] == "done"
    assert await old.objects() == dict.fromkeys(OBJECTS)
    phone = await new.phone(ANSWERS_SOON)
    await new.until("online")
    await new.rings(phone)


async def test_a_deleted_phone_that_asterisk_brings_back_is_removed_again(story: Story) -> None:
    alice = await story.user()
    process = await story.open_process()
    desk = await Desk.make(story, alice)
    await desk.delete()
    await process.kill()
    account = SipAccount(desk.name, desk.password)
    await desk.ask_asterisk("PUT", "auth", auth_type="md5", username=desk.name, md5_cred=account.ha1)

    await story.start_process()

    assert await desk.objects() == dict.fromkeys(OBJECTS)


async def test_while_asterisk_hangs_a_device_is_made_within_the_time_of_one_request(story: Story) -> None:
    desk = await opened(story)
    asterisk = story.town.asterisk.pid
    assert asterisk is not None
    os.kill(asterisk, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        new = await Desk.make(story, desk.user)
        took = time.monotonic() - begun
    finally:
        os.kill(asterisk, signal.SIGCONT)

    assert new.record["provisioning"] == "pending"
    assert took < 1.5 * REQUEST_TIMEOUT
    await eventually(new.show, lambda record: record["provisioning"] == "done", "the phone to be there", within=30.0)
    phone = await new.phone(ANSWERS_SOON)
    await new.until("online")
    await new.rings(phone)


async def test_two_services_on_one_asterisk_leave_each_others_phones_alone(story: Story) -> None:
    alice = await story.user()
    database_url = await story.town.new_database(story.folder / "other.db")
    await story.open()
    desk = await Desk.make(story, alice)
    before = await desk.objects()
    async with App(neighbour(story.config(None), database_url)) as other:
        await eventually(other.service.readiness, lambda parts: parts["asterisk"] == "ok", "the other to connect")

        assert await desk.objects() == before
    phone = await desk.phone(ANSWERS_SOON)
    await desk.until("online")
    await desk.rings(phone)


def neighbour(config: Config, database_url: str) -> Config:
    """Another service on the same Asterisk."""
    return replace(config, ari=replace(config.ari, app="neighbour"), database=Database(database_url))


async def test_an_asterisk_without_a_place_for_phones_serves_all_else_and_takes_them_when_it_has_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    etc = tmp_path / "etc"
    await asyncio.to_thread(shutil.copytree, shipped(), etc)
    place = (etc / "sorcery.conf").read_text()
    (etc / "sorcery.conf").write_text("")
    phone = new_account(new_username())
    phones = {name: Registrant(phone.ha1) for name in (*(f"c2c-{number}" for number in range(PHONES)), phone.username)}
    async with await Asterisk.start(await obtain(), etc=etc) as asterisk:
        meddler = await Meddler.start(asterisk.http_url)
        connection = Connection(meddler.url, asterisk.ari_username, asterisk.ari_password, asterisk.app)
        await connection.provision(phones, [])
        running = asyncio.create_task(connection.run(Ear()))
        await until(lambda: connection.connected, "the connection")
        assert not connection.provisioned(phone.username)
        assert len([asked for asked in meddler.asked if asked.path.startswith(OBJECTS_AT)]) < PHONES / 2
        meddler.asked.clear()
        await connection.provision(phones, [])  # something else in the directory changed
        assert meddler.asked == []

        (asterisk.run_dir / "etc/sorcery.conf").write_text(place)
        await asterisk.restart()

        await until(lambda: connection.provisioned(phone.username), "the phone to be there")
        async with await Phone.start(
            phone.username, server=asterisk.sip_address, password=phone.password
        ) as registered:
            assert registered.registered
        running.cancel()
        await asyncio.wait({running})
        await meddler.stop()
    told = [record for record in caplog.records if "provisioned phone" in record.message]
    assert [(record.__dict__["hint"], record.__dict__["phones"]) for record in told] == [
        ("sorcery.conf gives them no place", PHONES + 1)
    ]


# --- secrets ---


@pytest.fixture
def everything_is_logged() -> Iterator[None]:
    """Every logger of the process writes all it has to say."""
    loggers = [logging.getLogger(), logging.getLogger("c2c_stasis")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    yield
    for logger, level in zip(loggers, before, strict=True):
        logger.setLevel(level)


@pytest.mark.usefixtures("everything_is_logged")
async def test_no_password_is_in_a_log_or_in_the_database(story: Story) -> None:
    story.journal.setLevel(logging.DEBUG)
    desk = await opened(story)
    phone = await desk.phone(ANSWERS_SOON)
    await desk.until("online")
    await desk.rings(phone)
    passwords = [desk.password]
    await desk.reset()
    passwords.append(desk.password)
    await refused(desk, "wrong")
    secrets = [*passwords, *(SipAccount(desk.name, password).ha1 for password in passwords)]

    log = story.journal.text() + story.town.asterisk.log_path.read_text()

    assert desk.name in log
    assert [secret for secret in secrets if secret in log] == []
    with closing(sqlite3.connect(story.folder / "story.db")) as connection:
        dump = "\n".join(connection.iterdump())
    assert desk.name in dump
    assert [password for password in passwords if password in dump] == []
