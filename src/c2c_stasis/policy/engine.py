"""Whether a call may be, and which rule decides: pure, from the request, the settings, what is counted, and the time.

Two questions, because a request that turns out to be an earlier one must not be counted: `judge` asks whether the destination
may be dialled at all, `admit` whether there were not too many calls lately. Emergency numbers are answered first by both, and
nothing is asked of them. Before either, `directory.dial_strings` has read the dial string: what it raises becomes a decision
by `request.refused`.
"""

from c2c_stasis.call.model import DestinationKind
from c2c_stasis.policy import limits, regions
from c2c_stasis.policy.numbers import Number, look_up
from c2c_stasis.policy.request import Decision, Request
from c2c_stasis.policy.rules import VERDICTS, Rule
from c2c_stasis.policy.settings import Settings
from c2c_stasis.policy.usage import Usage


def decide(request: Request, settings: Settings, usage: Usage, now: float) -> Decision:
    """Both questions: what would become of this request now. `now` is a reading of the monotonic clock, in seconds."""
    judged = judge(request, settings)
    return admit(request, judged, settings, usage, now) if judged.allowed else judged


def judge(request: Request, settings: Settings) -> Decision:
    """Whether the destination may be dialled, whoever called how often."""
    if request.kind is DestinationKind.EMERGENCY:
        return Decision(Rule.EMERGENCY, VERDICTS[Rule.EMERGENCY].sentence)
    if request.kind is DestinationKind.EXTENSION:
        return Decision(Rule.EXTENSION, VERDICTS[Rule.EXTENSION].sentence)
    number = look_up(request.number)
    prefix = settings.prefixes.find(request.number)
    rule = _rule_of(number, prefix, request, settings)
    rate = settings.rates.find(request.number) if settings.rates else None
    if VERDICTS[rule].status is None and rate is None and settings.counts_money:
        rule = Rule.NO_RATE
    facts = {
        "prefix": prefix[0] if prefix else "",
        "calling_code": number.calling_code,
        "number_class": number.number_class.replace("_", " "),
        "rule": rule,
        "region": number.region or request.region,
        "home": request.region,
        "permitted": regions.in_words(request.region, settings.regions),
    }
    return Decision(
        rule,
        VERDICTS[rule].sentence.format_map(facts),
        number_class=number.number_class,
        region=number.region,
        international=not regions.is_home(number, request.region),
        rate=rate,
    )


def admit(request: Request, judged: Decision, settings: Settings, usage: Usage, now: float) -> Decision:
    """Whether one more call of a destination that was judged may begin now; counts nothing."""
    if request.kind is DestinationKind.EMERGENCY:
        return judged
    return limits.admit(request, judged, settings, usage, now)


def _rule_of(number: Number, prefix: tuple[str, bool] | None, request: Request, settings: Settings) -> Rule:
    if not settings.outbound_enabled:
        return Rule.OUTBOUND_DISABLED
    if prefix is not None:
        return Rule.ALLOWED_PREFIX if prefix[1] else Rule.DENIED_PREFIX
    region = regions.rule_of(number, home=request.region, allowed=settings.regions)
    if region is Rule.WORLDWIDE:
        return region
    costly = number.costly
    if costly is not None and costly not in settings.types:
        return Rule(costly.value)
    if settings.strict_numbers and not number.assigned:
        return Rule.UNASSIGNED
    return region
