"""The questions that a call and its legs answer about themselves."""

import pytest
from msgspec.structs import replace

from c2c_stasis.call.model import DestinationKind, LegState, Side
from tests.call.stories import A1, A2, ACCEPTED_AT, B1, dialling, outward_call, phone


@pytest.mark.parametrize("state", LegState)
def test_a_leg_is_live_while_the_switch_may_have_a_channel_for_it(state: LegState) -> None:
    assert replace(phone(Side.A, 1), state=state).live is (state not in {LegState.PLANNED, LegState.ENDED})


@pytest.mark.parametrize(
    ("state", "ringing_at", "alerted"),
    [
        (LegState.DIALLED, None, False),
        (LegState.RINGING, None, True),
        (LegState.RINGING, 0.0, True),
        (LegState.ENDED, 0.0, True),
        (LegState.ENDED, None, False),
    ],
)
def test_a_leg_is_alerted_by_ringing_or_early_media(state: LegState, ringing_at: float | None, alerted: bool) -> None:
    assert replace(phone(Side.A, 1), state=state, ringing_at=ringing_at).alerted is alerted


def test_a_moment_of_a_call_is_told_in_wall_time() -> None:
    call = outward_call()

    assert (call.wall(2.5), call.wall(0.0), call.wall(None)) == (ACCEPTED_AT + 2.5, ACCEPTED_AT, None)


@pytest.mark.parametrize(
    ("answered_at", "ended_at", "duration"),
    [(None, None, None), (2.0, None, None), (None, 30.0, 0), (2.0, 32.4, 30), (2.0, 32.6, 31)],
)
def test_a_duration_is_counted_from_the_user_s_answer_in_whole_seconds(
    answered_at: float | None, ended_at: float | None, duration: int | None
) -> None:
    assert replace(outward_call(), answered_at=answered_at, ended_at=ended_at).duration == duration


def test_a_call_goes_out_or_to_an_extension() -> None:
    out = outward_call()
    inside = replace(out, destination=replace(out.destination, kind=DestinationKind.EXTENSION))

    assert (out.direction, inside.direction) == ("outbound", "internal")


def test_the_winner_is_the_leg_that_won_on_that_side() -> None:
    call = dialling().call

    winner = call.winner(Side.A)

    assert (winner and winner.id, call.winner(Side.B)) == (A1, None)


def test_a_call_knows_its_legs() -> None:
    call = outward_call()

    assert [leg.id for leg in call.side(Side.A)] == [A1, A2]
    assert call.leg(B1) is call.side(Side.B)[0]
    assert call.leg(phone(Side.A, 9).id) is None


def test_the_latest_moment_of_a_call_is_of_the_call_or_of_a_leg() -> None:
    call = outward_call()
    assert call.latest == 0.0
    assert replace(call, answered_at=2.0, connected_at=3.0).latest == 3.0
    for leg in (
        replace(call.legs[0], dialled_at=4.0),
        replace(call.legs[0], invited_at=4.0),
        replace(call.legs[0], ringing_at=4.0),
        replace(call.legs[0], answered_at=4.0),
        replace(call.legs[0], ended_at=4.0),
    ):
        assert replace(call, answered_at=2.0).with_leg(leg).latest == 4.0
