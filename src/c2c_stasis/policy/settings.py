"""What is allowed to one account: what the configuration says for all, and what is set for this account alone."""

from enum import StrEnum
from typing import Annotated, Literal

from msgspec import Meta, Struct, field
from msgspec.structs import replace

from c2c_stasis.config import AccountLimits, Config, CostlyType, KeyLimits, Limit, UserLimits
from c2c_stasis.config.problems import Wrong
from c2c_stasis.config.rules import UNLIMITED
from c2c_stasis.config.sections.policy import check_prefixes, check_regions, check_types
from c2c_stasis.policy.prefixes import Prefixes
from c2c_stasis.policy.rates import Rates


class Scope(StrEnum):
    """Whose calls are counted together."""

    USER = "user"
    ACCOUNT = "account"
    KEY = "key"


class Ceilings(Struct, frozen=True):
    """How much one user, account or key may call; None is no limit, 0 is nothing at all.

    `calls` at a time; `same_destination` in ten minutes; `international` an hour; `minutes` and `spend` in 24 hours.
    """

    starts_per_second: float | None = None
    burst: int = 1
    calls: int | None = None
    same_destination: int | None = None
    international: int | None = None
    minutes: int | None = None
    spend: float | None = None


_Number = Annotated[float, Meta(ge=0, le=1_000_000_000)]
_Whole = Annotated[int, Meta(ge=0, le=10_000_000)]
_Unlimited = Literal["unlimited"]


class OwnLimits(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Limits that are set for one account; None is as configured for all."""

    starts_per_second: _Number | _Unlimited | None = None
    burst: Annotated[int, Meta(ge=1, le=10_000)] | None = None
    calls_at_a_time: _Whole | _Unlimited | None = None
    same_destination: _Whole | _Unlimited | None = None
    international_per_hour: _Whole | _Unlimited | None = None
    minutes_per_day: _Whole | _Unlimited | None = None
    spend_per_day: _Number | _Unlimited | None = None

    def over(self, usual: Ceilings) -> Ceilings:
        """These limits, and the usual ones where none is set."""
        return Ceilings(
            starts_per_second=_or_usual(self.starts_per_second, usual.starts_per_second),
            burst=usual.burst if self.burst is None else self.burst,
            calls=_whole(_or_usual(self.calls_at_a_time, usual.calls)),
            same_destination=_whole(_or_usual(self.same_destination, usual.same_destination)),
            international=_whole(_or_usual(self.international_per_hour, usual.international)),
            minutes=_whole(_or_usual(self.minutes_per_day, usual.minutes)),
            spend=_or_usual(self.spend_per_day, usual.spend),
        )


class AccountPolicy(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is set for one account, as it is stored and given over HTTP; what is not set is as configured for all.

    `allow_regions` and `allow_types` take the place of the configured ones; prefixes are added to them. `user_limits` are for
    each user of the account. Raises `ValueError` (as a `ValidationError` when it is decoded) for what cannot be.
    """

    outbound_enabled: bool = True
    allow_regions: tuple[str, ...] | None = None
    allow_types: tuple[CostlyType, ...] | None = None
    allow_prefixes: tuple[str, ...] = ()
    deny_prefixes: tuple[str, ...] = ()
    strict_numbers: bool | None = None
    limits: OwnLimits = OwnLimits()
    user_limits: OwnLimits = OwnLimits()

    def __post_init__(self) -> None:
        """Refuse regions that do not exist, and what is no beginning of a number."""
        for name, names, check in (
            ("allow_regions", self.allow_regions or (), check_regions),
            ("allow_prefixes", self.allow_prefixes, check_prefixes),
            ("deny_prefixes", self.deny_prefixes, check_prefixes),
        ):
            try:
                check(names)
            except Wrong as wrong:
                raise ValueError(f"{name} {wrong}") from None


NOTHING_SET = AccountPolicy()


class Settings(Struct, frozen=True):
    """What is allowed to an account. `regions` are dialled beside its own; without `rates` no call has a price."""

    outbound_enabled: bool = True
    regions: tuple[str, ...] = ()
    types: frozenset[CostlyType] = frozenset()
    prefixes: Prefixes = field(default_factory=Prefixes)
    strict_numbers: bool = False
    user: Ceilings = field(default_factory=Ceilings)
    account: Ceilings = field(default_factory=Ceilings)
    key: Ceilings = field(default_factory=Ceilings)
    rates: Rates | None = None

    def of(self, scope: Scope) -> Ceilings:
        """The limits of one user, of the account, or of one key."""
        if scope is Scope.USER:
            return self.user
        return self.account if scope is Scope.ACCOUNT else self.key

    @property
    def counts_money(self) -> bool:
        """Whether a call must have a price."""
        return any(one.spend is not None for one in (self.user, self.account, self.key))

    def for_account(self, own: AccountPolicy) -> "Settings":
        """The same with what is set for one account."""
        if own == NOTHING_SET:
            return self
        table = self.prefixes.table
        return replace(
            self,
            outbound_enabled=self.outbound_enabled and own.outbound_enabled,
            regions=self.regions if own.allow_regions is None else check_regions(own.allow_regions),
            types=self.types if own.allow_types is None else frozenset(own.allow_types),
            prefixes=Prefixes.of(
                [*(prefix for prefix, allowed in table.items() if allowed), *own.allow_prefixes],
                [*(prefix for prefix, allowed in table.items() if not allowed), *own.deny_prefixes],
            ),
            strict_numbers=self.strict_numbers if own.strict_numbers is None else own.strict_numbers,
            user=own.user_limits.over(self.user),
            account=own.limits.over(self.account),
        )


def settings_of(config: Config, rates: Rates | None) -> Settings:
    """What the configuration allows to every account; `rates` are those of its rate file, if it names one."""
    policy = config.policy
    user = replace(_ceilings(config.user_limits, UNLIMITED), calls=config.calls.max_calls_per_user)
    return Settings(
        outbound_enabled=policy.outbound_enabled,
        regions=policy.allow_regions.words,
        types=frozenset(check_types(policy.allow_types.words)),
        prefixes=Prefixes.of(policy.allow_prefixes.words, policy.deny_prefixes.words),
        strict_numbers=policy.strict_numbers,
        user=user,
        account=_ceilings(config.account_limits, config.account_limits.calls_at_a_time),
        key=_ceilings(config.key_limits, config.key_limits.calls_at_a_time),
        rates=rates,
    )


def _ceilings(limits: UserLimits | AccountLimits | KeyLimits, calls: Limit) -> Ceilings:
    return Ceilings(
        starts_per_second=_number(limits.starts_per_second),
        burst=limits.burst,
        calls=_whole(_number(calls)),
        same_destination=_whole(_number(limits.same_destination)),
        international=_whole(_number(limits.international_per_hour)),
        minutes=_whole(_number(limits.minutes_per_day)),
        spend=_number(limits.spend_per_day),
    )


def _number(limit: Limit) -> float | None:
    return None if limit == UNLIMITED else limit


def _whole(number: float | None) -> int | None:
    return None if number is None else int(number)


def _or_usual(own: float | Literal["unlimited"] | None, usual: float | None) -> float | None:
    if own is None:
        return usual
    return _number(own)
