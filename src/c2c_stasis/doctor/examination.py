"""Runs the checks beside one another, each with its deadline, and gathers what they say."""

import asyncio
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from c2c_stasis.config import ConfigError
from c2c_stasis.doctor import checks
from c2c_stasis.doctor.asterisk_files import FileUnread
from c2c_stasis.doctor.check import Check
from c2c_stasis.doctor.findings import Fault, Finding, Level, Status, skipped, unseen, well
from c2c_stasis.doctor.patient import NAME_THEM, CannotSee, NotLoaded, Patient, Unseen
from c2c_stasis.errors import SwitchRefused, SwitchUnavailable

INVALID = Fault(
    "configuration_invalid",
    Status.CONFIG,
    "The configuration cannot be used. The service does not start.",
    "Correct what the facts name.",
)
NO_ANSWER = Fault(
    "no_answer",
    Status.UNAVAILABLE,
    "A check got no answer that it understands, although others did: Asterisk is overloaded, or refuses this one question.",
    "Run doctor again; if it stays, look into Asterisk's log.",
)

CONFIGURATION = "configuration"
EVERY_OTHER = "every other"  # check, where none can be made
_EVERYDAY = {fault for check in checks.ALL for fault in check.faults}
EVERY_FAULT: tuple[tuple[str, Fault], ...] = (
    (CONFIGURATION, INVALID),
    *((check.name, fault) for check in checks.ALL for fault in check.faults),
    *((check.name, fault) for check in checks.SECURITY for fault in check.faults if fault not in _EVERYDAY),
    ("any", NO_ANSWER),
)


@dataclass(frozen=True, slots=True)
class Report:
    """What was found, check by check, in order."""

    findings: tuple[tuple[str, Finding], ...]

    @property
    def status(self) -> Status:
        """The largest exit status of all findings."""
        return max((finding.status for _, finding in self.findings), default=Status.WELL)

    def strict(self) -> "Report":
        """The same, with every warning counted: also those of what is prepared after the first call."""
        return Report(tuple((name, _counted(finding)) for name, finding in self.findings))

    def of(self, check: str) -> list[Finding]:
        """What one check says."""
        return [finding for name, finding in self.findings if name == check]

    @property
    def codes(self) -> list[str]:
        """The codes of all faults, in order."""
        return [finding.code for _, finding in self.findings if finding.code]


async def examine(patient: Patient, ignored: Collection[str] = (), every: Iterable[Check] = checks.ALL) -> Report:
    """Make every check. A fault whose code is ignored is said, and does not count."""
    every = tuple(every)
    said = await asyncio.gather(*(_make(check, patient) for check in every))
    findings = [(CONFIGURATION, well("every setting is understood"))]
    findings += [(check.name, one) for check, made in zip(every, said, strict=True) for one in made]
    return Report(tuple((name, _without(ignored, finding)) for name, finding in findings))


def unreadable(error: ConfigError) -> Report:
    """The report when the configuration itself is wrong: each problem, and in one line that nothing else was checked."""
    problems = [
        (CONFIGURATION, replace(INVALID.found(_first_part(str(problem), problem.fix)), fix=problem.fix))
        for problem in error.problems
    ]
    rest = (EVERY_OTHER, skipped("the configuration cannot be used"))
    return Report((*problems, rest))


async def _make(check: Check, patient: Patient) -> list[Finding]:
    try:
        async with asyncio.timeout(check.deadline):
            found = await check.look(patient)
    except CannotSee as reason:
        return [skipped(str(reason))]
    except NotLoaded as reason:
        fix = f"Add `load = {reason.module}` to modules.conf, and run `asterisk -rx 'module load {reason.module}'`."
        return [unseen(str(reason), fix)]
    except Unseen as reason:
        return [unseen(str(reason), reason.fix)]
    except FileUnread as reason:
        return [unseen(str(reason), NAME_THEM)]
    except TimeoutError:
        return [NO_ANSWER.found(f"no answer within {check.deadline:g} s to: {check.question}")]
    except (SwitchUnavailable, SwitchRefused, ValueError, KeyError) as error:
        return [NO_ANSWER.found(f"{error} ({check.question})")]
    allowed = {fault.code for fault in check.faults}
    assert all(one.code in allowed for one in found if one.code), f"{check.name} found what it does not announce"
    return found


def _without(ignored: Collection[str], finding: Finding) -> Finding:
    if finding.code not in ignored:
        return finding
    return replace(finding, level=Level.UNSEEN, fact=f"{finding.fact} (ignored)", code="", fix="", status=Status.WELL)


def _counted(finding: Finding) -> Finding:
    uncounted = finding.level is Level.WARNING and finding.status is Status.WELL
    return replace(finding, status=Status.WARNING) if uncounted else finding


def _first_part(text: str, fix: str) -> str:
    return text.removesuffix(fix).strip().removesuffix(".")
