"""How checks are run, and what is said when one cannot be made."""

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from c2c_stasis.cli import main
from c2c_stasis.config import Ari, Config
from c2c_stasis.doctor.check import Check
from c2c_stasis.doctor.examination import examine
from c2c_stasis.doctor.findings import Fault, Finding, Level, Status, well
from c2c_stasis.doctor.patient import CannotSee, Patient
from c2c_stasis.errors import SwitchRefused

SMALL = Fault("small", Status.WARNING, "It is small.", "Nothing.")
LATER = Fault("later", Status.WELL, "It can wait.", "Soon.")
LARGE = Fault("large", Status.CONFIG, "It is large.", "Much.")


def saying(*findings: Finding, name: str = "one", deadline: float = 1.0) -> Check:
    async def look(patient: Patient) -> list[Finding]:
        return list(findings)

    return Check(name, "What is it?", (SMALL, LARGE, LATER), look, deadline)


def raising(error: Exception) -> Check:
    async def look(patient: Patient) -> list[Finding]:
        raise error

    return Check("failing", "What is it?", (), look)


@pytest.fixture
def patient() -> Patient:
    return Patient(Config(Ari("secret")))


async def test_the_largest_status_counts(patient: Patient) -> None:
    report = await examine(patient, every=[saying(SMALL.found("a")), saying(LARGE.found("b"), name="two")])

    assert report.codes == ["small", "large"]
    assert report.status is Status.CONFIG


async def test_a_warning_of_what_is_prepared_later_is_said_and_counts_only_when_that_is_asked_for(
    patient: Patient,
) -> None:
    report = await examine(patient, every=[saying(LATER.found("a"), well("b"))])

    assert (report.codes, report.status) == (["later"], Status.WELL)
    assert report.of("one")[0].level is Level.WARNING
    assert (report.strict().codes, report.strict().status) == (["later"], Status.WARNING)
    assert report.strict().of("one")[1] == well("b")


async def test_what_is_ignored_does_not_count_strictly_either(patient: Patient) -> None:
    report = await examine(patient, {"later"}, [saying(LATER.found("a"))])

    assert report.strict().status is Status.WELL


async def test_what_is_ignored_is_said_and_does_not_count(patient: Patient) -> None:
    report = await examine(patient, {"large"}, [saying(SMALL.found("a"), LARGE.found("b"))])

    assert (report.codes, report.status) == (["small"], Status.WARNING)
    assert report.of("one")[1] == Finding(Level.UNSEEN, "b (ignored)")


async def test_a_check_that_needs_what_is_missing_says_so_and_counts_for_nothing(patient: Patient) -> None:
    report = await examine(patient, every=[raising(CannotSee("Asterisk cannot be asked")), saying(well("fine"))])

    assert report.of("failing") == [Finding(Level.SKIPPED, "Asterisk cannot be asked")]
    assert report.status is Status.WELL


async def test_a_check_that_hangs_holds_up_nobody_and_is_a_fault(patient: Patient) -> None:
    async def look(patient: Patient) -> list[Finding]:
        await asyncio.Event().wait()
        return []

    report = await examine(patient, every=[Check("hanging", "Why?", (), look, deadline=0.01), saying(well("fine"))])

    assert (report.codes, report.status) == (["no_answer"], Status.UNAVAILABLE)
    assert "Why?" in report.of("hanging")[0].fact


async def test_a_question_that_asterisk_refuses_is_a_fault(patient: Patient) -> None:
    report = await examine(patient, every=[raising(SwitchRefused(500, "no"))])

    assert report.codes == ["no_answer"]


async def test_a_check_finds_only_what_it_announces(patient: Patient) -> None:
    stranger = Fault("stranger", Status.CONFIG, "", "")

    with pytest.raises(AssertionError, match="one found what it does not announce"):
        await examine(patient, every=[saying(stranger.found("?"))])


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    file = tmp_path / "c2c.toml"
    file.write_text('[ari]\npassword = "hush"\nurl = "nowhere"\n[calls]\nring_timeout = "long"\n')
    return file


def test_every_problem_of_the_configuration_is_named_and_nothing_else_is_checked(broken: Path) -> None:
    result = CliRunner().invoke(main, ["doctor", "--json", "-c", str(broken)])

    told = json.loads(result.output)
    named = [finding for finding in told["findings"] if finding["check"] == "configuration"]
    assert (result.exit_code, told["exit_status"]) == (78, 78)
    assert [finding["code"] for finding in named] == ["configuration_invalid"] * 2
    assert f"{broken}:3: ari.url" in named[0]["fact"]
    assert named[1]["fix"] == "Give a number from 1 to 120 seconds, without quotes"
    assert [(finding["check"], finding["level"]) for finding in told["findings"][2:]] == [
        ("every other", "not checked")
    ]
    assert "hush" not in result.output


def test_a_code_that_is_none_cannot_be_ignored(broken: Path) -> None:
    result = CliRunner().invoke(main, ["doctor", "--ignore", "nonsense", "-c", str(broken)])

    assert result.exit_code == 2
    assert "nonsense is no code" in result.output


def test_for_people_the_last_line_is_the_verdict(broken: Path) -> None:
    result = CliRunner().invoke(main, ["doctor", "-c", str(broken)])

    assert result.output.splitlines()[-1] == "2 errors, 1 not checked: exit status 78"
