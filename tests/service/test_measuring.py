"""What one call adds to the figures."""

from prometheus_client import CollectorRegistry

from c2c_stasis.call.machine import step
from c2c_stasis.call.model import DestinationKind, Now, Quality
from c2c_stasis.call.signals import (
    CallPlaced,
    LegAnswered,
    LegCreated,
    LegEnded,
    LegInvited,
    LegJoined,
    LegRinging,
    Signal,
)
from c2c_stasis.metrics import Metrics
from c2c_stasis.service.measuring import measure, measure_accepted
from tests.call.stories import A1, A2, ACCEPTED_AT, B1, CLOCK_ZERO, Story, outward_call


class Counted:
    """A call that lives through signals, and the figures that it makes."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.metrics = Metrics()

    def hear(self, at: float, *signals: Signal) -> None:
        for signal in signals:
            taken = step(self.story.call, signal, Now(ACCEPTED_AT + at, CLOCK_ZERO + at))
            self.story.call = taken.call
            measure(self.metrics, taken.call, taken.events)

    def value(self, name: str, **labels: str) -> float | None:
        registry: CollectorRegistry = self.metrics.registry
        return registry.get_sample_value(name, labels)


def talked() -> Counted:
    """A call that was accepted at 0 and joined at 5 s."""
    counted = Counted(Story(outward_call()))
    counted.hear(0.0, CallPlaced())
    counted.hear(0.01, LegCreated(A1), LegCreated(B1), LegJoined(B1))
    counted.hear(0.02, LegInvited(A1))
    counted.hear(0.20, LegRinging(A1))
    counted.hear(3.0, LegAnswered(A1), LegJoined(A1))
    counted.hear(3.01, LegInvited(B1))
    counted.hear(3.30, LegRinging(B1))
    counted.hear(5.0, LegAnswered(B1))
    return counted


def test_each_step_of_a_call_that_was_joined_is_counted_once() -> None:
    counted = talked()
    counted.hear(25.0, LegEnded(B1, 16, None, Quality(0.001, 0.02, 0.1)), LegEnded(A1, 16), LegEnded(A2, 26))

    assert not counted.story.call.live
    sums = {
        name: counted.value("c2c_call_setup_seconds_sum", step=name)
        for name in ("first_invite", "user_ringing", "destination_invite", "destination_ringing", "join")
    }
    assert {name: round(value or 0.0, 3) for name, value in sums.items()} == {
        "first_invite": 0.02,
        "user_ringing": 0.18,
        "destination_invite": 0.01,
        "destination_ringing": 0.29,
        "join": 0.0,
    }
    assert round(counted.value("c2c_call_answer_seconds_sum", side="a") or 0.0, 2) == 2.98
    assert round(counted.value("c2c_call_answer_seconds_sum", side="b") or 0.0, 2) == 1.99
    assert counted.value("c2c_call_talk_seconds_sum") == 20.0
    assert counted.value("c2c_calls_ended_total", outcome="completed", reason="normal") == 1
    assert counted.value("c2c_legs_ended_total", side="b", outcome="answered") == 1
    assert counted.value("c2c_leg_packet_loss_ratio_sum", leg="pstn") == 0.02
    assert counted.value("c2c_leg_opinion_score_count", leg="pstn") == 1
    assert counted.value("c2c_leg_opinion_score_count", leg="endpoint") is None


def test_a_call_that_nobody_answered_leaves_its_outcome_and_no_times() -> None:
    counted = Counted(Story(outward_call()))
    counted.hear(0.0, CallPlaced())
    counted.hear(0.01, LegCreated(A1), LegCreated(A2))
    counted.hear(0.1, LegEnded(A1, 21, 603), LegEnded(A2, 21, 603), LegEnded(B1))

    assert not counted.story.call.live
    assert counted.value("c2c_calls_ended_total", outcome="rejected", reason="user_rejected") == 1
    assert counted.value("c2c_call_setup_seconds_count", step="first_invite") is None
    assert counted.value("c2c_call_talk_seconds_count") == 0


def test_an_accepted_call_counts_by_what_it_leads_to() -> None:
    metrics = Metrics()
    measure_accepted(metrics, outward_call(kind=DestinationKind.EMERGENCY))
    assert metrics.registry.get_sample_value("c2c_calls_accepted_total", {"kind": "emergency"}) == 1
    assert metrics.registry.get_sample_value("c2c_call_setup_seconds_count", {"step": "committed"}) is None
