"""The ARI log of real calls: everything is in it, numbers and secrets are not, and from it the call can be told again."""

import asyncio
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from c2c_stasis.arilog.files import log_files
from c2c_stasis.cli import main
from c2c_stasis.config import NumberFormat, Trunk
from c2c_stasis.directory.sip_account import SipAccount
from c2c_stasis.lab.phone import RINGS, Script
from tests.live.client import PlacedCall
from tests.live.process import as_toml
from tests.live.story import ANSWERS_SOON, TALKS_BRIEFLY, Story
from tests.live.waiting import until

pytestmark = pytest.mark.live

NUMBER = "+12025550177"
OK = 0


async def trace(story: Story, *words: str) -> str:
    """What the command says, which must succeed; it knows the service and the key."""
    environment = {"C2C_API_KEY": story.client.key, "C2C_BASE_URL": story.client.url}
    result = await asyncio.to_thread(CliRunner().invoke, main, ["trace", *words], env=environment)
    assert result.exit_code == OK, result.output
    return result.output


async def log_of(story: Story) -> Path:
    """The folder of the log, when it tells the end of every call."""
    folder = story.folder / "ari"
    await until(lambda: ended(folder) == {call.id for call in story.client.placed}, "the log to tell every end")
    return folder


def ended(folder: Path) -> set[str]:
    """The calls whose end the log tells."""
    return {line["call"] for line in lines(folder) if line["kind"] == "step" and line["state"] == "ended"}


def lines(folder: Path) -> list[dict[str, Any]]:
    """All lines of the log; one that is being written is no line yet."""
    written = (line for path in log_files(folder) for line in path.read_text().splitlines(keepends=True))
    return [json.loads(line) for line in written if line.endswith("\n")]


async def talk(story: Story) -> PlacedCall:
    """Two phones ring, one answers, the destination talks briefly."""
    desk, mobile = await story.phone(ANSWERS_SOON), await story.phone(RINGS)
    alice = await story.user(desk, mobile)
    story.destination(TALKS_BRIEFLY, NUMBER)
    await story.open(log_ari=True)
    call = await story.place(alice, NUMBER)
    await story.ended(call)
    return call


async def busy(story: Story) -> PlacedCall:
    """The destination is busy."""
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk, story.absent_device())
    story.destination(Script(ring_after=0.02, reject=486, reject_after=0.1), NUMBER)
    await story.open(log_ari=True)
    call = await story.place(alice, NUMBER)
    await story.ended(call)
    return call


EVENTS = {
    "ChannelHangupRequest",
    "StasisStart",
    "Dial",
    "ChannelStateChange",
    "ChannelEnteredBridge",
    "ChannelLeftBridge",
    "ChannelDestroyed",
}


async def test_a_forked_call_that_was_answered_is_told_and_decided_again(story: Story) -> None:
    call = await talk(story)
    folder = await log_of(story)

    of_call = [line for line in lines(folder) if line.get("call") == call.id]
    asked = [line["path"].rpartition("/")[2] for line in of_call if line["kind"] == "request"]
    assert [asked.count(name) for name in ("create", "dial", "addChannel")] == [3, 3, 2]
    assert all(line["status"] in (200, 204) and line["ms"] > 0 for line in of_call if line["kind"] == "request")
    assert {line["event"]["type"] for line in of_call if line["kind"] == "event"} == EVENTS
    drawn = await trace(story, call.id, "--log", str(folder))
    for words in (
        "INVITE",
        "180 Ringing",
        "200 OK",
        "CANCEL",
        "answered elsewhere (26)",
        "both sides are joined",
        "BYE",
    ):
        assert words in drawn
    assert "drawn from the ARI log" in drawn
    assert drawn.count("INVITE") == 3
    again = await trace(story, call.id, "--log", str(folder), "--replay")
    assert f"{call.id}: {again.count('same  ')} decisions, all the same" in again
    assert again.count("same  ") > 15


async def test_of_a_call_that_failed_the_ladder_says_who_refused_it(story: Story) -> None:
    call = await busy(story)
    folder = await log_of(story)
    drawn = await trace(story, call.id, "--log", str(folder))
    for words in ("486 Busy Here", "busy (17)", "play busy tone", "destination busy", "was not registered"):
        assert words in drawn
    assert "1 call, 0 of them" in await trace(story, "--log", str(folder), "--replay")


