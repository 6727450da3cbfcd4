"""`c2c-stasis trace`: the ladder of a call, and its decisions made again."""

from collections.abc import Callable
from pathlib import Path

import click
import msgspec

from c2c_stasis.arilog.coding import NotReadable
from c2c_stasis.arilog.reading import Line, files_of, lines_by_call, lines_of_call
from c2c_stasis.cli.access import for_account_if_needed
from c2c_stasis.cli.names import user_name
from c2c_stasis.cli.remote import Failed, NotFound, Remote
from c2c_stasis.cli.reporting import EX_REFUSED, EX_UNAVAILABLE, load_config, reporting
from c2c_stasis.cli.tables import counted
from c2c_stasis.config import ConfigError
from c2c_stasis.printable import printable, printable_json
from c2c_stasis.trace import from_log, from_record, svg, terminal
from c2c_stasis.trace.ladder import Ladder
from c2c_stasis.trace.replay import Decision, NoBeginning, replay

_EXIT_STATUS = """\
\b
Exit status:
   0  drawn; or with --replay: every decision is the same again
   1  there is no such call; or with --replay: a decision is not the same
   2  wrong usage, or no key
  69  the log cannot be read, or the service is not running
  77  the key or the account is not accepted
  78  the configuration is wrong
"""


class LogNotReadable(Failed):
    """The log is damaged, of another version, or no log."""

    exit_code = EX_UNAVAILABLE


@click.command(epilog=_EXIT_STATUS)
@for_account_if_needed
@click.argument("call_id", metavar="[CALL_ID]", required=False)
@click.option(
    "--log",
    "log",
    type=click.Path(path_type=Path, exists=True),
    help="A file of the ARI log, or a folder of them.  [the folder that [ari] log of the configuration names]",
)
@click.option("--svg", "file", type=click.Path(path_type=Path, dir_okay=False), help="Draw a picture into this file.")
@click.option("--replay", "again", is_flag=True, help="Make every decision again; without CALL_ID those of all calls.")
def trace(
    reach: Callable[[], Remote],
    path: Path,
    as_json: bool,
    call_id: str | None,
    log: Path | None,
    file: Path | None,
    again: bool,
) -> None:
    """Draw the ladder of a call: who did what when.

    It is drawn from the ARI log when that has the call; else from the record and the event log of the call, for which the
    service is asked. With --replay the signals of the log go through the rules again, and each decision is compared with
    the one of then; this needs the log only, whose numbers may be masked.
    """
    with reporting():
        folder = log or _configured(path, needed=again)
        if again:
            _replay(folder, call_id, as_json=as_json)
        elif call_id is None:
            raise click.UsageError("which call? Give its id; the log of the service and POST /v1/calls tell it.")
        else:
            _show(_ladder(folder, call_id, reach), file, as_json=as_json)


def _configured(path: Path, *, needed: bool) -> Path | None:
    """The folder of the log, as far as a configuration that can be read names one. If it is needed, says what keeps it away."""
    if not path.exists():
        return None
    try:
        named = load_config(path).ari.log
    except ConfigError:
        if needed:
            raise
        return None  # a log that is asked for by name needs no configuration, nor does the record
    folder = Path(named)
    if named and needed and not folder.is_dir():
        raise LogNotReadable(f"{folder}, which [ari] log of {path} names, is no folder yet")
    return folder if named and folder.is_dir() else None


def _ladder(folder: Path | None, call_id: str, reach: Callable[[], Remote]) -> Ladder:
    try:
        lines = _lines(folder, call_id)
        if lines:
            return from_log.ladder(call_id, lines, str(folder))
    except NotReadable as error:
        raise LogNotReadable(str(error)) from error
    remote = reach()
    record = remote.get("calls", call_id)
    events = remote.get("calls", call_id, "events")["data"]
    why = f"{folder} does not have the call" if folder else "there is no ARI log"
    return from_record.ladder(record, events, f"{remote.url}; {why}", user_name(remote, record["user_id"]))


