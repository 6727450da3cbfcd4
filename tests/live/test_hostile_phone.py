"""A phone whose name for itself would steer a terminal or break a picture: wherever it is shown, nothing of that is left."""

import asyncio
import json
import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from c2c_stasis.arilog.files import log_files
from c2c_stasis.cli import main
from c2c_stasis.lab.script import Script
from tests.live.story import ANSWERS_SOON, TALKS_BRIEFLY, Story
from tests.live.test_ari_log import log_of

pytestmark = pytest.mark.live

CLEARS, RENAMES, REDDENS, TURNS, NO_XML = "\x1b[2J", "\x1b]0;owned\x07", "\x9b31m", "\u202e", "\x01\ufffe"
HOSTILE = f"Phone {CLEARS}{RENAMES}{REDDENS}{TURNS}<b>&{NO_XML}/1.0"
MARK = "mArK7zQ"
SHOWN = "Phone �[2J�]0;owned��31m�<b>&��/1.0"

_STYLE = re.compile(r"\x1b\[[0-9;]*m")  # our own colours


async def shown(story: Story, *words: str) -> str:
    """What a command puts on a terminal, in which nothing may be that steers it but colours."""
    environment = {"C2C_API_KEY": story.client.key, "C2C_BASE_URL": story.client.url}
    result = await asyncio.to_thread(CliRunner().invoke, main, words, env=environment, color=True)
    assert result.exit_code == 0, result.output
    said = _STYLE.sub("", result.output)
    assert [char for char in said if not char.isprintable() and char != "\n"] == []
    return said


async def test_a_phone_cannot_steer_the_terminal_of_who_looks_at_its_calls(story: Story) -> None:
    """Asterisk 22.10.1 passes on what the phone sends, character by character."""
    desk = await story.phone(ANSWERS_SOON, product=HOSTILE)
    alice = await story.user(desk)
    number = story.destination(TALKS_BRIEFLY)
    await story.open(log_ari=True)
    call = await story.place(alice, number)
    record = await call.ended()
    folder = await log_of(story)

    assert record["legs"][0]["user_agent"] == SHOWN
    written = "".join(path.read_text() for path in log_files(folder))
    assert {"attribute": "user_agent", "value": HOSTILE} in answered(written)
    assert [char for char in written if not char.isprintable() and char != "\n"] == []
    from_log, from_record = ["trace", call.id, "--log", str(folder)], ["trace", call.id]
    for words in [from_log, from_record]:
        assert "Phone �[2J" in await shown(story, *words)
        assert SHOWN in await shown(story, *words, "--json")
        picture = story.folder / "call.svg"
        await shown(story, *words, "--svg", str(picture))
        assert ElementTree.parse(picture).getroot().tag.endswith("svg")
    await shown(story, *from_log, "--replay")
    assert SHOWN in await shown(story, "devices", "list")
    for what in ("calls list", "events", f"devices show {desk.name}", f"calls show {call.id}", "users list"):
        await shown(story, *what.split())


def answered(written: str) -> list[object]:
    """Whatever stood in the lists with which Asterisk answered."""
    answers = [json.loads(line).get("answer") for line in written.splitlines()]
    return [one for answer in answers if isinstance(answer, list) for one in answer]


async def test_a_phone_whose_name_is_no_text_rings_all_the_same(story: Story) -> None:
    desk = await story.phone(ANSWERS_SOON, product="Phone \udc9b\udcff")  # bytes that are no UTF-8
    alice = await story.user(desk)
    number = story.destination(TALKS_BRIEFLY)
    await story.open(log_ari=True)
    record = await (await story.place(alice, number)).ended()
    assert (record["outcome"], record["legs"][0]["user_agent"]) == ("completed", None)


async def test_what_phones_write_into_their_answers_reaches_nobody(story: Story) -> None:
    """Asterisk 22.10.1 takes of it what it understands; the reason's cause becomes that of the leg if it is one."""
    hostile = (
        ("Reason", f'Q.850;cause=4294967312;text="{HOSTILE}"'),
        ("Reason", f'SIP;cause=99999999999999999999;text="{HOSTILE}"'),
        ("P-Asserted-Identity", f'"{HOSTILE}" <sip:%0d%0a{MARK}@evil.example>'),
        ("Remote-Party-ID", f'"{HOSTILE}" <sip:{MARK}@evil.example>;party=called'),
        ("Warning", f'399 {MARK} "{HOSTILE}"'),
        ("Server", HOSTILE),
    )
    desk = await story.phone(replace(ANSWERS_SOON, extra_headers=hostile))
    alice = await story.user(desk)
    talks = story.destination(replace(TALKS_BRIEFLY, extra_headers=hostile))
    busy = story.destination(Script(reject=486, extra_headers=hostile))
    await story.open()

    for number, outcome in ((talks, "completed"), (busy, "busy")):
        call = await story.place(alice, number)
        record = await story.ended(call)
        assert record["outcome"] == outcome
        told = json.dumps([record, await call.events()], ensure_ascii=False)
        assert told.isprintable()
        assert not [bad for bad in (MARK, "owned", "evil") if bad in told]
        assert all(leg["hangup_cause"] is None or 0 <= leg["hangup_cause"] <= 127 for leg in record["legs"])
    log = story.journal.text()
    assert log.replace("\n", "").isprintable()
    assert not [bad for bad in (MARK, "owned", "evil", "lost", "not understood") if bad in log]
