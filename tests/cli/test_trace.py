"""`trace`: where it looks, and what it says when there is nothing; what it draws of real calls is a live story."""

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from c2c_stasis.arilog import AriLog, Settings
from c2c_stasis.arilog.files import log_files
from c2c_stasis.call.events import Event, EventType
from c2c_stasis.call.machine import step
from c2c_stasis.call.model import Call, LegOutcome, Now
from c2c_stasis.call.signals import CallPlaced, CancelRequested, LegCreated, Signal
from c2c_stasis.publish.envelope import Envelopes
from tests.api.resources.office import Office
from tests.call.stories import A1, ACCEPTED_AT, CALL_ID, CLOCK_ZERO, outward_call
from tests.cli.line import NOT_ACCEPTED, NOT_THERE, REFUSED, USAGE, WRONG_CONFIG, Line
from tests.cli.test_call import call as placed
from tests.store.samples import a_call, ended


@pytest.fixture
def log(folder: Path) -> Path:
    """A log with one call in it, which is cancelled."""
    settings = Settings(folder / "ari", "c2c", 10_000_000)
    writing = AriLog(settings)
    now_call: Call = outward_call()
    signals: tuple[Signal, ...] = (CallPlaced(), LegCreated(A1), CancelRequested())
    for number, signal in enumerate(signals):
        now = Now(ACCEPTED_AT + number, CLOCK_ZERO + number)
        made = step(now_call, signal, now)
        writing.step(now_call, signal, now, made)
        now_call = made.call
    writing.close()
    return settings.folder


async def test_a_call_of_the_log_needs_no_service_and_no_key(log: Path) -> None:
    told = await Line().says("trace", CALL_ID, "--log", str(log))
    assert f"drawn from the ARI log ({log})" in told
    assert "user_ann calls +1555•••4567" in told


async def test_the_folder_that_the_configuration_names_is_found(log: Path, folder: Path) -> None:
    (folder / "c2c.toml").write_text(f'[ari]\npassword = "x"\nlog = "{log}"\n')
    assert "drawn from the ARI log" in await Line().says("trace", CALL_ID)


async def test_a_call_that_the_log_has_not_is_asked_of_the_service(office: Office, line: Line, log: Path) -> None:
    _, told, _ = await placed("Ann", "+15551234567")
    call_id = told.partition(":")[0]
    drawn = await line.says("trace", call_id, "--log", str(log))
    assert f"the record of the call and its events ({office.url}; {log} does not have the call)" in drawn
    assert "failed, no device" in drawn
    assert "  Ann calls +15551234567" in drawn
    assert "; there is no ARI log)" in await line.says("trace", call_id)


async def test_a_phone_that_was_not_dialled_is_told_with_its_address(office: Office, line: Line) -> None:
    call = ended(a_call(office.platform, office.account, office.user))
    first, second = call.legs
    older = replace(second, device=first.device, outcome=LegOutcome.UNREACHABLE)
    await office.store.accept(replace(call, legs=(first, older)), [])
    assert "  d1 at 192.0.2.2:5060 was not dialled: unreachable\n" in await line.says("trace", call.id)


async def test_the_record_tells_when_the_first_phone_rang_and_not_when_that_was_wanted(
    office: Office, line: Line
) -> None:
    call = ended(a_call(office.platform, office.account, office.user))
    rang = Envelopes().envelope(call, Event(EventType.CALL_RINGING, 0.5), 1)
    await office.store.accept(call, [rang])
    told = await line.says("trace", call.id)
    assert [row.split()[0] for row in told.splitlines() if row.endswith("a phone of the user rings")] == ["0.500"]


async def test_the_beginning_of_an_id_is_no_call_with_a_log_and_without(office: Office, line: Line, log: Path) -> None:
    for words in ((), ("--log", str(log)), ("--log", str(log), "--replay")):
        assert "not found" in (await line.fails(REFUSED, "trace", CALL_ID[:-1], *words)).replace(
            "has no call", "not found"
        )


async def test_a_picture_is_written_where_it_is_wanted(log: Path, folder: Path) -> None:
    result = await Line().run("trace", CALL_ID, "--log", str(log), "--svg", "call.svg")
    assert result.stdout == ""
    assert result.stderr == f"call.svg drawn from the ARI log ({log})\n"
    assert (folder / "call.svg").read_text().startswith("<svg ")


async def test_what_is_not_there_is_said(office: Office, line: Line, log: Path) -> None:
    assert "which call?" in await line.fails(USAGE, "trace")
    assert "which log?" in await line.fails(USAGE, "trace", "--replay")
    assert "Call not found" in await line.fails(REFUSED, "trace", CALL_ID)
    assert "has no call call_x" in await line.fails(REFUSED, "trace", "call_x", "--replay", "--log", str(log))
    (log / "other.jsonl").write_text("{}\n")
    said = await line.fails(NOT_THERE, "trace", CALL_ID, "--log", str(log / "other.jsonl"))
    assert "other.jsonl is no ARI log of c2c-stasis" in said


