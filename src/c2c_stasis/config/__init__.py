"""The configuration: one TOML file, overridden by the environment, checked as a whole before anything starts."""

from c2c_stasis.config.loading import load
from c2c_stasis.config.model import Address, Ari, Calls, Config, Database, Http, Log, LogFormat, NumberFormat, Trunk
from c2c_stasis.config.problems import ConfigError, Problem
from c2c_stasis.config.template import template

__all__ = [
    "Address",
    "Ari",
    "Calls",
    "Config",
    "ConfigError",
    "Database",
    "Http",
    "Log",
    "LogFormat",
    "NumberFormat",
    "Problem",
    "Trunk",
    "load",
    "template",
]
