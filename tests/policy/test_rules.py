"""The rules are a closed list with one verdict each, whose names and answers stay the same."""

import pytest

from c2c_stasis.config import CostlyType
from c2c_stasis.directory import dial_strings, trunks
from c2c_stasis.errors import ClickToCallError, DestinationNotAllowed, LimitReached, NumberNotDialable, UserBusy
from c2c_stasis.policy.request import Decision, refused
from c2c_stasis.policy.rules import VERDICTS, Rule

ALLOWING = {"emergency", "extension", "allowed_prefix", "home_region", "allowed_region"}
UNREADABLE = {"malformed_dial_string", "no_number", "impossible_number", "unknown_extension", "own_extension"}
FORBIDDING = {
    *("outbound_disabled", "denied_prefix", "worldwide_service", "unassigned_number", "unknown_region", "other_region"),
    *(
        "premium_rate",
        "shared_cost",
        "personal_number",
        "pager",
        "universal_access",
        "no_rate",
        "no_trunk",
        "test_mode",
    ),
}
LIMITS = {
    f"{scope}_{limit}"
    for scope in ("user", "account", "key")
    for limit in ("calls", "starts", "same_destination", "international", "minutes", "spend")
} - {"user_calls"}


def test_every_rule_has_one_verdict() -> None:
    assert list(VERDICTS) == list(Rule)
    answers = {rule.value: (verdict.status, verdict.code) for rule, verdict in VERDICTS.items()}
    assert answers == (
        dict.fromkeys(ALLOWING, (None, ""))
        | dict.fromkeys(UNREADABLE, (400, "validation_error"))
        | dict.fromkeys(FORBIDDING, (403, "destination_not_allowed"))
        | {"user_busy": (409, "user_busy")}
        | dict.fromkeys(LIMITS, (429, "limit_reached"))
    )


def test_other_files_name_rules_of_the_list() -> None:
    own = {dial_strings.MALFORMED, dial_strings.NO_NUMBER, dial_strings.IMPOSSIBLE, trunks.NO_TRUNK, trunks.TEST_MODE}
    assert own <= {rule.value for rule in Rule}
    assert {kind.value for kind in CostlyType} <= FORBIDDING


@pytest.mark.parametrize("rule", [rule for rule in Rule if VERDICTS[rule].status is not None])
def test_every_refusal_is_an_error_that_names_its_rule(rule: Rule) -> None:
    decision = Decision(rule, "because", limit=2, retry_after=7)
    with pytest.raises(ClickToCallError) as caught:
        decision.check()
    error = caught.value
    assert decision.code == VERDICTS[rule].code
    match decision.status:
        case 400:
            assert isinstance(error, NumberNotDialable)
            assert (error.rule, error.reason) == (rule, "because")
            assert refused(error) == Decision(rule, "because")
        case 403:
            assert isinstance(error, DestinationNotAllowed)
            assert (error.rule, str(error)) == (rule, "because")
        case 409:
            assert isinstance(error, UserBusy)
            assert str(error) == "the user already has 2 calls"
        case 429:
            assert isinstance(error, LimitReached)
            assert (error.rule, str(error), error.retry_after) == (rule, "because", 7)


@pytest.mark.parametrize("rule", sorted(ALLOWING))
def test_what_is_allowed_passes(rule: str) -> None:
    decision = Decision(Rule(rule), "because")
    decision.check()
    assert decision.allowed
    assert decision.code == ""


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("1-900-FLOWERS", "malformed_dial_string"),
        ("+", "malformed_dial_string"),
        ("()", "no_number"),
        ("5551234", "impossible_number"),
        ("+9991234567", "no_number"),
        ("+15551234", "impossible_number"),
    ],
)
def test_what_cannot_be_read_has_a_rule_too(text: str, rule: str) -> None:
    with pytest.raises(NumberNotDialable) as caught:
        dial_strings.parse(text, region="US", extension_length=4)
    assert refused(caught.value).rule == rule
