"""docs/operations.md holds: its snippets are put into an Asterisk that serves others already, and calls are placed there.

That Asterisk has the files of FreePBX in so far as they include one another; FreePBX itself is not here.
"""

import asyncio
import csv
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from c2c_stasis.lab.asterisk import Asterisk
from c2c_stasis.lab.configuration import shipped
from c2c_stasis.lab.phone import RINGS, Phone, Script
from tests.live.client import COMPLETED_BY_DESTINATION, Record, ending
from tests.live.story import ANSWERS_SOON, TALKS_BRIEFLY, Story
from tests.live.town import Town
from tests.live.waiting import eventually

pytestmark = pytest.mark.live

README = Path(__file__).parents[2] / "README.md"
DOCUMENT = Path(__file__).parents[2] / "docs/operations.md"
CALLER = "+12025550142"
IS_BUSY = Script(ring_after=0.02, reject=486, reject_after=0.1)

# What FreePBX writes anew, and what of it includes files of the operator (read in its sources).
GENERATED = {
    "ari.conf": "[general]\n#include ari_general_additional.conf\n#include ari_general_custom.conf\n\n"
    "#include ari_additional.conf\n#include ari_additional_custom.conf\n",
    "ari_general_additional.conf": "enabled=yes\npretty=no\nallowed_origins=localhost:8088\n",
    "ari_additional.conf": "[freepbxuser]\ntype=user\n#include ari-password.conf\nread_only=no\n",
    "cdr.conf": "[general]\nenable=yes\n\n[csv]\nloguniqueid=yes\n",
    "indications.conf": "[general]\ncountry=us\n\n[us]\nring = 440+480/2000,0/4000\nbusy = 480+620/500,0/500\n"
    "congestion = 480+620/250,0/250\n",
}
INCLUDED = {
    "http.conf": ("http_custom.conf",),
    "pjsip.conf": ("pjsip.endpoint_custom_post.conf", "pjsip-trunks.conf", "pjsip-nat.conf"),
}
NEEDS_RESTART = "pjsip-nat.conf"
DIALPLAN = "[from-internal]\nexten = 100,1,Hangup()\n"
CDR_COLUMNS = ("accountcode", "src", "dst", "dcontext", "clid", "channel", "dstchannel", "lastapp", "lastdata")
CDR_DISPOSITION, CDR_UNIQUEID = 14, 16


def snippets() -> dict[str, str]:
    """The blocks of the document that begin with a file's name, by that."""
    blocks = re.findall(r"^```ini\n; /etc/asterisk/(\S+)\n(.*?)^```$", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) == len(dict(blocks)) > 0
    return dict(blocks)


def reloads() -> list[str]:
    """The commands of the document that let a running Asterisk read files again, in their order."""
    return re.findall(r"^    asterisk -rx '([a-z]+ reload.*)'$", DOCUMENT.read_text(), re.MULTILINE)


async def follow_the_document(asterisk: Asterisk, provider: tuple[str, int]) -> None:
    """Put the snippets into the operator's files while Asterisk runs, and let it read them."""
    host, port = provider
    for name, text in snippets().items():
        if name == NEEDS_RESTART:
            continue
        # What are examples in the document are a phone and a scripted carrier here.
        text = text.replace("[alice-desk](+)", "[d1](+)").replace("match = sip.carrier.example", "match = 127.0.0.9")
        text = text.replace("= sip:sip.carrier.example", f"= sip:{host}:{port}")
        text = text.replace("@sip.carrier.example", f"@{host}:{port}")
        (asterisk.run_dir / "etc" / name).write_text(text)
    for command in reloads():
        await asterisk.cli(command)
    asterisk.ari_username = "c2c-stasis"  # of the snippet; until now it was the user of somebody else


def someone_elses_etc(folder: Path) -> Path:
    """An Asterisk's configuration that knows nothing of us, with the operator's own files still empty."""
    etc = folder / "etc"
    shutil.copytree(shipped(), etc)
    for name, text in GENERATED.items():
        (etc / name).write_text(text)
    with (etc / "extensions.conf").open("a") as dialplan:
        dialplan.write(DIALPLAN)
    (etc / "sorcery.conf").unlink()
    with (etc / "modules.conf").open("a") as modules:
        modules.write("load = cdr_csv.so\n")
    for name, files in INCLUDED.items():
        with (etc / name).open("a") as file:
            file.write("".join(f"\n#include {one}\n" for one in files))
    for name in snippets():
        (etc / name).touch()
    # NAT is tried on TCP, which nobody uses: over UDP loopback would be the outside, and be sent to 203.0.113.10.
    (etc / NEEDS_RESTART).write_text(snippets()[NEEDS_RESTART].replace("transport-udp", "transport-tcp"))
    # The phones of the laboratory come last in pjsip.conf; FreePBX includes the operator's files after its phones.
    text = (etc / "pjsip.conf").read_text()
    (etc / "pjsip.conf").write_text(moved_up(text, "#tryinclude pjsip-devices.conf\n"))
    return etc


