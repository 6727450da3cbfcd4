"""What of the ARI log may be seen: telephone numbers are masked in every spelling, and secrets never get in.

Names of people and devices, addresses of phones and their user agents are kept: without them there is nothing to debug with.
To mask what is masked already changes nothing; so a log with masked numbers can be replayed.
"""

import re
from functools import lru_cache
from typing import Any

from c2c_stasis.logs import hide_secrets, mask_number

_MASK = "•••"
_SHORTEST = 7  # digits; what has fewer is an extension or an emergency number

_SECRET_KEY = re.compile(r"password|secret|token|authorization|api_key|_cred", re.IGNORECASE)
_NUMBER_KEYS = frozenset({"dial_string", "number", "dialstring", "exten", "CONNECTEDLINE(num,i)"})

# What stands first keeps its digits: ids, moments, addresses, and the end of a channel's name.
_NUMBERS = re.compile(
    r"(?P<kept>"
    r"[a-z]{2,8}_[0-9a-z]{26}(?:\.[ab][0-9]+)?"  # call_01h2xcejqtf2nbrexx3vqjhp41.a1
    r"|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    r"|(?<![0-9])[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}[0-9:.]*(?:Z|[+-][0-9]{4})?)?(?![0-9])"
    r"|(?<![0-9.])[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![0-9.])(?::[0-9]{1,5})?"
    r"|(?<=[A-Za-z0-9_.])-[0-9a-f]{8}(?:;[12])?$"  # PJSIP/carrier-0000001f
    r")"
    r"|(?:[+＋]|%2B)\s?\d(?:[ ()./\-\u00a0\u2010-\u2015]{0,2}\d){6,}"  # E.164, however it is grouped
    r"|\d{7,}"
    r"|(?<![\w.])\(?\d{2,5}\)?(?:[ .\-]{1,2}\d{2,4}){2,4}(?![\w.])",  # (555) 123-4567, 020 7946 0018
    re.IGNORECASE,
)


class Mask:
    """What is left of a value when it is written; with `full` numbers only secrets are missing."""

    def __init__(self, *, full: bool) -> None:
        self._text = _without_secrets if full else _masked
        self._full = full

    def __call__(self, value: Any, key: str = "") -> Any:
        """The value, of whatever shape JSON has; `key` is the name under which it stands."""
        if isinstance(value, str):
            return self._named(value, key) if value else value
        if isinstance(value, dict):
            hidden = "value" if _SECRET_KEY.search(str(value.get("attribute", ""))) else ""  # a setting of an object
            return {
                name: _MASK if name == hidden or _is_secret(name) else self(one, name) for name, one in value.items()
            }
        if isinstance(value, list | tuple):
            return [self(one, key) for one in value]
        return value

    def _named(self, text: str, key: str) -> str:
        masked = self._text(text)
        if key not in _NUMBER_KEYS or self._full:
            return masked
        return _number(text) if masked == text else masked


@lru_cache(512)  # the same few dozen names
def _is_secret(name: str) -> bool:
    return _SECRET_KEY.search(name) is not None


def _without_secrets(text: str) -> str:
    return hide_secrets(text)


@lru_cache(4096)  # names, ids and numbers come again in each event of a call
def _masked(text: str) -> str:
    return _NUMBERS.sub(_one, hide_secrets(text))


def _one(found: re.Match[str]) -> str:
    return found[0] if found["kept"] else _number(found[0])


def _number(text: str) -> str:
    """The number of a text that is one, masked, whatever stands between its digits, and whichever digits they are."""
    written = text.replace("%2B", "+").replace("%2b", "+")
    digits = "".join(str(int(char)) for char in written if char.isdecimal())
    if len(digits) < _SHORTEST:
        return text
    return mask_number(f"+{digits}" if written.lstrip()[:1] in ("+", "＋") else digits)
