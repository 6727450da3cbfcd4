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
# That it begins a run of digits, and no moment, is asked after the first one: so the search stops at digits only.
_CANDIDATE = re.compile(
    r"\d(?<!\d\d)(?!\d{3}-\d\d-\d\d[T ]\d\d:)[\d ()./\-\u00a0\u2010-\u2015]{5,}\d",
)
_CANDIDATE_IN_ASCII = re.compile(  # the same, in half the time
    r"[0-9](?<![0-9][0-9])(?![0-9]{3}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:)[0-9 ()./\-]{5,}[0-9]",
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?![0-9-])")
_SECONDS = re.compile(r"[0-9]{2}\.[0-9]{1,9}")  # of a moment, such as 09:46:52.839123
_ADDRESS = re.compile(r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![0-9.])")
_CHANNEL = re.compile(r"[A-Za-z0-9]+/[^\"\s]+-[0-9a-f]{8}")  # PJSIP/carrier-0000001f
_CHANNEL_TAIL = 9  # characters
_ID = re.compile(
    r"\b[a-z]{2,8}_[0-9a-z]{26}(?![0-9a-z])|\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"
)
_LONGEST_ID = 40  # characters


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
    """The text, of one value or of a line of JSON, with every telephone number in it masked."""
    return (_CANDIDATE_IN_ASCII if text.isascii() else _CANDIDATE).sub(_seen, text)


def _may_hold_secrets(text: str) -> bool:
    small = text.lower().replace("asterisk_", "")  # in each event, and no sk_ of a key
    for sign in _SIGNS:  # noqa: SIM110 # each line comes by here, and any() takes twice as long
        if sign in small:
            return True
    return False


def _seen(found: re.Match[str]) -> str:
    """A candidate as it may be seen: what is no telephone number keeps its digits."""
    text, start = found.string, found.start()
    before = text[start - 3 : start]
    if before[1:] == '":' and before[0] != "\\":
        return found[0]  # a number of JSON; what stands so in a text has a backslash before the quote
    end = found.end()
    if before == '":-' and text[start - 4] != "\\":
        return found[0]
    if sum(map(str.isdecimal, found[0])) < _SHORTEST:
        return found[0]
    if text[start - 1 : start] == ":" and _SECONDS.fullmatch(found[0]):
        return found[0]
    for kind in (_DATE, _ADDRESS):
        if kept := kind.match(text, start, end):
            return kept[0] + mask_numbers(text[kept.end() : end])
    if text[end - _CHANNEL_TAIL : end - _CHANNEL_TAIL + 1] == "-" and _names_channel(text, end):
        cut = max(start, end - _CHANNEL_TAIL)
        return mask_numbers(text[start:cut]) + text[cut:end]
    if any(one.start() <= start and end <= one.end() for one in _ids(text, start, end)):
        return found[0]
    return _number(found[0])


def _names_channel(text: str, end: int) -> bool:
    """Whether the text that ends here, and began with the last quotation mark, is the name of a channel."""
    return _CHANNEL.fullmatch(text, text.rfind('"', 0, end) + 1, end) is not None


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
