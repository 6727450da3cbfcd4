"""The page of all codes is drawn from the code, and every code is planted in a test."""

import re
import runpy
from pathlib import Path

from c2c_stasis.cli.reporting import EX_CONFIG, EX_UNAVAILABLE
from c2c_stasis.doctor import checks
from c2c_stasis.doctor.checks.modules import NEEDED
from c2c_stasis.doctor.examination import EVERY_FAULT
from c2c_stasis.doctor.findings import Level, Status

ROOT = Path(__file__).parents[2]
PLANTED = (
    *(ROOT / "tests/live").glob("test_doctor*.py"),
    ROOT / "tests/doctor/test_examination.py",
    ROOT / "tests/faults/test_storage.py",
)

drawing = runpy.run_path(str(ROOT / "tools" / "draw_doctor.py"))


def test_the_page_is_drawn_from_the_code_as_it_is() -> None:
    assert (ROOT / "docs" / "doctor.md").read_text() == drawing["page"]()


def test_every_level_and_every_status_is_explained() -> None:
    assert set(drawing["LEVELS"]) == set(Level)
    assert set(drawing["STATUSES"]) == set(Status)


def test_the_exit_statuses_are_those_of_every_command() -> None:
    assert (Status.UNAVAILABLE, Status.CONFIG) == (EX_UNAVAILABLE, EX_CONFIG)


def test_codes_and_checks_have_names_of_their_own() -> None:
    codes = [fault.code for _, fault in EVERY_FAULT]

    assert len(codes) == len(set(codes))
    for asked in (checks.ALL, checks.SECURITY):
        assert len({check.name for check in asked}) == len(asked)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", code) for code in codes)


def test_every_code_is_planted_in_a_test() -> None:
    tests = "".join(file.read_text() for file in PLANTED)

    assert [fault.code for _, fault in EVERY_FAULT if f'"{fault.code}"' not in tests] == []


def test_every_module_that_is_asked_for_is_in_the_shipped_configuration() -> None:
    shipped = set(re.findall(r"(?m)^load = (\S+)", (ROOT / "asterisk/etc/modules.conf").read_text()))

    assert set(NEEDED) - shipped == set()
    assert {f"func_{name}.so" for name in ("config", "dialplan", "pjsip_aor", "pjsip_contact")} <= shipped


def test_the_security_checklist_names_every_fault_of_the_command_and_no_other() -> None:
    checklist = (ROOT / "docs/operations.md").read_text().partition("## Security checklist")[2]
    asked = {fault.code for check in checks.SECURITY for fault in check.faults}
    of_the_service = {fault.code for check in checks.ALL for fault in check.faults} & asked
    named = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", checklist.partition("What only you can look at")[0]))
    of_the_files = {"asterisk_etc_other"}  # tells of the command itself, not of a hole

    assert asked - of_the_service - of_the_files <= named
    assert named - asked == {"contact_acl"}  # the setting


def test_every_test_that_security_md_names_is_there() -> None:
    named = re.findall(r"`(tests/[a-z_/]+(?:\.py)?)`", (ROOT / "SECURITY.md").read_text())

    assert len(named) > 10
    assert [name for name in named if not (ROOT / name).exists()] == []
