"""What of the ARI log may be seen: telephone numbers are masked in every spelling, and secrets never get in.

Names of people and devices, addresses of phones and their user agents are kept: without them there is nothing to debug with.
To mask what is masked already changes nothing; so a log with masked numbers can be replayed. Whole lines of JSON are masked as
text, which is ten times as fast as to walk through their values.
"""

import re
from functools import lru_cache
from typing import Any

import msgspec

from c2c_stasis.logs import SIGNS_OF_SECRETS, hide_secrets, mask_number

_MASK = "•••"
_SHORTEST = 7  # digits; what has fewer is an extension or an emergency number

_SECRET_KEY = re.compile(r"password|secret|token|authorization|api_key|_cred", re.IGNORECASE)
_SIGNS = (*SIGNS_OF_SECRETS, "authorization", "_cred")  # a line without any of them holds no secret

# Digits, and between them what people and carriers put there. Whether it is a number is looked at where it stands.
# That it begins a run of digits, and no moment, is asked after the first one: so the search stops at digits only. The digits of
# an escape (\u0001) belong to no number, or the line would be no JSON any more.
_CANDIDATE = re.compile(
    r"\d(?:(?<!\d\d)(?<!\\u\d)|(?<=\\u\d{4}\d))(?!\d{3}-\d\d-\d\d[T ]\d\d:)"
    r"[\d ()./\-\u00a0\u00ad\u00b7\u2000-\u2015\u202a-\u202f\u2060\u3000\ufeff]{5,}\d",
)
_CANDIDATE_IN_ASCII = re.compile(  # the same, in half the time
    r"[0-9](?:(?<![0-9][0-9])(?<!\\u[0-9])|(?<=\\u[0-9]{4}[0-9]))(?![0-9]{3}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:)"
    r"[0-9 ()./\-]{5,}[0-9]",
)
_CANDIDATE_OR_ESCAPE = re.compile(  # in a URL, where blanks, brackets and dashes stand with a percent sign
    r"%[0-9A-Fa-f]{2}|\d(?:(?<!\d\d)(?<!\\u\d)|(?<=%[0-9A-Fa-f]{2}\d)|(?<=\\u\d{4}\d))(?!\d{3}-\d\d-\d\d[T ]\d\d:)"
    r"(?:[\d ()./\-\u00a0\u00ad\u00b7\u2000-\u2015\u202a-\u202f\u2060\u3000\ufeff]|%(?:20|28|29|2[Dd])){5,}\d",
)
_ESCAPE = re.compile(r"%..")
_DATE = re.compile(r"(?:19|20)[0-9]{2}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])(?![0-9-])")
_MOMENT = re.compile(r"[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{1,9}")  # 09:46:52.839123, whose end looks like a number
_CLOCK = 6  # characters of it before the seconds
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_ADDRESS = re.compile(rf"(?:{_OCTET}\.){{3}}{_OCTET}(?![0-9.])")
_CHANNEL = re.compile(r"[A-Za-z0-9]+/[^\"\s]+-[0-9a-f]{8}")  # PJSIP/carrier-0000001f
_OF_A_CHANNEL = re.compile(r"-[0-9a-f]{8}(?![0-9A-Za-z])")
_CHANNEL_TAIL = 9  # characters
# In what Asterisk measured of the media, such as RTPAUDIOQOS.
_FIGURES = ("rxjitter=", "txjitter=", "rtt=", "rxmes=", "txmes=", "rxlost=", "txlost=", "ssrc=")
_ID = re.compile(
    r"\b[a-z]{2,8}_[0-9a-z]{26}(?![0-9a-z])|\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"
)
_LONGEST_ID = 40  # characters
_QUOTES = re.compile(r'\\.|"')
_BEFORE_VALUES = frozenset("[,:")
_NO_NAME = frozenset("\\{[,: \t")  # after these a quotation mark is one inside a text, or seems to begin one
# "15551234567", <+15551234567>, PJSIP/15551234567@carrier: no id, date or address stands so.
_BEFORE, _AFTER = frozenset('"+/<'), frozenset('"@>')


class Mask:
    """What is left of a line when it is written; with `full` numbers only secrets are missing."""

    def __init__(self, *, full: bool) -> None:
        self._full = full

    def line(self, fields: Any) -> str:
        """What may be written, as JSON."""
        text = msgspec.json.encode(fields).decode()
        if _may_hold_secrets(text):
            text = msgspec.json.encode(_without_secrets(msgspec.json.decode(text))).decode()
            text = hide_secrets(text)
        return text if self._full else mask_numbers(text)

    def dial_string(self, text: str) -> str:
        """What somebody asked to dial, which may be written in ways that are not met anywhere else."""
        if self._full or sum(char.isdecimal() for char in text) < _SHORTEST:
            return text
        return _number(text)


