"""Calls as CSV (RFC 4180), so that no cell is a formula.

Spreadsheets carry out what begins with = + - or @, and names come from strangers. Telephone numbers begin with + and are
written as `tel:+15551234567` (RFC 3966): a spreadsheet leaves that alone, and would turn bare digits into a rounded number.
Before any other such text stands an apostrophe.
"""

import csv
import io
from collections.abc import Iterable

import msgspec

from c2c_stasis.api.records import record_of
from c2c_stasis.call.model import Call

COLUMNS = (
    *("id", "started_at", "answered_at", "connected_at", "ended_at", "duration_seconds", "direction", "user_id"),
    *("endpoint_id", "did_id", "from_number", "from_label", "to_number", "to_label", "status", "outcome", "reason"),
    *("failed_leg", "ended_by", "hangup_cause", "sip_code", "metadata", "ended_at_estimated"),
)
_NUMBERS = ("from_number", "to_number")
# The last four are the full-width forms, which some spreadsheets take for the same; white space before any of them is ignored.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def head() -> bytes:
    """The first line."""
    return _lines([COLUMNS])


def lines(calls: Iterable[Call]) -> bytes:
    """A line for each call."""
    return _lines(_cells(call) for call in calls)


def _cells(call: Call) -> list[str]:
    record = record_of(call)
    return [_cell(name, getattr(record, name)) for name in COLUMNS]


def _cell(name: str, value: object) -> str:
    if name == "metadata":
        value = msgspec.json.encode(value).decode() if value else ""
    if isinstance(value, bool):
        value = "true" if value else "false"
    text = "" if value is None else str(value)
    if name in _NUMBERS and text.startswith("+"):
        return f"tel:{text}"
    return f"'{text}" if text.lstrip().startswith(_FORMULA) or text.startswith(_FORMULA) else text


def _lines(rows: Iterable[Iterable[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
