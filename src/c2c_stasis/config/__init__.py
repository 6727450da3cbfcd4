"""The configuration: one TOML file, overridden by the environment, checked as a whole before anything starts."""

from c2c_stasis.config.effective import Changes, Setting, as_toml, changes, settings
from c2c_stasis.config.loading import Loaded, Origin, Source, load, load_with_origins
from c2c_stasis.config.model import (
    Address,
    Ari,
    Calls,
    Config,
    Database,
    Http,
    Log,
    LogFormat,
    LogNumbers,
    MetricsAt,
    Networks,
    NumberFormat,
    Origins,
    Retention,
    Sip,
    Trunk,
)
from c2c_stasis.config.problems import ConfigError, Problem
from c2c_stasis.config.template import template

__all__ = [
    "Address",
    "Ari",
    "Calls",
    "Changes",
    "Config",
    "ConfigError",
    "Database",
    "Http",
    "Loaded",
    "Log",
    "LogFormat",
    "LogNumbers",
    "MetricsAt",
    "Networks",
    "NumberFormat",
    "Origin",
    "Origins",
    "Problem",
    "Retention",
    "Setting",
    "Sip",
    "Source",
    "Trunk",
    "as_toml",
    "changes",
    "load",
    "load_with_origins",
    "settings",
    "template",
]
