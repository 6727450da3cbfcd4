"""Thousands of histories of calls that nobody thought of; the rules of `invariants.py` hold in every step of each.

A failure prints the shortest history that breaks the rule. `C2C_HISTORIES` sets how many are told, `C2C_FIRST_HISTORY` where
to begin: every history is the same each time, by its number.
"""

import os
import re
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import get_args

import pytest

from c2c_stasis.call.commands import Command
from c2c_stasis.call.machine import step
from c2c_stasis.call.model import Call, CallState, LegState, Now
from c2c_stasis.call.move import MOVES, Step
from c2c_stasis.call.signals import CommandRefused, Signal
from tests.call.invariants import Watcher, ends_by_deadlines, require
from tests.call.worlds import TEMPERS, Moment, World, random_call

HISTORIES = int(os.environ.get("C2C_HISTORIES", "6000"))
FIRST = int(os.environ.get("C2C_FIRST_HISTORY", "0"))

SIGNALS: tuple[type[Signal], ...] = get_args(Signal)
COMMANDS: tuple[type[Command], ...] = get_args(Command)

Shape = tuple[CallState, int, tuple[tuple[LegState, bool], ...]]


@dataclass
class Chronicle:
    """What all histories together have seen."""

    histories: int = 0
    steps: int = 0
    talked: int = 0
    heard: Counter[tuple[CallState, type[Signal]]] = field(default_factory=Counter)
    refused: Counter[tuple[CallState, type[Command]]] = field(default_factory=Counter)
    moves: Counter[tuple[CallState, CallState]] = field(default_factory=Counter)
    endings: Counter[str] = field(default_factory=Counter)
    shapes: set[Shape] = field(default_factory=set)


class History:
    """One history being told: each moment goes through the rules and past the watcher."""

    def __init__(self, call: Call, chronicle: Chronicle) -> None:
        self.call = call
        self.moments: list[Moment] = []
        self._watcher = Watcher()
        self._chronicle = chronicle
        self._talked = False

    def hear(self, moment: Moment) -> tuple[Call, tuple[Command, ...]]:
        """Apply one signal. Raises whatever rule or assertion it breaks."""
        self.moments.append(moment)
        before, at = self.call, moment.at
        taken = step(before, moment.signal, Now(before.accepted_at + at, before.clock_zero + at))
        self.call = taken.call
        self._note(before, moment.signal)
        self._watcher.watch(before, moment.signal, taken, before.clock_zero + at - before.clock_zero)
        shape = _shape(self.call)
        if shape not in self._chronicle.shapes:  # how a call ends by deadlines alone depends on its shape alone
            ends_by_deadlines(self.call, at)
            self._chronicle.shapes.add(shape)
        return taken.call, taken.commands

    def _note(self, before: Call, signal: Signal) -> None:
        seen, after = self._chronicle, self.call
        seen.steps += 1
        seen.heard[before.state, type(signal)] += 1
        if isinstance(signal, CommandRefused):
            seen.refused[before.state, type(signal.command)] += 1
        if before.state is not after.state:
            seen.moves[before.state, after.state] += 1
        if after.state is CallState.TALKING and not self._talked:
            self._talked = True
            seen.talked += 1
        if before.live and not after.live and after.end is not None:
            seen.endings[f"{after.end.outcome} {after.end.reason}"] += 1


def _shape(call: Call) -> Shape:
    legs = tuple((leg.state, leg.released) for leg in call.legs)
    return call.state, call.release_rounds, legs


def tell(number: int, chronicle: Chronicle) -> History:
    """Tell one history from its number."""
    rng = Random(number)
    call = random_call(rng)
    history = History(call, chronicle)
    try:
        World(rng, rng.choice(TEMPERS), call, history.hear).live()
    except AssertionError as broken:
        raise AssertionError(_report(number, call, history.moments, broken)) from broken
    chronicle.histories += 1
    return history


