"""Fields of a body or a query as a struct: each wrong one is named, and names what would be right."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar, get_args

import msgspec
from msgspec import NODEFAULT, UNSET, Struct, UnsetType
from msgspec.structs import fields

from c2c_stasis.api import problems
from c2c_stasis.errors import InvalidRequest

S = TypeVar("S", bound=Struct)

Text = str | None | UnsetType
"""A text that a request may leave out, and that null empties."""

_WORDS = {
    "str": "a text",
    "int": "a whole number",
    "bool": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "null",
}
_TYPES = re.compile(r"Expected `([^`]+)`(?:, got `[^`]+`)?")
_LIMIT = re.compile(r"Expected `(str|int|object|array)` (>=|<=|of length >=|of length <=) ")
_LIMITS = {
    ">=": "of at least",
    "<=": "of at most",
    "of length >=": "with a length of at least",
    "of length <=": "with a length of at most",
}
_WHERE = re.compile(r" - at `\$\.?([^`]*)`")


def read(
    kind: type[S],
    given: Mapping[str, object],
    *,
    strict: bool = True,
    unknown: str = "is not a known field",
    within: str = "",
) -> S:
    """The struct that these fields make.

    A field that names another resource is understood with and without `_id`, and the one without wins. Without `strict`, texts
    are read as the numbers and words they stand for, as in a query. `within` stands before the name of a wrong field. Raises
    `Problem`.
    """
    known = {field.encode_name: field for field in fields(kind)}
    spelt = _with_ids(given, known)
    for name in spelt:
        if name not in known:
            raise problems.invalid(within + name, unknown)
    values = {}
    for name, field in known.items():
        value = spelt.get(name)
        if field.default is NODEFAULT and field.default_factory is NODEFAULT and value in (None, ""):
            raise problems.missing(within + name)
        if name in spelt:
            values[field.name] = _value(within + name, value, field.type, strict=strict)
    return kind(**values)


def _words_of(kind: object) -> list[str]:
    """The words that a field may be, when it may be some words only."""
    known = msgspec.inspect.type_info(kind)
    kinds = known.types if isinstance(known, msgspec.inspect.UnionType) else (known,)
    words: list[str] = []
    for one in kinds:
        if isinstance(one, msgspec.inspect.LiteralType):
            words += [str(value) for value in one.values]
        elif isinstance(one, msgspec.inspect.EnumType):
            words += [str(value.value) for value in one.cls]
    return words


def said(body: Struct) -> dict[str, Any]:
    """The fields that a request holds; a text that is null is empty."""
    given = {field.name: (getattr(body, field.name), field.type) for field in fields(body)}
    return {
        name: "" if value is None and kind == Text else value
        for name, (value, kind) in given.items()
        if value is not UNSET
    }


@contextmanager
def called(names: Mapping[str, str]) -> Iterator[None]:
    """Let a refused field have the name that it has in the API."""
    try:
        yield
    except InvalidRequest as error:
        error.field = names.get(error.field, error.field)
        raise


def _with_ids(given: Mapping[str, object], known: Mapping[str, object]) -> dict[str, object]:
    spelt = dict(given)
    for name in known:
        alias = name.removesuffix("_id")
        if alias not in known and alias in spelt:
            value = spelt.pop(alias)
            if value not in (None, "") or name not in spelt:
                spelt[name] = value
    return spelt


def _value(name: str, value: object, kind: object, *, strict: bool) -> object:
    inner = next((one for one in (kind, *get_args(kind)) if isinstance(one, type) and issubclass(one, Struct)), None)
    if inner is not None and isinstance(value, dict):
        return read(inner, value, strict=strict, within=f"{name}.")
    try:
        return msgspec.convert(value, kind, strict=strict)
    except msgspec.ValidationError as error:
        within = _WHERE.search(str(error))
        path = f"{name}.{within[1]}" if within and within[1] else name
        raise problems.invalid(path, _reason(_WHERE.sub("", str(error)), kind)) from error


def _reason(text: str, kind: object) -> str:
    """What msgspec says, in words of the API: "Expected `str | null`, got `int`"."""
    if text.startswith("Invalid enum value") and (words := _words_of(kind)):
        return f"must be one of {', '.join(words)}"
    text = _LIMIT.sub(lambda found: f"must be {_WORDS[found[1]]} {_LIMITS.get(found[2], found[2])} ", text)
    if types := _TYPES.fullmatch(text):
        names = types[1].split(" | ")
        return "must be " + " or ".join(_WORDS.get(name, name) for name in names)
    if text.startswith("Object contains unknown field"):
        return f"holds the unknown field {text.partition('`')[2].rstrip('`')[:64]}"
    return text.replace("Expected", "must be").replace("`", "")
