"""Read the file and the environment into a `Config`, and list everything that is wrong at once.

The environment wins over the file. `C2C_ARI__PASSWORD` is `ari.password`; only names with two underscores after the prefix
are configuration, all others are left alone. Trunks are counted from 0, as in `C2C_TRUNKS__0__PREFIX`; the next free number
adds a trunk. A variable that is set and empty counts as not set.
"""

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from c2c_stasis.config.model import LISTS, SECTIONS, Config, keys_of
from c2c_stasis.config.problems import ConfigError, Problem, Wrong
from c2c_stasis.config.rules import UNLIMITED, Rule
from c2c_stasis.config.sections.asterisk import Ari, NumberFormat, Sip, Trunk
from c2c_stasis.config.sections.calls import Calls
from c2c_stasis.config.sections.emergency import Emergency
from c2c_stasis.config.sections.http import Http, MetricsAt
from c2c_stasis.config.sections.keeping import Database, Log, Retention
from c2c_stasis.config.sections.policy import AccountLimits, KeyLimits, Policy, UserLimits
from c2c_stasis.config.sections.process import Process
from c2c_stasis.config.sections.routes import RouteRule
from c2c_stasis.config.sections.webhooks import Webhooks
from c2c_stasis.config.toml_lines import Lines, lines_of

_PREFIX = "C2C_"
_ENVIRONMENT = "environment"
_MAX_BYTES = 1_000_000  # a configuration is a page of text; anything larger is the wrong file