async def test_without_a_log_the_ladder_is_drawn_from_the_record_and_tells_the_same(story: Story) -> None:
    call = await talk(story)
    folder = await log_of(story)
    ours = await trace(story, call.id, "--log", str(folder), "--json")
    theirs = await trace(story, call.id, "--json")
    assert (json.loads(ours)["source"], json.loads(theirs)["source"]) == (
        "the ARI log",
        "the record of the call and its events",
    )
    assert sip(ours) == sip(theirs)
    assert "drawn from the record of the call and its events" in await trace(story, call.id)


def sip(ladder: str) -> list[tuple[str, str, str]]:
    """What passed between phones and Asterisk; what is told within the same milliseconds may come in any order."""
    rows = json.loads(ladder)["rows"]
    return sorted((row["origin"], row["to"], row["text"]) for row in rows if row["kind"] == "sip")


# --- what must never be in it ---

DIGITS = "2025550188"
DIALLED = "(202) 555-0188"
FORMATS = {
    NumberFormat.E164: "+12025550188",
    NumberFormat.E164_NO_PLUS: "12025550188",
    NumberFormat.ZERO_ZERO: "0012025550188",
    NumberFormat.NATIONAL: "2025550188",
}


def closed_up(text: str) -> str:
    """The text with numbers written in one, whatever stood between their digits."""
    return re.sub(r"(?<=[0-9])[ ().\-]{1,2}(?=[0-9])", "", text)


async def test_a_known_number_and_a_known_key_are_nowhere_in_what_the_service_tells(story: Story) -> None:
    """Log at DEBUG, ARI log, metrics; with every format of a carrier, and a carrier that Asterisk does not know."""
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk)
    for number in FORMATS.values():
        story.destination(TALKS_BRIEFLY, number)
    config = story.config(None, tone_seconds=0.1)
    config = replace(config, log=replace(config.log, level="debug"))
    service = await story.open_process(config)
    folder = story.folder / "ari"
    config = replace(config, ari=replace(config.ari, log=str(folder)))
    for number_format in FORMATS:
        service.rewrite(as_toml(replace(config, trunks=(replace(config.trunks[0], format=number_format),))))
        await service.read_again("configuration read again")
        assert (await (await story.place(alice, DIALLED)).ended())["outcome"] == "completed"
    service.rewrite(as_toml(replace(config, trunks=(Trunk("nobody", "PJSIP/{number}@nobody"),))))
    await service.read_again("configuration read again")
    refused = await (await story.place(alice, DIALLED)).ended()
    await log_of(story)
    status, _, figures = await story.client.ask("GET", "/metrics")
    service.rewrite(as_toml(replace(config, ari=replace(config.ari, log=""))))  # SIGHUP switches it off: all is written
    await service.read_again("configuration read again")

    assert refused["reason"] == "trunk_failed"
    logs = {"ari": "\n".join(path.read_text() for path in log_files(folder)), "service": service.text()}
    logs["metrics"] = figures
    assert (status, "c2c_" in figures) == (200, True)
    assert any(line["kind"] == "request" and (line["status"] or 0) >= 400 for line in lines(folder))
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in log_files(folder))
    assert logs["ari"].count("•••") > 50
    assert len({line["call"] for line in lines(folder) if "call" in line}) == len(story.client.placed)
    for text in logs.values():
        assert DIGITS not in closed_up(text)
        assert story.client.key not in text
        assert story.town.asterisk.ari_password not in text


async def test_what_a_provisioned_phone_proves_itself_with_is_not_in_the_log(story: Story) -> None:
    alice = await story.user()
    await story.open(log_ari=True)
    _, _, made = await story.client.ask("POST", f"/v1/users/{alice.id}/endpoints", alice.account_id, json={})
    account = json.loads(made)["sip"]
    folder = story.folder / "ari"
    await until(lambda: "md5_cred" in text_of(folder), "the phone's credentials to be asked for")
    secret = SipAccount(account["username"], account["password"])
    assert secret.password not in text_of(folder)
    assert secret.ha1 not in text_of(folder)


def text_of(folder: Path) -> str:
    """The whole log."""
    return "".join(path.read_text() for path in log_files(folder))
