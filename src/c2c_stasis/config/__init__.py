"""The configuration: one TOML file, overridden by the environment, checked as a whole before anything starts."""

from c2c_stasis.config.effective import Changes, Setting, as_toml, changes, settings
from c2c_stasis.config.loading import Loaded, Origin, Source, load, load_with_origins
from c2c_stasis.config.model import Config
from c2c_stasis.config.problems import ConfigError, Problem
from c2c_stasis.config.rules import Words
from c2c_stasis.config.sections.asterisk import Ari, LogNumbers, NumberFormat, Sip, Trunk
from c2c_stasis.config.sections.calls import Calls
from c2c_stasis.config.sections.emergency import Emergency
from c2c_stasis.config.sections.http import Http, MetricsAt
from c2c_stasis.config.sections.keeping import Database, Log, LogFormat, Retention
from c2c_stasis.config.sections.network import Address, Networks, Origins, Ports
from c2c_stasis.config.sections.policy import AccountLimits, CostlyType, KeyLimits, Limit, Policy, UserLimits
from c2c_stasis.config.sections.process import OnStop, Process
from c2c_stasis.config.sections.routes import NumbersOf, RouteRule
from c2c_stasis.config.sections.webhooks import Webhooks
from c2c_stasis.config.template import template

__all__ = [
    "AccountLimits",
    "Address",
    "Ari",
    "Calls",
    "Changes",
    "Config",
    "ConfigError",
    "CostlyType",
    "Database",
    "Emergency",
    "Http",
    "KeyLimits",
    "Limit",
    "Loaded",
    "Log",
    "LogFormat",
    "LogNumbers",
    "MetricsAt",
    "Networks",
    "NumberFormat",
    "NumbersOf",
    "OnStop",
    "Origin",
    "Origins",
    "Policy",
    "Ports",
    "Problem",
    "Process",
    "Retention",
    "RouteRule",
    "Setting",
    "Sip",
    "Source",
    "Trunk",
    "UserLimits",
    "Webhooks",
    "Words",
    "as_toml",
    "changes",
    "load",
    "load_with_origins",
    "settings",
    "template",
]
