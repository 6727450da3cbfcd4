"""What a call adds to the figures of the service: once when it is answered or over, not at every step."""

from collections.abc import Sequence

from c2c_stasis.call.events import Event, EventType
from c2c_stasis.call.model import Call, Leg, Side
from c2c_stasis.call.quality import qualities
from c2c_stasis.metrics import Metrics


def measure_accepted(metrics: Metrics, call: Call) -> None:
    """Count a call that was accepted."""
    metrics.calls_accepted.labels(call.destination.kind).inc()
    if call.rule is not None:
        metrics.decisions.labels(call.rule).inc()
    if call.committed_at is not None:
        metrics.setup_seconds.labels("committed").observe(call.committed_at)


def measure(metrics: Metrics, call: Call, events: Sequence[Event]) -> None:
    """Count what the events of one step tell of; most tell of nothing that is counted."""
    for event in events:
        if event.type is EventType.CALL_INITIATED:
            _user_answered(metrics, call)
        elif event.type is EventType.LEG_ENDED:
            _leg_ended(metrics, call, event)
        elif event.type is EventType.CALL_END:
            _ended(metrics, call)


def _user_answered(metrics: Metrics, call: Call) -> None:
    """The user's side of the way; who never answers leaves only the outcome."""
    winner, setup = call.winner(Side.A), metrics.setup_seconds.labels
    invited = _first([leg.invited_at for leg in call.side(Side.A)])
    if invited is not None:
        setup("first_invite").observe(invited)
    if winner is not None:
        _answered(metrics, winner, "user_ringing")


def _ended(metrics: Metrics, call: Call) -> None:
    assert call.end is not None  # a call that has ended has an end
    metrics.calls_ended.labels(call.end.outcome, call.end.reason).inc()
    invited = _first([leg.invited_at for leg in call.side(Side.B)])
    if call.answered_at is not None and invited is not None:
        metrics.setup_seconds.labels("destination_invite").observe(max(0.0, invited - call.answered_at))
    winner = call.winner(Side.B)
    if winner is not None:
        _answered(metrics, winner, "destination_ringing")
    if call.connected_at is not None and call.bridged_at is not None:
        metrics.setup_seconds.labels("join").observe(call.bridged_at - call.connected_at)
        if call.ended_at is not None:
            metrics.talk_seconds.observe(max(0.0, call.ended_at - call.bridged_at))
    for one in qualities(call) or ():
        if one.mos is not None and one.packet_loss_pct is not None:
            metrics.score.labels(one.leg).observe(one.mos)
            metrics.loss.labels(one.leg).observe(one.packet_loss_pct / 100)


def _answered(metrics: Metrics, leg: Leg, ringing: str) -> None:
    if leg.invited_at is None:
        return
    if leg.ringing_at is not None:
        metrics.setup_seconds.labels(ringing).observe(max(0.0, leg.ringing_at - leg.invited_at))
    if leg.answered_at is not None:
        metrics.answer_seconds.labels(leg.side).observe(max(0.0, leg.answered_at - leg.invited_at))


def _leg_ended(metrics: Metrics, call: Call, event: Event) -> None:
    leg = call.leg(event.leg_id) if event.leg_id else None
    if leg is not None and leg.outcome is not None:
        metrics.legs_ended.labels(leg.side, leg.outcome).inc()


def _first(moments: Sequence[float | None]) -> float | None:
    return min((moment for moment in moments if moment is not None), default=None)
