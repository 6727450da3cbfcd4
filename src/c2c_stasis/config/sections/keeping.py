"""`[database]`, `[retention]` and `[log]`: what is written down, where, and for how long."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from c2c_stasis.config.problems import Wrong
from c2c_stasis.config.rules import Number, Text, one_of
from c2c_stasis.config.sections.about import About


class LogFormat(StrEnum):
    """How a line of the log is written."""

    JSON = "json"
    TEXT = "text"


def _database_url(text: str) -> str:
    scheme, slashes, rest = text.partition("://")
    if not slashes or not scheme.replace("+", "").isalnum():  # not quoted: a password may be in it
        raise Wrong("is no database URL", 'Write it as url = "sqlite+aiosqlite:///c2c.db"')
    if scheme not in ("sqlite", "sqlite+aiosqlite"):
        raise Wrong(
            f"names the database {scheme!r}", 'This version keeps its records in SQLite: "sqlite+aiosqlite:///c2c.db"'
        )
    if not rest.startswith("/") or rest == "/":
        raise Wrong("names no file", 'Write "sqlite+aiosqlite:///c2c.db", or four slashes for an absolute path')
    return f"sqlite+aiosqlite://{rest}"


_DATABASE_URL = Text(
    'Write it as url = "sqlite+aiosqlite:///c2c.db"',
    "sqlite+aiosqlite:/// and a path: a fourth slash begins an absolute one",
    private=True,
    parse=_database_url,
)
_LEVEL = one_of(["debug", "info", "warning", "error"])
_LOG_FORMAT = one_of(list(LogFormat), LogFormat)


@dataclass(frozen=True, slots=True)
class Database:
    """`[database]`: where calls and the directory are kept."""

    url: Annotated[
        str,
        _DATABASE_URL,
        About("The database file, of one running service alone. A relative path counts from its working directory"),
    ] = "sqlite+aiosqlite:///c2c.db"


@dataclass(frozen=True, slots=True)
class Retention:
    """`[retention]`: how long something is kept."""

    calls_days: Annotated[
        int,
        Number(0, 36_500, "days", whole=True),
        About("After how many days an ended call is deleted, with its events; 0 keeps it for ever", reloads=True),
    ] = 0


@dataclass(frozen=True, slots=True)
class Log:
    """`[log]`: how much is logged, and how it is written."""

    level: Annotated[str, _LEVEL, About("The least important lines that are written", reloads=True)] = "info"
    format: Annotated[LogFormat, _LOG_FORMAT, About("One JSON object a line, or text for people")] = LogFormat.TEXT
