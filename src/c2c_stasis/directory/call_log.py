"""Which calls of the log are wanted, and what a request is that shall be carried out once."""

from dataclasses import dataclass

from c2c_stasis.call.causes import status_of
from c2c_stasis.call.model import Call
from c2c_stasis.ids import AccountId, CallId, NumberId, UserId


@dataclass(frozen=True, slots=True)
class CallFilter:
    """What a call must be to be listed; None lets every call pass. `since` and `until` are Unix seconds of its acceptance.

    `status` and `outcome` are words of a call that has ended: with one of them, no live call is listed.
    """

    livemode: bool
    user_id: UserId | None = None
    did_id: NumberId | None = None
    direction: str | None = None
    from_number: str | None = None
    to_number: str | None = None
    status: str | None = None
    outcome: str | None = None
    live: bool | None = None
    since: float | None = None  # the first moment that counts
    until: float | None = None  # the first that does not count any more

    def fits(self, call: Call) -> bool:
        """Whether this call is wanted, as it is now."""
        end = None if call.live else call.end
        has = {
            "livemode": call.livemode,
            "user_id": call.user_id,
            "did_id": call.did_id,
            "direction": call.direction,
            "from_number": call.caller.number,
            "to_number": call.destination.party.number,
            "status": status_of(end) if end else None,
            "outcome": end.outcome if end else None,
            "live": call.live,
        }
        if any(getattr(self, name) not in (None, value) for name, value in has.items()):
            return False
        if self.since is not None and call.accepted_at < self.since:
            return False
        return self.until is None or call.accepted_at < self.until


@dataclass(frozen=True, slots=True)
class Once:
    """The name that a client gave to a request, so that it is carried out once however often it is sent.

    The `fingerprint` is a digest of what was asked: the same name for something else is a mistake of the client.
    """

    account_id: AccountId
    livemode: bool
    key: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a request led to; `replayed` when an earlier one of the same name did."""

    call_id: CallId
    replayed: bool