def _lines(folder: Path | None, call_id: str) -> list[Line]:
    """What the log has of a call; nothing when it does not say what the call was, for then the record tells more."""
    if folder is None:
        return []
    lines = lines_of_call(files_of(folder), call_id, _warn)
    return lines if any(line["kind"] == "call" for line in lines) else []


def _warn(what: str) -> None:
    click.echo(printable(f"c2c-stasis: {what}"), err=True)


def _show(ladder: Ladder, file: Path | None, *, as_json: bool) -> None:
    if file is not None:
        file.write_text(svg.picture(ladder), encoding="utf-8")
        click.echo(f"{file} drawn from {ladder.source} ({ladder.where})", err=True)
    if as_json:
        click.echo(printable_json(msgspec.json.format(msgspec.json.encode(ladder), indent=2).decode()))
    elif file is None:
        for line in terminal.lines(ladder):
            click.echo(line)


# --- the decisions ---


def _replay(folder: Path | None, call_id: str | None, *, as_json: bool) -> None:
    if folder is None:
        raise click.UsageError("which log? Give --log FILE, or name the folder in [ari] log of the configuration.")
    try:
        calls = lines_by_call(files_of(folder), _warn, call_id)
        if call_id is not None and call_id not in calls:
            raise NotFound(f"{folder} has no call {call_id}")
        same = [_told(one, lines, every=call_id is not None, as_json=as_json) for one, lines in calls.items()]
    except NotReadable as error:
        raise LogNotReadable(str(error)) from error
    if not as_json:
        click.echo(f"{counted(len(same), 'call')}, {same.count(False)} of them decided otherwise than then")
    if not all(same):
        raise SystemExit(EX_REFUSED)


def _told(call_id: str, lines: list[Line], *, every: bool, as_json: bool) -> bool:
    """Tell the decisions of one call, every one or those that differ, and whether all are the same."""
    try:
        decisions = list(replay(lines))
    except NoBeginning as error:
        if not as_json:
            click.echo(f"{call_id}: {error}")
        return True  # there is nothing to compare
    wrong = [one for one in decisions if one.differences]
    if as_json:
        _tell_programs(call_id, decisions)
        return not wrong
    verdict = f"{len(wrong)} {'differs' if len(wrong) == 1 else 'differ'}" if wrong else "all the same"
    click.echo(f"{call_id}: {counted(len(decisions), 'decision')}, {verdict}")
    for one in decisions if every else wrong:
        _tell(one)
    return not wrong


def _tell_programs(call_id: str, decisions: list[Decision]) -> None:
    for one in decisions:
        line = {"call": call_id, "at": one.at, "signal": one.signal, "differences": one.differences}
        click.echo(_json(line | {"then": one.then, "now": one.now}))


def _tell(one: Decision) -> None:
    mark = click.style("differs", fg="red") if one.differences else click.style("same   ", fg="green")
    click.echo(f"{one.at:9.3f} s  {mark}  {printable(f'{one.signal:<34} {_in_short(one.now)}')}".rstrip())
    for name in one.differences:
        click.echo(f"{'':>20} {name} then: {_json(one.then.get(name))}")
        click.echo(f"{'':>20} {name} now:  {_json(one.now.get(name))}")


def _in_short(decided: Line) -> str:
    """`ringing_user: DialLeg a1, DialLeg a2; leg.created`."""
    if "error" in decided:
        return str(decided["error"])
    asked = [f"{one['is']} {one.get('leg_id', '').rpartition('.')[2]}".rstrip() for one in decided["commands"]]
    told = [str(one["type"]) for one in decided["events"]]
    return f"{decided['state']}: {'; '.join(filter(None, (', '.join(asked), ', '.join(told)))) or 'nothing'}"


def _json(value: object) -> str:
    return printable_json(msgspec.json.encode(value).decode())
