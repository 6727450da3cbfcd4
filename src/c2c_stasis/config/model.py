"""The whole configuration, and what is said about each of its keys.

A new key is one entry in `sections/`; the reader, the file that `init` writes, `config` and the documents follow.
"""

from dataclasses import MISSING, dataclass, field, fields
from typing import Any, get_type_hints

from c2c_stasis.config.rules import Rule
from c2c_stasis.config.sections.about import About
from c2c_stasis.config.sections.asterisk import Ari, Sip, Trunk
from c2c_stasis.config.sections.calls import Calls
from c2c_stasis.config.sections.emergency import Emergency
from c2c_stasis.config.sections.http import Http, MetricsAt
from c2c_stasis.config.sections.keeping import Database, Log, Retention
from c2c_stasis.config.sections.policy import AccountLimits, KeyLimits, Policy, UserLimits
from c2c_stasis.config.sections.process import Process
from c2c_stasis.config.sections.routes import RouteRule
from c2c_stasis.config.sections.webhooks import Webhooks


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration."""

    ari: Ari
    http: Http = field(default_factory=Http)
    database: Database = field(default_factory=Database)
    trunks: tuple[Trunk, ...] = ()
    calls: Calls = field(default_factory=Calls)
    policy: Policy = field(default_factory=Policy)
    user_limits: UserLimits = field(default_factory=UserLimits)
    account_limits: AccountLimits = field(default_factory=AccountLimits)
    key_limits: KeyLimits = field(default_factory=KeyLimits)
    sip: Sip = field(default_factory=Sip)
    retention: Retention = field(default_factory=Retention)
    metrics: MetricsAt = field(default_factory=MetricsAt)
    webhooks: Webhooks = field(default_factory=Webhooks)
    log: Log = field(default_factory=Log)
    service: Process = field(default_factory=Process)
    routes: tuple[RouteRule, ...] = ()
    emergency: Emergency = field(default_factory=Emergency)


SECTIONS: dict[str, type] = {
    "http": Http,
    "ari": Ari,
    "database": Database,
    "trunks": Trunk,
    "routes": RouteRule,
    "emergency": Emergency,
    "calls": Calls,
    "policy": Policy,
    "user_limits": UserLimits,
    "account_limits": AccountLimits,
    "key_limits": KeyLimits,
    "sip": Sip,
    "retention": Retention,
    "metrics": MetricsAt,
    "webhooks": Webhooks,
    "log": Log,
    "service": Process,
}

LISTS = ("trunks", "routes")
"""Sections that may stand there several times, as `[[trunks]]`."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key, with all that is said where it is defined."""

    name: str
    rule: Rule
    about: About
    default: object  # MISSING for a key that must be set

    @property
    def required(self) -> bool:
        """Whether it must be set."""
        return self.default is MISSING


def keys_of(section: type) -> dict[str, Key]:
    """The keys of a section, in the order of their definition."""
    return _KEYS[section]


def _read_keys(section: type[Any]) -> dict[str, Key]:
    hints = get_type_hints(section, include_extras=True)
    keys = {}
    for one in fields(section):
        rule, about = hints[one.name].__metadata__
        keys[one.name] = Key(one.name, rule, about, one.default)
    return keys


_KEYS = {section: _read_keys(section) for section in SECTIONS.values()}


def meaning_of(section: type) -> str:
    """What a section is for, in one sentence: what stands after its name in its docstring."""
    sentence = (section.__doc__ or "").partition("\n")[0].partition(": ")[2]
    return sentence[:1].upper() + sentence[1:].removesuffix(".")