class Source(StrEnum):
    """What set a value."""

    FILE = "file"
    ENVIRONMENT = "environment"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Origin:
    """What set a value, and where: `c2c.toml:12`, the name of a variable, or nothing for a default."""

    source: Source
    where: str = ""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration and where each of its values comes from, by key: `calls.ring_timeout`, `trunks[0].name`.

    A key that is not in `origins` has its default.
    """

    config: Config
    origins: Mapping[str, Origin]


@dataclass(frozen=True, slots=True)
class _Setting:
    """A value and where it was set; `name` is what the operator wrote to set it."""

    value: object = field(repr=False)
    where: str
    name: str

    @property
    def origin(self) -> Origin:
        """The same, for who asks where a value comes from."""
        if self.where == _ENVIRONMENT:
            return Origin(Source.ENVIRONMENT, self.name)
        return Origin(Source.FILE, self.where)


_Section = dict[str, _Setting]


def load(path: Path | None, environ: Mapping[str, str]) -> Config:
    """The configuration of this file under this environment; without a file, of the environment alone.

    Raises `ConfigError` with every problem found.
    """
    return load_with_origins(path, environ).config


def load_with_origins(path: Path | None, environ: Mapping[str, str]) -> Loaded:
    """The same, and where each value comes from. Raises `ConfigError` with every problem found."""
    reader = _Reader(path)
    reader.read_file()
    reader.read_environment(environ)
    config = reader.build()
    if config is None or reader.problems:
        raise ConfigError(sorted(reader.problems, key=_position))
    return Loaded(config, reader.origins())


class _Reader:
    """Collects settings and problems; one per load."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.problems: list[Problem] = []
        self.sections: dict[str, _Section] = {name: {} for name in SECTIONS if name not in LISTS}
        self.lists: dict[str, list[_Section]] = {name: [] for name in LISTS}
        self.lines: Lines = {}
        self.unreadable = False  # the file says nothing, so nobody can say what is missing in it

    def origins(self) -> dict[str, Origin]:
        """Where each value that was set comes from."""
        tables = self.sections | {
            f"{name}[{index}]": one for name, found in self.lists.items() for index, one in enumerate(found)
        }
        return {f"{label}.{key}": one.origin for label, table in tables.items() for key, one in table.items()}

    def problem(self, where: str, key: str, what: str, fix: str) -> None:
        """Note one problem."""
        self.problems.append(Problem(where, key, what, fix))

    def place(self, *keys: str | int) -> str:
        """Where a key stands in the file."""
        assert self.path is not None
        for depth in range(len(keys), 0, -1):  # what is not written itself stands in what is around it
            if line := self.lines.get(keys[:depth]):
                return f"{self.path}:{line}"
        return str(self.path)

    def _read_tree(self) -> dict[str, object]:
        """What the file says. Raises `ConfigError` when it is no TOML file."""
        assert self.path is not None
        text = _text_of(self.path)
        try:
            tree = tomllib.loads(text)
        except (ValueError, RecursionError) as exc:
            # Beside what it reports itself, tomllib fails so at a number of thousands of digits and at a deep nesting.
            line = re.search(r"at line (\d+)", str(exc))
            number = line[1] if line else len(text.splitlines()) if "end of document" in str(exc) else None
            where = f"{self.path}:{number}" if number else str(self.path)
            what = str(exc) if isinstance(exc, tomllib.TOMLDecodeError) else "a value is too long or too deep"
            raise ConfigError(
                [Problem(where, "", f"is not TOML: {what}", 'A line reads key = value, with texts in "quotes"')]
            ) from None  # newer Pythons keep the whole text in the error, and the password with it
        self.lines = lines_of(text)
        return tree

    def read_file(self) -> None:
        """Take every value of the file."""
        if self.path is None:
            return
        try:
            tree = self._read_tree()
        except ConfigError as error:
            self.unreadable = True
            self.problems += error.problems
            return
        for name, value in tree.items():
            self._read_section(name, value)

    def _read_section(self, name: str, value: object) -> None:
        if name not in SECTIONS:
            homes = [section for section, model in SECTIONS.items() if name in keys_of(model)]
            fix = (
                f"It belongs under [{homes[0]}]" if homes and not isinstance(value, dict) else _suggest(name, SECTIONS)
            )
            self.problem(self.place(name), name, "is not known", fix)
        elif name in LISTS:
            if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
                fix = f"Begin each {name.removesuffix('s')} with a line [[{name}]]"
                self.problem(self.place(name), name, f"is not a list of {name}", fix)
                return
            for index, item in enumerate(value):
                self.lists[name].append(self._settings(item, (name, index), f"{name}[{index}]"))
        elif isinstance(value, dict):
            self.sections[name] = self._settings(value, (name,), name)
        else:
            self.problem(self.place(name), name, "is not a section", f"Begin it with a line [{name}]")

    def _settings(self, table: dict[str, object], keys: tuple[str | int, ...], label: str) -> _Section:
        return {key: _Setting(value, self.place(*keys, key), f"{label}.{key}") for key, value in table.items()}

    def read_environment(self, environ: Mapping[str, str]) -> None:
        """Lay the environment over what the file said."""
        for variable in sorted(environ, key=_in_order):
            text = environ[variable]
            if not variable.startswith(_PREFIX) or "__" not in variable.removeprefix(_PREFIX) or not text:
                continue
            section, *keys = variable.removeprefix(_PREFIX).lower().split("__")
            if section in LISTS:
                self._set_listed(variable, section, keys, text)
            elif section not in SECTIONS:
                names = [f"{_PREFIX}{name.upper()}" for name in SECTIONS]
                self.problem(_ENVIRONMENT, variable, "names no section", _suggest(f"{_PREFIX}{section.upper()}", names))
            else:
                self._set(self.sections[section], SECTIONS[section], variable, "__".join(keys), text)

    def _set_listed(self, variable: str, name: str, keys: list[str], text: str) -> None:
        one, found, model = name.removesuffix("s"), self.lists[name], SECTIONS[name]
        example = next(reversed([key.name for key in keys_of(model).values() if key.required]))
        fix = f"{name.capitalize()} are counted from 0, as in {_PREFIX}{name.upper()}__0__{example.upper()}"
        if len(keys) != 2 or re.fullmatch("[0-9]{1,3}", keys[0]) is None:
            self.problem(_ENVIRONMENT, variable, f"does not say which {one} it means", fix)
            return
        index = int(keys[0])
        if self.unreadable:
            return  # nobody knows how many there are
        if index > len(found):
            what = f"leaves a gap in the list of {name}"
            self.problem(_ENVIRONMENT, variable, what, f"The next {one} is number {len(found)}")
            return
        if index == len(found):
            found.append({})
        self._set(found[index], model, variable, keys[1], text)

    def _set(self, section: _Section, model: type, variable: str, key: str, text: str) -> None:
        known_key = keys_of(model).get(key)
        if known_key is None:
            section_name = variable.rpartition("__")[0]
            known = [f"{section_name}__{name.upper()}" for name in keys_of(model)]
            self.problem(_ENVIRONMENT, variable, "is not known", _suggest(variable, known))
        else:
            section[key] = _Setting(known_key.rule.from_text(text), _ENVIRONMENT, variable)

    def build(self) -> Config | None:
        """The configuration, or nothing when a required value is missing or unusable."""
        parts = {name: self._make(SECTIONS[name], settings, name) for name, settings in self.sections.items()}
        trunks, routes = [
            [
                self._make(SECTIONS[name], settings, f"{name}[{index}]")
                for index, settings in enumerate(self.lists[name])
            ]
            for name in LISTS
        ]
        self._check_trunks(trunks)
        self._check_routes(routes)
        self._check_certificate(parts["http"])
        self._check_spend(parts)
        if self.problems:
            return None
        match parts:
            case {"http": Http() as http, "ari": Ari() as ari, "database": Database() as database,
                  "calls": Calls() as calls, "policy": Policy() as policy,
                  "user_limits": UserLimits() as user_limits, "account_limits": AccountLimits() as account_limits,
                  "key_limits": KeyLimits() as key_limits, "sip": Sip() as sip,
                  "retention": Retention() as retention, "metrics": MetricsAt() as metrics,
                  "webhooks": Webhooks() as webhooks, "log": Log() as log, "service": Process() as service,
                  "emergency": Emergency() as emergency}:  # fmt: skip
                ways_out = tuple(trunk for trunk in trunks if isinstance(trunk, Trunk))
                limits = (user_limits, account_limits, key_limits)
                rules = tuple(route for route in routes if isinstance(route, RouteRule))
                return Config(
                    ari,
                    http,
                    database,
                    ways_out,
                    calls,
                    policy,
                    *limits,
                    sip,
                    retention,
                    metrics,
                    webhooks,
                    log,
                    service,
                    rules,
                    emergency,
                )
        return None

    def _make(self, model: type, settings: _Section, label: str) -> object | None:
        """One section, or nothing when something in it is wrong."""
        before = len(self.problems)
        keys = keys_of(model)
        for name, setting in settings.items():
            if name not in keys:
                self.problem(setting.where, setting.name, "is not known", _suggest(name, keys))
        values: dict[str, Any] = {}
        for name, key in keys.items():
            if name in settings:
                values[name] = self._value(settings[name], key.rule)
            elif key.required and not self.unreadable:
                self._missing(name, label, settings)
        return model(**values) if len(self.problems) == before and not self.unreadable else None

    def _value(self, setting: _Setting, rule: Rule) -> object:
        try:
            return rule.check(setting.value)
        except Wrong as wrong:
            self.problem(setting.where, setting.name, wrong.what, wrong.fix)
            return None

    def _missing(self, key: str, label: str, settings: _Section) -> None:
        section, _, number = label.rstrip("]").partition("[")
        variable = f"{_PREFIX}{label.rstrip(']').replace('[', '__').upper()}__{key.upper()}"
        header = f"[[{section}]]" if number else f"[{section}]"
        fix = f"Set {key} under {header}, or {variable} in the environment"
        # A trunk that only the environment knows is completed there.
        theirs = bool(number) and bool(settings) and all(one.where == _ENVIRONMENT for one in settings.values())
        if self.path is None or theirs:
            self.problem(_ENVIRONMENT, variable, "is missing", fix)
        else:
            at = (section, int(number)) if number else (section,)
            self.problem(self.place(*at), f"{label}.{key}", "is missing", fix)

    def _check_trunks(self, trunks: Iterable[object]) -> None:
        """What only two values together can show."""
        names: dict[str, _Setting] = {}
        for settings, trunk in zip(self.lists["trunks"], trunks, strict=True):
            at = settings.get("name")
            if at is not None and isinstance(at.value, str):  # also of one that is wrong elsewhere
                first = names.setdefault(at.value, at)
                if first is not at:
                    fix = "Give every trunk its own name"
                    if first.where == _ENVIRONMENT:  # that of the file is another, and looks right
                        fix += f"; the other has its own from {first.name} of the environment"
                    self.problem(at.where, at.name, f"is {at.value!r}, like another trunk", fix)
            if not isinstance(trunk, Trunk):
                continue
            if trunk.test and trunk.emergency:
                at = settings["emergency"]
                what = "is true, and so is test: a trunk for tests carries no emergency calls"
                self.problem(at.where, at.name, what, "Set one of the two to false")
            if trunk.prefix and trunk.format is NumberFormat.E164:
                at = settings["prefix"]
                what = 'cannot stand before a number that begins with "+"'
                self.problem(at.where, at.name, what, 'Use format = "e164-no-plus", or leave the prefix out')

    def _check_routes(self, routes: Iterable[object]) -> None:
        """Each trunk that a route names must be there."""
        names = [one["name"].value for one in self.lists["trunks"] if "name" in one]
        for settings, route in zip(self.lists["routes"], routes, strict=True):
            if not isinstance(route, RouteRule):
                continue
            for name in route.trunks.words:
                if name not in names:
                    at = settings["trunks"]
                    what = f"names {name!r}, which is no trunk"
                    self.problem(at.where, at.name, what, _suggest(name, [str(one) for one in names] or ["no trunk"]))

    def _check_certificate(self, http: object | None) -> None:
        """A certificate is of no use without its key, nor a key without its certificate."""
        if not isinstance(http, Http) or bool(http.tls_certificate) == bool(http.tls_key):
            return
        given, other = ("tls_certificate", "tls_key") if http.tls_certificate else ("tls_key", "tls_certificate")
        at = self.sections["http"][given]
        self.problem(at.where, at.name, f"stands there without {other}", f"Set {other} under [http] too, or neither")

    def _check_spend(self, parts: Mapping[str, object | None]) -> None:
        """Without prices nobody knows what is spent."""
        policy = parts["policy"]
        if not isinstance(policy, Policy) or policy.rate_file:
            return
        for section in ("user_limits", "account_limits", "key_limits"):
            at = self.sections[section].get("spend_per_day")
            if at is not None and at.value != UNLIMITED:
                what = "stands there without rate_file"
                self.problem(at.where, at.name, what, "Set rate_file under [policy] too, or leave it out")


