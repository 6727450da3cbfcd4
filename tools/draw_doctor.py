"""Writes docs/doctor.md from the code: what the doctor asks, every fault it can name, and the advisories it knows.

With `--check` it writes nothing and exits 1 when the file is stale.
"""

import sys
from collections.abc import Iterable
from pathlib import Path

import click

from c2c_stasis.doctor import checks
from c2c_stasis.doctor.advisories import ADVISORIES, ADVISORY, CHANGE_LOG
from c2c_stasis.doctor.check import Check
from c2c_stasis.doctor.examination import EVERY_FAULT
from c2c_stasis.doctor.findings import Level, Status

FILE = Path(__file__).parents[1] / "docs" / "doctor.md"

STATUSES: dict[Status, str] = {
    Status.WELL: "all is well, as far as can be seen, but for warnings that do not count without `--strict`",
    Status.WARNING: "warnings: calls work, but not as well or as safely as they should",
    Status.UNAVAILABLE: "something that is needed is not there: Asterisk, a carrier, the database, the port",
    Status.CONFIG: "the configuration is wrong: the service's, Asterisk's or the machine's",
}

LEVELS: dict[Level, str] = {
    Level.OK: "all is well, and this was seen",
    Level.WARNING: "calls work, but not as well or as safely as they should",
    Level.ERROR: "calls fail, come late, or can be misused",
    Level.UNSEEN: "it cannot be seen from here, or you asked to ignore it; no fault is known",
    Level.SKIPPED: "something that this check needs is missing, and another check says what",
}

INTRODUCTION = """\
`c2c-stasis doctor` looks at the configuration, Asterisk, the database and the machine, and names each fault with its code, its
fix and its exit status; `--json` says the same to programs. Run it as the user who runs the service, before the first start and
whenever something is strange. `--ignore CODE` says a fault without counting it, for what is meant to be so.

Warnings with the exit status 0 are about what is prepared after the first call: trunk, locations and who is told for emergency
calls ([emergency.md](emergency.md#what-to-prepare)). They are said every time; `--strict` counts them too, as 1: use it
where others rely on the service.

It may run beside a service with live calls. It dials nothing, changes no setting and connects under an application name of its
own, so that the service keeps its own. What leaves a trace: one counter in the database is raised, to prove that it can be
written; one channel is made in Asterisk, never dialled, and removed (Asterisk reads its functions only on a channel); where the
service makes phones, one is made that nobody can use, and removed; and ports and the folder of the ARI log are
tried for a moment.

Without `--security`, everything of Asterisk is asked over ARI, and its files are not read. Four modules help it to see:
`func_config` (limits in `http.conf` and `ari.conf`), `func_dialplan` (where a phone's context leads), `func_pjsip_aor` and
`func_pjsip_contact` (whether a trunk answers). Without one, the check says so, and the others are made. What ARI does not tell
at all: whether Asterisk is registered at a carrier (`asterisk -rx 'pjsip show registrations'`). Contexts of trunks are not
judged: from outside, an inbound route looks like a way out.

## With --security

`c2c-stasis doctor --security` asks instead who could get in, dial out, or read along. It looks at every endpoint that Asterisk
has, not only at those of the directory. A carrier is left out of what is asked of phones: a trunk of the configuration, or an
endpoint without a password that an `identify` section knows by its address.

What ARI cannot tell it reads in Asterisk's files, templates and includes carried out: the users of `ari.conf` and
`manager.conf`, access lists, `identify` sections, and who may read each file. They are looked for in `/etc/asterisk` if
`[ari] url` is this machine; `--asterisk-etc FOLDER` names another folder, such as the one that a container mounts, or a copy
with its rights kept. Whether it is the folder that this Asterisk reads is held against Asterisk's own reader. Run it as root,
or as a user who may read them. What cannot be read is `not seen`, and says why; it is never `ok`. Where ARI and the manager
interface listen, `live_dangerously` and `allowed_origins` are then asked of Asterisk itself, over ARI.

What it does not see: firewalls, and what a network in between forwards; a setting that was changed after Asterisk read it
(`asterisk.conf` counts as it was at the start, most others as they were at the last reload); objects of a realtime database
beyond what ARI tells; where the contexts of carriers lead; how long SIP passwords are; what a line with `#exec` would print,
for no program is run.

## For programs

`--json` prints `{"exit_status": …, "findings": [{"check", "level", "code", "fact", "fix", "exit_status"}]}`; `code` and `fix`
are null where there is no fault. Codes, levels and exit statuses stay as they are; facts and fixes are prose."""


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """A Markdown table."""
    columns = list(head)
    return [_row(columns), _row("---" for _ in columns), *(_row(row) for row in rows)]


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def faults() -> list[str]:
    """Every code."""
    rows = (
        (f"`{fault.code}`", check, fault.level.value, str(int(fault.status)), fault.meaning, fault.fix)
        for check, fault in EVERY_FAULT
    )
    return table(("Code", "Check", "Level", "Exit status", "Meaning", "Fix"), rows)


def questions(asked: Iterable[Check]) -> list[str]:
    """What each check asks."""
    return table(("Check", "Asks"), ((check.name, check.question) for check in asked))


def advisories() -> list[str]:
    """The known holes, newest first."""
    rows = (
        (f"[{one.id}]({ADVISORY.format(id=one.id)})", one.about, ", ".join(".".join(map(str, v)) for v in one.fixed_in))
        for one in ADVISORIES
    )
    return table(("Advisory", "About", "Closed in"), rows)


def page() -> str:
    """The whole file."""
    parts = (
        ["# The doctor", "", "Drawn from the code by `tools/draw_doctor.py`; do not edit."],
        [INTRODUCTION],
        ["## Faults", "", *faults()],
        [
            "## Exit status",
            "",
            "The largest of all findings.",
            "",
            *table(("Exit status", "Means"), ((str(int(status)), STATUSES[status]) for status in Status)),
        ],
        ["## Levels", "", *table(("Level", "Means"), ((level.value, LEVELS[level]) for level in Level))],
        ["## Checks", "", *questions(checks.ALL)],
        ["## Checks with --security", "", *questions(checks.SECURITY)],
        [
            "## Advisories",
            "",
            "Read in November 2026 from the ChangeLogs of the releases that close them, such as",
            f"<{CHANGE_LOG.format(version='22.10.1')}>.",
            "Only what Asterisk uses here is listed: SIP, ARI, its HTTP server, its core.",
            "",
            *advisories(),
        ],
    )
    return "\n".join("\n".join((*part, "")) for part in parts)


@click.command(help=__doc__)
@click.option("--check", is_flag=True, help="Write nothing; exit 1 when the file is stale.")
def main(check: bool) -> None:
    drawn = page()
    if FILE.is_file() and FILE.read_text() == drawn:
        return
    if check:
        click.echo(f"{FILE.relative_to(FILE.parents[1])} is stale: run tools/draw_doctor.py", err=True)
        sys.exit(1)
    FILE.write_text(drawn)
    click.echo(f"{FILE.relative_to(FILE.parents[1])} drawn")


if __name__ == "__main__":
    main()
