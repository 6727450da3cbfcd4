"""What counts in the end: every key with its value and where that comes from; and what differs between two configurations."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from c2c_stasis.config.loading import Loaded, Origin, Source
from c2c_stasis.config.model import LISTS, SECTIONS, Config, Key, keys_of
from c2c_stasis.config.toml_text import toml_text

_DEFAULT = Origin(Source.DEFAULT)


@dataclass(frozen=True, slots=True)
class Setting:
    """One key of one section as it counts; `value` is as TOML has it, and None for a secret."""

    table: str  # `calls`, `trunks[0]`
    key: Key
    value: str | int | float | bool | None
    origin: Origin

    @property
    def name(self) -> str:
        """`calls.ring_timeout`."""
        return f"{self.table}.{self.key.name}"


def settings(loaded: Loaded) -> list[Setting]:
    """Every key of every section and trunk, in the order of the file that `init` writes."""
    return [
        Setting(table, key, _plain(key, getattr(part, key.name)), loaded.origins.get(f"{table}.{key.name}", _DEFAULT))
        for table, part in _tables(loaded.config)
        for key in keys_of(type(part)).values()
    ]


def as_toml(loaded: Loaded) -> str:
    """The effective configuration as TOML, without secrets: each stands there as a comment. Behind each value, its origin."""
    lines: list[str] = []
    table = ""
    for one in settings(loaded):
        if one.table != table:
            table = one.table
            section, bracket, _ = table.partition("[")
            lines += ["", f"[[{section}]]" if bracket else f"[{section}]"]
        where = f"{one.origin.source} {one.origin.where}".rstrip()
        shown = f"# {one.key.name} = (not shown)" if one.value is None else f"{one.key.name} = {toml_text(one.value)}"
        lines.append(f"{shown}  # {where}")
    return "\n".join(lines[1:])


@dataclass(frozen=True, slots=True)
class Changes:
    """What differs: `reloaded` keys count from now on, `restart` keys with the next start. `config` is what counts now."""

    config: Config
    reloaded: tuple[str, ...]
    restart: tuple[str, ...]


def changes(running: Config, read: Config) -> Changes:
    """Hold a configuration that was read anew against the one that a service runs with.

    Trunks and routes reload as a whole, for their order counts: `trunks` stands for all trunks.
    """
    reloaded: list[str] = []
    restart: list[str] = []
    parts: dict[str, object] = {}
    for section, model in SECTIONS.items():
        before, after = getattr(running, section), getattr(read, section)
        if section in LISTS:
            reloaded += [section] if before != after else []
            parts[section] = after
            continue
        different = [key for key in keys_of(model).values() if getattr(before, key.name) != getattr(after, key.name)]
        reloaded += [f"{section}.{key.name}" for key in different if key.about.reloads]
        restart += [f"{section}.{key.name}" for key in different if not key.about.reloads]
        new = {key.name: getattr(after, key.name) for key in different if key.about.reloads}
        parts[section] = replace(before, **new)
    return Changes(_config(parts), tuple(reloaded), tuple(restart))


def _config(parts: Mapping[str, object]) -> Config:
    return Config(**{one.name: parts[one.name] for one in fields(Config)})  # type: ignore[arg-type] # by the fields' names


def _tables(config: Config) -> Iterator[tuple[str, Any]]:
    for section in SECTIONS:
        part = getattr(config, section)
        if section in LISTS:
            yield from ((f"{section}[{index}]", one) for index, one in enumerate(part))
        else:
            yield section, part


def _plain(key: Key, value: object) -> str | int | float | bool | None:
    if key.about.secret:
        return None
    return value if isinstance(value, bool | int | float) else str(value)
