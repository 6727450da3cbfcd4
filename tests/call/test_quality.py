"""The quality of a call: which legs it is told of, and the score that the E-model gives."""

import pytest
from msgspec.structs import replace

from c2c_stasis.call.model import DestinationKind, Quality
from c2c_stasis.call.quality import LegQuality, opinion, qualities
from c2c_stasis.call.signals import LegEnded
from tests.call.stories import A1, B1, Story, gone, outward_call, talking

CLEAN = Quality(jitter=0.0005, loss=0.0, rtt=0.040)
LOSSY = Quality(jitter=0.030, loss=0.05, rtt=0.1)


def ended(near: Quality | None, far: Quality | None, kind: DestinationKind = DestinationKind.EXTERNAL) -> Story:
    story = talking(outward_call(kind=kind))
    story.hear(LegEnded(B1, 16, None, far), LegEnded(A1, 16, None, near), *gone(A1))
    assert not story.call.live
    return story


def test_both_legs_are_told_of_the_users_first() -> None:
    assert qualities(ended(LOSSY, CLEAN).call) == [
        LegQuality("endpoint", 30.0, 5.0, 100.0, 3.79),
        LegQuality("pstn", 0.5, 0.0, 40.0, 4.39),
    ]


def test_a_colleague_is_no_public_network() -> None:
    told = qualities(ended(CLEAN, CLEAN, DestinationKind.EXTENSION).call)
    assert told is not None
    assert [one.leg for one in told] == ["endpoint", "endpoint"]


def test_a_call_without_media_has_no_quality() -> None:
    assert qualities(ended(None, None).call) is None


def test_a_leg_without_media_is_left_out() -> None:
    told = qualities(ended(CLEAN, None).call)
    assert told is not None
    assert [one.leg for one in told] == ["endpoint"]


def test_what_nobody_measured_is_null_and_without_the_loss_there_is_no_score() -> None:
    told = qualities(ended(Quality(0.002), None).call)
    assert told == [LegQuality("endpoint", 2.0, None, None, None)]


def test_who_did_not_win_is_not_told_of() -> None:
    story = ended(CLEAN, CLEAN)
    legs = tuple(replace(leg, won=False) for leg in story.call.legs)
    assert qualities(replace(story.call, legs=legs)) is None


# Worked out by hand: 5 % lost is Ie-eff = 95 · 5 / 30.1 = 15.8, 20 ms is Id = 0.5, so R = 76.9, and the score 3.90.
@pytest.mark.parametrize(
    ("quality", "score"),
    [
        (Quality(0.0, 0.0, None), 4.40),
        (Quality(0.0, 0.01, 0.0), 4.32),
        (Quality(0.0, 0.05, 0.0), 3.90),
        (Quality(0.0, 0.20, 0.0), 2.61),
        (Quality(0.0, 0.0, 0.3), 4.32),
        (Quality(0.0, 0.0, 0.8), 2.91),
        (Quality(0.0, 1.0, 5.0), 1.0),
    ],
)
def test_the_score_falls_with_loss_and_delay(quality: Quality, score: float) -> None:
    found = opinion(quality)
    assert found is not None
    assert round(found, 2) == score


@pytest.mark.parametrize("worse", [Quality(0.05, 0.01, 0.1), Quality(0.01, 0.02, 0.1), Quality(0.01, 0.01, 0.3)])
def test_whatever_is_worse_scores_less(worse: Quality) -> None:
    assert (opinion(worse) or 0) < (opinion(Quality(0.01, 0.01, 0.1)) or 0)