async def test_a_log_that_decisions_are_to_be_made_from_and_is_not_there_is_told_why(folder: Path) -> None:
    file = folder / "c2c.toml"
    file.write_text('[ari]\npassword = "x"\nlog = "ari-log"\n')
    assert "Give the whole path of a folder" in await Line().fails(WRONG_CONFIG, "trace", "--replay")
    file.write_text('[ari]\npassword = "x"\nlog = "/nowhere/ari-log"\n')
    said = await Line().fails(NOT_THERE, "trace", "--replay")
    assert "/nowhere/ari-log, which [ari] log of c2c.toml names, is no folder yet" in said


def changed(log: Path, old: str, new: str) -> None:
    """Replace something in the one file of the log."""
    (path,) = log_files(log)
    path.write_text(path.read_text().replace(old, new))


def earlier(log: Path) -> Path:
    """Where a file would be that was begun before."""
    (path,) = log_files(log)
    return path.with_name(path.name.replace("c2c-20", "c2c-19"))


@pytest.mark.parametrize("words", [(CALL_ID,), (CALL_ID, "--replay"), ("--replay",)])
async def test_a_damaged_file_does_not_hide_what_the_others_tell(log: Path, words: tuple[str, ...]) -> None:
    earlier(log).write_bytes(bytes(1000))
    result = await Line().run("trace", *words, "--log", str(log))
    assert (result.exit_code, result.stderr) == (0, "")
    assert CALL_ID in result.stdout


@pytest.mark.parametrize("words", [(CALL_ID,), (CALL_ID, "--replay"), ("--replay",)])
async def test_a_file_of_another_version_is_passed_by_and_that_is_told(log: Path, words: tuple[str, ...]) -> None:
    (path,) = log_files(log)
    other = earlier(log)
    other.write_text(path.read_text().replace('"version":1', '"version":7'))
    result = await Line().run("trace", *words, "--log", str(log))
    assert result.exit_code == 0
    assert result.stderr == f"c2c-stasis: {other} has lines of version 7; this program reads 1: it is passed by\n"
    path.unlink()
    assert "lines of version 7" in await Line().fails(NOT_THERE, "trace", *words, "--log", str(log))


async def test_a_call_of_unknown_fields_is_refused_in_words(log: Path) -> None:
    changed(log, '"dial_string"', '"dialled_text"')
    for words in ((CALL_ID,), (CALL_ID, "--replay")):
        said = await Line().fails(NOT_THERE, "trace", *words, "--log", str(log))
        assert "missing required field `dial_string`" in said


async def test_without_log_service_or_key_it_is_said_what_is_missing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "where is the service?" in await Line().fails(USAGE, "trace", CALL_ID)
    monkeypatch.setenv("C2C_BASE_URL", "http://127.0.0.1:9")
    assert "no key" in await Line().fails(USAGE, "trace", CALL_ID)
    monkeypatch.setenv("C2C_API_KEY", "sk_live_x")
    assert "no service answers" in await Line().fails(NOT_THERE, "trace", CALL_ID)


async def test_a_wrong_key_is_refused_as_by_every_command(
    office: Office, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("C2C_API_KEY", "sk_live_wrong")
    await line.fails(NOT_ACCEPTED, "trace", CALL_ID)


# --- deciding again ---


async def test_every_decision_is_shown_and_is_the_same(log: Path) -> None:
    told = (await Line().says("trace", CALL_ID, "--log", str(log), "--replay")).splitlines()
    assert told[0] == f"{CALL_ID}: 3 decisions, all the same"
    assert told[2].split()[:5] == ["1.000", "s", "same", "LegCreated", "a1"]
    assert told[2].endswith("ringing_user: DialLeg a1; leg.created")
    assert told[-1] == "1 call, 0 of them decided otherwise than then"


async def test_of_a_whole_log_only_what_differs_is_shown(log: Path) -> None:
    (path,) = log_files(log)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    lines[3]["state"] = "talking"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    result = await Line().run("trace", "--log", str(log), "--replay")
    assert result.exit_code == REFUSED
    assert f"{CALL_ID}: 3 decisions, 1 differs" in result.stdout
    assert 'state then: "talking"' in result.stdout
    assert 'state now:  "ringing_user"' in result.stdout
    programs = await Line().run("trace", "--log", str(log), "--replay", "--json")
    assert [json.loads(line)["differences"] for line in programs.stdout.splitlines()] == [[], ["state"], []]


async def test_a_call_whose_beginning_is_gone_is_said(log: Path) -> None:
    (path,) = log_files(log)
    kept = [line for line in path.read_text().splitlines() if '"kind":"call"' not in line]
    path.write_text("\n".join(kept) + "\n")
    told = await Line().says("trace", "--log", str(log), "--replay")
    assert f"{CALL_ID}: the log does not say how this call began" in told
