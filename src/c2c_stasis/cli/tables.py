"""What a command prints: an aligned table or a list of fields for people, JSON for programs."""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click

from c2c_stasis.cli.remote import Record, Remote
from c2c_stasis.printable import printable

Column = tuple[str, str | Callable[[Record], object]]
"""A header, and a field of the record or what to make of the record."""


def print_list(remote: Remote, records: Iterable[Record], columns: Sequence[Column], none: str) -> None:
    """Many records; `none` is what to say when there is not one."""
    if remote.as_json:
        click.echo(json.dumps(list(records), indent=2))
        return
    rows = [[_cell(record, value) for _, value in columns] for record in records]
    if rows:
        click.echo("\n".join(table([header for header, _ in columns], rows)))
    else:
        click.echo(none, err=True)


def print_record(remote: Remote, record: Record, **more: Callable[[], object]) -> None:
    """One record, a field a line, and for people `more` that is asked for only then."""
    if remote.as_json:
        click.echo(json.dumps(record, indent=2))
        return
    shown = {name: _cell(record, name) for name in record if not _is_alias(name, record)}
    shown |= {name: _text(value()) for name, value in more.items()}
    shown = {printable(name): printable(value) for name, value in shown.items()}
    width = max(map(len, shown))
    click.echo("\n".join(f"{name:<{width}}  {value}".rstrip() for name, value in shown.items()))


def counted(number: int, what: str) -> str:
    """`1 call`, `2 calls`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def print_deleted(remote: Remote, what: str, key: str) -> None:
    """That something is gone."""
    click.echo(json.dumps({"deleted": key}) if remote.as_json else f"{what} {key} is deleted")


def table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Aligned lines under a header."""
    rows = [list(map(printable, row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(headers, *rows, strict=True)]
    return [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (headers, *rows)
    ]


def _cell(record: Record, value: str | Callable[[Record], object]) -> str:
    return _text(record[value] if isinstance(value, str) else value(record))


def _text(value: Any) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(map(_text, value)) or "-"
        case dict() if "reachable" in value:
            reached = "" if value["reachable"] else ", not reachable"
            return f"{value['uri']} ({value['user_agent'] or 'unknown phone'}{reached})"
        case dict() if "data" in value:
            return _text(value["data"])
        case dict() if "number" in value:
            return str(value["number"] or value.get("device") or "-")
        case dict():
            return json.dumps(value, ensure_ascii=False) if value else "-"
        case _:
            return str(value)


def _is_alias(name: str, record: Record) -> bool:
    """A field that says what another one says: of `user` and `user_id`, one is enough for a person."""
    return f"{name}_id" in record or (name in ("user_id", "target") and "target" in record and name != "target")
