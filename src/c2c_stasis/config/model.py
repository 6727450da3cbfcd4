"""The sections of the configuration file and what each key may be; a new key is one line here."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, get_type_hints
from urllib.parse import urlsplit

from c2c_stasis.config.problems import Wrong
from c2c_stasis.config.rules import Flag, Number, Rule, Text, one_of


class NumberFormat(StrEnum):
    """How a carrier wants to be given a number; shown for +44 20 7946 0018, dialled from Great Britain."""

    E164 = "e164"  # +442079460018
    E164_NO_PLUS = "e164-no-plus"  # 442079460018
    ZERO_ZERO = "00"  # 00442079460018
    NATIONAL = "national"  # 02079460018


class LogFormat(StrEnum):
    """How a line of the log is written."""

    JSON = "json"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen; port 0 means any free port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    if int(port) > 65_535:
        raise Wrong(f"names port {port}, which does not exist", "Ports go from 0 (any free one) to 65535")
    return Address(host.strip("[]"), int(port))


def _ari_url(text: str) -> str:
    """The base URL without the `/ari` that every request adds itself."""
    try:
        parts = urlsplit(text)
        usable = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable:
        raise Wrong("is not a complete URL", 'Write it as url = "http://127.0.0.1:8088"')
    if parts.username is not None or parts.query or parts.fragment:
        raise Wrong("holds more than an address", "Name the user and the password in username and password")
    return text.rstrip("/").removesuffix("/ari").rstrip("/")


def _database_url(text: str) -> str:
    scheme, _, rest = text.partition("://")
    if scheme not in ("sqlite", "sqlite+aiosqlite"):
        raise Wrong(
            f"names the database {scheme!r}", 'This version keeps its records in SQLite: "sqlite+aiosqlite:///c2c.db"'
        )
    if not rest.startswith("/") or rest == "/":
        raise Wrong("names no file", 'Write "sqlite+aiosqlite:///c2c.db", or four slashes for an absolute path')
    return f"sqlite+aiosqlite://{rest}"


_LOOPBACK = Address("127.0.0.1", 8080)
_LISTEN = Text(
    'Write it as listen = "127.0.0.1:8080"', r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+):[0-9]{1,5}", parse=_address
)
_ARI_URL = Text(
    'Write it as url = "http://127.0.0.1:8088"', r"https?://[^\s\x00-\x1f\x7f]+", secret=True, parse=_ari_url
)
_ARI_USER = Text("Give the name of the ARI user, as in Asterisk's ari.conf", r"[^\s:\x00-\x1f\x7f]+")
_ARI_PASSWORD = Text("Give the password of the ARI user, as in Asterisk's ari.conf", secret=True)
_DATABASE_URL = Text('Write it as url = "sqlite+aiosqlite:///c2c.db"', secret=True, parse=_database_url)
_TRUNK_ENDPOINT = Text(
    'Write it as endpoint = "PJSIP/{number}@carrier", where carrier is a PJSIP endpoint',
    r"PJSIP/\{number\}@[A-Za-z0-9_.-]{1,64}",
)
_PREFIX = Text("Give the digits that go before every number, or leave the key out", "[0-9]{0,7}")


def _named(what: str) -> Text:
    return Text(f"Give {what} a name of letters, digits, _ and -", r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Http:
    """`[http]`: where the API is served."""

    listen: Annotated[Address, _LISTEN] = _LOOPBACK


@dataclass(frozen=True, slots=True)
class Ari:
    """`[ari]`: how to reach Asterisk."""

    password: Annotated[str, _ARI_PASSWORD] = field(repr=False)
    url: Annotated[str, _ARI_URL] = "http://127.0.0.1:8088"
    username: Annotated[str, _ARI_USER] = "c2c-stasis"
    app: Annotated[str, _named("the Stasis application")] = "c2c-stasis"
    request_timeout: Annotated[float, Number(0.1, 60, "seconds")] = 3.0
    pool: Annotated[int, Number(1, 32, "connections", whole=True)] = 20


@dataclass(frozen=True, slots=True)
class Database:
    """`[database]`: where calls and the directory are kept."""

    url: Annotated[str, _DATABASE_URL] = "sqlite+aiosqlite:///c2c.db"


@dataclass(frozen=True, slots=True)
class Trunk:
    """`[[trunks]]`: a way out to the telephone network.

    `endpoint` is the Asterisk dial string with `{number}` in it. A trunk with `emergency` carries emergency calls and nothing
    else; a trunk with `test` carries the calls of test keys and nothing else.
    """

    name: Annotated[str, _named("the trunk")]
    endpoint: Annotated[str, _TRUNK_ENDPOINT]
    format: Annotated[NumberFormat, one_of(list(NumberFormat), NumberFormat)] = NumberFormat.E164
    prefix: Annotated[str, _PREFIX] = ""
    emergency: Annotated[bool, Flag()] = False
    test: Annotated[bool, Flag()] = False


@dataclass(frozen=True, slots=True)
class Calls:
    """`[calls]`: how long each part of a call may take, and how many a user may have."""

    ring_timeout: Annotated[float, Number(1, 120, "seconds")] = 30.0
    answer_timeout: Annotated[float, Number(1, 180, "seconds")] = 60.0
    max_duration: Annotated[float, Number(1, 86_400, "seconds")] = 14_400.0
    max_calls_per_user: Annotated[int, Number(1, 100, "calls", whole=True)] = 2
    tone_seconds: Annotated[float, Number(0, 30, "seconds")] = 4.0


@dataclass(frozen=True, slots=True)
class Log:
    """`[log]`: how much is logged, and how it is written."""

    level: Annotated[str, one_of(["debug", "info", "warning", "error"])] = "info"
    format: Annotated[LogFormat, one_of(list(LogFormat), LogFormat)] = LogFormat.TEXT


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration."""

    ari: Ari
    http: Http = field(default_factory=Http)
    database: Database = field(default_factory=Database)
    trunks: tuple[Trunk, ...] = ()
    calls: Calls = field(default_factory=Calls)
    log: Log = field(default_factory=Log)


SECTIONS: dict[str, type] = {
    "http": Http,
    "ari": Ari,
    "database": Database,
    "trunks": Trunk,
    "calls": Calls,
    "log": Log,
}


def rules_of(section: type) -> dict[str, Rule]:
    """The keys of a section and the rule of each."""
    return {key: hint.__metadata__[0] for key, hint in get_type_hints(section, include_extras=True).items()}