def _report(number: int, call: Call, moments: Sequence[Moment], broken: AssertionError) -> str:
    shortest = shrink(call, moments, broken)
    lines = [f"  {moment.at:8.3f}  {moment.signal}" for moment in shortest]
    legs = [f"  {leg.id.rpartition('.')[2]} {leg.endpoint or 'cannot be dialled'}" for leg in call.legs]
    return "\n".join([f"history {number}: {str(broken) or repr(broken)}", *legs, *lines])


def shrink(call: Call, moments: Sequence[Moment], broken: AssertionError) -> list[Moment]:
    """The fewest of these moments, in their order, that break the same rule."""
    kept = list(moments)
    size = len(kept)
    while size:
        for start in range(len(kept) - size, -1, -1):
            fewer = kept[:start] + kept[start + size :]
            if breaks(call, fewer) == str(broken):
                kept = fewer
        size //= 2
    return kept


def breaks(call: Call, moments: Sequence[Moment]) -> str | None:
    """The rule that these moments break, if they do."""
    history = History(call, Chronicle())
    try:
        for moment in moments:
            history.hear(moment)
    except AssertionError as broken:
        return str(broken)
    return None


def tell_many(histories: int, chronicle: Chronicle) -> None:
    for number in range(FIRST, FIRST + histories):
        tell(number, chronicle)


@cache
def chronicle() -> Chronicle:
    """Every history, told once for all tests of this file."""
    seen = Chronicle()
    tell_many(HISTORIES, seen)
    return seen


def show(text: str) -> None:
    """Write a line that `pytest -s` lets through."""
    sys.stdout.write(text + "\n")


@pytest.mark.timeout(600)
def test_the_rules_hold_in_every_step_of_every_history() -> None:
    seen = chronicle()

    show(f"\n{seen.histories} histories, {seen.steps} steps, {len(seen.shapes)} shapes of a call")
    show(f"{seen.talked} ({seen.talked / seen.histories:.0%}) reached the bridge")
    show("\n".join(f"{number:6} {ending}" for ending, number in seen.endings.most_common()))
    assert seen.histories >= 5_000


def test_many_histories_reach_the_bridge() -> None:
    seen = chronicle()

    assert seen.talked >= 0.3 * seen.histories


def test_every_signal_was_heard_in_every_state() -> None:
    heard = chronicle().heard

    show("\n" + " " * 22 + " ".join(f"{state.value[:10]:>10}" for state in CallState))
    for kind in SIGNALS:
        show(f"{kind.__name__:22}" + " ".join(f"{heard[state, kind]:10}" for state in CallState))
    assert [(state, kind.__name__) for state in CallState for kind in SIGNALS if not heard[state, kind]] == []


def test_every_command_was_refused_in_every_state() -> None:
    refused = chronicle().refused
    begun = [state for state in CallState if state is not CallState.ACCEPTED]

    assert [(state, kind.__name__) for state in begun for kind in COMMANDS if not refused[state, kind]] == []


def test_every_move_of_the_diagram_was_made() -> None:
    moves = chronicle().moves

    assert [move for move in MOVES if not moves[move]] == []


def test_a_history_is_the_same_each_time() -> None:
    assert tell(7, Chronicle()).moments == tell(7, Chronicle()).moments


def test_a_broken_rule_is_told_by_its_shortest_history(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_call_may_talk(_: Watcher, _before: Call, _signal: Signal, taken: Step, _at: float) -> None:
        require(taken.call.state is not CallState.TALKING, "no call may talk")

    monkeypatch.setattr(Watcher, "watch", no_call_may_talk)

    with pytest.raises(AssertionError, match="no call may talk") as told:
        tell_many(100, Chronicle())

    signals = re.findall(r"^ +[0-9.]+  (\w+)", str(told.value), re.MULTILINE)
    assert signals[0] == "CallPlaced"
    assert len(signals) <= 7  # two legs made, answered and joined