def mask_numbers(text: str) -> str:
    """A line of JSON, or a part of it without quotation marks, with every telephone number in it masked."""
    if "%2" in text:
        return _CANDIDATE_OR_ESCAPE.sub(lambda found: found[0] if found[0][0] == "%" else _judged(found), text)
    return (_CANDIDATE_IN_ASCII if text.isascii() else _CANDIDATE).sub(_seen, text)


def _may_hold_secrets(text: str) -> bool:
    small = text.lower().replace("asterisk_", "")  # in each event, and no sk_ of a key
    for sign in _SIGNS:  # noqa: SIM110 # each line comes by here, and any() takes twice as long
        if sign in small:
            return True
    return False


def _seen(found: re.Match[str]) -> str:
    """A candidate as it may be seen. Of most it is clear at once what they are, and they are most of the work."""
    what, text, start = found[0], found.string, found.start()
    before = text[start - 1 : start]
    if before == ":" and text[start - 2] == '"' and text[start - 3] not in _NO_NAME:
        return what  # a number of JSON
    if what.isdecimal() and before in _BEFORE and text[found.end() : found.end() + 1] in _AFTER:
        return _number(what)
    return _judged(found)


def _judged(found: re.Match[str]) -> str:
    """A candidate as it may be seen: what is no telephone number keeps its digits."""
    what, text, start, end = found[0], found.string, found.start(), found.end()
    if _is_number_of_json(text, start):
        return what
    bare = _ESCAPE.sub("", what) if "%" in what else what
    if sum(map(str.isdecimal, bare)) < _SHORTEST:
        return what
    if text.endswith(_FIGURES, 0, start):
        return what
    if text[start - 1 : start] == ":" and _MOMENT.fullmatch(text, max(0, start - _CLOCK), end):
        return what
    dash = text.rfind("-", max(0, start - 1), end)
    if dash >= 0 and end <= dash + _CHANNEL_TAIL and _names_channel(text, dash):
        return what if dash < start else mask_numbers(text[start:dash]) + text[dash:end]
    for kind in (_DATE, _ADDRESS):
        if kept := kind.match(text, start, end):
            return kept[0] + mask_numbers(text[kept.end() : end])
    if any(one.start() <= start and end <= one.end() for one in _ids(text, start, end)):
        return what
    return _number(bare)


def _is_number_of_json(text: str, start: int) -> bool:
    """Whether what begins here is no text but a number: `"at":1700000000.5`, `[-1.23456789]`, `"n": 12345678`."""
    before = text[max(0, start - 4) : start].rstrip(" -")
    return before[-1:] in _BEFORE_VALUES and _outside_of_texts(text, start)


def _outside_of_texts(text: str, at: int) -> bool:
    quotes: list[str] = _QUOTES.findall(text, 0, at)
    return quotes.count('"') % 2 == 0


def _names_channel(text: str, dash: int) -> bool:
    """Whether the text that began with the last quotation mark is the name of a channel, whose own part begins here."""
    if _OF_A_CHANNEL.match(text, dash) is None:
        return False
    return _CHANNEL.fullmatch(text, text.rfind('"', 0, dash) + 1, dash + _CHANNEL_TAIL) is not None


def _ids(text: str, start: int, end: int) -> list[re.Match[str]]:
    return list(_ID.finditer(text, max(0, start - _LONGEST_ID), end + _LONGEST_ID))


@lru_cache(1024)  # the numbers of a call are in each of its events
def _number(text: str) -> str:
    """A number, masked, whatever stands between its digits, and whichever digits they are; a plus before it stays."""
    return mask_number("".join(str(int(char)) for char in text if char.isdecimal()))


def _without_secrets(value: Any) -> Any:
    """A value of JSON without what its name, or the name of the setting that it is, calls a secret."""
    if isinstance(value, dict):
        hidden = "value" if _SECRET_KEY.search(str(value.get("attribute", ""))) else ""
        return {
            name: _MASK if name == hidden or _SECRET_KEY.search(name) else _without_secrets(one)
            for name, one in value.items()
        }
    return [_without_secrets(one) for one in value] if isinstance(value, list) else value
