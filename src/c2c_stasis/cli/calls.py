"""`c2c-stasis calls`: the call log."""

import json
import sys
from collections.abc import Callable
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path
from typing import Any

import click

from c2c_stasis.cli.access import EXIT_STATUS, for_account
from c2c_stasis.cli.call_record import print_call
from c2c_stasis.cli.names import number_named, user_name, user_named
from c2c_stasis.cli.remote import Failed, Remote
from c2c_stasis.cli.tables import Column, counted, print_list

_FILTERS = (
    click.option("--user", "user_id", metavar="NAME|ID", help="Whose devices rang first."),
    click.option("--did", "did_id", metavar="NUMBER|ID", help="Which phone number was shown."),
    click.option("--direction", type=click.Choice(["outbound", "internal", "inbound"]), help="Which way it went."),
    click.option("--from-number", metavar="NUMBER", help="The number that was shown, as one dials it."),
    click.option("--to-number", metavar="NUMBER", help="The number that was called, as one dials it."),
    click.option(
        "--status",
        type=click.Choice(["completed", "no-answer", "busy", "failed", "voicemail"]),
        help="How it ended; live calls have none.",
    ),
    click.option("--outcome", metavar="WORD", help="How it ended, in one of six words."),
    click.option("--live/--ended", default=None, help="Only live calls, or only those that have ended."),
    click.option(
        "--since", "from_date", metavar="TIME", help="Began then or later: 2026-11-23, or 2026-11-23T08:15:00Z."
    ),
    click.option("--until", "to_date", metavar="TIME", help="Began before."),
)


@click.group("calls", epilog=EXIT_STATUS)
def calls() -> None:
    """The call log: every call, live or ended."""


def _filtered(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_FILTERS):
        command = option(command)
    return command


@calls.command("list", epilog=EXIT_STATUS)
@for_account
@_filtered
@click.option("--most", type=click.IntRange(1), default=20, show_default=True, help="How many calls, the newest first.")
def list_calls(remote: Remote, most: int, **filters: Any) -> None:
    """List calls, newest first."""
    found = islice(remote.every("calls", **_query(remote, filters)), most)
    filtered = any(value is not None for value in filters.values())
    none = "no call fits" if filtered else "there is no call yet. Place one: c2c-stasis call USER +15551234567"
    print_list(remote, found, _columns(remote), none)


def _columns(remote: Remote) -> tuple[Column, ...]:
    name = lru_cache(None)(partial(user_name, remote))
    return (
        ("ID", "id"),
        ("BEGAN", "started_at"),
        ("USER", lambda call: name(call["user_id"])),
        ("FROM", "from_number"),
        ("TO", "to_number"),
        ("STATUS", lambda call: call["status"] or "live"),
        ("OUTCOME", "outcome"),
        ("REASON", "reason"),
        ("SECONDS", "duration_seconds"),
    )


@calls.command("show", epilog=EXIT_STATUS)
@for_account
@click.argument("call_id", metavar="ID")
def show_call(remote: Remote, call_id: str) -> None:
    """Show the record of one call, with its legs and what was measured."""
    print_call(remote, remote.get("calls", call_id))


@calls.command("export", epilog=EXIT_STATUS)
@for_account
@_filtered
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    help="The file to write.  [standard output]",
)
def export_calls(remote: Remote, output: Path | None, **filters: Any) -> None:
    """Write all calls as CSV, newest first; --json makes no difference.

    Telephone numbers stand there as tel:+15551234567, and an apostrophe before what a spreadsheet would take for a formula.
    """
    query = _query(remote, filters)
    try:
        if output is None:
            remote.download(sys.stdout.buffer, "calls.csv", **query)
            return
        with output.open("wb") as file:
            remote.download(file, "calls.csv", **query)
    except BrokenPipeError:
        raise  # nobody reads any more
    except OSError as error:
        raise Failed(f"what came could not be written: {error.strerror or error}") from error


@calls.command("erase", epilog=EXIT_STATUS)
@for_account
@click.argument("number")
def erase_number(remote: Remote, number: str) -> None:
    """Erase a number from the log: it cannot be had back, except from backups.

    The calls stay, without the number and the name beside it. A number of a live call is not erased.
    """
    erased = remote.post("calls", "erase", body={"number": number})
    click.echo(json.dumps(erased) if remote.as_json else f"erased from {counted(erased['calls'], 'call')}")


def _query(remote: Remote, filters: dict[str, Any]) -> dict[str, str]:
    """The filters as the service knows them."""
    query = {name: str(value) for name, value in filters.items() if value is not None}
    if "live" in query:
        query["live"] = query["live"].lower()
    if "user_id" in query:
        query["user_id"] = user_named(remote, query["user_id"])
    if "did_id" in query:
        query["did_id"] = number_named(remote, query["did_id"])
    return query
