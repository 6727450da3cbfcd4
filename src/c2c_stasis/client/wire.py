"""What is sent and what it is answered with, without sending anything: the same for both clients."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import msgspec
from msgspec import Struct

from c2c_stasis.client.errors import Error, NotUnderstood, refused_with

T = TypeVar("T")
Json = dict[str, Any]
Value = str | int | float | bool | Sequence[str] | None
"""What a query may be given; None is left out."""

TIMEOUT = 30.0  # seconds for one answer; an ordinary one takes milliseconds
PAGE = 100  # entries asked for at a time


@dataclass(frozen=True, slots=True)
class Request:
    """`path` begins with `/`, and has its query with it. `patience` are seconds, where they are not those of the client."""

    method: str
    path: str
    body: object | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    patience: float | None = None

    def content(self) -> bytes | None:
        """The body as it is sent."""
        return None if self.body is None else json.dumps(self.body, default=_plain).encode()

    def heading(self, common: Mapping[str, str]) -> dict[str, str]:
        """All headers, with those that every request has."""
        kind = {} if self.body is None else {"Content-Type": "application/json"}
        return {**common, **kind, **self.headers}


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; the names of `headers` are in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Json:
        """The object that it holds; empty when there is none. Raises `Refused`, `NotUnderstood`."""
        return self.of(Json) if self.accepted().body else {}

    def of(self, kind: type[T]) -> T:
        """What it holds. Raises `Refused`, `NotUnderstood`."""
        try:
            return msgspec.json.decode(self.accepted().body, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise NotUnderstood(f"the answer with status {self.status} is none of this API: {error}") from error

    def accepted(self) -> "Answer":
        """Itself. Raises `Refused` when it is an error, `NotUnderstood` when it is one of something else, or it leads away."""
        if not 200 <= self.status < 300:
            raise self._refused()
        return self

    def _refused(self) -> Error:
        if self.status < 400:
            return NotUnderstood(f"the answer with status {self.status} is none of this API")
        try:
            told = msgspec.json.decode(self.body, type=_Refusal)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return NotUnderstood(f"the answer with status {self.status} is none of this API")
        return refused_with(self.status)(
            self.status,
            told.error or f"status {self.status}",
            told.code,
            {name: str(reason) for name, reason in told.details.items()},
            retry_after=_seconds(self.headers.get("retry-after", "")),
            request_id=self.headers.get("x-request-id", ""),
        )


class _Refusal(Struct):
    error: str = ""
    code: str = ""
    details: Json = msgspec.field(default_factory=dict)


class Page(Struct, frozen=True):
    """One page of a list; its entries are read when it is known what they are."""

    data: list[msgspec.Raw]
    next_page_url: str | None = None
    previous_page_url: str | None = None

    def of(self, kind: type[T]) -> list[T]:
        """Its entries. Raises `NotUnderstood`."""
        try:
            return [msgspec.json.decode(entry, type=kind) for entry in self.data]
        except msgspec.MsgspecError as error:
            raise NotUnderstood(f"an entry of the list is none of this API: {error}") from error


@dataclass(frozen=True, slots=True)
class Account:
    """Who asks, and for which account."""

    api_key: str = field(repr=False)
    account: str | None

    def headers(self) -> dict[str, str]:
        """What every request has."""
        account = {"DialStack-Account": self.account} if self.account else {}
        return {"Authorization": f"Bearer {self.api_key}", "Accept": "application/json"} | account


@dataclass(frozen=True, slots=True)
class Environment:
    """What `make demo` writes for scripts, and what the command line reads."""

    base_url: str
    api_key: str = field(repr=False)
    account: str | None

    @classmethod
    def read(cls) -> "Environment":
        """Raises `KeyError` when address or key are not there."""
        return cls(os.environ["C2C_BASE_URL"], os.environ["C2C_API_KEY"], os.environ.get("C2C_ACCOUNT") or None)


def require_url(url: str) -> str:
    """The address of a service without the slash at its end. Raises `ValueError` when it is none."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0 or parts.query or parts.fragment:
        raise ValueError(f"{url!r} is not the address of a service, such as https://c2c.example.com")
    return url.rstrip("/")


def address(*path: str, **query: Value) -> str:
    """A path under `/v1`, each part quoted, and a query."""
    url = "/v1/" + "/".join(quote(part, safe="") for part in path)
    asked = urlencode({name: _text(value) for name, value in query.items() if value is not None}, doseq=True)
    return f"{url}?{asked}" if asked else url


def given(**fields: object) -> Json:
    """The fields of a body that are not None."""
    return {name: value for name, value in fields.items() if value is not None}


def _text(value: Value) -> str | list[str]:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else [str(one) for one in value or ()]


def _plain(value: object) -> object:
    """What JSON has a form for, in the place of what is like it."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence):
        return list(value)
    raise TypeError(f"{type(value).__name__} is no value of JSON")


def _seconds(text: str) -> float | None:
    return float(text) if text.isascii() and text.isdigit() else None


class Frames:
    """Puts lines of server-sent events together: `read` gives an event at the empty line after it."""

    def __init__(self) -> None:
        self._fields: dict[str, str] = {}
        self.live = False
        """Whether what was kept has been sent."""

    def read(self, line: bytes) -> Iterator["Frame"]:
        """One line; gives an event if that is whole now. Raises `NotUnderstood`."""
        text = line.rstrip(b"\r\n")
        if text.startswith(b":"):
            self.live = self.live or text == b": live"
        elif text:
            name, _, value = text.decode(errors="replace").partition(":")
            self._fields[name] = value.removeprefix(" ")
        elif self._fields:
            fields, self._fields = self._fields, {}
            if "event" in fields:
                yield _frame(fields)


@dataclass(frozen=True, slots=True)
class Frame:
    """One event of a stream as it is framed; `retry` are seconds, if the service says some."""

    name: str
    data: bytes
    number: int | None
    retry: float | None

    def json(self) -> Json:
        """Its object. Raises `NotUnderstood`."""
        return self.of(Json)

    def of(self, kind: type[T]) -> T:
        """What it tells. Raises `NotUnderstood`."""
        try:
            return msgspec.json.decode(self.data, type=kind)
        except msgspec.MsgspecError as error:
            raise NotUnderstood(f"the event {self.name} is none of this API: {error}") from error


def _frame(fields: Mapping[str, str]) -> Frame:
    number, retry = (fields.get(name, "") for name in ("id", "retry"))
    return Frame(
        fields["event"],
        fields.get("data", "").encode(),
        int(number) if number.isascii() and number.isdigit() else None,
        int(retry) / 1000 if retry.isascii() and retry.isdigit() else None,
    )
