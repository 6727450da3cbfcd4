"""What a terminal is sent: nothing that steers it, whatever phones, callers, Asterisk and the service's answers say."""

import io
import json
from pathlib import Path
from typing import Any

import click
import pytest

from c2c_stasis.cli.doctor import _lines as lines_of_finding
from c2c_stasis.cli.remote import Failed, NotThere, Remote
from c2c_stasis.cli.reporting import reporting
from c2c_stasis.cli.tables import print_list, print_record, table
from c2c_stasis.cli.telling import line_after_acceptance, line_of_day
from c2c_stasis.doctor.findings import Finding, Level
from c2c_stasis.errors import SwitchUnavailable
from c2c_stasis.lab.demo.timeline import Screen, Timeline
from c2c_stasis.ports import Contact
from tests.api.resources.office import Office
from tests.cli.line import Line

HOSTILE = "x\x1b[2J\x1b]0;owned\x07\x9b31m\u202e\r\x7f"
HARMLESS = "x�[2J�]0;owned��31m���"
MOMENT = "2026-11-23T18:12:22.678Z"
LEG = {
    "device": HOSTILE,
    "number": HOSTILE,
    "outcome": HOSTILE,
    "state": HOSTILE,
    "hangup_cause": HOSTILE,
    "sip_code": HOSTILE,
}


def told(kind: str, **data: Any) -> dict[str, Any]:
    """An event in which everything that may be a text is hostile."""
    common = {"started_at": MOMENT, "to_number": HOSTILE, "call_id": HOSTILE, "outcome": HOSTILE, "reason": HOSTILE}
    return {"type": kind, "created_at": MOMENT, "data": {**common, "ended_by": HOSTILE, **data}}


def harmless(text: str) -> bool:
    """Whether it says something hostile, and nothing of that steers."""
    unstyled = click.unstyle(text)
    return HARMLESS in text and all(char.isprintable() or char == "\n" for char in unstyled) and "\x1b]" not in text


@pytest.mark.parametrize("line", [line_of_day, line_after_acceptance])
@pytest.mark.parametrize("event", [told("leg.ended", leg=LEG), told("call.end"), told(HOSTILE, leg=LEG)])
def test_events_steer_no_terminal(line: Any, event: dict[str, Any]) -> None:
    assert harmless(line(event))


def test_tables_and_records_steer_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    values: list[Any] = [
        HOSTILE,
        [HOSTILE],
        {"uri": HOSTILE, "user_agent": HOSTILE, "reachable": True},
        {"data": [{"number": HOSTILE}]},
        {"other": HOSTILE},
    ]
    assert harmless("\n".join(table(["NAME"], [[HOSTILE]])))
    remote = Remote("http://127.0.0.1:9", "sk_live_x", Path("c2c.toml"))
    for value in values:
        print_list(remote, [{"name": value}], [("NAME", "name")], "none")
        assert harmless(capsys.readouterr().out) or "other" in value
        print_record(remote, {HOSTILE: value}, more=lambda: HOSTILE)
        assert harmless(capsys.readouterr().out)


def test_what_the_service_or_asterisk_refuses_steers_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert Failed(f"two\n{HOSTILE}").message == f"two\n{HARMLESS}"
    assert harmless(NotThere(HOSTILE).message)
    with pytest.raises(SystemExit), reporting():
        raise SwitchUnavailable(HOSTILE)
    assert harmless(capsys.readouterr().err)


def test_the_doctor_steers_no_terminal() -> None:
    assert harmless("\n".join(lines_of_finding("trunks", Finding(Level.ERROR, HOSTILE, "X1", HOSTILE))))


def test_the_demonstration_steers_no_terminal() -> None:
    stream = io.StringIO()
    timeline = Timeline(Screen(stream))
    timeline.note(0.0, "desk", f"INVITE, shows {HOSTILE}")
    timeline.block(f"two\n{HOSTILE}")
    timeline.flush()
    assert harmless(stream.getvalue())


async def test_what_phones_call_themselves_steers_no_terminal(office: Office, line: Line) -> None:
    office.switch.registered["desk"] = [Contact("sip:a@192.0.2.1;x=\x9b2J", user_agent=HOSTILE)]
    await line.says("devices", "create", "Ann", "desk")
    for words in (("devices", "list"), ("devices", "show", "desk")):
        assert harmless(await line.says(*words))
    assert json.dumps(HOSTILE) in await line.says("devices", "show", "desk", "--json")  # programs get it as it is