def _in_order(variable: str) -> list[tuple[int, str]]:
    """By name, but trunk 2 before trunk 10."""
    return [(int(part) if part.isdecimal() else -1, part) for part in variable.split("__")]


def _position(problem: Problem) -> tuple[bool, int, list[tuple[int, str]]]:
    """File before environment; the file from top to bottom, the environment by the names of the variables."""
    line = re.search(r":([0-9]+)$", problem.where)
    outside = problem.where == _ENVIRONMENT
    return outside, int(line[1]) if line else 0, _in_order(problem.key) if outside else []


def _text_of(path: Path) -> str:
    """The text of the file. Raises `ConfigError`."""
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as exc:
        fix = (
            "Run c2c-stasis init to write one, or name another file"
            if isinstance(exc, FileNotFoundError)
            else "Check its permissions"
        )
        raise ConfigError([Problem(str(path), "", f"cannot be read: {exc.strerror}", fix)]) from exc
    if len(data) > _MAX_BYTES:
        raise ConfigError([Problem(str(path), "", "is far too large for a configuration", "Name another file")])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = data[: exc.start].count(b"\n") + 1
        # Not `from exc`: that error holds the whole file, and the password with it.
        raise ConfigError([Problem(f"{path}:{line}", "", "is not UTF-8 text", "Save the file as UTF-8")]) from None


def _suggest(name: str, known: Iterable[str]) -> str:
    """The nearest known name, or all of them."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    return f"Did you mean {near[0]}?" if near else f"Known are {', '.join(names)}"
