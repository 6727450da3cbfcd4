"""`c2c-stasis trunks`: the ways out that the configuration names, and how they stand at Asterisk."""

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from c2c_stasis.cli.reporting import config_option, load_config, reporting
from c2c_stasis.config import Config, Trunk
from c2c_stasis.errors import DestinationNotAllowed, InvalidRequest, NumberNotDialable
from c2c_stasis.ids import AccountId
from c2c_stasis.printable import printable

if TYPE_CHECKING:
    from c2c_stasis.directory.dial_strings import Dialled
    from c2c_stasis.doctor.trunk_report import TrunkReport

EXAMPLE, EXAMPLE_REGION = "+442079460018", "GB"
EXTENSION_LENGTH = 4  # of a new account; the example is longer

_EXIT_STATUS = """\
\b
Exit status:
   0  every trunk can be reached, as far as Asterisk knows
   1  there is no trunk
  69  a trunk cannot be reached, or Asterisk cannot be asked
  78  the configuration is wrong, for one a trunk whose endpoint Asterisk does not have
"""

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")


@click.group()
def trunks() -> None:
    """The ways out to the telephone network. They are kept in the configuration file."""


@trunks.command("list")
@config_option
@json_option
@click.option("--account", default="", metavar="ID", help="Whose call it is, for routes of certain accounts.")
@click.option("--number", default=EXAMPLE, show_default=True, help="What to dial, for the example.")
@click.option(
    "--region", default=EXAMPLE_REGION, show_default=True, metavar="CC", help="The country it is dialled from."
)
def list_trunks(path: Path, as_json: bool, account: str, number: str, region: str) -> None:
    """Show the trunks, and what each would send for a number.

    Also in which order they are tried for it.
    """
    from c2c_stasis.call.model import DestinationKind  # the numbers of the world take their time to be read
    from c2c_stasis.directory import dial_strings
    from c2c_stasis.store import validation

    with reporting():
        config = load_config(path)
    try:
        validation.region(region)
        dialled = dial_strings.parse(number, region=region, extension_length=EXTENSION_LENGTH)
    except InvalidRequest as error:
        option = "--number" if isinstance(error, NumberNotDialable) else "--region"
        raise click.UsageError(f"{option} {error.reason}") from error
    if dialled.kind is DestinationKind.EXTENSION:
        raise click.UsageError("--number: an extension does not leave through a trunk")
    rows = [_described(trunk, dialled) for trunk in config.trunks]
    tried = _tried(config, dialled, account)
    if as_json:
        click.echo(json.dumps({"number": dialled.number, "region": region, "trunks": rows, "tried": tried}))
        return
    if not rows:
        click.echo("no trunk: only extensions can be called. Add a [[trunks]] section to the configuration.")
        return
    click.echo(f"Dialled from {region}: {dialled.number}\n")
    for line in _table(
        ("trunk", "carries", "format", "prefix", "sends"), [[str(cell or "") for cell in row.values()] for row in rows]
    ):
        click.echo(line)
    click.echo(f"\nTried for this number, in this order: {', '.join(tried) or 'none of them'}")


@trunks.command("check", epilog=_EXIT_STATUS)
@config_option
@json_option
def check(path: Path, as_json: bool) -> None:
    """Ask Asterisk whether the carrier of each trunk answers.

    Also how fast, and where the trunk registers. Asterisk sends the OPTIONS by itself (qualify_frequency of the aor); this
    command sends nothing.
    """
    with reporting():
        config = load_config(path)
        from c2c_stasis.doctor.trunk_report import (
            look_at_trunks,  # asyncari takes its time, and other commands need none
        )

        report = asyncio.run(look_at_trunks(config))
    click.echo(json.dumps(_as_object(report)) if as_json else "\n".join(map(printable, _story(report))))
    raise SystemExit(int(report.status))


def _tried(config: Config, dialled: "Dialled", account: str) -> list[str]:
    """The names of the trunks that are tried for a call that is no test, first choice first."""
    from c2c_stasis.directory import trunks as routes

    try:
        found = routes.choose(config.trunks, dialled, AccountId(account), config.routes)
    except DestinationNotAllowed:
        return []
    return [trunk.name for trunk in found]


def _described(trunk: Trunk, dialled: "Dialled") -> dict[str, str]:
    from c2c_stasis.directory import trunks as routes

    carries = "emergency calls" if trunk.emergency else "calls of test keys" if trunk.test else "calls"
    try:
        sends = routes.endpoint(trunk, dialled)
    except NumberNotDialable as error:
        sends = f"nothing: {error.reason}"
    return {
        "trunk": trunk.name,
        "carries": carries,
        "format": trunk.format.value,
        "prefix": trunk.prefix,
        "sends": sends,
    }


def _table(head: tuple[str, ...], rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in [list(head), *rows]) for column in range(len(head))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in [head, *rows]
    ]


def _story(report: "TrunkReport") -> list[str]:
    if report.trouble is not None:
        return [report.trouble.fact, f"  {report.trouble.fix}"]
    if not report.trunks:
        return ["no trunk: only extensions can be called. Add a [[trunks]] section to the configuration."]
    lines = []
    for state, finding in report.trunks:
        lines.append(f"{state.trunk.name}  {state.reach}  {finding.fact}")
        for contact in state.contacts:
            rtt = f", {contact.rtt_ms:.1f} ms" if contact.rtt_ms is not None else ""
            lines.append(f"  {contact.uri}  {contact.status}{rtt}")
        if state.registration:
            registration = state.registration
            lines.append(f"  registers at {registration.server} as {registration.client};")
            lines.append("  whether it is registered now: asterisk -rx 'pjsip show registrations' (ARI does not tell)")
        if finding.fix:
            lines.append(f"  {finding.fix}")
    return lines


def _as_object(report: "TrunkReport") -> dict[str, object]:
    trouble = report.trouble
    return {
        "exit_status": int(report.status),
        "code": trouble.code if trouble else None,
        "fact": trouble.fact if trouble else None,
        "trunks": [
            {
                "trunk": state.trunk.name,
                "endpoint": state.endpoint,
                "reach": state.reach.value,
                "code": finding.code or None,
                "fact": finding.fact,
                "contacts": [
                    {"uri": contact.uri, "status": contact.status, "rtt_ms": contact.rtt_ms}
                    for contact in state.contacts
                ],
                "registers_at": state.registration.server if state.registration else None,
                "registers_as": state.registration.client if state.registration else None,
            }
            for state, finding in report.trunks
        ],
    }
