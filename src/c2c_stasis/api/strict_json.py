"""Read JSON as strictly as a request that makes telephones ring deserves.

`json.loads` answers deep nesting with `RecursionError`, a number of 5,000 digits with `ValueError` and lets NUL, lone
surrogates and duplicate keys through (Python 3.11); msgspec keeps the last of two equal keys. A text that two readers may
understand differently is refused here, before anybody acts on it.
"""

import json
import math
import re
from collections.abc import Collection
from typing import Any, NoReturn

MAX_BYTES = 16_384
_MAX_DEPTH = 5
_MAX_DIGITS = 16  # what a double holds exactly, and so what JavaScript understands
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


class InvalidJson(Exception):
    """The body is not JSON that we understand; the text says why and quotes nothing.

    `field` is the field whose value alone is at fault, if there is one.
    """

    def __init__(self, reason: str, field: str = "") -> None:
        super().__init__(reason)
        self.field = field


def read_object(body: bytes) -> dict[str, Json]:
    """The JSON object in a body. Raises `InvalidJson`, and nothing else whatever the bytes are."""
    if len(body) > MAX_BYTES:
        raise InvalidJson(f"is longer than {MAX_BYTES} bytes")
    if not body.strip(b" \t\r\n"):
        raise InvalidJson("is empty")
    if body.startswith(_BYTE_ORDER_MARK):
        raise InvalidJson("begins with a byte order mark")
    try:
        value: Json = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_float,
            parse_constant=_constant,
        )
    except UnicodeDecodeError as exc:
        raise InvalidJson("is not UTF-8") from exc
    except json.JSONDecodeError as exc:
        raise InvalidJson(f"is not JSON: {exc.msg} (line {exc.lineno}, column {exc.colno})") from exc
    except RecursionError as exc:
        raise InvalidJson("is nested too deeply") from exc
    if not isinstance(value, dict):
        raise InvalidJson("is not a JSON object")
    for name, item in value.items():
        _check(name, _MAX_DEPTH)
        _check(item, _MAX_DEPTH - 1, name)
    return value


def read_only(body: bytes, names: Collection[str]) -> tuple[dict[str, str], tuple[str, ...]] | None:
    """The texts of an object with these names, and the names of all else, which may be what `read_object` refuses.

    None when it is no JSON object, or when one of these is there twice or holds anything but a line of text.
    """
    if len(body) > MAX_BYTES:
        return None
    try:
        value = json.loads(body.decode("utf-8"), object_pairs_hook=_Pairs, parse_int=len, parse_float=len)
    except (ValueError, RecursionError):  # the former: what is no UTF-8, and what is no JSON
        return None
    if not isinstance(value, _Pairs):
        return None
    wanted = [(name, text.strip() if isinstance(text, str) else text) for name, text in value if name in names]
    found = {name: text for name, text in wanted if isinstance(text, str) and not _UNPRINTABLE.search(text)}
    if len(found) != len(wanted):
        return None
    return found, tuple(dict.fromkeys(name for name, _ in value if name not in names and name.isprintable()))


class _Pairs(list[tuple[str, Any]]):
    """An object as it is written."""


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise InvalidJson("holds a key twice in one object")
    return value


def _integer(digits: str) -> int:
    if len(digits.removeprefix("-")) > _MAX_DIGITS:
        raise InvalidJson("holds a number with too many digits")
    return int(digits)


def _float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise InvalidJson("holds a number that is too large")
    return value


def _constant(_name: str) -> NoReturn:
    raise InvalidJson("holds NaN or Infinity, which JSON does not have")


def _check(value: Json, depth: int, field: str = "") -> None:
    """Refuse deep nesting, and texts with characters that a log, a database or a telephone display could stumble over.

    `field` is the one of the body in which this is a value.
    """
    if depth < 0:
        raise InvalidJson("is nested too deeply")
    match value:
        case str():
            if _UNPRINTABLE.search(value):
                raise InvalidJson("holds control characters or lone surrogates", field)
        case list():
            for item in value:
                _check(item, depth - 1, field)
        case dict():
            for key, item in value.items():
                _check(key, depth)
                _check(item, depth - 1, field)
