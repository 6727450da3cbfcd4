"""Plants faults in the rules of the policy, one at a time, and fails unless the tests of `tests/policy` catch every one."""

import os
import sys
from pathlib import Path

import click
from planted_faults import Fault, Field, plant

POLICY = Field(
    Path("src/c2c_stasis/policy"),
    Path("tests/policy"),
    (
        tuple(f"tests/policy/test_{name}.py" for name in ("judging", "limits", "settings", "rates", "counting")),
        tuple(f"tests/policy/test_{name}.py" for name in ("rules", "regions", "numbers", "histories", "oracle")),
    ),
)

FAULTS = [
    # the order
    Fault(
        "engine.py",
        "if request.kind is DestinationKind.EMERGENCY:\n        return Decision(",
        "if False:\n        return Decision(",
        "an emergency number is looked up",
    ),
    Fault(
        "engine.py",
        "if request.kind is DestinationKind.EMERGENCY:\n        return judged",
        "if False:\n        return judged",
        "an emergency call has limits",
    ),
    Fault(
        "engine.py",
        "if request.kind is DestinationKind.EXTENSION:",
        "if request.kind is DestinationKind.EXTENSION and settings.outbound_enabled:",
        "the switch stops extensions",
    ),
    Fault(
        "engine.py",
        "return admit(request, judged, settings, usage, now) if judged.allowed else judged",
        "return admit(request, judged, settings, usage, now)",
        "a limit hides that the number is forbidden",
    ),
    Fault(
        "engine.py",
        "    if not settings.outbound_enabled:\n        return Rule.OUTBOUND_DISABLED\n",
        "",
        "the switch does nothing",
    ),
    Fault(
        "engine.py",
        "return Rule.ALLOWED_PREFIX if prefix[1] else Rule.DENIED_PREFIX",
        "return Rule.DENIED_PREFIX",
        "an allowed prefix denies",
    ),
    Fault(
        "engine.py",
        "if region is Rule.WORLDWIDE:",
        "if region is Rule.WORLDWIDE and not settings.regions:",
        "satellites are a region",
    ),
    Fault(
        "engine.py",
        "costly is not None and costly not in settings.types",
        "costly is not None and not settings.types",
        "one costly type opens all",
    ),
    Fault(
        "engine.py",
        "costly is not None and costly not in settings.types",
        "costly is not None and region is Rule.HOME_REGION",
        "premium numbers abroad are dialled",
    ),
    Fault(
        "engine.py",
        "if settings.strict_numbers and not number.assigned:",
        "if settings.strict_numbers and number.region is None:",
        "strict lets unassigned ranges through",
    ),
    Fault(
        "engine.py",
        "rate is None and settings.counts_money",
        "rate is None and settings.rates",
        "calls without a price are free",
    ),
    Fault("engine.py", "if VERDICTS[rule].status is None and rate", "if rate", "no price hides another rule"),
    Fault(
        "engine.py",
        "international=not regions.is_home(number, request.region)",
        "international=rule is Rule.ALLOWED_REGION",
        "an allowed prefix abroad is at home",
    ),
    # numbers and regions
    Fault("numbers.py", "    881: NumberClass.SATELLITE,", "", "Iridium is a mobile phone"),
    Fault(
        "numbers.py",
        "kind = area_class if area_class in COSTLY else kind",
        "pass",
        "900 before an unknown exchange is dialled",
    ),
    Fault(
        "numbers.py",
        "self.region == region or phonenumbers.is_valid_number_for_region(self.known_as, region)",
        "self.region == region",
        "freephone is the United States' alone",
    ),
    Fault(
        "numbers.py",
        "self.region == region or phonenumbers.is_valid_number_for_region(self.known_as, region)",
        "phonenumbers.is_valid_number_for_region(self.known_as, region)",
        "a new range of the own country is refused",
    ),
    Fault(
        "numbers.py",
        "self.region == region or phonenumbers.is_valid_number_for_region(self.known_as, region)",
        "self.has_calling_code_of(region)",
        "a calling code is a country",
    ),
    Fault("numbers.py", "assigned=claimed and ", "assigned=", "a probe makes a number assigned"),
    Fault(
        "numbers.py",
        "kind = _dearest_beginning(parsed) or kind",
        "pass",
        "a digit too many makes a premium rate number cheap",
    ),
    Fault("numbers.py", '(whole, whole.lstrip("0"))', "(whole,)", "a 0 too many does the same"),
    Fault(
        "numbers.py",
        "range(_SHORTEST_CODE, len(text) + 1)",
        "range(_SHORTEST_CODE, len(text) - 1)",
        "one digit more is let pass",
    ),
    Fault("numbers.py", "(976[0-9]{4}|5551212)", "(976[0-9]{4})", "directory assistance is a call like others"),
    Fault("numbers.py", " and region in _OF_THE_GUIDELINES", "", "an exchange of Jamaica costs extra"),
    Fault("numbers.py", "kind is NumberClass.FIXED_LINE_OR_MOBILE and ", "", "800 555 1212 is not free"),
    Fault("numbers.py", "whole=one == number", "whole=False", "a service of unknown price is a number"),
    Fault("numbers.py", "whole=one == number", "whole=True", "what begins like a service of unknown price is refused"),
    Fault(
        "numbers.py",
        "if dear or enquiries:",
        "if dear:",
        "the enquiries of Austria are dialled",
    ),
    Fault(
        "numbers.py", "if number.startswith(_CANADIAN_SERVICES) or ", "if ", "satellite phones of Canada are dialled"
    ),
    Fault(
        "numbers.py",
        "number.country_code != _NORTH_AMERICA or len(national) != 10",
        "len(national) != 10",
        "area codes everywhere",
    ),
    Fault(
        "numbers.py",
        "return probe if phonenumbers.is_valid_number(probe) else None",
        "return None",
        "Toronto's area code is nobody's",
    ),
    Fault(
        "regions.py",
        "    if number.region == WORLD:\n        return Rule.WORLDWIDE\n",
        "",
        "satellite networks are another country",
    ),
    Fault(
        "regions.py",
        "        EVERYWHERE in allowed\n        or number.region",
        "        number.region",
        "everywhere is nowhere",
    ),
    Fault(
        "regions.py",
        "number.belongs_to(region) or _is_fiction_of(number, region) for region in allowed",
        "number.has_calling_code_of(region) for region in allowed",
        "Jamaica comes with Canada",
    ),
    Fault(
        "regions.py",
        "return Rule.UNKNOWN_REGION if number.region is None else Rule.OTHER_REGION",
        "return Rule.OTHER_REGION",
        "an unknown region is told as another",
    ),
    Fault(
        "regions.py",
        "return number.belongs_to(home) or _is_fiction_of(number, home)",
        "return number.belongs_to(home)",
        "the documentation's example is refused",
    ),
    Fault(
        "regions.py",
        "return number.fictitious and number.has_calling_code_of(region)",
        "return number.fictitious",
        "films are everybody's",
    ),
    Fault("prefixes.py", "range(len(number), 0, -1)", "range(1, len(number) + 1)", "the shortest prefix counts"),
    Fault("prefixes.py", "range(len(number), 0, -1)", "range(len(number) - 1, 0, -1)", "a whole number is no prefix"),
    Fault(
        "prefixes.py",
        "dict.fromkeys(allow, True) | dict.fromkeys(deny, False)",
        "dict.fromkeys(deny, False) | dict.fromkeys(allow, True)",
        "between equals the permission counts",
    ),
    # counting
    Fault(
        "counting.py",
        "self._due - (burst - 1) * self._each - now",
        "self._due - burst * self._each - now",
        "one more than the burst",
    ),
    Fault(
        "counting.py",
        "self._due = max(now, self._due or now) + self._each",
        "self._due = now + self._each",
        "the rate is forgotten after the burst",
    ),
    Fault(
        "counting.py",
        "self._due = max(now, self._due or now) + self._each",
        "self._due = (self._due or now) + self._each",
        "rest is saved without an end",
    ),
    Fault(
        "counting.py", "        if each != self._each:", "        if False:", "nobody is let through after a low rate"
    ),
    Fault(
        "counting.py",
        "self._due = now + (self._due - now) * each // self._each",
        "self._due = now",
        "a changed rate forgets the starts",
    ),
    Fault("usage.py", "        if now >= self._until:", "        if not self._until:", "a live call costs no more"),
    Fault("usage.py", "next(reversed(self.destinations), None)", "None", "who called a number just now is forgotten"),
    Fault("usage.py", "            self._talking -= 1", "            pass", "calls that are over talk on"),
    Fault("usage.py", "            self._since -= talk.connected or 0", "            pass", "others talk less"),
    Fault("counting.py", "            self._due -= self._each", "            pass", "what did not start is counted"),
    Fault(
        "counting.py",
        "return (part + 1) * self.width + self.span",
        "return part * self.width + self.span",
        "a window is shorter than its span",
    ),
    Fault("counting.py", "if less >= over", "if less > over", "one part more is waited for"),
    Fault(
        "counting.py",
        "self._ends(self._parts[0][0]) <= now",
        "self._ends(self._parts[0][0]) < now",
        "a window ends late",
    ),
    Fault(
        "counting.py",
        "if self._parts and part <= self._parts[-1][0]:",
        "if self._parts and part == self._parts[-1][0]:",
        "parts in disorder",
    ),
    Fault("counting.py", "if one[0] == part:", "if one[0] >= part:", "somebody else's is taken back"),
    Fault("counting.py", "        if room < 0:\n            return None\n", "", "never is told as a time"),
    # usage
    Fault("usage.py", "if call_id not in self._begun:", "if True:", "a call is counted twice"),
    Fault(
        "usage.py",
        "if begun is not None and begun.talk.connected is None:",
        "if begun is not None:",
        "a second answer begins anew",
    ),
    Fault(
        "usage.py",
        "return self.connected is not None and self.request.kind is DestinationKind.EXTERNAL",
        "return self.connected is not None",
        "talks with colleagues cost",
    ),
    Fault(
        "usage.py",
        "            if begun.talk.charged:",
        "            if begun.talk.connected:",
        "what colleagues talked is charged",
    ),
    Fault(
        "usage.py",
        "                tally.ended_talk.add(moment, begun.talk.talked(moment))",
        "                pass",
        "what was talked is forgotten",
    ),
    Fault(
        "usage.py",
        "                tally.ended_spend.add(moment, begun.talk.spent(moment))",
        "                pass",
        "what was spent is forgotten",
    ),
    Fault(
        "usage.py",
        "            if talk.request.kind is not DestinationKind.EMERGENCY:\n                _count",
        "            if True:\n                _count",
        "emergency calls use up the starts",
    ),
    Fault(
        "usage.py",
        "            if talk.request.kind is DestinationKind.EMERGENCY:\n                continue",
        "            if False:\n                continue",
        "an emergency call gives back what it never took",
    ),
    Fault(
        "limits.py",
        "if ceilings.same_destination is not None and request.kind is DestinationKind.EXTERNAL:",
        "if ceilings.same_destination is not None:",
        "a colleague is called too often",
    ),
    Fault("usage.py", "    tally.forget_destinations(talk.began)", "    pass", "every number is remembered for ever"),
    Fault("usage.py", "            self._forget(at)", "            pass", "everybody is remembered for ever"),
    Fault(
        "usage.py", "            not self.talks\n            and ", "            ", "who talks for long is forgotten"
    ),
    Fault("usage.py", "            and self.starts.full(now)\n", "", "who has just used up the burst is forgotten"),
    Fault(
        "usage.py",
        "return scope, request.user_id, request.livemode",
        "return scope, request.user_id, True",
        "tests use up what real calls may",
    ),
    Fault(
        "usage.py",
        "talk = Talk(one.request, nanoseconds(now - max(0.0, one.age))",
        "talk = Talk(one.request, nanoseconds(now)",
        "after a start all has just happened",
    ),
    Fault(
        "usage.py",
        "            if one.ended is not None:\n                self.end",
        "            if True:\n                self.end",
        "after a start nobody talks",
    ),
    Fault(
        "usage.py",
        "                self.connect(one.call_id, ended - one.talked)",
        "                self.connect(one.call_id, ended)",
        "after a start nobody has talked",
    ),
    Fault(
        "usage.py",
        "tally.starts.give_back()",
        "pass",
        "a call that was not recorded uses up a start",
    ),
    Fault(
        "usage.py", "tally.international.take_back(talk.began, 1)", "pass", "a call that was not recorded was abroad"
    ),
    Fault(
        "usage.py",
        "tally.destinations[talk.request.number].take_back(talk.began, 1)",
        "pass",
        "a call that was not recorded called somebody",
    ),
    # limits
    Fault(
        "limits.py",
        "if scope is Scope.KEY and request.key_id is None:",
        "if False:",
        "sessions share the limits of no key",
    ),
    Fault(
        "limits.py",
        "len(tally.talks) >= ceilings.calls",
        "len(tally.talks) > ceilings.calls",
        "one call too many at a time",
    ),
    Fault(
        "limits.py",
        "wait = A_CALL_ENDS * SECOND if ceilings.calls else None",
        "wait = A_CALL_ENDS * SECOND",
        "no calls at all are tried again every 5 s",
    ),
    Fault(
        "limits.py",
        "room = ceilings.same_destination - 1",
        "room = ceilings.same_destination",
        "one call too many to one number",
    ),
    Fault("limits.py", "ceilings.international - 1)", "ceilings.international)", "one call too many abroad"),
    Fault(
        "limits.py",
        "if ceilings.international is not None and judged.international:",
        "if ceilings.international is not None:",
        "calls at home are calls abroad",
    ),
    Fault(
        "limits.py",
        "limit, live = ceilings.minutes * 60 * SECOND, tally.talking(now)",
        "limit, live = ceilings.minutes * 60 * SECOND, 0",
        "live calls use no minutes",
    ),
    Fault(
        "limits.py",
        "limit, live = round(ceilings.spend * MONEY), tally.spending(now)",
        "limit, live = round(ceilings.spend * MONEY), 0",
        "live calls cost nothing",
    ),
    Fault("limits.py", "or rate.per_minute == 0:", "or False:", "what is free is refused for money"),
    Fault(
        "limits.py", "limit, live, rate.least)", "limit, live, 1)", "a call begins whose first minute cannot be paid"
    ),
    Fault("limits.py", "limit, live, LEAST_TALK * SECOND)", "limit, live, 0)", "a call begins that is cut off at once"),
    Fault(
        "limits.py",
        "inf if one.wait is None else one.wait)",
        "0 if one.wait is None else -one.wait)",
        "the limit that is over first is named",
    ),
    Fault(
        "limits.py",
        "next((one for one in refusals if one.rule is Rule.USER_BUSY), None)",
        "None",
        "a busy user is told of something else",
    ),
    Fault(
        "limits.py",
        "max(1, ceil(self.wait / SECOND))",
        "max(1, int(self.wait / SECOND))",
        "Retry-After comes too early",
    ),
    Fault(
        "limits.py",
        "longest=min(longest, default=None)",
        "longest=max(longest, default=None)",
        "a call outlasts the smaller limit",
    ),
    Fault("limits.py", "    if limit < least:\n        return None\n", "", "never is told as tomorrow"),
    Fault(
        "limits.py",
        "max(one.retry_after for one in refusals)",
        "worst.retry_after",
        "who waits as told is refused again",
    ),
    # money
    Fault(
        "rates.py",
        "self.first + max(0, _ceil(talked - self.first, self.following))",
        "_ceil(talked, self.following)",
        "the first part is not charged whole",
    ),
    Fault(
        "rates.py",
        "return -(-self.per_minute * seconds // 60)",
        "return self.per_minute * seconds // 60",
        "fractions are given away",
    ),
    Fault("rates.py", " if talked > 0 else 0", "", "unanswered calls cost"),
    Fault(
        "rates.py", "        if seconds < self.first:\n            return 0\n", "", "the first part is bought with less"
    ),
    Fault(
        "rates.py",
        "(seconds - self.first) // self.following * self.following",
        "(seconds - self.first)",
        "half a part is bought",
    ),
    Fault("rates.py", "if key in self._lines:", "if False:", "the last of two prices counts"),
    Fault("rates.py", 'text.removeprefix("\\ufeff")', "text", "a spreadsheet's file is refused"),
    # settings and verdicts
    Fault(
        "settings.py",
        "outbound_enabled=self.outbound_enabled and own.outbound_enabled",
        "outbound_enabled=own.outbound_enabled",
        "an account turns the service's switch",
    ),
    Fault(
        "settings.py",
        "None if limit == UNLIMITED else limit",
        "None if limit in (UNLIMITED, 0) else limit",
        "nothing at all is everything",
    ),
    Fault(
        "settings.py",
        "    if own is None:\n        return usual\n",
        "    if not own:\n        return usual\n",
        "an account cannot be limited to nothing",
    ),
    Fault(
        "settings.py",
        "for one in (self.user, self.account, self.key))",
        "for one in (self.user, self.account))",
        "money of keys is not counted",
    ),
    Fault("numbers.py", '_COSTS_A_CALL = "+443"', '_COSTS_A_CALL = "+44"', "no British number costs extra"),
    Fault(
        "numbers.py", '_COSTS_A_CALL = "+443"', '_COSTS_A_CALL = "+99"', "British 03 numbers are taken for dear ones"
    ),
    Fault("settings.py", "calls=config.calls.max_calls_per_user", "calls=None", "a user has as many calls as it likes"),
    Fault(
        "request.py",
        "return VERDICTS[self.rule].status is None",
        "return VERDICTS[self.rule].status != 403",
        "limits refuse nobody",
    ),
    Fault(
        "rules.py",
        'return Verdict(sentence, 429, "limit_reached")',
        'return Verdict(sentence, 403, "limit_reached")',
        "limits are told as forbidden",
    ),
]


@click.command(help=__doc__)
@click.option("--workers", default=os.cpu_count() or 2, show_default=True, help="How many faults are tried at a time.")
def main(workers: int) -> None:
    sys.exit(not plant(POLICY, FAULTS, workers))


if __name__ == "__main__":
    main()