def moved_up(text: str, line: str) -> str:
    """A file with one of its lines before the includes at its end."""
    return text.replace(line, "").replace("\n#include", f"\n{line}\n#include", 1)


@pytest.fixture(scope="module")
async def provider() -> AsyncIterator[Phone]:
    """A carrier that wants a registration; it refuses whatever it is asked, and remembers it."""
    phone = await Phone.start("provider", script=Script(reject=503))
    yield phone
    await phone.stop()


@pytest.fixture(scope="module")
async def town(tmp_path_factory: pytest.TempPathFactory, provider: Phone) -> AsyncIterator[Town]:
    """Somebody else's Asterisk, with its devices and its trunk."""
    folder = tmp_path_factory.mktemp("someone")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("c2c_stasis.lab.asterisk.ARI_USERNAME", "freepbxuser")
        town = await Town.build(folder, someone_elses_etc(folder))
    await follow_the_document(town.asterisk, provider.address)
    (town.asterisk.run_dir / "log/cdr-csv").mkdir()
    yield town
    await town.close()


async def rows(town: Town, count: int) -> list[dict[str, str]]:
    """The rows of the CDR, once there are so many of calls of ours."""
    path = town.asterisk.run_dir / "log/cdr-csv/Master.csv"

    def read() -> list[dict[str, str]]:
        if not path.exists():
            return []
        with path.open() as file:
            return [
                {
                    **dict(zip(CDR_COLUMNS, row, strict=False)),
                    "disposition": row[CDR_DISPOSITION],
                    "id": row[CDR_UNIQUEID],
                }
                for row in csv.reader(file)
            ]

    async def ask() -> list[dict[str, str]]:
        return await asyncio.to_thread(read)

    return await eventually(ask, lambda found: len(found) >= count, f"{count} rows in the CDR")


async def caller(story: Story, user: Any) -> None:
    """Give the user's account a number to show."""
    number = await story.store.create_phone_number(user.account_id, CALLER)
    await story.store.set_account_caller_number(user.account_id, number.id)


async def test_asterisk_knows_every_part_that_the_readme_lets_it_read_again(town: Town) -> None:
    found = re.search(r'for part in (.*); do asterisk -rx "(module reload) \$part"; done', README.read_text())
    assert found
    for part in found[1].split():
        answer = await town.asterisk.cli(f"{found[2]} {part}")
        assert "reloaded successfully" in answer, f"{part}: {answer}"


async def test_beside_somebody_elses_asterisk_calls_work_and_its_cdr_has_the_rows_that_the_document_says(
    story: Story,
) -> None:
    desk, mobile = await story.phone(ANSWERS_SOON), await story.phone(RINGS)
    alice = await story.user(desk, mobile)
    await caller(story, alice)
    talk, busy = story.destination(TALKS_BRIEFLY), story.destination(IS_BUSY)
    await story.open()

    completed = await story.ended(await story.place(alice, talk))
    await story.ended(await story.place(alice, busy))
    desk.script = RINGS
    cancelled = await story.place(alice, talk)
    await cancelled.told("leg.ringing", "leg.ringing")
    await cancelled.cancel()
    await story.ended(cancelled)
    last = await completed_call(story, desk, alice, talk)

    assert ending(completed) == COMPLETED_BY_DESTINATION
    found = await rows(story.town, 3)
    # The cancelled call is not among them, nor is a phone that lost, nor the helper of the connect.
    busy_row = found[1]
    assert busy_row["disposition"] == ("BUSY" if busy_row["id"].endswith(".b1") else "ANSWERED")
    assert [found[0]["disposition"], found[2]["disposition"], len(found)] == ["ANSWERED", "ANSWERED", 3]
    assert [row["id"].partition(".")[0] for row in (found[0], found[2])] == [completed["id"], last["id"]]
    first = found[0]
    # Both legs are created at one moment; the elder is the caller for Asterisk.
    names = sorted(first[name].rpartition("-")[0] for name in ("channel", "dstchannel"))
    assert names == ["PJSIP/carrier", f"PJSIP/{desk.name}"]
    assert [first[name] for name in ("src", "dst", "lastapp")] == [CALLER, "s", "Stasis"]
    assert first["lastdata"] == f"{story.town.asterisk.app},{completed['id']},{first['id']}"


