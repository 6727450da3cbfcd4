"""What is allowed to an account: what is configured for all, and over it what is set for this account."""

import msgspec
import pytest

from c2c_stasis.config import Config, CostlyType, load
from c2c_stasis.policy.prefixes import Prefixes
from c2c_stasis.policy.rates import Rate, Rates
from c2c_stasis.policy.settings import AccountPolicy, Ceilings, OwnLimits, Scope, Settings, settings_of
from tests.policy.asking import DEFAULTS

RATES = Rates({"+1": Rate(10_000)})


def configured(**variables: str) -> Config:
    return load(None, {"C2C_ARI__PASSWORD": "secret"} | variables)


def test_the_defaults_protect_who_has_just_begun() -> None:
    assert (
        Settings(
            outbound_enabled=True,
            regions=(),
            types=frozenset(),
            prefixes=Prefixes({}),
            strict_numbers=False,
            user=Ceilings(starts_per_second=1, burst=3, calls=2),
            account=Ceilings(
                starts_per_second=5, burst=10, calls=10, same_destination=5, international=10, minutes=3000, spend=None
            ),
            key=Ceilings(starts_per_second=10, burst=20),
        )
        == DEFAULTS
    )


def test_what_is_configured_counts_for_every_account() -> None:
    config = configured(
        C2C_POLICY__OUTBOUND_ENABLED="no",
        C2C_POLICY__ALLOW_REGIONS="CA, MX",
        C2C_POLICY__ALLOW_TYPES="pager",
        C2C_POLICY__ALLOW_PREFIXES="+44",
        C2C_POLICY__DENY_PREFIXES="+4420",
        C2C_POLICY__STRICT_NUMBERS="yes",
        C2C_POLICY__RATE_FILE="rates.csv",
        C2C_CALLS__MAX_CALLS_PER_USER="7",
        C2C_USER_LIMITS__SPEND_PER_DAY="1.5",
        C2C_ACCOUNT_LIMITS__CALLS_AT_A_TIME="unlimited",
        C2C_KEY_LIMITS__CALLS_AT_A_TIME="9",
    )
    settings = settings_of(config, RATES)
    assert not settings.outbound_enabled
    assert settings.regions == ("CA", "MX")
    assert settings.types == {CostlyType.PAGER}
    assert settings.prefixes == Prefixes({"+44": True, "+4420": False})
    assert settings.strict_numbers
    assert (settings.of(Scope.USER).calls, settings.of(Scope.USER).spend) == (7, 1.5)
    assert (settings.of(Scope.ACCOUNT).calls, settings.of(Scope.KEY).calls) == (None, 9)
    assert settings.rates is RATES


@pytest.mark.parametrize(("scope", "counts"), [("user", True), ("account", True), ("key", True), ("", False)])
def test_money_counts_when_somebody_has_a_limit_of_it(scope: str, counts: bool) -> None:
    settings = Settings(**({scope: Ceilings(spend=1)} if scope else {}))  # type: ignore[arg-type]
    assert settings.counts_money is counts


def test_an_account_without_anything_of_its_own_has_what_is_configured() -> None:
    assert DEFAULTS.for_account(AccountPolicy()) is DEFAULTS
    assert msgspec.json.encode(AccountPolicy()) == b"{}"


def test_what_is_set_for_an_account_goes_over_what_is_configured() -> None:
    usual = Settings(
        regions=("CA",),
        types=frozenset({CostlyType.PAGER}),
        prefixes=Prefixes.of(["+44", "+1876"], ["+4420"]),
        user=Ceilings(starts_per_second=1, burst=3, calls=2, same_destination=4),
        account=Ceilings(starts_per_second=5, burst=10, minutes=100, spend=5.0, international=9, calls=8),
        key=Ceilings(burst=20),
        rates=RATES,
    )
    body = b"""{"allow_regions": ["mx"], "allow_types": [], "allow_prefixes": ["+4420", "+33"], "deny_prefixes": ["+1876"],
        "strict_numbers": true,
        "limits": {"starts_per_second": 0, "burst": 1, "calls_at_a_time": "unlimited", "minutes_per_day": "unlimited"},
        "user_limits": {"same_destination": 0, "international_per_hour": 3, "spend_per_day": 2.5}}"""
    own = usual.for_account(msgspec.json.decode(body, type=AccountPolicy))
    assert own == Settings(
        outbound_enabled=True,
        regions=("MX",),
        types=frozenset(),
        prefixes=Prefixes({"+44": True, "+4420": False, "+33": True, "+1876": False}),
        strict_numbers=True,
        user=Ceilings(starts_per_second=1, burst=3, calls=2, same_destination=0, international=3, spend=2.5),
        account=Ceilings(starts_per_second=0, burst=1, calls=None, minutes=None, spend=5.0, international=9),
        key=Ceilings(burst=20),
        rates=RATES,
    )


@pytest.mark.parametrize(
    ("service", "account", "enabled"), [(True, True, True), (True, False, False), (False, True, False)]
)
def test_either_switch_stops_telephone_numbers(service: bool, account: bool, enabled: bool) -> None:
    own = AccountPolicy(outbound_enabled=account, strict_numbers=False)
    assert Settings(outbound_enabled=service).for_account(own).outbound_enabled is enabled


def test_an_account_keeps_regions_and_types_that_it_does_not_name() -> None:
    usual = Settings(regions=("CA",), types=frozenset({CostlyType.PAGER}), strict_numbers=True)
    own = usual.for_account(AccountPolicy(allow_prefixes=("+44",)))
    assert (own.regions, own.types, own.strict_numbers) == (usual.regions, usual.types, True)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"allow_regions": ["UK"]}', "allow_regions names 'UK', which is no country"),
        (b'{"allow_prefixes": ["44"]}', "allow_prefixes names '44', which is no beginning of a number"),
        (b'{"deny_prefixes": ["+"]}', "deny_prefixes names '+', which is no beginning of a number"),
        (b'{"allow_types": ["premium"]}', "allow_types"),
        (b'{"limits": {"burst": 0}}', "limits.burst"),
        (b'{"limits": {"minutes_per_day": -1}}', "limits.minutes_per_day"),
        (b'{"limits": {"minutes_per_day": "none"}}', "limits.minutes_per_day"),
        (b'{"limits": {"bursts": 1}}', "bursts"),
        (b'{"outbound": true}', "outbound"),
    ],
)
def test_what_cannot_be_set_is_refused(body: bytes, told: str) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.json.decode(body, type=AccountPolicy)
    assert told in str(caught.value)


def test_limits_that_are_set_survive_being_stored() -> None:
    own = AccountPolicy(allow_regions=("MX",), limits=OwnLimits(spend_per_day="unlimited"))
    assert msgspec.json.decode(msgspec.json.encode(own), type=AccountPolicy) == own
