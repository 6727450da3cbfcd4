"""One step in the making: what it refuses and what it keeps in order."""

import pytest

from c2c_stasis.call.commands import CreateBridge, DestroyBridge
from c2c_stasis.call.events import Event, EventType
from c2c_stasis.call.model import CallState, Now, Side
from c2c_stasis.call.move import MOVES, Move, Step
from tests.call.stories import A1, ACCEPTED_AT, B1, CLOCK_ZERO, outward_call, phones, ringing_user


def begun(at: float = 0.0) -> Move:
    return Move(outward_call(), Now(ACCEPTED_AT + at, CLOCK_ZERO + at))


def test_a_move_that_is_not_in_the_table_is_a_fault_of_ours() -> None:
    with pytest.raises(AssertionError):
        begun().to(CallState.TALKING, 1.0)


def test_no_move_leads_out_of_the_end_or_to_itself() -> None:
    assert not [move for move in MOVES if move[0] is CallState.ENDED or move[0] is move[1]]


def test_every_move_says_what_brings_it_about() -> None:
    assert all(MOVES.values())


def test_every_state_but_the_first_can_be_reached() -> None:
    assert {after for _, after in MOVES} == set(CallState) - {CallState.ACCEPTED}


def test_what_is_asked_and_told_keeps_its_order() -> None:
    move = begun(2.0)
    move.ask(DestroyBridge())
    move.tell(EventType.CALL_EMERGENCY)
    move.ask(CreateBridge())
    move.tell(EventType.LEG_RINGING, phones(Side.A, 1)[0])

    step = move.done()

    assert step.commands == (DestroyBridge(), CreateBridge())
    assert step.events == (Event(EventType.CALL_EMERGENCY, 2.0), Event(EventType.LEG_RINGING, 2.0, A1))
    assert step.call.events == 2


def test_the_same_command_is_asked_once_in_a_step() -> None:
    move = begun()
    move.ask(CreateBridge())
    move.ask(CreateBridge())

    assert move.done() == Step(move.call, (CreateBridge(),))


def test_a_change_of_the_wall_clock_moves_nothing() -> None:
    assert Move(outward_call(), Now(ACCEPTED_AT - 3600.0, CLOCK_ZERO + 2.0)).at == 2.0


def test_a_leg_without_a_channel_is_not_found() -> None:
    assert begun().leg(A1) is None
    assert Move(ringing_user().call, Now(0, 0)).leg(B1) is not None