async def completed_call(story: Story, desk: Phone, alice: Any, number: str) -> Record:
    """One more call that is answered."""
    desk.script = ANSWERS_SOON
    return await story.ended(await story.place(alice, number))


async def test_where_the_tones_of_a_region_are_missing_a_busy_destination_is_a_busy_call_all_the_same(
    story: Story,
) -> None:
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk, account=await story.account("GB"))
    number = story.destination(IS_BUSY, "+442079460018")
    await story.open()

    record = await story.ended(await story.place(alice, number))

    assert [record["outcome"], record["reason"]] == ["busy", "destination_busy"]
    assert [desk.calls[0].heard(hz) for hz in (400, (480, 620))] == [0, 0]  # neither British nor American


async def test_what_was_there_is_still_there(town: Town) -> None:
    asterisk = town.asterisk
    users = await asterisk.cli("ari show users")
    assert "freepbxuser" in users
    assert "c2c-stasis" in users
    assert "'100' =>" in await asterisk.cli("dialplan show 100@from-internal")
    shown = await asterisk.cli("pjsip show endpoint d1")
    assert re.search(r"rtp_timeout +: 60\b", shown)
    assert re.search(r"allow +: \(opus\|g722\|alaw\|ulaw\)", shown)  # of the phone, as before


async def test_more_than_a_hundred_connections_are_served_at_once(town: Town) -> None:
    idle = [await asyncio.open_connection("127.0.0.1", town.asterisk.ports.http) for _ in range(150)]
    try:
        assert await town.asterisk.channels() == []
        assert not any(reader.at_eof() for reader, _ in idle)
    finally:
        for _, writer in idle:
            writer.transport.abort()


async def test_the_registered_trunk_registers_and_is_called_with_the_accounts_name(town: Town, provider: Phone) -> None:
    await provider.wait_for(lambda: any(m.method == "REGISTER" for m in provider.messages), "a REGISTER")
    register = next(message for message in provider.messages if message.method == "REGISTER")
    assert "sip:12025550142@" in (register.header("To") or "")

    await originate(town.asterisk, "PJSIP/+12025550199@provider")
    await provider.wait_for(lambda: bool(provider.calls), "an INVITE")
    invite = provider.calls[0].messages[0]
    assert invite.request_uri.startswith("sip:+12025550199@")
    assert "sip:12025550142@sip.carrier.example" in (invite.header("From") or "")


async def originate(asterisk: Asterisk, endpoint: str) -> None:
    """Let Asterisk call an endpoint."""
    login = aiohttp.encode_basic_auth(asterisk.ari_username, asterisk.ari_password)
    body = {"endpoint": endpoint, "context": "from-internal", "extension": "100", "priority": 1}
    async with (
        aiohttp.ClientSession(headers={"Authorization": login}) as http,
        http.post(f"{asterisk.ari_url}/channels", json=body) as answer,
    ):
        assert answer.status == 200, await answer.text()


async def test_the_trunk_by_address_is_recognised_by_it(town: Town) -> None:
    identified = await town.asterisk.cli("pjsip show identifies")
    assert re.search(r"provider-by-address/provider-by-address", identified)
    assert "198.51.100.10/32" in identified


async def test_behind_nat_the_public_address_is_told_outside_only(town: Town) -> None:
    shown = await town.asterisk.cli("pjsip show transport transport-tcp")
    for setting in ("external_signaling_address", "external_media_address"):
        assert re.search(rf"{setting} +: 203\.0\.113\.10", shown)
    assert "192.168.0.0" in shown
    assert "10.0.0.0" in shown


def test_the_document_shows_the_lines_that_the_shipped_files_have() -> None:
    """Beside a stranger's Asterisk and in a fresh one the same settings count."""
    given = snippets()
    for name, file, setting in (
        ("ari_general_custom.conf", "ari.conf", "websocket_write_timeout"),
        ("http_custom.conf", "http.conf", "sessionlimit"),
        ("pjsip.endpoint_custom_post.conf", "pjsip.conf", "rtp_timeout"),
    ):
        pattern = re.compile(rf"^{setting} = (\d+)", re.MULTILINE)
        assert pattern.findall(given[name]) == pattern.findall((shipped() / file).read_text())[:1]
