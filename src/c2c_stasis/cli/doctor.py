"""`c2c-stasis doctor`: what is wrong with this installation, and what to do about it."""

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from c2c_stasis.cli.reporting import config_option, load_config, reporting
from c2c_stasis.config import ConfigError
from c2c_stasis.doctor.findings import Finding, Level
from c2c_stasis.printable import printable

if TYPE_CHECKING:
    from c2c_stasis.doctor.examination import Report

_EXIT_STATUS = """\
\b
Exit status, the largest of all findings:
   0  all is well, as far as can be seen; or warnings of what is prepared after the first call, as for emergency calls
   1  warnings: calls work, but not as well or as safely as they should
  69  something that is needed is not there: Asterisk, a carrier, the database, the port
  78  the configuration is wrong: the service's, Asterisk's or the machine's
"""

_COLOURS = {Level.OK: "green", Level.WARNING: "yellow", Level.ERROR: "red"}
_NAME, _LEVEL = 18, 12  # columns
_BREAK = "\n"


@click.command(epilog=_EXIT_STATUS)
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
@click.option(
    "--ignore",
    "ignored",
    multiple=True,
    metavar="CODE",
    help="A fault that is meant to be so: said, and not counted; repeatable.",
)
@click.option("--strict", is_flag=True, help="Count every warning: exit status 1 also for what is prepared later.")
@click.option("--security", is_flag=True, help="Ask instead who could get in, dial out or read along.")
@click.option(
    "--asterisk-etc",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="FOLDER",
    envvar="C2C_ASTERISK_ETC",
    show_envvar=True,
    help="With --security: where Asterisk's files are; /etc/asterisk where it runs on this machine.",
)
def doctor(
    path: Path, as_json: bool, ignored: tuple[str, ...], strict: bool, security: bool, asterisk_etc: Path | None
) -> None:
    """Name every fault of this installation, with its fix.

    Looks at Asterisk, the database and this machine. It changes nothing, rings nothing and disturbs no call: run it beside a
    service that works, as the user who runs the service. With --security it reads Asterisk's files as well: run that as root.
    All codes: docs/doctor.md.
    """
    said = click.get_current_context().get_parameter_source("asterisk_etc") is ParameterSource.COMMANDLINE
    if said and not security:
        raise click.UsageError("--asterisk-etc is read with --security only")
    with reporting():
        report = asyncio.run(_examine(path, ignored, security, asterisk_etc))
    report = report.strict() if strict else report
    click.echo(json.dumps(as_object(report)) if as_json else _as_text(report))
    raise SystemExit(int(report.status))


async def _examine(path: Path, ignored: tuple[str, ...], security: bool, asterisk_etc: Path | None) -> "Report":
    # asyncari takes its time, and other commands need none of this
    from c2c_stasis.doctor import checks
    from c2c_stasis.doctor.examination import EVERY_FAULT, examine, unreadable
    from c2c_stasis.doctor.patient import Patient

    if unknown := set(ignored) - {fault.code for _, fault in EVERY_FAULT}:
        raise click.UsageError(f"--ignore: {', '.join(sorted(unknown))} is no code; all are in docs/doctor.md")
    try:
        config = load_config(path)
    except ConfigError as error:
        return unreadable(error)
    async with Patient(config, asterisk_etc=asterisk_etc, config_file=path) as patient:
        return await examine(patient, ignored, checks.SECURITY if security else checks.ALL)


def as_object(report: "Report") -> dict[str, object]:
    """The report for a program."""
    findings = [
        {
            "check": check,
            "level": finding.level.value,
            "code": finding.code or None,
            "fact": finding.fact,
            "fix": finding.fix or None,
            "exit_status": int(finding.status),
        }
        for check, finding in report.findings
    ]
    return {"exit_status": int(report.status), "findings": findings}


def _as_text(report: "Report") -> str:
    lines = [line for check, finding in report.findings for line in _lines(check, finding)]
    return "\n".join([*lines, "", _verdict(report)])


def _lines(check: str, finding: Finding) -> list[str]:
    level = click.style(f"{finding.level:<{_LEVEL}}", fg=_COLOURS.get(finding.level), bold=bool(finding.code))
    lines = [f"{check:<{_NAME}}{level}{printable(finding.fact, also=_BREAK)}"]
    if finding.fix:
        lines.append(f"{'':<{_NAME + _LEVEL}}{printable(finding.fix, also=_BREAK)}")
    if finding.code:
        counts = f"exit status {finding.status:d}" if finding.status else "not counted without --strict"
        lines.append(f"{'':<{_NAME + _LEVEL}}{finding.code}, {counts}")
    return lines


def _verdict(report: "Report") -> str:
    levels = [finding.level for _, finding in report.findings]
    counts = [
        f"{count} {word}{'' if count == 1 or word.startswith('not') else 's'}"
        for level, word in (
            (Level.ERROR, "error"),
            (Level.WARNING, "warning"),
            (Level.UNSEEN, "not seen"),
            (Level.SKIPPED, "not checked"),
        )
        if (count := levels.count(level))
    ]
    return f"{', '.join(counts) or 'all is well'}: exit status {report.status:d}"
