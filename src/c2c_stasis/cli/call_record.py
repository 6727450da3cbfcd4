"""The record of a call for a person: its fields, and tables of legs, of what was measured, and of when what was reached."""

from datetime import datetime
from typing import Any

import click

from c2c_stasis.cli.remote import Record, Remote
from c2c_stasis.cli.tables import Column, print_list, print_record
from c2c_stasis.trace.words import cause_in_words

_IN_TABLES = ("legs", "quality_metrics", "timings")
_OF_LEGS = {"endpoint": "user's phone", "pstn": "trunk"}


def print_call(remote: Remote, record: Record) -> None:
    """A call; for programs the record as it is."""
    if remote.as_json:
        print_record(remote, record)
        return
    print_record(remote, {name: value for name, value in record.items() if name not in _IN_TABLES})
    _print_table(remote, record["legs"], _legs(datetime.fromisoformat(record["started_at"])))
    _print_table(remote, record["quality_metrics"] or [], _QUALITY)
    reached = [{"what": name, "ms": ms} for name, ms in record["timings"].items() if ms is not None]
    _print_table(remote, reached, _TIMINGS)


def _print_table(remote: Remote, records: list[Record], columns: tuple[Column, ...]) -> None:
    if records:
        click.echo()
        print_list(remote, records, columns, "")


def _legs(began: datetime) -> tuple[Column, ...]:
    def since(name: str) -> Column:
        return name.removesuffix("_at").upper(), lambda leg: _seconds(began, leg[name])

    return (
        ("LEG", lambda leg: leg["id"].rpartition(".")[2]),
        ("WHO", lambda leg: leg["device"] or leg["number"]),
        ("OUTCOME", lambda leg: _words(leg["outcome"] or leg["state"])),
        ("CAUSE", lambda leg: cause_in_words(leg["hangup_cause"]) or None),
        ("SIP", "sip_code"),
        *map(since, ("dialled_at", "ringing_at", "answered_at", "ended_at")),
        ("CONTACT", lambda leg: leg["contact"] or leg.get("trunk")),
    )


_QUALITY: tuple[Column, ...] = (
    ("MEDIA FROM", lambda one: _OF_LEGS.get(one["leg"], one["leg"])),
    ("MOS", "mos"),
    ("LOSS", lambda one: _measured(one["packet_loss_pct"], "%")),
    ("JITTER", lambda one: _measured(one["jitter_ms"], "ms")),
    ("ROUND TRIP", lambda one: _measured(one["rtt_ms"], "ms")),
)
_TIMINGS: tuple[Column, ...] = (
    ("REACHED", lambda one: _words(one["what"].removesuffix("_ms"))),
    ("AFTER", lambda one: f"{one['ms'] / 1000:7.3f} s"),
)


def _seconds(began: datetime, moment: str | None) -> str | None:
    """`1.041 s`: since the call was accepted."""
    return None if moment is None else f"{(datetime.fromisoformat(moment) - began).total_seconds():.3f} s"


def _measured(value: float | None, unit: str) -> str | None:
    return None if value is None else f"{value:g} {unit}"


def _words(value: Any) -> str:
    return str(value).replace("_", " ")
