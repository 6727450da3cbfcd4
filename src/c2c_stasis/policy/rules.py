"""Every rule that can decide about a call, as one closed list: its name, its HTTP status, its error code, its sentence.

A name stays the same for ever: clients compare it, records keep it, metrics count it. Which rule decided is always one of
these, for an allowed call as well as for a refused one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Literal


class Rule(StrEnum):
    """What decided, in the order in which the rules are asked."""

    EMERGENCY = "emergency"
    # what the dial string is
    MALFORMED = "malformed_dial_string"
    NO_NUMBER = "no_number"
    IMPOSSIBLE_NUMBER = "impossible_number"
    UNKNOWN_EXTENSION = "unknown_extension"
    OWN_EXTENSION = "own_extension"
    EXTENSION = "extension"
    # whether the number may be dialled
    OUTBOUND_DISABLED = "outbound_disabled"
    DENIED_PREFIX = "denied_prefix"
    ALLOWED_PREFIX = "allowed_prefix"
    WORLDWIDE = "worldwide_service"
    PREMIUM_RATE = "premium_rate"
    SHARED_COST = "shared_cost"
    PERSONAL_NUMBER = "personal_number"
    PAGER = "pager"
    UNIVERSAL_ACCESS = "universal_access"
    UNASSIGNED = "unassigned_number"
    UNKNOWN_REGION = "unknown_region"
    OTHER_REGION = "other_region"
    NO_RATE = "no_rate"
    HOME_REGION = "home_region"
    ALLOWED_REGION = "allowed_region"
    NO_TRUNK = "no_trunk"
    TEST_MODE = "test_mode"
    # how much there is of it
    USER_BUSY = "user_busy"
    USER_STARTS = "user_starts"
    USER_DESTINATION = "user_same_destination"
    USER_INTERNATIONAL = "user_international"
    USER_MINUTES = "user_minutes"
    USER_SPEND = "user_spend"
    ACCOUNT_CALLS = "account_calls"
    ACCOUNT_STARTS = "account_starts"
    ACCOUNT_DESTINATION = "account_same_destination"
    ACCOUNT_INTERNATIONAL = "account_international"
    ACCOUNT_MINUTES = "account_minutes"
    ACCOUNT_SPEND = "account_spend"
    KEY_CALLS = "key_calls"
    KEY_STARTS = "key_starts"
    KEY_DESTINATION = "key_same_destination"
    KEY_INTERNATIONAL = "key_international"
    KEY_MINUTES = "key_minutes"
    KEY_SPEND = "key_spend"


Status = Literal[400, 403, 409, 429]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a rule leads to: no `status` when it allows the call. `sentence` has places for the facts of one decision.

    The answer to a 429 says in `Retry-After` when the same request would be let through.
    """

    sentence: str
    status: Status | None = None
    code: str = ""


def _allows(sentence: str) -> Verdict:
    return Verdict(sentence)


def _unreadable(sentence: str) -> Verdict:
    return Verdict(sentence, 400, "validation_error")


def _forbids(sentence: str) -> Verdict:
    return Verdict(sentence, 403, "destination_not_allowed")


def _limits(sentence: str) -> Verdict:
    return Verdict(sentence, 429, "limit_reached")


_COSTLY = 'a {number_class} number costs more than a call; [policy] allow_types = "{rule}" allows it'

VERDICTS: Mapping[Rule, Verdict] = MappingProxyType(
    {
        Rule.EMERGENCY: _allows("emergency numbers are always dialled"),
        Rule.MALFORMED: _unreadable(
            "may hold 2 to 32 digits, spaces and ( ) . - after an optional leading +, and nothing else"
        ),
        Rule.NO_NUMBER: _unreadable("is no telephone number, no extension and no emergency number"),
        Rule.IMPOSSIBLE_NUMBER: _unreadable("has a length or a country code that no telephone number has"),
        Rule.UNKNOWN_EXTENSION: _unreadable("is no extension of this account"),
        Rule.OWN_EXTENSION: _unreadable("is the user's own extension"),
        Rule.EXTENSION: _allows("extensions of the account are dialled"),
        Rule.OUTBOUND_DISABLED: _forbids(
            "telephone numbers are not dialled; only extensions and emergency numbers can be called"
        ),
        Rule.DENIED_PREFIX: _forbids("numbers that begin with {prefix} are not dialled"),
        Rule.ALLOWED_PREFIX: _allows("numbers that begin with {prefix} are dialled"),
        Rule.WORLDWIDE: _forbids("numbers of +{calling_code} belong to no country and are not dialled"),
        Rule.PREMIUM_RATE: _forbids(_COSTLY),
        Rule.SHARED_COST: _forbids(_COSTLY),
        Rule.PERSONAL_NUMBER: _forbids(_COSTLY),
        Rule.PAGER: _forbids(_COSTLY),
        Rule.UNIVERSAL_ACCESS: _forbids(_COSTLY),
        Rule.UNASSIGNED: _forbids("the number belongs to no range that is known to be in use"),
        Rule.UNKNOWN_REGION: _forbids("the number belongs to no known region; only {permitted} is dialled"),
        Rule.OTHER_REGION: _forbids("the number belongs to {region}; only {permitted} is dialled"),
        Rule.NO_RATE: _forbids(
            "no price is known for the number, and a limit of money counts; [policy] rate_file names prices"
        ),
        Rule.HOME_REGION: _allows("numbers of {home} are dialled"),
        Rule.ALLOWED_REGION: _allows("numbers of {region} are dialled"),
        Rule.NO_TRUNK: _forbids("no trunk is configured for this destination; only extensions can be called"),
        Rule.TEST_MODE: _forbids("a test key reaches only extensions and trunks marked as test"),
        Rule.USER_BUSY: Verdict("the user already has {limit} {calls}", 409, "user_busy"),
        Rule.USER_STARTS: _limits("the user begins more than {limit} {calls} a second"),
        Rule.USER_DESTINATION: _limits("the user has called this number {limit} times within ten minutes"),
        Rule.USER_INTERNATIONAL: _limits("the user has begun {limit} calls to other countries within an hour"),
        Rule.USER_MINUTES: _limits("the user has talked for {limit} minutes within 24 hours"),
        Rule.USER_SPEND: _limits("the user has spent {limit} within 24 hours"),
        Rule.ACCOUNT_CALLS: _limits("the account already has {limit} {calls}"),
        Rule.ACCOUNT_STARTS: _limits("the account begins more than {limit} {calls} a second"),
        Rule.ACCOUNT_DESTINATION: _limits("the account has called this number {limit} times within ten minutes"),
        Rule.ACCOUNT_INTERNATIONAL: _limits("the account has begun {limit} calls to other countries within an hour"),
        Rule.ACCOUNT_MINUTES: _limits("the account has talked for {limit} minutes within 24 hours"),
        Rule.ACCOUNT_SPEND: _limits("the account has spent {limit} within 24 hours"),
        Rule.KEY_CALLS: _limits("the key already has {limit} {calls}"),
        Rule.KEY_STARTS: _limits("the key begins more than {limit} {calls} a second"),
        Rule.KEY_DESTINATION: _limits("the key has called this number {limit} times within ten minutes"),
        Rule.KEY_INTERNATIONAL: _limits("the key has begun {limit} calls to other countries within an hour"),
        Rule.KEY_MINUTES: _limits("the key has talked for {limit} minutes within 24 hours"),
        Rule.KEY_SPEND: _limits("the key has spent {limit} within 24 hours"),
    }
)
"""Of each rule what it leads to; the documents are drawn from here."""
