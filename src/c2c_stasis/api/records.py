"""A call as the call log shows it."""

from collections.abc import Iterable

import msgspec
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from c2c_stasis.api.resources.phone_numbers import PhoneNumberRecord
from c2c_stasis.api.schemas import CallRecord, EmergencyRecord, LegRecord, Timings
from c2c_stasis.call.causes import status_of
from c2c_stasis.call.emergency import told_of_emergency
from c2c_stasis.call.model import Call, Leg, Side
from c2c_stasis.call.quality import qualities
from c2c_stasis.ports import StoredEvent
from c2c_stasis.times import rfc3339


def record_of(call: Call, did: PhoneNumberRecord | UnsetType | None = UNSET, *, private: bool = False) -> CallRecord:
    """The record of a call, live or ended.

    `endpoint` is the device that answered. `did` is the number that was shown, when it is to stand there as an object. A
    `private` record is for the caller alone: of a colleague's phones and of trunks it tells what became of them, and not which
    they are.
    """
    end = None if call.live else call.end
    winner = call.winner(Side.A)
    device_id = winner.device_id if winner else None
    return CallRecord(
        id=call.id,
        user=call.user_id,
        user_id=call.user_id,
        endpoint=device_id,
        endpoint_id=device_id,
        did=call.did_id if did is UNSET else did,
        did_id=call.did_id,
        direction=call.direction,
        from_number=call.caller.number or None,
        from_label=call.caller.name or None,
        to_number=call.destination.party.number or None,  # erased
        to_label=call.destination.party.name or None,
        started_at=rfc3339(call.accepted_at),
        answered_at=rfc3339(call.wall(call.answered_at)),
        connected_at=rfc3339(call.wall(call.connected_at)),
        ended_at=rfc3339(call.wall(call.ended_at)),
        ended_at_estimated=call.ended_at_estimated,
        duration_seconds=call.duration,
        status=status_of(end) if end else None,
        hangup_cause=end.cause if end else None,
        recording_url=None,
        quality_metrics=None if call.live else qualities(call),
        state=call.state,
        outcome=end.outcome if end else None,
        reason=end.reason if end else None,
        failed_leg=end.failed_leg if end else None,
        ended_by=end.ended_by if end else None,
        sip_code=end.sip_code if end else None,
        anonymous=call.anonymous,
        livemode=call.livemode,
        rule=call.rule,
        emergency=_emergency(call),
        metadata=call.metadata,
        timings=_timings(call),
        legs=[_leg(call, _unnamed(leg) if private and leg.side is Side.B else leg) for leg in call.legs],
    )


def _emergency(call: Call) -> EmergencyRecord | None:
    told = told_of_emergency(call)
    return None if told is None else EmergencyRecord(**told)


def tells_of_others(event: StoredEvent) -> bool:
    """Whether an event is about a phone of a colleague who is called, by its name; no one user's session gets those."""
    if not event.type.startswith("leg."):
        return False
    leg = msgspec.json.decode(event.body, type=_LegEvent).data.leg
    return leg.side == Side.B and leg.device is not None


class _LegOfEvent(Struct):
    side: str
    device: str | None


class _LegData(Struct):
    leg: _LegOfEvent


class _LegEvent(Struct):
    data: _LegData


def _unnamed(leg: Leg) -> Leg:
    return replace(leg, device_id=None, device="", contact="", user_agent="", trunk="")


def _timings(call: Call) -> Timings:
    return Timings(
        committed_ms=_ms(call.committed_at),
        user_invited_ms=_ms(_first(leg.invited_at for leg in call.side(Side.A))),
        user_ringing_ms=_ms(_first(leg.ringing_at for leg in call.side(Side.A))),
        user_answered_ms=_ms(call.answered_at),
        destination_dialled_ms=_ms(call.initiated_at),
        destination_invited_ms=_ms(_first(leg.invited_at for leg in call.side(Side.B))),
        destination_ringing_ms=_ms(_first(leg.ringing_at for leg in call.side(Side.B))),
        connected_ms=_ms(call.connected_at),
        bridged_ms=_ms(call.bridged_at),
        ended_ms=_ms(call.ended_at),
    )


def _first(moments: Iterable[float | None]) -> float | None:
    return min((moment for moment in moments if moment is not None), default=None)


def _leg(call: Call, leg: Leg) -> LegRecord:
    invited_at = leg.dialled_at if leg.invited_at is None else leg.invited_at
    rang = leg.ringing_at is not None and invited_at is not None
    return LegRecord(
        id=leg.id,
        side=leg.side,
        endpoint=leg.device_id,
        endpoint_id=leg.device_id,
        device=leg.device or None,
        trunk=leg.trunk or None,
        number=(call.destination.party.number or None) if leg.side is Side.B else None,
        contact=leg.contact or None,
        user_agent=leg.user_agent or None,
        state=leg.state,
        outcome=leg.outcome,
        won=leg.won,
        dialled_at=rfc3339(call.wall(leg.dialled_at)),
        ringing_at=rfc3339(call.wall(leg.ringing_at)),
        answered_at=rfc3339(call.wall(leg.answered_at)),
        ended_at=rfc3339(call.wall(leg.ended_at)),
        ring_delay_ms=_ms((leg.ringing_at or 0) - (invited_at or 0)) if rang else None,
        hangup_cause=leg.cause,
        sip_code=leg.sip_code,
    )


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)
