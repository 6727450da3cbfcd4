"""A carrier as the laboratory has it: what it does with a call, by the number that was dialled."""

from dataclasses import replace

from c2c_stasis.lab.script import Script
from c2c_stasis.lab.sip import SipMessage, parse_uri

REFUSALS = (404, 480, 486, 503, 603)  # a number that ends in one of these is refused with it


def by_number(invite: SipMessage, answers: Script, *, refuse_after: float) -> Script:
    """A number that ends in one of `REFUSALS` is refused with it, so many seconds later; for all others it is `answers`."""
    number = parse_uri(invite.request_uri).user
    for status in REFUSALS:
        if number.endswith(str(status)):
            return replace(Script(ring_after=answers.ring_after), reject=status, reject_after=refuse_after)
    return answers
